package hypervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditOfAContainer(t *testing.T) {
	const good = "ONBOOT=\"no\"\nVE_PRIVATE=/shared/private/101\nVE_ROOT=/vz/root/101\nDISK_QUOTA=\"no\"\n"
	for _, c := range []struct {
		name, conf, vz string
		set            func(s *stage)
		bad, odd       string // "" is none
	}{
		{name: "as it should be", conf: good, vz: "LOCKDIR=/var/lib/vzctl/lock\nVE_STOP_MODE=stop\n"},
		{name: "no ONBOOT", conf: strings.Replace(good, "ONBOOT", "X", 1), vz: "VE_STOP_MODE=stop\n", bad: "ONBOOT"},
		{name: "ONBOOT", conf: strings.Replace(good, `"no"`, "yes", 1), vz: "VE_STOP_MODE=stop\n", bad: "ONBOOT"},
		{name: "locks", conf: good, vz: "LOCKDIR=/shared/lock\nVE_STOP_MODE=stop\n", bad: "LOCKDIR"},
		{name: "the default of locks", conf: good, vz: "VE_STOP_MODE=stop\n", bad: "LOCKDIR", set: func(s *stage) { s.link("/shared", "/vz") }},
		{name: "a copy", conf: good, vz: "VE_STOP_MODE=stop\n", bad: "not the one on the shared storage", set: func(s *stage) {
			if err := os.Remove(filepath.Join(s.root, "etc/vz/conf/101.conf")); err != nil {
				s.t.Fatal(err)
			}
			s.file("/etc/vz/conf/101.conf", good)
		}},
		{name: "defaults", conf: "ONBOOT=no\nDISK_QUOTA=no\n", vz: "VE_STOP_MODE=stop\n", odd: "VE_PRIVATE"},
		{name: "quota", conf: strings.Replace(good, "DISK_QUOTA", "X", 1), vz: "VE_STOP_MODE=stop\n", odd: "DISK_QUOTA"},
		{name: "long stop", conf: good + "STOP_TIMEOUT=300\n", vz: "VE_STOP_MODE=stop\n", odd: "STOP_TIMEOUT"},
		{name: "stop mode", conf: good, odd: "VE_STOP_MODE"},
	} {
		s := newStage(t, nil)
		s.file("/shared/conf/101.conf", c.conf)
		s.link("/shared/conf/101.conf", "/etc/vz/conf/101.conf")
		s.file("/etc/vz/vz.conf", c.vz)
		if c.set != nil {
			c.set(s)
		}
		bad, odd, err := s.driver("openvz").(Auditor).Audit("101", nil, filepath.Join(s.root, "shared"))
		if err != nil || (len(bad) > 0) != (c.bad != "") || !strings.Contains(strings.Join(bad, "\n"), c.bad) ||
			(len(odd) > 0) != (c.odd != "") || !strings.Contains(strings.Join(odd, "\n"), c.odd) {
			t.Errorf("%s: %q, %q, %v", c.name, bad, odd, err)
		}
		if bad, _, err := s.driver("openvz").(Auditor).Audit("101", nil, ""); err != nil || strings.Contains(strings.Join(bad, ""), "shared") {
			t.Errorf("%s: without a share: %q, %v", c.name, bad, err)
		}
	}
	if _, _, err := newStage(t, nil).driver("openvz").(Auditor).Audit("101", nil, ""); err == nil {
		t.Error("no configuration is no finding")
	}
}

func TestAuditOfADomain(t *testing.T) {
	s := newStage(t, nil)
	s.file("/etc/xen/web", "")
	audit := func() string {
		bad, odd, err := s.driver("xen").(Auditor).Audit("web", nil, "")
		if err != nil || len(odd) > 0 {
			t.Error(odd, err)
		}
		return strings.Join(bad, " ")
	}
	if got := audit(); got != "" {
		t.Error(got)
	}
	s.file("/etc/xen/auto/other", "")
	if got := audit(); got != "" {
		t.Error(got)
	}
	s.link("/etc/xen/web", "/etc/xen/auto/01-web")
	if got := audit(); !strings.Contains(got, "01-web") {
		t.Errorf("a link: %q", got)
	}
	s.file("/etc/xen/auto/web", "")
	if got := audit(); !strings.Contains(got, "auto/web:") {
		t.Errorf("a copy: %q", got)
	}
}

func TestAuditOfXendomains(t *testing.T) {
	for _, c := range []struct {
		conf, saved string
		bad, odd    int
	}{
		{"XENDOMAINS_SAVE=\"\"\n", "web", 0, 0}, {"XENDOMAINS_SAVE=/var/lib/xen/save\nXENDOMAINS_AUTO_ONLY=true\n", "web", 0, 0},
		{"XENDOMAINS_SAVE=/var/lib/xen/save\n", "other", 0, 1}, {"XENDOMAINS_SAVE=/var/lib/xen/save\nXENDOMAINS_AUTO_ONLY=false\n", "web", 1, 1},
	} {
		s := newStage(t, nil)
		s.file("/etc/sysconfig/xendomains", c.conf)
		s.file("/var/lib/xen/save/"+c.saved, "")
		bad, odd, err := s.driver("xen").(Auditor).Audit("web", nil, "")
		if err != nil || len(bad) != c.bad || len(odd) != c.odd {
			t.Errorf("%q: %q, %q, %v", c.conf, bad, odd, err)
		}
	}
}

func TestAuditOfAKVMGuest(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		params           map[string]string
		bad, odd         string
	}{
		{name: "as it should be", file: "/etc/default/libvirt-guests", text: "ON_SHUTDOWN=shutdown\n"},
		{name: "autostart", file: "/etc/libvirt/qemu/autostart/vm1.xml", bad: "virsh autostart --disable vm1"},
		{name: "another's autostart", file: "/etc/libvirt/qemu/autostart/vm11.xml"},
		{name: "managed save", file: "/var/lib/libvirt/qemu/save/vm1.save", bad: "virsh managedsave-remove vm1"},
		{name: "defined", file: "/etc/libvirt/qemu/vm1.xml", odd: "virsh undefine vm1"},
		{name: "libvirt-guests saves", file: "/etc/sysconfig/libvirt-guests", text: "#ON_SHUTDOWN=shutdown\nON_SHUTDOWN=suspend\n", odd: "ON_SHUTDOWN"},
		{name: "libvirt-guests by default", file: "/etc/default/libvirt-guests", text: "ON_BOOT=ignore\n", odd: "ON_SHUTDOWN"},
		{name: "transport", params: map[string]string{kvmTransport: "pigeon"}, bad: kvmTransport},
		{name: "unsafe", params: map[string]string{kvmUnsafe: "perhaps"}, bad: kvmUnsafe},
		{name: "its own file", params: map[string]string{"path": "/etc/own"}, odd: "on the shared storage"},
	} {
		s := newStage(t, nil)
		s.file("/shared/kvm/vm1.xml", "")
		s.file("/etc/cluster/.keep", "")
		s.link("/shared/kvm", kvmConfigs)
		if c.file != "" {
			s.file(c.file, c.text)
		}
		bad, odd, err := s.driver("kvm").(Auditor).Audit("vm1", c.params, filepath.Join(s.root, "shared"))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for what, x := range map[string]struct {
			got  []string
			want string
		}{"bad": {bad, c.bad}, "odd": {odd, c.odd}} {
			if (len(x.got) > 0) != (x.want != "") || !strings.Contains(strings.Join(x.got, "; "), x.want) {
				t.Errorf("%s: %s: %q, want %q", c.name, what, x.got, x.want)
			}
		}
	}
}
