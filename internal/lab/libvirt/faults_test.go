package libvirt

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// Every fault of virsh that is not about a move.
func TestFaults(t *testing.T) {
	l := created(t)
	fault := func(name, vm string) {
		t.Helper()
		l.Want(0, "", "a", "lab fault virsh "+name+" "+vm+" 1 1")
	}
	create := "virsh create " + l.Path("shared/vm1.xml")
	fault("libvirtd-down", "*")
	l.Want(1, "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory\n", "a", "virsh domstate vm1")
	l.AwaitLines("kvm", "vm1", 2) // its guest runs on
	fault("no-state", "vm1")
	l.Want(0, "no state\n", "a", "virsh domstate vm1")
	l.Want(0, "running\n", "a", "virsh domstate vm1")

	fault("hangs", "vm1")
	ctx, kill := context.WithTimeout(context.Background(), 200*time.Millisecond)
	if r, err := lab.Call(ctx, l.NodeSocket("a"), lab.Request{Node: "a", Argv: []string{"virsh", "domstate", "vm1"}}); err == nil {
		t.Errorf("it came back: %d %q", r.Code, r.Stdout)
	}
	kill()

	fault("slow-stop", "vm1")
	l.Want(0, "is being shutdown", "a", "virsh shutdown vm1")
	l.AwaitLines("kvm", "vm1", 4)
	fault("long-shutdown", "vm1")
	l.Want(0, "is being shutdown", "a", "virsh shutdown vm1")
	l.Await(func() bool { return strings.HasPrefix(is(l, "a"), "in shutdown") })
	fault("destroy-fails", "vm1")
	l.Want(1, "error: Failed to destroy domain 'vm1'\nerror: Failed to terminate process", "a", "virsh destroy vm1")
	l.Want(0, "", "a", "virsh destroy vm1")

	l.Want(0, "", "a", create)
	image := l.Path("shared/image")
	fault("save-fails", "vm1")
	l.Want(1, "error: Failed to save domain 'vm1' to "+image+"\nerror: operation failed: ", "a", "virsh save vm1 "+image)
	if got := is(l, "a"); got != "running (save canceled)" || exists(image) {
		t.Errorf("after a failed save: %s, the file is there: %t", got, exists(image))
	}
	l.AwaitLines("kvm", "vm1", 2)
	l.Want(0, "", "a", "virsh save vm1 "+image)
	fault("restore-fails", "vm1")
	l.Want(1, "error: Failed to restore domain from "+image, "a", "virsh restore "+image)
	if got := is(l, "a"); got != "" {
		t.Errorf("after a failed restore: %s", got)
	}
	l.Want(0, "", "a", "virsh restore "+image)
	if got := l.Findings(1); got != "" {
		t.Errorf("the checker: %s", got)
	}
	// Storage without locks lets it run twice, and the checker sees it.
	l.Want(0, "", "b", "lab fault virsh lock-missing vm1 1 1")
	l.Want(0, "", "b", create)
	l.AwaitLines("kvm", "vm1", 3)
	if got := l.Findings(9); !strings.Contains(got, string(lab.DoubleRun)) {
		t.Errorf("the checker: %s", got)
	}
}

// Every fault of a move, and what is on both sides after it.
func TestMoveFaults(t *testing.T) {
	l := created(t)
	for _, c := range []struct{ fault, says, source, target string }{
		{"unsafe", "error: Unsafe migration: Migration without shared storage is unsafe", "running (booted)", ""},
		{"same-uuid", "error: internal error: Attempt to migrate guest to the same host ", "running (booted)", ""},
		{"migrate-fails", "error: operation failed: job 'migration out' failed: Input/output error", "running (booted)", ""},
		{"daemon-dies", "error: End of file while reading data: Input/output error", "running (booted)", ""},
		{"incoming-stays", "error: operation failed: job 'migration out' failed", "running (booted)", "paused (migrating)"},
		{"finish-lost", "error: End of file while reading data: Input/output error", "paused (migrating)", "running (migrated)"},
	} {
		l.Want(0, "", "a", "lab fault virsh "+c.fault+" vm1 1 1")
		l.Want(1, c.says, "a", "virsh migrate --live vm1 qemu+ssh://b/system")
		l.Await(func() bool { return is(l, "b") == c.target })
		if got := is(l, "a"); got != c.source {
			t.Errorf("%s: the source is %q", c.fault, got)
		}
		l.AwaitLines("kvm", "vm1", 2)
		if c.fault == "incoming-stays" {
			l.Want(0, "Job type:         None", "a", "virsh domjobinfo vm1")
			l.Want(0, "", "b", "virsh destroy vm1")
		}
	}
	l.Want(1, `Failed to get "write" lock`, "a", "virsh resume vm1") // it runs there
	l.Want(0, "", "a", "virsh destroy vm1")
	l.Want(0, "", "b", "virsh migrate --live vm1 qemu+tcp://a/system")
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
	// Without locks nothing keeps both from running.
	for _, node := range []string{"a", "b"} {
		l.File("nodes/"+node+"/etc/"+locksFile, "no\n")
	}
	l.Want(0, "", "a", "lab fault virsh finish-lost vm1 1 1")
	l.Want(1, "End of file", "a", "virsh migrate --live vm1 qemu+tcp://b/system")
	if a, b := is(l, "a"), is(l, "b"); a != "running (migration canceled)" || b != "running (migrated)" {
		t.Errorf("without locks: %q, %q", a, b)
	}
	l.Want(0, "", "b", "virsh destroy vm1")
	l.Want(0, "", "a", "lab fault virsh source-lost vm1 1 1")
	l.Want(1, "error: operation failed: domain is not running", "a", "virsh migrate --live vm1 qemu+tcp://b/system")
	l.Await(func() bool { return is(l, "a")+is(l, "b") == "" })
}
