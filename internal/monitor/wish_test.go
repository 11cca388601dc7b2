package monitor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// What a person's wish is decided on: services of several VMs may go, what has come since a node was measured counts, and
// evacuated nodes are closed; without lbvm.conf there is no load, and everything else.
func TestInput(t *testing.T) {
	w := newWorld(t)
	shared := filepath.Join(w.root, "shared")
	facts := func(node string, change func(*host.Facts)) {
		t.Helper()
		f, err := host.ReadFacts(shared, node)
		if err != nil {
			t.Fatal(err)
		}
		change(&f)
		if err := host.WriteFacts(shared, f); err != nil {
			t.Fatal(err)
		}
	}
	facts("node1", func(f *host.Facts) {
		f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "running", Mem: 3 << 29, CPU: 0.25}}
	})
	// 101 has gone to node2 ten seconds after that was measured.
	s := &w.mgr.status.Services[0]
	s.Owner, s.LastOwner, s.Since = "node2", "node1", noon().Add(-10*time.Second)
	w.mgr.status.Services = append(w.mgr.status.Services, cluster.Service{ID: "openvz:102", VM: "103", VMType: "openvz", Owner: "node1", State: cluster.Started, MayRun: s.MayRun})
	if err := host.WriteEvacuation(shared, host.Evacuation{Member: "node3", Since: noon()}); err != nil {
		t.Fatal(err)
	}
	look := func() balance.Input {
		t.Helper()
		in, _, err := w.mon.Input(context.Background(), func(conf.Diagnostic) {})
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	in := look()
	if n := in.View.Nodes[1]; n.MemFree != 4<<30-3<<29 {
		t.Errorf("node2 has %d MiB free", n.MemFree>>20)
	}
	if n := in.View.Nodes[0]; n.MemFree != 4<<30 {
		t.Errorf("node1 has %d MiB free", n.MemFree>>20)
	}
	if n := in.View.Nodes[2]; !strings.Contains(n.Closed, "is evacuated since") || in.View.Nodes[0].Closed != "" {
		t.Errorf("node3: %q, node1: %q", n.Closed, in.View.Nodes[0].Closed)
	}
	if vm := in.View.VMs[0]; vm.Mem != 3<<29 {
		t.Errorf("101 has %d MiB", vm.Mem>>20)
	}
	if vm := in.View.VMs[1]; vm.Mem != 1<<30 { // nobody has measured it: as it is configured
		t.Errorf("102 has %d MiB", vm.Mem>>20)
	}
	if vm := in.View.VMs[1]; len(vm.MayRun) != 3 {
		t.Errorf("one of two VMs of a service may run on %v", vm.MayRun)
	}
	if v, _ := view(w.mgr.status, func(m string) (host.Facts, error) { return host.ReadFacts(shared, m) }, func(m string) (string, error) { return host.Closed(shared, m) }); len(v.VMs[1].MayRun) != 3 || len(v.VMs[0].MayRun) != 3 || v.Nodes[2].Closed == "" {
		t.Errorf("the balancer sees %+v", v)
	}
	// Measured since: nothing is counted twice.
	facts("node2", func(f *host.Facts) {
		f.At = noon()
		f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "running", Mem: 3 << 29}}
	})
	if n := look().View.Nodes[1]; n.MemFree != 4<<30 {
		t.Errorf("measured since, node2 has %d MiB free", n.MemFree>>20)
	}
	if err := os.Remove(filepath.Join(shared, "lbvm.conf")); err != nil {
		t.Fatal(err)
	}
	in = look()
	if d, err := balance.Grant(context.Background(), in, balance.Wish{VMs: []string{"102"}}); err != nil || d[0].Target != "node2" {
		t.Errorf("without lbvm.conf: %+v %v", d, err)
	}
	w.write("shared/lbvm.conf", "balance 101\n")
	if _, _, err := w.mon.Input(context.Background(), func(conf.Diagnostic) {}); err == nil {
		t.Error("decided though apart may stand in the part that cannot be read")
	}
	// A note that cannot be read closes its node.
	w.write("shared/lbvm.conf", goodConf)
	w.write("shared/lbvm/evacuated/node2", "garbage")
	if n := look().View.Nodes[1]; n.Closed == "" {
		t.Error("a note that nobody understands has opened its node")
	}
}
