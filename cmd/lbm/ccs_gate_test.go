package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const web = `<service name="web"><openvz name="101"/></service>`

// byHand edits cluster.conf as an administrator does who leaves the version as it is.
func (b *bench) byHand(t *testing.T, old, new string) {
	t.Helper()
	text := strings.Replace(b.conf(t), old, new, 1)
	if text == b.conf(t) {
		t.Fatalf("no %q", old)
	}
	b.write(t, "etc/cluster/cluster.conf", text)
}

func (b *bench) refused(t *testing.T, s *suite, running int, want string, args ...string) {
	t.Helper()
	before := b.conf(t)
	if code := b.lbm(args...); code != exitRefused || s.running != running || b.conf(t) != before || !strings.Contains(b.errors.String(), want) || !strings.Contains(b.errors.String(), "nothing was changed") {
		t.Errorf("%v: %d, running %d\n%s%s\nwant %q", args, code, s.running, b.out.String(), b.errors.String(), want)
	}
}

// What is on disk and has the running version need not be what the cluster runs.
func TestGateAgainstTheCluster(t *testing.T) {
	domain := func(b *bench) { b.byHand(t, `<xen name="centos2"/>`, `<xen name="centos2" path="/gfs"/>`) }
	t.Run("what RHEL 6 shows is known", func(t *testing.T) {
		b, s := confBench(t)
		b.write(t, "usr/sbin/ccs_config_dump", "#!/bin/false\n")
		if err := os.Chmod(filepath.Join(b.root, "usr/sbin/ccs_config_dump"), 0o755); err != nil {
			t.Fatal(err)
		}
		domain(b)
		s.dump = "not XML"
		b.refused(t, s, 3, "not edited by hand", "ccs", "bump", "--update")
		s.dump = clusterConf
		b.refused(t, s, 3, "this would stop service:centos2", "ccs", "bump", "--update")
		b.refused(t, s, 3, "this would stop service:centos2", "ccs", "set", "/cluster/rm", "log_level", "6", "--update")
	})
	t.Run("an agent is gone", func(t *testing.T) {
		b, s := confBench(t)
		agents := map[string]string{}
		for _, typ := range []string{"service", "xen", "openvz"} {
			agents[typ+".sh"] = `<resource-agent name="` + typ + `"><parameters><parameter name="name" primary="1"/></parameters><actions><action name="start"/></actions></resource-agent>`
			b.write(t, "usr/share/cluster/"+typ+".sh", "#!/bin/false\n")
			if err := os.Chmod(filepath.Join(b.root, "usr/share/cluster", typ+".sh"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		s.agents = agents
		args := []string{"ccs", "set", "/cluster/rm", "log_level", "6", "--update", "--no-wait"}
		agents["openvz.sh"] = ""
		b.refused(t, s, 3, "no agent on this node defines <openvz>", args...)
		agents["openvz.sh"] = strings.ReplaceAll(agents["xen.sh"], "xen", "openvz")
		if code := b.lbm(args...); code != 0 || s.running != 4 {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
	t.Run("what the manager runs is in it", func(t *testing.T) {
		b, s := confBench(t)
		b.byHand(t, web, "")
		const want = "the cluster runs service:web, which is not in"
		b.refused(t, s, 3, want, "ccs", "set", "/cluster/rm", "log_level", "6", "--update")
		if code := b.lbm("ccs", "set", "/cluster/rm", "log_level", "6", "--update", "--no-wait", "--i-know"); code != 0 || s.running != 4 {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
}

func TestGateAndPublication(t *testing.T) {
	t.Run("a dry run of a publication passes the gate", func(t *testing.T) {
		b, s := confBench(t)
		b.byHand(t, web, `<resources><xen name="x"/></resources><service name="web"><xen ref="x"/></service>`)
		b.refused(t, s, 3, "this would stop service:web", "ccs", "set", "//resources/xen", "path", "/gfs", "--update", "--dry-run")
	})
	t.Run("what changes behind the gate is not published", func(t *testing.T) {
		b, s := confBench(t)
		b.write(t, "etc/cluster/cluster.conf.lbvm-3", clusterConf)
		b.byHand(t, `"3">`, `"4">`)
		b.byHand(t, `<rm>`, `<rm log_level="7">`)
		s.asked = func() { s.asked = nil; b.byHand(t, web, "") }
		if code := b.lbm("ccs", "update"); code != exitRefused || s.running != 3 || !strings.Contains(b.errors.String(), "was changed after it was checked; it was not published") {
			t.Errorf("%d, running %d: %s", code, s.running, b.errors.String())
		}
	})
	t.Run("a tool that fails at the end", func(t *testing.T) {
		b, s := confBench(t)
		s.refuse, s.late = "Failed to notify somebody\n", true
		if code := b.lbm("ccs", "set", "/cluster/rm", "log_level", "6", "--update", "--no-wait"); code != 0 || s.running != 4 || !strings.Contains(b.errors.String(), "Failed to notify") || strings.Contains(b.errors.String(), "runs on with") {
			t.Errorf("%d, running %d: %s", code, s.running, b.errors.String())
		}
	})
	t.Run("nothing to change, and not published", func(t *testing.T) {
		b, s := confBench(t)
		args := []string{"ccs", "set", "/cluster/rm", "log_level", "6"}
		if code := b.lbm(args...); code != 0 {
			t.Fatal(b.errors.String())
		}
		b.refused(t, s, 3, "nor published, and the cluster runs with version 3", append(args, "--update")...)
		s.running = 4
		if code := b.lbm(append(args, "--update")...); code != 0 {
			t.Errorf("%d %s", code, b.errors.String())
		}
	})
	t.Run("the cluster is ahead", func(t *testing.T) {
		b, s := confBench(t)
		s.running = 9
		b.refused(t, s, 9, "the cluster runs with version 9", "ccs", "set", "/cluster/rm", "log_level", "6", "--update", "--i-know")
	})
}

func TestCCSValidateFile(t *testing.T) {
	b, _ := confBench(t)
	b.write(t, "other.conf", strings.Replace(clusterConf, `name="web"`, `name="web" autostart="yes"`, 1))
	other := filepath.Join(b.root, "other.conf")
	if code := b.lbm("ccs", "validate", "--file", other); code != exitWarnings || !strings.Contains(b.out.String(), other+":") {
		t.Errorf("%d %s", code, b.out.String())
	}
	if code := b.lbm("ccs", "validate", "--file", other, other); code != exitUsage {
		t.Errorf("%d", code)
	}
}
