package main

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/term"
)

// tellOutlook prints what lbm handoff has found.
func (w world) tellOutlook(o outlook, asJSON bool) error {
	if asJSON {
		return term.JSON(w.stdout, o)
	}
	say := func(indent int, format string, a ...any) {
		fmt.Fprintf(w.stdout, "%s%s\n", strings.Repeat("  ", indent), w.inItsWords(fmt.Sprintf(format, a...)))
	}
	say(0, "%s: %s", o.VM, o.Record.text())
	say(1, "%s", o.Means)
	if o.Record.Left {
		say(1, "its node left the cluster in order with the VM on it: no fencing speaks for it")
	}
	for _, d := range o.Doubts {
		say(1, "not known: %s", d)
	}
	for i, n := range o.Nodes {
		same := []string{n.Node + n.text()}
		for j, m := range o.Nodes {
			if alike(n, m) && j < i {
				same = nil // told with that one
				break
			}
			if alike(n, m) && j > i {
				same = append(same, m.Node+m.text())
			}
		}
		if same == nil {
			continue
		}
		say(0, "%s", strings.Join(same, ", "))
		say(1, "stop   if it runs there: %s", n.Runs.Stop)
		say(1, "       if it does not:   %s", n.Absent.Stop)
		say(1, "start  if it runs there: %s", n.Runs.Start)
		say(1, "       if it does not:   %s", n.Absent.Start)
		if n.Dies == nil {
			say(1, "dies   it is proved gone already")
		} else {
			say(1, "dies   %s", n.Dies.Words)
		}
	}
	if o.cutOff && len(o.Crashes) > 0 {
		say(0, "the record is of a passage. If nothing works on it any more, the passage was cut off:")
		for _, c := range o.Crashes {
			if c.Killed != nil {
				say(1, "%s: %s", c.When, *c.Killed)
			}
		}
	}
	if len(o.Cures) > 0 {
		say(0, "where a start is refused:")
	}
	for _, c := range o.Cures {
		say(1, "%s", c)
	}
	return nil
}

// alike: the two may be told in one.
func alike(a, b nodeOutlook) bool {
	return a.Part == b.Part && a.view == b.view && (a.Dies == nil) == (b.Dies == nil)
}

// String is a row in a line.
func (r rowWords) String() string {
	text := fmt.Sprintf("[%s] %s", r.Row, r.Words)
	for i, n := range r.Rules {
		sep := " "
		if i == 0 {
			sep = " ("
		}
		text += fmt.Sprintf("%sR%d", sep, n)
	}
	if len(r.Rules) > 0 {
		text += ")"
	}
	return text
}

func (r recordOutlook) text() string {
	words := []string{r.Phase}
	if r.Node != nil {
		words = append(words, *r.Node)
	}
	if r.To != nil {
		words = append(words, "to "+*r.To)
	}
	if r.Image != nil {
		image := "image " + *r.Image
		if r.Whole != nil && *r.Whole {
			image += " (published)"
		} else if r.Whole != nil {
			image += " (not there)"
		}
		words = append(words, image)
	}
	text := strings.Join(words, " ")
	if r.Number > 0 {
		text += fmt.Sprintf(", record number %d", r.Number)
	}
	if r.Why != nil {
		text += ": " + *r.Why
	}
	if r.Agent != nil {
		text += ", by " + *r.Agent
	}
	return text
}

func (n nodeOutlook) text() string {
	var words []string
	switch {
	case n.Member == nil:
		words = append(words, "nobody knows whether it is a member")
	case *n.Member:
		words = append(words, "member")
	default:
		words = append(words, "no member")
	}
	switch {
	case n.Part == "none":
	case n.Gone != nil && *n.Gone:
		words = append(words, "proved gone")
	case n.Member == nil || !*n.Member:
		words = append(words, "not proved gone")
	}
	switch n.Part {
	case "has":
		words = append(words, "the record's node")
	case "target":
		words = append(words, "the record's target")
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// known is a word, or nil where it is not known.
func known(word string) *string {
	if word == "" {
		return nil
	}
	return &word
}
