package vm

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// killAt kills the agent that comes to the k-th point from now on.
func (w *world) killAt(k int) {
	count := 0
	w.at = func(_ *node, point string) error {
		if count++; count == k {
			w.at = nil
			panic(killed{point})
		}
		return nil
	}
}

// scenario is a way of handing a VM over, with or without a fault beside the kill.
type scenario struct {
	name    string
	typ     string
	prepare func(w *world) // the VM has been started on node1
	cold    bool           // the memory is lost on the way even without a kill
	again   bool           // it is started on node1 again, not stopped there and started on node2
}

// cutOff kills the stop on node1 at a point.
func cutOff(point string) func(w *world) {
	return func(w *world) {
		w.at = func(_ *node, p string) error {
			if p == point {
				w.at = nil
				panic(killed{p})
			}
			return nil
		}
		if err := w.nodes["node1"].do("stop"); !errors.Is(err, errKilled) {
			w.t.Fatalf("not killed: %v", err)
		}
	}
}

func scenarios() []scenario {
	live := func(w *world) { w.ticket(handoff.Live, w.nodes["node1"], w.nodes["node2"]) }
	return []scenario{
		{"by image", "openvz", nil, false, false},
		{"by image", "xen", nil, false, false},
		{"live", "xen", live, false, false},
		{"live, it stays", "xen", both(live, fail("migrate")), false, false},
		{"live, it is lost on the way", "xen", both(live, migrates(func(n, to *node) { n.g = guest{} })), true, false},
		{"live, end unknown, it arrives", "xen", both(live, migrates(func(n, to *node) {
			to.g, n.g = n.g, guest{state: hypervisor.Remains}
			to.g.state = hypervisor.Arriving
			n.w.clock.onSleep = func() {
				if to.g.state == hypervisor.Arriving {
					to.runs()
				}
			}
		})), true, false},
		{"live, end unknown, nothing arrives", "xen", both(live, migrates(func(n, to *node) { n.g = guest{state: hypervisor.Remains} })), true, false},
		{"dumping fails", "openvz", fail("dump"), true, false},
		{"saving fails", "xen", fail("save"), true, false},
		{"kill refused once", "openvz", once("kill"), false, false},
		{"umount busy once", "openvz", once("unmount"), false, false},
		{"sick", "openvz", sick, true, false},
		{"sick while it is held", "openvz", func(w *world) {
			once("kill")(w)
			if w.nodes["node1"].do("stop") == nil || w.state().Phase != handoff.Held {
				w.t.Fatal("the state is not held")
			}
			w.nodes["node1"].g.state = hypervisor.Paused // where it can be seen
			sick(w)
		}, true, false},
		{"restoring fails", "openvz", func(w *world) { w.nodes["node2"].fails["restore"] = failure{} }, true, false},
		{"no room for the image", "openvz", func(w *world) { w.failAt = map[string]error{"meta": syscall.ENOSPC} }, true, false},
		{"no room for the image", "xen", func(w *world) { w.failAt = map[string]error{"meta": syscall.ENOSPC} }, true, false},
		{"no room for a state", "openvz", func(w *world) { w.failAt = map[string]error{"state:held": syscall.ENOSPC} }, true, false},
		{"started again while it is frozen", "openvz", cutOff("note:done"), false, true},
		{"started again while it is held", "openvz", cutOff("state:held:done"), false, true},
		{"cold", "openvz", func(w *world) { w.ticket(handoff.Cold, w.nodes["node1"], w.nodes["node2"]) }, true, false},
	}
}

// migrates makes the push on node1 fail after effect.
func migrates(effect func(n, to *node)) func(w *world) {
	return func(w *world) {
		w.nodes["node1"].fails["migrate"] = failure{times: 1, effect: func(n *node) { effect(n, w.nodes["node2"]) }}
	}
}

func once(tool string) func(w *world) {
	return func(w *world) { w.nodes["node1"].fails[tool] = failure{times: 1} }
}

// recoveries are what the manager and the administrator may ask for after an agent was killed on x.
var recoveries = []struct {
	name string
	do   func(x, y *node)
}{
	{"stop x, start y", func(x, y *node) { x.do("stop"); y.do("start") }},
	{"start y, start x", func(x, y *node) { y.do("start"); x.do("start") }},
	{"stop y, stop x, start x", func(x, y *node) { y.do("stop"); x.do("stop"); x.do("start") }},
	{"status everywhere, stop x", func(x, y *node) { x.do("status"); y.do("status"); x.do("stop") }},
	{"the guest crashes, stop x, start y", func(x, y *node) {
		for _, n := range []*node{x, y} {
			if n.g.alive() {
				n.g = guest{}
			}
		}
		x.do("stop")
		y.do("start")
	}},
	{"the guest crashes, start y, start x", func(x, y *node) {
		for _, n := range []*node{x, y} {
			if n.g.alive() {
				n.g = guest{}
			}
		}
		y.do("start")
		x.do("start")
	}},
	{"x dies, start y", func(x, y *node) { x.dies(); y.do("start") }},
	{"x reboots, start y", func(x, y *node) { x.reboot(); y.do("start"); x.do("stop") }},
	{"x reboots and joins, start y", func(x, y *node) { x.reboot(); x.w.publishBoot(x.name); x.do("stop"); y.do("start") }},
	{"y dies", func(x, y *node) { y.dies(); x.do("stop"); x.do("start") }},
	{"y reboots", func(x, y *node) { y.reboot(); y.do("stop"); x.do("stop"); y.do("start") }},
	{"booted and halted by hand on y", func(x, y *node) {
		if !x.g.alive() && x.g.state != hypervisor.Arriving && y.g.state == hypervisor.Unknown {
			y.byHand()
		}
		y.do("start")
	}},
}

// recover asks until the VM runs once, as a patient administrator does.
func (w *world) recover() error {
	var last error
	for round := 0; round < 4; round++ {
		for _, name := range w.order {
			n := w.nodes[name]
			if !n.online {
				n.online, n.fenced = true, false
				n.do("stop") // rgmanager's at its start
			}
			clear(n.fails)
			clear(w.failAt)
		}
		for _, name := range w.order {
			n := w.nodes[name]
			st := w.state()
			if n.g.state == hypervisor.Running && !n.g.frozen && st.Phase == handoff.Running && st.Node == n.name {
				return w.settled(n)
			}
		}
		for _, name := range w.order {
			last = errors.Join(last, w.nodes[name].do("stop"))
		}
		for _, name := range w.order {
			err := w.nodes[name].do("start")
			if err == nil {
				break
			}
			last = errors.Join(last, err)
		}
	}
	return fmt.Errorf("the VM does not come back: state %s; %w", stateText(w.state()), last)
}

// settled checks a VM that runs on n.
func (w *world) settled(n *node) error {
	for _, o := range w.nodes {
		// Half a copy may stay until the next stop or start there: it can never run again.
		if o != n && o.g.state != hypervisor.Unknown && o.g.state != hypervisor.Remains {
			return fmt.Errorf("it runs on %s, and on %s it is %s", n.name, o.name, o.g.state)
		}
	}
	return n.do("status")
}

// Killed at every durable step and at every tool of a hand-off, whatever is asked for then: the VM never runs twice, no
// memory is used twice or too late, and it comes back.
func TestKilledAtEveryPoint(t *testing.T) {
	cases, after := 0, recoveries
	if testing.Short() {
		after = after[:2]
	}
	for _, s := range scenarios() {
		for k := 1; ; k++ {
			point := ""
			for _, r := range after {
				w := newWorld(t, s.typ, "node1", "node2")
				x, y := w.nodes["node1"], w.nodes["node2"]
				w.must(x.do("start"))
				if s.prepare != nil {
					s.prepare(w)
				}
				w.killAt(k)
				victim := x
				first, then := "stop", y
				if s.again {
					first, then = "start", x
				}
				err := x.do(first)
				if !errors.Is(err, errKilled) {
					victim = then
					if err != nil { // the manager gives it up; somebody disables it, and stop runs again
						err = x.do(first)
					}
					if !errors.Is(err, errKilled) {
						err = then.do("start")
					} else {
						victim = x
					}
				}
				w.at = nil
				if !errors.Is(err, errKilled) {
					w.remove()
					break
				}
				point = err.Error()
				other := y
				if victim == y {
					other = x
				}
				cases++
				where := fmt.Sprintf("%s %s, %v, then %s", s.typ, s.name, err, r.name)
				r.do(victim, other)
				if err := w.recover(); err != nil {
					t.Errorf("%s: %v", where, err)
				}
				for _, v := range w.violations {
					t.Errorf("%s: %s", where, v)
				}
				if l := w.litter(); len(l) != 0 && !onlyTicket(l) {
					t.Errorf("%s: left behind %q", where, l)
				}
				if t.Failed() {
					t.Fatal("stopped at the first fault")
				}
				w.remove()
			}
			if point == "" {
				break
			}
		}
	}
	t.Logf("%d cases", cases)
	if cases < 400*len(after) {
		t.Errorf("only %d cases", cases)
	}
}

// onlyTicket: the relocator of these tests lives on and has not withdrawn its ticket.
func onlyTicket(names []string) bool {
	for _, n := range names {
		if n != "ticket" && n != "ticket.used" && len(n) < len("refused.") {
			return false
		}
	}
	return true
}

// Without a kill every scenario ends well, and only those keep no memory that cannot.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios() {
		if s.again {
			continue
		}
		w := newWorld(t, s.typ, "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		incarnation := x.g.incarnation
		if s.prepare != nil {
			s.prepare(w)
		}
		if err := x.do("stop"); err != nil {
			w.must(x.do("stop"))
		}
		w.must(y.do("start"))
		if kept := y.g.incarnation == incarnation; kept == s.cold && s.name != "live, end unknown, it arrives" {
			t.Errorf("%s %s: memory kept: %v", s.typ, s.name, kept)
		}
		w.ok()
	}
}

// A guest that ends while it is frozen, after its dump was called whole, loses nothing.
func TestNotedDumpIsUsed(t *testing.T) {
	w := newWorld(t, "openvz", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	cutOff("note:done")(w)
	x.g = guest{mounted: true}
	w.must(x.do("stop"))
	w.must(y.do("start"))
	if y.g.incarnation != incarnation {
		t.Error("the memory is lost")
	}
	w.ok()
}

// The same, before the tool has called it whole: nobody may use it.
func TestUnnotedDumpIsNotUsed(t *testing.T) {
	w := newWorld(t, "openvz", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	cutOff("tool:dump:done")(w)
	x.g = guest{}
	w.must(x.do("stop"))
	w.must(y.do("start"))
	if y.g.incarnation == incarnation {
		t.Error("a dump that nobody called whole was used")
	}
	w.ok()
}

// Without room for the last write of a stop whose node is clean the stop succeeds: a start here stays possible, and
// another node refuses.
func TestNoRoomForTheState(t *testing.T) {
	for phase, param := range map[string]string{"state:suspended": "suspend", "state:down": "shutdown"} {
		w := newWorld(t, "openvz", "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		w.failAt = map[string]error{phase: syscall.ENOSPC}
		w.must(x.do("stop", map[string]string{"on_stop": param}))
		clear(w.failAt)
		if err := y.do("start"); err == nil {
			t.Errorf("%s: another node starts it", phase)
		}
		w.must(x.do("start"))
		w.ok()
	}
}
