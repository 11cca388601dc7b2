package vm

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   string
		phase handoff.Phase
		node  string
		to    string
		guest func(n *node)
		setup func(w *world)
		want  string // "" is 0, "7", or what the error says
		state string // "" is unchanged
	}{
		{name: "absent", phase: handoff.Down, node: "node1", want: "7"},
		{name: "absent, and the state names it", phase: handoff.Running, node: "node1", want: "7"},
		{name: "tool silent", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("state"), want: "not known"},
		{name: "adopted after a migration", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isRunning, state: "running node1"},
		{name: "adopted, sender unsure", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isRunning, state: "running node1"},
		{name: "no record", phase: handoff.NoRecord, guest: isRunning, state: "running node1"},
		{name: "after a start that was cut off", phase: handoff.Starting, node: "node1", guest: isRunning, state: "running node1"},
		{name: "still being sent", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isRunning, setup: lockedByOther, want: "7"},
		{name: "adoption put off", phase: handoff.Running, node: "node1", guest: isRunning, setup: lockedByOther},
		{name: "a row without letters", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: func(n *node) { isRunning(n); n.g.never = true }, want: "7"},
		{name: "paused while it arrives", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isPaused, want: "7"},
		{name: "arriving", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), want: "7"},
		{name: "torso", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isIn(hypervisor.Torso), want: "7"},
		{name: "leaving", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Migrating)},
		{name: "half a copy", typ: "xen", phase: handoff.Running, node: "node2", guest: isHalf, want: "half a copy of 101"},
		{name: "mounted and down", phase: handoff.Running, node: "node1", guest: isIn(hypervisor.Remains), want: "remains"},
		{name: "another has it", phase: handoff.Running, node: "node2", guest: isRunning, want: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{name: "frozen by a stop that was cut off", phase: handoff.Held, node: "node1", guest: isFrozen},
		{name: "started by hand", phase: handoff.Suspended, node: "node2", guest: isRunning},
		{name: "record damaged", phase: handoff.Running, node: "node1", guest: isRunning, setup: damage},
		{name: "share not mounted", phase: handoff.Running, node: "node1", guest: isRunning, setup: unmount},
		{name: "share not mounted, absent", phase: handoff.Running, node: "node1", setup: unmount, want: "7"},
	} {
		if c.typ == "" {
			c.typ = "openvz"
		}
		w := newWorld(t, c.typ, "node1", "node2")
		w.put(c.phase, c.node, c.to)
		n := w.nodes["node1"]
		if c.guest != nil {
			c.guest(n)
		}
		if c.setup != nil {
			c.setup(w)
		}
		before := w.tree()
		err := n.do("status")
		switch {
		case c.want == "" && err != nil, c.want == "7" && !errors.Is(err, ocf.ErrNotRunning),
			c.want != "" && c.want != "7" && (err == nil || errors.Is(err, ocf.ErrNotRunning) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if c.state != "" {
			if got := stateText(w.state()); got != c.state {
				t.Errorf("%s: the state is %s", c.name, got)
			}
			if w.must(n.do("status")); w.tree() == before {
				t.Errorf("%s: nothing was written", c.name)
			}
			after := w.tree()
			if w.must(n.do("status")); w.tree() != after {
				t.Errorf("%s: a second status changed the shared storage", c.name)
			}
		} else if w.nodes["node1"].g.state != hypervisor.Running && w.tree() != before {
			t.Errorf("%s: the shared storage was changed", c.name)
		}
		if len(n.calls) != 0 {
			t.Errorf("%s: status used %q", c.name, n.calls)
		}
		w.ok()
	}
}

func lockedByOther(w *world) {
	l, err := w.dir().TryLock("another")
	w.must(err)
	w.t.Cleanup(func() { l.Unlock() })
}

func damage(w *world) {
	w.must(os.WriteFile(w.dir().Path()+"/state", []byte("format=1\nphase=down\n"), 0o600))
}

func unmount(w *world) { w.must(os.Remove(w.shared + "/" + host.MarkerFile)) }

// A guest that reboots is away for a moment: neither status nor stop takes that for its end.
func TestRebootIsNoEnd(t *testing.T) {
	for _, action := range []string{"status", "stop"} {
		w := newWorld(t, "openvz", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		g, naps := n.g, 0
		n.g = guest{}
		w.clock.onSleep = func() {
			if naps++; naps == 3 {
				n.g = g
			}
		}
		w.must(n.do(action))
		if action == "stop" && w.state().Phase != handoff.Suspended {
			t.Errorf("stop took a reboot for the end: state %s", w.state().Phase)
		}
		w.ok()
	}
}

// An absent guest is believed after a few seconds, and at once where nothing of it ever was.
func TestPatienceEnds(t *testing.T) {
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	w.must(n.do("start"))
	n.g = guest{}
	start := w.clock.now
	if err := n.do("status"); !errors.Is(err, ocf.ErrNotRunning) || w.clock.now.Sub(start) < reboot {
		t.Errorf("%v after %s", err, w.clock.now.Sub(start))
	}
	start = w.clock.now
	w.must(n.do("stop"))
	if took := w.clock.now.Sub(start); took < reboot || took > 2*reboot {
		t.Errorf("stop took %s", took)
	}
	start = w.clock.now
	if err := n.do("status"); !errors.Is(err, ocf.ErrNotRunning) || w.clock.now != start {
		t.Errorf("%v after %s", err, w.clock.now.Sub(start))
	}
}
