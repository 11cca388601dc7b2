package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func (w world) explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "tell why a virtual machine would move now or not, or did then", ArgsUsage: "VM",
		Description: "Decides as lbmonitor does, moves nothing, and prints for each node that the VM could go to what its rule\n" +
			"compared, which rails stand in the way, and its rank. With --at the pass that was made then is decided again\n" +
			"from what was recorded: the cluster as it was seen, the logs, the journal.\n\n" +
			"   lbm explain 101\n   lbm explain 101 --target node2\n   lbm explain web1 --at '2008-01-10 14:00' -o json\n\n" +
			"Exit codes: 0 explained, 1 it cannot be, 2 usage, 4 explained, but with --at another verdict was recorded.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "target", Usage: "only this `NODE`"},
			&cli.StringFlag{Name: "at", Usage: "the pass at that `TIME`, or the last one in the hour before it"},
		},
		Action: func(c *cli.Context) error {
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			if c.NArg() != 1 {
				return tooMany(c, "lbm explain takes one VM")
			}
			return w.explain(c.Context, explainQuery{c.Args().First(), c.String("target"), c.String("at"), asJSON})
		},
	}
}

type explainQuery struct {
	vm, target, at string
	asJSON         bool
}

// passWithin is how long before the time that is asked for a pass may have been made.
const passWithin = time.Hour

func (w world) explain(ctx context.Context, q explainQuery) error {
	pass, notes, d, err := w.decision(ctx, q)
	if err == nil && !q.traced(d.VM) { // it was named by its service, or it is another's
		q.vm = d.VM
		pass, notes, d, err = w.decision(ctx, q)
	}
	if err != nil {
		return err
	}
	if q.target != "" {
		if d, err = onlyTarget(d, q.target); err != nil {
			return err
		}
	}
	if q.asJSON {
		err = term.JSON(w.stdout, explained(pass, d, notes))
	} else {
		writeExplanation(w.stdout, w.paint, pass, d)
		for _, n := range notes {
			fmt.Fprintln(w.stderr, "lbm:", n)
		}
	}
	if err == nil && q.at != "" {
		err = w.recorded(pass, d, q)
	}
	return err
}

// traced tells of which VMs every step is kept: in a large cluster those of all would take long.
func (q explainQuery) traced(vm string) bool {
	_, bare, _ := strings.Cut(vm, ":")
	return q.vm == vm || q.vm == bare
}

// decision is the pass that is asked for, and what it says of the VM.
func (w world) decision(ctx context.Context, q explainQuery) (pass *balance.Pass, notes []string, d balance.Decision, err error) {
	if q.at == "" {
		pass, notes, err = w.explainNow(ctx, q)
	} else {
		pass, notes, err = w.explainThen(ctx, q)
	}
	if err == nil {
		d, err = decisionOn(pass, q.vm)
	}
	return pass, notes, d, err
}

// explainNow is a pass of lbmonitor that changes nothing and keeps each step.
func (w world) explainNow(ctx context.Context, q explainQuery) (*balance.Pass, []string, error) {
	log := logrus.New()
	log.SetOutput(w.stderr)
	log.SetLevel(logrus.ErrorLevel)
	m := monitor.Monitor{Host: w.host, Manager: w.manager(), Clock: w.clock, Wait: w.wait, Log: log, Trace: q.traced}
	res, err := m.Plan(ctx, func(d conf.Diagnostic) {
		if d.Severity == conf.Error {
			fmt.Fprint(w.stderr, d.Format())
		}
	})
	return res.Pass, res.Warnings, err
}

// explainThen decides a recorded pass again.
func (w world) explainThen(ctx context.Context, q explainQuery) (*balance.Pass, []string, error) {
	at, err := evalQuery{at: q.at}.instant(w.clock.Now().Location())
	if err != nil {
		return nil, nil, err
	}
	id, err := w.host.Identity()
	if err != nil {
		return nil, nil, err
	}
	dir := w.host.Path(id.LogDir)
	old, err := balance.PassAt(filepath.Join(dir, balance.PassesName), at, passWithin)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := w.ruleConfig(evalQuery{})
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	if cfg.Digest != old.Config {
		notes = append(notes, "lbvm.conf or lbresources.conf has changed since: these are the rules of today")
	}
	moves, err := balance.OpenJournal(filepath.Join(dir, balance.JournalName)).Since(old.At.Add(-cfg.Rails.Horizon()))
	if err != nil {
		return nil, nil, err
	}
	pass, err := balance.Again(ctx, old, cfg, cfg.Logs(w.host.Path(cfg.Paths.LogDir)), moves, w.clock.Now().Location(), q.traced)
	return pass, notes, err
}

// recorded compares with the verdict that was recorded then.
func (w world) recorded(pass *balance.Pass, d balance.Decision, q explainQuery) error {
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	old, err := balance.PassAt(filepath.Join(w.host.Path(id.LogDir), balance.PassesName), pass.At, 0)
	if err != nil {
		return err
	}
	was, err := decisionOn(old, d.VM)
	if err != nil || was.Verdict == d.Verdict && (was.Target == d.Target || q.target != "") {
		return nil // it was not balanced then: there is nothing to compare with
	}
	return cli.Exit(fmt.Sprintf("recorded then was another verdict: %s: %s", verdict(was), was.Why), exitUnknown)
}

// decisionOn finds the decision on a VM: TYPE:NAME, NAME or its service.
func decisionOn(p *balance.Pass, name string) (balance.Decision, error) {
	var found []balance.Decision
	for _, d := range p.Decisions {
		_, bare, _ := strings.Cut(d.VM, ":")
		_, service, _ := strings.Cut(d.Service, ":")
		if name == d.VM || name == bare || name == d.Service || d.Service != "" && name == service {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return balance.Decision{}, fmt.Errorf("VM %q is not balanced: it does not stand in balance of lbvm.conf", name)
	}
	return balance.Decision{}, fmt.Errorf("%q may be %s or %s: name one of them", name, found[0].VM, found[1].VM)
}

func onlyTarget(d balance.Decision, target string) (balance.Decision, error) {
	for _, c := range d.Candidates {
		if c.Node == target {
			d.Candidates = []balance.Candidate{c}
			return d, nil
		}
	}
	if d.Owner == target {
		return d, fmt.Errorf("%s is on %s already", d.VM, target)
	}
	if len(d.Candidates) == 0 && d.Why != "" {
		return d, nil // the rule was not asked, and the reason holds for every node
	}
	return d, fmt.Errorf("%s cannot go to %s: the manager would not let it run there, or the node is not online", d.VM, target)
}

func verdict(d balance.Decision) string {
	if d.Target != "" {
		return d.Verdict.String() + " to " + d.Target
	}
	return d.Verdict.String()
}

// writeExplanation writes what is to be read from the top: the verdict, then why, node by node.
func writeExplanation(out io.Writer, paint term.Painter, p *balance.Pass, d balance.Decision) {
	fmt.Fprintf(out, "%s on %s at %s: %s\n", d.VM, orNothing(d.Owner), p.At.Format("2006-01-02 15:04:05 MST"), paint.Paint(styleOfVerdict(d.Verdict), verdict(d)))
	fmt.Fprintf(out, "why:     %s\n", d.Why)
	if d.Rule != "" {
		fmt.Fprintf(out, "rule:    %s\n", d.Rule)
	}
	for _, r := range d.Reads {
		fmt.Fprintf(out, "read:    %s\n", readText(r))
	}
	for _, v := range d.Vetoes {
		fmt.Fprintf(out, "rail:    %s: %s\n", paint.Paint(term.Warn, v.Rail), v.Text)
	}
	for _, c := range d.Candidates {
		fmt.Fprintf(out, "\n%s: the rule said %s", paint.Paint(term.Strong, c.Node), c.Said)
		if c.Said == balance.SaidMigrate && c.Weight != 0 {
			fmt.Fprintf(out, " (%g)", c.Weight)
		}
		fmt.Fprintln(out)
		if c.Err != nil {
			fmt.Fprintf(out, "  %s: %v\n", paint.Paint(term.Bad, "error"), c.Err)
		}
		for _, r := range c.Reads {
			fmt.Fprintf(out, "  read:  %s\n", readText(r))
		}
		if c.Trace != nil {
			for _, s := range c.Trace.Steps {
				fmt.Fprintf(out, "  %s  %s   (%s)\n", paint.Paint(styleOfResult(s.Result), fmt.Sprintf("%-5s", s.Result)), s.Source, s.Text)
			}
		}
		for _, v := range c.Vetoes {
			fmt.Fprintf(out, "  rail:  %s: %s\n", paint.Paint(term.Warn, v.Rail), v.Text)
		}
		if c.Rank > 0 {
			fmt.Fprintf(out, "  rank:  %s%s\n", paint.Paint(styleOfRank(c.Rank), strconv.Itoa(c.Rank)), rankText(c))
		}
	}
}

func readText(r *balance.Read) string {
	if r.Err != "" {
		return fmt.Sprintf("%s of %s, %d minutes: %s", r.Resource, r.Node, r.Minutes, r.Err)
	}
	return fmt.Sprintf("%s of %s, %d values in %d minutes: newest %.4g, least %.4g, most %.4g, mean %.4g", r.Resource, r.Node, r.Count, r.Minutes, r.Newest, r.Min, r.Max, r.Average)
}

func rankText(c balance.Candidate) string {
	text := fmt.Sprintf(" (placement %d", c.Score)
	if c.Projected != nil && c.Measured != nil {
		text += fmt.Sprintf(", %s would be %.3g", c.Measured.Resource, *c.Projected)
	}
	return text + fmt.Sprintf(", %d guests)", c.Guests)
}

func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// explanation is the JSON of lbm explain.
type explanation struct {
	At         time.Time            `json:"at"`
	VM         string               `json:"vm"`
	Owner      *string              `json:"owner"`
	Verdict    string               `json:"verdict"`
	Target     *string              `json:"target"`
	Why        string               `json:"why"`
	Rule       *string              `json:"rule"`
	Vetoes     []explainedVeto      `json:"vetoes"`
	Candidates []explainedCandidate `json:"candidates"`
	Notes      []string             `json:"notes"`
}

type explainedVeto struct {
	Rail string `json:"rail"`
	Text string `json:"text"`
}

type explainedCandidate struct {
	Node      string          `json:"node"`
	Said      string          `json:"said"`
	Weight    float64         `json:"weight"`
	Error     *string         `json:"error"`
	Steps     []explainedStep `json:"steps"`
	Vetoes    []explainedVeto `json:"vetoes"`
	Score     int             `json:"score"`
	Guests    int             `json:"guests"`
	Projected *float64        `json:"projected"`
	Rank      *int            `json:"rank"`
}

type explainedStep struct {
	Source string `json:"source"`
	Text   string `json:"text"`
	Result string `json:"result"`
}

func explained(p *balance.Pass, d balance.Decision, notes []string) explanation {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	e := explanation{At: p.At, VM: d.VM, Owner: text(d.Owner), Verdict: d.Verdict.String(), Target: text(d.Target), Why: d.Why, Rule: text(d.Rule),
		Vetoes: vetoes(d.Vetoes), Candidates: []explainedCandidate{}, Notes: append([]string{}, notes...)}
	for _, c := range d.Candidates {
		x := explainedCandidate{Node: c.Node, Said: c.Said.String(), Weight: c.Weight, Steps: []explainedStep{}, Vetoes: vetoes(c.Vetoes), Score: c.Score, Guests: c.Guests, Projected: c.Projected}
		if c.Err != nil {
			x.Error = text(c.Err.Error())
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

func vetoes(list []balance.Veto) []explainedVeto {
	out := []explainedVeto{}
	for _, v := range list {
		out = append(out, explainedVeto(v))
	}
	return out
}
