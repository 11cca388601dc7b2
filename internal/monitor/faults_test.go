package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/pkg/balance"
)

// owners tells where the manager has the VMs.
func (w *world) owners() string {
	var out []string
	w.mgr.set(func() {
		for _, s := range w.mgr.status.Services {
			out = append(out, s.VM+" on "+s.Owner)
		}
	})
	return strings.Join(out, ", ")
}

// TestFaultsOfClusvcadm: whatever the program does, the journal tells what became of the VM, the record tells an
// administrator, and the next pass does not try the same again.
func TestFaultsOfClusvcadm(t *testing.T) {
	for _, c := range []struct {
		name     string
		move     func(w *world, ctx context.Context, service, target string) error
		outcomes []balance.Outcome // that a move may have had
		owners   string
		why      string // in the record of the pass
	}{
		{"it hangs, and was ended", func(*world, context.Context, string, string) error {
			return fmt.Errorf("clusvcadm: %w", context.DeadlineExceeded)
		}, []balance.Outcome{balance.OutcomeFailed}, "101 on node1, 102 on node1", "the manager said: nothing, for as long as it was waited for"},
		{"it fails", func(*world, context.Context, string, string) error { return errors.New("exit 255: Failure") },
			[]balance.Outcome{balance.OutcomeFailed}, "101 on node1, 102 on node1", "the manager said: exit 255: Failure"},
		{"it lies: success, and nothing was done", func(*world, context.Context, string, string) error { return nil },
			[]balance.Outcome{balance.OutcomeFailed}, "101 on node1, 102 on node1", "it still runs on node1 (the manager said: success)"},
		{"it lies: success, and the VM landed elsewhere", func(w *world, ctx context.Context, service, _ string) error {
			w.handover()
			return w.mgr.move(ctx, service, "node3")
		}, []balance.Outcome{balance.OutcomeElsewhere}, "101 on node3, 102 on node1", `on "node3", sent to "node2"`},
		{"it lies: failure, and the VM has moved", func(w *world, ctx context.Context, service, target string) error {
			w.handover()
			if err := w.mgr.move(ctx, service, target); err != nil {
				return err
			}
			return errors.New("exit 255: Failure")
		}, []balance.Outcome{balance.OutcomeMoved}, "101 on node2, 102 on node1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hot()
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102", "101", 1))
			w.mgr.move = func(ctx context.Context, service, target string) error { return c.move(w, ctx, service, target) }
			if _, err := w.mon.Run(context.Background()); err != nil {
				t.Fatalf("the pass: %v", err)
			}
			if got := w.owners(); got != c.owners {
				t.Errorf("%s, want %s", got, c.owners)
			}
			if len(w.journal()) == 0 {
				t.Fatal("the journal knows of no move")
			}
			for _, m := range w.journal() {
				good := false
				for _, o := range c.outcomes {
					good = good || m.Outcome == o
				}
				if m.End.IsZero() || !good {
					t.Errorf("the journal says %+v", m)
				}
			}
			if r := w.last(w.mon); r.Outcome != lbvmagent.OK || !strings.Contains(r.Why, c.why) {
				t.Errorf("record %+v, which lacks %q", r, c.why)
			}
			asked := len(w.mgr.moved)
			w.now.now = w.now.Now().Add(time.Minute)
			if _, err := w.mon.Run(context.Background()); err != nil {
				t.Fatalf("the next pass: %v", err)
			}
			if len(w.mgr.moved) != asked {
				t.Errorf("the next pass asked again: %v", w.mgr.moved)
			}
		})
	}
}

// The quorum goes between the decision and the move.
func TestQuorumLostInAPass(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	w.mgr.answer = func() error {
		if w.mgr.asked == 1 { // the decision rests on the first answer
			w.mgr.set(func() { w.mgr.status.Quorate = false })
		}
		return nil
	}
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(w.mgr.moved) != 0 || w.owners() != "101 on node1, 102 on node1" {
		t.Errorf("moved %v: %s", w.mgr.moved, w.owners())
	}
	if len(w.passes()) == 0 || !strings.Contains(w.last(w.mon).Why, "quor") {
		t.Errorf("%d passes, record %+v", len(w.passes()), w.last(w.mon))
	}
}

// The shared storage goes between the decision and the move, with all that lies on it.
func TestTheShareGoesInAPass(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	w.mgr.answer = func() error {
		if w.mgr.asked == 1 {
			return os.Rename(filepath.Join(w.root, "shared"), filepath.Join(w.root, "gone"))
		}
		return nil
	}
	_, err := w.mon.Run(context.Background())
	if len(w.mgr.moved) != 0 || w.owners() != "101 on node1, 102 on node1" {
		t.Errorf("moved %v: %s", w.mgr.moved, w.owners())
	}
	if r := w.last(w.mon); err == nil && r.Why == "" {
		t.Errorf("record %+v: nobody is told", r)
	}
}

// A share that takes no writes: the first that a pass writes there is its lock.
func TestAShareThatTakesNoWrites(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	w.remove("shared/lbvm/lock")
	w.write("shared/lbvm/lock", "no folder\n")
	if _, err := w.mon.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "taking the lock of passes") {
		t.Errorf("%v", err)
	}
	if r := w.last(w.mon); len(w.mgr.moved) != 0 || r.Outcome != lbvmagent.Failed || r.Cause != lbvmagent.CauseNode {
		t.Errorf("moved %v, record %+v", w.mgr.moved, r)
	}
}

// A file that is cut off anywhere, as an editor or a full disk leaves it, moves nothing.
func TestAConfigurationThatIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	whole := strings.TrimSpace(goodConf)
	errs := 0
	for n := range len(whole) {
		w.write("shared/lbvm.conf", whole[:n])
		if _, err := w.mon.Run(context.Background()); err != nil {
			errs++
			if r := w.last(w.mon); r.Cause == lbvmagent.CauseNode && n > 0 || r.Why == "" {
				t.Errorf("%d bytes: record %+v", n, r)
			}
		}
		if len(w.mgr.moved) != 0 {
			t.Fatalf("with %q it moved %v", whole[:n], w.mgr.moved)
		}
	}
	if errs < len(whole)/2 {
		t.Errorf("only %d of %d pieces were found broken", errs, len(whole))
	}
	w.write("shared/lbvm.conf", whole)
	if _, err := w.mon.Run(context.Background()); err != nil || len(w.mgr.moved) != 1 {
		t.Errorf("the whole file: %v, moved %v", err, w.mgr.moved)
	}
}

// Clocks ten minutes apart: of the node that differs nothing is believed, and the pass says so.
func TestClocksTenMinutesApart(t *testing.T) {
	for _, c := range []struct {
		node string
		by   time.Duration
		want string // where 101 is afterwards
		warn string
	}{
		{"node2", 10 * time.Minute, "node3", "the clock of node2 is"},
		{"node2", -10 * time.Minute, "node3", ""},
		{"node1", 10 * time.Minute, "node1", "the clock of node1 is"},
		{"node1", -10 * time.Minute, "node1", ""},
		{"us", 10 * time.Minute, "node1", ""},
		{"us", -10 * time.Minute, "node1", "the clock of node1 is"},
	} {
		t.Run(fmt.Sprintf("%s by %s", c.node, c.by), func(t *testing.T) {
			w := newWorld(t)
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102", "101", 1))
			w.hot()
			w.handover()
			if c.node == "us" {
				w.now.now = noon().Add(c.by)
			} else {
				w.skew(c.node, c.by)
			}
			if _, err := w.mon.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got, want := w.owners(), "101 on "+c.want+", 102 on node1"; got != want {
				t.Errorf("%s, want %s\n%s", got, want, w.log)
			}
			if r := w.last(w.mon); !strings.Contains(r.Why, c.warn) {
				t.Errorf("record %+v lacks %q", r, c.warn)
			}
		})
	}
}

// skew lets a node's lblog have written with a clock that differs.
func (w *world) skew(node string, by time.Duration) {
	w.t.Helper()
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(w.read("shared/lbvm/log/"+node+"-cpu")), "\n") {
		var at int64
		var value float64
		if _, err := fmt.Sscan(line, &at, &value); err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %g\n", at+int64(by.Seconds()), value)
	}
	w.write("shared/lbvm/log/"+node+"-cpu", b.String())
	shared := filepath.Join(w.root, "shared")
	f, err := host.ReadFacts(shared, node)
	if err != nil {
		w.t.Fatal(err)
	}
	f.At = f.At.Add(by)
	if err := host.WriteFacts(shared, f); err != nil {
		w.t.Fatal(err)
	}
}
