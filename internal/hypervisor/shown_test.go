package hypervisor

import (
	"context"
	"testing"
)

// The kernel shows guests that run also where their tool does not answer, and no others.
func TestShown(t *testing.T) {
	for _, c := range []struct {
		name, line string
		status     string // what libvirtd has written
		want       bool
	}{
		{"none", "", "", false},
		{"another", "/usr/libexec/qemu-kvm -name guest=vm10,debug-threads=on -S", "", false},
		{"it", "/usr/libexec/qemu-kvm -name guest=vm1,debug-threads=on -S", "", true},
		{"it, by an older libvirt", "/usr/libexec/qemu-kvm -name vm1 -S", "", true},
		{"it waits for its memory", "/usr/libexec/qemu-kvm -name guest=vm1,debug-threads=on -incoming defer", "", false},
		{"it has got its memory", "/usr/libexec/qemu-kvm -name guest=vm1,debug-threads=on -incoming defer", "<domstatus state='running' reason='migrated' pid='90000000'/>", true},
		{"it has got its memory, another process", "/usr/libexec/qemu-kvm -name guest=vm1,debug-threads=on -incoming defer", "<domstatus state='running' reason='migrated' pid='90000001'/>", false},
	} {
		s := newStage(t, nil)
		if c.line == "" {
			s.processes()
		} else {
			s.processes(c.line)
		}
		if c.status != "" {
			s.file(statusFiles+"/vm1.xml", c.status)
		}
		if got := shown(t, s, "kvm", "vm1"); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	const veinfo = "       101     0    23        10.0.0.1\n      1010     0     3\n         0     0    99\n"
	for _, c := range []struct {
		veinfo, vm string
		want       bool
	}{{veinfo, "101", true}, {veinfo, "1010", true}, {veinfo, "10", false}, {veinfo, "23", false}, {"", "101", false}} {
		s := newStage(t, nil)
		if c.veinfo != "" {
			s.file(vzInfo, c.veinfo)
		}
		if got := shown(t, s, "openvz", c.vm); got != c.want {
			t.Errorf("container %s: %v, want %v", c.vm, got, c.want)
		}
	}
}

func shown(t *testing.T, s *stage, typ, vm string) bool {
	t.Helper()
	d, ok := s.driver(typ).(Shower)
	if !ok {
		t.Fatalf("%s: the kernel is not asked", typ)
	}
	return d.Shown(context.Background(), vm)
}
