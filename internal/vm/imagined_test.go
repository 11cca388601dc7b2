package vm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
)

// What is imagined to be out of use, used or published is so for what follows.
func TestImaginedFolder(t *testing.T) {
	w := newWorld(t, "openvz", "node1", "node2")
	w.put(handoff.Suspended, "node1", "")
	n := w.nodes["node1"]
	l, err := n.agent().begin(n.call(nil), "start")
	w.must(err)
	l.explains = &explanation{}
	w.must(l.reach())
	before := w.tree()
	if !l.imagine() {
		t.Fatal("it is real")
	}
	has := func(want bool) {
		t.Helper()
		if got, err := l.files.HasImage(txn); got != want || err != nil {
			t.Errorf("it has the image: %v, %v", got, err)
		}
	}
	has(true)
	w.must(l.held.Claim(txn, "node1"))
	w.must(l.held.Discard())
	has(false)
	if err := l.held.Claim(txn, "node1"); !errors.Is(err, handoff.ErrNoImage) {
		t.Errorf("claiming an image that is out of use: %v", err)
	}
	if ok, err := l.files.Noted(txn); ok || err != nil {
		t.Errorf("noted %v, %v", ok, err)
	}
	w.must(l.held.Note(txn))
	w.must(l.held.Publish(txn, handoff.Meta{}))
	has(true)
	if _, err := l.held.Write(handoff.State{Phase: handoff.Held}); !errors.Is(err, handoff.ErrTransition) {
		t.Errorf("a step that does not exist: %v", err)
	}
	st, err := l.held.Write(handoff.State{Phase: handoff.Starting, Node: "node1"})
	w.must(err)
	if again, err := l.files.Read(); err != nil || again != st || st.Seq != w.state().Seq+1 {
		t.Errorf("%+v, %v after %+v", again, err, st)
	}
	if w.tree() != before || w.state().Phase != handoff.Suspended {
		t.Error("the real folder has changed")
	}
}

// Waiting takes no time in an explanation, and comes to an end.
func TestLeap(t *testing.T) {
	w := newWorld(t, "openvz", "node1")
	start := w.clock.Now()
	c := newLeap(w.clock, time.Minute)
	ctx, cancel := c.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n := 0
	for ; n < 100 && c.Sleep(ctx, time.Second) == nil; n++ {
	}
	if n != 60 || w.clock.Now() != start || c.Now().Sub(start) != 61*time.Second {
		t.Errorf("%d times, %s, %s", n, w.clock.Now().Sub(start), c.Now().Sub(start))
	}
	cancel()
	if err := newLeap(w.clock, time.Minute).Sleep(ctx, time.Second); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
