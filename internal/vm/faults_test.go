package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Without the shared storage nothing starts or moves, and a stop is cold and writes nothing.
func TestNoShare(t *testing.T) {
	for name, take := range map[string]func(w *world){
		"not mounted": unmount,
		"not set up":  func(w *world) { w.must(os.Remove(w.nodes["node1"].root + host.IDFile)) },
		"another cluster": func(w *world) {
			w.must(os.WriteFile(w.shared+"/"+host.MarkerFile, host.Identity{Cluster: "d", UUID: "v"}.Marker(), 0o644))
		},
		"locks stay here": func(w *world) {
			w.must(os.WriteFile(w.nodes["node1"].root+"/proc/mounts", []byte("srv:/x /shared nfs rw,local_lock=flock 0 0\n"), 0o644))
		},
	} {
		w := newWorld(t, "xen", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		take(w)

		if err := n.do("migrate node2"); !errors.Is(err, ocf.ErrStillHere) && codeOf(err) != ocf.CodeStillHere {
			t.Errorf("%s: migrate: %v", name, err)
		}
		w.must(n.do("status"))
		w.must(n.do("stop"))
		if fmt.Sprint(n.calls) != "[shutdown]" {
			t.Errorf("%s: stop used %q", name, n.calls)
		}
		if err := n.do("start"); err == nil || len(n.calls) != 0 {
			t.Errorf("%s: start: %v, tools %q", name, err, n.calls)
		}
		n.g = guest{mounted: true}
		w.must(n.do("stop"))
		n.bootGuest()
		n.fails["shutdown"], n.fails["destroy"] = failure{}, failure{}
		if err := n.do("stop"); err == nil {
			t.Errorf("%s: stop of what does not end succeeded", name)
		}
		n.g = guest{}
		clear(n.fails)
		disk := w.tree() // the guest wrote to its disk, we wrote nothing
		w.must(n.do("stop"))
		if w.tree() != disk {
			t.Errorf("%s: stop changed the shared storage", name)
		}
	}
}

func codeOf(err error) ocf.Code {
	var e *ocf.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ocf.CodeGeneric
}

// unshare makes the world a cluster without a shared file system.
func (w *world) unshare() {
	w.t.Helper()
	for _, n := range w.nodes {
		h, err := n.host()
		w.must(err)
		w.must(h.WriteIdentity(host.Identity{Cluster: "c", UUID: "u", Member: n.name, LogDir: "/log"}))
	}
}

// A cluster without a shared file system: everything is cold, or pushed.
func TestNotShared(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	w.unshare()
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	w.must(x.do("migrate node2"))
	w.must(y.do("status"))
	if y.g.incarnation != incarnation {
		t.Error("the memory is lost")
	}
	y.fails["migrate"] = failure{}
	if err := y.do("migrate node1"); !errors.Is(err, ocf.ErrStillHere) {
		t.Errorf("a migration that failed: %v", err)
	}
	w.must(y.do("stop"))
	if fmt.Sprint(y.calls) != "[shutdown]" {
		t.Errorf("stop used %q", y.calls)
	}
	x.g = guest{state: hypervisor.Migrating} // half a copy: the other half may run
	if err := x.do("stop"); err == nil || len(x.calls) != 0 || !strings.Contains(err.Error(), "look for it on the other nodes") {
		t.Errorf("a stop of half a copy: %v, %q", err, x.calls)
	}
	x.g = guest{state: hypervisor.Remains}
	w.must(x.do("start"))
	if fmt.Sprint(x.calls) != "[destroy start]" {
		t.Errorf("start used %q", x.calls)
	}
	if _, err := os.Stat(w.dir().Path()); err == nil {
		t.Error("a hand-off folder was made")
	}
	w.ok()
}

// Half a copy of a guest that had come here by a move: libvirt cannot tell it from one that arrives. Where this node had the guest it is
// what is left of it, and without shared storage nobody knows whether its other half runs.
func TestHalfThatLooksLikeAnArrival(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	w.unshare()
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	for _, n := range []*node{x, y} {
		n.g = guest{state: hypervisor.Torso, handed: true}
	}
	for range defaultUnknown {
		w.must(x.do("status"))
	}
	if err := x.do("status"); err == nil || errors.Is(err, ocf.ErrNotRunning) {
		t.Errorf("a status for ever, or one that it does not run here: %v", err)
	}
	for _, action := range []string{"stop", "start"} {
		if err := x.do(action); err == nil || len(x.calls) != 0 {
			t.Errorf("a %s beside the half of a guest that may run elsewhere: %v, %q", action, err, x.calls)
		}
	}
	if err := y.do("status"); !errors.Is(err, ocf.ErrNotRunning) {
		t.Errorf("a status of what arrives: %v", err)
	}
	if err := y.do("stop"); err != nil || len(y.calls) == 0 {
		t.Errorf("a stop of what arrived by half: %v, %q", err, y.calls)
	}
}

// A record that cannot be believed is never guessed.
func TestUnreadableRecord(t *testing.T) {
	w := newWorld(t, "openvz", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	damage(w)
	for _, n := range []*node{x, y} {
		if err := n.do("start"); !errors.Is(err, handoff.ErrState) || len(n.calls) != 0 {
			t.Errorf("start on %s: %v, %q", n.name, err, n.calls)
		}
	}
	if err := x.do("stop"); !errors.Is(err, handoff.ErrState) || len(x.calls) != 0 {
		t.Errorf("stop where it runs: %v, %q", err, x.calls)
	}
	w.must(y.do("stop")) // nothing of it is here
	x.g = guest{}
	w.must(x.do("stop"))
	b, err := os.ReadFile(w.dir().Path() + "/state")
	if err != nil || !strings.HasPrefix(string(b), "format=1\nphase=down") {
		t.Errorf("the record was changed: %q, %v", b, err)
	}
}

// A tool that does not answer is never "not running".
func TestUnknownIsNotDown(t *testing.T) {
	for _, phase := range phases {
		for _, action := range []string{"stop", "start", "status", "migrate node2"} {
			w := newWorld(t, "xen", "node1", "node2")
			w.put(phase, "node1", "node2")
			before := stateText(w.state())
			n := w.nodes["node1"]
			n.fails["state"] = failure{}
			if err := n.do(action); err == nil || errors.Is(err, ocf.ErrNotRunning) {
				t.Errorf("%s in %s: %v", action, phase, err)
			}
			if len(n.calls) != 0 || stateText(w.state()) != before {
				t.Errorf("%s in %s: tools %q, state %s", action, phase, n.calls, stateText(w.state()))
			}
		}
	}
}

// The wait for the lock is bounded by a third of the time, and nothing is changed without it.
func TestLockIsWaitedFor(t *testing.T) {
	for _, action := range []string{"start", "stop", "migrate node2"} {
		w := newWorld(t, "xen", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		before := stateText(w.state())
		l, err := w.dir().TryLock("another")
		w.must(err)
		start := w.clock.now
		err = n.do(action)
		if !errors.Is(err, lockfile.ErrHeld) {
			t.Errorf("%s: %v", action, err)
		}
		if codeOf(err) == ocf.CodeStillHere != strings.HasPrefix(action, "migrate") {
			t.Errorf("%s: code %d", action, codeOf(err))
		}
		if took := w.clock.now.Sub(start); took < 99*time.Second || took > 101*time.Second {
			t.Errorf("%s waited %s", action, took)
		}
		if len(n.calls) != 0 || stateText(w.state()) != before {
			t.Errorf("%s did something without the lock", action)
		}
		// Let go while it waits: it goes on.
		naps := 0
		w.clock.onSleep = func() {
			if naps++; naps == 100 {
				l.Unlock()
			}
		}
		w.must(n.do(action))
		w.ok()
	}
}

// What was read before the lock counts for nothing.
func TestSecondLookCounts(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	l, err := w.dir().TryLock("another")
	w.must(err)
	w.clock.onSleep = func() { // while stop waits, the VM goes to node2
		w.clock.onSleep = nil
		y.g, x.g = x.g, guest{}
		_, err := l.Write(handoff.State{Phase: handoff.Running, Node: y.name, Boot: y.boot})
		w.must(err)
		w.must(l.Unlock())
	}
	w.must(x.do("stop"))
	if got := stateText(w.state()); got != "running node2" || len(x.calls) != 0 {
		t.Errorf("state %q, tools %q", got, x.calls)
	}
	if got := firstRow(x, "stop"); got != "absent, not named" {
		t.Errorf("row %q", got)
	}
}

// A tool that hangs is ended in time for what must follow.
func TestToolsThatHang(t *testing.T) {
	for _, c := range []struct {
		typ, action, tool string
		calls             string
		state             string
	}{
		{"openvz", "stop", "dump", "[suspend dump thaw shutdown]", "down"},
		{"openvz", "stop", "suspend", "[suspend thaw shutdown]", "down"},
		{"xen", "stop", "save", "[save thaw shutdown]", "down"},
		{"openvz", "start", "restore", "[restore start]", "running node1"},
	} {
		w := newWorld(t, c.typ, "node1", "node2")
		n := w.nodes["node1"]
		if c.action == "start" {
			w.put(handoff.Suspended, "node2", "")
		} else {
			w.must(n.do("start"))
		}
		n.fails[c.tool] = failure{hangs: true}
		start := w.clock.now
		w.must(n.do(c.action))
		if took := w.clock.now.Sub(start); took > 290*time.Second || took < 190*time.Second {
			t.Errorf("%s hanging: %s took %s", c.tool, c.action, took)
		}
		if fmt.Sprint(n.calls) != c.calls || stateText(w.state()) != c.state {
			t.Errorf("%s hanging: tools %q, state %s", c.tool, n.calls, stateText(w.state()))
		}
		w.ok()
	}
	// A shutdown that hangs is followed by a destroy when two thirds of the time are over.
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	w.must(n.do("start"))
	n.fails["shutdown"] = failure{hangs: true}
	start := w.clock.now
	w.must(n.do("stop", map[string]string{"on_stop": "shutdown"}))
	if took := w.clock.now.Sub(start); took < 199*time.Second || took > 210*time.Second || fmt.Sprint(n.calls) != "[shutdown destroy]" {
		t.Errorf("destroyed after %s: %q", took, n.calls)
	}
}

// No room for the memory and a twentieth more: a cold stop, said loudly.
func TestNoRoom(t *testing.T) {
	for room, want := range map[int64]handoff.Phase{1049: handoff.Down, 1050: handoff.Suspended} {
		w := newWorld(t, "openvz", "node1")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		a := n.agent()
		a.Room = func(string) (int64, error) { return room, nil }
		w.must(a.Stop(context.Background(), n.call(nil)))
		if got := w.state().Phase; got != want {
			t.Errorf("%d bytes of room: %s", room, got)
		}
		if lost := strings.Contains(w.journal(), `outcome="memory lost"`); lost != (want == handoff.Down) {
			t.Errorf("%d bytes of room: the journal says\n%s", room, w.journal())
		}
	}
}

// rgmanager's own migration.
func TestMigrate(t *testing.T) {
	for _, c := range []struct {
		name   string
		typ    string
		target string
		setup  func(w *world)
		code   ocf.Code
		state  string

		refused bool // at once, before any tool
	}{
		{name: "moves", target: "node2", state: "sent node2"},
		{name: "no record", target: "node2", setup: func(w *world) { w.must(os.Remove(w.dir().Path() + "/state")) }, state: "sent node2"},
		{name: "it stays", target: "node2", setup: fail("migrate"), code: ocf.CodeStillHere, state: "running node1"},
		{name: "end unknown", target: "node2", setup: migrates(func(n, to *node) { n.g = guest{state: hypervisor.Remains} }), code: ocf.CodeGeneric, state: "sending node1 node2"},
		{name: "gone, though the tool failed", target: "node2", setup: migrates(func(n, to *node) { n.g = guest{} }), code: ocf.CodeGeneric, state: "sending node1 node2"},
		{name: "to itself", target: "node1", code: ocf.CodeStillHere, state: "running node1", refused: true},
		{name: "to nobody", target: "node22", code: ocf.CodeStillHere, state: "running node1", refused: true},
		{name: "to a name in capitals", target: "NODE2", state: "sent node2"},
		{name: "to a node that is away", target: "node2", setup: func(w *world) { w.nodes["node2"].online = false }, code: ocf.CodeStillHere, state: "running node1", refused: true},
		{name: "not here", target: "node2", setup: func(w *world) { w.nodes["node1"].g = guest{} }, code: ocf.CodeStillHere, state: "running node1", refused: true},
		{name: "by a technology that cannot", typ: "openvz", target: "node2", code: ocf.CodeStillHere, state: "running node1", refused: true},
		{name: "in another phase", target: "node2", setup: func(w *world) {
			w.locked(func(l *handoff.Locked) {
				_, err := l.Write(handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: w.nodes["node1"].boot, Image: txn})
				w.must(err)
			})
		}, code: ocf.CodeStillHere, state: "suspending node1"},
	} {
		if c.typ == "" {
			c.typ = "xen"
		}
		w := newWorld(t, c.typ, "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		if c.setup != nil {
			c.setup(w)
		}
		before := w.clock.now
		err := n.do("migrate " + c.target)
		if c.code == ocf.CodeOK && err != nil || c.code != ocf.CodeOK && (err == nil || codeOf(err) != c.code) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := stateText(w.state()); got != c.state {
			t.Errorf("%s: state %s", c.name, got)
		}
		if c.refused && (len(n.calls) > 0 || w.clock.now != before) {
			t.Errorf("%s: refused after %s and %q", c.name, w.clock.now.Sub(before), n.calls)
		}
		w.ok()
	}
}

func TestValidate(t *testing.T) {
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	a := n.agent()
	w.must(a.Validate(context.Background(), n.call(nil)))
	if err := a.Validate(context.Background(), n.call(map[string]string{"on_stop": "hibernate"})); codeOf(err) != ocf.CodeConfigured {
		t.Errorf("an unknown on_stop: %v", err)
	}
	n.fails["guest"] = failure{}
	if err := a.Validate(context.Background(), n.call(nil)); codeOf(err) != ocf.CodeConfigured {
		t.Errorf("no configuration: %v", err)
	}
	clear(n.fails)
	unmount(w)
	if err := a.Validate(context.Background(), n.call(nil)); codeOf(err) != ocf.CodeConfigured || !errors.Is(err, host.ErrNoMarker) {
		t.Errorf("no share: %v", err)
	}
}

// A start that has waited for half a copy to go away has time left for the memory that waits in the image.
func TestResumeAfterALongWait(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	w.must(x.do("stop"))
	y.g = guest{state: hypervisor.Migrating} // left behind by a push whose end nobody knew
	w.must(y.do("start"))
	if y.g.incarnation != incarnation {
		t.Error("the memory is lost")
	}
	w.violations = slices.DeleteFunc(w.violations, func(v string) bool { return strings.HasPrefix(v, "double run") })
	w.ok()
}
