package move

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// A service of two VMs moves for the sake of one. The other has a ticket of its own where it can go live, and none where it
// cannot: it then goes with its memory in an image, as every stop without a ticket has it.
func TestCompanionsHaveTickets(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		ticket bool
	}{
		{"it can go live", func(*world) {}, true},
		{"its port is closed", func(w *world) { w.deaf = errors.New("connection refused") }, false},
		{"its disks are not whole on both", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.VMs[1].NotLive = "DRBD: resource r0: Inconsistent" })
		}, false},
		{"it is to be shut down", func(w *world) { w.service("web1").Params = map[string]string{"on_stop": "shutdown"} }, false},
		{"another service", func(w *world) { w.service("web1").ID = "xen:web1" }, false},
		{"its record says that it is elsewhere", func(w *world) {
			w.record("xen", "web1", handoff.State{Phase: handoff.Running, Node: "node3", Boot: "boot-3"})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.service("web1").ID = "service:centos"
			c.change(w)
			asked := false
			w.mgr.move = func(context.Context, string, string) error {
				asked = true
				has := len(w.tickets("xen", "web1")) > 0
				if has != c.ticket {
					t.Errorf("a ticket: %v", has)
				}
				if has {
					if i := w.consume("xen", "web1"); i.Kind != handoff.Live || i.Target != "node2" || i.SourceSeq == 0 {
						t.Errorf("%+v", i)
					}
				}
				w.handover("openvz", "101", "node2")
				return nil
			}
			_, err := w.mover.Move(context.Background(), request("openvz", "101", "node2"))
			if !asked || err != nil {
				t.Fatalf("asked: %v, %v", asked, err)
			}
			if left := w.tickets("xen", "web1"); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// With Pacemaker each VM of a group has a state of its own: one that nobody knows is not stopped with the others.
func TestCompanionsAreStarted(t *testing.T) {
	for _, change := range []func(*cluster.Service){
		func(s *cluster.Service) { s.State = cluster.Unknown }, func(s *cluster.Service) { s.Owner = "node3" }, func(s *cluster.Service) { s.Frozen = true },
	} {
		w := newWorld(t)
		w.service("web1").ID = "service:centos"
		change(w.service("web1"))
		w.mgr.move = func(context.Context, string, string) error { t.Error("asked"); return nil }
		if _, err := w.mover.Move(context.Background(), request("openvz", "101", "node2")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "xen:web1 of the same service") {
			t.Error(err)
		}
	}
}

// What is asked of the target for the memory of one VM of a service is asked for each: what cannot be restored there would be
// lost with the whole service already on its way.
func TestCompanionsMemoryIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name, typ, vm string
		change        func(*world)
		want          string
	}{
		{"a container beside Xen, and no /proc/rst", "xen", "web1", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Restores = nil })
		}, "does not say that it can restore openvz guests"},
		{"a container that is to be shut down", "xen", "web1", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Restores = nil })
			w.service("101").Params = map[string]string{"on_stop": "shutdown"}
		}, ""},
		{"an older Xen beside a container", "openvz", "101", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Tools["xm"] = "3.0.3" })
		}, "the older 3.0.3"},
		{"which is to be shut down", "openvz", "101", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Tools["xm"] = "3.0.3" })
			w.service("web1").Params = map[string]string{"on_stop": "shutdown"}
		}, ""},
		{"an older Xen beside a container that is to be shut down", "openvz", "101", func(w *world) {
			w.facts("node2", func(f *host.Facts) { f.Tools["xm"] = "3.0.3" })
			w.service("101").Params = map[string]string{"on_stop": "shutdown"}
		}, "the older 3.0.3"},
	} {
		w := newWorld(t)
		w.service("101").ID, w.service("web1").ID = "service:all", "service:all"
		c.change(w)
		err := w.mover.Check(context.Background(), request(c.typ, c.vm, "node2"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
