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
		root := evacuateScript(t, sh, test.id, test.settings, "echo \"$@\" >>ROOT/called.new; mv ROOT/called.new ROOT/called\n"+test.lbm)
		cmd := exec.Command(sh, filepath.Join(root, "script"), test.action)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != test.code {
			t.Errorf("%s: %v %s", test.name, err, out)
		}
		called := ""
		for end := time.Now().Add(4 * time.Minute); ; time.Sleep(5 * time.Millisecond) { // a failback goes on by itself
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

// evacuateScript gives a folder in which packaging/init/lbvm-evacuate is script, with its paths below the folder, and lbm
// is a shell script, in which ROOT is the folder.
func evacuateScript(t *testing.T, sh, id, settings, lbm string) (root string) {
	t.Helper()
	text, err := os.ReadFile("../../packaging/init/lbvm-evacuate")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
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
	script := strings.Replace(string(text), "grace=30\n", "grace=1\n", 1)
	for _, path := range []string{"/etc/cluster/", "/etc/sysconfig/", "/usr/sbin/lbm", "/var/lock/subsys/", "/var/run/", "/usr/bin/logger"} {
		if !strings.Contains(script, path) {
			t.Fatalf("the script does not name %s", path)
		}
		script = strings.ReplaceAll(script, path, root+path)
	}
	write("script", script)
	write("var/lock/subsys/.keep", "")
	write("var/run/.keep", "")
	write("usr/sbin/lbm", "#!"+sh+"\n"+strings.ReplaceAll(lbm, "ROOT", root)+"\n")
	write("usr/bin/logger", "#!"+sh+"\necho \"$@\" >>"+root+"/logged\n")
	if id != "" {
		write("etc/cluster/lbvm.id", id)
	}
	if settings != "" {
		write("etc/sysconfig/lbvm", settings)
	}
	return root
}

// An lbm that hangs, as on a share that does, holds neither the boot nor the shutdown.
func TestEvacuateInitScriptIsBounded(t *testing.T) {
	sh := real.Need(t, "sh")
	for _, action := range []string{"start", "stop"} {
		root := evacuateScript(t, sh, "member=node2\n", "LBVM_EVACUATE_SECONDS=1\n", "echo $$ >ROOT/new; mv ROOT/new ROOT/pid; exec sleep 600")
		pid := func() string {
			b, err := os.ReadFile(filepath.Join(root, "pid"))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(b))
		}
		done := make(chan error, 1)
		cmd := exec.Command(sh, filepath.Join(root, "script"), action) // no pipe: lbm would hold it open
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", action, err)
			}
		case <-time.After(4 * time.Minute):
			t.Errorf("%s waits for an lbm that hangs", action)
		}
		for end := time.Now().Add(4 * time.Minute); pid() == "" && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if out, err := exec.Command(sh, "-c", "kill "+pid()).CombinedOutput(); err != nil {
			t.Errorf("%s: lbm does not hang: %s", action, out)
		}
		if logged, _ := os.ReadFile(filepath.Join(root, "logged")); action == "stop" && !strings.Contains(string(logged), "lbm evacuate has not ended within 2 s: the shutdown goes on") {
			t.Errorf("the log says %q", logged)
		}
	}
}

// A stop first ends the failback that a start has begun: it would bring back what leaves.
func TestEvacuateInitScriptEndsFailback(t *testing.T) {
	sh := real.Need(t, "sh")
	root := evacuateScript(t, sh, "member=node2\n", "LBVM_EVACUATE_SECONDS=60\nLBVM_FAILBACK=yes\n",
		"[ $1 = failback ] || { echo $1 >>ROOT/called; exit; }\ntrap 'echo failback ended >>ROOT/called; exit' TERM\necho $1 >>ROOT/called; for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & wait; done")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return ""
		}
		return string(b)
	}
	for _, action := range []string{"start", "stop"} {
		if out, err := exec.Command(sh, filepath.Join(root, "script"), action).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", action, err, out)
		}
		for end := time.Now().Add(4 * time.Minute); (read("called") == "" || action == "start" && read("var/run/lbvm-failback.pid") == "") && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if got := read("called"); got != "failback\nfailback ended\nevacuate\n" {
		t.Errorf("it ran %q", got)
	}
}
