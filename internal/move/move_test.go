package move

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

func request(typ, vm, target string) Request {
	return Request{Type: typ, VM: vm, Target: target, By: "lbm", Why: "asked for", Rails: "pass all"}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world)
		target string
		want   string // "" is not refused
	}{
		{"nothing", func(*world) {}, "node2", ""},
		{"no answer", func(w *world) { w.mgr.err = errors.New("no reply") }, "node2", "no reply"},
		{"no quorum", func(w *world) { w.mgr.status.Quorate = false }, "node2", "quorum"},
		{"no such VM", func(w *world) { w.service("101").VM = "102" }, "node2", "no service of the cluster holds openvz:101"},
		{"another type", func(w *world) { w.service("101").VMType = "xen" }, "node2", "no service of the cluster holds openvz:101"},
		{"stopped", func(w *world) { w.service("101").State = cluster.Stopped }, "node2", "is stopped, not started"},
		{"failed", func(w *world) { w.service("101").State = cluster.Failed }, "node2", "is failed, not started"},
		{"in transition", func(w *world) { w.service("101").State = cluster.Stopping }, "node2", "not started"},
		{"unknown", func(w *world) { w.service("101").State = cluster.Unknown }, "node2", "not started"},
		{"nobody's", func(w *world) { w.service("101").Owner = "" }, "node2", "not started"},
		{"frozen", func(w *world) { w.service("101").Frozen = true }, "node2", "frozen"},
		{"partly stopped", func(w *world) { w.service("101").Partial = true }, "node2", "a part of service:centos is stopped"},
		{"there already", func(*world) {}, "node1", "is on node1 already"},
		{"not a name", func(*world) {}, "-x", "not a valid name"},
		{"no such node", func(*world) {}, "node", `"node" is no node of this cluster: they are node1, node2, node3`},
		{"offline", func(w *world) { w.mgr.status.Members[1].Online = false }, "node2", "offline"},
		{"no manager there", func(w *world) { w.mgr.status.Members[1].Manager = false }, "node2", "does not run the cluster manager"},
		{"about to leave", func(w *world) {
			w.write("lbvm/leaving/node2", "format=1\nmember=node2\nboot=boot-node2\n")
		}, "node2", "about to leave the cluster"},
		{"has left in an earlier boot", func(w *world) {
			w.write("lbvm/leaving/node2", "format=1\nmember=node2\nboot=boot-0\n")
		}, "node2", ""},
		{"evacuated", func(w *world) {
			if err := host.WriteEvacuation(w.shared, host.Evacuation{Member: "node2", Since: w.clock.Now()}); err != nil {
				w.t.Fatal(err)
			}
		}, "node2", "lbm failback node2 opens it again"},
		{"outside the domain", func(w *world) { w.service("101").MayRun = []cluster.Placement{{Node: "node1"}, {Node: "node3"}} }, "node2", "failover domain"},
		{"no facts", func(w *world) { w.remove("lbvm/nodes/node2") }, "node2", "lblog has not run on node node2 yet"},
		{"only a boot", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = time.Time{} }) }, "node2", "say nothing since it came up"},
		{"old facts", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = w.clock.now.Add(-3 * time.Minute) }) }, "node2", "3m0s old"},
		{"facts of tomorrow", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = w.clock.now.Add(24 * time.Hour) }) }, "node2", "24h0m0s from now"},
		{"the name is taken", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "running"}} })
		}, "node2", "try again after the next lblog"},
		{"another type's name is not", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "xen", Name: "101", State: "running"}} })
		}, "node2", ""},
		{"too small", func(w *world) { w.facts("node2", func(f *host.Facts) { f.MemFree = 1<<30 - 1 }) }, "node2", "MiB free"},
		{"unknown memory", func(w *world) { w.facts("node2", func(f *host.Facts) { f.MemFree, f.MemTotal = 0, 0 }) }, "node2", "does not say how much memory it has free"},
		{"in passage", func(w *world) {
			txn := strings.Repeat("ab", 16)
			w.record("openvz", "101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "boot-1", Image: txn, Txn: txn})
		}, "node2", "says suspending, not running"},
		{"record of another node", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-3"})
		}, "node2", "says that it runs on node3, the cluster manager says node1"},
		{"no record", func(w *world) { w.remove("lbvm/handoff/openvz-101/state") }, "node2", ""},
		{"record that nobody can believe", func(w *world) { w.write("lbvm/handoff/openvz-101/state", "phase=running\n") }, "node2", "cannot be believed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mgr.move = func(context.Context, string, string) error { t.Error("the manager was asked"); return nil }
			test.change(w)
			r := request("openvz", "101", test.target)
			err := w.mover.Check(context.Background(), r)
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("Check: %v, want a refusal with %q", err, test.want)
			}
			if _, err := w.mover.Move(context.Background(), r); !errors.Is(err, ErrRefused) {
				t.Errorf("Move: %v, want a refusal", err)
			}
			if len(w.log.list) != 0 || len(w.tickets("openvz", "101")) != 0 {
				t.Errorf("a refused move left %v and %v", w.log.list, w.tickets("openvz", "101"))
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	refused := errors.New("exit 255: Failure")
	tests := []struct {
		name    string
		move    func(w *world) error
		err     error // nil is success
		outcome balance.Outcome
		owner   string
		memory  balance.Memory
		text    string
	}{
		{"moved", func(w *world) error { w.handover("openvz", "101", "node2"); return nil },
			nil, balance.OutcomeMoved, "node2", balance.MemoryKept, ""},
		{"moved, and the manager says it failed", func(w *world) error { w.handover("openvz", "101", "node2"); return refused },
			nil, balance.OutcomeMoved, "node2", balance.MemoryKept, ""},
		{"moved cold", func(w *world) error {
			w.consume("openvz", "101")
			w.record("openvz", "101", handoff.State{Phase: handoff.Down}, handoff.State{Phase: handoff.Starting, Node: "node2", Boot: "boot-2"},
				handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2"})
			w.service("101").Owner = "node2"
			return nil
		}, nil, balance.OutcomeMoved, "node2", balance.MemoryLost, ""},
		{"landed elsewhere", func(w *world) error { w.handover("openvz", "101", "node3"); return nil },
			ErrElsewhere, balance.OutcomeElsewhere, "node3", balance.MemoryKept, `on "node3", sent to "node2"`},
		{"false success", func(*world) error { return nil },
			ErrFailed, balance.OutcomeFailed, "node1", balance.MemoryKept, "it still runs on node1 (the manager said: success)"},
		{"refused by the manager", func(*world) error { return refused },
			ErrRefused, balance.OutcomeFailed, "node1", balance.MemoryKept, "nothing was changed: it still runs on node1 (the manager said: exit 255: Failure)"},
		{"back on the source", func(w *world) error { w.handover("openvz", "101", "node1"); return refused },
			ErrFailed, balance.OutcomeFailed, "node1", balance.MemoryKept, "it still runs on node1"},
		{"restarted on the source", func(w *world) error {
			w.record("openvz", "101", handoff.State{Phase: handoff.Down}, handoff.State{Phase: handoff.Starting, Node: "node1", Boot: "boot-1"},
				handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
			return refused
		}, ErrFailed, balance.OutcomeFailed, "node1", balance.MemoryLost, "it still runs on node1"},
		{"failed", func(w *world) error {
			w.consume("openvz", "101")
			s := w.service("101")
			s.State, s.Owner = cluster.Failed, ""
			return refused
		}, ErrFailed, balance.OutcomeFailed, "", balance.MemoryUnknown, "the service is failed, and the record says running node1"},
		{"the manager says there, the record does not", func(w *world) error { w.service("101").Owner = "node2"; return nil },
			ErrUnverified, balance.OutcomeUnknown, "node2", balance.MemoryUnknown, "started on node2, and the record says running node1"},
		{"the manager does not answer any more", func(w *world) error { w.mgr.err = errors.New("no reply"); return nil },
			ErrUnverified, balance.OutcomeUnknown, "", balance.MemoryUnknown, "no reply"},
		{"the record cannot be read", func(w *world) error {
			w.handover("openvz", "101", "node2")
			w.write("lbvm/handoff/openvz-101/state", "nonsense\n")
			return nil
		}, ErrUnverified, balance.OutcomeUnknown, "", balance.MemoryUnknown, "cannot be believed"},
		{"for ever on its way", func(w *world) error { w.service("101").State = cluster.Stopping; return nil },
			ErrUnverified, balance.OutcomeUnknown, "", balance.MemoryUnknown, "service:centos is stopping on node1"},
		{"taken out of the configuration", func(w *world) error { w.service("101").VM = ""; return nil },
			ErrUnverified, balance.OutcomeUnknown, "", balance.MemoryUnknown, "holds openvz:101 any more"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mgr.move = func(_ context.Context, service, target string) error {
				if service != "service:centos" || target != "node2" {
					t.Errorf("the manager was asked to move %s to %s", service, target)
				}
				return test.move(w)
			}
			rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
			if (test.err == nil) != (err == nil) || !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if err != nil && !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %q lacks %q", err, test.text)
			}
			if rec.Outcome != test.outcome || rec.Memory != test.memory || (test.owner != "" && rec.Owner != test.owner) {
				t.Errorf("%s on %q with memory %s, want %s on %q with memory %s", rec.Outcome, rec.Owner, rec.Memory, test.outcome, test.owner, test.memory)
			}
			w.journalled(rec)
			if left := w.tickets("openvz", "101"); len(left) != 0 {
				t.Errorf("tickets were left: %v", left)
			}
		})
	}
}

// journalled checks that one Begin and one End stand in the journal.
func (w *world) journalled(rec balance.Move) {
	w.t.Helper()
	if len(w.log.list) != 2 {
		w.t.Fatalf("%d records in the journal, want a Begin and an End: %+v", len(w.log.list), w.log.list)
	}
	begin, end := w.log.list[0], w.log.list[1]
	if begin.Txn == "" || begin.Txn != end.Txn || begin.Begin.IsZero() || !begin.End.IsZero() || begin.Why != "asked for" || begin.By != "lbm" {
		w.t.Errorf("Begin is %+v", begin)
	}
	if end.End.IsZero() || end.Outcome != rec.Outcome || end.VM != rec.VM || end.From != "node1" {
		w.t.Errorf("End is %+v", end)
	}
	// Each tells what was asked for and what the rails said, also where it failed.
	if asked := cmp.Or(end.Asked, end.Why); begin.Rails != "pass all" || end.Rails != "pass all" || asked != "asked for" || end.Kind != begin.Kind || end.By != "lbm" {
		w.t.Errorf("Begin is %+v, End %+v", begin, end)
	}
}

func TestTheTicketSaysHow(t *testing.T) {
	for _, test := range []struct {
		typ, vm string
		kind    handoff.Kind
	}{{"openvz", "101", handoff.Image}, {"xen", "web1", handoff.Live}} {
		w := newWorld(t)
		var got handoff.Ticket
		w.mgr.move = func(context.Context, string, string) error { got = w.consume(test.typ, test.vm); return nil }
		if _, err := w.mover.Move(context.Background(), request(test.typ, test.vm, "node3")); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %v", test.typ, err)
		}
		if got.Kind != test.kind || got.Source != "node1" || got.Target != "node3" || got.Txn != w.log.list[0].Txn || w.log.list[0].Kind != string(test.kind) {
			t.Errorf("%s: ticket %+v", test.typ, got)
		}
	}
}

// A VM without a record has nothing that a ticket could refer to; it is moved all the same.
func TestWithoutARecordThereIsNoTicket(t *testing.T) {
	w := newWorld(t)
	w.remove("lbvm/handoff/openvz-101/state")
	w.mgr.move = func(context.Context, string, string) error {
		if left := w.tickets("openvz", "101"); len(left) != 0 {
			t.Errorf("a ticket was laid: %v", left)
		}
		w.service("101").Owner = "node2"
		return nil
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if err != nil || rec.Outcome != balance.OutcomeMoved || rec.Memory != balance.MemoryUnknown {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestAnOrphanIsAdopted(t *testing.T) {
	for _, test := range []struct {
		name  string
		state cluster.State
		asked []string
	}{
		{"stopped", cluster.Stopped, []string{"move xen:web1 node2", "enable xen:web1 node2"}},
		{"disabled meanwhile", cluster.Disabled, []string{"move xen:web1 node2", "enable xen:web1 node2", "disable xen:web1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mgr.move = func(context.Context, string, string) error {
				txn := w.consume("xen", "web1").Txn
				w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: txn},
					handoff.State{Phase: handoff.Sent, To: "node2", Txn: txn})
				s := w.service("web1")
				s.Owner, s.State = "", test.state
				return errors.New("service is disabled")
			}
			w.mgr.enable = func(_, target string) error {
				st, err := handoff.ReadState(w.shared, "xen", "web1")
				if err != nil {
					t.Fatal(err)
				}
				w.record("xen", "web1", handoff.State{Phase: handoff.Running, Node: target, Boot: "boot-2", Txn: st.Txn})
				s := w.service("web1")
				s.Owner, s.State = target, cluster.Started
				return nil
			}
			rec, err := w.mover.Move(context.Background(), request("xen", "web1", "node2"))
			if err != nil || rec.Outcome != balance.OutcomeMoved || rec.Owner != "node2" || rec.Memory != balance.MemoryKept {
				t.Errorf("%+v, %v", rec, err)
			}
			if got := strings.Join(w.mgr.asked, "; "); got != strings.Join(test.asked, "; ") {
				t.Errorf("the manager was asked: %s", got)
			}
		})
	}
}

func TestAnOrphanIsEnabledOnce(t *testing.T) {
	w := newWorld(t)
	w.mgr.move = func(context.Context, string, string) error {
		txn := w.consume("xen", "web1").Txn
		w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: txn},
			handoff.State{Phase: handoff.Sent, To: "node2", Txn: txn})
		s := w.service("web1")
		s.Owner, s.State = "", cluster.Stopped
		return nil
	}
	w.mgr.enable = func(string, string) error { return errors.New("exit 255: Failure") }
	rec, err := w.mover.Move(context.Background(), request("xen", "web1", "node2"))
	if !errors.Is(err, ErrFailed) || rec.Outcome != balance.OutcomeFailed || !strings.Contains(err.Error(), "the record says sent to node2") {
		t.Errorf("%+v, %v", rec, err)
	}
	if len(w.mgr.asked) != 2 {
		t.Errorf("the manager was asked: %v", w.mgr.asked)
	}
}

// The manager forwards a request and gives up waiting after ten minutes with a false success: as long as it is at
// work, the end is waited for.
func TestAFalseSuccessInTheMiddleIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.mgr.move = func(context.Context, string, string) error { w.service("101").State = cluster.Stopping; return nil }
	begun := w.clock.Now()
	w.clock.sleep = func() {
		if w.service("101").State == cluster.Stopping && w.clock.Now().Sub(begun) > 5*time.Minute {
			w.handover("openvz", "101", "node2")
			w.service("101").State = cluster.Started
		}
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if err != nil || rec.Outcome != balance.OutcomeMoved || rec.End.Sub(rec.Begin) < 5*time.Minute {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestTwoRelocatorsAtOnce(t *testing.T) {
	w := newWorld(t)
	var second error
	w.mgr.move = func(context.Context, string, string) error {
		if second == nil {
			other := w.mover
			other.Journal = &memoryJournal{}
			_, second = other.Move(context.Background(), request("openvz", "101", "node3"))
		}
		w.handover("openvz", "101", "node2")
		return nil
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if err != nil || rec.Outcome != balance.OutcomeMoved {
		t.Errorf("the first: %+v, %v", rec, err)
	}
	if !errors.Is(second, ErrRefused) || !errors.Is(second, handoff.ErrBusy) {
		t.Errorf("the second: %v, want refused", second)
	}
	if len(w.mgr.asked) != 1 {
		t.Errorf("the manager was asked: %v", w.mgr.asked)
	}
}

func TestEndedBeforeTheRequest(t *testing.T) {
	w := newWorld(t)
	w.mgr.move = func(context.Context, string, string) error { t.Error("the manager was asked"); return nil }
	ctx, cancel := context.WithCancel(context.Background())
	w.log.then = func() { cancel() } // the Begin record is the last thing before the request
	rec, err := w.mover.Move(ctx, request("openvz", "101", "node2"))
	if !errors.Is(err, ErrRefused) || !errors.Is(err, context.Canceled) || rec.Outcome != balance.OutcomeFailed {
		t.Errorf("%+v, %v", rec, err)
	}
	w.journalled(rec)
	if left := w.tickets("openvz", "101"); len(left) != 0 {
		t.Errorf("tickets were left: %v", left)
	}
}

// What ends the caller's context after the request does not end the watching.
func TestEndedAfterTheRequest(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	w.mgr.move = func(inner context.Context, _, _ string) error {
		cancel()
		if inner.Err() != nil {
			t.Error("the request was cut off")
		}
		w.handover("openvz", "101", "node2")
		return nil
	}
	rec, err := w.mover.Move(ctx, request("openvz", "101", "node2"))
	if err != nil || rec.Outcome != balance.OutcomeMoved {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestNoMoveWithoutAJournal(t *testing.T) {
	w := newWorld(t)
	w.mgr.move = func(context.Context, string, string) error { t.Error("the manager was asked"); return nil }
	w.log.fail = os.ErrPermission
	if _, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); !errors.Is(err, ErrRefused) {
		t.Errorf("%v, want refused", err)
	}
	if left := w.tickets("openvz", "101"); len(left) != 0 {
		t.Errorf("tickets were left: %v", left)
	}
}

// Where the cluster has no shared file system only the manager can tell.
func TestWithoutSharedStorage(t *testing.T) {
	w := newWorld(t)
	w.mover.Shared = ""
	w.mgr.move = func(context.Context, string, string) error { w.service("101").Owner = "node2"; return nil }
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if err != nil || rec.Outcome != balance.OutcomeMoved || rec.Memory != balance.MemoryUnknown {
		t.Errorf("%+v, %v", rec, err)
	}
}
