package story

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
)

// limit bounds every program and every wait that has no bound of its own. It is generous: machines can be loaded.
const limit = 5 * time.Minute

// world is a lab that runs.
type world struct {
	t   *testing.T
	l   lab.Layout
	bin string
}

// with is the same lab in a test below.
func (w *world) with(t *testing.T) *world { return &world{t, w.l, w.bin} }

// newWorld makes a lab, starts it, and sees to it that nothing of it lives longer than the test. prepare changes the lab's
// files before it is started.
func newWorld(t *testing.T, o lab.Options, prepare ...func(lab.Layout)) *world {
	t.Helper()
	if o.Programs == "" {
		o.Programs = bin(t)
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	l, err := lab.Create(filepath.Join(t.TempDir(), "lab"), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(l)
	}
	w := &world{t, l, l.Path("bin")}
	release := w.deadMansSwitch()
	t.Cleanup(func() {
		if t.Failed() {
			w.tell("log/manager.log", 60)
			w.tell("shared/lbvm/log/migrate.log", 30)
		}
		w.down()
		release()
	})
	up := []string{"up", "--timeout", "4m"}
	if o.Bare {
		up = append(up, "--bare")
	}
	w.must(append(up, l.Dir)...)
	return w
}

// deadMansSwitch starts a process that takes the lab down as soon as this process is gone, however it ends.
func (w *world) deadMansSwitch() (release func()) {
	w.t.Helper()
	// The program is asked for by an own copy: the lab's folder may be half removed.
	cmd := exec.Command("/bin/sh", "-c", `cat; [ ! -e "$2/lab.json" ] || exec "$1" --lab "$2" down`, "sh", filepath.Join(bin(w.t), "lbvm-lab"), w.l.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			w.t.Error(err)
		}
	}
}

// down stops the lab and looks whether any process of it is left.
func (w *world) down() {
	w.t.Helper()
	if out, code := w.try("down"); code != 0 {
		w.t.Errorf("lbvm-lab down: exit %d: %s", code, out)
	}
	left := processes(func(p process) bool {
		return strings.HasPrefix(p.root, w.l.Dir+"/") || p.argv[0] != "/bin/sh" && slices.Contains(p.argv, w.l.Dir)
	})
	for _, p := range left {
		w.t.Errorf("a process of the lab is left: %d %q", p.pid, p.argv)
	}
}

// tell shows the end of a file to whoever reads about a failure.
func (w *world) tell(file string, lines int) {
	b, err := os.ReadFile(w.l.Path(file))
	if err != nil {
		w.t.Log(err)
		return
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	w.t.Logf("the end of %s:\n%s", file, strings.Join(all[max(0, len(all)-lines):], "\n"))
}

// try runs lbvm-lab on this lab. The exit code is -1 where there is none.
func (w *world) try(args ...string) (out string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "lbvm-lab"), append([]string{"--lab", w.l.Dir}, args...)...)
	if args[0] == "down" { // it removes the folder that it is in
		cmd.Path = filepath.Join(bin(w.t), "lbvm-lab")
	}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	// As a login of its own: the kernel shares the processors among sessions. Beside thirty busy programs of the tests' session
	// lblog did not end within its 15 s, for minutes, while that of cron in the lab's session took one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Minute
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return string(b) + err.Error(), -1
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// must is try, and wants exit code 0.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, code := w.try(args...)
	if code != 0 {
		w.t.Fatalf("lbvm-lab %s: exit %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// on runs a command on a node and wants exit code 0.
func (w *world) on(node string, argv ...string) string {
	w.t.Helper()
	return w.must(append([]string{"run", node}, argv...)...)
}

// tryOn runs a command on a node.
func (w *world) tryOn(node string, argv ...string) (out string, code int) {
	w.t.Helper()
	return w.try(append([]string{"run", node}, argv...)...)
}

// status is what lbvm-lab status tells.
type status struct {
	rgmanager.Status
	Guests map[string][]lab.GuestInfo `json:"guests"`
}

func (w *world) status() status {
	w.t.Helper()
	var s status
	if text := w.must("status", "-o", "json"); json.Unmarshal([]byte(text), &s) != nil {
		w.t.Fatalf("lbvm-lab status is no JSON: %s", text)
	}
	return s
}

// service gives state and owner of a service.
func (s status) service(name string) (state, owner string) {
	for _, x := range s.Services {
		if x.Name == "service:"+name {
			return x.State, x.Owner
		}
	}
	return "", ""
}

// on tells on which nodes a guest TYPE:VM really is.
func (s status) on(guest string) []string {
	var nodes []string
	for _, n := range s.Nodes {
		for _, g := range s.Guests[n.Name] {
			if g.Type+":"+g.VM == guest {
				nodes = append(nodes, n.Name)
			}
		}
	}
	return nodes
}

// until waits for something to become true.
func (w *world) until(what string, within time.Duration, ok func() bool) {
	w.t.Helper()
	if !poll(within, ok) {
		w.t.Fatalf("after %s still not: %s", within, what)
	}
}

// poll asks again and again until ok is true or the time is over.
func poll(within time.Duration, ok func() bool) bool {
	end := time.Now().Add(within)
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// silent wants the checker's verdict that nothing is wrong, but for so many cold boots of each guest.
func (w *world) silent(cold int) {
	w.t.Helper()
	if err := w.verdict(cold); err != nil {
		w.t.Error(err)
	}
}

// verdict is the checker's, as an error.
func (w *world) verdict(cold int) error {
	out, code := w.try("check", "--cold", strconv.Itoa(cold))
	if code != 0 {
		return errors.New("the checker: " + out)
	}
	return nil
}

// process is one process of the machine as far as a story cares.
type process struct {
	pid  int
	argv []string
	env  []string
	root string // LBVM_ROOT
}

// processes reads the process table.
func processes(want func(process) bool) []process {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	var found []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		cmdline, err := os.ReadFile("/proc/" + name + "/cmdline")
		if err != nil || len(cmdline) == 0 { // it has just ended, or is the kernel's
			continue
		}
		environ, err := os.ReadFile("/proc/" + name + "/environ")
		if err != nil {
			continue
		}
		p := process{pid: pid, argv: strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00"), env: strings.Split(string(environ), "\x00")}
		for _, e := range p.env {
			if root, ok := strings.CutPrefix(e, "LBVM_ROOT="); ok {
				p.root = root
			}
		}
		if want(p) {
			found = append(found, p)
		}
	}
	return found
}
