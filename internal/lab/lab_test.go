package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// The test binary plays guests and a node's daemon too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "guest" {
		os.Exit(GuestMain(os.Args[2:]))
	}
	if len(os.Args) > 3 && os.Args[1] == "node" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := RunNode(ctx, Layout{os.Args[2]}, os.Args[3], self(), plainTools()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// plainTools is a hypervisor without rules: what a test plants is what happens.
//
//	hv boot VM | hv save VM FILE | hv restore VM FILE | hv freeze VM | hv thaw VM | hv kill VM
func plainTools() map[string]Tool {
	return map[string]Tool{"hv": func(_ context.Context, n *Node, r Request) run.Result {
		if err := plain(n, r.Argv[1], r.Argv[2], append(r.Argv[3:], "")[0]); err != nil {
			return run.Result{Code: 1, Stderr: []byte(err.Error())}
		}
		return run.Result{}
	}}
}

func plain(n *Node, verb, vm, file string) error {
	spec := GuestSpec{
		Type: "openvz", VM: vm, MemBytes: 256 << 20,
		Disks: []string{"/shared/" + vm}, Boot: []string{"/shared/boot/" + vm},
	}
	switch verb {
	case "boot":
		_, err := n.Boot(spec)
		return err
	case "restore":
		b, err := os.ReadFile(n.Path(file))
		if err != nil {
			return err
		}
		m, err := ParseMemory(b)
		if err != nil {
			return err
		}
		spec.Memory = &m
		g, err := n.Boot(spec)
		if err != nil {
			return err
		}
		return g.Thaw()
	}
	g, err := n.guest("openvz:" + vm)
	if err != nil {
		return err
	}
	switch verb {
	case "save":
		if err := g.Freeze(); err != nil {
			return err
		}
		m, err := g.Memory()
		if err != nil {
			return err
		}
		b, err := m.Format()
		if err != nil {
			return err
		}
		defer g.Kill()
		return os.WriteFile(n.Path(file), b, 0o600)
	case "freeze":
		return g.Freeze()
	case "thaw":
		return g.Thaw()
	case "kill":
		g.Kill()
		return nil
	}
	return errors.New(verb)
}

// newLab runs the daemons of nodes in this process.
func newLab(t *testing.T, nodes ...string) Layout {
	t.Helper()
	l := Layout{t.TempDir()}
	if err := os.MkdirAll(l.Path("shared"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		startNode(t, l, node)
	}
	return l
}

func startNode(t *testing.T, l Layout, node string) {
	t.Helper()
	root := l.Root(node)
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../shared", filepath.Join(root, "shared")); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- RunNode(ctx, l, node, self(), plainTools()) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Errorf("node %s: %v", node, err)
		}
	})
	await(t, func() bool { _, err := call(l, node, "lab", "guests"); return err == nil })
}

// patience is what nothing takes unless it hangs, however busy the machine is.
const patience = 4 * time.Minute

func call(l Layout, node string, argv ...string) (run.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Call(ctx, l.NodeSocket(node), Request{Node: node, Argv: argv})
}

func do(t *testing.T, l Layout, node string, argv ...string) string {
	t.Helper()
	r, err := call(l, node, argv...)
	if err != nil || r.Code != 0 {
		t.Fatalf("%s: %q: %v, code %d, %s", node, argv, err, r.Code, r.Stderr)
	}
	return string(r.Stdout)
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within minutes")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lines counts what the witnesses of a VM wrote.
func lines(l Layout, vm string) int {
	b, err := os.ReadFile(l.Witness("openvz", vm))
	if err != nil {
		return 0
	}
	return bytes.Count(b, []byte("\n"))
}

func awaitLines(t *testing.T, l Layout, vm string, more int) {
	t.Helper()
	want := lines(l, vm) + more
	await(t, func() bool { return lines(l, vm) >= want })
}

func kinds(t *testing.T, l Layout, cold int) string {
	t.Helper()
	list, err := CheckAll(l, CheckOptions{ColdAllowed: cold})
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, f := range list {
		words = append(words, string(f.Kind))
	}
	return strings.Join(words, ", ")
}

func TestPlanted(t *testing.T) {
	const runs = 10
	plants := map[string]struct {
		plant func(t *testing.T, l Layout)
		want  Kind
	}{
		"two guests of one VM": {func(t *testing.T, l Layout) {
			do(t, l, "a", "hv", "boot", "1")
			awaitLines(t, l, "1", 1)
			do(t, l, "b", "hv", "boot", "1")
			awaitLines(t, l, "1", 3)
		}, DoubleRun},
		"two guests of one memory": {func(t *testing.T, l Layout) {
			do(t, l, "a", "hv", "boot", "1")
			do(t, l, "a", "hv", "save", "1", "/shared/image")
			do(t, l, "b", "hv", "restore", "1", "/shared/image")
			do(t, l, "a", "hv", "restore", "1", "/shared/image")
			awaitLines(t, l, "1", 4)
		}, DoubleRun},
		"restore skipped": {func(t *testing.T, l Layout) {
			do(t, l, "a", "hv", "boot", "1")
			do(t, l, "a", "hv", "save", "1", "/shared/image")
			do(t, l, "b", "hv", "boot", "1")
		}, LostMemory},
		"old dump restored twice": {func(t *testing.T, l Layout) {
			do(t, l, "a", "hv", "boot", "1")
			do(t, l, "a", "hv", "save", "1", "/shared/image")
			do(t, l, "b", "hv", "restore", "1", "/shared/image")
			awaitLines(t, l, "1", 1)
			do(t, l, "b", "hv", "kill", "1")
			do(t, l, "a", "hv", "restore", "1", "/shared/image")
		}, StaleImage},
	}
	for name, p := range plants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range runs {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					l := newLab(t, "a", "b")
					p.plant(t, l)
					if got := kinds(t, l, 0); !strings.Contains(got, string(p.want)) {
						t.Errorf("found %q, planted %q", got, p.want)
					}
				})
			}
		})
	}
}

func TestHandOffIsClean(t *testing.T) {
	l := newLab(t, "a", "b")
	do(t, l, "a", "hv", "boot", "1")
	from, to := "a", "b"
	for range 6 {
		do(t, l, from, "hv", "freeze", "1") // a hand-off that failed before
		do(t, l, from, "hv", "thaw", "1")
		do(t, l, from, "hv", "save", "1", "/shared/image")
		do(t, l, to, "hv", "restore", "1", "/shared/image")
		awaitLines(t, l, "1", 2)
		from, to = to, from
	}
	if got := kinds(t, l, 0); got != "" {
		t.Errorf("found %q in good hand-offs", got)
	}
	if err := os.Truncate(l.Path("shared/image"), 40); err != nil {
		t.Fatal(err)
	}
	if r, err := call(l, to, "hv", "restore", "1", "/shared/image"); err != nil || r.Code == 0 {
		t.Errorf("a truncated image was restored: %v, %+v", err, r)
	}
}

func TestFreezeIsSynchronous(t *testing.T) {
	l := newLab(t, "a")
	do(t, l, "a", "hv", "boot", "1")
	for range 5 {
		awaitLines(t, l, "1", 1)
		do(t, l, "a", "hv", "freeze", "1")
		before := lines(l, "1")
		disk, err := os.ReadFile(l.Path("shared/1"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * tick) // nothing must happen: there is nothing to wait for
		after, err := os.ReadFile(l.Path("shared/1"))
		if err != nil {
			t.Fatal(err)
		}
		if lines(l, "1") != before || !bytes.Equal(disk, after) {
			t.Fatal("a frozen guest wrote")
		}
		do(t, l, "a", "hv", "thaw", "1")
	}
}

func TestLoadTravels(t *testing.T) {
	l := newLab(t, "a", "b")
	do(t, l, "a", "hv", "boot", "1")
	do(t, l, "a", "lab", "load", "openvz:1", "0.5")
	do(t, l, "a", "hv", "save", "1", "/shared/image")
	do(t, l, "b", "hv", "restore", "1", "/shared/image")
	var list []GuestInfo
	if err := json.Unmarshal([]byte(do(t, l, "b", "lab", "guests")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Load != 0.5 || list[0].VM != "1" || list[0].Incarnation == "" {
		t.Errorf("guests: %+v", list)
	}
	for _, bad := range [][]string{{"load", "2"}, {"load", "openvz:9", "0.1"}, {"crash", "openvz:9"}, {"fault", "vzctl", "no-such", "1", "1", "1"}, {"dance"}, {}} {
		if r, err := call(l, "b", append([]string{"lab"}, bad...)...); err != nil || r.Code != 1 || len(r.Stderr) == 0 {
			t.Errorf("lab %q: %v, %+v", bad, err, r)
		}
	}
	do(t, l, "b", "lab", "crash", "openvz:1")
	if got := do(t, l, "b", "lab", "guests"); got != "[]\n" {
		t.Errorf("after a crash: %s", got)
	}
	if r, _ := call(l, "b", "nosuch"); r.Code != 127 {
		t.Errorf("unknown program: %+v", r)
	}
}

func TestKillNode(t *testing.T) {
	l := newLab(t)
	for _, node := range []string{"a", "ab"} { // ab's root begins as a's
		root := l.Root(node)
		if err := os.MkdirAll(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../shared", filepath.Join(root, "shared")); err != nil {
			t.Fatal(err)
		}
		if err := NewBoot(l, node); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self(), "node", l.Dir, node)
		cmd.Env = []string{"LBVM_ROOT=" + root}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		await(t, func() bool { _, err := call(l, node, "lab", "guests"); return err == nil })
		do(t, l, node, "hv", "boot", node)
	}
	boot := func() string {
		b, err := os.ReadFile(filepath.Join(l.Root("a"), bootFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	old := boot()
	if err := KillNode(l, "a"); err != nil {
		t.Fatal(err)
	}
	dead := lines(l, "a")
	awaitLines(t, l, "ab", 3)
	if lines(l, "a") != dead {
		t.Error("a guest outlived its node")
	}
	if _, err := call(l, "a", "lab", "guests"); !errors.Is(err, ErrDown) {
		t.Errorf("calling a dead node: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(l.Root("a"), "var/run"))
	if err != nil || len(left) > 0 {
		t.Errorf("var/run holds %v (%v)", left, err)
	}
	if err := NewBoot(l, "a"); err != nil {
		t.Fatal(err)
	}
	if boot() == old || len(old) != 37 {
		t.Errorf("boot id %q, then %q", old, boot())
	}
}

// A daemon that is killed takes its guests with it, without anybody's help.
func TestGuestsDieWithTheDaemon(t *testing.T) {
	l := newLab(t)
	root := l.Root("a")
	if err := os.MkdirAll(filepath.Join(root, "shared"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(), "node", l.Dir, "a")
	cmd.Env = []string{"LBVM_ROOT=" + root}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	await(t, func() bool { _, err := call(l, "a", "lab", "guests"); return err == nil })
	do(t, l, "a", "hv", "boot", "1")
	do(t, l, "a", "hv", "freeze", "1")
	var list []GuestInfo
	if err := json.Unmarshal([]byte(do(t, l, "a", "lab", "guests")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	await(t, func() bool { return !alive(list[0].PID) })
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && len(b) > 0
}
