package model

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// rowRuns are the searches that try a table with a row less.
func rowRuns() []Options {
	small := []Switch{Relocate, Restart, Sick, Crash, NewGroup, NoSpace}
	return []Options{
		{OpenVZ: true, Faults: 1},
		{OpenVZ: true, Sees: true, Faults: 1},
		{Faults: 1, Off: small},
		{Faults: 1, On: []Switch{KeepMemory}, Only: "goes on at its source"},
		{OpenVZ: true, Faults: 1, On: []Switch{KeepMemory}, Only: "chkpnt --kill"},
		{OpenVZ: true, Faults: 1, On: []Switch{KeepMemory}, Only: "umount busy, exit"},
		{OpenVZ: true, Faults: 2},
		{Faults: 2, Off: append(small, Disable, Leave)},
	}
}

// without is a table with one row less: the view falls through to a later row, or is refused.
func without(rows []protocol.Row, name string) []protocol.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r protocol.Row) bool { return r.Name == name })
}

// TestRowsTakenAway says for each row of stop and start what breaks without it. A row whose loss nobody notices is
// told: it keeps memory, or time, or is of a case that the model does not have.
func TestRowsTakenAway(t *testing.T) {
	if !*whole {
		t.Skip("takes minutes: make model")
	}
	noticed, rows := 0, 0
	for _, table := range []struct {
		name string
		of   func(*Tables) *[]protocol.Row
	}{
		{"stop", func(x *Tables) *[]protocol.Row { return &x.Stop }}, {"start", func(x *Tables) *[]protocol.Row { return &x.Start }},
		{"before the lock", func(x *Tables) *[]protocol.Row { return &x.Look }}, {"status of a VM that is not known", func(x *Tables) *[]protocol.Row { return &x.Inquiry }},
	} {
		all := Shared()
		for _, r := range *table.of(&all) {
			what := ""
			for _, o := range rowRuns() {
				o.Tables = Shared()
				rows := table.of(&o.Tables)
				*rows = without(*rows, r.Name)
				got := o.Search()
				if len(got.Violations) > 0 || got.DeadEnds > 0 {
					what = got.Text()
					break
				}
			}
			rows++
			if what != "" {
				noticed++
			} else {
				what = "nothing breaks"
			}
			fmt.Printf("%-16s %-40s %s\n", table.name, r.Name, what)
		}
	}
	t.Logf("%d of %d rows are missed when they are gone", noticed, rows)
	if noticed < 25 {
		t.Errorf("only %d rows are missed", noticed)
	}
}
