package protocol

import (
	"slices"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// What the table of deaths says is what the table of starts does, for every phase that a record may have.
func TestDeathsAreWhatStartDoes(t *testing.T) {
	told := map[handoff.Phase]bool{}
	for _, d := range Deaths() {
		told[d.Phase] = true
		if r := Find(Start(), DeathView(d.Phase, d.Who)); r.Do != d.Start {
			t.Errorf("%s: start does %q (%d), and the table says deed %d", d.Phase, r.Name, r.Do, d.Start)
		}
	}
	for p := handoff.NoRecord; p <= handoff.Sent; p++ {
		if !told[p] {
			t.Errorf("nobody says what a death does in phase %s", p)
		}
		if !slices.ContainsFunc(Crashes(), func(c Crash) bool { return slices.Contains(c.Phases, p) }) && p != handoff.NoRecord {
			t.Errorf("the crash table has no line for phase %s", p)
		}
	}
	for _, c := range Crashes() {
		if c.When == "" || c.Killed == "" && c.Dies == "" || len(c.Rules) == 0 {
			t.Errorf("crash %q says nothing", c.When)
		}
	}
}
