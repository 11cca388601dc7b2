package hypervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// Without the tool a guest is absent where the kernel can hold none, and unknown wherever that is not plain.
func TestWithoutTool(t *testing.T) {
	type set func(s *stage)
	dir := func(path string) set {
		return func(s *stage) {
			if err := os.MkdirAll(filepath.Join(s.root, path), 0o755); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	file := func(path, text string) set { return func(s *stage) { s.file(path, text) } }
	proc, sys := file("/proc/sys/kernel/random/boot_id", "boot\n"), dir("/sys/kernel")
	for _, c := range []struct {
		name, typ, vm string
		sets          []set
		absent        bool
	}{
		{"openvz, an ordinary kernel", "openvz", "101", []set{proc}, true},
		{"openvz, /proc is not mounted", "openvz", "101", nil, false},
		{"openvz, its kernel", "openvz", "101", []set{proc, dir("/proc/vz")}, false},
		{"openvz, a container of an ordinary kernel", "openvz", "101", []set{proc, file("/var/lib/vzctl/vepid/101", "17\n")}, false},
		{"openvz, another container of an ordinary kernel", "openvz", "101", []set{proc, file("/var/lib/vzctl/vepid/102", "17\n")}, true},
		{"openvz, a second name and some container", "openvz", "web", []set{proc, file("/var/lib/vzctl/vepid/102", "17\n")}, false},
		{"openvz, no folder where /proc/vz would be", "openvz", "101", []set{proc, file("/var/lib/vzctl", "")}, false},
		{"xen, an ordinary kernel", "xen", "web1", []set{proc, sys}, true},
		{"xen, /proc is not mounted", "xen", "web1", []set{sys}, false},
		{"xen, /sys is not mounted", "xen", "web1", []set{proc}, false},
		{"xen, a dom0", "xen", "web1", []set{proc, sys, file("/proc/xen/capabilities", "control_d\n"), file("/sys/hypervisor/type", "xen\n")}, false},
		{"xen, a dom0 whose kernel has no /sys/hypervisor", "xen", "web1", []set{proc, sys, file("/proc/xen/capabilities", "control_d\n")}, false},
		{"xen, a dom0 without xenfs", "xen", "web1", []set{proc, sys, dir("/proc/xen")}, false},
		{"xen, a dom0 by /sys alone", "xen", "web1", []set{proc, sys, file("/sys/hypervisor/type", "xen\n")}, false},
		{"xen, a guest that says no more", "xen", "web1", []set{proc, sys, file("/proc/xen/capabilities", "")}, true},
		{"xen, a guest that says xen", "xen", "web1", []set{proc, sys, file("/proc/xen/capabilities", ""), file("/sys/hypervisor/type", "xen\n")}, false},
		{"xen, another hypervisor", "xen", "web1", []set{proc, sys, file("/sys/hypervisor/type", "kvm\n")}, true},
		{"xen, what kind cannot be read", "xen", "web1", []set{proc, sys, dir("/sys/hypervisor/type")}, false},
	} {
		s := newStage(t, nil)
		for _, tool := range []string{"vzctl", "xm"} {
			if err := os.Remove(filepath.Join(s.root, "usr/sbin", tool)); err != nil {
				t.Fatal(err)
			}
		}
		for _, do := range c.sets {
			do(s)
		}
		d, err := s.driver(c.typ).(Detailer).Detail(context.Background(), c.vm)
		if c.absent && (err != nil || d.State != Absent || !d.NoProgram) {
			t.Errorf("%s: %+v, %v; want absent", c.name, d, err)
		}
		if !c.absent && (!errors.Is(err, ErrNoProgram) || d.State != Unknown || d.NoProgram) {
			t.Errorf("%s: %+v, %v; want unknown", c.name, d, err)
		}
	}
}

// A tool that is there is asked, whatever the kernel looks like.
func TestToolIsBelievedBeforeTheKernel(t *testing.T) {
	s := newStage(t, nil)
	s.file("/proc/sys/kernel/random/boot_id", "boot\n")
	s.play = func([]string) run.Result { return fails(5, "Unable to open /dev/vzctl: No such file or directory") }
	if d, err := s.driver("openvz").(Detailer).Detail(context.Background(), "101"); err == nil || d.State != Unknown {
		t.Errorf("%+v, %v", d, err)
	}
}
