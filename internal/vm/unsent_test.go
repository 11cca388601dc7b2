package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// A stop that was to push its guest to a node that leaves keeps the memory in an image: it does not fail for that.
func TestAStopWhoseTargetLeavesKeepsTheMemory(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2", "node3")
	x, y, z := w.nodes["node1"], w.nodes["node2"], w.nodes["node3"]
	w.must(x.do("start"))
	before := x.g.incarnation
	i := w.ticket(handoff.Live, x, y)
	h, err := host.New(y.root)
	w.must(err)
	w.must(h.NoteLeaving(w.shared, "node2"))
	x.fails["migrate"] = failure{effect: func(*node) { t.Error("it is pushed to a node that leaves") }}
	w.must(x.do("stop"))
	w.must(i.Withdraw())
	if st := w.state(); st.Phase != handoff.Suspended || y.g != (guest{}) {
		t.Errorf("%s; node2 has %s", stateText(st), y.g.state)
	}
	w.must(z.do("start"))
	if z.g.incarnation != before {
		t.Error("its memory was lost")
	}
	w.ok()
}

// A guest of which nothing but its process is known may be half a copy that a push has left behind: no action takes it for
// one that runs, as long as the record says that it is being sent.
func TestAProcessAloneIsNoGuestThatStayed(t *testing.T) {
	w := newWorld(t, "kvm", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	half := func(n *node) { // the end is undefined, and the tool says nothing from now on
		y.g, n.g = n.g, guest{state: hypervisor.Running, presumed: true}
	}
	x.fails["migrate"] = failure{times: 1, effect: half}
	if err := x.do("migrate node2"); err == nil || stillHere(err) {
		t.Errorf("migrate: %v", err)
	}
	for _, action := range []string{"stop", "start"} {
		seq := w.state().Seq
		if err := x.do(action); err == nil || !strings.Contains(err.Error(), "does not say whether it runs") {
			t.Errorf("%s: %v", action, err)
		}
		if st := w.state(); st.Phase != handoff.Sending || st.Seq != seq {
			t.Errorf("%s: %s", action, stateText(st))
		}
	}
}

// Where the tool's daemon is down before anything begins, a migration is refused: the guest runs on, its record does not say
// that it is being sent, and its service does not fail.
func TestNothingIsPushedWithoutTheDaemon(t *testing.T) {
	w := newWorld(t, "kvm", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	x.g.presumed = true
	x.fails["migrate"] = failure{} // as it fails then
	before := w.state()
	if err := x.do("migrate node2"); !stillHere(err) || !strings.Contains(err.Error(), "daemon is down") || len(x.calls) != 0 {
		t.Errorf("migrate: %v after %q", err, x.calls)
	}
	if st := w.state(); st.Seq != before.Seq {
		t.Errorf("the record was changed: %s", stateText(st))
	}
	x.g.presumed = false // the daemon is back
	delete(x.fails, "migrate")
	w.must(x.do("migrate node2"))
	w.must(y.do("status"))
	w.ok()

	// Without shared storage too.
	w = newWorld(t, "kvm", "node1", "node2")
	x = w.nodes["node1"]
	w.alone()
	w.must(x.do("start"))
	x.g.presumed = true
	if err := x.do("migrate node2"); !stillHere(err) || len(x.calls) != 0 {
		t.Errorf("alone: %v after %q", err, x.calls)
	}
}

// alone takes the shared storage from all nodes, as `lbm init --no-shared` does.
func (w *world) alone() {
	for _, n := range w.nodes {
		w.must(os.WriteFile(filepath.Join(n.root, host.IDFile), []byte("format=1\ncluster=c\nuuid=u\nmember="+n.name+"\nshared=none\nlogdir=/log\n"), 0o644))
	}
}
