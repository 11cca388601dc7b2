package balance

import (
	"fmt"
	"time"
)

// cycleSpan is how long a VM does not go back.
const cycleSpan = 2 * time.Hour

// cycle looks for the last departure from the candidate, by our move or by another hand.
func cycle(r *round, vm *VM, c *Candidate) string {
	var left time.Time
	if g := r.group(vm); g != nil {
		for _, m := range g.moves {
			if m.From == c.Node && m.Outcome == OutcomeMoved && m.End.After(left) {
				left = m.End
			}
		}
	}
	if vm.LastOwner == c.Node && vm.LastOwner != vm.Owner && vm.Since.After(left) {
		left = vm.Since
	}
	if age := r.in.At.Sub(left); !left.IsZero() && age <= cycleSpan {
		if r.wordless() {
			return holds
		}
		return fmt.Sprintf("it left %s %s ago, and does not go back for %s", c.Node, age.Round(time.Second), cycleSpan)
	}
	return ""
}

// backOffTime is how long a target is not tried again after a failure.
const backOffTime = time.Hour

func backOff(r *round, vm *VM, c *Candidate) string {
	g := r.group(vm)
	if g == nil {
		return ""
	}
	failed, last, why := 0, time.Time{}, OutcomeUnknown
	for _, m := range g.moves {
		if m.To != c.Node || m.End.IsZero() || m.Outcome == OutcomeMoved || r.in.At.Sub(m.End) >= repeatSpan {
			continue
		}
		failed++
		if m.End.After(last) {
			last, why = m.End, m.Outcome
		}
	}
	if failed == 0 {
		return ""
	}
	rest := backOffTime << min(failed-1, 3)
	if age := r.in.At.Sub(last); age < rest {
		return fmt.Sprintf("its move to %s ended as %s %s ago, and is not tried again for %s (%d in 24 hours)", c.Node, why, age.Round(time.Second), rest, failed)
	}
	return ""
}
