package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// dies is what the others see of node1 when its power is cut in the middle of its stop.
func (w *world) dies() {
	w.mgr.mu.Lock()
	defer w.mgr.mu.Unlock()
	w.mgr.status.Members[0].Online, w.mgr.status.Members[0].Manager = false, false
	w.mgr.status.Services[0].State = cluster.Stopping
}

// fast runs sixty times as fast as the clock that is waited by, as in a lab.
type fast struct {
	*hasty
	start time.Time
}

func (c fast) Now() time.Time { return c.start.Add(60 * c.hasty.Now().Sub(c.start)) }

// answering is a clock for a manager that answers before anybody has to be told that it does not.
type answering struct{ *hasty }

func (c answering) Sleep(ctx context.Context, d time.Duration) error {
	if d == askStep {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.hasty.Sleep(ctx, d)
}

// A source that has died and is not fenced is waited for, for a while by the clock of the journals, and not for as long
// as the manager says that it is at work.
func TestTheSourceDies(t *testing.T) {
	for _, test := range []struct {
		name        string
		scale       bool
		least, most time.Duration // real
	}{
		{"a cluster", false, 2 * time.Minute, 3 * time.Minute},
		{"a lab", true, (awayLooks - 1) * settleStep, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			start := w.clock.Now()
			if test.scale {
				w.mover.Clock = fast{w.clock, start}
			}
			var told []string
			w.mover.Wait = answering{w.clock}
			w.mover.Waiting = func(what string) { told = append(told, what) }
			w.mgr.move = func(context.Context, string, string) error {
				w.dies()
				return &cluster.Refusal{Op: "relocating", Code: 255, Text: "Failure", Why: cluster.ErrFailed}
			}
			rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
			var a *Away
			if !errors.Is(err, ErrUnverified) || !errors.As(err, &a) || a.Node != "node1" || a.Left || !a.Held || !a.Named {
				t.Fatalf("%+v, %v", a, err)
			}
			if rec.Outcome != balance.OutcomeUnknown || rec.End.IsZero() {
				t.Errorf("%+v", rec)
			}
			if took := w.clock.Now().Sub(start); took < test.least || took > test.most {
				t.Errorf("it was waited for %s", took)
			}
			if len(told) == 0 || !strings.HasPrefix(told[len(told)-1], "the fencing of node1, which is no member any more (service:centos is stopping on node1") {
				t.Errorf("told: %q", told)
			}
			if text := err.Error(); strings.Contains(text, "unknown: check") || !strings.Contains(text, "no node starts the VM until node1 is fenced or has booted anew") {
				t.Error(text)
			}
			if left := w.tickets("openvz", "101"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A manager that is at work for ever is watched for a time, by the mover's clock and, should that stand still, by the
// other.
func TestWatchingEnds(t *testing.T) {
	for _, test := range []struct {
		name        string
		clock       func(*world) clock.Clock
		least, most time.Duration // real
	}{
		{"a cluster", func(w *world) clock.Clock { return w.clock }, verifyLimit, verifyLimit + time.Minute},
		{"a lab", func(w *world) clock.Clock { return fast{w.clock, w.clock.Now()} }, (verifyLooks - 1) * settleStep, 2 * verifyLooks * settleStep},
		{"a clock that stands", func(w *world) clock.Clock { return clock.NewFake(w.clock.Now()) }, verifyLimit, verifyLimit + time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			start := w.clock.Now()
			w.mover.Clock = test.clock(w)
			w.mgr.move = func(context.Context, string, string) error {
				w.service("101").State = cluster.Stopping
				return nil
			}
			w.clock.sleep = func() {
				if w.clock.Now().Sub(start) > 2*verifyLimit { // so that this ends
					w.service("101").State = cluster.Failed
				}
			}
			rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
			if !errors.Is(err, ErrUnverified) || rec.Outcome != balance.OutcomeUnknown {
				t.Errorf("%+v, %v", rec, err)
			}
			if took := w.clock.Now().Sub(start); took < test.least || took > test.most {
				t.Errorf("it was watched for %s", took)
			}
		})
	}
}

// A request that hangs is ended, with time left to look what came of it.
func TestARequestThatHangsIsEnded(t *testing.T) {
	w := newWorld(t)
	start := w.clock.Now()
	w.mgr.move = func(ctx context.Context, _, _ string) error {
		for ctx.Err() == nil && w.clock.Now().Sub(start) < 2*requestLimit {
			if err := w.clock.Sleep(context.Background(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		return ctx.Err()
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "it still runs on node1 (the manager said: nothing, for as long as it was waited for)") {
		t.Errorf("%+v, %v", rec, err)
	}
	if took := w.clock.Now().Sub(start); took < requestLimit || took > requestLimit+2*time.Minute {
		t.Errorf("it was ended after %s", took)
	}
}

// While the manager does not answer, what is waited for is told all the same.
func TestWaitingIsToldWhileTheManagerIsAsked(t *testing.T) {
	w := newWorld(t)
	told := make(chan string, 1)
	w.mover.Waiting = func(what string) {
		select {
		case told <- what:
		default:
		}
	}
	var got string
	w.mgr.move = func(context.Context, string, string) error {
		w.dies()
		for !strings.HasPrefix(got, "the fencing of node1") { // the manager answers when it has been told
			got = <-told
		}
		w.mgr.mu.Lock()
		defer w.mgr.mu.Unlock()
		w.mgr.status.Members[0].Online = true
		w.handover("openvz", "101", "node2")
		w.service("101").State = cluster.Started
		return nil
	}
	if _, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); err != nil {
		t.Error(err)
	}
}

// slow is a manager whose answer comes only when nobody waits for it any more.
type slow struct {
	*manager
	entered  chan struct{}
	answered atomic.Bool
}

func (m *slow) Status(ctx context.Context) (cluster.Status, error) {
	close(m.entered)
	<-ctx.Done()
	time.Sleep(10 * time.Millisecond) // who does not wait for it is gone by then
	m.answered.Store(true)
	return m.manager.Status(context.Background())
}

// Once the manager has answered the request nothing is told beside what the watching tells.
func TestNothingIsToldAfterTheAnswer(t *testing.T) {
	w := newWorld(t)
	m := &slow{manager: w.mgr, entered: make(chan struct{})}
	var told atomic.Int32
	w.mover.Manager, w.mover.Waiting = m, func(string) { told.Add(1) }
	stop := w.mover.meanwhile(context.Background(), request("openvz", "101", "node2"))
	<-m.entered
	stop()
	if !m.answered.Load() || told.Load() != 0 {
		t.Errorf("it goes on behind the answer: %v, %d", m.answered.Load(), told.Load())
	}
}

// A node that is fenced in time, however late, is not given up.
func TestTheSourceIsFencedInTheEnd(t *testing.T) {
	w := newWorld(t)
	start := w.clock.Now()
	fenced := func() bool { return w.clock.Now().Sub(start) > 100*time.Second }
	w.mover.Gone = func(_ context.Context, node, _ string, _ bool) (bool, error) { return node == "node1" && fenced(), nil }
	w.mgr.move = func(context.Context, string, string) error { w.dies(); return nil }
	w.clock.sleep = func() {
		if s := w.service("101"); fenced() && s.State == cluster.Stopping {
			s.State, s.Owner = cluster.Started, "node2"
			w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: "node2", Boot: "boot-2"}, handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2"})
		}
	}
	rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
	if err != nil || rec.Memory != balance.MemoryLost {
		t.Errorf("%+v, %v", rec, err)
	}
}

// The manager has not followed a death yet that was proved: where it says that the VM is, it is not any more.
func TestTheManagerIsLate(t *testing.T) {
	for _, node := range []int{0, 1} {
		w := newWorld(t)
		start := w.clock.Now()
		w.mover.Gone = func(context.Context, string, string, bool) (bool, error) { return true, nil }
		w.mgr.move = func(_ context.Context, _, target string) error {
			if node == 1 { // it has arrived
				w.handover("openvz", "101", target)
			}
			w.mgr.status.Members[node].Online = false
			return nil
		}
		w.clock.sleep = func() {
			if s := w.service("101"); w.clock.Now().Sub(start) > 10*time.Second && s.Owner != "node3" {
				s.Owner = "node3"
				w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: "node3", Boot: "boot-3"}, handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-3"})
			}
		}
		rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
		if !errors.Is(err, ErrElsewhere) || rec.Owner != "node3" || rec.Memory != balance.MemoryLost {
			t.Errorf("node %d: %+v, %v", node+1, rec, err)
		}
	}
}

// One that comes back is waited for anew when it goes again.
func TestTheSourceIsAwayTwice(t *testing.T) {
	w := newWorld(t)
	start := w.clock.Now()
	w.mgr.move = func(context.Context, string, string) error { w.dies(); return nil }
	w.clock.sleep = func() {
		at := w.clock.Now().Sub(start)
		w.mgr.status.Members[0].Online = at > 100*time.Second && at < 200*time.Second || at > 300*time.Second
		if s := w.service("101"); at > 300*time.Second && s.State == cluster.Stopping {
			w.handover("openvz", "101", "node2")
			s.State = cluster.Started
		}
	}
	if rec, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); err != nil {
		t.Errorf("%+v, %v", rec, err)
	}
}

// A request for a VM whose node is away is refused with that, and not for what is missing in consequence.
func TestItsNodeIsAway(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		before func(*world)
		text   string
	}{
		{"dead", func(*world) {}, "node node1 has openvz:101, is no member of the cluster any more and is not proved dead (service:centos is started on node1, and the record says running node1): no node starts the VM until node1 is fenced or has booted anew; lbm handoff 101 tells what to do"},
		{"nobody can tell", func(w *world) {
			w.mover.Gone = func(context.Context, string, string, bool) (bool, error) {
				return false, errors.New("fence_tool: no answer")
			}
		}, "; fence_tool: no answer): no node starts"},
		{"left in order, frozen", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1", Left: true})
			w.service("101").Frozen = true
		}, "until node1 has booted anew (it left the cluster in order, and no fencing speaks for it)"},
		{"confirmed, and the manager still waits", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Down})
		}, "no agent waits for node1, but the cluster manager has service:centos on it, though it is no member any more, and starts nothing until it is fenced or has booted anew (service:centos is started on node1, and the record says down)"},
		{"confirmed, and frozen", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Down})
			w.service("101").Frozen = true
		}, "and leaves it there: it is frozen (service:centos is started on node1 and frozen, and the record says down)"},
		{"proved dead", func(w *world) {
			w.mover.Gone = func(context.Context, string, string, bool) (bool, error) { return true, nil }
		}, "node1 is proved dead: the cluster manager starts it on another node now; if it does not within a minute or two: clusvcadm -d service:centos, then lbm repair 101"},
		{"proved dead, frozen", func(w *world) {
			w.mover.Gone = func(context.Context, string, string, bool) (bool, error) { return true, nil }
			w.service("101").Frozen = true
		}, "it is frozen, and the cluster manager leaves it there: clusvcadm -U service:centos"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mgr.status.Members[0].Online = false
			w.facts("node1", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) })
			test.before(w)
			r := request("openvz", "101", "node2")
			_, restart := w.mover.CheckRestart(ctx, r)
			_, repair := w.mover.PlanRepair(ctx, r)
			for what, err := range map[string]error{"migrate": w.mover.Check(ctx, r), "restart": restart, "repair": repair} {
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%s: %v\nwant %s", what, err, test.text)
				}
			}
			if len(w.mgr.asked) != 0 {
				t.Errorf("the manager was asked %v", w.mgr.asked)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for want, st := range map[string]handoff.State{
		"down":                   {Phase: handoff.Down},
		"running node1":          {Phase: handoff.Running, Node: "node1"},
		"sending node1 to node2": {Phase: handoff.Sending, Node: "node1", To: "node2"},
		"sent to node2":          {Phase: handoff.Sent, To: "node2"},
		"running node1 (which left the cluster in order)": {Phase: handoff.Running, Node: "node1", Left: true},
	} {
		if got := words(st); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whoever the record or the manager names and who is no member any more is asked about, with all that is known of its end,
// and waited for unless it is affirmed to be gone.
func TestWhoIsAway(t *testing.T) {
	const boot = "boot-1"
	members := []cluster.Member{{Name: "node1"}, {Name: "node2", Online: true}, {Name: "node3"}}
	for _, test := range []struct {
		name  string
		rec   handoff.State
		state cluster.State
		owner string
		asked string
		named bool
	}{
		{"by the record alone", handoff.State{Phase: handoff.Running, Node: "node1", Boot: boot}, cluster.Stopped, "node2", "node1 boot-1 false", true},
		{"it left in order", handoff.State{Phase: handoff.Running, Node: "node1", Boot: boot, Left: true}, cluster.Started, "node1", "node1 boot-1 true", true},
		{"written otherwise", handoff.State{Phase: handoff.Running, Node: "NODE1", Boot: boot, Left: true}, cluster.Started, "node1", "NODE1 boot-1 true", true},
		{"on its way there", handoff.State{Phase: handoff.Sending, Node: "node2", Boot: "boot-2", To: "node1"}, cluster.Started, "node2", "node1  false", true},
		{"sent there", handoff.State{Phase: handoff.Sent, To: "node1"}, cluster.Stopped, "node2", "node1  false", true},
		{"by the manager alone", handoff.State{Phase: handoff.Down}, cluster.Started, "node1", "node1  false", false},
		{"of another cluster", handoff.State{Phase: handoff.Running, Node: "node9", Boot: boot}, cluster.Stopped, "", "node9 boot-1 false", true},
		{"the manager gave it up", handoff.State{Phase: handoff.Down}, cluster.Failed, "node1", "", false},
		{"it is down", handoff.State{Phase: handoff.Down}, cluster.Stopped, "node1", "", false},
		{"nobody", handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2"}, cluster.Started, "node2", "", false},
	} {
		for answer, free := range map[string]bool{"no": false, "yes": true, "yes, with an error": false, "an error": false} {
			var asked []string
			m := Mover{Gone: func(_ context.Context, node, boot string, left bool) (bool, error) {
				asked = append(asked, fmt.Sprintf("%s %s %v", node, boot, left))
				var err error
				if strings.HasSuffix(answer, "error") {
					err = errors.New("no answer")
				}
				return strings.HasPrefix(answer, "yes"), err
			}}
			svc := cluster.Service{ID: "xen:web1", VMType: "xen", VM: "web1", State: test.state, Owner: test.owner}
			a := m.away(context.Background(), cluster.Status{Members: members}, svc, test.rec)
			if len(asked) == 0 && test.asked != "" || len(asked) > 0 && asked[0] != test.asked {
				t.Errorf("%s: %q was asked, want %q", test.name, asked, test.asked)
			}
			if want := test.asked != "" && !free; (a != nil) != want || want && (a.Named != test.named || (a.Doubt != nil) != strings.HasSuffix(answer, "error")) {
				t.Errorf("%s, %s: %+v", test.name, answer, a)
			}
			if m.Gone = nil; (m.away(context.Background(), cluster.Status{Members: members}, svc, test.rec) != nil) != (test.asked != "") {
				t.Errorf("%s: with nobody to ask", test.name)
			}
		}
	}
}
