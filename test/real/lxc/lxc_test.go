package lxc

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A real container of a technology that nobody compiled: started, watched, moved, killed, frozen and stopped.
func TestContainer(t *testing.T) {
	b := newBed(t)
	began := time.Now()
	step := func(what string) { t.Logf("%5.1fs %s", time.Since(began).Seconds(), what) }

	step("the sample is without a fault, and lbm shows what it would run")
	if out := b.lab("run", "node1", "lbm", "exec", "check", "lxc", vm); !strings.Contains(out, "lxc-start --name=web --daemon") || !strings.Contains(out, "stopped") {
		t.Errorf("lbm exec check: %s", out)
	}

	step("nothing runs: status says so, and a stop has nothing to do")
	for _, n := range []string{"node1", "node2"} {
		b.wantAgent(n, "status", 7)
		b.wantAgent(n, "validate-all", 0)
	}
	b.wantAgent("node2", "stop", 0)
	b.where("")

	step("the cluster manager starts it")
	b.lab("run", "node1", "clusvcadm", "-e", "web", "-m", "node1")
	b.where("node1")
	b.wantAgent("node1", "status", 0)
	b.wantAgent("node2", "status", 7)

	step("a second start is refused while it runs elsewhere, and a stop there touches nothing")
	b.wantAgent("node2", "start", 1)
	b.wantAgent("node2", "stop", 0)
	b.where("node1")
	if out := b.lab("run", "node1", "lbm", "list"); !strings.Contains(out, "vmexec (lxc)") {
		t.Errorf("lbm list: %s", out)
	}

	step("it is moved cold, since LXC keeps no memory: booted once, on the other node")
	for _, n := range []string{"node1", "node2"} {
		b.measure(n)
	}
	first := b.pid("node1")
	if out := b.lab("run", "node1", "lbm", "migrate", "--yes", vm, "node2"); !strings.Contains(out, "node2") {
		t.Errorf("lbm migrate: %s", out)
	}
	b.where("node2")
	if err := syscall.Kill(first, 0); err == nil {
		t.Error("the first init is still there")
	}
	b.wantAgent("node1", "status", 7)
	b.wantAgent("node1", "start", 1)

	step("frozen by hand it counts as running")
	b.lab("run", "node2", "clusvcadm", "-Z", "web")
	if out, code := b.run(nil, "lxc-freeze", "-P", b.lxcpath("node2"), "-n", vm); code != 0 {
		t.Fatalf("lxc-freeze: exit %d: %s", code, out)
	}
	b.wantAgent("node2", "status", 0)
	b.wantAgent("node1", "start", 1)
	if out, code := b.run(nil, "lxc-unfreeze", "-P", b.lxcpath("node2"), "-n", vm); code != 0 {
		t.Fatalf("lxc-unfreeze: exit %d: %s", code, out)
	}

	step("without its definition nothing is known: that is an error, and never \"not running\"")
	definition := filepath.Join(b.l.Root("node2"), "etc/cluster/lbvm.d/lxc")
	whole, err := os.ReadFile(definition)
	b.must(err)
	b.must(os.WriteFile(definition, whole[:len(whole)/2], 0o644))
	b.wantAgent("node2", "stop", 1)
	b.must(os.WriteFile(definition, whole, 0o644))
	b.where("node2")

	step("its init is killed: status sees it, and the cluster manager starts it anew")
	second := b.pid("node2")
	b.must(syscall.Kill(second, syscall.SIGKILL))
	b.until("the container is gone", func() bool { return b.pid("node2") == 0 })
	b.wantAgent("node2", "status", 7)
	b.lab("run", "node2", "clusvcadm", "-U", "web")
	b.until("it is started anew", func() bool { return b.pid("node1") > 0 || b.pid("node2") > 0 })
	if b.pid("node1") > 0 && b.pid("node2") > 0 {
		t.Fatal("it runs twice")
	}

	step("stopped, it is nowhere")
	b.lab("run", "node1", "clusvcadm", "-d", "web")
	b.where("")
	for _, n := range []string{"node1", "node2"} {
		b.wantAgent(n, "status", 7)
	}

	step("an init that has only just begun does not hear; it is asked again, and not killed")
	ended := b.lateInit("node1")
	b.lab("run", "node1", "clusvcadm", "-e", "web", "-m", "node1")
	b.lab("run", "node1", "clusvcadm", "-d", "web")
	b.where("")
	if _, err := os.Stat(ended); err != nil {
		t.Errorf("it was killed: %v", err)
	}
}
