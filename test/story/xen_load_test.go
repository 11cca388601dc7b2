package story

import (
	"strings"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// TestXenGuestsLoadTheirNode: what a domain uses is its node's load, though the kernel of the node, a dom0's, sees nothing of it.
func TestXenGuestsLoadTheirNode(t *testing.T) {
	t.Parallel()
	const node = "node1"
	w := newWorld(t, lab.Options{Scale: 60, Nodes: []string{node, "node2"}, VMs: []lab.VM{{Type: "xen", Name: "web1", Node: node}}})
	w.setUp(node, "node2") // lbm init's lbresources.conf measures cpu, ram and load
	w.configure("sharedstorage /shared;\nresources /shared/lbresources.conf;\nlogdir /shared/lbvm/log;\nbalance web1;\n")
	w.awaitTick("xen:web1", node)
	w.until("the node is measured idle", limit, func() bool { return w.cpu(node, func(v float64) bool { return v < 0.2 }) })
	fs, err := procfs.NewFS(w.l.Root(node) + "/proc")
	if err != nil {
		t.Fatal(err)
	}
	before, err := fs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	w.must("load", "xen:web1", "0.6")
	w.until("its guest's load is measured", limit, func() bool { return w.cpu(node, func(v float64) bool { return v > 0.5 && v < 0.8 }) })
	after, err := fs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	a, b := after.CPUTotal, before.CPUTotal
	if busy := a.User + a.System - b.User - b.System; busy > 0.2*(busy+a.Idle-b.Idle) {
		t.Errorf("the lab's kernel counts what its domains do: %.1f busy of %.1f seconds", busy, busy+a.Idle-b.Idle)
	}
	facts, err := host.ReadFacts(w.l.Shared(), node)
	cpus, mem := lab.Machine()
	if err != nil || facts.Cores != cpus || facts.MemTotal != mem || facts.MemFree >= mem-256<<20 || facts.MemFree < mem/2 {
		t.Errorf("the facts: %d processors, %d bytes, %d of them free; %v", facts.Cores, facts.MemTotal, facts.MemFree, err)
	}

	w.must("fault", node, "xm", "xend-down", "*", "1", "100000")
	out := ""
	w.until("lblog says what it did not measure", limit, func() bool {
		var code int
		out, code = w.tryOn(node, "/usr/libexec/lbvm/lblog", "--dry-run")
		return code == 5
	})
	for _, name := range []string{"cpu", "ram", "load"} {
		if !strings.Contains(out, "measuring "+name+": this node is a dom0") {
			t.Errorf("%s is measured without xend:\n%s", name, out)
		}
	}
}
