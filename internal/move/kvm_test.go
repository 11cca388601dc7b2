package move

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// kvm makes web1 a guest of KVM.
func (w *world) kvm() {
	w.t.Helper()
	w.service("web1").ID, w.service("web1").VMType = "kvm:web1", "kvm"
	w.record("kvm", "web1", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
	for _, n := range []string{"node1", "node2", "node3"} {
		w.facts(n, func(f *host.Facts) {
			f.Lists, f.Tools = append(f.Lists, "kvm"), map[string]string{"virsh": "7.2.22"}
			f.Listens, f.VMs = map[string]string{"kvm": ":22"}, []host.VMFact{{Type: "kvm", Name: "web1", Mem: 1 << 30}}
			f.Guests = nil
			if n == "node3" {
				f.Tools["virsh"] = "6.2.0"
			}
		})
	}
}

func TestAKVMGuestGoesLive(t *testing.T) {
	w := newWorld(t)
	w.kvm()
	w.mgr.move = func(context.Context, string, string) error {
		got := w.consume("kvm", "web1")
		if got.Kind != handoff.Live {
			t.Errorf("the ticket says %s", got.Kind)
		}
		w.record("kvm", "web1",
			handoff.State{Phase: handoff.Sending, Node: "node1", Boot: "boot-1", To: "node2", Txn: got.Txn}, handoff.State{Phase: handoff.Sent, To: "node2", Txn: got.Txn},
			handoff.State{Phase: handoff.Running, Node: "node2", Boot: "boot-2", Txn: got.Txn})
		w.service("web1").Owner, w.service("web1").Since = "node2", w.service("web1").Since.Add(time.Minute)
		return nil
	}
	// An older QEMU may not understand what a newer one sends.
	if err := w.mover.Check(context.Background(), request("kvm", "web1", "node3")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "QEMU 7.2.22") {
		t.Errorf("to an older QEMU: %v", err)
	}
	if rec, err := w.mover.Move(context.Background(), request("kvm", "web1", "node2")); err != nil || rec.Owner != "node2" {
		t.Errorf("%+v, %v", rec, err)
	}
	if len(w.dialled) == 0 || w.dialled[0] != "tcp node2:22" {
		t.Errorf("dialled %q", w.dialled)
	}
}

// A VM under the suite's own vm.sh reads no ticket and keeps no record: the manager moves it, and its word is all there is.
func TestAStockVM(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *cluster.Service)
		method Method
		live   bool
		kind   string
		want   string // of a refusal
	}{
		{"at the top", func(*cluster.Service) {}, Auto, true, "live", ""},
		{"asked for", func(*cluster.Service) {}, ByManager, true, "live", ""},
		{"with a ticket", func(*cluster.Service) {}, ByTicket, false, "", "reads no ticket"},
		{"within a service", func(s *cluster.Service) { s.Live = false }, Auto, false, "cold", ""},
		{"frozen", func(s *cluster.Service) { s.Frozen = true }, Auto, false, "", "frozen"},
		{"not there", func(s *cluster.Service) { s.MayRun = nil }, Auto, false, "", "failover domain"},
	} {
		w := newWorld(t)
		s := w.service("web1")
		s.ID, s.VMType, s.Live = "vm:web1", "vm", true
		c.change(s)
		w.mgr.move = func(_ context.Context, service, target string) error {
			if service != "vm:web1" {
				t.Errorf("%s: %s was moved", c.name, service)
			}
			w.service("web1").Owner, w.service("web1").Since = target, time.Unix(1195668600, 0)
			return nil
		}
		r := request("vm", "web1", "node2")
		r.Method = c.method
		rec, err := w.mover.Move(context.Background(), r)
		switch {
		case c.want != "":
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want a refusal with %q", c.name, err, c.want)
			}
		case err != nil || rec.Owner != "node2" || w.mgr.live != c.live || rec.Kind != c.kind:
			t.Errorf("%s: %+v, live %v: %v", c.name, rec, w.mgr.live, err)
		}
		if left := w.tickets("vm", "web1"); len(left) != 0 {
			t.Errorf("%s: left behind: %v", c.name, left)
		}
	}
}
