package vm

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Nothing is pushed to a node that is about to leave the cluster, also when it says so at the last moment: it has looked
// for what is sent to it by then, or looks after it has said so.
func TestNothingIsSentToANodeThatLeaves(t *testing.T) {
	for _, early := range []bool{true, false} {
		w := newWorld(t, "xen", "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		note := func() {
			h, err := host.New(y.root)
			w.must(err)
			w.must(h.NoteLeaving(w.shared, "node2"))
		}
		if early {
			note()
		} else {
			w.at = func(n *node, p string) error {
				if n == x && p == "state:sending" {
					note()
				}
				return nil
			}
		}
		if err := x.do("migrate node2"); !stillHere(err) || !strings.Contains(err.Error(), "about to leave the cluster") || len(x.calls) != 0 {
			t.Errorf("early %v: %v after %q", early, err, x.calls)
		}
		if st := w.state(); st.Phase != handoff.Running || st.Node != "node1" {
			t.Errorf("early %v: the record says %s", early, stateText(st))
		}
		h, err := host.New(y.root)
		w.must(err)
		w.must(h.DropLeaving(w.shared, "node2"))
		w.at = nil
		w.must(x.do("migrate node2"))
		w.ok()
	}
}

// Where the tool's daemon went down while it pushed the guest, a process that is left proves nothing: it may be half a copy
// that stands still. The record does not say that it runs here.
func TestAPresumedGuestIsNotTheOldOne(t *testing.T) {
	w := newWorld(t, "kvm", "node1", "node2")
	x := w.nodes["node1"]
	w.must(x.do("start"))
	x.fails["migrate"] = failure{effect: func(n *node) { n.g.presumed = true }, times: 1}
	if err := x.do("migrate node2"); err == nil || stillHere(err) {
		t.Errorf("%v", err)
	}
	if st := w.state(); st.Phase != handoff.Sending {
		t.Errorf("the record says %s", stateText(st))
	}
	x.g = guest{state: hypervisor.Running, incarnation: x.g.incarnation} // the daemon is back
	w.must(x.do("status"))
}
