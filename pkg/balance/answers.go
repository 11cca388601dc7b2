package balance

import (
	"fmt"
	"slices"
	"strings"
)

// Answer is what a rail said when it was asked.
type Answer struct {
	Rail string
	Off  bool   // it is switched off for the VM
	Text string // what stands in the way; "" lets pass
}

// Answers are those of the rails that look at the VM wherever it would go, in their order. There are none where no rail was
// asked, because the rule wanted no move.
func (d *Decision) Answers() []Answer {
	if !d.asked {
		return nil
	}
	return d.answers(d.Vetoes, func(r Rail) bool { return r.vm != nil })
}

// AnswersOn are those of the rails that look at one candidate.
func (d *Decision) AnswersOn(c *Candidate) []Answer {
	if !d.asked || c.Said != SaidMigrate || c.Err != nil {
		return nil
	}
	return d.answers(c.Vetoes, func(r Rail) bool { return r.target != nil })
}

func (d *Decision) answers(vetoes []Veto, looks func(Rail) bool) []Answer {
	var out []Answer
	for _, r := range Rails() {
		if !looks(r) || d.wish && !r.wish {
			continue
		}
		a := Answer{Rail: r.Name, Off: slices.Contains(d.off, r.Name)}
		for _, v := range vetoes {
			if v.Rail == r.Name {
				a.Text = v.Text
			}
		}
		out = append(out, a)
	}
	return out
}

// textOthers is how many of the other nodes RailsText names.
const textOthers = 3

// RailsText is what the rails said of a decision, in one line for the journals: those that let pass, those that are switched
// off, what the load of the target is projected to be, and which nodes that the rule wanted too were refused by which rail.
// It is "" where none was asked.
func (d *Decision) RailsText() string {
	if d.Verdict == ReportOnly {
		return "none was asked: a report moves nothing"
	}
	all := d.Answers()
	var parts, others []string
	for i := range d.Candidates {
		c := &d.Candidates[i]
		switch {
		case c.Node == d.Target:
			all = append(all, d.AnswersOn(c)...)
			if c.Projected != nil && c.Measured != nil {
				parts = append(parts, fmt.Sprintf("%s of %s would be %.3g", c.Measured.Resource, c.Node, *c.Projected))
			}
		case d.asked && len(c.Vetoes) > 0:
			others = append(others, fmt.Sprintf("%s no %s: %s", c.Node, c.Vetoes[0].Rail, c.Vetoes[0].Text))
		}
	}
	if n := len(others) - textOthers; n > 0 {
		others = append(others[:textOthers], fmt.Sprintf("%d more nodes were refused", n))
	}
	var pass, off []string
	for _, rail := range Rails() {
		asked, stands, is := false, "", false
		for _, a := range all {
			if a.Rail == rail.Name {
				asked, is = true, is || a.Off
				if a.Text != "" {
					stands = a.Text
				}
			}
		}
		switch {
		case !asked:
		case is:
			off = append(off, rail.Name)
		case stands != "":
			others = append(others, "no "+rail.Name+": "+stands)
		default:
			pass = append(pass, rail.Name)
		}
	}
	if len(off) > 0 {
		parts = append([]string{"off " + strings.Join(off, " ")}, parts...)
	}
	if len(pass) > 0 {
		parts = append([]string{"pass " + strings.Join(pass, " ")}, parts...)
	}
	return strings.Join(append(parts, others...), "; ")
}

// switchedOff are the rails that may not stand in the way of the VM at hand.
func (r *round) switchedOff(vm *VM) []string {
	var out []string
	for _, rail := range r.rails {
		if r.isOff(rail, vm) {
			out = append(out, rail.Name)
		}
	}
	return out
}
