package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/balance"
)

// Only a manager and a record that agree say where a VM runs.
func TestJudge(t *testing.T) {
	since := time.Unix(1195660000, 0)
	before := plan{source: "node1", known: true, state: handoff.State{Phase: handoff.Running, Node: "node1", Seq: 7}, service: cluster.Service{Since: since}}
	r := Request{Type: "xen", VM: "web1", Target: "node2"}
	for _, test := range []struct {
		name      string
		state     cluster.State
		owner     string
		since     time.Time
		rec       handoff.State
		outcome   balance.Outcome
		moving    bool
		untouched bool
	}{
		{"arrived", cluster.Started, "node2", since, handoff.State{Phase: handoff.Running, Node: "node2", Seq: 9}, balance.OutcomeMoved, false, false},
		{"elsewhere", cluster.Started, "node3", since, handoff.State{Phase: handoff.Running, Node: "node3", Seq: 9}, balance.OutcomeElsewhere, false, false},
		{"never left", cluster.Started, "node1", since, handoff.State{Phase: handoff.Running, Node: "node1", Seq: 7}, balance.OutcomeFailed, false, true},
		{"left and came back", cluster.Started, "node1", since, handoff.State{Phase: handoff.Running, Node: "node1", Seq: 9}, balance.OutcomeFailed, false, false},
		{"started anew by the manager", cluster.Started, "node1", since.Add(time.Second), handoff.State{Phase: handoff.Running, Node: "node1", Seq: 7}, balance.OutcomeFailed, false, false},
		{"only by the manager", cluster.Started, "node2", since, handoff.State{Phase: handoff.Running, Node: "node1", Seq: 7}, balance.OutcomeUnknown, true, false},
		{"it begins there", cluster.Started, "node2", since, handoff.State{Phase: handoff.Starting, Node: "node2", Seq: 8}, balance.OutcomeUnknown, true, false},
		{"it resumes there", cluster.Started, "node2", since, handoff.State{Phase: handoff.Resuming, Node: "node2", Seq: 8}, balance.OutcomeUnknown, true, false},
		{"on its way", cluster.Started, "node2", since, handoff.State{Phase: handoff.Sent, To: "node2", Seq: 8}, balance.OutcomeUnknown, true, false},
		{"it is saved there", cluster.Started, "node2", since, handoff.State{Phase: handoff.Suspending, Node: "node2", Seq: 8}, balance.OutcomeUnknown, true, false},
		{"only by the record", cluster.Stopping, "node2", since, handoff.State{Phase: handoff.Running, Node: "node2", Seq: 9}, balance.OutcomeUnknown, true, false},
		{"given up", cluster.Failed, "node2", since, handoff.State{Phase: handoff.Running, Node: "node2", Seq: 9}, balance.OutcomeFailed, false, false},
	} {
		got, moving := judge(cluster.Service{State: test.state, Owner: test.owner, Since: test.since}, test.rec, before, r)
		if got.outcome != test.outcome || moving != test.moving || got.untouched != test.untouched {
			t.Errorf("%s: %+v, moving %v", test.name, got, moving)
		}
	}
}

// Only what has left for the target, and runs nowhere by the manager, is started there.
func TestOrphan(t *testing.T) {
	r := Request{Type: "xen", VM: "web1", Target: "node2"}
	sent := handoff.State{Phase: handoff.Sent, To: "node2"}
	for _, test := range []struct {
		name  string
		state cluster.State
		rec   handoff.State
		want  bool
	}{
		{"stopped", cluster.Stopped, sent, true},
		{"disabled", cluster.Disabled, sent, true},
		{"failed", cluster.Failed, sent, false},
		{"started", cluster.Started, sent, false},
		{"stopping", cluster.Stopping, sent, false},
		{"sent elsewhere", cluster.Stopped, handoff.State{Phase: handoff.Sent, To: "node3"}, false},
		{"being sent", cluster.Stopped, handoff.State{Phase: handoff.Sending, Node: "node1", To: "node2"}, false},
		{"down", cluster.Stopped, handoff.State{Phase: handoff.Down}, false},
		{"suspended", cluster.Stopped, handoff.State{Phase: handoff.Suspended}, false},
	} {
		if got := orphan(cluster.Service{State: test.state}, test.rec, r); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// An answer that never stands still is none, whichever came last.
func TestAnswersThatChange(t *testing.T) {
	for _, first := range []cluster.State{cluster.Stopping, cluster.Failed} {
		w := newWorld(t)
		w.mgr.move = func(context.Context, string, string) error {
			w.service("101").State = first
			return nil
		}
		w.clock.sleep = func() {
			if s := w.service("101"); s.State == cluster.Failed {
				s.State = cluster.Stopping
			} else {
				s.State = cluster.Failed
			}
		}
		if rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); !errors.Is(err, ErrUnverified) || rec.Outcome != balance.OutcomeUnknown {
			t.Errorf("%s first: %+v, %v", first, rec, err)
		}
	}
}

// Where manager and record contradict each other and nobody is at work, it is not waited for as long as for one who is.
func TestAContradiction(t *testing.T) {
	w := newWorld(t)
	start := w.clock.Now()
	w.mgr.move = func(context.Context, string, string) error {
		w.service("101").Owner = "node2"
		return nil
	}
	if rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); !errors.Is(err, ErrUnverified) || rec.Outcome != balance.OutcomeUnknown {
		t.Errorf("%+v, %v", rec, err)
	}
	if took := w.clock.Now().Sub(start); took < settleLimit-settleStep || took > 2*settleLimit {
		t.Errorf("it was waited for %s", took)
	}
}

// A share that is taken away during a move leaves an empty folder: that there is no record in it proves nothing.
func TestAShareThatIsTakenAwayProvesNothing(t *testing.T) {
	w := newWorld(t)
	w.mgr.move = func(context.Context, string, string) error {
		w.service("101").Owner = "node2"
		if err := os.RemoveAll(filepath.Join(w.shared, "lbvm")); err != nil {
			t.Error(err)
		}
		return nil
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if !errors.Is(err, ErrUnverified) || !strings.Contains(fmt.Sprint(err), "the shared storage was taken away") || rec.Outcome != balance.OutcomeUnknown {
		t.Errorf("%+v, %v", rec, err)
	}
	for _, ask := range []func() error{
		func() error { return w.mover.Check(context.Background(), request("openvz", "101", "node3")) },
		func() error {
			_, err := w.mover.PlanRepair(context.Background(), request("openvz", "101", ""))
			return err
		},
		func() error {
			_, err := w.mover.CheckRestart(context.Background(), request("openvz", "101", ""))
			return err
		},
	} {
		if err := ask(); !errors.Is(err, ErrRefused) {
			t.Errorf("%v", err)
		}
	}
}
