package vm

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

var types = []string{"openvz", "xen"}

// Back and forth by image: the guest's memory goes with it every time, and nothing is left lying about.
func TestHandOffByImage(t *testing.T) {
	for _, typ := range types {
		w := newWorld(t, typ, "node1", "node2")
		x, y := w.nodes["node1"], w.nodes["node2"]
		w.must(x.do("start"))
		first := x.g
		for i := 0; i < 6; i++ {
			before := x.g.counter
			w.must(x.do("stop"))
			if st := w.state(); st.Phase != handoff.Suspended {
				t.Fatalf("%s: after stop the state is %s", typ, st.Phase)
			}
			w.must(y.do("start"))
			if y.g.incarnation != first.incarnation || y.g.counter <= before {
				t.Fatalf("%s, hand-off %d: memory lost: %+v after %+v", typ, i, y.g, first)
			}
			if st := w.state(); st.Phase != handoff.Running || st.Node != y.name || st.Boot != y.boot {
				t.Fatalf("%s: %+v", typ, st)
			}
			if l := w.litter(); len(l) != 0 {
				t.Fatalf("%s: left behind %q", typ, l)
			}
			w.must(y.do("status"))
			x, y = y, x
		}
		w.ok()
	}
}

// A stop was cut off when its image was published, and somebody started the guest by hand and paused it. What a tool has saved in
// one step is of a guest that had gone: the one that stands still here is a later one, and its disk is not the image's any more.
func TestPausedGuestBesideAnOlderImage(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	w.put(handoff.Suspending, "node1", "")
	published(w)
	n := w.nodes["node1"]
	n.byHand()
	isPaused(n)
	w.must(n.do("stop"))
	w.must(w.nodes["node2"].do("start"))
	if got := fmt.Sprint(w.nodes["node2"].calls); got != "[start]" {
		t.Errorf("an old memory on a newer disk: %s\n%s", got, strings.Join(n.logs, "\n"))
	}
}

// A live ticket pushes the guest; start on the target adopts it.
func TestHandOffLive(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	for i := 0; i < 4; i++ {
		incarnation := x.g.incarnation
		issued := w.ticket(handoff.Live, x, y)
		w.must(x.do("stop"))
		if st := w.state(); st.Phase != handoff.Sent || st.To != y.name || st.Txn != issued.Ticket().Txn {
			t.Fatalf("after stop: %+v", st)
		}
		w.must(y.do("start"))
		if y.g.incarnation != incarnation || w.state().Phase != handoff.Running || w.state().Node != y.name {
			t.Fatalf("after start: %+v, %+v", y.g, w.state())
		}
		w.must(issued.Withdraw())
		if l := w.litter(); len(l) != 0 {
			t.Fatalf("left behind %q", l)
		}
		if len(y.calls) != 0 {
			t.Fatalf("start used %q on a guest that had arrived", y.calls)
		}
		x, y = y, x
	}
	w.ok()
}

// ticket lays a ticket for the next stop on x.
func (w *world) ticket(kind handoff.Kind, x, y *node) *handoff.Issued {
	w.t.Helper()
	txn, err := handoff.NewTxn()
	w.must(err)
	i, err := handoff.IssueTicket(w.shared, w.typ, "101", handoff.Ticket{Kind: kind, Txn: txn, Source: x.name,
		SourceSeq: w.state().Seq, Target: y.name, Relocator: "test"})
	w.must(err)
	return i
}

func TestTickets(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   string
		kind  handoff.Kind
		spoil func(w *world, i *handoff.Issued)
		want  handoff.Phase
		calls string
	}{
		{"image", "xen", handoff.Image, nil, handoff.Suspended, "[save]"},
		{"cold", "xen", handoff.Cold, nil, handoff.Down, "[shutdown]"},
		{"live where nothing can be pushed", "openvz", handoff.Live, nil, handoff.Suspended, "[suspend dump kill unmount]"},
		{"relocator gone", "xen", handoff.Live, func(w *world, i *handoff.Issued) { w.must(i.Withdraw()) }, handoff.Suspended, "[save]"},
		{"target down", "xen", handoff.Live, func(w *world, i *handoff.Issued) { w.nodes["node2"].online = false }, handoff.Suspended, "[save]"},
		{"members unknown", "xen", handoff.Live, func(w *world, i *handoff.Issued) { w.lostKernel = true }, handoff.Suspended, "[save]"},
		{"the guest is sick", "xen", handoff.Live, func(w *world, i *handoff.Issued) {
			dir := filepath.Join(w.nodes["node1"].root, "var/run/lbvm")
			w.must(os.WriteFile(filepath.Join(dir, "xen-101.sick"), []byte("it hangs\n"), 0o644))
		}, handoff.Down, "[shutdown]"},
		{"state moved on", "xen", handoff.Live, func(w *world, i *handoff.Issued) { w.must(w.nodes["node1"].do("start")) }, handoff.Suspended, "[save]"},
	} {
		w := newWorld(t, c.typ, "node1", "node2")
		x := w.nodes["node1"]
		w.must(x.do("start"))
		i := w.ticket(c.kind, x, w.nodes["node2"])
		if c.spoil != nil {
			c.spoil(w, i)
		}
		w.must(x.do("stop"))
		if st := w.state(); st.Phase != c.want || fmt.Sprint(x.calls) != c.calls {
			t.Errorf("%s: state %s by %q, want %s by %s", c.name, st.Phase, x.calls, c.want, c.calls)
		}
		w.ok()
	}
}

// A push that fails is followed by an image, and the relocator's transaction stays on the record: by it the mover
// knows that the memory went along.
func TestFailedPushKeepsItsTransaction(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	i := w.ticket(handoff.Live, x, y)
	x.fails["migrate"] = failure{}
	w.must(x.do("stop"))
	if st := w.state(); st.Image != i.Ticket().Txn || fmt.Sprint(x.calls) != "[migrate save]" {
		t.Errorf("%+v after %q", st, x.calls)
	}
	w.must(y.do("start"))
	if st := w.state(); st.Txn != i.Ticket().Txn {
		t.Errorf("%+v", st)
	}
	w.must(i.Withdraw())
	w.must(y.do("stop"))
	if st := w.state(); st.Image == i.Ticket().Txn {
		t.Error("two images of one transaction")
	}
	w.ok()
}

// A restart in place by a cold ticket.
func TestColdTicketToItself(t *testing.T) {
	w := newWorld(t, "openvz", "node1")
	x := w.nodes["node1"]
	w.must(x.do("start"))
	incarnation := x.g.incarnation
	i := w.ticket(handoff.Cold, x, x)
	w.must(x.do("stop"))
	w.must(x.do("start"))
	if x.g.incarnation == incarnation {
		t.Error("the guest was not booted anew")
	}
	w.must(i.Withdraw())
}

// tree sums up every byte, name and mode below the shared folder, and the times too.
func (w *world) tree() string {
	w.t.Helper()
	return treeOf(w.t, w.shared)
}

func treeOf(t *testing.T, root string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, path, fi.Mode(), fi.ModTime().UnixNano())
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum.Write(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// A stop on a node that neither runs the VM nor is named changes nothing on the shared storage, whatever the record
// says and whatever is left of the guest on that node. rgmanager runs it everywhere.
func TestBystanderChangesNoByte(t *testing.T) {
	for _, typ := range types {
		for _, p := range phases {
			for _, left := range []hypervisor.State{hypervisor.Unknown, hypervisor.Remains, hypervisor.Torso} {
				w := newWorld(t, typ, "node1", "node2", "node3")
				w.put(p, "node1", "node2")
				z := w.nodes["node3"]
				z.reboot() // its published boot is old: not even that is a bystander's to mend
				z.g.state = left
				before := w.tree()
				if err := z.do("stop"); err != nil {
					t.Errorf("%s, %s, %s: %v", typ, p, left, err)
				}
				if after := w.tree(); after != before {
					t.Errorf("%s, %s, %s: the shared storage was changed", typ, p, left)
				}
				if z.g.state != hypervisor.Unknown {
					t.Errorf("%s, %s: the %s is still there", typ, p, left)
				}
				w.ok()
			}
		}
	}
}

// A lock that another holds makes a bystander wait for nothing.
func TestBystanderTakesNoLock(t *testing.T) {
	w := newWorld(t, "openvz", "node1", "node2")
	w.put(handoff.Running, "node1", "")
	w.locked(func(*handoff.Locked) { w.must(w.nodes["node2"].do("stop")) })
}

var phases = []handoff.Phase{handoff.NoRecord, handoff.Down, handoff.Starting, handoff.Running, handoff.Suspending, handoff.Held,
	handoff.Suspended, handoff.Resuming, handoff.Sending, handoff.Sent}

const txn = "00112233445566778899aabbccddeeff"

// put leads the record to a phase, on node (and to). An image that the phase has is made, of the disk as it is; the
// dump in .part is complete but not noted.
func (w *world) put(p handoff.Phase, nodeName, to string) {
	w.t.Helper()
	if p == handoff.NoRecord {
		return
	}
	n := w.nodes[nodeName]
	on := func(p handoff.Phase) handoff.State {
		return handoff.State{Phase: p, Node: nodeName, Boot: n.boot}
	}
	held := func(p handoff.Phase) handoff.State { s := on(p); s.Image, s.Txn = txn, txn; return s }
	chain := map[handoff.Phase][]handoff.State{
		handoff.Down:       {{Phase: handoff.Down}},
		handoff.Starting:   {on(handoff.Starting)},
		handoff.Running:    {on(handoff.Running)},
		handoff.Suspending: {on(handoff.Running), held(handoff.Suspending)},
		handoff.Held:       {on(handoff.Running), held(handoff.Suspending), held(handoff.Held)},
		handoff.Suspended:  {on(handoff.Running), held(handoff.Suspending), held(handoff.Held), {Phase: handoff.Suspended, Image: txn, Txn: txn}},
		handoff.Resuming:   {on(handoff.Running), held(handoff.Suspending), held(handoff.Held), held(handoff.Resuming)},
	}
	send := on(handoff.Sending)
	send.To, send.Txn = to, txn
	chain[handoff.Sending] = []handoff.State{on(handoff.Running), send}
	chain[handoff.Sent] = []handoff.State{on(handoff.Running), send, {Phase: handoff.Sent, To: to, Txn: txn}}
	w.locked(func(l *handoff.Locked) {
		for _, s := range chain[p] {
			_, err := l.Write(s)
			w.must(err)
		}
		if p == handoff.Suspending || p == handoff.Held || p == handoff.Suspended || p == handoff.Resuming {
			mem, err := l.Part(txn)
			w.must(err)
			w.must((&node{w: w, g: guest{incarnation: 77, counter: 5}}).dump(mem))
		}
		if p == handoff.Held || p == handoff.Suspended || p == handoff.Resuming {
			w.must(l.Publish(txn, handoff.Meta{Fingerprint: w.fingerprint()}))
		}
		if p == handoff.Resuming {
			w.must(l.Claim(txn, nodeName))
		}
	})
}
