package vm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
)

// overtake writes the record as a node does to which storage that was away has given the lock: another VM folder is
// written by the rules, and its record put in place of this one's.
func (w *world) overtake(next handoff.State) {
	w.t.Helper()
	other := w.t.TempDir()
	from := filepath.Join(w.dir().Path(), "state")
	w.must(os.MkdirAll(filepath.Join(other, "lbvm"), 0o755))
	d, err := handoff.Open(other, w.typ, "101")
	w.must(err)
	l, err := d.TryLock("another")
	w.must(err)
	defer l.Unlock()
	text, err := os.ReadFile(from)
	if err == nil {
		w.must(os.WriteFile(filepath.Join(d.Path(), "state"), text, 0o600))
	}
	_, err = l.Write(next)
	w.must(err)
	text, err = os.ReadFile(filepath.Join(d.Path(), "state"))
	w.must(err)
	w.must(os.WriteFile(from, text, 0o600))
}

// The shared storage was away in the middle of an action, and its lock was given to another, who has written the
// record. The action writes no more: the record stays as the other has made it.
func TestActionThatWasOvertaken(t *testing.T) {
	for _, c := range []struct {
		action string
		phase  handoff.Phase
		at     string
		next   handoff.Phase // of the other
		guest  func(*node)
	}{
		{"stop", handoff.Running, "part", handoff.Running, isRunning},
		{"stop", handoff.Running, "state:held", handoff.Running, isRunning},
		{"stop", handoff.Running, "state:suspended", handoff.Running, isRunning},
		{"start", handoff.Suspended, "claim", handoff.Resuming, nil},
		{"start", handoff.Down, "state:starting", handoff.Starting, nil},
		{"start", handoff.Down, "state:running", handoff.Down, nil},
	} {
		t.Run(c.action+" at "+c.at, func(t *testing.T) {
			w := newWorld(t, "openvz", "node1", "node2")
			w.put(c.phase, "node1", "")
			n := w.nodes["node1"]
			if c.guest != nil {
				c.guest(n)
			}
			var made handoff.State
			w.at = func(_ *node, point string) error {
				if point != c.at || made.Seq > 0 {
					return nil
				}
				st := w.state()
				next := handoff.State{Phase: c.next, Why: "overtaken", Txn: st.Txn}
				switch c.next {
				case handoff.Running, handoff.Starting:
					next.Node, next.Boot = "node2", "boot"
				case handoff.Resuming:
					next.Node, next.Boot, next.Image = "node2", "boot", st.Image
				}
				w.overtake(next)
				made = w.state()
				return nil
			}
			err := n.do(c.action, map[string]string{})
			if made.Seq == 0 {
				t.Fatalf("it never came to %s", c.at)
			}
			if !errors.Is(err, handoff.ErrOvertaken) {
				t.Errorf("it answers %v", err)
			}
			if now := w.state(); now != made {
				t.Errorf("the record was %s of %s, and is %s of %s", made.Phase, made.Node, now.Phase, now.Node)
			}
		})
	}
}
