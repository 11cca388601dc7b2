package vm

import (
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// A node that is set up wrongly starts nothing; its memory waits for another one, and what runs there is stopped as ever.
func TestForbiddenNodeStartsNothing(t *testing.T) {
	wrong := errors.New("LOCKDIR lies on the shared storage")
	for _, phase := range []handoff.Phase{handoff.NoRecord, handoff.Down, handoff.Suspended} {
		w := newWorld(t, "openvz", "node1", "node2")
		n := w.nodes["node1"]
		if phase != handoff.NoRecord {
			w.must(n.do("start"))
			w.must(n.do("stop", map[handoff.Phase]map[string]string{handoff.Down: {"on_stop": "shutdown"}}[phase]))
		}
		before := w.state()
		w.forbids = wrong
		if err := n.do("start"); !errors.Is(err, wrong) || !strings.Contains(err.Error(), "not starting") || n.g.alive() {
			t.Errorf("%s: %v", phase, err)
		}
		if st := w.state(); st.Seq != before.Seq {
			t.Errorf("%s: the record was changed: %s", phase, stateText(st))
		}
		w.must(w.nodes["node2"].do("start"))
		if booted := w.state().Txn == ""; booted != (phase != handoff.Suspended) {
			t.Errorf("%s: the other node has lost its memory, or found one: %s", phase, stateText(w.state()))
		}
		w.ok()
	}
	w := newWorld(t, "openvz", "node1")
	n := w.nodes["node1"]
	w.must(n.do("start"))
	w.forbids = wrong
	w.must(n.do("start")) // it runs
	w.must(n.do("status"))
	w.must(n.do("stop"))
	w.ok()
}
