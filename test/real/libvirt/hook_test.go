package libvirt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
)

// TestHookAtTheDoor has the real libvirt ask our hook: what the agents start, move and resume passes, and what somebody
// starts by hand on another node does not.
func TestHookAtTheDoor(t *testing.T) {
	script, err := filepath.Abs("../../../packaging/guard/qemu")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	lbm := ""
	a, b, shared := cluster(t, func(n *node) {
		if lbm == "" {
			lbm = program(t, filepath.Dir(n.root), "lbm", "./cmd/lbm")
		}
		must(os.Symlink(lbm, filepath.Join(n.root, "usr/sbin/lbm")))
		must(os.WriteFile(filepath.Join(n.root, "etc/cluster/cluster.conf"), []byte(`<cluster name="c" config_version="1"><rm><kvm name="`+guestName+`"/></rm></cluster>`), 0o644))
		// own is what this node alone has in place of the machine's: its libvirtd finds this as /etc/libvirt/hooks/qemu.
		hook := filepath.Join(n.root, "own/etc/libvirt/hooks/qemu")
		must(os.MkdirAll(filepath.Dir(hook), 0o755))
		must(os.WriteFile(hook, []byte("#!/bin/sh\nexport LBVM_ROOT="+n.root+"\necho \"$1 $2 $3\" >>$LBVM_ROOT/asked\nexec "+script+" \"$@\"\n"), 0o755))
	})
	xml := filepath.Join(shared, "kvm", guestName+".xml")
	text, err := os.ReadFile(xml)
	must(err)
	stranger := filepath.Join(shared, "stranger.xml")
	must(os.WriteFile(stranger, []byte(strings.NewReplacer(guestName, "stranger", "555555555501", "555555555502").Replace(string(text))), 0o644))
	must(os.WriteFile(filepath.Join(shared, "stranger.img"), make([]byte, 1<<20), 0o644))

	runs := func(n *node, want string) {
		t.Helper()
		if got := n.virsh("list", "--all", "--name"); got != want {
			t.Fatalf("%s has %q, want %q", n.name, got, want)
		}
	}
	refused := func(n *node, want string) {
		t.Helper()
		out := n.virsh("create", xml)
		for _, w := range []string{"Hook script execution failed", "kvm:" + guestName + ": " + want, "nothing was changed"} {
			if !strings.Contains(out, w) {
				t.Fatalf("virsh create on %s says %s, want %q", n.name, out, w)
			}
		}
		runs(n, "")
	}
	// asked wants libvirt to have asked that since it was looked at last.
	asked := func(n *node, want ...string) {
		t.Helper()
		log := filepath.Join(n.root, "asked")
		got, err := os.ReadFile(log)
		must(err)
		for _, w := range want {
			if !strings.Contains("\n"+string(got), "\n"+guestName+" "+w+"\n") {
				t.Fatalf("the hook on %s was not asked %q:\n%s", n.name, w, got)
			}
		}
		must(os.Truncate(log, 0))
	}

	b.wants(0, "start")
	asked(b, "prepare begin", "start begin", "started begin")
	runs(b, guestName)
	refused(a, "it runs on node2 (record ")
	asked(a, "prepare begin")

	b.wants(0, "migrate node1", real.Param{Name: "migration_transport", Value: "tcp"}, real.Param{Name: "migrate_unsafe", Value: "1"})
	asked(a, "migrate begin", "prepare begin", "start begin")
	a.wants(0, "status") // which makes it this node's
	runs(a, guestName)
	if _, err := os.Lstat(filepath.Join(a.root, host.RunDir, "kvm-"+guestName+".arriving")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is here, and still arriving: %v", err)
	}
	refused(b, "it runs on node1 (record ")

	a.wants(0, "stop")
	refused(a, "its memory waits in an image")
	refused(b, "its memory waits in an image")
	asked(b)
	b.wants(0, "start") // with its memory
	asked(b, "restore begin", "start begin")
	// A resume that the hook refuses would be followed by a boot, which passes.
	if got := b.virsh("domstate", guestName, "--reason"); got != "running (restored)" {
		t.Fatalf("%s has it %q", b.name, got)
	}

	// The share goes away: what runs here as this node's agents know may be started anew, and what is not the cluster's.
	marker := filepath.Join(shared, host.MarkerFile)
	must(os.Rename(marker, marker+".away"))
	refused(a, "the cluster manages it, this node does not have it, and nobody can say where it runs")
	b.virsh("destroy", guestName)
	runs(b, "")
	if out := b.virsh("create", xml); !strings.Contains(out, "created from") {
		t.Errorf("without the share, where it is: %s", out)
	}
	runs(b, guestName)
	if out := a.virsh("create", stranger, "--paused"); !strings.Contains(out, "created from") {
		t.Errorf("a guest that is not the cluster's: %s", out)
	}
	runs(a, "stranger")
}
