package vm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// daemonFor takes the tool's daemon down on a node, for so many seconds of the agent's clock.
func (w *world) daemonFor(n *node, seconds int) {
	n.g.presumed = true
	back := w.clock.Now().Unix() + int64(seconds)
	w.clock.onSleep = func() {
		if w.clock.Now().Unix() >= back {
			n.g.presumed, w.clock.onSleep = false, nil
		}
	}
}

// A stop that falls into a restart of libvirtd waits for it: the guest that runs on meanwhile keeps its memory. So it does when
// the daemon goes down while the memory is being written.
func TestAStopWaitsForTheDaemon(t *testing.T) {
	for _, at := range []string{"before", "while it saves"} {
		for _, seconds := range []int{1, 5, 40, 90} {
			w := newWorld(t, "kvm", "node1", "node2")
			x, y := w.nodes["node1"], w.nodes["node2"]
			w.must(x.do("start"))
			before := x.g.incarnation
			if at == "before" {
				w.daemonFor(x, seconds)
			} else {
				x.fails["save"] = failure{times: 1, effect: func(n *node) { w.daemonFor(n, seconds) }}
			}
			if err := x.do("stop"); err != nil || slices.Contains(x.calls, "destroy") || slices.Contains(x.calls, "shutdown") {
				t.Errorf("%s, down for %d s: %v after %q", at, seconds, err, x.calls)
			}
			if st := w.state(); st.Phase != handoff.Suspended {
				t.Errorf("%s, down for %d s: %s", at, seconds, stateText(st))
			}
			w.must(y.do("start"))
			if y.g.incarnation != before {
				t.Errorf("%s, down for %d s: its memory was lost", at, seconds)
			}
			w.ok()
		}
	}
}

// So does one that is to shut the guest down, and one without shared storage: it is asked to go, not destroyed.
func TestAColdStopWaitsForTheDaemon(t *testing.T) {
	for _, seconds := range []int{1, 5, 40, 90, 150} {
		for _, share := range []bool{true, false} {
			w := newWorld(t, "kvm", "node1", "node2")
			x := w.nodes["node1"]
			if !share {
				w.alone()
			}
			w.must(x.do("start"))
			w.daemonFor(x, seconds)
			if err := x.do("stop", map[string]string{"on_stop": "shutdown"}); err != nil || slices.Contains(x.calls, "destroy") {
				t.Errorf("down for %d s, shared storage %v: %v after %q", seconds, share, err, x.calls)
			}
			w.ok()
		}
	}
}

// A daemon that does not come back ends in a stop that fails in time, with the guest untouched and recorded where it runs. So
// it is with a ticket to go live: nothing is pushed, and the record names no target that would have to be asked after a death.
func TestAStopWithoutTheDaemonFails(t *testing.T) {
	t.Run("without a ticket", func(t *testing.T) { stopWithoutDaemon(t, false) })
	t.Run("to go live", func(t *testing.T) { stopWithoutDaemon(t, true) })
}

func stopWithoutDaemon(t *testing.T, live bool) {
	w := newWorld(t, "kvm", "node1", "node2")
	x := w.nodes["node1"]
	w.must(x.do("start"))
	if live {
		w.ticket(handoff.Live, x, w.nodes["node2"])
	}
	x.g.presumed = true
	x.fails["migrate"] = failure{} // as it fails then
	begun := w.clock.Now()
	if err := x.do("stop"); err == nil {
		t.Error("stop: no error")
	}
	if took := w.clock.Now().Sub(begun); took > x.call(nil).Timeout {
		t.Errorf("it took %s", took)
	}
	if st := w.state(); st.Phase != handoff.Running || st.Node != "node1" || x.g.state != hypervisor.Running {
		t.Errorf("%s, and it is %s", stateText(st), x.g.state)
	}
	if slices.ContainsFunc(x.calls, func(c string) bool { return strings.HasPrefix(c, "migrate") }) {
		t.Errorf("it was pushed: %q", x.calls)
	}
	if !strings.Contains(fmt.Sprint(x.logs), "waited for") {
		t.Errorf("%q", x.logs)
	}
	w.ok()
}
