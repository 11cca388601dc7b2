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
