package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// The init script evacuates before rgmanager stops, if it was told how long it may; whatever comes of that, it ends well: the
// shutdown goes on. When it starts it brings home what it has evacuated, or opens its node at least.
func TestEvacuateInitScript(t *testing.T) {
	sh := real.Need(t, "sh")
	text, err := os.ReadFile("../../packaging/init/lbvm-evacuate")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile("../../packaging/sysconfig/lbvm")
	if err != nil {
		t.Fatal(err)
	}
	const id = "member=node2\nshared=/gfs\n"
	for _, test := range []struct {
		name, action, id, settings, lbm, want string
		code                                  int
	}{
		{"as it is delivered", "stop", id, string(settings), "exit 0", "", 0},
		{"as it is delivered, started", "start", id, string(settings), "exit 0", "failback --shutdown --open-only node2\n", 0},
		{"without settings", "stop", id, "", "exit 0", "", 0},
		{"with a budget", "stop", id, "LBVM_EVACUATE_SECONDS=300\n", "exit 0", "evacuate --shutdown --within 300s --parallel 2\n", 0},
		{"some VMs stay", "stop", id, "LBVM_EVACUATE_SECONDS=300\nLBVM_EVACUATE_PARALLEL=3\n", "echo still here; exit 5", "evacuate --shutdown --within 300s --parallel 3\n", 0},
		{"a budget that is none", "stop", id, "LBVM_EVACUATE_SECONDS=5m\n", "exit 0", "", 0},
		{"no cluster", "stop", "", "LBVM_EVACUATE_SECONDS=300\n", "exit 0", "", 0},
		{"no cluster, started", "start", "", "LBVM_FAILBACK=yes\n", "exit 0", "", 0},
		{"home again", "start", id, "LBVM_FAILBACK=yes\nLBVM_FAILBACK_WAIT=90s\n", "exit 0", "failback --shutdown --yes --wait 90s --parallel 2 node2\n", 0},
		{"restarted", "restart", id, "LBVM_EVACUATE_SECONDS=300\n", "exit 0", "", 0},
		{"asked", "status", id, "LBVM_EVACUATE_SECONDS=300\n", "exit 0", "", 3},
		{"misused", "evacuate", id, "", "exit 0", "", 2},
	} {
		root := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		script := string(text)
		for _, path := range []string{"/etc/cluster/", "/etc/sysconfig/", "/usr/sbin/lbm", "/var/lock/subsys/", "/usr/bin/logger"} {
			if !strings.Contains(script, path) {
				t.Fatalf("the script does not name %s", path)
			}
			script = strings.ReplaceAll(script, path, root+path)
		}
		write("script", script)
		write("var/lock/subsys/.keep", "")
		write("usr/sbin/lbm", "#!"+sh+"\necho \"$@\" >>"+root+"/called.new; mv "+root+"/called.new "+root+"/called\n"+test.lbm+"\n")
		write("usr/bin/logger", "#!"+sh+"\necho \"$@\" >>"+root+"/logged\n")
		if test.id != "" {
			write("etc/cluster/lbvm.id", test.id)
		}
		if test.settings != "" {
			write("etc/sysconfig/lbvm", test.settings)
		}
		cmd := exec.Command(sh, filepath.Join(root, "script"), test.action)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != test.code {
			t.Errorf("%s: %v %s", test.name, err, out)
		}
		called := ""
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) { // a failback goes on by itself
			b, err := os.ReadFile(filepath.Join(root, "called"))
			if called = string(b); err == nil || test.want == "" || time.Now().After(end) {
				break
			}
		}
		if called != test.want {
			t.Errorf("%s: it ran %q, want %q", test.name, called, test.want)
		}
		if logged, _ := os.ReadFile(filepath.Join(root, "logged")); strings.Contains(test.lbm, "still here") && !strings.Contains(string(logged), "-t lbvm -- still here") {
			t.Errorf("%s: the log says %q", test.name, logged)
		}
		if _, err := os.Stat(filepath.Join(root, "var/lock/subsys/lbvm-evacuate")); (err == nil) != (test.action == "start") {
			t.Errorf("%s: init's file: %v", test.name, err)
		}
	}
}
