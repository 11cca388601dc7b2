package lbvmagent

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// TestMain makes this test program the agent where it is called by its name: agents/lbvm does nothing else.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "lbvm.sh" {
		ocf.Main(metadata.LBVM(), New())
	}
	os.Exit(m.Run())
}

func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "lbvm.sh")
	if err := os.Symlink(self, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestUnderRGManager runs every action as rgmanager does, on a node in a folder with a small script as lbmonitor.
func TestUnderRGManager(t *testing.T) {
	agent, n := program(t), newNode(t)
	env := append(real.Env("lbvm", []real.Param{{Name: "name", Value: "balancer"}, {Name: "autostart", Value: "1"}}, 20), "LBVM_ROOT="+n.root)
	call := func(want int, args ...string) {
		t.Helper()
		if got := real.Action(t, env, agent, args...); got != want {
			log, err := os.ReadFile(n.path("var/log/messages"))
			t.Fatalf("%v: exit %d, want %d; log (%v):\n%s", args, got, want, err, log)
		}
	}
	if err := os.MkdirAll(n.path("var/log"), 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := n.path("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// It hangs until the test reads: the agent must not wait for it.
	n.write(Monitor, `#!/bin/sh
for fd in 0 1 2; do out="$out $(/bin/readlink /proc/$$/fd/$fd)"; done
set -- $(/bin/cat /proc/$$/stat)
echo "$1 $6 $PWD $LBVM_ROOT $HOME $LC_ALL$out" > "$LBVM_ROOT/fifo"
`, 0o755)

	if out, code := real.MetaData(t, agent); code != 0 || string(out) != string(metadata.LBVM()) {
		t.Fatalf("meta-data: exit %d, printed %q", code, out)
	}
	call(0, "validate-all")
	call(7, "status")
	call(0, "stop") // the stop of everything at rgmanager's start
	call(0, "start")
	call(0, "status")
	b, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^(\d+) (\d+) / (\S+) /root C /dev/null /dev/null /dev/null\n$`).FindStringSubmatch(string(b))
	if m == nil || m[1] != m[2] || m[3] != n.root {
		t.Errorf("lbmonitor saw %q: want a session of its own, / and /dev/null", b)
	}
	n.pass(Failed, CauseNode, 3)
	call(1, "status")
	if _, err := os.ReadFile(fifo); err != nil { // lets the second one end
		t.Fatal(err)
	}
	call(0, "stop")
	call(7, "status")
	if n.exists(startedFile) {
		t.Error("the note of the start is still there")
	}
	call(3, "migrate", "node2")
	log, err := os.ReadFile(n.path("var/log/messages"))
	if err != nil || !strings.Contains(string(log), "[lbvm] status of lbvm:balancer failed: 3 passes in a row failed for a cause of this") {
		t.Errorf("%v: %s", err, log)
	}
}

// TestNothingShared makes sure that the agent does not even look at what lies on the shared file system: a
// FIFO in its place would hang every reader.
func TestNothingShared(t *testing.T) {
	agent, n := program(t), newNode(t)
	for _, p := range []string{host.IDFile, host.ConfFile, "/shared/lbvm/cluster"} {
		if err := os.MkdirAll(filepath.Dir(n.path(p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(n.path(p), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(real.Env("lbvm", []real.Param{{Name: "name", Value: "balancer"}}, 5), "LBVM_ROOT="+n.root)
	for i, want := range []int{0, 0, 0, 0} {
		action := []string{"start", "status", "stop", "stop"}[i]
		if got := real.Action(t, env, agent, action); got != want {
			t.Errorf("%s: exit %d, want %d", action, got, want)
		}
	}
}
