package move

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// What a node does not say is unknown, and unknown never moves a VM.
func TestPreflightOfFacts(t *testing.T) {
	node2 := func(change func(*host.Facts)) func(*world) { return func(w *world) { w.facts("node2", change) } }
	node1 := func(change func(*host.Facts)) func(*world) { return func(w *world) { w.facts("node1", change) } }
	tests := []struct {
		name   string
		vm     string
		change func(*world)
		want   string // "" is not refused
	}{
		{"an older lblog's facts", "101", node2(func(f *host.Facts) { f.Lists, f.VMs = nil, nil }), "node node2 does not say which openvz guests it has: run lblog there"},
		{"its tool did not answer", "web1", node2(func(f *host.Facts) { f.Lists = []string{"openvz"} }), "does not say which xen guests it has"},
		{"not told whether it sees the disks", "101", node2(func(f *host.Facts) { f.VMs = nil }), "does not say whether it sees the configuration and the disks of openvz:101"},
		{"a disk is not there", "web1", node2(func(f *host.Facts) { f.VMs[1].Lacks = []string{"disk /gfs/web1.img: no such file or directory"} }), "node node2 could not start xen:web1: disk /gfs/web1.img: no such file or directory; mend that there and run lblog"},
		{"another VM's disk is not", "101", node2(func(f *host.Facts) { f.VMs[1].Lacks = []string{"disk /gfs/web1.img: no such file or directory"} }), ""},
		{"its memory is in nobody's facts", "101", node1(func(f *host.Facts) { f.Guests = nil }), "node node1 does not say how much memory openvz:101 takes"},
		{"its memory is configured", "web1", node1(func(f *host.Facts) { f.Guests = nil }), ""},
		{"configured too large", "web1", func(w *world) {
			node1(func(f *host.Facts) { f.Guests = nil })(w)
			node2(func(f *host.Facts) { f.MemFree = 1 << 30 })(w)
		}, "it has 2048 MiB, and node node2 has 1024 MiB free"},
		{"the source says nothing", "101", func(w *world) { w.remove("lbvm/nodes/node1") }, "lblog has not run on node node1 yet"},
		{"the source is silent", "101", node1(func(f *host.Facts) { f.At = f.At.Add(-time.Hour) }), "the facts of node node1 are"},
		{"another machine", "101", node2(func(f *host.Facts) { f.Arch = "i686" }), "node1 is x86_64 and node2 is i686"},
		{"an unknown machine", "101", node2(func(f *host.Facts) { f.Arch = "" }), "node node2 does not say what machine it is"},
		{"an older kernel", "101", node2(func(f *host.Facts) { f.Kernel = "2.6.18-419.el5" }), "node1 runs kernel 2.6.32-754.el6 and node2 the older 2.6.18-419.el5"},
		{"a newer kernel", "101", node2(func(f *host.Facts) { f.Kernel = "3.10.0-1160.el7" }), ""},
		{"an unknown kernel", "101", node2(func(f *host.Facts) { f.Kernel = "" }), "does not say which kernel it runs"},
		{"a kernel of another name", "101", node2(func(f *host.Facts) { f.Kernel = "own" }), "does not say which kernel it runs"},
		{"a weaker processor", "101", node2(func(f *host.Facts) { f.CPUFlags = []string{"fpu"} }), "the processors of node2 lack what the guest may be using on node1: sse2"},
		{"a stronger processor", "101", node2(func(f *host.Facts) { f.CPUFlags = []string{"avx", "fpu", "sse2"} }), ""},
		{"an unknown processor", "101", node1(func(f *host.Facts) { f.CPUFlags = nil }), "node node1 does not say what its processors can do"},
		{"a weaker processor, but a named one", "web1", func(w *world) {
			node1(func(f *host.Facts) { f.VMs[1].CPU = "SandyBridge" })(w)
			node2(func(f *host.Facts) { f.CPUFlags, f.VMs[1].CPU = []string{"fpu"}, "SandyBridge" })(w)
		}, ""},
		{"a named processor, and one that is weaker than that", "web1", func(w *world) {
			node1(func(f *host.Facts) { f.VMs[1].CPU = "SandyBridge" })(w)
			node2(func(f *host.Facts) { f.CPUFlags = []string{"fpu"} })(w)
		}, "the processors of node2 lack"},
		{"another name on each", "web1", func(w *world) {
			node1(func(f *host.Facts) { f.VMs[1].CPU = "SandyBridge" })(w)
			node2(func(f *host.Facts) { f.CPUFlags, f.VMs[1].CPU = []string{"fpu"}, "Nehalem" })(w)
		}, "the processors of node2 lack"},
		{"a named processor, and another VM of its service without one", "101", func(w *world) {
			w.service("web1").ID = "service:centos"
			node1(func(f *host.Facts) { f.VMs[0].CPU = "SandyBridge" })(w)
			node2(func(f *host.Facts) { f.CPUFlags, f.VMs[0].CPU = []string{"fpu"}, "SandyBridge" })(w)
		}, "the processors of node2 lack"},
		{"the other tool", "web1", node2(func(f *host.Facts) { f.Tools = map[string]string{"xl": "4.4.0"} }), "node1 is driven by xm and node2 by xl"},
		{"no tool", "web1", node2(func(f *host.Facts) { f.Tools = map[string]string{"vzctl": "4.0"} }), "node node2 does not say which tool drives its xen guests"},
		{"an older Xen", "web1", node2(func(f *host.Facts) { f.Tools["xm"] = "3.0.3" }), "node1 runs Xen 3.1.2 and node2 the older 3.0.3"},
		{"a newer Xen", "web1", node2(func(f *host.Facts) { f.Tools["xm"] = "4.4.1" }), ""},
		{"another vzctl", "101", node2(func(f *host.Facts) { f.Tools["vzctl"] = "4.11" }), ""},
		{"cannot restore", "101", node2(func(f *host.Facts) { f.Restores = nil }), "there must be /proc/rst (modprobe vzrst)"},
		{"live needs no restore", "web1", node2(func(f *host.Facts) { f.Restores = nil }), ""},
		{"takes no guests", "web1", node2(func(f *host.Facts) { f.Listens["xen"] = host.ListensNot }), "node node2 takes no running xen guests: switch it on there"},
		{"an image needs no port", "101", node2(func(f *host.Facts) { f.Listens["xen"] = host.ListensNot }), ""},
		{"does not say where", "web1", node2(func(f *host.Facts) { f.Listens = nil }), "does not say where it takes running xen guests"},
		{"the port is closed", "web1", func(w *world) { w.deaf = errors.New("connection refused") }, "(node2:8002): connection refused; is a firewall in between"},
		{"its service has another VM, which the target cannot start", "101", func(w *world) {
			w.service("web1").ID = "service:centos"
			node2(func(f *host.Facts) { f.VMs[1].Lacks = []string{"there is no bridge xenbr1"} })(w)
		}, "node node2 could not start xen:web1: there is no bridge xenbr1"},
		{"its service has another VM, and both are too much", "101", func(w *world) {
			w.service("web1").ID = "service:centos"
			node2(func(f *host.Facts) { f.MemFree = 5 << 29 })(w)
		}, "the VMs of its service have 3072 MiB, and node node2 has 2560 MiB free"},
		{"cold needs no such processor", "101", func(w *world) {
			w.service("101").Params = map[string]string{"on_stop": "shutdown"}
			node2(func(f *host.Facts) { f.CPUFlags, f.Kernel, f.Arch = nil, "", "" })(w)
		}, ""},
		{"cold needs the disks", "101", func(w *world) {
			w.service("101").Params = map[string]string{"on_stop": "shutdown"}
			node2(func(f *host.Facts) { f.VMs[0].Lacks = []string{"folder /gfs/private/101: no such file or directory"} })(w)
		}, "folder /gfs/private/101"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.mgr.move = func(context.Context, string, string) error { t.Error("the manager was asked"); return nil }
			test.change(w)
			typ := "openvz"
			if test.vm == "web1" {
				typ = "xen"
			}
			err := w.mover.Check(context.Background(), request(typ, test.vm, "node2"))
			if test.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want a refusal with %q", err, test.want)
			}
		})
	}
}

// The refusals that the next run of lblog may end are told from those that it does not.
func TestStaleAndLater(t *testing.T) {
	for _, c := range []struct {
		name         string
		change       func(w *world)
		stale, later bool
	}{
		{"the target is silent", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) }) }, true, false},
		{"the source is silent", func(w *world) { w.facts("node1", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) }) }, true, false},
		{"it has come up just now", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = time.Time{} }) }, true, false},
		{"it has never told of itself", func(w *world) { w.remove("lbvm/nodes/node2") }, true, false},
		{"its clock is ahead", func(w *world) { w.facts("node2", func(f *host.Facts) { f.At = f.At.Add(time.Hour) }) }, false, false},
		{"it has the guest still", func(w *world) {
			w.facts("node2", func(f *host.Facts) {
				f.Guests = append(f.Guests, host.GuestFact{Type: "openvz", Name: "101", State: "running"})
			})
		}, false, true},
		{"it cannot start it", func(w *world) { w.facts("node2", func(f *host.Facts) { f.VMs[0].Lacks = []string{"its disk"} }) }, false, false},
	} {
		w := newWorld(t)
		c.change(w)
		err := w.mover.Check(context.Background(), request("openvz", "101", "node2"))
		if !errors.Is(err, ErrRefused) || errors.Is(err, ErrStale) != c.stale || errors.Is(err, ErrLater) != c.later {
			t.Errorf("%s: %v: stale %v, later %v; want %v, %v", c.name, err, errors.Is(err, ErrStale), errors.Is(err, ErrLater), c.stale, c.later)
		}
	}
}

func TestChecksGoOnBehindARefusal(t *testing.T) {
	w := newWorld(t)
	list, err := w.mover.Checks(context.Background(), request("xen", "web1", "node2"))
	if err != nil || slices.ContainsFunc(list, func(c Check) bool { return !c.OK && !c.Skipped }) || len(list) != 18 {
		t.Errorf("%v: %+v", err, list)
	}
	if want := []string{"tcp node2:8002"}; !slices.Equal(w.dialled, want) {
		t.Errorf("connected to %q", w.dialled)
	}
	w.facts("node2", func(f *host.Facts) { f.Arch, f.MemFree = "i686", 1 })
	w.service("web1").MayRun = nil
	list, err = w.mover.Checks(context.Background(), request("xen", "web1", "node2"))
	var bad []string
	for _, c := range list {
		if !c.OK && !c.Skipped {
			bad = append(bad, c.Name)
		}
	}
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "failover domain") || strings.Join(bad, " ") != "target memory architecture" {
		t.Errorf("%v: %q", err, bad)
	}
	w.remove("lbvm/nodes/node2")
	list, err = w.mover.Checks(context.Background(), request("xen", "web1", "node2"))
	if i := slices.IndexFunc(list, func(c Check) bool { return c.Name == "memory" }); err == nil || i < 0 || !list[i].Skipped {
		t.Errorf("%v: %+v", err, list)
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string][]int{"2.6.32-754.el6.x86_64": {2, 6, 32}, "4.11": {4, 11}, "3": {3}, "4.17.0-rc1": {4, 17, 0}, "": nil, "x": nil, "4.x": {4}, "-1": nil} {
		if got := numbers(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestByTheManager(t *testing.T) {
	arrive := func(w *world) { // what migrate, and then status on the target, do
		st, err := handoff.ReadState(w.shared, "xen", "web1")
		if err != nil {
			t.Fatal(err)
		}
		txn := strings.Repeat("cd", 16)
		w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: st.Boot, To: "node2", Txn: txn}, handoff.State{Phase: handoff.Sent, To: "node2", Txn: txn})
		w.service("web1").Owner = "node2"
		begun := w.clock.Now()
		w.clock.sleep = func() { // nothing runs on the target before its next status
			if w.clock.Now().Sub(begun) > 45*time.Second && w.clock.sleep != nil {
				w.clock.sleep = nil
				w.record("xen", "web1", handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2", Txn: txn})
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		method Method
		live   bool   // asked so
		want   string // of a refusal
	}{
		{"by default with a ticket", func(*world) {}, Auto, false, ""},
		{"asked for", func(*world) {}, ByManager, true, ""},
		{"without shared storage by default", func(w *world) { w.mover.Shared = "" }, Auto, true, ""},
		{"within a service", func(w *world) { w.service("web1").Live = false }, ByManager, false, "only a VM that stands directly below <rm>"},
		{"within a service, without shared storage", func(w *world) { w.mover.Shared = ""; w.service("web1").Live = false }, Auto, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.service("web1").Live = true
			test.change(w)
			w.mgr.move = func(context.Context, string, string) error {
				switch {
				case w.mover.Shared == "":
					w.service("web1").Owner = "node2"
				case test.live:
					arrive(w)
				default:
					w.handover("xen", "web1", "node2")
				}
				return nil
			}
			r := request("xen", "web1", "node2")
			r.Method = test.method
			rec, err := w.mover.Move(context.Background(), r)
			if test.want != "" {
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want a refusal with %q", err, test.want)
				}
				return
			}
			if err != nil || rec.Owner != "node2" || w.mgr.live != test.live {
				t.Errorf("%+v, live %v: %v", rec, w.mgr.live, err)
			}
		})
	}
}

// What clusvcadm -M ends with, and what manager and record say then.
func TestWhatAMigrationByTheManagerComesTo(t *testing.T) {
	refusal := func(code int, why error, unchanged bool) error {
		return &cluster.Refusal{Op: "migrating xen:web1 to node2", Code: code, Why: why, Unchanged: unchanged}
	}
	for _, test := range []struct {
		name  string
		claim error
		then  func(*world)
		want  error
		text  string
	}{
		{"150: it runs on its old owner", refusal(239, cluster.ErrOriginalOwner, false), func(*world) {}, ErrRefused, "it still runs on node1"},
		{"1: the service is failed", refusal(255, cluster.ErrFailed, false), func(w *world) {
			w.service("web1").State, w.service("web1").Owner = cluster.Failed, ""
		}, ErrFailed, "the service is failed"},
		{"7: nothing has changed", refusal(255, cluster.ErrFailed, false), func(*world) {}, ErrRefused, "it still runs on node1"},
		{"6: no such operation", refusal(248, cluster.ErrInvalid, true), func(*world) {}, ErrRefused, "it still runs on node1"},
		{"target dead", refusal(244, cluster.ErrTargetDead, false), func(*world) {}, ErrRefused, "it still runs on node1"},
		{"0, and it never arrives", nil, func(w *world) {
			txn := strings.Repeat("cd", 16)
			w.record("xen", "web1", handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: txn}, handoff.State{Phase: handoff.Sent, To: "node2", Txn: txn})
			w.service("web1").Owner = "node2"
		}, ErrUnverified, "the record says sent to node2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.service("web1").Live = true
			w.mgr.move = func(context.Context, string, string) error { test.then(w); return test.claim }
			r := request("xen", "web1", "node2")
			r.Method = ByManager
			_, err := w.mover.Move(context.Background(), r)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v, want %v with %q", err, test.want, test.text)
			}
			if left := w.tickets("xen", "web1"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A relocator that gives up has written nothing: no record in the journal, no request to the manager.
func TestTheSecondOfTwoRelocatorsGivesUp(t *testing.T) {
	w := newWorld(t)
	d, err := handoff.Open(w.shared, "openvz", "101")
	if err != nil {
		t.Fatal(err)
	}
	st, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	first, err := d.Issue(handoff.Ticket{Kind: handoff.Image, Txn: strings.Repeat("ef", 16), Source: "node1", SourceSeq: st.Seq, Target: "node3", Relocator: "lbmonitor"})
	if err != nil {
		t.Fatal(err)
	}
	ticket := filepath.Join(d.Path(), "ticket")
	before, err := os.ReadFile(ticket)
	if err != nil {
		t.Fatal(err)
	}
	r := request("openvz", "101", "node2")
	for what, do := range map[string]func() error{
		"move":    func() error { _, err := w.mover.Move(context.Background(), r); return err },
		"restart": func() error { _, err := w.mover.Restart(context.Background(), r); return err },
		"repair": func() error {
			w.service("101").State = cluster.Failed
			defer func() { w.service("101").State = cluster.Started }()
			_, err := w.mover.Repair(context.Background(), r)
			return err
		},
	} {
		if err := do(); !errors.Is(err, ErrRefused) || !errors.Is(err, handoff.ErrBusy) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v, want refused since another is at it", what, err)
		}
	}
	after, err := os.ReadFile(ticket)
	if err != nil || string(before) != string(after) || len(w.mgr.asked) != 0 || len(w.log.list) != 0 {
		t.Errorf("%v: the ticket is %q, the manager was asked %q, the journal says %v", err, after, w.mgr.asked, w.log.list)
	}
	if err := first.Withdraw(); err != nil {
		t.Fatal(err)
	}
	w.mgr.move = func(context.Context, string, string) error { w.handover("openvz", "101", "node2"); return nil }
	if _, err := w.mover.Move(context.Background(), r); err != nil {
		t.Errorf("when the first has ended: %v", err)
	}
}

// A guest whose disks are not ready for two nodes goes by an image, and not at all where only a live move was asked for.
func TestPreflightOfReplication(t *testing.T) {
	const why = "DRBD: resource r0: its connection is StandAlone, not Connected"
	for _, node := range []string{"node1", "node2"} {
		for _, other := range []bool{false, true} {
			w := newWorld(t)
			w.facts("node2", func(f *host.Facts) { f.Listens["xen"] = host.ListensNot }) // an image needs no port
			w.facts(node, func(f *host.Facts) {
				f.Listens["xen"] = host.ListensNot
				i := 1 // web1
				if other {
					i = 0
				}
				f.VMs[i].NotLive = why
			})
			r := Request{Type: "xen", VM: "web1", Target: "node2"}
			list, err := w.mover.Checks(context.Background(), r)
			var row Check
			for _, c := range list {
				if c.Name == "replication" {
					row = c
				}
			}
			if other {
				if row.Name != "" || err == nil {
					t.Errorf("%s: another VM's disks count: %+v, %v", node, row, err)
				}
				continue
			}
			if err != nil || !row.OK || !strings.Contains(row.Text, "node "+node+" says: "+why) || !strings.Contains(row.Text, "image") {
				t.Errorf("%s: %+v, %v", node, row, err)
			}
			r.Method = ByManager
			if _, err := w.mover.Checks(context.Background(), r); err == nil {
				t.Errorf("%s: a live move is let through", node)
			}
		}
	}
}
