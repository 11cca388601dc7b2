package move

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/balance"
)

// dead is the record that a relocator left which was killed ten minutes ago.
func (w *world) dead(vm string) balance.Move {
	txn, err := handoff.NewTxn()
	if err != nil {
		w.t.Fatal(err)
	}
	return balance.Move{Txn: txn, VM: vm, From: "node1", To: "node2", Kind: "image", By: "lbmonitor", Why: "line 3", Rails: "pass all", Begin: w.clock.now.Add(-10 * time.Minute)}
}

func TestFinish(t *testing.T) {
	tests := []struct {
		name    string
		change  func(w *world, txn string)
		outcome balance.Outcome // "" is under way
		owner   string
		memory  balance.Memory
	}{
		{"died before the request", func(*world, string) {}, balance.OutcomeFailed, "node1", balance.MemoryUnknown},
		{"died behind it", func(w *world, txn string) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "boot-1", Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Resuming, Node: "node2", Boot: "boot-2", Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2", Txn: txn})
			w.service("101").Owner = "node2"
		}, balance.OutcomeMoved, "node2", balance.MemoryKept},
		{"cold", func(w *world, _ string) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Down}, handoff.State{Phase: handoff.Starting, Node: "node2", Boot: "boot-2"},
				handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2"})
			w.service("101").Owner = "node2"
		}, balance.OutcomeMoved, "node2", balance.MemoryLost},
		{"the manager is at it", func(w *world, _ string) { w.service("101").State = cluster.Starting }, "", "", ""},
		{"the manager does not answer", func(w *world, _ string) { w.mgr.err = errors.New("no reply") }, "", "", ""},
		{"failed", func(w *world, _ string) {
			w.service("101").State, w.service("101").Owner = cluster.Failed, ""
		}, balance.OutcomeFailed, "", balance.MemoryUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			begun := w.dead("openvz:101")
			test.change(w, begun.Txn)
			rec, err := w.mover.Finish(context.Background(), begun, true)
			if test.outcome == "" {
				if !errors.Is(err, ErrUnderway) || len(w.log.list) != 0 {
					t.Errorf("%v with %v in the journal, want under way", err, w.log.list)
				}
				return
			}
			if err != nil || rec.Outcome != test.outcome || rec.Owner != test.owner || rec.Memory != test.memory {
				t.Errorf("%+v, %v", rec, err)
			}
			if len(w.log.list) != 1 || w.log.list[0].End.IsZero() || w.log.list[0].Txn != begun.Txn {
				t.Errorf("the journal has %+v", w.log.list)
			}
			if end := w.log.list[0]; end.Asked != "line 3" || end.Rails != "pass all" || !strings.HasPrefix(end.Why, "its relocator died") {
				t.Errorf("the end tells %+v", end)
			}
			if len(w.mgr.asked) != 0 {
				t.Errorf("the manager was asked: %v", w.mgr.asked)
			}
		})
	}
}

// A move that never looks finished must not keep its VM in flight for ever.
func TestFinishGivesUp(t *testing.T) {
	w := newWorld(t)
	begun := w.dead("openvz:101")
	begun.Begin = w.clock.now.Add(-finishLimit)
	w.mgr.err = errors.New("no reply")
	rec, err := w.mover.Finish(context.Background(), begun, true)
	if err != nil || rec.Outcome != balance.OutcomeUnknown || !strings.Contains(rec.Why, "no reply") {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestFinishLeavesTheLivingAlone(t *testing.T) {
	w := newWorld(t)
	begun := w.dead("openvz:101")
	i, err := handoff.IssueTicket(w.shared, "openvz", "101", handoff.Ticket{Kind: handoff.Image, Txn: begun.Txn, Source: "node1", SourceSeq: 1, Target: "node2", Relocator: "lbm"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.mover.Finish(context.Background(), begun, false); !errors.Is(err, ErrUnderway) {
		t.Errorf("its ticket waits: %v", err)
	}
	w.consume("openvz", "101")
	if _, err := w.mover.Finish(context.Background(), begun, false); !errors.Is(err, ErrUnderway) {
		t.Errorf("its ticket was consumed: %v", err)
	}
	if err := i.Withdraw(); err != nil {
		t.Fatal(err)
	}
	young := begun
	young.Begin = w.clock.now.Add(-time.Minute)
	if _, err := w.mover.Finish(context.Background(), young, false); !errors.Is(err, ErrUnderway) {
		t.Errorf("it may be about to lay a ticket: %v", err)
	}
	if rec, err := w.mover.Finish(context.Background(), begun, false); err != nil || rec.Outcome != balance.OutcomeFailed {
		t.Errorf("nobody holds it: %+v, %v", rec, err)
	}
}

func TestFinishAdoptsAnOrphan(t *testing.T) {
	w := newWorld(t)
	begun := w.dead("xen:web1")
	w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: begun.Txn},
		handoff.State{Phase: handoff.Sent, To: "node2", Txn: begun.Txn})
	s := w.service("web1")
	s.Owner, s.State = "", cluster.Stopped
	w.mgr.enable = func(_, target string) error {
		w.record("xen", "web1", handoff.State{Phase: handoff.Running, Node: target, Boot: "boot-2", Txn: begun.Txn})
		s := w.service("web1")
		s.Owner, s.State = target, cluster.Started
		return nil
	}
	rec, err := w.mover.Finish(context.Background(), begun, true)
	if err != nil || rec.Outcome != balance.OutcomeMoved || rec.Memory != balance.MemoryKept {
		t.Errorf("%+v, %v", rec, err)
	}
}

// With Pacemaker a restart is a stop on purpose, of which nothing but the restart's mover knows the end. Where he died his VM would
// stay stopped, also when its node is lost meanwhile.
func TestFinishStartsWhatWasStoppedForARestart(t *testing.T) {
	for _, test := range []struct {
		name  string
		alone bool // without shared storage no ticket tells whether the mover lives
		age   time.Duration
		ours  bool // the stop
		asked string
	}{
		{"stopped", false, 10 * time.Minute, true, "enable service:centos "},
		{"somebody has disabled it", false, 10 * time.Minute, false, ""},
		{"without shared storage, it may be at work", true, 10 * time.Minute, true, ""},
		{"without shared storage", true, finishLimit, true, "enable service:centos "},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			begun := w.dead("openvz:101")
			begun.To, begun.Begin = begun.From, w.clock.now.Add(-test.age)
			w.record("openvz", "101", handoff.State{Phase: handoff.Down})
			s := w.service("101")
			s.State, s.Owner, s.Restarting = cluster.Disabled, "", test.ours
			w.mgr.enable = func(string, string) error {
				w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: "node1", Boot: "boot-1"}, handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
				s.State, s.Owner, s.Restarting, s.Since = cluster.Started, "node1", false, w.clock.now
				return nil
			}
			if test.alone {
				w.mover.Shared = ""
			}
			rec, err := w.mover.Finish(context.Background(), begun, false)
			if got := strings.Join(w.mgr.asked, "; "); got != test.asked {
				t.Errorf("the manager was asked %q, want %q", got, test.asked)
			}
			switch waits := test.alone && test.age < finishLimit; {
			case waits && !errors.Is(err, ErrUnderway), !waits && err != nil, (rec.Outcome == balance.OutcomeMoved) != (test.asked != ""):
				t.Errorf("%+v, %v", rec, err)
			}
		})
	}
}

// careful is a manager that looks once more before it starts what was stopped for a restart.
type careful struct {
	*manager
	again []string
	err   error
}

func (m *careful) StartAgain(ctx context.Context, service string) error {
	if ctx.Done() == nil {
		service += " without an end"
	}
	m.again = append(m.again, service)
	return m.err
}

// Who has disabled the service between the look and the start has the last word, and what is frozen is left alone: nothing else starts it.
func TestFinishStartsNothingThatWasDisabledSince(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		w := newWorld(t)
		begun := w.dead("openvz:101")
		begun.To = begun.From
		w.record("openvz", "101", handoff.State{Phase: handoff.Down})
		s := w.service("101")
		s.State, s.Owner, s.Restarting, s.Frozen = cluster.Disabled, "", true, frozen
		mgr := &careful{manager: w.mgr, err: errors.New("its target-role was set by somebody else")}
		w.mover.Manager = mgr
		rec, err := w.mover.Finish(context.Background(), begun, true)
		want := "service:centos"
		if frozen {
			want = ""
		}
		if got := strings.Join(mgr.again, "; "); !errors.Is(err, ErrUnderway) || got != want || len(w.mgr.asked) != 0 {
			t.Errorf("frozen %v: %+v, %v; started %q, asked %q", frozen, rec, err, got, w.mgr.asked)
		}
		if !frozen {
			continue
		}
		// However long it is frozen: when it is let go on it is started.
		begun.Begin = w.clock.now.Add(-2 * finishLimit)
		if rec, err := w.mover.Finish(context.Background(), begun, true); !errors.Is(err, ErrUnderway) || len(mgr.again) != 0 {
			t.Errorf("frozen for long: %+v, %v; started %q", rec, err, mgr.again)
		}
		s.Frozen = false
		mgr.err = nil
		if rec, err := w.mover.Finish(context.Background(), begun, true); strings.Join(mgr.again, "; ") != "service:centos" {
			t.Errorf("let go on: %+v, %v; started %q", rec, err, mgr.again)
		}
	}
}

// Where the manager does not start it at once the restart is not ended: who ends it starts it the next time.
func TestFinishStartsARestartUntilItRuns(t *testing.T) {
	w := newWorld(t)
	begun := w.dead("openvz:101")
	begun.To = begun.From
	w.record("openvz", "101", handoff.State{Phase: handoff.Down})
	s := w.service("101")
	s.State, s.Owner, s.Restarting = cluster.Disabled, "", true
	refused := errors.New("no answer")
	w.mgr.enable = func(string, string) error { return refused }
	if rec, err := w.mover.Finish(context.Background(), begun, true); !errors.Is(err, ErrUnderway) || len(w.log.list) != 0 {
		t.Errorf("%+v, %v; the journal: %v", rec, err, w.log.list)
	}
	old := begun
	old.Begin = w.clock.now.Add(-finishLimit)
	if rec, err := w.mover.Finish(context.Background(), old, true); err != nil || rec.Outcome != balance.OutcomeFailed {
		t.Errorf("after an hour: %+v, %v", rec, err)
	}
	if len(w.mgr.asked) != 2 {
		t.Errorf("the manager was asked %q", w.mgr.asked)
	}
}

// What another relocator has sent is his to take over.
func TestFinishLeavesAnothersOrphan(t *testing.T) {
	w := newWorld(t)
	begun := w.dead("xen:web1")
	other := strings.Repeat("cd", 16)
	w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: other},
		handoff.State{Phase: handoff.Sent, To: "node2", Txn: other})
	s := w.service("web1")
	s.Owner, s.State = "", cluster.Stopped
	rec, err := w.mover.Finish(context.Background(), begun, true)
	if err != nil || rec.Outcome != balance.OutcomeFailed || len(w.mgr.asked) != 0 {
		t.Errorf("%+v, %v, asked %v", rec, err, w.mgr.asked)
	}
}

// The relocator of a restart in place died: that the VM runs where it was says nothing.
func TestFinishOfARestart(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(w *world)
		outcome balance.Outcome
	}{
		{"died before the request", func(*world) {}, balance.OutcomeFailed},
		{"died behind it", func(w *world) { w.rebooted("node1"); w.service("101").Since = w.clock.now }, balance.OutcomeMoved},
		{"it came back with its memory", func(w *world) {
			txn := strings.Repeat("ab", 16)
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1", Txn: txn})
			w.service("101").Since = w.clock.now
		}, balance.OutcomeFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			begun := w.dead("openvz:101")
			begun.To, begun.Kind = "node1", "cold"
			test.change(w)
			rec, err := w.mover.Finish(context.Background(), begun, true)
			if err != nil || rec.Outcome != test.outcome {
				t.Errorf("%+v, %v", rec, err)
			}
		})
	}
}

// A node dies with the move whose relocator is dead: it is not ended before the manager has followed, and it is told who is waited for.
func TestFinishWhileANodeIsAway(t *testing.T) {
	for _, test := range []struct {
		name    string
		node    int // who dies
		fenced  bool
		change  func(w *world, txn string)
		says    string          // why it is left; of the end, when it is given up
		outcome balance.Outcome // when the manager has started it on node3
		memory  balance.Memory
	}{
		{"the source, at once", 0, false, func(*world, string) {}, "node node1 has openvz:101, is no member of the cluster any more and is not proved dead", balance.OutcomeElsewhere, balance.MemoryLost},
		{"the source, fenced, and the manager is late", 0, true, func(*world, string) {}, "is started on node1, and the record says running node1, but node1 is no member of the cluster any more", balance.OutcomeElsewhere, balance.MemoryLost},
		{"the target, before it has started it", 1, false, func(w *world, txn string) {
			w.service("101").State, w.service("101").Owner = cluster.Stopped, ""
			w.record("openvz", "101", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: txn}, handoff.State{Phase: handoff.Sent, To: "node2", Txn: txn})
		}, "node node2 has openvz:101, is no member", balance.OutcomeElsewhere, balance.MemoryLost},
		{"the target, when it has started it", 1, true, func(w *world, txn string) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2", Txn: txn})
			w.service("101").Owner = "node2"
		}, "but node2 is no member", balance.OutcomeElsewhere, balance.MemoryLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mover.Gone = func(context.Context, string, string, bool) (bool, error) { return test.fenced, nil }
			begun := w.dead("openvz:101")
			test.change(w, begun.Txn)
			w.mgr.status.Members[test.node].Online, w.mgr.status.Members[test.node].Manager = false, false
			if _, err := w.mover.Finish(context.Background(), begun, true); !errors.Is(err, ErrUnderway) || !strings.Contains(err.Error(), test.says) || len(w.log.list) != 0 {
				t.Errorf("%v, want under way, with %q; the journal: %v", err, test.says, w.log.list)
			}
			if len(w.mgr.asked) != 0 {
				t.Errorf("the manager was asked %v", w.mgr.asked)
			}
			old := begun
			old.Begin = w.clock.now.Add(-finishLimit)
			if rec, err := w.mover.Finish(context.Background(), old, true); err != nil || rec.Outcome != balance.OutcomeUnknown || !strings.Contains(rec.Why, test.says) {
				t.Errorf("after an hour: %+v, %v", rec, err)
			}
			w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-3"}, handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-3"})
			w.service("101").State, w.service("101").Owner = cluster.Started, "node3"
			if rec, err := w.mover.Finish(context.Background(), begun, true); err != nil || rec.Outcome != test.outcome || rec.Memory != test.memory || rec.Owner != "node3" {
				t.Errorf("started elsewhere: %+v, %v", rec, err)
			}
		})
	}
}
