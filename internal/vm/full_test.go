package vm

import (
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// A share that is full when a start has claimed the image, and has room again later: the memory was not used, so it
// is still there.
func TestNoRoomToResume(t *testing.T) {
	for _, typ := range []string{"openvz", "xen"} {
		w := newWorld(t, typ, "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		incarnation := x.g.incarnation
		w.must(x.do("stop"))
		w.failAt = map[string]error{"state:resuming": syscall.ENOSPC, "state:starting": syscall.ENOSPC}
		for _, n := range []*node{y, x} {
			if err := n.do("start"); err == nil {
				t.Errorf("%s: started on %s without a record of it", typ, n.name)
			}
		}
		clear(w.failAt)
		w.must(y.do("start"))
		if y.g.incarnation != incarnation {
			t.Errorf("%s: the memory is lost:\n%s", typ, w.journal())
		}
		w.ok()
	}
}

// The used image is what fills the share: it goes, and the guest that runs from it is this node's.
func TestNoRoomForTheResumed(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	w.must(x.do("stop"))
	w.at = func(_ *node, point string) error {
		if point == "state:running" && strings.Contains(strings.Join(w.litter(), " "), "claim.") {
			return syscall.ENOSPC
		}
		return nil
	}
	w.must(y.do("start"))
	if st := w.state(); st.Phase != handoff.Running || st.Node != "node2" {
		t.Errorf("%s %s", st.Phase, st.Node)
	}
	w.ok()
}

// A migration that cannot even be announced has changed nothing: the service must not be given up for it.
func TestNoRoomToMigrate(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x := w.nodes["node1"]
	w.must(x.do("start"))
	w.failAt = map[string]error{"state:sending": syscall.ENOSPC}
	if err := x.do("migrate node2"); codeOf(err) != ocf.CodeStillHere {
		t.Errorf("%v", err)
	}
	if got := stateText(w.state()); got != "running node1" {
		t.Error(got)
	}
	w.must(x.do("status"))
	w.ok()
}
