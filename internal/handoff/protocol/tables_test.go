package protocol

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// viewsOf are the views that a table is asked with.
func viewsOf(table string) []View {
	var out []View
	for _, v := range Views() {
		switch table {
		case "stop, before the lock":
		case "stop of a running VM":
			if v.Guest != Running {
				continue
			}
			for _, v.Shutdown = range either(true) {
				for v.Ticket = Unread; v.Ticket <= ColdTicket; v.Ticket++ {
					out = append(out, v)
				}
			}
			continue
		case "status":
			for _, v.Known = range either(true) {
				for _, v.Idle = range either(true) {
					out = append(out, View{Guest: v.Guest, Known: v.Known, Still: v.Still, Handed: v.Handed, Idle: v.Idle})
				}
			}
			continue
		default:
			if v.Phase == handoff.PhaseUnknown { // such a record ends an action before its table
				continue
			}
		}
		out = append(out, v)
	}
	return out
}

// Each view finds a row, and each row is found by a view: there is no case that nobody thought of, and no row that
// another hides.
func TestTablesAreWhole(t *testing.T) {
	for _, table := range Tables() {
		hit := map[string]int{}
		for _, v := range viewsOf(table.Name) {
			hit[Find(table.Rows, v).Name]++
		}
		if n := hit["no row"]; n > 0 {
			for _, v := range viewsOf(table.Name) {
				if Find(table.Rows, v).Name == "no row" {
					t.Errorf("%s: %d views have no row, such as %+v", table.Name, n, v)
					break
				}
			}
		}
		seen := map[string]bool{}
		for _, r := range table.Rows {
			if hit[r.Name] == 0 {
				t.Errorf("%s: no view finds row %q", table.Name, r.Name)
			}
			if r.Name == "" || seen[r.Name] || r.Words == "" || strings.HasSuffix(r.Words, ".") || r.Do == RefuseStrange {
				t.Errorf("%s: row %q is there twice, or has no words or no deed", table.Name, r.Name)
			}
			seen[r.Name] = true
			for _, n := range r.Rules {
				if n < 1 || n > len(Rules()) {
					t.Errorf("%s: row %q keeps rule %d", table.Name, r.Name, n)
				}
			}
		}
	}
}

// Every deed is of some table.
func TestEveryDeedIsUsed(t *testing.T) {
	used := map[Deed]bool{RefuseStrange: true}
	for _, table := range Tables() {
		for _, r := range table.Rows {
			used[r.Do] = true
		}
	}
	for d := Deed(0); int(d) < Deeds; d++ {
		if !used[d] {
			t.Errorf("deed %d is in no table", d)
		}
	}
}

// What the rules say of all rows together: R9, R22, R26, R29, R6.
func TestTablesKeepTheRules(t *testing.T) {
	for _, v := range viewsOf("stop") {
		switch d := Find(Start(), v).Do; d {
		case Boot, BootLost, Resume, AwaitOrBoot:
			if v.Other() {
				t.Errorf("R9: a start goes on while another node may have the VM: %+v", v)
			}
			if v.Guest != Absent {
				t.Errorf("a start boots beside %s: %+v", v.Guest, v)
			}
		}
		d := Find(Stop(), v).Do
		if v.Is(handoff.Sending) && (d == RecordDown || d == RecordLost || d == FailImages) {
			t.Errorf("R22: a stop writes down while the end of a migration is not known: %+v", v)
		}
		start := Find(Start(), v).Do
		if v.Here() && v.Other() && !v.Announced() && !v.Still && (d != RefuseDouble || start != RefuseDouble && start != RefuseAlien) {
			t.Errorf("R26: two guests, and it is not refused: %+v", v)
		}
		if v.Here() && v.Other() && !start.Refuses() && start != AwaitOrRefuse && !v.Announced() {
			t.Errorf("R26: a start goes on beside another's guest: %+v", v)
		}
		if v.Handed && (d == AwaitOrDestroy || start == AwaitOrDestroy) &&
			(v.Is(handoff.NoRecord) || v.Mine && v.Is(handoff.Starting, handoff.Running, handoff.Resuming)) {
			t.Errorf("R22: half a copy is destroyed whose other half may run, nobody knows where: %+v", v)
		}
		if d == ChooseWay && v.Guest != Running {
			t.Errorf("R29: a stop reads tickets and nothing runs: %+v", v)
		}
		if l := Find(Look(), v).Do; l == GoOn && !v.Here() && !v.Named() {
			t.Errorf("R6: a bystander takes the lock: %+v", v)
		}
	}
}
