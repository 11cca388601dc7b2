package libvirt

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
)

// program is one of ours: that of the build under test, or made now.
func program(t *testing.T, dir, built, source string) string {
	t.Helper()
	if bin := os.Getenv("LBVM_BIN"); bin != "" {
		path, err := filepath.Abs(filepath.Join(bin, built))
		if err != nil {
			t.Fatal(err)
		}
		return real.NeedFile(t, path)
	}
	path := filepath.Join(dir, filepath.Base(built))
	build := exec.Command(real.Need(t, "go"), "build", "-trimpath", "-o", path, source)
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// cman is a cluster of two nodes that are both there.
const cman = `#!/bin/sh
case "$1" in
status) echo 'Version: 6.2.0
Config Version: 17
Cluster Name: c
Cluster Id: 6544
Cluster Member: Yes
Cluster Generation: 32
Membership state: Cluster-Member
Nodes: 2
Expected votes: 1
Total votes: 2
Node votes: 1
Quorum: 1  
Active subsystems: 8
Flags: 2node 
Ports Bound: 0 177  
Node name: NODE
Node ID: 1
Multicast addresses: 239.192.25.169 
Node addresses: 192.0.2.1 ' ;;
*) echo 'Node  Sts   Inc   Joined               Name
   1   M     12   2008-01-10 12:00:01  node1
   2   M     16   2008-01-10 12:00:01  node2' ;;
esac
`

// cluster is two nodes with the real libvirt, and a folder that both see. What prepares a node comes before its libvirtd.
func cluster(t *testing.T, prepare ...func(n *node)) (a, b *node, shared string) {
	t.Helper()
	real.NeedRoot(t)
	for _, program := range []string{"virsh", "qemu-system-x86_64", "ip", "cp"} {
		real.Need(t, program)
	}
	real.NeedFile(t, libvirtd)
	dir, err := os.MkdirTemp("", "lbvm-libvirt-") // short, and without the test's name: sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	shared = filepath.Join(dir, "shared")
	makeGuest(t, dir, shared)
	agent := program(t, dir, "agents/kvm.sh", "./agents/kvm")
	id := host.Identity{Cluster: "c", UUID: "u", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(shared, "lbvm/nodes"), 0o755))
	must(os.MkdirAll(filepath.Join(shared, "lbvm/log"), 0o755))
	must(os.WriteFile(filepath.Join(shared, host.MarkerFile), []byte(id.Marker()), 0o600))
	var nodes []*node
	var goOn []func()
	for _, number := range []string{"1", "2"} {
		root := filepath.Join(dir, "node"+number)
		for _, d := range []string{"usr/sbin", "etc/cluster", "var/run", "var/lib", "own"} {
			must(os.MkdirAll(filepath.Join(root, d), 0o755))
		}
		// Paths of the guest mean the same below the root as without it.
		must(os.MkdirAll(filepath.Join(root, filepath.Dir(dir)), 0o755))
		must(errors.Join(os.Symlink(dir, filepath.Join(root, dir)), os.Symlink(shared, filepath.Join(root, "shared")),
			os.Symlink("/proc", filepath.Join(root, "proc")), os.Symlink(filepath.Join(shared, "kvm"), filepath.Join(root, "etc/kvm")),
			os.Symlink("/usr/bin/virsh", filepath.Join(root, "usr/sbin/virsh"))))
		must(os.WriteFile(filepath.Join(root, "etc/hostname"), []byte("node"+number+"\n"), 0o644))
		for _, tool := range []string{"cman_tool", "fence_tool"} {
			must(os.WriteFile(filepath.Join(root, "usr/sbin", tool), []byte(strings.ReplaceAll(cman, "NODE", "node"+number)), 0o755))
		}
		id.Member = "node" + number
		h, err := host.New(root)
		must(err)
		must(h.WriteIdentity(id))
		n, on := newNode(t, number, dir, agent)
		nodes, goOn = append(nodes, n), append(goOn, on)
	}
	join(t, nodes[0], nodes[1])
	for i, n := range nodes {
		for _, p := range prepare {
			p(n)
		}
		goOn[i]()
		await(t, n.name+"'s libvirtd answers", func() bool { return strings.HasPrefix(n.virsh("list", "--all"), "Id ") })
	}
	return nodes[0], nodes[1], shared
}

// TestAgentWithLibvirt lives a VM's life with the real tools.
func TestAgentWithLibvirt(t *testing.T) {
	a, b, shared := cluster(t)
	record := func(want string) {
		t.Helper()
		st, err := handoff.ReadState(shared, "kvm", guestName)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(st.Phase.String() + " " + st.Node + st.To); got != want {
			t.Fatalf("the record says %q, want %q", got, want)
		}
	}
	domstate := func(n *node, want string) {
		t.Helper()
		if got := n.virsh("domstate", guestName, "--reason"); !strings.Contains(got, want) {
			t.Fatalf("virsh on %s says %q, want %q", n.name, got, want)
		}
	}
	const none = "failed to get domain"
	tcp, unsafe := real.Param{Name: "migration_transport", Value: "tcp"}, real.Param{Name: "migrate_unsafe", Value: "1"}

	a.wants(7, "status")
	a.wants(0, "validate-all")
	a.wants(0, "stop") // of nothing
	a.wants(0, "start")
	record("running node1")
	counts(t, shared, 1)
	a.wants(0, "status")
	b.wants(7, "status")
	b.wants(0, "stop") // rgmanager does that where it starts
	domstate(a, "running (booted)")

	// libvirtd dies, and its guest lives on: the process table says so.
	a.libvirtd(false)
	a.wants(0, "status")
	b.wants(1, "start")
	// It comes back and has forgotten the guest: that does not make it absent.
	a.must("-m", "/usr/bin/mv", "/run/libvirt/qemu/vm1.xml", "/run/forgotten.xml")
	a.libvirtd(true)
	domstate(a, none)
	a.wants(0, "status")
	a.wants(1, "start")
	a.libvirtd(false)
	a.must("-m", "/usr/bin/mv", "/run/forgotten.xml", "/run/libvirt/qemu/vm1.xml")
	a.libvirtd(true)
	domstate(a, "running")
	a.wants(0, "status")
	counts(t, shared, 1)

	b.wants(1, "start") // it runs elsewhere
	domstate(b, none)
	record("running node1")

	// A stop that falls into a restart of libvirtd keeps the memory all the same. libvirtd comes back when virsh was called five
	// times: a stop that does not wait has tried to save the guest by then, and to shut it down.
	a.libvirtd(false)
	called := a.countVirsh()
	back := make(chan error, 1)
	go func() { back <- a.libvirtdOnce(func() bool { return called() >= 5 }) }()
	a.wants(0, "stop")
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	record("suspended")
	domstate(a, none)
	a.wants(7, "status")
	b.wants(0, "start")
	record("running node2")
	counts(t, shared, 1)
	domstate(b, "running (restored)")
	b.wants(0, "status")

	b.wants(150, "migrate node1", tcp) // libvirt does not know that both see the disk, and nobody has said so
	record("running node2")
	if st, err := handoff.ReadState(shared, "kvm", guestName); err != nil || !strings.Contains(st.Why, "could not be pushed") {
		t.Fatalf("the move was refused before libvirt was asked: %+v, %v", st, err)
	}
	domstate(a, none)
	b.wants(0, "migrate node1", tcp, unsafe)
	domstate(b, none)
	domstate(a, "running (migrated)")
	a.wants(0, "status") // which makes it this node's
	b.wants(7, "status")
	record("running node1")
	counts(t, shared, 1)

	// The guest does not hear its power button: it is destroyed in time.
	if code := a.act(15, "stop", real.Param{Name: "on_stop", Value: "shutdown"}); code != 0 {
		t.Fatalf("the cold stop: exit %d", code)
	}
	record("down")
	domstate(a, none)

	// What libvirt has saved at its own place keeps any start there from being made.
	a.virsh("define", filepath.Join(shared, "kvm", guestName+".xml"))
	a.virsh("start", guestName)
	if got := a.virsh("managedsave", guestName); !strings.Contains(got, "saved by libvirt") {
		t.Fatal(got)
	}
	a.wants(1, "start")
	domstate(a, "shut off (saved)")
	if got := a.virsh("undefine", guestName, "--managed-save"); !strings.Contains(got, "undefined") {
		t.Fatal(got)
	}
}
