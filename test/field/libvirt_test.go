package field

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// newKVM is a cluster for a guest of KVM.
func newKVM(t *testing.T) *world { return newWorld(t, "kvm", "virsh") }

// fault makes a node's virsh play a trick.
func (w *world) fault(node, name, vm, times string) {
	w.T.Helper()
	w.Want(0, "", node, "lab fault virsh "+name+" "+vm+" 1 "+times)
}

// domains is what virsh lists on a node.
func (w *world) domains(node string) string {
	w.T.Helper()
	return strings.TrimSpace(w.Want(0, "", node, "virsh list --all --name"))
}

// waitsFor adds arguments to the command lines of a node's guests.
func (w *world) waitsFor(node, arguments string) {
	w.T.Helper()
	lines, err := filepath.Glob(w.Root(node) + "/proc/[0-9]*/cmdline")
	w.must(err)
	found := false
	for _, path := range lines {
		text, err := os.ReadFile(path)
		w.must(err)
		if strings.Contains(string(text), "guest=") {
			found = true
			w.must(os.WriteFile(path, append(text, arguments...), 0o644))
		}
	}
	if !found {
		w.T.Fatalf("the lab: no process of a guest on %s", node)
	}
}

// did tells whether the agent ran a virsh command.
func (w *world) did(command string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.ran {
		if strings.Contains(r, command) {
			return true
		}
	}
	return false
}

// libvirtd is down: its guest is a process of the node, so that no check fails, however many there are. A stop, which can
// do nothing, is no success.
func TestFieldVD_73f39bc8f(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.fault("a", "libvirtd-down", "*", "99999")
	for range 6 {
		w.wants(0, "a", "status")
	}
	w.wants(1, "a", "stop", "OCF_RESKEY_RGMANAGER_meta_timeout=60")
	if r := w.record(); r != "running a" && r != "suspending a" { // the second where its time was over with the save
		t.Errorf("the record says %q", r)
	}
	w.alone(0)
}

// A stop that falls into a restart of libvirtd, of which status knows nothing, does not take a healthy guest down cold: it
// waits, and keeps the memory.
func TestFieldVDRestartWhileItStops(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.fault("a", "libvirtd-down", "*", "30") // commands get no answer
	w.wants(0, "a", "stop")
	w.wantRecord("suspended")
	if w.did(" destroy ") || w.did(" shutdown ") {
		t.Errorf("%q", w.ran)
	}
	w.wants(0, "b", "start")
	w.alone(0)
}

// A guest that shuts down is no unknown one, and is not ended on its way out.
func TestFieldVD_b116377d4(t *testing.T) {
	w := newKVM(t)
	w.scale = 100
	leaves := func() bool {
		return strings.HasPrefix(string(w.Run(context.Background(), "a", "virsh", "domstate", "vm1").Stdout), "in shutdown")
	}
	for try := 1; ; try++ {
		w.wants(0, "a", "start")
		w.fault("a", "long-shutdown", "vm1", "1")
		w.Want(0, "", "a", "virsh shutdown vm1")
		w.Await(leaves)
		code := w.act("a", "status", "OCF_RESKEY_unknown_limit=0")
		if leaves() { // and so it was meanwhile
			if code != 0 {
				t.Errorf("status on its way out: %d %q", code, w.logs)
			}
			break
		}
		if try == 10 {
			t.Fatal("the guest was never seen on its way out")
		}
		w.wants(0, "a", "stop")
	}
	w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown", "OCF_RESKEY_RGMANAGER_meta_timeout=3000")
	if w.did(" destroy ") {
		t.Errorf("it was destroyed: %q", w.ran)
	}
	w.wantRecord("down")
}

// One answer of "no state" is no answer: it is asked again.
func TestFieldVD_ffc832351(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.fault("a", "no-state", "vm1", "1")
	w.wants(0, "a", "stop")
	w.wantRecord("suspended")
	if left := w.domains("a"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// The guest ends while it is being asked to: that is what was wanted.
func TestFieldVD_955b79e18(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.gone = func(argv string) {
		if strings.Contains(argv, " shutdown ") {
			w.gone = nil
			w.Want(0, "", "a", "virsh destroy vm1")
		}
	}
	w.wants(0, "a", "stop", "OCF_RESKEY_on_stop=shutdown")
	for _, l := range w.logs {
		if strings.Contains(l, "shutting down failed") {
			t.Errorf("what was gone already counts as a failure: %s", l)
		}
	}
	w.wantRecord("down")
}

// virsh undefine deletes a configuration that lies in libvirt's own folder: none is taken from there.
func TestFieldVD_897c03a3f(t *testing.T) {
	w := newKVM(t)
	w.File("nodes/a/etc/libvirt/qemu/vm1.xml", kvmXML)
	if code := w.act("a", "start", "OCF_RESKEY_path=/etc/libvirt/qemu"); code == 0 {
		t.Error("it was started from libvirt's own folder")
	}
	w.wants(0, "a", "stop")
	w.wants(0, "a", "start")
	if w.did("undefine") {
		t.Errorf("%q", w.ran)
	}
}

// An address for moves is taken as it is written, suffix, dots and all, for the connection and for the memory.
func TestFieldVD_719ffaa4d(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	if code := w.act("a", "migrate b", "OCF_RESKEY_migration_mapping=b:b-mig.example.org"); code != 150 { // the lab knows no such name
		t.Errorf("exit %d", code)
	}
	if !w.did("vm1 qemu+ssh://b-mig.example.org/system?no_tty=1 tcp:b-mig.example.org") {
		t.Errorf("%q", w.ran)
	}
	w.wantRecord("running a")
}

// xenmigr: is of Xen alone; libvirt's own protocol is used.
func TestFieldVD_51b41a4b5(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.wants(0, "a", "migrate b")
	if !w.did("migrate --live vm1 qemu+ssh://b/system") || w.did("xenmigr") {
		t.Errorf("%q", w.ran)
	}
	w.wants(0, "b", "status")
	w.wantRecord("running b")
	w.alone(0)
}

// The node's own scripts saved the guest at libvirt's own place: that memory is never used, and nothing starts beside it.
func TestFieldVD_dd9f8d47e(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.Want(0, "", "a", "virsh define "+w.Path("shared/kvm/vm1.xml"))
	w.Want(0, "", "a", "virsh managedsave vm1")
	w.wants(0, "a", "stop")
	w.wantRecord("down")
	w.wants(0, "b", "start")
	w.wants(0, "b", "stop", "OCF_RESKEY_on_stop=shutdown")
	if code := w.act("a", "start"); code == 0 {
		t.Error("a guest was started beside a managed save of it")
	}
	w.alone(1)
}

// A stop where the configuration is away, or where there is nothing at all, succeeds.
func TestFieldVDIssue137(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "stop")
	w.wants(0, "a", "start")
	w.must(os.Remove(w.Path("shared/kvm/vm1.xml")))
	w.wants(0, "a", "status")
	w.wants(0, "a", "stop")
	if left := w.domains("a"); left != "" {
		t.Errorf("left: %s", left)
	}
	w.wants(7, "a", "status")
	w.wants(0, "a", "stop")
}

// The folder of configurations is not mounted on the target: that is known before anything is moved there.
func TestFieldVDIssue1231(t *testing.T) {
	w := newKVM(t)
	h, err := host.New(w.Root("b"))
	w.must(err)
	d, err := hypervisor.New("kvm", hypervisor.Tools{Host: h})
	w.must(err)
	needs, err := d.(hypervisor.Needer).Needs(context.Background(), "vm1", nil)
	if err != nil || len(needs.Files) == 0 || needs.Files[0].Path != filepath.Join(w.Root("b"), "shared/images/vm1.img") {
		t.Fatalf("%+v, %v", needs, err)
	}
	w.must(os.Remove(filepath.Join(w.Root("b"), "etc/kvm")))
	if _, err := d.(hypervisor.Needer).Needs(context.Background(), "vm1", nil); err == nil {
		t.Error("the target has all that it needs")
	}
	w.wants(0, "a", "start")
	w.wants(7, "b", "status")
}

// A move that broke off leaves a copy on the target that is listed under the guest's name: it does not run, and the
// target's stop takes it away.
func TestFieldVDPacemaker2739(t *testing.T) {
	w := newKVM(t)
	w.wants(0, "a", "start")
	w.fault("a", "incoming-stays", "vm1", "1")
	w.wants(150, "a", "migrate b")
	w.wantRecord("running a")
	if w.domains("b") != "vm1" {
		t.Fatalf("the lab: %q", w.domains("b"))
	}
	w.wants(7, "b", "status")
	w.wants(0, "b", "stop")
	if left := w.domains("b"); left != "" {
		t.Errorf("left: %s", left)
	}
	w.wants(0, "a", "status")
	w.alone(0)
}

// The target's last word is lost, and no lock of the images is between: libvirt lets both copies run. That is no move that
// merely failed, and nobody is told so.
func TestFieldVDTwice(t *testing.T) {
	w := newKVM(t)
	for _, node := range []string{"a", "b"} {
		w.File("nodes/"+node+"/etc/lab-qemu-locks", "no\n")
	}
	w.wants(0, "a", "start")
	w.fault("a", "finish-lost", "vm1", "1")
	if code := w.act("a", "migrate b"); code == 0 || code == 150 {
		t.Errorf("exit %d", code)
	}
	w.wantRecord("sending a b")
	loud := false
	for _, l := range w.logs {
		loud = loud || strings.Contains(l, "it runs on a and on b")
	}
	if !loud {
		t.Errorf("nobody is called: %q", w.logs)
	}
	if st, err := handoff.ReadState(w.Shared(), "kvm", "vm1"); err != nil || st.Phase != handoff.Sending {
		t.Errorf("%+v, %v", st, err)
	}
}

// Somebody has moved it by hand, and the last word between the two was lost: it runs there, and a paused copy stays here,
// under the same name. A stop that ended that half would have the manager start the VM a second time. Also where the guest had
// once come to this node by a move: its process says for ever that it waits for a memory.
func TestFieldVDHalfACopyThatNoRecordKnows(t *testing.T) {
	for name, came := range map[string]bool{"booted here": false, "came by a move": true} {
		t.Run(name, func(t *testing.T) {
			w := newKVM(t)
			w.scale = 300
			if came {
				w.wants(0, "b", "start")
				w.wants(0, "b", "migrate a")
			}
			w.wants(0, "a", "start")
			if came {
				w.waitsFor("a", "-incoming\x00defer\x00")
			}
			w.fault("a", "finish-lost", "vm1", "1")
			w.Want(1, "", "a", "virsh migrate --live vm1 qemu+ssh://b/system")
			if a, b := w.domains("a"), w.domains("b"); a != "vm1" || b != "vm1" {
				t.Fatalf("the lab: %q and %q", a, b)
			}
			for _, action := range []string{"stop", "start"} {
				w.wants(1, "a", action)
				if w.domains("a") != "vm1" {
					t.Errorf("%s destroyed it", action)
				}
				w.wantRecord("running a")
			}
			w.Want(0, "", "a", "virsh destroy vm1") // a person has looked, and found where it runs
			w.Want(0, "", "b", "virsh migrate --live vm1 qemu+ssh://a/system")
			w.wants(0, "a", "status")
			w.alone(0)
		})
	}
}

// The same of a move of ours: the record says where the other half is, and what stands still here is ended, by status as well.
func TestFieldVDHalfACopyOfOurs(t *testing.T) {
	w := newKVM(t)
	w.scale = 300
	w.wants(0, "a", "start")
	w.fault("a", "finish-lost", "vm1", "1")
	if code := w.act("a", "migrate b"); code == 0 || code == 150 {
		t.Errorf("exit %d", code)
	}
	w.wantRecord("sending a b")
	for range 3 {
		w.wants(0, "a", "status")
	}
	w.wants(1, "a", "status") // or the manager would believe in it for ever
	w.wants(0, "a", "stop")
	w.wantRecord("sent b")
	w.wants(0, "b", "start")
	w.wantRecord("running b")
	w.alone(0)
}
