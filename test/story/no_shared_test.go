package story

import (
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// TestClusterWithoutSharedStorage is a pair of nodes that share disks and no file system: a VM directly below <rm> moves
// live by the manager's own migration, one in a service moves cold, and no record of either is kept anywhere.
func TestClusterWithoutSharedStorage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Nodes: []string{"node1", "node2"}, VMs: []lab.VM{
		{Type: "xen", Name: "web1", Node: "node1", Top: true}, {Type: "openvz", Name: "101", Service: "centos1", Node: "node1"}}})
	web, ct := service{"web1", "xen", "web1"}.guest(), service{"centos1", "openvz", "101"}.guest()
	w.awaitTick(web, "node1")
	w.on("node1", "clusvcadm", "-d", "xen:web1")
	w.on("node1", "clusvcadm", "-d", "centos1")
	for _, node := range []string{"node1", "node2"} {
		id := w.l.Root(node) + host.IDFile
		if out, code := w.byHand(node, "lbm", "init", "--no-shared"); code != 3 || !strings.Contains(out, "keeps a VM from running twice") {
			t.Errorf("the guard of a cluster that has one is given up in passing: exit %d, %s", code, out)
		}
		if err := os.Remove(id); err != nil {
			t.Fatal(err)
		}
		if out := w.on(node, "lbm", "init", "--no-shared"); !strings.Contains(out, "xen:web1 moves live: clusvcadm -M xen:web1") || !strings.Contains(out, "openvz:101 moves cold only") {
			t.Errorf("%s", out)
		}
	}
	if err := os.RemoveAll(w.l.Path("shared/lbvm")); err != nil {
		t.Fatal(err)
	}
	booted := func(guest string) int { return incarnations(w.witness(guest)) }

	w.on("node1", "clusvcadm", "-e", "xen:web1", "-m", "node1")
	w.on("node1", "clusvcadm", "-e", "centos1", "-m", "node1")
	w.awaitTick(web, "node1")
	w.awaitTick(ct, "node1")
	webs, cts := booted(web), booted(ct)

	w.on("node1", "clusvcadm", "-M", "xen:web1", "-m", "node2")
	w.awaitTick(web, "node2")
	if n := booted(web); n != webs {
		t.Errorf("a live move booted it %d times", n-webs)
	}
	w.on("node1", "clusvcadm", "-r", "centos1", "-m", "node2")
	w.awaitTick(ct, "node2")
	if n := booted(ct); n != cts+1 {
		t.Errorf("a relocation booted it %d times", n-cts)
	}
	w.on("node1", "clusvcadm", "-r", "xen:web1", "-m", "node1")
	w.awaitTick(web, "node1")
	if n := booted(web); n != webs+1 {
		t.Errorf("a relocation booted it %d times", n-webs)
	}
	if _, err := os.Stat(w.l.Path("shared/lbvm")); err == nil {
		t.Error("something was written to a shared storage that the cluster does not have")
	}
}
