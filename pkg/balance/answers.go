package balance

import "slices"

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
	return answers(d.Vetoes, d.off, func(r Rail) bool { return r.vm != nil })
}

// AnswersOn are those of the rails that look at one candidate.
func (d *Decision) AnswersOn(c *Candidate) []Answer {
	if !d.asked || c.Said != SaidMigrate || c.Err != nil {
		return nil
	}
	return answers(c.Vetoes, d.off, func(r Rail) bool { return r.target != nil })
}

func answers(vetoes []Veto, off []string, looks func(Rail) bool) []Answer {
	var out []Answer
	for _, r := range Rails() {
		if !looks(r) {
			continue
		}
		a := Answer{Rail: r.Name, Off: slices.Contains(off, r.Name)}
		for _, v := range vetoes {
			if v.Rail == r.Name {
				a.Text = v.Text
			}
		}
		out = append(out, a)
	}
	return out
}

// switchedOff are the rails that may not stand in the way of the VM at hand.
func (r *round) switchedOff() []string {
	var out []string
	for _, rail := range r.rails {
		if !r.on(rail.Name) {
			out = append(out, rail.Name)
		}
	}
	return out
}
