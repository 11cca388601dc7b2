package ocf

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// limit bounds every program that has no bound of its own. It is generous: machines can be loaded.
const limit = 4 * time.Minute

// testbed is a lab of two nodes whose guests no cluster manager owns.
type testbed struct {
	t *testing.T
	l lab.Layout
}

// newTestbed makes a lab with these guests, takes them out of its cluster.conf, starts it, and sees to it that
// nothing of it lives longer than the test.
func newTestbed(t *testing.T, guests ...lab.VM) *testbed {
	t.Helper()
	l, err := lab.Create(filepath.Join(t.TempDir(), "lab"), lab.Options{Nodes: []string{"node1", "node2"}, Scale: 1, Programs: bin(t), VMs: guests})
	if err != nil {
		t.Fatal(err)
	}
	b := &testbed{t, l}
	service := regexp.MustCompile(`(?s)\s*<service .*?</service>`)
	for _, node := range []string{"node1", "node2"} {
		conf := filepath.Join(l.Root(node), "etc/cluster/cluster.conf")
		text, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		less := service.ReplaceAllString(string(text), "")
		if strings.Count(string(text), "<service") != len(guests) || strings.Contains(less, "<service") || !strings.Contains(less, "</rm>") {
			t.Fatalf("%s became %s", text, less)
		}
		if err := os.WriteFile(conf, []byte(less), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	release := b.deadMansSwitch()
	t.Cleanup(func() {
		if out, code := b.lbvmLab("down"); code != 0 {
			t.Errorf("lbvm-lab down: exit %d: %s", code, out)
		}
		release()
	})
	if out, code := b.lbvmLab("up", "--timeout", "80s", l.Dir); code != 0 {
		t.Fatalf("lbvm-lab up: exit %d: %s", code, out)
	}
	return b
}

// deadMansSwitch starts a process that takes the lab down as soon as this process is gone, however it ends.
func (b *testbed) deadMansSwitch() (release func()) {
	b.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `cat; [ ! -e "$2/lab.json" ] || exec "$1" --lab "$2" down`, "sh", filepath.Join(bin(b.t), "lbvm-lab"), b.l.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			b.t.Error(err)
		}
	}
}

func (b *testbed) lbvmLab(args ...string) (out string, code int) {
	b.t.Helper()
	return run(b.t, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, filepath.Join(bin(b.t), "lbvm-lab"), append([]string{"--lab", b.l.Dir}, args...)...)
}

// guests are those that really run on a node, as TYPE:VM.
func (b *testbed) guests(node string) (list []string) {
	b.t.Helper()
	out, code := b.lbvmLab("status", "-o", "json")
	var s struct {
		Guests map[string][]lab.GuestInfo `json:"guests"`
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 {
		b.t.Fatalf("lbvm-lab status: exit %d, %v: %s", code, err, out)
	}
	for _, g := range s.Guests[node] {
		list = append(list, g.Type+":"+g.VM)
	}
	return list
}

// want wants exactly these guests on a node.
func (b *testbed) want(node string, guests ...string) {
	b.t.Helper()
	got := b.guests(node)
	slices.Sort(got)
	slices.Sort(guests)
	if !slices.Equal(got, guests) {
		b.t.Errorf("%s has the guests %q, want %q", node, got, guests)
	}
}

// silent wants the checker's verdict that nothing is wrong, but for so many cold boots of each guest.
func (b *testbed) silent(cold string) {
	b.t.Helper()
	if out, code := b.lbvmLab("check", "--cold", cold); code != 0 {
		b.t.Errorf("the checker: exit %d: %s", code, out)
	}
}

// on is the environment of a tool or agent that is to see a node of the lab as the machine.
func (b *testbed) on(node string, more ...string) []string {
	return append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", host.RootVariable + "=" + b.l.Root(node)}, more...)
}

// run runs a program with that environment and no other, and gives both its outputs and its exit code, -1 where there is none.
func run(t *testing.T, env []string, program string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = env, "/", 5*time.Second
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return string(text) + err.Error(), -1
	}
	return string(text), cmd.ProcessState.ExitCode()
}
