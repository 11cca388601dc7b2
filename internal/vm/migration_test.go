package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// A migration that fails at any of its steps. Pacemaker stops both sides, in any order, and starts on one of them.
func TestPacemakerMigrationFails(t *testing.T) {
	killAt := func(w *world, point string) {
		w.at = func(_ *node, p string) error {
			if p == point {
				w.at = nil
				panic(killed{p})
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		fault  func(w *world, x, y *node)
		to     int  // migrate_to's code
		from   int  // migrate_from's; -1: it is not called
		memory bool // is kept
	}{
		{"nobody is told", func(w *world, x, y *node) { w.failAt = map[string]error{"state:sending": errTool} }, 1, -1, true},
		{"the tool fails, the guest stays", func(w *world, x, y *node) { x.fails["migrate"] = failure{} }, 1, -1, true},
		{"the members are not known", func(w *world, x, y *node) { w.lostKernel = true }, 1, -1, true},
		{"the target is no member", func(w *world, x, y *node) { y.online = false }, 1, -1, true},
		{"the tool fails and half a copy stays", func(w *world, x, y *node) {
			x.fails["migrate"] = failure{effect: func(n *node) { n.g = guest{state: hypervisor.Remains} }, times: 1}
		}, 1, -1, false},
		{"the tool fails and the guest is there", func(w *world, x, y *node) {
			x.fails["migrate"] = failure{effect: func(n *node) { y.g, n.g = n.g, guest{}; y.runs() }, times: 1}
		}, 1, -1, true},
		{"killed before the tool", func(w *world, x, y *node) { killAt(w, "tool:migrate") }, -1, -1, true},
		{"killed after the tool", func(w *world, x, y *node) { killAt(w, "tool:migrate:done") }, -1, -1, true},
		{"killed before it is written that it was sent", func(w *world, x, y *node) { killAt(w, "state:sent") }, -1, -1, true},
		{"killed after it was written", func(w *world, x, y *node) { killAt(w, "state:sent:done") }, -1, -1, true},
		{"half sent when it is killed", func(w *world, x, y *node) {
			w.at = func(n *node, p string) error {
				if p == "tool:migrate" {
					w.at = nil
					x.g.state, y.g.state = hypervisor.Migrating, hypervisor.Torso
					panic(killed{p})
				}
				return nil
			}
		}, -1, -1, false},
		{"lost on its way", func(w *world, x, y *node) {
			w.at = func(n *node, p string) error {
				if p == "state:sent:done" {
					w.at, y.g = nil, guest{}
				}
				return nil
			}
		}, 0, 1, false},
		{"it hangs on arrival", func(w *world, x, y *node) {
			w.at = func(n *node, p string) error {
				if p == "state:sent:done" {
					w.at, y.g = nil, guest{state: hypervisor.Arriving}
				}
				return nil
			}
		}, 0, 1, false},
		{"the target cannot see the share", func(w *world, x, y *node) {
			w.at = func(n *node, p string) error {
				if p == "state:sent:done" {
					w.at = nil
					w.must(os.Remove(filepath.Join(y.root, "shared")))
				}
				return nil
			}
		}, 0, 1, false},
		{"the adoption cannot be written", func(w *world, x, y *node) {
			w.at = func(n *node, p string) error {
				if n == y && p == "state:running" {
					w.at = nil
					return errTool
				}
				return nil
			}
		}, 0, 1, true},
	} {
		for _, order := range []string{"source first", "target first"} {
			for _, back := range []bool{false, true} {
				w, x, y := pair(t)
				incarnation := x.g.incarnation
				c.fault(w, x, y)
				name := c.name + ", " + order
				if got := x.pcmkKilled("migrate_to", toY); got != c.to {
					t.Errorf("%s: migrate_to: exit %d\n%s", name, got, strings.Join(x.logs, "\n"))
				}
				if c.from >= 0 {
					if got := y.pcmk("migrate_from", fromX); got != c.from {
						t.Errorf("%s: migrate_from: exit %d\n%s", name, got, strings.Join(y.logs, "\n"))
					}
					for _, call := range y.calls {
						t.Errorf("%s: migrate_from used %s", name, call)
					}
				}
				w.failAt = nil
				stops := []*node{x, y}
				if order == "target first" {
					stops = []*node{y, x}
				}
				// Pacemaker runs both at once: the first to wait lets the other do its work.
				other := 0
				w.clock.onSleep = func() {
					w.clock.onSleep = nil
					other = stops[1].pcmk("stop")
					other += 1000
				}
				if got := stops[0].pcmk("stop"); got != 0 {
					t.Errorf("%s: stop of %s: exit %d\n%s", name, stops[0].name, got, strings.Join(stops[0].logs, "\n"))
				}
				w.clock.onSleep = nil
				if other != 1000 {
					if got := stops[1].pcmk("stop"); got != 0 {
						t.Errorf("%s: stop of %s: exit %d (at once: %d)\n%s", name, stops[1].name, got, other, strings.Join(stops[1].logs, "\n"))
					}
				}
				n := y
				if back {
					n = x
				}
				if share := filepath.Join(y.root, "shared"); c.name == "the target cannot see the share" {
					// The record still names the target, which alone may clear it.
					if got := x.pcmk("start"); got != 1 {
						t.Errorf("%s: start on %s: exit %d", name, x.name, got)
					}
					w.must(os.Symlink(w.shared, share))
					n = y
				}
				w.lostKernel, y.online = false, true
				if got := n.pcmk("start"); got != 0 {
					t.Errorf("%s: start on %s: exit %d, state %s\n%s", name, n.name, got, stateText(w.state()), strings.Join(n.logs, "\n"))
				}
				if kept := n.g.incarnation == incarnation; kept != c.memory {
					t.Errorf("%s: memory kept %v, want %v", name, kept, c.memory)
				}
				if l := w.litter(); len(l) != 0 {
					t.Errorf("%s: left behind %q", name, l)
				}
				w.ok()
			}
		}
	}
}

// pcmkKilled is pcmk for an agent that may be killed: -1 then.
func (n *node) pcmkKilled(action string, env ...string) (code int) {
	code = n.pcmk(action, env...)
	for _, l := range n.logs {
		if strings.Contains(l, "panic: {") { // killed is a panic, and the library catches those
			return -1
		}
	}
	return code
}

// The target's stop waits for a sender that takes its time, and then still has time to wait for the lock that the
// sender's tool holds to its end.
func TestStopWaitsForTheSender(t *testing.T) {
	w, x, y := pair(t)
	w.at = func(n *node, p string) error {
		if p == "tool:migrate" {
			w.at = nil
			panic(killed{p})
		}
		return nil
	}
	if got := x.pcmkKilled("migrate_to", toY); got != -1 {
		t.Fatalf("exit %d", got)
	}
	keeper, err := w.dir().TryLock("the tool's keeper")
	w.must(err)
	g, naps := x.g, 0
	x.g.state, y.g.state = hypervisor.Migrating, hypervisor.Torso
	began := w.clock.now
	w.clock.onSleep = func() {
		switch naps++; {
		case naps == 150:
			x.g, y.g = guest{}, g
			y.runs()
		case keeper != nil && w.clock.now.Sub(began) > 155*time.Second:
			w.must(keeper.Unlock())
			keeper = nil
		}
	}
	y.wants(t, "stop", y.pcmk("stop"), 0, "[save]", "suspended")
	x.wants(t, "stop", x.pcmk("stop"), 0, "[]", "suspended")
	w.ok()
}

// A copy that nobody announced is left alone at once.
func TestStopDoesNotWaitForStrangers(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	w.put(handoff.Running, "node2", "")
	n := w.nodes["node1"]
	n.g.state = hypervisor.Arriving
	began := w.clock.now
	n.wants(t, "stop", n.pcmk("stop"), 1, "[]", "running node2")
	if took := w.clock.now.Sub(began); took > 0 {
		t.Errorf("it took %s", took)
	}
}
