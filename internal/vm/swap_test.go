package vm

import (
	"os"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// swap puts an empty folder where the shared storage was, as when it is unmounted by force, until back is called.
func (w *world) swap() (back func()) {
	away := w.shared + ".away"
	w.must(os.Rename(w.shared, away))
	w.must(os.Mkdir(w.shared, 0o755))
	w.must(os.Mkdir(w.shared+"/disk", 0o755)) // the guest's disk is elsewhere and stays
	w.must(os.Rename(away+"/disk/root", w.disk()))
	return func() {
		w.must(os.Rename(w.disk(), away+"/disk/root"))
		w.must(os.RemoveAll(w.shared))
		w.must(os.Rename(away, w.shared))
	}
}

// The shared storage is gone in the middle of a stop, just when the image lies there whole, and comes back later. The
// guest may not go on while that image can still be used.
func TestShareGoesAwayInAStop(t *testing.T) {
	for _, point := range []string{"note:done", "publish:done", "state:held:done"} {
		w := newWorld(t, "openvz", "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		var back func()
		w.at = func(_ *node, p string) error {
			if p == point {
				w.at, back = nil, w.swap()
				x.fails["kill"] = failure{}
			}
			return nil
		}
		if err := x.do("stop"); err == nil {
			t.Errorf("%s: the stop succeeded", point)
		}
		if !x.g.frozen { // it goes on, writes to its disk, and crashes
			x.touch()
		}
		x.g = guest{mounted: true}
		back()
		clear(x.fails)
		w.must(x.do("stop"))
		w.must(y.do("start"))
		if st := w.state(); st.Phase != handoff.Running {
			t.Errorf("%s: %s", point, st.Phase)
		}
		w.ok()
	}
}
