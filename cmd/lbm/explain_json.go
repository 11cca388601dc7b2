package main

import (
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// explanation is the JSON of lbm explain.
type explanation struct {
	At         time.Time            `json:"at"`
	VM         string               `json:"vm"`
	Owner      *string              `json:"owner"`
	Verdict    string               `json:"verdict"`
	Target     *string              `json:"target"`
	Why        string               `json:"why"`
	Rule       *string              `json:"rule"`
	Reads      []explainedRead      `json:"reads"`
	Vetoes     []explainedVeto      `json:"vetoes"`
	Rails      []explainedRail      `json:"rails"` // in their order; empty where none was asked
	Candidates []explainedCandidate `json:"candidates"`
	Notes      []string             `json:"notes"`
}

type explainedVeto struct {
	Rail string `json:"rail"`
	Text string `json:"text"`
}

type explainedRail struct {
	Rail string  `json:"rail"`
	Says string  `json:"says"` // pass, no or off
	Text *string `json:"text"`
}

type explainedRead struct {
	Resource string   `json:"resource"`
	Node     string   `json:"node"`
	Minutes  int      `json:"minutes"`
	Count    int      `json:"count"`
	Newest   *float64 `json:"newest"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	Average  *float64 `json:"average"`
	Error    *string  `json:"error"`
}

type explainedCandidate struct {
	Node      string          `json:"node"`
	Said      string          `json:"said"`
	Weight    float64         `json:"weight"`
	Error     *string         `json:"error"`
	Reads     []explainedRead `json:"reads"`
	Steps     []explainedStep `json:"steps"`
	Vetoes    []explainedVeto `json:"vetoes"`
	Rails     []explainedRail `json:"rails"`
	Score     int             `json:"score"`
	Guests    int             `json:"guests"`
	Projected *float64        `json:"projected"`
	Rank      *int            `json:"rank"`
	Outcome   string          `json:"outcome"`
}

type explainedStep struct {
	Source string `json:"source"`
	Text   string `json:"text"`
	Result string `json:"result"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func explained(p *balance.Pass, d balance.Decision, notes []string) explanation {
	e := explanation{At: p.At, VM: d.VM, Owner: orNull(d.Owner), Verdict: d.Verdict.String(), Target: orNull(d.Target), Why: d.Why, Rule: orNull(d.Rule), Reads: explainedReads(d.Reads),
		Vetoes: vetoes(d.Vetoes), Rails: answers(d.Answers()), Candidates: []explainedCandidate{}, Notes: append([]string{}, notes...)}
	for i := range d.Candidates {
		c := &d.Candidates[i]
		x := explainedCandidate{Node: c.Node, Said: c.Said.String(), Weight: c.Weight, Reads: explainedReads(c.Reads), Steps: []explainedStep{}, Vetoes: vetoes(c.Vetoes), Rails: answers(d.AnswersOn(c)),
			Score: c.Score, Guests: c.Guests, Projected: c.Projected, Outcome: outcome(&d, c)}
		if c.Err != nil {
			x.Error = orNull(c.Err.Error())
		}
		if c.Rank > 0 {
			x.Rank = &c.Rank
		}
		if c.Trace != nil {
			for _, s := range c.Trace.Steps {
				x.Steps = append(x.Steps, explainedStep{s.Source, s.Text, s.Result})
			}
		}
		e.Candidates = append(e.Candidates, x)
	}
	return e
}

func explainedReads(list []*balance.Read) []explainedRead {
	out := []explainedRead{}
	for _, r := range list {
		x := explainedRead{Resource: r.Resource, Node: r.Node, Minutes: r.Minutes, Count: r.Count, Error: orNull(r.Err)}
		if r.Err == "" {
			x.Newest, x.Min, x.Max, x.Average = &r.Newest, &r.Min, &r.Max, &r.Average
		}
		out = append(out, x)
	}
	return out
}

func vetoes(list []balance.Veto) []explainedVeto {
	out := []explainedVeto{}
	for _, v := range list {
		out = append(out, explainedVeto(v))
	}
	return out
}

func answers(list []balance.Answer) []explainedRail {
	out := []explainedRail{}
	for _, a := range list {
		x := explainedRail{Rail: a.Rail, Says: "pass", Text: orNull(a.Text)}
		switch {
		case a.Off:
			x.Says = "off"
		case a.Text != "":
			x.Says = "no"
		}
		out = append(out, x)
	}
	return out
}
