package amend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/testfiles"
)

const txn = "abababababababababababababababab"

// world is node1 of a cluster of three, with one container.
type world struct {
	t      *testing.T
	root   string
	shared string
	away   []string // nodes that are no members
	fenced []string
	split  error
	asked  func() // called once by Members
	a      Amender
}

func (w *world) Members(context.Context) ([]membership.Member, error) {
	if do := w.asked; do != nil {
		w.asked = nil
		do()
	}
	var out []membership.Member
	for _, n := range []string{"node1", "node2", "node3"} {
		out = append(out, membership.Member{Name: n, Online: !slices.Contains(w.away, n)})
	}
	return out, w.split
}

func (w *world) Fenced(_ context.Context, node string) (bool, error) {
	return slices.Contains(w.fenced, node), w.split
}

// hasty waits a hundredth of what it is told.
type hasty struct{ clock.Clock }

func (h hasty) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return h.Clock.WithTimeout(ctx, d/100)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir()}
	w.shared = filepath.Join(w.root, "gfs")
	for _, d := range []string{"gfs/lbvm/nodes", "gfs/lbvm/handoff", "gfs/lbvm/log", "proc/sys/kernel/random"} {
		if err := os.MkdirAll(filepath.Join(w.root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.boot("boot-1")
	h, err := host.New(w.root)
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewFake(time.Unix(1290000600, 0))
	w.a = Amender{Host: h, ID: host.Identity{Member: "node1", LogDir: "/gfs/lbvm/log"}, Shared: w.shared, Members: w, Clock: c, Wait: clock.System(), By: "lbm confirm-down"}
	w.publish("node2", "boot-2")
	w.publish("node3", "boot-3")
	return w
}

func (w *world) boot(id string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.root, "proc/sys/kernel/random/boot_id"), []byte(id+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(node, boot string) {
	w.t.Helper()
	if err := host.WriteFacts(w.shared, host.Facts{Member: node, Boot: boot}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) locked(do func(l *handoff.Locked) error) {
	w.t.Helper()
	d, err := handoff.Open(w.shared, "openvz", "101")
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(do(l), l.Unlock()); err != nil {
		w.t.Fatal(err)
	}
}

// put makes the record say phase, as `node[->to]` has it.
func (w *world) put(phase handoff.Phase, node, to string) {
	w.t.Helper()
	boot := "boot-" + strings.TrimPrefix(node, "node")
	at := func(p handoff.Phase) handoff.State {
		s := handoff.State{Phase: p, Node: node, Boot: boot}
		if p == handoff.Suspending || p == handoff.Held || p == handoff.Resuming || p == handoff.Suspended {
			s.Image, s.Txn = txn, txn
		}
		if p == handoff.Sending || p == handoff.Sent {
			s.To, s.Txn = to, txn
		}
		if p == handoff.Down || p == handoff.Sent || p == handoff.Suspended {
			s.Node, s.Boot = "", ""
		}
		return s
	}
	way := map[handoff.Phase][]handoff.Phase{
		handoff.NoRecord: {}, handoff.Starting: {handoff.Starting}, handoff.Running: {handoff.Running}, handoff.Down: {handoff.Running, handoff.Down},
		handoff.Suspending: {handoff.Suspending}, handoff.Held: {handoff.Suspending, handoff.Held}, handoff.Suspended: {handoff.Suspending, handoff.Suspended},
		handoff.Resuming: {handoff.Suspending, handoff.Suspended, handoff.Resuming}, handoff.Sending: {handoff.Sending}, handoff.Sent: {handoff.Sending, handoff.Sent},
	}[phase]
	from := at
	for _, p := range way {
		w.locked(func(l *handoff.Locked) error {
			s := from(p)
			if phase == handoff.Sent && p == handoff.Sending || phase == handoff.Suspended && p == handoff.Suspending || phase == handoff.Down && p == handoff.Running {
				s.Node, s.Boot = "node3", "boot-3"
			}
			_, err := l.Write(s)
			return err
		})
	}
}

func (w *world) record() string {
	w.t.Helper()
	st, err := handoff.ReadState(w.shared, "openvz", "101")
	if err != nil {
		w.t.Fatal(err)
	}
	return Place(st)
}

// all gives every file below the shared storage with its text.
func (w *world) all() map[string]string {
	w.t.Helper()
	return testfiles.Texts(w.t, w.shared)
}

func (w *world) unchanged(before map[string]string) {
	w.t.Helper()
	after := w.all()
	for p, text := range after {
		if before[p] != text {
			w.t.Errorf("%s was written: %q", p, text)
		}
	}
	if len(after) != len(before) {
		w.t.Errorf("%d files became %d", len(before), len(after))
	}
}

func TestConfirmDown(t *testing.T) {
	off2 := func(w *world) { w.away = []string{"node2"} }
	for _, test := range []struct {
		name     string
		phase    handoff.Phase
		node, to string
		change   func(*world)
		want     string // the record afterwards
		refused  string
	}{
		{"running", handoff.Running, "node2", "", off2, "down", ""},
		{"starting", handoff.Starting, "node2", "", off2, "down", ""},
		{"suspending", handoff.Suspending, "node2", "", off2, "down", ""},
		{"held: its image is whole", handoff.Held, "node2", "", off2, "suspended", ""},
		{"resuming", handoff.Resuming, "node2", "", off2, "down", ""},
		{"sending: the target may have it", handoff.Sending, "node2", "node3", off2, "sent node3", ""},
		{"sent", handoff.Sent, "", "node2", off2, "down", ""},
		{"being sent there", handoff.Sending, "node3", "node2", off2, "", "node3 was sending it there"},
		{"being sent there by one that is gone", handoff.Sending, "node3", "node2", func(w *world) { w.away, w.fenced = []string{"node2", "node3"}, []string{"node3"} }, "down", ""},
		{"being sent there by this node", handoff.Sending, "node1", "node2", off2, "", "node1 was sending it there"},
		{"left in order", handoff.Running, "node2", "", func(w *world) {
			off2(w)
			w.locked(func(l *handoff.Locked) error { _, err := l.Leave("node2", "boot-2", "", ""); return err })
		}, "down", ""},
		{"in capitals", handoff.Running, "NODE2", "", off2, "down", ""},
		{"down already", handoff.Down, "", "", off2, "down", ""},
		{"no record", handoff.NoRecord, "", "", off2, "none", ""},
		{"another node's", handoff.Running, "node3", "", off2, "", "its record says running node3, and does not name node2"},
		{"a member", handoff.Running, "node2", "", func(*world) {}, "", "node2 is a member of the cluster: it is not off"},
		{"no quorum", handoff.Running, "node2", "", func(w *world) { off2(w); w.split = membership.ErrInquorate }, "", "whether node2 is a member is not known"},
		{"an agent is at work", handoff.Running, "node2", "", func(w *world) {
			off2(w)
			d, err := handoff.Open(w.shared, "openvz", "101")
			if err != nil {
				w.t.Fatal(err)
			}
			l, err := d.TryLock("start on node3")
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { _ = l.Unlock() })
			w.a.Wait = hasty{clock.System()}
		}, "", "an agent is at work on openvz:101"},
		{"a record that nobody can believe", handoff.Running, "node2", "", func(w *world) {
			off2(w)
			if err := os.WriteFile(filepath.Join(w.shared, "lbvm/handoff/openvz-101/state"), []byte("phase=down\n"), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, "", "cannot be believed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(test.phase, test.node, test.to)
			test.change(w)
			before := w.all()
			dry := w.a
			dry.Dry = true
			plan, planErr := dry.ConfirmDown(context.Background(), "openvz", "101", "node2")
			w.unchanged(before)
			c, err := w.a.ConfirmDown(context.Background(), "openvz", "101", "node2")
			if test.refused != "" {
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("%v, want a refusal with %q", err, test.refused)
				}
				return
			}
			if err != nil || planErr != nil || w.record() != test.want || Place(c.After) != test.want || Place(plan.After) != test.want {
				t.Errorf("the record says %s, want %s; %v, %v", w.record(), test.want, err, planErr)
			}
			journal, err := os.ReadFile(filepath.Join(w.shared, "lbvm/log/migrate.log"))
			if c.Done() != (err == nil) || c.Done() && !strings.Contains(string(journal), "event=agent vm=openvz:101 node=node1") {
				t.Errorf("the journal says %q, %v", journal, err)
			}
		})
	}
}

// An image that waits stays what it is: the VM goes on from it.
func TestConfirmDownKeepsTheImage(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Held, "node2", "")
	w.away = []string{"node2"}
	c, err := w.a.ConfirmDown(context.Background(), "openvz", "101", "node2")
	if err != nil || c.After.Image != txn || c.After.Seq != c.Before.Seq+1 || c.After.Agent != "lbm confirm-down on node1" {
		t.Errorf("%+v, %v", c.After, err)
	}
}

// What was seen before the lock counts for nothing: meanwhile node3 has started the VM.
func TestConfirmDownLooksAgainUnderTheLock(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Running, "node2", "")
	w.away = []string{"node2"}
	w.asked = func() {
		w.locked(func(l *handoff.Locked) error {
			_, err := l.Write(handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-3"})
			return err
		})
	}
	_, err := w.a.ConfirmDown(context.Background(), "openvz", "101", "node2")
	if !errors.Is(err, ErrRefused) || w.record() != "starting node3" {
		t.Errorf("%v; the record says %s", err, w.record())
	}
}

// The storage loses the lock while fencing is asked about, and another node starts the VM: that record stays.
func TestAmendIsOvertaken(t *testing.T) {
	w := newWorld(t)
	w.put(handoff.Running, "node2", "")
	w.away = []string{"node2"}
	asked := 0
	var ask func()
	ask = func() {
		if asked++; asked < 2 { // the look before the lock
			w.asked = ask
			return
		}
		lock := filepath.Join(w.shared, "lbvm/handoff/openvz-101/lock")
		if err := os.Rename(lock, lock+".ours"); err != nil {
			t.Fatal(err)
		}
		w.locked(func(l *handoff.Locked) error {
			_, err := l.Write(handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-3"})
			return err
		})
		if err := os.Rename(lock+".ours", lock); err != nil {
			t.Fatal(err)
		}
	}
	w.asked = ask
	_, err := w.a.ConfirmDown(context.Background(), "openvz", "101", "node2")
	if !errors.Is(err, handoff.ErrOvertaken) || w.record() != "starting node3" {
		t.Errorf("asked %d times: %v; the record says %s", asked, err, w.record())
	}
}

func TestTake(t *testing.T) {
	for _, test := range []struct {
		name     string
		phase    handoff.Phase
		node, to string
		change   func(*world)
		refused  string
	}{
		{"nobody's", handoff.Down, "", "", func(*world) {}, ""},
		{"no record", handoff.NoRecord, "", "", func(*world) {}, ""},
		{"in an image", handoff.Suspended, "", "", func(*world) {}, ""},
		{"this node's", handoff.Running, "node1", "", func(*world) {}, ""},
		{"this node's, of an earlier boot", handoff.Running, "node1", "", func(w *world) { w.boot("boot-9") }, ""},
		{"sent here", handoff.Sent, "", "node1", func(*world) {}, ""},
		{"cut off while it was started", handoff.Starting, "node1", "", func(*world) {}, "an action was cut off here"},
		{"cut off while it was frozen", handoff.Suspending, "node1", "", func(*world) {}, "the guest may be here, or frozen"},
		{"frozen, its image published", handoff.Held, "node1", "", func(*world) {}, "clusvcadm -e SERVICE, then clusvcadm -d SERVICE"},
		{"cut off while it was resumed", handoff.Resuming, "node1", "", func(*world) {}, "an action was cut off here"},
		{"cut off while it was sent", handoff.Sending, "node1", "node2", func(w *world) { w.away, w.fenced = []string{"node2"}, []string{"node2"} }, "an action was cut off here"},
		{"held in an earlier boot", handoff.Held, "node1", "", func(w *world) { w.boot("boot-9") }, ""},
		{"another's", handoff.Running, "node2", "", func(*world) {}, "node2 is not proved gone; lbm handoff 101 tells what frees it"},
		{"another's that is away", handoff.Running, "node2", "", func(w *world) { w.away = []string{"node2"} }, "node2 is not proved gone"},
		{"another's that was fenced", handoff.Running, "node2", "", func(w *world) { w.away, w.fenced = []string{"node2"}, []string{"node2"} }, ""},
		{"another's that has booted anew", handoff.Running, "node2", "", func(w *world) { w.publish("node2", "boot-9") }, ""},
		{"another's that left in order, fenced before", handoff.Running, "node2", "", func(w *world) {
			w.away, w.fenced = []string{"node2"}, []string{"node2"}
			w.locked(func(l *handoff.Locked) error { _, err := l.Leave("node2", "boot-2", "", ""); return err })
		}, "node2 is not proved gone"},
		{"being sent to one that lives", handoff.Sending, "node2", "node3", func(w *world) { w.away, w.fenced = []string{"node2"}, []string{"node2"} }, "node3 is not proved gone"},
		{"sent, and a new boot of the target says nothing", handoff.Sent, "", "node2", func(w *world) { w.publish("node2", "boot-9") }, "node2 is not proved gone"},
		{"no quorum", handoff.Running, "node2", "", func(w *world) { w.publish("node2", "boot-9"); w.split = membership.ErrInquorate }, "not quorate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(test.phase, test.node, test.to)
			w.locked(func(l *handoff.Locked) error { // an image that must not outlive what is started by hand
				if _, err := l.Part(txn); err != nil {
					return err
				}
				return nil
			})
			test.change(w)
			before := w.all()
			_, err := w.a.Take(context.Background(), "openvz", "101")
			if test.refused != "" {
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%v, want a refusal with %q", err, test.refused)
				}
				w.unchanged(before)
				return
			}
			if err != nil || w.record() != "running node1" {
				t.Errorf("%s, %v", w.record(), err)
			}
			if test.name == "this node's" {
				return // nothing had to be done
			}
			if left, err := filepath.Glob(filepath.Join(w.shared, "lbvm/handoff/openvz-101/image.*")); err != nil || len(left) != 0 {
				t.Errorf("images stay in use: %v, %v", left, err)
			}
			if f, err := host.ReadFacts(w.shared, "node1"); err != nil || !strings.HasPrefix(f.Boot, "boot-") {
				t.Errorf("the boot that the record names was not published: %+v, %v", f, err)
			}
		})
	}
}
