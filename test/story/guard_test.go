package story

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
)

// door puts a guard's script at a hypervisor's door on all nodes.
func (w *world) door(script string, to ...string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../packaging/guard", script))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range to {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
}

// byHand runs a program of a node as an administrator would.
func (w *world) byHand(node string, argv ...string) (string, int) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.l.Root(node), "usr/sbin", argv[0]), argv[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", host.RootVariable + "=" + w.l.Root(node)}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		w.t.Fatalf("%q: %v", argv, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestGuardAtTheDoorOfOpenVZ starts a container by hand where it must not start, with the script that is installed on a
// real node; what the cluster does goes through the same door.
func TestGuardAtTheDoorOfOpenVZ(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pair(0))
	w.setUp("node1", "node2")
	conf := w.l.Path("shared/conf") // /etc/vz/conf of every node
	w.door("vps.premount", filepath.Join(conf, "vps.premount"), filepath.Join(conf, "vps.mount"))

	refused := func(node, command, want string) {
		t.Helper()
		if out, code := w.byHand(node, "vzctl", command, "101"); code != 79 || !strings.Contains(out, want) {
			t.Errorf("vzctl %s on %s: exit %d, %s", command, node, code, out)
		}
	}
	// It runs on node1, and nowhere else.
	refused("node2", "start", "it runs on node1")
	refused("node2", "mount", "lbm migrate 101 node2")
	w.on("node1", "clusvcadm", "-r", "centos1", "-m", "node2")
	w.awaitTick(two()[0].guest(), "node2")
	refused("node1", "start", "it runs on node2")

	// Its memory waits in an image: booted by hand it would be lost, and other nodes would not know of it.
	w.on("node1", "clusvcadm", "-d", "centos1")
	refused("node1", "start", "its memory waits in an image")
	refused("node2", "start", "lbm take 101")
	w.on("node1", "lbm", "take", "--yes", "101")
	refused("node2", "start", "it runs on node1")
	if out, code := w.byHand("node1", "vzctl", "start", "101"); code != 0 {
		t.Fatalf("after lbm take: exit %d, %s", code, out)
	}
	w.on("node1", "clusvcadm", "-e", "centos1", "-m", "node1")
	w.awaitTick(two()[0].guest(), "node1")

	// The share is away: a node knows what it has itself, and no more. Nobody waits.
	marker := w.l.Path("shared", host.MarkerFile)
	if err := os.Rename(marker, marker+".away"); err != nil {
		t.Fatal(err)
	}
	refused("node2", "start", "nobody can say where it runs")
	if out, code := w.byHand("node1", "lbm", "guard", "openvz", "101"); code != 0 {
		t.Errorf("on the node that has it: exit %d, %s", code, out)
	}
	if out, code := w.byHand("node2", "lbm", "guard", "openvz", "777"); code != 0 {
		t.Errorf("a container that is not the cluster's: exit %d, %s", code, out)
	}
	if err := os.Rename(marker+".away", marker); err != nil {
		t.Fatal(err)
	}

	// Without a working lbm, what cluster.conf names is not started.
	lbm := filepath.Join(w.l.Root("node2"), "usr/sbin/lbm")
	if err := os.Remove(lbm); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lbm, []byte("#!/bin/sh\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	refused("node2", "start", "does not work here")
}
