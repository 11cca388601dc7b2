package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// pcmk runs an action as Pacemaker does and gives the exit code. env is NAME=VALUE of its own variables, without their
// common beginning.
func (n *node) pcmk(action string, env ...string) int {
	n.calls, n.logs = nil, nil
	xml := metadata.OpenVZ()
	if n.w.typ == "xen" {
		xml = metadata.Xen()
	}
	w := ocf.World{Args: []string{"/usr/lib/ocf/resource.d/lbvm/" + n.w.typ, action}, Now: n.w.clock.Now, WithTimeout: n.w.clock.WithTimeout, Log: n,
		Env: []string{host.RootVariable + "=" + n.root, "OCF_RESKEY_name=101", "OCF_RESKEY_CRM_meta_timeout=300000", inquiry}}
	for _, e := range env {
		w.Env = append(w.Env, "OCF_RESKEY_CRM_meta_"+e)
	}
	code := int(ocf.Run(w, xml, n.agent()))
	if action == "stop" && code == 0 && (n.g.state != hypervisor.Unknown || n.g.mounted) {
		n.w.violate("stop on %s answers 0 and the guest is %s, mounted %v", n.name, n.g.state, n.g.mounted)
	}
	return code
}

// wants fails the test where a step's code, the tools it used or the record afterwards is another.
func (n *node) wants(t *testing.T, step string, code, want int, calls, state string) {
	t.Helper()
	if got := fmt.Sprint(n.calls); code != want || got != calls || stateText(n.w.state()) != state {
		t.Errorf("%s on %s: exit %d by %s, state %q; want %d by %s, %q\n%s", step, n.name, code, got, stateText(n.w.state()), want, calls, state, strings.Join(n.logs, "\n"))
	}
}

func named(p handoff.Phase, node, to string) func(w *world) {
	return func(w *world) { w.put(p, node, to) }
}

// marks makes the VM one that this node has started.
func (n *node) marks() {
	dir := filepath.Join(n.root, host.RunDir)
	n.w.must(errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, n.w.typ+"-101.here"), nil, 0o644)))
}

func garbled(w *world) {
	w.must(os.WriteFile(filepath.Join(w.shared, "lbvm/handoff", w.typ+"-101", "state"), []byte("node=node2 phase"), 0o600))
}

// byHand is a guest that somebody has started on node1, of which no record says a thing.
func byHand(w *world) { isIn(hypervisor.Running)(w.nodes["node1"]) }

// leftHere is what a guest leaves on node1 that is down and was not cleaned up behind.
func leftHere(w *world) { isIn(hypervisor.Remains)(w.nodes["node1"]) }

// laterHere has node1's guest change when somebody waits for it.
func laterHere(change func(n *node)) func(w *world) {
	return func(w *world) { w.clock.onSleep = func() { change(w.nodes["node1"]) } }
}

// A probe runs on every node before anything else does. Where the VM never was it says so at once, and touches nothing
// but the tool: not the record, not the lock, and it needs neither the shared storage nor the VM's configuration.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(w *world)
		want  int
	}{
		{"nothing was ever here", nil, 7},
		{"another has it", func(w *world) { w.put(handoff.Running, "node2", "") }, 7},
		{"the record names this node from before", func(w *world) { w.put(handoff.Running, "node1", "") }, 7},
		{"its configuration is missing", fail("guest"), 7},
		{"the share is not mounted", func(w *world) { w.must(os.RemoveAll(filepath.Join(w.shared, "lbvm"))) }, 7},
		{"the share is not mounted, and the tool misses what lies on it", fail("share"), 7},
		{"no tool, and no kernel for it", fail("program"), 7},
		{"no tool, but a kernel for it", fail("only the program"), 1},
		{"the tool does not answer", fail("state"), 1},
		// It was not here since this node booted, and the record speaks for another one.
		{"the tool does not answer, another has it", both(named(handoff.Running, "node2", ""), fail("state")), 7},
		{"no tool, but a kernel for it, another gets it", both(named(handoff.Sent, "node2", "node3"), fail("only the program")), 7},
		{"the tool does not answer, this node has it", both(named(handoff.Running, "node1", ""), fail("state")), 1},
		{"the tool does not answer, this node gets it", both(named(handoff.Sending, "node2", "node1"), fail("state")), 1},
		{"the tool does not answer, nobody has it", both(named(handoff.Down, "node2", ""), fail("state")), 1},
		{"the tool does not answer, it was here", both(named(handoff.Running, "node2", ""), func(w *world) { w.nodes["node1"].marks() }, fail("state")), 1},
		{"the tool does not answer, the record cannot be read", both(named(handoff.Running, "node2", ""), garbled, fail("state")), 1},
		{"the tool does not answer, another has it, and the kernel shows it here", both(named(handoff.Running, "node2", ""), byHand, fail("state")), 1},
		{"the tool does not answer, a dead node has it, and the kernel shows it here", both(named(handoff.Running, "node2", ""), byHand, func(w *world) { w.nodes["node2"].dies() }, fail("state")), 1},
		{"the tool does not answer, a dead node has it", both(named(handoff.Running, "node2", ""), func(w *world) { w.nodes["node2"].dies() }, fail("state")), 7},
		{"not set up", func(w *world) { w.must(os.Remove(filepath.Join(w.nodes["node1"].root, host.IDFile))) }, 7},
		{"the lock is held", func(w *world) { w.put(handoff.Running, "node2", ""); lockedByOther(w) }, 7},
		// What is left of it does not run; but where no other node has the VM, Pacemaker's stop is to take it away.
		{"what is left of it is mounted", leftHere, 1},
		{"left behind, nobody has it", both(named(handoff.Down, "node2", ""), leftHere), 1},
		{"left behind, an image waits", both(named(handoff.Suspended, "node2", ""), leftHere), 1},
		{"left behind, this node has it", both(named(handoff.Running, "node1", ""), leftHere), 1},
		{"left behind, this node gets it", both(named(handoff.Sending, "node2", "node1"), leftHere), 1},
		{"left behind, this node sends it", both(named(handoff.Sending, "node1", "node2"), leftHere), 1},
		{"left behind, the record cannot be read", both(named(handoff.Running, "node2", ""), garbled, leftHere), 1},
		{"left behind, the share is not mounted", both(named(handoff.Running, "node2", ""), leftHere, func(w *world) { w.must(os.RemoveAll(filepath.Join(w.shared, "lbvm"))) }), 1},
		{"left behind, a dead node has it", both(named(handoff.Running, "node2", ""), leftHere, func(w *world) { w.nodes["node2"].dies() }), 1},
		{"left behind, another has it, and it crashed", both(named(handoff.Running, "node2", ""), leftHere, func(w *world) { w.nodes["node1"].g.sick = "it crashed" }), 1},
		{"left behind, another has it, and it comes back", both(named(handoff.Running, "node2", ""), leftHere, laterHere(isRunning)), 1},
		{"left behind, another has it, and the tool falls silent", both(named(handoff.Running, "node2", ""), leftHere, laterHere(func(n *node) { n.fails["state"] = failure{} })), 1},
		{"left behind, another has it", both(named(handoff.Running, "node2", ""), leftHere), 7},
		{"left behind, another has it, and it was here", both(named(handoff.Running, "node2", ""), leftHere, func(w *world) { w.nodes["node1"].marks() }), 7},
		{"left behind, another gets it", both(named(handoff.Sent, "node1", "node2"), leftHere), 7},
		{"left behind, another has it, and nobody tells who lives", both(named(handoff.Running, "node2", ""), leftHere, func(w *world) { w.lostKernel = true }), 7},
		{"left behind, another has it, and it is gone a moment later", both(named(handoff.Running, "node2", ""), leftHere, laterHere(func(n *node) { n.g = guest{} })), 7},
	} {
		for _, interval := range []string{"interval=0", "on_node=node1"} { // Pacemaker leaves it out or says 0
			w := newWorld(t, "openvz", "node1", "node2")
			if c.setup != nil {
				c.setup(w)
			}
			n := w.nodes["node1"]
			tree, start := w.everything(), w.clock.now
			if got := n.pcmk("monitor", interval); got != c.want {
				t.Errorf("%s: exit %d, want %d\n%s", c.name, got, c.want, strings.Join(n.logs, "\n"))
			}
			if w.everything() != tree || len(n.calls) > 0 {
				t.Errorf("%s: it changed something (%q)", c.name, n.calls)
			}
			if c.want == 7 && w.clock.now != start && !strings.HasPrefix(c.name, "the tool does not answer") && !strings.HasPrefix(c.name, "left behind") { // which is asked again for a moment
				t.Errorf("%s: it took %s", c.name, w.clock.now.Sub(start))
			}
			w.ok()
		}
	}
}

// What only a probe may say: where the share is away, a recurring monitor and a stop do not know.
func TestUnprovedDownIsForProbesOnly(t *testing.T) {
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	n.fails["share"] = failure{}
	for _, action := range []string{"stop", "start"} {
		if got := n.pcmk(action); got != 1 {
			t.Errorf("%s: exit %d", action, got)
		}
	}
	if got := n.pcmk("monitor", "interval=30000"); got != 1 {
		t.Errorf("monitor: exit %d", got)
	}
	if err := n.do("status"); err == nil || errors.Is(err, ocf.ErrNotRunning) {
		t.Errorf("status of rgmanager: %v", err)
	}
}

// A mixed cluster: nodes without the technology stop what never was there, and are not asked to start it again.
func TestNodeWithoutTheTool(t *testing.T) {
	for _, c := range []struct {
		fault      string
		stop, code int // of stop, and of the others
	}{{"program", 0, 7}, {"only the program", 1, 1}} {
		w := newWorld(t, "xen", "node1", "node2")
		w.put(handoff.Running, "node2", "")
		n := w.nodes["node1"]
		n.fails[c.fault] = failure{}
		tree, began := w.everything(), w.clock.now
		if got := n.pcmk("stop"); got != c.stop {
			t.Errorf("%s: stop: exit %d", c.fault, got)
		}
		if got := n.pcmk("monitor", "interval=10000"); got != c.code {
			t.Errorf("%s: monitor: exit %d", c.fault, got)
		}
		if err := n.do("stop"); (err == nil) != (c.stop == 0) {
			t.Errorf("%s: stop at rgmanager's start: %v", c.fault, err)
		}
		if w.clock.now != began || w.everything() != tree {
			t.Errorf("%s: it took %s, or changed something", c.fault, w.clock.now.Sub(began))
		}
		for _, action := range []string{"start", "validate-all"} {
			if got := n.pcmk(action); got != int(ocf.CodeInstalled) {
				t.Errorf("%s: %s: exit %d\n%s", c.fault, action, got, strings.Join(n.logs, "\n"))
			}
		}
		if got := n.pcmk("migrate_to", "migrate_target=node2"); got != 1 {
			t.Errorf("%s: migrate_to: exit %d", c.fault, got)
		}
		if st := w.state(); stateText(st) != "running node2" || len(n.calls) > 0 {
			t.Errorf("%s: %+v by %q", c.fault, st, n.calls)
		}
	}
}

// Without shared storage it is the same.
func TestNodeWithoutTheToolAlone(t *testing.T) {
	w := newWorld(t, "xen", "node1")
	n := w.nodes["node1"]
	n.fails["program"] = failure{}
	w.must(os.WriteFile(filepath.Join(n.root, host.IDFile), []byte("format=1\ncluster=c\nuuid=u\nmember=node1\nshared=none\nlogdir=/log\n"), 0o644))
	if start, stop := n.pcmk("start"), n.pcmk("stop"); start != int(ocf.CodeInstalled) || stop != 0 {
		t.Errorf("start %d, stop %d", start, stop)
	}
}

// everything sums up the shared folder and the nodes' own.
func (w *world) everything() string {
	w.t.Helper()
	sum := w.tree()
	for _, name := range w.order {
		sum += treeOf(w.t, w.nodes[name].root)
	}
	return sum
}

func arriveCases() []rowCase {
	cases := []rowCase{
		{row: "here", name: "sent", phase: handoff.Sent, node: "node2", to: "node1", guest: isRunning, state: "running node1"},
		{row: "here", name: "the sender's end is not known", phase: handoff.Sending, node: "node2", to: "node1", guest: isRunning, state: "running node1"},
		{row: "here", name: "adopted by a status", phase: handoff.Running, node: "node1", guest: isRunning, state: "running node1"},
		{row: "here", name: "no record", phase: handoff.NoRecord, guest: isRunning, state: "running node1"},
		{row: "frozen", phase: handoff.Sent, node: "node2", to: "node1", guest: isPaused, calls: "[thaw]", state: "running node1"},
		{row: "frozen", name: "it does not go on", phase: handoff.Sent, node: "node2", to: "node1", guest: isPaused, setup: fail("thaw"), calls: "[thaw]", state: "sent node1", fails: "failed"},
		{row: "announced", name: "late", phase: handoff.Sent, node: "node2", to: "node1", setup: arrives, state: "running node1"},
		{row: "announced", name: "memory not yet whole", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Torso), setup: arrives, state: "running node1"},
		{row: "announced", name: "a row without letters", phase: handoff.Sent, node: "node2", to: "node1", guest: func(n *node) { isRunning(n); n.g.never = true }, setup: arrives, state: "running node1"},
		{row: "announced", name: "it never comes", phase: handoff.Sent, node: "node2", to: "node1", state: "sent node1", fails: "has not arrived"},
		{row: "announced", name: "its source is gone", phase: handoff.Sending, node: "node2", to: "node1", gone: []string{"node2"}, state: "sending node2 node1", fails: "has not arrived"},
		{row: "announced", name: "it hangs", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), state: "sent node1", fails: "has not arrived"},
		{row: "here, another has it", phase: handoff.Running, node: "node2", guest: isRunning, state: "running node2", fails: "not proved gone", loud: "double run"},
		{row: "not announced", name: "the source kept it", phase: handoff.Running, node: "node2", state: "running node2", fails: "not being sent"},
		{row: "not announced", name: "sent to another", phase: handoff.Sent, node: "node2", to: "node3", state: "sent node3", fails: "not being sent"},
		{row: "not announced", name: "an image waits", phase: handoff.Suspended, node: "node2", state: "suspended", fails: "not being sent"},
		{row: "not announced", name: "booted by hand", phase: handoff.Suspended, node: "node2", guest: isRunning, state: "suspended", fails: "not being sent"},
		{row: "not announced", name: "down", phase: handoff.Down, node: "node2", state: "down", fails: "not being sent"},
		{row: "not announced", name: "a stop of ours was cut off", phase: handoff.Held, node: "node1", guest: isFrozen, state: "held node1", fails: "not being sent"},
		{row: "not announced", name: "half of it is left", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Remains), state: "sent node1", fails: "not being sent"},
		{row: "no program", phase: handoff.Sent, node: "node2", to: "node1", setup: fail("program"), state: "sent node1", fails: "not installed here"},
	}
	for i := range cases {
		cases[i].typ = "xen"
	}
	return cases
}

// An arrival that a status has adopted already, one that is late, and all that migrate_from refuses. It boots nothing
// and destroys nothing, whatever it finds.
func TestArriveRows(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range arriveCases() {
		covered[c.row] = true
		t.Run(c.row+"/"+c.phase.String()+" "+c.name, func(t *testing.T) {
			w, n := c.world(t)
			if c.calls == "" {
				c.calls = "[]"
			}
			want := 0
			if c.row == "no program" {
				want = int(ocf.CodeInstalled)
			} else if c.fails != "" {
				want = int(ocf.CodeGeneric)
			}
			start := w.clock.now
			n.wants(t, "migrate_from", n.pcmk("migrate_from", "migrate_source=node2"), want, c.calls, c.state)
			if took := w.clock.now.Sub(start); took > 202*time.Second { // two thirds of 300 s
				t.Errorf("it took %s", took)
			}
			if got := firstRow(n, "migrate_from"); got != c.row {
				t.Errorf("the row is %q", got)
			}
			if c.fails != "" && !strings.Contains(strings.Join(n.logs, "\n"), c.fails) {
				t.Errorf("it does not say %q:\n%s", c.fails, strings.Join(n.logs, "\n"))
			}
			if c.loud != "" && !strings.Contains(w.journal(), "outcome=\""+c.loud+"\"") {
				t.Errorf("the journal does not say %q:\n%s", c.loud, w.journal())
			}
			w.ok()
		})
	}
	for _, r := range protocol.MigrateFrom() {
		if !covered[r.Name] {
			t.Errorf("row %q has no test", r.Name)
		}
	}
}

// pair is a VM that runs on x, and y, where it is to go.
func pair(t *testing.T) (w *world, x, y *node) {
	t.Helper()
	w = newWorld(t, "xen", "node1", "node2")
	x, y = w.nodes["node1"], w.nodes["node2"]
	x.wants(t, "start", x.pcmk("start"), 0, "[start]", "running node1")
	return w, x, y
}

const (
	toY   = "migrate_target=node2"
	fromX = "migrate_source=node1"
	every = "interval=10000"
)

// A migration as Pacemaker makes it, there and back again.
func TestPacemakerMigrates(t *testing.T) {
	w, x, y := pair(t)
	incarnation := x.g.incarnation
	for i := 0; i < 4; i++ {
		to, from := "migrate_target="+y.name, "migrate_source="+x.name
		x.wants(t, "migrate_to", x.pcmk("migrate_to", to), 0, "[migrate]", "sent "+y.name)
		y.wants(t, "migrate_from", y.pcmk("migrate_from", from), 0, "[]", "running "+y.name)
		tree := w.tree()
		x.wants(t, "stop", x.pcmk("stop"), 0, "[]", "running "+y.name)
		if w.tree() != tree {
			t.Error("the stop of the source changed the shared storage")
		}
		y.wants(t, "monitor", y.pcmk("monitor", every), 0, "[]", "running "+y.name)
		x.wants(t, "monitor", x.pcmk("monitor", "interval=0"), 7, "[]", "running "+y.name)
		y.wants(t, "reload-agent", y.pcmk("reload-agent"), 0, "[]", "running "+y.name)
		x, y = y, x
	}
	if x.g.incarnation != incarnation {
		t.Error("memory lost")
	}
	w.ok()
}

// Without shared storage there is no record: the tool's word is all that there is.
func TestPacemakerMigratesAlone(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := newWorld(t, "xen", "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		for _, n := range []*node{x, y} {
			w.must(os.WriteFile(filepath.Join(n.root, host.IDFile), []byte("format=1\ncluster=c\nuuid=u\nmember="+n.name+"\nshared=none\nlogdir=/log\n"), 0o644))
		}
		x.wants(t, "start", x.pcmk("start"), 0, "[start]", "none")
		incarnation, want := x.g.incarnation, 0
		x.wants(t, "migrate_to", x.pcmk("migrate_to", toY), 0, "[migrate]", "none")
		g, naps := y.g, 0
		y.g = guest{} // it is late
		w.clock.onSleep = func() {
			if naps++; naps == 100 && !lost {
				y.g = g
			}
		}
		if lost {
			want = 1
		}
		start := w.clock.now
		y.wants(t, "migrate_from", y.pcmk("migrate_from", fromX), want, "[]", "none")
		if took := w.clock.now.Sub(start); took > 202*time.Second || took < 99*time.Second {
			t.Errorf("it took %s", took)
		}
		w.clock.onSleep = nil
		x.wants(t, "stop", x.pcmk("stop"), 0, "[]", "none")
		if lost {
			y.wants(t, "stop", y.pcmk("stop"), 0, "[]", "none")
		} else if y.wants(t, "monitor", y.pcmk("monitor", every), 0, "[]", "none"); y.g.incarnation != incarnation {
			t.Error("memory lost")
		}
		w.ok()
	}
}
