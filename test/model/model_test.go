package model

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

var whole = flag.Bool("model.whole", false, "also the runs that take minutes and gigabytes")

// run is a search with its name.
type run struct {
	name  string
	long  bool // only with -model.whole
	bound bool // it is given up at Options.Max
	o     Options
}

func runs() []run {
	return []run{
		{name: "openvz, 2 faults, boots by hand", o: Options{OpenVZ: true, Faults: 2, On: []Switch{Hand}}},
		{name: "openvz that shows frozen guests, 2 faults, boots by hand", o: Options{OpenVZ: true, Sees: true, Faults: 2, On: []Switch{Hand}}},
		{name: "xen, no fault", o: Options{}},
		{name: "xen, 1 fault, boots by hand", o: Options{Faults: 1, On: []Switch{Hand}}},
		{name: "openvz, 2 faults, keepers killed", o: Options{OpenVZ: true, Faults: 2, On: []Switch{Keeper}}},
		{name: "openvz, 2 faults, the share goes away", o: Options{OpenVZ: true, Faults: 2, On: []Switch{Share}}},
		{name: "openvz, 3 faults, agents and keepers killed, the share goes away", o: Options{OpenVZ: true, Faults: 3, On: []Switch{Keeper, Share},
			Off: []Switch{Death, Leave, Crash, Sick, NewGroup, NoSpace, Relocate, Restart}}},
		{name: "openvz, 2 faults, old fencings", o: Options{OpenVZ: true, Faults: 2, On: []Switch{OldFencing}}},
		{name: "openvz, 1 fault, restarts in place", o: Options{OpenVZ: true, Faults: 1, On: []Switch{InPlace}}},
		{name: "xen, no fault, two relocators", o: Options{On: []Switch{TwoMovers}}},
		{name: "xen, 2 faults, keepers killed, xend goes on", o: Options{Faults: 2, On: []Switch{Keeper}, Off: []Switch{Death, Leave, Sick, NewGroup, NoSpace, Relocate}}},
		{name: "xen, 2 faults, -M, agents killed, nodes die", o: Options{Faults: 2, Off: []Switch{Relocate, Disable, Restart, Sick, Crash, NewGroup, NoSpace, Leave}}},

		{name: "openvz, 2 faults, agents of lost nodes go on", long: true, o: Options{OpenVZ: true, Faults: 2, On: []Switch{Zombie}}},
		{name: "openvz, 2 faults, -d of a failed service runs no stop", long: true, o: Options{OpenVZ: true, Faults: 2, On: []Switch{Hand}, Off: []Switch{SomeStop}}},
		{name: "openvz, 2 faults, -d of a failed service always runs a stop", long: true, o: Options{OpenVZ: true, Faults: 2, On: []Switch{Hand}, Off: []Switch{NoStop}}},
		{name: "openvz, 2 faults, restarts in place", long: true, o: Options{OpenVZ: true, Faults: 2, On: []Switch{InPlace}}},
		{name: "openvz, 3 faults, boots by hand", long: true, o: Options{OpenVZ: true, Faults: 3, On: []Switch{Hand}}},
		{name: "openvz, 3 faults, keepers killed, the share goes away", long: true, o: Options{OpenVZ: true, Faults: 3, On: []Switch{Keeper, Share}}},
		{name: "openvz, 3 faults, old fencings", long: true, o: Options{OpenVZ: true, Faults: 3, On: []Switch{OldFencing}}},
		{name: "xen, 1 fault, keepers killed", long: true, o: Options{Faults: 1, On: []Switch{Keeper}}},
		{name: "xen, 1 fault, the share goes away", long: true, o: Options{Faults: 1, On: []Switch{Share}}},
		{name: "xen, 1 fault, agents of lost nodes go on", long: true, o: Options{Faults: 1, On: []Switch{Zombie}}},
		{name: "xen, 1 fault, restarts in place", long: true, o: Options{Faults: 1, On: []Switch{InPlace}}},
		{name: "xen, 1 fault, two relocators", long: true, o: Options{Faults: 1, On: []Switch{TwoMovers}}},
		{name: "xen, 1 fault, -d of a failed service runs no stop", long: true, o: Options{Faults: 1, On: []Switch{Hand}, Off: []Switch{SomeStop}}},
		{name: "xen, 3 faults, -M, nodes that die or leave, old fencings", long: true, bound: true, o: Options{Faults: 3, On: []Switch{OldFencing}, Max: 20_000_000,
			Off: []Switch{Kill, Sick, Crash, NewGroup, NoSpace, Relocate, Restart, Disable}}},
		{name: "xen, 2 faults, boots by hand", long: true, o: Options{Faults: 2, On: []Switch{Hand}}},

		// Memory is kept where the protocol says so.
		{name: "memory: relocators die", long: true, o: Options{Faults: 1, On: []Switch{KeepMemory}, Only: "relocator dies"}},
		{name: "memory: starts land elsewhere", long: true, o: Options{Faults: 1, On: []Switch{KeepMemory}, Only: "lands elsewhere"}},
		{name: "memory: migrations fail", o: Options{Faults: 1, On: []Switch{KeepMemory}, Only: "goes on at its source"}},
		{name: "memory: the kill is refused", o: Options{OpenVZ: true, Faults: 1, On: []Switch{KeepMemory}, Only: "chkpnt --kill"}},
		{name: "memory: umount is busy", o: Options{OpenVZ: true, Faults: 1, On: []Switch{KeepMemory}, Only: "umount busy, exit"}},
	}
}

// Within the bounds of each run nothing breaks, and every state has a way back to a VM that runs.
func TestProtocol(t *testing.T) {
	fired := map[string]int{}
	for _, r := range runs() {
		t.Run(r.name, func(t *testing.T) {
			if r.long && !*whole {
				t.Skip("takes minutes: make model")
			}
			got := r.o.Search()
			t.Log(got.Text())
			reached(fired, got.Fired)
			if len(got.Violations) > 0 || got.DeadEnds > 0 || !got.Whole && !r.bound {
				t.Errorf("%s: %s%s", r.name, got.Text(), got.story())
			}
		})
	}
	t.Run("every row is come to", func(t *testing.T) { testRowsAreReached(t, fired) })
}

// story are the ways to what was found.
func (r Result) story() string {
	var b strings.Builder
	for _, f := range append(slices.Clone(r.Violations), r.DeadEnd...) {
		fmt.Fprintf(&b, "\n%s\n%s", f.What, strings.Join(f.Trace, "\n"))
	}
	return b.String()
}

// Each mend is needed: without it the model finds what it is against. So the model sees what it is there to see.
func TestMendsAreNeeded(t *testing.T) {
	for _, c := range []struct {
		mend int
		o    Options
		want string
	}{
		{1, Options{OpenVZ: true, Faults: 2}, "I1 the guest runs twice"},
		{2, Options{OpenVZ: true, Sees: true, Faults: 2}, "I2 a stale image is resumed"},
		{3, Options{OpenVZ: true, Faults: 1}, deadEnd},
		{6, Options{Faults: 1}, "I3 a start while the guest is where it was sent"},
		{8, Options{OpenVZ: true, Faults: 1}, "I7 an image is left after a start"},
		{11, Options{Faults: 1, On: []Switch{Hand}, Off: []Switch{Migration, Relocate, Kill, Death}}, "I2 a stale image is resumed"},
		{12, Options{OpenVZ: true, Faults: 2, On: []Switch{Hand}}, "I1 the guest runs twice"},
		{13, Options{OpenVZ: true, Faults: 3, On: []Switch{OldFencing}, Off: []Switch{Crash, Sick, NewGroup, NoSpace, Restart, Disable}}, "I3 a start while the record names a living node"},
		{14, Options{OpenVZ: true, Faults: 2, On: []Switch{Keeper}}, "I1 the guest runs twice"},
		{15, Options{OpenVZ: true, Faults: 2, On: []Switch{Share}}, "I2 half an image is resumed"},
		{17, Options{OpenVZ: true, Faults: 2, On: []Switch{Keeper}}, "I1 the guest runs twice"},
		{16, Options{Faults: 3, On: []Switch{OldFencing}, Off: []Switch{Kill, Sick, Crash, NewGroup, NoSpace, Relocate, Restart, Disable}}, "I3 a start while the guest is where it was sent"},
		{18, Options{Faults: 3, On: []Switch{OldFencing}, Off: []Switch{Kill, Sick, Crash, NewGroup, NoSpace, Relocate, Restart, Disable}}, "I3 a start while the guest is where it was sent"},
	} {
		at := slices.IndexFunc(Mends(), func(m Mend) bool { return m.Number == c.mend })
		t.Run(fmt.Sprintf("%d %s", c.mend, Mends()[at].Text), func(t *testing.T) {
			c.o.Without, c.o.Until = []int{c.mend}, c.want
			got := c.o.Search()
			t.Log(got.Text())
			if c.want == deadEnd && got.DeadEnds == 0 || c.want != deadEnd && !got.found(c.want) {
				t.Errorf("without mend %d nothing breaks: %s", c.mend, got.Text())
			}
		})
	}
}

const deadEnd = "dead end"

func (r Result) found(what string) bool {
	return slices.ContainsFunc(r.Violations, func(f Finding) bool { return f.What == what })
}

// A mend that no ablation takes away would be a sentence that nobody has tried.
func TestEveryMendHasARule(t *testing.T) {
	for _, m := range Mends() {
		if m.Rule < 1 || m.Rule > len(protocol.Rules()) || m.Number > mends {
			t.Errorf("mend %d keeps rule %d", m.Number, m.Rule)
		}
	}
}
