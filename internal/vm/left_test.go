package vm

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// An action that still runs on a node which left keeps the note that it left: an older fencing of that node would
// otherwise be taken for its death, and the VM would run twice.
func TestNoteOfLeavingIsKept(t *testing.T) {
	for _, typ := range []string{"openvz", "xen"} {
		for _, back := range []bool{false, true} {
			w := newWorld(t, typ, "node1", "node2")
			x, y := w.nodes["node1"], w.nodes["node2"]
			w.must(x.do("start"))
			st := w.state()
			st.Left = true
			w.locked(func(l *handoff.Locked) {
				if _, err := l.Write(st); err != nil {
					t.Fatal(err)
				}
			})
			x.online, x.fenced = back, true // fenced long ago
			cutOff("state:suspending:done")(w)
			if st := w.state(); st.Phase != handoff.Suspending || st.Left == back {
				t.Errorf("%s, member again %v: state %s, left %v", typ, back, st.Phase, st.Left)
			}
			if err := y.do("start"); err == nil || !strings.Contains(err.Error(), "node1") {
				t.Errorf("%s, member again %v: started beside node1: %v", typ, back, err)
			}
			if y.g.incarnation != 0 {
				t.Errorf("%s, member again %v: a guest was made on node2", typ, back)
			}
		}
	}
}

// A node that is a member now has not left: what is told of it is what holds, and its own next write takes the note away.
func TestNoteOfLeavingOfAMember(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := newWorld(t, "xen", "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		w.locked(func(l *handoff.Locked) {
			if _, err := l.Leave("node1", x.boot, "", ""); err != nil {
				t.Fatal(err)
			}
		})
		x.online, x.fenced = back, true
		err := y.do("start")
		if err == nil || strings.Contains(err.Error(), "left the cluster in order") == back || strings.Contains(err.Error(), "a fencing or a boot of node1 frees") != back {
			t.Errorf("member again %v: %v", back, err)
		}
		w.must(x.do("start"))
		if st := w.state(); st.Left == back || st.Phase != handoff.Running {
			t.Errorf("member again %v: %s, left %v", back, st.Phase, st.Left)
		}
	}
}
