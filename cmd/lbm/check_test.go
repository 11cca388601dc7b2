package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	b := ready(t, nil)
	b.measured(t)
	if code := b.lbm("check"); code != 0 || b.out.String() != "/etc/cluster/lbvm.conf: 0 errors, 0 warnings; cluster.conf: compared\n" {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	const head = "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\n"
	for _, c := range []struct {
		name, conf string
		code       int
		want       []string
	}{
		{"a warning", "balance 101;\ndefault { algorithm { migrate() if res('cpu', 5) > 0.7; } }\n", exitWarnings, []string{
			"/etc/cluster/lbvm.conf:4:36: warning: res() gives a list: here only its last value, the oldest, is compared [W5]\n" +
				"    default { algorithm { migrate() if res('cpu', 5) > 0.7; } }\n" +
				"                                       ^\n  choose: average(res('cpu', 5))", "0 errors, 1 warning;"}},
		{"a block too many", "balance 101;\ndefault { algorithm { report(); } }\nveid 7 { algorithm { report(); } }\n", exitWarnings, []string{"lbvm.conf:5:6: warning: VM \"7\" is not in balance"}},
		{"an unknown VM", "balance 101, 102;\ndefault { algorithm { report(); } }\n", exitFailed, []string{"lbvm.conf:3:14: error: cluster.conf has no VM \"102\"", "1 error, 0 warnings;"}},
		{"an unknown resource", "balance 101;\ndefault { algorithm { report() if min(res('hdd', 5)) > 1; } }\n", exitFailed, []string{"error: unknown resource \"hdd\" (lbresources.conf has: cpu ram load)\n    default {"}},
		{"0800", "balance 101;\ndefault { algorithm {\n  my ($s, $m, $hour) = localtime(time);\n  migrate() if $hour >= 0800;\n} }\n", exitFailed, []string{
			"lbvm.conf:6:25: error: Illegal octal digit '8'", "      migrate() if $hour >= 0800;\n                            ^\n"}},
		{"errors of several VMs", "balance 101, centos1;\n101 { algorithm { system('reboot'); } }\ncentos1 { algorithm { if (1) { migrate() } else if (2) { } } }\ninterval 5;\n", exitFailed, []string{
			"lbvm.conf:4:19: error: the function system is not available in algorithms", "lbvm.conf:5:", "elsif", "lbvm.conf:6:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.write(t, "gfs/lbvm.conf", head+c.conf)
			if code := b.lbm("check"); code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(b.out.String(), want) {
					t.Errorf("%q is not in\n%s", want, b.out.String())
				}
			}
		})
	}
}

func TestCheckJSON(t *testing.T) {
	b := ready(t, nil)
	b.measured(t)
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance 101, 9;\n101 { algorithm { migrate() if min(res('cpu', 5)) > 0.5, 1; } }\n")
	if code := b.lbm("check", "-o", "json"); code != exitFailed {
		t.Errorf("%d %s", code, b.errors.String())
	}
	var got struct {
		File, Cluster    string
		Errors, Warnings int
		Findings         []map[string]any
	}
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || len(got.Findings) != 2 || got.Errors != 1 || got.Warnings != 1 || got.Cluster != "compared" {
		t.Fatalf("%v %s", err, b.out.String())
	}
	first, second := got.Findings[0], got.Findings[1]
	if first["severity"] != "error" || first["line"] != 3.0 || first["col"] != 14.0 || first["vm"] != nil || first["code"] != nil || first["source"] != "balance 101, 9;" {
		t.Errorf("%v", first)
	}
	if second["severity"] != "warning" || second["line"] != 4.0 || second["vm"] != "101" || second["code"] != "W3" || second["file"] != "/etc/cluster/lbvm.conf" || second["hint"] == "" {
		t.Errorf("%v", second)
	}
	b.write(t, "gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance ;\n")
	if code := b.lbm("check", "-o", "json"); code != 0 || !strings.Contains(b.out.String(), `"findings": []`) {
		t.Errorf("%d %s", code, b.out.String())
	}
}

// A file that is not in place yet, on a machine that may be no node.
func TestCheckAFile(t *testing.T) {
	b := newBench(t, nil)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := file("new.conf", "balance 101;\ndefault { algorithm { migrate() if max(res('gpu', 5)) > 0.5; } }\n")
	res := file("res.conf", "resource gpu { cmd gpu-load; }\n")
	if code := b.lbm("check", conf, "--resources", res); code != 0 || !strings.Contains(b.out.String(), conf+": 0 errors, 0 warnings; cluster.conf: compared") {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	if code := b.lbm("check", conf); code != exitFailed || !strings.Contains(b.out.String(), conf+":1:1: error: the resources cannot be read") {
		t.Errorf("%d %s", code, b.out.String())
	}
	other := file("cluster.conf", `<cluster name="x" config_version="1"><rm><xen name="web"/></rm></cluster>`)
	if code := b.lbm("check", conf, "--resources", res, "--cluster", other); code != exitFailed || !strings.Contains(b.out.String(), `no VM "101"`) {
		t.Errorf("%d %s", code, b.out.String())
	}
	if err := os.Remove(filepath.Join(b.root, "etc/cluster/cluster.conf")); err != nil {
		t.Fatal(err)
	}
	if code := b.lbm("check", conf, "--resources", res); code != 0 || !strings.Contains(b.out.String(), "cluster.conf: not compared, it is not here") {
		t.Errorf("%d %s", code, b.out.String())
	}
	for args, want := range map[string]int{"check /nosuch": exitFailed, "check a b": exitUsage, "check -o x": exitUsage, "check": exitFailed, "check --help": 0} {
		if code := b.lbm(strings.Fields(args)...); code != want {
			t.Errorf("%s: %d %s", args, code, b.errors.String())
		}
	}
}

// A folder of logs in which those of the members that are up do not come in is refused, and so is one that they cannot see.
func TestCheckSight(t *testing.T) {
	b := ready(t, nil)
	check := func(code int, want ...string) {
		t.Helper()
		if got := b.lbm("check"); got != code {
			t.Errorf("code %d, want %d:\n%s", got, code, b.out.String())
		}
		for _, w := range want {
			if !strings.Contains(b.out.String(), w) {
				t.Errorf("%q is not in\n%s", w, b.out.String())
			}
		}
	}
	check(exitFailed, "lbvm.conf:2:8: error: xen2.01100011.com is up, and its logs in /gfs/lbvm/log do not come in: there is no xen2.01100011.com-cpu",
		"xen3.01100011.com is up", "look whether cron runs lblog there", "2 errors")
	b.measured(t)
	check(0)
	b.write(t, "proc/mounts", "/dev/sda1 / ext4 rw 0 0\n")
	check(exitFailed, "lbvm.conf:2:8: error: logdir /gfs/lbvm/log lies on ext4, which no other node sees", "logs push;", "1 error")
	b.write(t, "proc/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/drbd0 /gfs gfs2 rw 0 0\n")
	check(0)
	if err := os.Remove(filepath.Join(b.root, "gfs/lbvm/cluster")); err != nil {
		t.Fatal(err)
	}
	check(exitFailed, "lbvm.conf:2:8: error: logdir /gfs/lbvm/log: the shared storage does not hold this cluster's marker", "mount it on this node")
	// Of a cluster that does not answer nobody knows who is up.
	b = ready(t, nil)
	b.tools.answers = nil
	check(0)
}
