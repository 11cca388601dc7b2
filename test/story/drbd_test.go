package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
)

// drbdPair gives both nodes a DRBD as far as agents look at it: what drbdadm dumps, and /proc/drbd.
func drbdPair(t *testing.T, l lab.Layout, nodes ...string) {
	t.Helper()
	for _, n := range nodes {
		root := l.Root(n)
		for path, text := range map[string]string{
			"usr/sbin/drbdadm": "#!/bin/sh\n[ \"$*\" != dump ] || exec /bin/cat \"$LBVM_ROOT/etc/drbd.dump\"\nexit 10\n",
			"etc/drbd.dump":    "common {\n    protocol C;\n}\nresource r0 {\n    on node1 {\n        device /dev/drbd1 minor 1;\n    }\n    on node2 {\n        device /dev/drbd1 minor 1;\n    }\n    net {\n        allow-two-primaries;\n    }\n}\n",
		} {
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../../../shared/images/web1.img", filepath.Join(root, "dev/drbd1")); err != nil {
			t.Fatal(err)
		}
	}
}

// drbd is what /proc/drbd of both nodes says of the resource.
func drbd(t *testing.T, l lab.Layout, role map[string]string, disks string) {
	t.Helper()
	for n, ro := range role {
		text := "version: 8.3.16 (api:88/proto:86-97)\n\n 1: cs:Connected ro:" + ro + " ds:" + disks + " C r-----\n    ns:0 nr:0 dw:0 dr:664 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0\n"
		file := filepath.Join(l.Root(n), "proc/drbd")
		if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

// A guest on DRBD, a copy of which is not whole: it is said before anything stops that it does not go live, the manager's own
// migration is refused and the guest runs on, and its memory passes in an image. When both are whole it goes live.
func TestGuestOnDRBD(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Nodes: []string{"node1", "node2"}, VMs: []lab.VM{{Type: "xen", Name: "web1", Node: "node1", Top: true}}}, func(l lab.Layout) {
		conf := l.Path("shared/xen/web1")
		b, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(conf, []byte(strings.Replace(string(b), "file:/shared/images/web1.img", "phy:/dev/drbd1", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		drbdPair(t, l, "node1", "node2")
		drbd(t, l, map[string]string{"node1": "Primary/Secondary", "node2": "Secondary/Primary"}, "UpToDate/Inconsistent")
	})
	w.setUp("node1", "node2")
	const guest = "xen:web1"
	w.awaitTick(guest, "node1")
	w.measure("node1", "node2")
	stops := count(w.manager(), "resource", "xen:web1", "action", "stop")
	// 0: by an image it can go. What is looked for is what it says.
	out, code := w.tryOn("node1", "lbm", "migrate", "--dry-run", "web1", "node2")
	if !strings.Contains(out, "UpToDate/Inconsistent") || !strings.Contains(out, "not live") {
		t.Errorf("lbm migrate --dry-run: exit %d: %s", code, out)
	}
	if out, code := w.tryOn("node1", "lbm", "migrate", "--method=manager", "web1", "node2"); code != 3 || !strings.Contains(out, "UpToDate/Inconsistent") {
		t.Errorf("lbm migrate --method=manager: exit %d: %s", code, out)
	}
	if out, code := w.tryOn("node1", "clusvcadm", "-M", "xen:web1", "-m", "node2"); code == 0 {
		t.Errorf("clusvcadm -M: exit %d: %s", code, out)
	}
	w.awaitTick(guest, "node1")
	if n := count(w.manager(), "resource", "xen:web1", "action", "stop"); n != stops {
		t.Errorf("the guest was stopped %d times", n-stops)
	}
	if out := w.on("node1", "lbm", "migrate", "web1", "node2"); !strings.Contains(out, "memory kept") {
		t.Errorf("lbm migrate: %s", out)
	}
	w.awaitTick(guest, "node2")
	if sent := count(w.journal(), "vm", guest, "outcome", "sent"); sent != 0 {
		t.Errorf("it was pushed %d times", sent)
	}
	drbd(t, w.l, map[string]string{"node1": "Secondary/Primary", "node2": "Primary/Secondary"}, "UpToDate/UpToDate")
	w.on("node1", "clusvcadm", "-M", "xen:web1", "-m", "node1")
	w.awaitTick(guest, "node1")
	if sent := count(w.journal(), "vm", guest, "outcome", "sent"); sent != 1 {
		t.Errorf("it was pushed %d times", sent)
	}
	if n := incarnations(w.witness(guest)); n != 1 {
		t.Errorf("booted %d times", n)
	}
	w.silent(0)
}
