package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// explainer writes what is to be read from the top: the verdict, why, then node by node.
type explainer struct{ term.Painter }

func (e explainer) write(out io.Writer, p *balance.Pass, d balance.Decision) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s at %s: %s\n", d.VM, orNothing(d.Owner), p.At.Format("2006-01-02 15:04:05 MST"), e.Paint(styleOfVerdict(d.Verdict), verdict(d)))
	fmt.Fprintf(&b, "why:     %s\n", d.Why)
	if d.Rule != "" {
		fmt.Fprintf(&b, "rule:    %s\n", d.Rule)
	}
	for _, r := range d.Reads {
		fmt.Fprintf(&b, "read:    %s\n", readText(r))
	}
	e.rails(&b, "", d.Answers())
	for i := range d.Candidates {
		e.candidate(&b, &d, &d.Candidates[i])
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (e explainer) candidate(b *strings.Builder, d *balance.Decision, c *balance.Candidate) {
	said := "the rule said " + c.Said.String()
	if c.Said == balance.SaidMigrate && c.Weight != 0 {
		said += fmt.Sprintf(" (%g)", c.Weight)
	}
	fmt.Fprintf(b, "\n%s: %s\n", e.Paint(term.Strong, c.Node), said)
	if c.Err != nil {
		fmt.Fprintf(b, "  %s  %v\n", e.Paint(term.Bad, "error"), c.Err)
	}
	for _, r := range c.Reads {
		fmt.Fprintf(b, "  read:  %s\n", readText(r))
	}
	for _, s := range told(c.Trace) {
		fmt.Fprintf(b, "  %s  %s   (%s)\n", e.Paint(styleOfResult(s.Result), fmt.Sprintf("%-5s", s.Result)), s.Source, balance.Shorten(s.Text))
	}
	e.rails(b, "  ", d.AnswersOn(c))
	if c.Rank > 0 {
		fmt.Fprintf(b, "  rank:  %s%s\n", e.Paint(styleOfRank(c.Rank), strconv.Itoa(c.Rank)), rankText(*c))
	}
	fmt.Fprintf(b, "  so:    %s\n", outcome(d, c))
}

// told are the steps of a rule that compare, match or decide. A rule that does nothing of the kind is told by what it called.
func told(t *perl.Trace) []perl.Step {
	if t == nil {
		return nil
	}
	steps := slices.DeleteFunc(slices.Clone(t.Steps), func(s perl.Step) bool { return s.Kind == perl.Called })
	if len(steps) == 0 {
		return t.Steps
	}
	return steps
}

// rails writes the answers of the rails in their order. Neighbours that let pass share a line.
func (e explainer) rails(b *strings.Builder, indent string, list []balance.Answer) {
	line := func(word string, style term.Style, text string) {
		fmt.Fprintf(b, "%s%s  %s\n", indent, e.Paint(style, fmt.Sprintf("%-*s", 7-len(indent), word)), text)
	}
	word := func(a balance.Answer) string {
		switch {
		case a.Off:
			return "off"
		case a.Text == "":
			return "pass"
		}
		return "no"
	}
	for len(list) > 0 {
		a := list[0]
		n := 1
		switch w := word(a); w {
		case "no":
			line("no", term.Warn, a.Rail+": "+a.Text)
		default:
			names := []string{a.Rail}
			for n < len(list) && word(list[n]) == w {
				names = append(names, list[n].Rail)
				n++
			}
			style := term.Plain
			if w == "off" {
				style = term.Dim
			}
			line(w, style, strings.Join(names, ", "))
		}
		list = list[n:]
	}
}

// outcome is what follows for one candidate.
func outcome(d *balance.Decision, c *balance.Candidate) string {
	switch {
	case d.Target != "" && d.Target == c.Node && d.Verdict == balance.Migrate:
		return "it moves here"
	case d.Target != "" && d.Target == c.Node:
		return "report.log names this node"
	case c.Err != nil:
		return "not here: its rule came to no end"
	case c.Said == balance.SaidNothing:
		return "not here: its rule does not ask for it"
	case c.Said == balance.SaidReport:
		return "not here: its rule reports only"
	case len(c.Vetoes) > 0:
		return "not here: " + c.Vetoes[0].Rail + more(len(c.Vetoes)-1)
	case len(d.Vetoes) > 0:
		return "not now: " + d.Vetoes[0].Rail + more(len(d.Vetoes)-1)
	case d.Target != "":
		return "not here: " + d.Target + " is better"
	}
	return "not here"
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

func readText(r *balance.Read) string {
	if r.Err != "" {
		return fmt.Sprintf("%s of %s, %s: %s", r.Resource, r.Node, plural(r.Minutes, "minute"), r.Err)
	}
	return fmt.Sprintf("%s of %s, %s in %s: newest %.4g, least %.4g, most %.4g, mean %.4g", r.Resource, r.Node, plural(r.Count, "value"), plural(r.Minutes, "minute"), r.Newest, r.Min, r.Max, r.Average)
}

func rankText(c balance.Candidate) string {
	text := fmt.Sprintf(" (placement %d", c.Score)
	if c.Projected != nil && c.Measured != nil {
		text += fmt.Sprintf(", %s would be %.3g", c.Measured.Resource, *c.Projected)
	}
	return text + fmt.Sprintf(", %d guests)", c.Guests)
}

func verdict(d balance.Decision) string {
	if d.Target != "" {
		return d.Verdict.String() + " to " + d.Target
	}
	return d.Verdict.String()
}

func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
