package libvirt

import (
	"context"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
)

// slow is a migration that lasts until something happens: a mebibyte a second.
const slow = " --bandwidth 1"

// migrates begins a migration of vm1 that does not end by itself, and gives its answer.
func migrates(l *labtest.Lab, from, to, options string) (answer chan string, kill context.CancelFunc) {
	ctx, kill := context.WithCancel(context.Background())
	answer = make(chan string, 1)
	argv := strings.Fields("virsh migrate --live " + options + slow + " vm1 qemu+ssh://" + to + "/system tcp:" + to)
	go func() {
		r, err := lab.Call(ctx, l.NodeSocket(from), lab.Request{Node: from, Argv: argv, Dir: "/"})
		if err != nil {
			answer <- "killed"
			return
		}
		answer <- string(r.Stderr)
	}()
	l.Await(func() bool { return is(l, to) == "paused (migrating)" })
	return answer, kill
}

func created(t *testing.T) *labtest.Lab {
	l := newLab(t, "")
	l.Want(0, "", "a", "virsh create "+l.Path("shared/vm1.xml"))
	l.AwaitLines("kvm", "vm1", 1)
	return l
}

// While a guest migrates, both ends list it by its plain name.
func TestMigrate(t *testing.T) {
	for _, way := range []string{"", "--p2p"} {
		l := created(t)
		l.Want(0, "", "a", "lab load kvm:vm1 0.3")
		answer, _ := migrates(l, "a", "b", way)
		if got := is(l, "a"); got != "running (booted)" {
			t.Errorf("the source is %s", got)
		}
		if got := l.Want(0, "", "b", "virsh list"); !strings.Contains(got, "vm1    paused") {
			t.Errorf("the target lists %s", got)
		}
		info := l.Want(0, "Operation:        Outgoing migration", "a", "virsh domjobinfo vm1")
		if !strings.Contains(info, "Job type:         Unbounded") {
			t.Errorf("%s", info)
		}
		l.Want(1, "error: Operation not supported: migration statistics are available only on the source host", "b", "virsh domjobinfo vm1")
		l.AwaitLines("kvm", "vm1", 2) // it runs on
		l.Want(0, "", "a", "virsh migrate-setspeed vm1 8000")
		if got := <-answer; got != "" {
			t.Fatalf("%q migrate: %q", way, got)
		}
		if a, b := is(l, "a"), is(l, "b"); a != "" || b != "running (migrated)" {
			t.Errorf("after: %q, %q", a, b)
		}
		l.Want(0, "Job type:         Completed", "b", "virsh domjobinfo vm1 --completed")
		l.Want(0, `"load":0.3`, "b", "lab guests")
		l.AwaitLines("kvm", "vm1", 2)
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
	}
}

// Who kills virsh breaks a migration off that virsh leads, and not one that libvirtd leads.
func TestKilledVirsh(t *testing.T) {
	l := created(t)
	answer, kill := migrates(l, "a", "b", "")
	kill()
	<-answer
	l.Await(func() bool {
		return is(l, "b") == "" && strings.Contains(l.Want(0, "", "a", "virsh domjobinfo vm1"), "None")
	})
	if got := is(l, "a"); got != "running (booted)" {
		t.Errorf("the source is %s", got)
	}
	answer, kill = migrates(l, "a", "b", "--p2p")
	kill()
	<-answer
	if a, b := is(l, "a"), is(l, "b"); a != "running (booted)" || b != "paused (migrating)" {
		t.Errorf("with --p2p: %q, %q", a, b)
	}
	l.Want(0, "", "a", "virsh migrate-setspeed vm1 8000")
	l.Await(func() bool { return is(l, "a") == "" && is(l, "b") == "running (migrated)" })
	l.AwaitLines("kvm", "vm1", 2)
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
}

// What breaks a migration off, and where the guest is then.
func TestBrokenOff(t *testing.T) {
	l := created(t)
	for name, c := range map[string]struct{ node, line, says string }{
		"abort":            {"a", "virsh domjobabort vm1", "error: operation aborted: job 'migration out' canceled by client\n"},
		"target destroyed": {"b", "virsh destroy vm1", "error: operation failed: job 'migration out' failed: "},
	} {
		answer, _ := migrates(l, "a", "b", "")
		l.Want(0, "", c.node, c.line)
		if got := <-answer; !strings.HasPrefix(got, c.says) {
			t.Errorf("%s: %q", name, got)
		}
		l.Await(func() bool { return is(l, "b") == "" })
		if got := is(l, "a"); got != "running (booted)" {
			t.Errorf("%s: the source is %s", name, got)
		}
		l.AwaitLines("kvm", "vm1", 2)
	}
	// A shutdown waits for the job.
	answer, _ := migrates(l, "a", "b", "")
	ended := make(chan string)
	go func() {
		r := l.Run(context.Background(), "a", "virsh", "shutdown", "vm1")
		ended <- string(r.Stdout) + string(r.Stderr)
	}()
	select {
	case got := <-ended:
		t.Fatalf("shutdown in a migration: %q", got)
	case <-answer:
		t.Fatal("the migration has ended")
	default:
	}
	// A suspend does not, and with it the migration ends: the guest stands still there.
	l.Want(0, "", "a", "virsh suspend vm1")
	if got := <-answer; got != "" {
		t.Fatalf("migrate: %q", got)
	}
	if got := <-ended; !strings.Contains(got, "Domain not found") {
		t.Errorf("shutdown after the migration: %q", got)
	}
	if a, b := is(l, "a"), is(l, "b"); a != "" || b != "paused (user)" {
		t.Errorf("suspended: %q, %q", a, b)
	}
	l.Want(0, "", "b", "virsh resume vm1")
	l.AwaitLines("kvm", "vm1", 2)
	answer, _ = migrates(l, "b", "a", "")
	l.Want(0, "", "b", "virsh destroy vm1")
	if got := <-answer; got != "error: operation failed: domain is not running\n" {
		t.Errorf("source destroyed: %q", got)
	}
	l.Await(func() bool { return is(l, "a")+is(l, "b") == "" })
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
}

// Where a definition is afterwards.
func TestDefinitions(t *testing.T) {
	for _, c := range []struct{ options, source, persistent string }{
		{"", "shut off (migrated)", "no"}, {"--persistent", "shut off (migrated)", "yes"}, {"--undefinesource", "", "no"}, {"--persistent --undefinesource", "", "yes"},
	} {
		l := newLab(t, "")
		l.Want(0, "", "a", "virsh define "+l.Path("shared/vm1.xml"))
		l.Want(0, "", "a", "virsh start vm1")
		l.Want(0, "", "a", "virsh migrate --live "+c.options+" vm1 qemu+tcp://b/system")
		if got := is(l, "a"); got != c.source {
			t.Errorf("%s: the source is %q, want %q", c.options, got, c.source)
		}
		l.Want(0, "Persistent:     "+c.persistent, "b", "virsh dominfo vm1")
	}
}

// Moves that libvirt refuses before anything is sent.
func TestMigrateRefused(t *testing.T) {
	l := newLab(t, "")
	l.File("shared/cached.xml", strings.Replace(vm1, " cache='none'", "", 1))
	l.Want(0, "", "a", "virsh create "+l.Path("shared/cached.xml"))
	refused := func(line, says string) {
		t.Helper()
		l.Want(1, says, "a", "virsh migrate --live "+line)
		if a, b := is(l, "a"), is(l, "b"); a != "running (booted)" || b != "" {
			t.Errorf("%s: %q, %q", line, a, b)
		}
	}
	refused("vm1 qemu+tcp://b/system", "error: Unsafe migration: Migration may lead to data corruption if disks use cache != none or cache != directsync")
	refused("vm1 qemu+ssh://nowhere/system --unsafe", "error: Cannot recv data: ssh: Could not resolve hostname nowhere")
	refused("vm1 qemu+tcp://nowhere/system --unsafe", "error: unable to connect to server at 'nowhere:16509'")
	refused("vm1 qemu+tcp://a/system --unsafe", "error: internal error: Attempt to migrate guest to the same host "+hostUUID("a"))
	refused("vm1 qemu:///system --unsafe", "same host")
	l.File("shared/images/vm2.img", "")
	l.File("shared/vm2.xml", strings.Replace(vm1, "vm1.img", "vm2.img", 1))
	l.Want(0, "", "b", "virsh create "+l.Path("shared/vm2.xml"))
	l.Want(1, "error: Requested operation is not valid: domain 'vm1' is already active", "a", "virsh migrate --live --unsafe vm1 qemu+tcp://b/system")
	l.Want(0, "", "b", "virsh destroy vm1")
	stop := l.Start("c", Tools())
	stop()
	refused("vm1 qemu+tcp://c/system --unsafe", "error: unable to connect to server at 'c:16509': No route to host")
	l.Want(0, "", "a", "virsh migrate --live --unsafe vm1 qemu+tcp://b/system")
}

// The target dies while memory comes to it; the source dies, and what had come goes.
func TestNodeDies(t *testing.T) {
	l := created(t)
	stop := l.Start("c", Tools())
	answer, _ := migrates(l, "a", "c", "--p2p")
	stop()
	if got := <-answer; !strings.HasPrefix(got, "error: operation failed: job 'migration out' failed: ") {
		t.Errorf("the target is dead: %q", got)
	}
	l.AwaitLines("kvm", "vm1", 2)
	stop = l.Start("d", Tools())
	l.Want(0, "", "a", "virsh migrate --live vm1 qemu+tcp://d/system")
	_, _ = migrates(l, "d", "b", "--p2p")
	stop()
	l.Await(func() bool { return is(l, "b") == "" })
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
}
