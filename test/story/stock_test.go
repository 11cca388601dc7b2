package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// A cluster as seed clusters are: VMs of the suite's own agent, each defined to libvirt on both nodes. The one directly below
// <rm> is moved by clusvcadm -M, its memory with it; the one in a service boots anew, which is said before. No record is made
// of either.
func TestStockVM(t *testing.T) {
	t.Parallel()
	nodes := []string{"node1", "node2"}
	w := newWorld(t, lab.Options{Nodes: nodes, Scale: 20, VMs: []lab.VM{
		{Type: "vm", Name: "web1", Node: "node1", Top: true}, {Type: "vm", Name: "db1", Service: "data", Node: "node1"}}}, func(l lab.Layout) {
		for _, n := range nodes { // nothing starts before libvirt knows it
			file := filepath.Join(l.Root(n), host.ClusterXML)
			b, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, []byte(strings.ReplaceAll(string(b), `autostart="1"`, `autostart="0"`)), 0o640)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, n := range nodes {
		for _, vm := range []string{"web1", "db1"} {
			w.on(n, "virsh", "define", filepath.Join(w.l.Root(n), "etc/kvm", vm+".xml"))
		}
	}
	w.on("node1", "clusvcadm", "-e", "vm:web1", "-m", "node1")
	w.on("node1", "clusvcadm", "-e", "data", "-m", "node1")
	w.setUp(nodes...)
	const web, db = "kvm:web1", "kvm:db1"
	w.awaitTick(web, "node1")
	w.awaitTick(db, "node1")
	if out := strings.Join(strings.Fields(w.on("node2", "lbm", "list")), " "); !strings.Contains(out, "web1 vm vm:web1 node1 started") || !strings.Contains(out, "db1 vm service:data node1 started") {
		t.Errorf("lbm list: %s", out)
	}

	// What reads no ticket is asked for none.
	if out, code := w.tryOn("node1", "lbm", "migrate", "--method=ticket", "web1", "node2"); code != 3 || !strings.Contains(out, "--method=manager") {
		t.Errorf("by a ticket: exit %d: %s", code, out)
	}
	if out := w.on("node1", "lbm", "migrate", "--dry-run", "web1", "node2"); !strings.Contains(out, "clusvcadm -M") {
		t.Errorf("lbm migrate --dry-run: %s", out)
	}
	for i, target := range []string{"node2", "node1"} {
		t.Log(w.on("node1", "lbm", "migrate", "--yes", "web1", target))
		w.awaitTick(web, target)
		if n := count(w.manager(), "resource", "vm:web1", "action", "migrate", "target", target, "code", "0"); n != 1 {
			t.Errorf("migrated to %s %d times", target, n)
		}
		lines := w.witness(web)
		if n := incarnations(lines); n != 1 {
			t.Errorf("it booted %d times", n)
		}
		if first, last := lines[0], lines[len(lines)-1]; first.N != 1 || last.N != uint64(len(lines)) || lives(lines) != i+2 {
			t.Errorf("it has counted from %d to %d in %d lines and %d processes", first.N, last.N, len(lines), lives(lines))
		}
		// The manager has run nothing on the target; its next check has to find the VM there.
		w.until("a check of vm:web1 on "+target, 2*time.Minute, func() bool {
			records := w.manager()
			for j := len(records) - 1; j >= 0 && records[j].Get("action") != "migrate"; j-- {
				if r := records[j]; r.Get("resource") == "vm:web1" && r.Get("action") == "status" && r.Get("node") == target && r.Get("code") == "0" {
					return true
				}
			}
			return false
		})
	}
	if n := count(w.manager(), "resource", "vm:web1", "action", "start"); n != 1 {
		t.Errorf("vm:web1 was started %d times", n)
	}
	w.silent(0)

	if out := w.on("node1", "lbm", "migrate", "--dry-run", "db1", "node2"); !strings.Contains(out, "its memory is lost") {
		t.Errorf("lbm migrate --dry-run: %s", out)
	}
	w.on("node1", "lbm", "migrate", "--yes", "db1", "node2")
	w.awaitTick(db, "node2")
	if n := incarnations(w.witness(db)); n != 2 {
		t.Errorf("it booted %d times", n)
	}
	w.silent(1)
	if made, err := filepath.Glob(w.l.Path("shared/lbvm/handoff/vm-*")); err != nil || len(made) > 0 {
		t.Errorf("records: %q, %v", made, err)
	}
}
