package story

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
)

// sshBetween gives a node an ssh that runs lbm on another node of the lab, as that one's root would.
func sshBetween(t *testing.T, l lab.Layout, nodes ...string) {
	t.Helper()
	const script = "#!/bin/sh\n# -oBatchMode=yes -oConnectTimeout=10 -- NODE lbm ARGUMENT...\nnode=$4\nshift 5\nroot=${LBVM_ROOT%/*}/$node\n[ -e \"$root/etc/hostname\" ] || exit 255\nLBVM_ROOT=$root exec \"$root/usr/sbin/lbm\" \"$@\"\n"
	for _, n := range nodes {
		if err := os.WriteFile(filepath.Join(l.Root(n), "usr/bin/ssh"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// A lab as it is made, with guests that run: the doctor finds nothing on any node, and what is then broken it finds.
func TestDoctorOnASoundLab(t *testing.T) {
	t.Parallel()
	nodes := []string{"node1", "node2", "node3"}
	w := newWorld(t, lab.Options{Nodes: nodes}, func(l lab.Layout) { sshBetween(t, l, nodes...) })
	w.setUp(nodes...)
	w.configure("resources /shared/lbresources.conf;\nlogdir /shared/lbvm/log;\ninterval 6h;\nbalance 101, web1;\ndefault { algorithm { report() if average(res('cpu', 5)) > 0.9; } }\n")
	w.measure(nodes...)
	for _, n := range nodes {
		out, code := w.tryOn(n, "lbm", "doctor")
		if code != 0 || !strings.HasPrefix(out, n+": 0 errors, 0 warnings, 0 not known; ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit %d: %s", n, code, out)
		}
	}
	if out, code := w.tryOn("node1", "lbm", "doctor", "--all"); code != 0 || out != "3 nodes: 0 errors, 0 warnings, 0 not known\n" {
		t.Errorf("exit %d: %s", code, out)
	}
	if out := w.on("node2", "lbm", "doctor", "--verbose"); !strings.Contains(out, "node2: members: fine") {
		t.Errorf("--verbose says %s", out)
	}
	if out := w.on("node2", "lbm", "doctor", "-o", "json"); !strings.Contains(out, `"errors": 0`) {
		t.Errorf("-o json says %s", out)
	}

	// One node loses its share's marker from sight, another one's agent is an old one.
	old := filepath.Join(w.l.Root("node2"), "usr/share/cluster/xen.sh")
	b, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(old); err != nil { // it is a link to the others' as well
		t.Fatal(err)
	}
	if err := os.WriteFile(old, append(slices.Clone(b), "old"...), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.l.Root("node3"), "shared")); err != nil {
		t.Fatal(err)
	}
	out, code := w.tryOn("node1", "lbm", "doctor", "--all")
	for _, want := range []string{"[across.agents]", "node3: error: the shared storage does not hold this cluster's marker", "[share.absent]"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, and %q is not in %s", code, want, out)
		}
	}
	if err := os.Symlink("../../shared", filepath.Join(w.l.Root("node3"), "shared")); err != nil {
		t.Fatal(err)
	}

	// And one service is down: the manager's word, the record and the next command are told.
	w.on("node1", "clusvcadm", "-d", "centos1")
	if out := w.on("node1", "lbm", "why-down", "-o", "json", "101"); !strings.Contains(out, `"cause": "disabled"`) || !strings.Contains(out, `"next": "lbm repair 101"`) ||
		!strings.Contains(out, "Its memory waits in an image on the shared storage") {
		t.Errorf("why-down says %s", out)
	}
	w.on("node1", "lbm", "repair", "101")
	if out := w.on("node1", "lbm", "why-down", "-o", "json", "101"); !strings.Contains(out, `"down": false`) {
		t.Errorf("why-down says %s", out)
	}
}
