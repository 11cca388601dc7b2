package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// A tool that gives no answer is unknown: a few checks in a row say what was true last, then the check fails. It never
// says that the guest is stopped.
func TestUnknownIsToleratedForAWhile(t *testing.T) {
	for _, typ := range []string{"openvz", "xen"} {
		for _, c := range []struct {
			limit string
			want  int
		}{{"", 3}, {"0", 0}, {"1", 1}, {"5", 5}, {"many", 3}, {"-1", 3}, {"101", 3}, {"100000", 3}} {
			w := newWorld(t, typ, "node1", "node2")
			n := w.nodes["node1"]
			w.must(n.do("start"))
			params := map[string]string{unknownParam: c.limit}
			for range 2 { // an answer in between begins the count anew
				n.fails["state"] = failure{}
				before := w.tree()
				for i := range c.want {
					if err := n.do("status", params); err != nil {
						t.Errorf("%s, limit %q: check %d: %v", typ, c.limit, i+1, err)
					}
					if !strings.Contains(strings.Join(n.logs, "\n"), errTool.Error()) {
						t.Errorf("%s: the log does not tell the error: %q", typ, n.logs)
					}
				}
				for range 2 {
					if err := n.do("status", params); !errors.Is(err, errTool) || errors.Is(err, ocf.ErrNotRunning) || codeOf(err) != ocf.CodeGeneric {
						t.Errorf("%s, limit %q: after the last: %v", typ, c.limit, err)
					}
				}
				if w.tree() != before || len(n.calls) != 0 {
					t.Errorf("%s: something was done", typ)
				}
				delete(n.fails, "state")
				w.must(n.do("status", params))
			}
			n.fails["state"] = failure{}
			if err := n.do("stop", params); err == nil {
				t.Errorf("%s: a stop that knows nothing succeeded", typ)
			}
		}
	}
}

// Where nothing of it was known before, there is no last word.
func TestUnknownIsNoAnswerWhereNothingWasKnown(t *testing.T) {
	w := newWorld(t, "xen", "node1")
	n := w.nodes["node1"]
	n.fails["state"] = failure{}
	if err := n.do("status"); !errors.Is(err, errTool) {
		t.Error(err)
	}
	delete(n.fails, "state")
	w.must(n.do("start"))
	n.fails["state"] = failure{}
	w.must(n.do("status"))
	n.reboot()
	if err := n.do("status"); !errors.Is(err, errTool) {
		t.Errorf("after a boot: %v", err)
	}
	// Who cannot count does not tolerate.
	n.w.must(os.RemoveAll(n.root + "/var/run/lbvm"))
	w.must(os.WriteFile(n.root+"/var/run/lbvm", nil, 0o644))
	if err := n.do("status"); !errors.Is(err, errTool) {
		t.Errorf("without a place for the count: %v", err)
	}
}

// After a check has said that it is gone, silence does not say that it runs.
func TestUnknownAfterGoneIsNotRunning(t *testing.T) {
	for _, typ := range []string{"openvz", "xen"} {
		w := newWorld(t, typ, "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		g := n.g
		n.g = guest{}
		if err := n.do("status"); !errors.Is(err, ocf.ErrNotRunning) {
			t.Errorf("%s, gone: %v", typ, err)
		}
		n.fails["state"] = failure{}
		if err := n.do("status"); !errors.Is(err, errTool) || codeOf(err) != ocf.CodeGeneric {
			t.Errorf("%s, silent: %v", typ, err)
		}
		// What was only away is this node's again.
		delete(n.fails, "state")
		n.g = g
		w.must(n.do("status"))
		n.fails["state"] = failure{}
		w.must(n.do("status"))
	}
}

// What counts is the last check, of those that look as deep.
func TestSickGuestGetsWell(t *testing.T) {
	for _, c := range []struct {
		failed, passed string
		want           handoff.Phase
	}{{"0", "0", handoff.Suspended}, {"10", "0", handoff.Down}, {"10", "10", handoff.Suspended}, {"10", "20", handoff.Suspended}} {
		w := newWorld(t, "openvz", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		w.health = func(int) error { return errors.New("mute") }
		if n.do("status at depth "+c.failed) == nil {
			t.Error("it is well")
		}
		w.health = nil
		w.must(n.do("status at depth " + c.passed))
		w.must(n.do("stop"))
		if got := w.state().Phase; got != c.want {
			t.Errorf("failed at depth %s, passed at %s: %s", c.failed, c.passed, got)
		}
	}
}

// A guest whose check failed is stopped cold: its memory must not be resumed elsewhere. The next start makes it well.
func TestSickGuestIsStoppedCold(t *testing.T) {
	for _, typ := range []string{"openvz", "xen"} {
		w := newWorld(t, typ, "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		asked := -1
		w.health = func(depth int) error { asked = depth; return nil }
		w.must(n.do("status"))
		if asked != 0 {
			t.Errorf("depth %d", asked)
		}
		w.health = func(int) error { return errors.New("its web server is mute") }
		if err := n.do("status"); err == nil || errors.Is(err, ocf.ErrNotRunning) || codeOf(err) != ocf.CodeGeneric {
			t.Errorf("%s: %v", typ, err)
		}
		if b, err := os.ReadFile(n.root + "/var/run/lbvm/" + typ + "-101.sick"); err != nil || !strings.Contains(string(b), "mute") {
			t.Errorf("%s: %q, %v", typ, b, err)
		}
		w.health = nil
		w.ticket(handoff.Live, n, w.nodes["node2"])
		w.must(n.do("stop"))
		if fmt.Sprint(n.calls) != "[shutdown]" || w.state().Phase != handoff.Down || len(w.litter()) > 1 {
			t.Errorf("%s: %q, state %s, left %q", typ, n.calls, w.state().Phase, w.litter())
		}
		w.must(n.do("start"))
		w.health = func(int) error { return errors.New("its web server is mute again") }
		if n.do("status") == nil {
			t.Error("it is well")
		}
		w.health = nil
		w.must(n.do("start")) // the manager says that it is to run, and so it does
		w.must(n.do("stop"))
		if w.state().Phase != handoff.Suspended {
			t.Errorf("%s: it stays sick for ever: %s", typ, w.state().Phase)
		}
		w.ok()
	}
}

// A crashed domain is no guest that reboots.
func TestCrashedGuest(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	n := w.nodes["node1"]
	w.must(n.do("start"))
	n.g = guest{state: hypervisor.Remains, sick: "it crashed"}
	began := w.clock.now
	if err := n.do("status"); err == nil || !strings.Contains(err.Error(), "it crashed") || w.clock.now != began {
		t.Errorf("%v after %s", err, w.clock.now.Sub(began))
	}
	w.must(n.do("stop"))
	if fmt.Sprint(n.calls) != "[destroy]" || w.state().Phase != handoff.Down {
		t.Errorf("%q, %s", n.calls, w.state().Phase)
	}
}

// A container that reboots from inside is down and mounted for a while before its node's helper starts it again: a check
// waits for that, and a stop does not break it off.
func TestRebootMayLeaveAMount(t *testing.T) {
	for _, action := range []string{"status", "stop"} {
		w := newWorld(t, "openvz", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		g, naps := n.g, 0
		n.g = guest{mounted: true}
		w.clock.onSleep = func() {
			if naps++; naps == 4 || action == "status" && naps == 8 {
				n.g = g
			}
		}
		w.must(n.do(action))
		if action == "stop" && w.state().Phase != handoff.Suspended {
			t.Errorf("stop took a reboot for the end: state %s, tools %q", w.state().Phase, n.calls)
		}
		w.ok()
	}
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	w.must(n.do("start"))
	n.g = guest{mounted: true}
	began := w.clock.now
	if err := n.do("status"); err == nil || w.clock.now.Sub(began) > 11e9 {
		t.Errorf("%v after %s", err, w.clock.now.Sub(began))
	}
}

// xl was killed while it saved, and the domain stands suspended for ever: the same stop ends it cold.
func TestSaveThatLeavesItSuspended(t *testing.T) {
	for params, want := range map[string]string{"": "[save thaw thaw shutdown destroy]", "suspend-only": "[save thaw]"} {
		w := newWorld(t, "xen", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		n.fails["save"] = failure{times: 1, effect: func(n *node) { n.g.state, n.g.suspended = hypervisor.Migrating, true }}
		n.fails["shutdown"] = failure{}
		err := n.do("stop", map[string]string{"on_stop": params})
		if (err == nil) != (params == "") || fmt.Sprint(n.calls) != want {
			t.Errorf("%q: %v by %q", params, err, n.calls)
		}
		if params == "" && w.state().Phase != handoff.Down || len(w.litter()) > 0 {
			t.Errorf("%q: state %s, left %q", params, w.state().Phase, w.litter())
		}
		w.ok()
	}
}

// A domain that stands still as one that is being moved or saved, and that nothing of ours moves: a few checks tolerate
// that, then the manager is told, and its stop ends what is left. As long as an action or its tool works on it, which the
// node's lock shows, it runs.
func TestStandsStillAndNobodyMovesIt(t *testing.T) {
	for name, still := range map[string]func(n *node){
		"suspended by xl": func(n *node) { n.g.state, n.g.suspended = hypervisor.Migrating, true },
		"half a copy":     func(n *node) { n.g.state, n.g.handed = hypervisor.Migrating, true },
		"it moves":        func(n *node) { n.g.state = hypervisor.Migrating },
	} {
		w := newWorld(t, "xen", "node1", "node2")
		n := w.nodes["node1"]
		w.must(n.do("start"))
		still(n)
		lock := filepath.Join(n.root, host.RunDir, "xen-101"+nodeLock)
		held, err := lockfile.Try(lock, "a save")
		w.must(err)
		for range 2 * defaultUnknown {
			if err := n.do("status"); err != nil {
				t.Errorf("%s, and somebody works on it: %v", name, err)
			}
		}
		w.must(held.Close())
		for i := range 2 * defaultUnknown {
			err := n.do("status")
			if over := name != "it moves" && i >= defaultUnknown; over != (err != nil) || errors.Is(err, ocf.ErrNotRunning) {
				t.Errorf("%s, check %d: %v", name, i+1, err)
			}
		}
		isRunning(n) // an answer begins the count anew
		w.must(n.do("status"))
		still(n)
		w.must(n.do("status"))
		if err := n.do("stop"); (err == nil) != (name != "half a copy") {
			t.Errorf("%s: stop: %v", name, err)
		}
		w.ok()
	}
}
