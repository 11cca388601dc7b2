package move

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// rebooted is what a cold stop and a start in place write.
func (w *world) rebooted(node string) {
	w.t.Helper()
	boot := "boot-" + strings.TrimPrefix(node, "node")
	w.record("openvz", "101", handoff.State{Phase: handoff.Down}, handoff.State{Phase: handoff.Starting, Node: node, Boot: boot},
		handoff.State{Phase: handoff.Running, Node: node, Boot: boot})
	w.service("101").Since = w.service("101").Since.Add(time.Minute)
	w.service("101").Owner = node
}

func TestRestart(t *testing.T) {
	failure := errors.New("exit 255: Failure")
	for _, test := range []struct {
		name   string
		before func(*world)
		ask    func(*world) error
		want   error
		text   string
	}{
		{"done", nil, func(w *world) error {
			if k := w.consume("openvz", "101"); k.Kind != handoff.Cold || k.Target != "node1" || k.Source != "node1" {
				t.Errorf("the ticket says %+v", k)
			}
			w.rebooted("node1")
			return nil
		}, nil, ""},
		{"done, and the manager says it failed", nil, func(w *world) error { w.rebooted("node1"); return failure }, nil, ""},
		{"it came back with its memory", nil, func(w *world) error { w.handover("openvz", "101", "node1"); return nil }, ErrFailed, "with its memory of before: it was not restarted"},
		{"it was only found running", nil, func(w *world) error {
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
			return nil
		}, ErrFailed, "it was not restarted"},
		{"false success", nil, func(*world) error { return nil }, ErrFailed, "it runs on node1 as before (the manager said: success)"},
		{"refused by the manager", nil, func(*world) error { return failure }, ErrRefused, "nothing was changed"},
		{"started elsewhere", nil, func(w *world) error { w.rebooted("node3"); return nil }, ErrElsewhere, `on "node3"`},
		{"not started any more", nil, func(w *world) error { w.service("101").State = cluster.Failed; return failure }, ErrFailed, "the service is failed"},
		{"not started", func(w *world) { w.service("101").State = cluster.Disabled }, nil, ErrRefused, "is disabled, not started"},
		{"frozen", func(w *world) { w.service("101").Frozen = true }, nil, ErrRefused, "is frozen"},
		{"no record", func(w *world) { w.remove("lbvm/handoff/openvz-101/state") }, nil, ErrRefused, "clusvcadm -R service:centos first"},
		{"record of another node", func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-3"})
		}, nil, ErrRefused, "runs on node3"},
		{"facts play no part", func(w *world) { w.remove("lbvm/nodes/node1"); w.remove("lbvm/nodes/node2") }, func(w *world) error { w.rebooted("node1"); return nil }, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.before != nil {
				test.before(w)
			}
			w.mgr.restart = func(service string) error {
				if test.ask == nil || service != "service:centos" {
					t.Errorf("the manager was asked to restart %s", service)
					return nil
				}
				return test.ask(w)
			}
			rec, err := w.mover.Restart(context.Background(), Request{Type: "openvz", VM: "101", By: "lbm", Why: "asked for"})
			if test.want == nil {
				if err != nil || rec.Outcome != balance.OutcomeMoved || rec.Kind != "cold" || rec.From != "node1" || rec.To != "node1" || rec.Memory != balance.MemoryLost {
					t.Errorf("%+v, %v", rec, err)
				}
			} else if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v, want %v with %q", err, test.want, test.text)
			}
			if left := w.tickets("openvz", "101"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Of a failed service without a record nobody knows whether its guest still runs: no repair disables and enables it. One that
// is disabled is not started while a node says that the guest is there, whichever tool runs it.
func TestRepairWithoutRecord(t *testing.T) {
	for _, test := range []struct {
		name, typ, id string
		before        func(*world)
		asked         string
		text          []string
	}{
		{"a stock vm has failed", "vm", "vm:web1", func(w *world) { w.service("web1").State = cluster.Failed }, "", []string{"its stop failed", "on node2, its last owner,", "virsh list", "clusvcadm -d vm:web1", "clusvcadm -e vm:web1"}},
		{"failed without shared storage", "xen", "xen:web1", func(w *world) {
			w.service("web1").State, w.mover.Shared = cluster.Failed, ""
		}, "", []string{"its stop failed", "on node2, its last owner,", "clusvcadm -e xen:web1"}},
		{"nobody knows where it was", "vm", "vm:web1", func(w *world) { w.service("web1").State, w.service("web1").LastOwner = cluster.Failed, "" }, "", []string{"on every node"}},
		{"disabled, and it runs by Xen", "vm", "vm:web1", func(*world) {}, "", []string{"node node1 says that xen:web1 is there (running)"}},
		{"disabled, and it runs by KVM", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "kvm", Name: "web1", State: "running"}} })
		}, "", []string{"node node1 says that kvm:web1 is there (running)"}},
		{"disabled, and it runs nowhere", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "xen", Name: "web2", State: "running"}} })
		}, "enable vm:web1 ", nil},
		{"disabled, and a node has not looked since", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = nil })
			w.service("web1").Since = w.clock.Now().Add(-10 * time.Second)
		}, "", []string{"still runs on node1 is not known (lblog has not run there since)", "virsh list, xm list", "clusvcadm -e vm:web1"}},
		{"disabled, and a node has not looked for long", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = nil })
			w.facts("node3", func(f *host.Facts) { f.At = w.clock.Now().Add(-time.Hour) })
		}, "", []string{"still runs on node3 is not known (the facts of node3 are 1h0m0s old"}},
		{"disabled, and a node's tool does not answer", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests, f.Lists = nil, []string{"openvz"} })
		}, "", []string{"still runs on node1 is not known (node node1 does not say which xen guests it has", "virsh list, xm list"}},
		{"disabled, and one tool of a node's two does not answer", "vm", "vm:web1", func(w *world) {
			for _, n := range []string{"node1", "node2", "node3"} {
				w.facts(n, func(f *host.Facts) { f.Guests, f.Lists = nil, []string{"kvm", "xen"} })
			}
			w.facts("node3", func(f *host.Facts) { f.Lists = []string{"kvm"} })
		}, "", []string{"still runs on node3 is not known (node node3 does not say which xen guests it has"}},
		{"disabled, and no tool answers", "vm", "vm:web1", func(w *world) {
			for _, n := range []string{"node1", "node2", "node3"} {
				w.facts(n, func(f *host.Facts) { f.Guests, f.Lists = nil, []string{"openvz"} })
			}
		}, "", []string{"still runs on every node is not known (none says which xen or kvm guests it has)"}},
		{"disabled, and its last owner is away", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = nil })
			w.mgr.status.Members[1].Online = false
		}, "", []string{"still runs on node2 is not known (it is no member, and not proved dead)"}},
		{"disabled, and its last owner is proved gone", "vm", "vm:web1", func(w *world) {
			w.facts("node1", func(f *host.Facts) { f.Guests = nil })
			w.service("web1").LastOwner = "node9"
			w.mover.Gone = func(_ context.Context, node, _ string, _ bool) (bool, error) { return node == "node9", nil }
		}, "enable vm:web1 ", nil},
		{"disabled without shared storage", "vm", "vm:web1", func(w *world) { w.mover.Shared = "" }, "", []string{"without shared storage no node tells"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.service("web1")
			s.ID, s.VMType, s.State, s.Owner, s.LastOwner = test.id, test.typ, cluster.Disabled, "", "node2"
			test.before(w)
			w.mgr.disable = func(string) error { w.service("web1").State = cluster.Disabled; return nil }
			w.mgr.enable = func(_, _ string) error {
				s := w.service("web1")
				s.State, s.Owner, s.Since = cluster.Started, "node2", w.clock.Now()
				return nil
			}
			rep, err := w.mover.Repair(context.Background(), Request{Type: test.typ, VM: "web1"})
			if got := strings.Join(w.mgr.asked, "; "); got != test.asked {
				t.Errorf("the manager was asked %q, want %q", got, test.asked)
			}
			if (err == nil) != (len(test.text) == 0) || err != nil && !errors.Is(err, ErrRefused) {
				t.Errorf("%+v, %v", rep, err)
			}
			for _, want := range test.text {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
		})
	}
}

func TestRepair(t *testing.T) {
	txn := strings.Repeat("ab", 16)
	dead := func(w *world) { w.mgr.status.Members[0].Online = false }
	for _, test := range []struct {
		name   string
		before func(*world)
		gone   bool
		stop   func(*world) // what -d does to the record
		asked  string       // of the manager
		text   string       // of a refusal
	}{
		{"nothing is wrong", func(*world) {}, false, nil, "", ""},
		{"failed, and it runs", func(w *world) { w.service("101").State = cluster.Failed }, false, nil, "disable service:centos; enable service:centos node1", ""},
		{"failed, and the stop of -d ends it", func(w *world) { w.service("101").State = cluster.Failed }, false, func(w *world) {
			w.record("openvz", "101", handoff.State{Phase: handoff.Down})
		}, "disable service:centos; enable service:centos ", ""},
		{"failed, without a record, and the tool of its node hangs", func(w *world) { // which is why its stop failed
			w.service("101").State = cluster.Failed
			w.facts("node1", func(f *host.Facts) { f.Guests, f.Lists = nil, nil })
			if err := os.RemoveAll(filepath.Join(w.shared, handoff.Folder, "openvz-101")); err != nil {
				t.Fatal(err)
			}
		}, false, nil, "", "openvz:101 may still run"},
		{"stopped, and it has arrived elsewhere", func(w *world) {
			w.service("101").State, w.service("101").Since = cluster.Stopped, w.clock.Now()
			w.record("openvz", "101", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node3", Txn: txn}, handoff.State{Phase: handoff.Sent, To: "node3", Txn: txn})
		}, false, nil, "enable service:centos node3", ""},
		{"disabled, in an image", func(w *world) {
			w.service("101").State, w.service("101").Since = cluster.Disabled, w.clock.Now()
			w.record("openvz", "101", handoff.State{Phase: handoff.Suspending, Node: "node1", Boot: "boot-1", Image: txn, Txn: txn}, handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn})
		}, false, nil, "enable service:centos ", ""},
		{"its node is away", func(w *world) { w.service("101").State = cluster.Stopped; dead(w) }, false, nil, "", "node node1 has openvz:101, is no member of the cluster any more and is not proved dead"},
		{"its node is gone", func(w *world) { w.service("101").State = cluster.Stopped; dead(w) }, true, nil, "enable service:centos ", ""},
		{"another node has it too", func(w *world) {
			w.service("101").State = cluster.Failed
			w.facts("node3", func(f *host.Facts) { f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "running"}} })
		}, false, nil, "", "node node3 says that openvz:101 is there (running)"},
		{"started, and the record says another", func(w *world) { w.service("101").Owner = "node2" }, false, nil, "", "look on both nodes"},
		{"the manager is at work", func(w *world) { w.service("101").State = cluster.Recovering }, false, nil, "", "is recovering"},
		{"unknown", func(w *world) { w.service("101").State = cluster.Unknown }, false, nil, "", "is unknown"},
		{"frozen", func(w *world) { w.service("101").State, w.service("101").Frozen = cluster.Stopped, true }, false, nil, "", "is frozen"},
		{"no quorum", func(w *world) { w.mgr.status.Quorate = false }, false, nil, "", "no quorum"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.before(w)
			w.mover.Gone = func(_ context.Context, node, boot string, left bool) (bool, error) {
				if node != "node1" || boot != "boot-1" || left {
					t.Errorf("asked whether %s is gone, boot %q, left %v", node, boot, left)
				}
				return test.gone, nil
			}
			w.mgr.disable = func(string) error {
				w.service("101").State, w.service("101").Owner, w.service("101").Since = cluster.Disabled, "", w.clock.Now()
				if test.stop != nil {
					test.stop(w)
				}
				return nil
			}
			w.mgr.enable = func(_, target string) error {
				if target == "" {
					target = "node2"
				}
				st, err := handoff.ReadState(w.shared, "openvz", "101")
				if err != nil {
					t.Fatal(err)
				}
				if st.Phase == handoff.Suspended || st.Phase == handoff.Down {
					w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: target, Boot: "b"})
				} else if st.Node != target && st.To != target {
					w.record("openvz", "101", handoff.State{Phase: handoff.Starting, Node: target, Boot: "b"})
				}
				w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: target, Boot: "b"})
				w.service("101").State, w.service("101").Owner = cluster.Started, target
				return nil
			}
			r := Request{Type: "openvz", VM: "101"}
			plan, planErr := w.mover.PlanRepair(context.Background(), r)
			if len(w.mgr.asked) != 0 {
				t.Errorf("a plan asked the manager: %q", w.mgr.asked)
			}
			rep, err := w.mover.Repair(context.Background(), r)
			if got := strings.Join(w.mgr.asked, "; "); got != test.asked {
				t.Errorf("the manager was asked %q, want %q", got, test.asked)
			}
			if test.text != "" {
				for _, err := range []error{err, planErr} {
					if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "nothing was changed") {
						t.Errorf("%v, want a refusal with %q", err, test.text)
					}
				}
				return
			}
			if err != nil || planErr != nil || len(plan.Steps) != len(rep.Steps) || test.asked != "" && rep.Owner == "" {
				t.Errorf("%+v, %v; the plan was %+v, %v", rep, err, plan, planErr)
			}
		})
	}
}
