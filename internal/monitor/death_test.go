package monitor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/pkg/balance"
)

// proof is a membership that has lost node2, and says when it was fenced.
type proof struct {
	fenced func() bool
	asked  int
}

func (p *proof) Members(context.Context) ([]membership.Member, error) {
	return []membership.Member{{Name: "node1", Online: true}, {Name: "node2"}, {Name: "node3", Online: true}}, nil
}

func (p *proof) Fenced(_ context.Context, node string) (bool, error) {
	if node != "node2" {
		return false, fmt.Errorf("nobody has lost %s", node)
	}
	p.asked++
	return p.fenced(), nil
}

// The target dies when the guest has left for it. The move has its end in the journal in any case: what became of the guest,
// where the death is proved in time, and else that nobody knows, and whom all waits for.
func TestTheTargetDiesInAMove(t *testing.T) {
	for _, c := range []struct {
		name    string
		fenced  time.Duration // after the death; 0 is never
		starts  time.Duration // when the manager has started it on node3
		outcome balance.Outcome
		why     string
	}{
		// Fenced just before it would be given up; the start takes its time.
		{"fenced in time", 110 * time.Second, 140 * time.Second, balance.OutcomeElsewhere, `on "node3", sent to "node2"`},
		{"never fenced", 0, time.Hour, balance.OutcomeUnknown, "node node2 has openvz:101, is no member of the cluster any more and is not proved dead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hot()
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102", "101", 1))
			var died time.Time
			w.mon.Members = &proof{fenced: func() bool { return c.fenced > 0 && w.now.Now().Sub(died) >= c.fenced }}
			svc := &w.mgr.status.Services[0]
			w.mgr.move = func(_ context.Context, _, target string) error {
				died = w.now.Now()
				txn, err := handoff.NewTxn()
				if err != nil {
					t.Fatal(err)
				}
				w.record("101", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-node1", To: target, Txn: txn}, handoff.State{Phase: handoff.Sent, To: target, Txn: txn})
				w.mgr.set(func() {
					svc.State, svc.LastOwner, svc.Owner = cluster.Starting, "node1", target
					w.mgr.status.Members[1].Online, w.mgr.status.Members[1].Manager = false, false
				})
				return nil
			}
			w.mgr.answer = func() error {
				if !died.IsZero() && w.now.Now().Sub(died) >= c.starts && svc.Owner != "node3" {
					w.record("101", handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-node3"}, handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-node3"})
					w.mgr.set(func() { svc.State, svc.Owner = cluster.Started, "node3" })
				}
				return nil
			}
			if _, err := w.mon.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			j := w.journal()
			if len(j) != 1 || j[0].End.IsZero() || j[0].Outcome != c.outcome || !strings.Contains(j[0].Why, c.why) {
				t.Errorf("the journal says %+v, want one move that is %s, with %q", j, c.outcome, c.why)
			}
			if r := w.last(w.mon); !strings.Contains(r.Why, c.why) {
				t.Errorf("record %+v", r)
			}
			if _, err := w.mon.Run(context.Background()); err != nil || len(w.mgr.moved) != 1 || len(w.journal()) != 1 {
				t.Errorf("the next pass: %v, moved %v, the journal says %+v", err, w.mgr.moved, w.journal())
			}
		})
	}
}

// The monitor dies with the target of its move. The next one leaves that move without an end, and tells whom it waits for,
// until the manager has started the guest elsewhere.
func TestTheTargetAndTheMonitorDie(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	fenced := false
	w.mon.Members = &proof{fenced: func() bool { return fenced }}
	begun := balance.Move{Txn: strings.Repeat("ab", 16), VM: "openvz:101", From: "node1", To: "node2", Kind: "live", By: By, Why: "line 3", Begin: noon().Add(-time.Minute)}
	if err := balance.OpenJournal(w.root + "/shared/lbvm/log/" + balance.JournalName).Append(begun); err != nil {
		t.Fatal(err)
	}
	w.record("101", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-node1", To: "node2", Txn: begun.Txn}, handoff.State{Phase: handoff.Sent, To: "node2", Txn: begun.Txn})
	svc := &w.mgr.status.Services[0]
	w.mgr.set(func() {
		svc.State, svc.LastOwner, svc.Owner = cluster.Starting, "node1", "node2"
		w.mgr.status.Members[1].Online, w.mgr.status.Members[1].Manager = false, false
	})
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	const why = "node node2 has openvz:101, is no member of the cluster any more and is not proved dead"
	if r := w.last(w.mon); !strings.Contains(r.Why, why) || !strings.Contains(w.log.String(), "a move without an end waits for a node that is away") {
		t.Errorf("record %+v, log %s", r, w.log)
	}
	if j := w.journal(); len(j) != 1 || !j[0].End.IsZero() || len(w.mgr.moved) != 0 { // 102 does not leave beside it
		t.Errorf("moved %v, the journal says %+v", w.mgr.moved, j)
	}
	fenced = true
	w.record("101", handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-node3"}, handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-node3"})
	w.mgr.set(func() { svc.State, svc.Owner = cluster.Started, "node3" })
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	j := w.journal()
	if j[0].Outcome != balance.OutcomeElsewhere || j[0].Owner != "node3" || j[0].Memory != balance.MemoryLost || !strings.Contains(j[0].Why, "its relocator died") {
		t.Errorf("the journal says %+v", j)
	}
}
