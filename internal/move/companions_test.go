package move

import (
	"context"
	"errors"
	"testing"

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
		{"another Xen there", func(w *world) { w.facts("node2", func(f *host.Facts) { f.Tools["xm"] = "3.0.3" }) }, false},
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
