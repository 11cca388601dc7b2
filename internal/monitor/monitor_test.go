package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/testfiles"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func TestAHotNodeShedsAVM(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	res, err := w.mon.Run(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, w.log)
	}
	if got := w.last(w.mon); got.Outcome != lbvmagent.OK || got.Failures != 0 || got.Cause != "" || !got.At.Equal(res.Record.At) {
		t.Errorf("record %+v", got)
	}
	if len(res.Moves) != 1 || res.Moves[0].Err != nil {
		t.Fatalf("moves %+v\n%s", res.Moves, w.log)
	}
	list := w.journal()
	if len(list) != 1 {
		t.Fatalf("journal %+v", list)
	}
	m := list[0]
	if m.VM != "openvz:101" || m.From != "node1" || m.To != "node2" || m.Outcome != balance.OutcomeMoved || m.Owner != "node2" || m.Memory != balance.MemoryKept || m.By != By {
		t.Errorf("journal %+v", m)
	}
	// The reason holds the rule's line and its values.
	if !strings.Contains(m.Why, "0.9") || !strings.Contains(m.Why, "7") {
		t.Errorf("why is %q", m.Why)
	}
	if !strings.HasPrefix(m.Rails, "pass stale-data not-started settling") || !strings.Contains(m.Rails, "cpu of node2 would be") {
		t.Errorf("the rails are %q", m.Rails)
	}
	if p := w.passes(); len(p) != 1 {
		t.Errorf("%d passes, want 1", len(p))
	}
	// Right behind it the nodes settle: the other VM stays, and the pass is recorded all the same.
	res, err = w.mon.Run(context.Background())
	if err != nil || len(res.Moves) != 0 || len(w.passes()) != 2 {
		t.Errorf("the pass behind it: %+v, %v, %d passes", res.Moves, err, len(w.passes()))
	}
}

// A VM of the cluster suite's own vm.sh, below <rm>, is balanced without being adopted: live, by the manager.
func TestAStockVMIsBalanced(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102;", "vm:101;", 1))
	w.services(func(s *cluster.Service) {
		if s.VM == "101" {
			s.ID, s.VMType, s.Live = "vm:101", "vm", true
		}
	})
	facts, err := host.ReadFacts(filepath.Join(w.root, "shared"), "node1")
	if err != nil {
		t.Fatal(err)
	}
	facts.Cores, facts.Guests = 4, []host.GuestFact{{Type: "kvm", Name: "101", State: "running", CPU: 0.25, Mem: 1 << 30}}
	if err := host.WriteFacts(filepath.Join(w.root, "shared"), facts); err != nil {
		t.Fatal(err)
	}
	live := false
	w.mgr.asLive = func(is bool) { live = is }
	w.mgr.move = func(_ context.Context, service, target string) error {
		w.mgr.set(func() {
			for i := range w.mgr.status.Services {
				if s := &w.mgr.status.Services[i]; s.ID == service {
					s.LastOwner, s.Owner = s.Owner, target
				}
			}
		})
		return nil
	}
	res, err := w.mon.Run(context.Background())
	if err != nil || len(res.Moves) != 1 || res.Moves[0].Err != nil || res.Moves[0].VM != "vm:101" || !live {
		t.Fatalf("%v %+v, live %v\n%s", err, res.Moves, live, w.log)
	}
	if vm := res.Pass.View.VMs[0]; vm.Cores != 1 || vm.Mem != 1<<30 {
		t.Errorf("its part: %+v", vm)
	}
}

func TestWhatDoesNotMove(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world)
	}{
		{"nothing was measured", func(w *world) { w.remove("shared/lbvm/log/node1-cpu") }},
		{"no target was measured", func(w *world) {
			w.remove("shared/lbvm/log/node2-cpu")
			w.remove("shared/lbvm/log/node3-cpu")
		}},
		{"what was measured is old", func(w *world) { w.now.now = noon().Add(10 * time.Minute) }},
		{"calm", func(w *world) { w.samples("node1", 0.2) }},
		{"no quorum", func(w *world) { w.mgr.status.Quorate = false }},
		{"frozen", func(w *world) { w.services(func(s *cluster.Service) { s.Frozen = true }) }},
		{"stopped", func(w *world) { w.services(func(s *cluster.Service) { s.State = cluster.Disabled }) }},
		{"in transition", func(w *world) { w.services(func(s *cluster.Service) { s.State = cluster.Stopping }) }},
		{"partly stopped", func(w *world) { w.services(func(s *cluster.Service) { s.Partial = true }) }},
		{"of an unknown state", func(w *world) { w.services(func(s *cluster.Service) { s.State = cluster.Unknown }) }},
		{"has just come", func(w *world) { w.services(func(s *cluster.Service) { s.Since = noon().Add(-30 * time.Second) }) }},
		{"may run nowhere else", func(w *world) { w.services(func(s *cluster.Service) { s.MayRun = s.MayRun[:1] }) }},
		{"all others are offline", func(w *world) {
			w.mgr.status.Members[1].Online, w.mgr.status.Members[2].Manager = false, false
		}},
		{"a VM of its service is not in balance", func(w *world) {
			w.services(func(s *cluster.Service) { s.ID = "service:both" })
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102;", "101;", 1))
		}},
		{"vm.sh would boot it anew", func(w *world) {
			w.services(func(s *cluster.Service) { s.VMType, s.Live = "vm", false })
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102;", "vm:101, vm:102;", 1))
		}},
		{"not in balance", func(w *world) {
			w.write("shared/lbvm.conf", strings.Replace(goodConf, "balance 101, 102;", "balance ;", 1))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.hot()
			test.change(w)
			res, err := w.mon.Run(context.Background())
			if err != nil {
				t.Errorf("%v\n%s", err, w.log)
			}
			if len(w.mgr.moved) != 0 || len(res.Moves) != 0 || len(w.journal()) != 0 {
				t.Errorf("moved: %v %+v", w.mgr.moved, res.Moves)
			}
			if got := w.last(w.mon); got.Outcome != lbvmagent.OK {
				t.Errorf("record %+v", got)
			}
			if n := len(w.passes()); n != 1 {
				t.Errorf("%d passes, want 1", n)
			}
		})
	}
}

// The rails reach back over passes, through the journal alone: here the manager tells of no change.
func TestAMoveIsRemembered(t *testing.T) {
	for age, want := range map[time.Duration]int{20 * time.Minute: 0, 31 * time.Minute: 1} {
		w := newWorld(t)
		w.handover()
		w.hot()
		w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102", "101", 1))
		m := balance.Move{Txn: strings.Repeat("ab", 16), VM: "openvz:101", From: "node2", To: "node1", Kind: "image", By: "lbm", Begin: noon().Add(-age - time.Minute)}
		journal := balance.OpenJournal(filepath.Join(w.root, "shared/lbvm/log", balance.JournalName))
		for range 2 {
			if err := journal.Append(m); err != nil {
				t.Fatal(err)
			}
			m.End, m.Outcome, m.Owner = noon().Add(-age), balance.OutcomeMoved, "node1"
		}
		res, err := w.mon.Run(context.Background())
		if err != nil || len(res.Moves) != want {
			t.Errorf("%s behind a move: %+v, %v", age, res.Moves, err)
		}
	}
}

// Who measures every five minutes has facts of up to five minutes: the move may not be refused for them.
func TestFactsMayBeAsOldAsSamples(t *testing.T) {
	w := newWorld(t)
	w.handover()
	w.hot()
	w.write("shared/lbvm.conf", "interval 5m;\n"+strings.Replace(goodConf, "res2('cpu', 2)", "res2('cpu', 5)", 1))
	w.now.now = noon().Add(4 * time.Minute)
	res, err := w.mon.Run(context.Background())
	if err != nil || len(res.Moves) != 1 || res.Moves[0].Err != nil {
		t.Errorf("%+v, %v\n%s", res.Moves, err, w.log)
	}
}

func (w *world) services(change func(*cluster.Service)) {
	for i := range w.mgr.status.Services {
		change(&w.mgr.status.Services[i])
	}
}

func (w *world) remove(path string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.root, path)); err != nil {
		w.t.Fatal(err)
	}
}

func TestABrokenAlgorithmCostsItsVMOnly(t *testing.T) {
	w := newWorld(t)
	w.hot()
	w.handover()
	w.write("shared/lbvm.conf", goodConf+"veid 101 {\n    algorithm { if (average(res('cpu', 5) > 0.7 { migrate(); } }\n}\n")
	res, err := w.mon.Run(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, w.log)
	}
	if len(res.Moves) != 1 || res.Moves[0].VM != "openvz:102" || res.Moves[0].Err != nil {
		t.Errorf("moves %+v", res.Moves)
	}
	if r := w.last(w.mon); r.Outcome != lbvmagent.OK || !strings.Contains(r.Why, "openvz:101") {
		t.Errorf("record %+v", r)
	}
	if !strings.Contains(w.log.String(), "level=error") || !strings.Contains(w.log.String(), "lbvm.conf:13") {
		t.Errorf("log: %s", w.log)
	}
}

// TestAnAlgorithmWithoutAnEndCostsItsVMOnly: it is stopped, whatever it does, the other VM moves in the same pass, and the
// record and passes.log name the VM and the node.
func TestAnAlgorithmWithoutAnEndCostsItsVMOnly(t *testing.T) {
	for name, code := range map[string]string{
		"loop":      "while (1) { }",
		"recursion": "sub again { again(); } again();",
		"string":    "my $s = 'x'; $s .= $s while 1;",
		"list":      "my @l = (1, 2); @l = (@l, @l) while 1;",
		"values":    "my @l; push @l, 'x' x 100000 while 1;",
		"pattern":   "my $s = 'a' x 10000; 1 while $s !~ /(a*)*(b*)*(c?a?)*d/;",
		"output":    "print 'x' x 1000 while 1;",
	} {
		for _, asks := range []string{"", "res2('cpu', 2); "} { // once for all nodes, or for each
			t.Run(name+asks, func(t *testing.T) {
				w := newWorld(t)
				w.hot()
				w.handover()
				w.write("shared/lbvm.conf", goodConf+"veid 101 {\n    algorithm { "+asks+code+" migrate(); }\n}\n")
				res, err := w.mon.Run(context.Background())
				if err != nil {
					t.Fatalf("%v\n%s", err, w.log)
				}
				if len(res.Moves) != 1 || res.Moves[0].VM != "openvz:102" || res.Moves[0].Err != nil {
					t.Errorf("moves %+v", res.Moves)
				}
				const whose = "algorithm of VM openvz:101 on node node2: limit: "
				if r := w.last(w.mon); r.Outcome != lbvmagent.OK || !strings.Contains(r.Why, whose) {
					t.Errorf("record %+v", r)
				}
				if passes := w.read("shared/lbvm/log/passes.log"); !strings.Contains(passes, whose) {
					t.Errorf("passes.log: %s", passes)
				}
			})
		}
	}
}

func TestAnUnknownNameIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.samples("node1", 0.2)
	w.write("shared/lbvm.conf", strings.Replace(goodConf, "101, 102", "101, 201, centos", 1))
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := w.last(w.mon); r.Outcome != lbvmagent.OK || !strings.Contains(r.Why, "201") {
		t.Errorf("record %+v", r)
	}
}

func TestABrokenConfiguration(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world)
		logged string
	}{
		{"lbvm.conf", func(w *world) { w.write("shared/lbvm.conf", "balance 101\ninterval 60;\ninterval 6x;\n") }, "lbvm.conf:1:"},
		{"lbresources.conf", func(w *world) { w.write("shared/lbresources.conf", "resource cpu { builtin cpi; }\n") }, "lbresources.conf:1:"},
		{"no lbvm.conf", func(w *world) { w.remove("shared/lbvm.conf") }, "lbvm.conf"},
		{"no lbresources.conf", func(w *world) { w.remove("shared/lbresources.conf") }, "lbresources.conf"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.hot()
			test.change(w)
			for range 4 { // however often: it does not bounce the service
				if _, err := w.mon.Run(context.Background()); err == nil {
					t.Error("no error")
				}
			}
			if r := w.last(w.mon); r.Outcome != lbvmagent.Config || r.Cause != lbvmagent.CauseConfig || r.Failures != 0 || r.Why == "" {
				t.Errorf("record %+v", r)
			}
			if w.mgr.asked != 0 || len(w.mgr.moved) != 0 {
				t.Errorf("the manager was asked %d times", w.mgr.asked)
			}
			if !strings.Contains(w.log.String(), "level=error") || !strings.Contains(w.log.String(), test.logged) {
				t.Errorf("log lacks %q: %s", test.logged, w.log)
			}
		})
	}
}

// However a pass ends it leaves a record with a new time; only what another node could cure is counted.
func TestRecords(t *testing.T) {
	w := newWorld(t)
	w.decides()
	marker := w.read("shared/lbvm/cluster")
	steps := []struct {
		name    string
		before  func()
		outcome string
		cause   string
		count   int
	}{
		{"good", func() {}, lbvmagent.OK, "", 0},
		{"unmounted", func() { w.remove("shared/lbvm/cluster") }, lbvmagent.Failed, lbvmagent.CauseNode, 1},
		{"still", func() {}, lbvmagent.Failed, lbvmagent.CauseNode, 2},
		{"no manager", func() {
			w.write("shared/lbvm/cluster", marker)
			w.mgr.answer = func() error { return errors.New("no reply") }
		}, lbvmagent.Failed, lbvmagent.CauseCluster, 2},
		{"no program to ask it", func() { w.mgr.answer = func() error { return fmt.Errorf("clustat: %w", run.ErrNotFound) } },
			lbvmagent.Failed, lbvmagent.CauseNode, 3},
		{"unreadable record", func() { w.write("var/run/lbvm/lbmonitor.last", "nonsense\n") }, lbvmagent.Failed, lbvmagent.CauseNode, 1},
		{"another cluster's storage", func() { w.write("shared/lbvm/cluster", strings.Replace(marker, "test", "prod", 1)) }, lbvmagent.Failed, lbvmagent.CauseNode, 2},
		{"good again", func() { w.write("shared/lbvm/cluster", marker); w.mgr.answer = nil }, lbvmagent.OK, "", 0},
		{"not set up", func() { w.remove("etc/cluster/lbvm.id") }, lbvmagent.Failed, lbvmagent.CauseNode, 1},
	}
	for _, s := range steps {
		s.before()
		w.now.now = w.now.now.Add(time.Minute)
		_, err := w.mon.Run(context.Background())
		if (err == nil) != (s.outcome == lbvmagent.OK) {
			t.Errorf("%s: error %v", s.name, err)
		}
		r := w.last(w.mon)
		if r.Outcome != s.outcome || r.Cause != s.cause || r.Failures != s.count || !r.At.Equal(w.now.now) || (err != nil && r.Why == "") {
			t.Errorf("%s: record %+v, want %s %s %d at %s", s.name, r, s.outcome, s.cause, s.count, w.now.now)
		}
		if held, err := lockfile.Held(w.mon.Host.Path(lbvmagent.LockFile)); err != nil || held {
			t.Errorf("%s: the lock is held: %v", s.name, err)
		}
	}
}

func TestTwoMonitorsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.decides(migrates("openvz:101", "node2"))
	w.handover()
	id, err := w.mon.Host.Identity()
	if err != nil {
		t.Fatal(err)
	}
	id.Member = "node2"
	other := w.node(t.TempDir(), id)
	other.decide = func(context.Context, balance.Input) (*balance.Pass, error) {
		t.Error("the second decided")
		return &balance.Pass{}, nil
	}
	same := w.mon
	same.decide = other.decide
	first := true
	w.mgr.answer = func() error {
		if !first {
			return nil
		}
		first = false
		res, err := other.Run(context.Background())
		if err != nil || res.Record.Outcome != lbvmagent.Locked {
			t.Errorf("on the other node: %+v, %v", res.Record, err)
		}
		if r := w.last(other); r.Outcome != lbvmagent.Locked || r.Failures != 0 || !strings.Contains(r.Why, "node1") {
			t.Errorf("on the other node: record %+v", r)
		}
		res, err = same.Run(context.Background())
		if err != nil || res.Record.Outcome != lbvmagent.Locked {
			t.Errorf("on the same node: %+v, %v", res.Record, err)
		}
		if got := w.read("var/run/lbvm/lbmonitor.last"); got != "" {
			t.Errorf("on the same node it wrote %q: the record is the first's to write", got)
		}
		return nil
	}
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(w.passes()) != 1 || len(w.mgr.moved) != 1 {
		t.Errorf("%d passes, moves %v", len(w.passes()), w.mgr.moved)
	}
	other.decide = func(_ context.Context, in balance.Input) (*balance.Pass, error) { return &balance.Pass{At: in.At}, nil }
	if res, err := other.Run(context.Background()); err != nil || res.Record.Outcome != lbvmagent.OK {
		t.Errorf("afterwards: %+v, %v", res.Record, err)
	}
}

// A monitor that was killed between Begin and End keeps its VM in flight until the next pass has looked.
func TestTheNextPassEndsWhatADeadMonitorBegan(t *testing.T) {
	txn := strings.Repeat("ab", 16)
	begin := balance.Move{Txn: txn, VM: "openvz:101", From: "node1", To: "node2", Kind: "image", By: By, Why: "line 7", Begin: noon().Add(-2 * time.Minute)}
	tests := []struct {
		name    string
		by      string
		change  func(w *world)
		outcome balance.Outcome // "" is left alone
		owner   string
	}{
		{"it never asked", By, func(*world) {}, balance.OutcomeFailed, "node1"},
		{"the VM has arrived", By, func(w *world) {
			w.record("101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "b", Image: txn, Txn: txn}, handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Resuming, Node: "node2", Boot: "c", Image: txn, Txn: txn}, handoff.State{Phase: handoff.Running, Node: "node2", Boot: "c", Txn: txn})
			w.mgr.status.Services[0].Owner = "node2"
		}, balance.OutcomeMoved, "node2"},
		{"the manager is at it", By, func(w *world) { w.mgr.status.Services[0].State = cluster.Stopping }, "", ""},
		{"an administrator's", "lbm", func(w *world) {
			i, err := handoff.IssueTicket(filepath.Join(w.root, "shared"), "openvz", "101", handoff.Ticket{Kind: handoff.Image, Txn: txn, Source: "node1", SourceSeq: 1, Target: "node2", Relocator: "lbm"})
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() {
				if err := i.Withdraw(); err != nil {
					w.t.Error(err)
				}
			})
		}, "", ""},
		{"a dead administrator's", "lbm", func(*world) {}, balance.OutcomeFailed, "node1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.decides()
			m := begin
			m.By = test.by
			if err := balance.OpenJournal(filepath.Join(w.root, "shared/lbvm/log", balance.JournalName)).Append(m); err != nil {
				t.Fatal(err)
			}
			test.change(w)
			if _, err := w.mon.Run(context.Background()); err != nil {
				t.Fatalf("%v\n%s", err, w.log)
			}
			got := w.journal()[0]
			if got.Outcome != test.outcome || got.Owner != test.owner || got.End.IsZero() != (test.outcome == "") {
				t.Errorf("%+v", got)
			}
			if len(w.mgr.moved) != 0 {
				t.Errorf("moved: %v", w.mgr.moved)
			}
		})
	}
}

func TestMovesOneAfterTheOther(t *testing.T) {
	tests := []struct {
		name  string
		first error
		want  int
	}{
		{"done", nil, 2},
		{"refused", fmt.Errorf("%w: nothing was changed: the facts are old", move.ErrRefused), 2},
		{"failed", move.ErrFailed, 1},
		{"elsewhere", move.ErrElsewhere, 1},
		{"unverified", move.ErrUnverified, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.decides(migrates("openvz:101", "node2"), balance.Decision{VM: "openvz:103"}, migrates("openvz:102", "node3"))
			fake := &mover{}
			fake.do = func(r move.Request) (balance.Move, error) {
				if r.By != By || r.Why != "line 7 of lbvm.conf: 0.9 > 0.7" {
					t.Errorf("request %+v", r)
				}
				if len(fake.seen) == 1 {
					return balance.Move{}, test.first
				}
				return balance.Move{VM: "openvz:102", Outcome: balance.OutcomeMoved}, nil
			}
			w.mon.Mover = func(move.Mover) Mover { return fake }
			res, err := w.mon.Run(context.Background())
			if err != nil || len(fake.seen) != test.want || len(res.Moves) != test.want {
				t.Errorf("%v, %+v, %v", fake.seen, res.Moves, err)
			}
			r := w.last(w.mon)
			if r.Outcome != lbvmagent.OK || (test.first != nil) != strings.Contains(r.Why, "openvz:101 to node2") {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// One move a pass is chosen: one that cannot be made may not keep the others waiting for ever.
func TestRefusedMoveMakesRoomForAnother(t *testing.T) {
	w := newWorld(t)
	looks := 0
	w.mon.decide = func(_ context.Context, in balance.Input) (*balance.Pass, error) {
		looks++
		d := migrates("openvz:101", "node2")
		if slices.Contains(in.Refused, balance.Refusal{VM: "openvz:101", Node: "node2", Why: "refused: too small"}) {
			d = migrates("openvz:102", "node3")
		}
		return &balance.Pass{At: in.At, Decisions: []balance.Decision{d}}, nil
	}
	fake := &mover{}
	fake.do = func(r move.Request) (balance.Move, error) {
		if r.VM == "101" {
			return balance.Move{}, fmt.Errorf("%w: too small", move.ErrRefused)
		}
		return balance.Move{VM: "openvz:102", Outcome: balance.OutcomeMoved}, nil
	}
	w.mon.Mover = func(move.Mover) Mover { return fake }
	res, err := w.mon.Run(context.Background())
	if err != nil || looks != 2 || len(res.Moves) != 2 || res.Moves[1].Err != nil || res.Moves[1].VM != "openvz:102" {
		t.Errorf("%d looks, %+v, %v", looks, res.Moves, err)
	}
	// A mover that refuses everything does not hold the pass for ever.
	fake.do = func(move.Request) (balance.Move, error) { return balance.Move{}, move.ErrRefused }
	looks = 0
	if _, err := w.mon.Run(context.Background()); err != nil || looks != maxRefusals+1 {
		t.Errorf("%d looks, %v", looks, err)
	}
}

func TestToldToEnd(t *testing.T) {
	t.Run("before anything", func(t *testing.T) {
		w := newWorld(t)
		w.decides(migrates("openvz:101", "node2"))
		ctx, cancel := context.WithCancel(context.Background())
		w.mgr.answer = func() error { cancel(); return nil }
		_, err := w.mon.Run(ctx)
		if !errors.Is(err, ErrInterrupted) || len(w.mgr.moved) != 0 {
			t.Errorf("%v, moved %v", err, w.mgr.moved)
		}
		if r := w.last(w.mon); r.Outcome != lbvmagent.Failed || r.Cause != lbvmagent.CauseCluster || r.Failures != 0 {
			t.Errorf("record %+v", r)
		}
	})
	t.Run("in a move", func(t *testing.T) {
		w := newWorld(t)
		w.decides(migrates("openvz:101", "node2"), migrates("openvz:102", "node3"))
		w.handover()
		ctx, cancel := context.WithCancel(context.Background())
		hand := w.mgr.move
		w.mgr.move = func(inner context.Context, service, target string) error {
			cancel()
			if inner.Err() != nil {
				t.Error("the move in flight was cut off")
			}
			return hand(inner, service, target)
		}
		res, err := w.mon.Run(ctx)
		if err != nil || len(res.Moves) != 1 || res.Moves[0].Err != nil || res.Moves[0].Outcome != balance.OutcomeMoved {
			t.Errorf("%+v, %v", res.Moves, err)
		}
		if len(w.mgr.moved) != 1 || w.journal()[0].End.IsZero() {
			t.Errorf("moved %v, journal %+v", w.mgr.moved, w.journal())
		}
	})
}

// A manager that does not answer fails the pass, moves nothing, and is called by its name: nobody has interrupted anything.
func TestAHungManager(t *testing.T) {
	w := newWorld(t)
	w.hot()
	fake := clock.NewFake(noon())
	w.mon.Wait = fake
	w.mgr.hangs = func() { fake.Advance(lookLimit) } // while nothing else waits: what does answer has all the time it needs
	_, err := w.mon.Run(context.Background())
	if err == nil || errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "asking the cluster manager") {
		t.Errorf("%v", err)
	}
	if r := w.last(w.mon); r.Outcome != lbvmagent.Failed || r.Cause != lbvmagent.CauseCluster || r.Failures != 0 || len(w.journal()) != 0 || len(w.passes()) != 0 {
		t.Errorf("record %+v", r)
	}
}

// runWith makes a pass while the clock runs on.
func (w *world) runWith(fake *clock.Fake) (err error) {
	done := make(chan error, 1)
	go func() {
		_, err := w.mon.Run(context.Background())
		done <- err
	}()
	for {
		select {
		case err := <-done:
			return err
		default:
			fake.Advance(time.Second)
		}
	}
}

// A hung file system cannot be interrupted, and must not make the balancer hang unseen.
func TestAHungShare(t *testing.T) {
	w := newWorld(t)
	pipe := filepath.Join(w.root, "shared/lbvm.conf")
	w.remove("shared/lbvm.conf")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil { // a read waits for ever
		t.Fatal(err)
	}
	fake := clock.NewFake(noon())
	w.mon.Wait = fake
	if err := w.runWith(fake); !errors.Is(err, errHung) {
		t.Errorf("%v", err)
	}
	if r := w.last(w.mon); r.Outcome != lbvmagent.Failed || r.Cause != lbvmagent.CauseNode || r.Failures != 1 {
		t.Errorf("record %+v", r)
	}
	// When the share comes back what was given up lets go of the lock and does nothing more.
	f, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	l, err := lockfile.Acquire(ctx, clock.System(), filepath.Join(w.root, "shared", PassLock), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if w.mgr.asked != 0 {
		t.Error("the manager was asked")
	}
}

func TestReports(t *testing.T) {
	w := newWorld(t)
	d := migrates("openvz:101", "node2")
	d.Verdict = balance.ReportOnly
	w.decides(d)
	if _, err := w.mon.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := w.read("shared/lbvm/log/" + balance.ReportName)
	if !strings.Contains(got, "event=report vm=openvz:101 from=node1 to=node2") || !strings.Contains(got, "0.9 > 0.7") || len(w.mgr.moved) != 0 {
		t.Errorf("report.log %q, moved %v", got, w.mgr.moved)
	}
}

// What cannot be written down is not done.
func TestNoMoveWithoutARecordOfThePass(t *testing.T) {
	w := newWorld(t)
	w.decides(migrates("openvz:101", "node2"))
	if err := os.Mkdir(filepath.Join(w.root, "shared/lbvm/log", balance.PassesName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := w.mon.Run(context.Background()); err == nil || len(w.mgr.moved) != 0 {
		t.Errorf("%v, moved %v", err, w.mgr.moved)
	}
}

// Plan is for people: it needs no lock, and leaves no trace.
func TestPlanChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.decides(migrates("openvz:101", "node2"))
	l, err := lockfile.Try(filepath.Join(w.root, "shared", PassLock), "a pass")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := w.tree()
	var told []string
	res, err := w.mon.Plan(context.Background(), func(d conf.Diagnostic) { told = append(told, d.Text) })
	if err != nil || res.Pass == nil || len(res.Pass.Moves()) != 1 || len(told) != 0 {
		t.Errorf("%+v, %v, %v", res.Pass, err, told)
	}
	if diff := cmp.Diff(before, w.tree()); diff != "" {
		t.Errorf("it changed (-before +after):\n%s", diff)
	}
	w.write("shared/lbvm.conf", "balanse 101;\n")
	if _, err := w.mon.Plan(context.Background(), func(d conf.Diagnostic) { told = append(told, d.Text) }); err == nil || len(told) == 0 {
		t.Errorf("a broken configuration: %v, %v", err, told)
	}
}

func (w *world) tree() map[string]string {
	w.t.Helper()
	return testfiles.Texts(w.t, w.root)
}

func TestView(t *testing.T) {
	st := cluster.Status{Quorate: true,
		Members: []cluster.Member{{Name: "a", Online: true, Manager: true}, {Name: "b", Online: true}, {Name: "c", Online: true, Manager: true},
			{Name: "d"}, {Name: "e", Online: true, Manager: true, Estranged: true}},
		Services: []cluster.Service{
			{ID: "openvz:1", VM: "1", VMType: "openvz", Owner: "a", State: cluster.Started,
				MayRun: []cluster.Placement{{Node: "a"}, {Node: "b"}, {Node: "c", Score: 2}, {Node: "d"}, {Node: "e"}}},
			{ID: "service:www"},
		}}
	v, warnings := view(st, func(member string) (host.Facts, error) {
		if member == "c" {
			return host.Facts{}, fmt.Errorf("reading: %w", fs.ErrNotExist)
		}
		return host.Facts{Cores: 8, MemTotal: 4, MemFree: 2, At: noon()}, nil
	}, func(string) (string, error) { return "", nil })
	if len(v.VMs) != 1 || v.VMs[0].ID() != "openvz:1" || v.VMs[0].Service != "openvz:1" || v.VMs[0].State != balance.Started {
		t.Errorf("VMs %+v", v.VMs)
	}
	if diff := cmp.Diff([]balance.Placement{{Node: "a"}, {Node: "c", Score: 2}}, v.VMs[0].MayRun); diff != "" {
		t.Errorf("it may run (-want +got):\n%s", diff)
	}
	want := []balance.Node{{Name: "a", Online: true, Cores: 8, MemFree: 2, MemTotal: 4, Seen: noon()}, {Name: "b", Cores: 8, MemFree: 2, MemTotal: 4, Seen: noon()},
		{Name: "c", Online: true}, {Name: "d", Cores: 8, MemFree: 2, MemTotal: 4, Seen: noon()}, {Name: "e", Cores: 8, MemFree: 2, MemTotal: 4, Seen: noon()}}
	if diff := cmp.Diff(want, v.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "lblog has not run on node c yet") {
		t.Errorf("warnings %v", warnings)
	}
	if s := state(cluster.Service{State: cluster.State(99)}); s != balance.Unknown {
		t.Errorf("a state of a later version is %s", s)
	}
}

// The words of the two packages are the same.
func TestStates(t *testing.T) {
	for s := cluster.Unknown; s <= cluster.Migrating; s++ {
		if got := state(cluster.Service{State: s}); got.String() != s.String() {
			t.Errorf("%s became %s", s, got)
		}
	}
}
