package amend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
)

// guests is what runs on this node.
type guests map[string]hypervisor.State

func (g guests) State(_ context.Context, vm string) (hypervisor.State, error) {
	if s, ok := g[vm]; ok && s == hypervisor.Unknown {
		return s, errors.New("no answer")
	}
	if s, ok := g[vm]; ok {
		return s, nil
	}
	return hypervisor.Absent, nil
}

func TestLeaving(t *testing.T) {
	for _, test := range []struct {
		name     string
		phase    handoff.Phase
		node, to string
		guest    hypervisor.State
		want     string
	}{
		{"it runs on", handoff.Running, "node1", "", hypervisor.Running, "running node1 (which left the cluster in order, with the VM on it)"},
		{"it has been stopped", handoff.Down, "", "", hypervisor.Absent, "down"},
		{"it is not here", handoff.Running, "node1", "", hypervisor.Absent, "running node1"},
		{"nobody knows whether it is here", handoff.Running, "node1", "", hypervisor.Unknown, "running node1 (which left the cluster in order, with the VM on it)"},
		{"mounted", handoff.Starting, "node1", "", hypervisor.Remains, "starting node1 (which left the cluster in order, with the VM on it)"},
		{"frozen, its image published", handoff.Held, "node1", "", hypervisor.Running, "held node1 (which left the cluster in order, with the VM on it)"},
		{"half saved", handoff.Suspending, "node1", "", hypervisor.Paused, "suspending node1 (which left the cluster in order, with the VM on it)"},
		{"being sent", handoff.Sending, "node1", "node2", hypervisor.Migrating, "sending node1 to node2 (which left the cluster in order, with the VM on it)"},
		{"it has arrived", handoff.Sent, "", "node1", hypervisor.Running, "running node1 (which left the cluster in order, with the VM on it)"},
		{"another's", handoff.Running, "node2", "", hypervisor.Running, "running node2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(test.phase, test.node, test.to)
			look := func(typ string) (Looker, error) {
				if typ != "openvz" {
					t.Errorf("asked for %s", typ)
				}
				return guests{"101": test.guest}, nil
			}
			before := w.all()
			dry := w.a
			dry.Dry = true
			if _, err := dry.Leaving(context.Background(), look); err != nil {
				t.Error(err)
			}
			w.unchanged(before)
			if _, err := w.a.Leaving(context.Background(), look); err != nil || w.record() != test.want {
				t.Errorf("%q, %v, want %q", w.record(), err, test.want)
			}
			// Once more there is nothing to do.
			before = w.all()
			if c, err := w.a.Leaving(context.Background(), look); err != nil || len(c) != 0 {
				t.Errorf("again: %+v, %v", c, err)
			}
			w.unchanged(before)
		})
	}
}

// What is not proved to run here is not taken from who has it, nor is the image of it thrown away.
func TestLeavingTakesNothingOver(t *testing.T) {
	for _, test := range []struct {
		name     string
		phase    handoff.Phase
		node, to string
		boot     string
	}{
		{"being sent here", handoff.Sending, "node2", "node1", "boot-1"},
		{"sent here", handoff.Sent, "", "node1", "boot-1"},
		{"held in an earlier boot", handoff.Held, "node1", "", "boot-9"},
	} {
		for _, is := range []hypervisor.State{hypervisor.Unknown, hypervisor.Torso, hypervisor.Arriving, hypervisor.Remains} {
			w := newWorld(t)
			w.put(test.phase, test.node, test.to)
			w.boot(test.boot)
			want := w.record()
			w.locked(func(l *handoff.Locked) error { _, err := l.Part(txn); return err })
			before := len(w.all()) + 2 // its boot, and that it leaves
			_, err := w.a.Leaving(context.Background(), func(string) (Looker, error) { return guests{"101": is}, nil })
			if !errors.Is(err, ErrRefused) || w.record() != want || len(w.all()) != before {
				t.Errorf("%s, %s: %v; the record says %s, wanted %s; %d files of %d", test.name, is, err, w.record(), want, len(w.all()), before)
			}
		}
	}
}

// What is on its way here is waited for: no fencing is due on a node that has left, so nothing would prove where the
// guest is.
func TestLeavingWaitsForWhatComes(t *testing.T) {
	for _, test := range []struct {
		name    string
		phase   handoff.Phase
		from    string
		sender  func(w *world, g guests) // what it does as it lets go of the lock
		want    string
		refused string
	}{
		{"it arrives", handoff.Sending, "node2", func(w *world, g guests) { w.put(handoff.Sent, "", "node1"); g["101"] = hypervisor.Running },
			"running node1 (which left the cluster in order, with the VM on it)", ""},
		{"it stays where it is", handoff.Sending, "node2", func(w *world, _ guests) { w.put(handoff.Running, "node2", "") }, "running node2", ""},
		{"its sender is dead, and nothing came", handoff.Sending, "node2", func(*world, guests) {}, "sending node2 to node1", ""},
		{"it has left its sender", handoff.Sending, "node2", func(w *world, _ guests) { w.put(handoff.Sent, "", "node1") }, "sent node1", "is not here"},
		{"it had left its sender", handoff.Sent, "", func(*world, guests) {}, "sent node1", "is not here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(test.phase, test.from, "node1")
			d, err := handoff.Open(w.shared, "openvz", "101")
			if err != nil {
				t.Fatal(err)
			}
			l, err := d.TryLock("the sender")
			if err != nil {
				t.Fatal(err)
			}
			g := guests{}
			w.a.Wait = &waiting{Clock: w.a.Wait, meanwhile: func() {
				if leaves, err := host.IsLeaving(w.shared, "node1"); err != nil || !leaves {
					t.Errorf("it waits before it has said that it leaves: %v, %v", leaves, err)
				}
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
				test.sender(w, g)
			}}
			_, err = w.a.Leaving(context.Background(), func(string) (Looker, error) { return g, nil })
			if test.refused == "" && err != nil || test.refused != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.refused)) {
				t.Errorf("%v, want %q", err, test.refused)
			}
			if got := w.record(); got != test.want {
				t.Errorf("the record says %q, want %q", got, test.want)
			}
			if _, err := w.a.Returned(context.Background()); err != nil {
				t.Error(err)
			}
			if leaves, err := host.IsLeaving(w.shared, "node1"); err != nil || leaves {
				t.Errorf("back, and still leaving: %v, %v", leaves, err)
			}
		})
	}
}

// The init system gives it a minute. What is here is noted before what is on its way here is waited for.
func TestLeavingNotesBeforeItWaits(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Running, "node1", "")
	d, err := handoff.Open(w.shared, "openvz", "100") // stands before 101
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.TryLock("the sender")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(handoff.State{Phase: handoff.Sending, Node: "node2", Boot: "boot-2", To: "node1", Txn: txn}); err != nil {
		t.Fatal(err)
	}
	waited := false
	w.a.Wait = &waiting{Clock: w.a.Wait, meanwhile: func() {
		waited = true
		if got := w.record(); !strings.Contains(got, "which left the cluster in order") {
			t.Errorf("it waits, and the record says %q", got)
		}
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
	}}
	_, err = w.a.Leaving(context.Background(), func(string) (Looker, error) { return guests{"101": hypervisor.Running}, nil })
	if err != nil || !waited {
		t.Errorf("waited %v: %v", waited, err)
	}
}

// waiting is a clock that does something when it is first waited on.
type waiting struct {
	clock.Clock
	meanwhile func()
}

func (c *waiting) Sleep(context.Context, time.Duration) error {
	if do := c.meanwhile; do != nil {
		c.meanwhile = nil
		do()
	}
	return nil
}

// One record that cannot be read does not keep the others from being noted.
func TestLeavingGoesOn(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Running, "node1", "")
	bad := filepath.Join(w.shared, "lbvm/handoff/openvz-100")
	if err := os.MkdirAll(bad, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bad, "state"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := w.a.Leaving(context.Background(), func(string) (Looker, error) { return nil, errors.New("no such technology") })
	if !errors.Is(err, handoff.ErrState) || len(c) != 1 || !strings.Contains(w.record(), "left the cluster") {
		t.Errorf("%+v, %v, %s", c, err, w.record())
	}
}

// A node that joins again without a boot takes its notes back, and no others. As long as it is no member it does not: an
// older fencing would speak for it.
func TestReturned(t *testing.T) {
	leave := func(l *handoff.Locked) error { _, err := l.Leave("node1", "boot-1", "", ""); return err }
	for _, test := range []struct {
		name     string
		phase    handoff.Phase
		node, to string
		prepare  func(w *world)
		want     string
		refused  string
	}{
		{"it is back", handoff.Running, "node1", "", func(*world) {}, "running node1", ""},
		{"in the middle of a save", handoff.Suspending, "node1", "", func(*world) {}, "suspending node1", ""},
		{"in the middle of a move", handoff.Sending, "node1", "node2", func(*world) {}, "sending node1 to node2", ""},
		{"it has booted anew", handoff.Running, "node1", "", func(w *world) { w.boot("boot-9") }, "running node1 (which left the cluster in order, with the VM on it)", ""},
		{"it is no member yet", handoff.Running, "node1", "", func(w *world) { w.away = []string{"node1"} }, "running node1 (which left the cluster in order, with the VM on it)", "node1 is no member"},
		{"no quorum yet", handoff.Running, "node1", "", func(w *world) { w.split = membership.ErrInquorate }, "running node1 (which left the cluster in order, with the VM on it)", "is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(test.phase, test.node, test.to)
			w.locked(leave)
			test.prepare(w)
			before := w.all()
			dry := w.a
			dry.Dry = true
			_, planErr := dry.Returned(context.Background())
			w.unchanged(before)
			c, err := w.a.Returned(context.Background())
			if w.record() != test.want {
				t.Errorf("the record says %q, want %q", w.record(), test.want)
			}
			if test.refused != "" {
				if !errors.Is(err, ErrRefused) || !errors.Is(planErr, ErrRefused) || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%v, %v, want a refusal with %q", err, planErr, test.refused)
				}
				w.unchanged(before)
				return
			}
			if err != nil || planErr != nil {
				t.Error(err, planErr)
			}
			if len(c) == 1 && (c[0].After.Phase != test.phase || c[0].After.Seq != c[0].Before.Seq+1) {
				t.Errorf("%+v", c[0])
			}
		})
	}
	w := newWorld(t)
	w.put(handoff.Running, "node2", "")
	w.locked(func(l *handoff.Locked) error { _, err := l.Leave("node2", "boot-2", "", ""); return err })
	before := w.all()
	if c, err := w.a.Returned(context.Background()); err != nil || len(c) != 0 {
		t.Errorf("another node's note: %+v, %v", c, err)
	}
	w.unchanged(before)
}

// called is a cluster that calls this node by a name.
type called struct {
	*world
	name string
}

func (c called) Self(context.Context) (string, error) { return c.name, nil }

// With a copied lbvm.id nothing is noted or taken back in the other's name, and above all its boot is not published anew: it
// would count as gone while its VMs run.
func TestLeavingIsOfThisNodeOnly(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Running, "node1", "")
	w.publish("node1", "boot-1")
	w.boot("boot-2") // that of the node which has the copy
	w.a.Members = called{w, "node2"}
	before := w.all()
	look := func(string) (Looker, error) { return guests{"101": hypervisor.Running}, nil }
	for what, do := range map[string]func() ([]Change, error){
		"leaving": func() ([]Change, error) { return w.a.Leaving(context.Background(), look) },
		"back":    func() ([]Change, error) { return w.a.Returned(context.Background()) },
	} {
		if c, err := do(); !errors.Is(err, ErrRefused) || !errors.Is(err, membership.ErrNotMe) || len(c) > 0 {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
		w.unchanged(before)
	}
}

// A note that nobody understands keeps VMs away as well: --back takes it back, as soon as the node is a member.
func TestReturnedWithANoteThatIsNone(t *testing.T) {
	w := newWorld(t)
	note := filepath.Join(w.shared, host.LeavingDir, "node1")
	if err := errors.Join(os.Mkdir(filepath.Dir(note), 0o755), os.WriteFile(note, []byte("no note\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	w.away = []string{"node1"}
	if _, err := w.a.Returned(context.Background()); !errors.Is(err, ErrRefused) {
		t.Errorf("no member: %v", err)
	}
	w.away = nil
	if _, err := w.a.Returned(context.Background()); err != nil {
		t.Error(err)
	}
	if leaves, err := host.IsLeaving(w.shared, "node1"); err != nil || leaves {
		t.Errorf("%v, %v", leaves, err)
	}
}
