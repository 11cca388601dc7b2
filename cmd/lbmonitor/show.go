package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

// result is what -o json prints. The pass is as in passes.log.
type result struct {
	Outcome  *string         `json:"outcome"` // null in a dry run
	Cause    *string         `json:"cause"`
	Why      *string         `json:"why"`
	Pass     json.RawMessage `json:"pass"` // null where nothing was decided
	Moves    []moved         `json:"moves"`
	Warnings []string        `json:"warnings"`
}

type moved struct {
	VM      string   `json:"vm"`
	Txn     *string  `json:"txn"`
	Source  string   `json:"source"`
	Target  string   `json:"target"`
	Outcome *string  `json:"outcome"`
	Owner   *string  `json:"owner"`
	Memory  *string  `json:"memory"`
	Seconds *float64 `json:"seconds"`
	Error   *string  `json:"error"`
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// show prints what a pass came to, as a table by that function or as JSON.
func (w world) show(res monitor.Result, asJSON bool, table func(monitor.Result) error) error {
	if !asJSON {
		return table(res)
	}
	out := result{Outcome: known(res.Record.Outcome), Cause: known(res.Record.Cause), Why: known(res.Record.Why),
		Pass: json.RawMessage("null"), Moves: []moved{}, Warnings: append([]string{}, res.Warnings...)}
	if res.Pass != nil {
		line, err := balance.EncodePass(res.Pass)
		if err != nil {
			return fmt.Errorf("printing the pass: %w", err)
		}
		out.Pass = line
	}
	for _, m := range res.Moves {
		x := moved{VM: m.VM, Txn: known(m.Txn), Source: m.From, Target: m.To, Outcome: known(string(m.Outcome)), Owner: known(m.Owner), Memory: known(string(m.Memory))}
		if !m.End.IsZero() {
			s := m.End.Sub(m.Begin).Seconds()
			x.Seconds = &s
		}
		if m.Err != nil {
			x.Error = known(m.Err.Error())
		}
		out.Moves = append(out.Moves, x)
	}
	return term.JSON(w.stdout, out)
}

// showPlan prints what would be done with each VM, and below it what stands in the way of those whose rule wants a move.
func (w world) showPlan(res monitor.Result) error {
	var rows, vetoes [][]string
	shown := map[string]bool{}
	for _, d := range res.Pass.Decisions {
		if d.Err != nil {
			shown[d.VM+": "+d.Err.Error()] = true
		}
		rows = append(rows, []string{d.VM, d.Owner, d.Verdict.String(), d.Target, d.Why})
		for _, v := range d.Vetoes {
			vetoes = append(vetoes, []string{d.VM, "all", v.Rail, v.Text})
		}
		for _, c := range d.Candidates {
			for _, v := range c.Vetoes {
				vetoes = append(vetoes, []string{d.VM, c.Node, v.Rail, v.Text})
			}
		}
	}
	if err := term.Table(w.stdout, []string{"VM", "NODE", "VERDICT", "TARGET", "WHY"}, rows); err != nil {
		return err
	}
	if len(vetoes) > 0 {
		if _, err := fmt.Fprintln(w.stdout); err != nil {
			return err
		}
		if err := term.Table(w.stdout, []string{"VM", "TO", "RAIL", "WHAT STANDS IN THE WAY"}, vetoes); err != nil {
			return err
		}
	}
	res.Warnings = slices.DeleteFunc(slices.Clone(res.Warnings), func(text string) bool { return shown[text] })
	return w.warn(res)
}

// showPass prints the moves that were made, or that there were none.
func (w world) showPass(res monitor.Result) error {
	if res.Record.Outcome == lbvmagent.Locked {
		_, err := fmt.Fprintln(w.stdout, res.Record.Why)
		return err
	}
	if res.Pass == nil { // the error says why
		return nil
	}
	for _, m := range res.Moves {
		text := ""
		switch {
		case m.Err != nil:
			text = m.Err.Error()
		default:
			text = fmt.Sprintf("it runs on %s after %s, memory %s", m.Owner, m.End.Sub(m.Begin).Round(100*time.Millisecond), m.Memory)
		}
		if _, err := fmt.Fprintf(w.stdout, "%s from %s to %s: %s\n", m.VM, m.From, m.To, text); err != nil {
			return err
		}
	}
	if len(res.Moves) == 0 {
		if _, err := fmt.Fprintf(w.stdout, "looked at %s: nothing moves (lbmonitor --dry-run says why)\n", machines(len(res.Pass.Decisions))); err != nil {
			return err
		}
	}
	return w.warn(res)
}

func (w world) warn(res monitor.Result) error {
	for _, text := range res.Warnings {
		if _, err := fmt.Fprintln(w.stderr, "warning:", strings.TrimSpace(text)); err != nil {
			return err
		}
	}
	return nil
}

func machines(n int) string {
	if n == 1 {
		return "1 VM"
	}
	return fmt.Sprintf("%d VMs", n)
}
