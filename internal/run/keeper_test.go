package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// agent takes the lock, runs its arguments under a keeper and ends as they do. The test kills it in the middle.
func agent(lock string, argv []string) int {
	f, err := os.OpenFile(lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	r, err := Keeper{Lock: f, Note: os.Getenv(noteVariable)}.Run(context.Background(), Command{Argv: argv, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 98
	}
	return r.Code
}

func held(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatal(err)
	}
	return err != nil
}

// The whole point of a keeper: the agent is killed while the tool runs. The lock stays until the tool has ended, and
// the tool ends in its own time, though nobody reads what it prints.
func TestLockOutlivesAKilledAgent(t *testing.T) {
	dir := t.TempDir()
	lock, done := filepath.Join(dir, "lock"), filepath.Join(dir, "done")
	ready, goOn := newFifo(t), newFifo(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const tool = `exec 9>"$1"; echo "$PPID" >&9; read x <"$2"; i=0
while [ $i -lt 3000 ]; do echo "a line that is long enough to fill a pipe several times over, were it kept"; echo more >&2; i=$((i+1)); done
echo "end $?" >"$3"`
	cmd := exec.Command(self, "/bin/sh", "-c", tool, "sh", ready.path, goOn.path, done)
	cmd.Env = append(os.Environ(), agentVariable+"="+lock)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	keeper, end := ready.read()
	if !held(t, lock) {
		t.Error("the lock is free while the agent lives")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the agent ended by itself")
	}
	out.Close()
	if !held(t, lock) {
		t.Error("the lock is free though the tool runs")
	}
	if _, err := os.Stat(done); err == nil {
		t.Error("the tool did not wait")
	}
	w, err := os.OpenFile(goOn.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	awaitEnd(t, end)
	// The next action waits for the lock and finds the tool's work done.
	f, err := os.Open(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	took := make(chan error, 1)
	go func() { took <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-took:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatalf("keeper %s does not let go", keeper)
	}
	if b, err := os.ReadFile(done); string(b) != "end 0\n" {
		t.Errorf("the tool was disturbed: %q, %v", b, err)
	}
}

// A keeper that is killed holds no lock any more, and its tool must not go on without one.
func TestToolDiesWithItsKeeper(t *testing.T) {
	ready, goOn := newFifo(t), newFifo(t)
	const tool = `exec 9>"$1" 8<>"$2"; echo "$PPID" >&9; read x <&8`
	ended := make(chan error, 1)
	go func() {
		_, err := Keeper{Lock: lockFile(t)}.Run(short(t, patience), Command{Argv: []string{"/bin/sh", "-c", tool, "sh", ready.path, goOn.path}})
		ended <- err
	}()
	keeper, end := ready.read()
	pid, err := strconv.Atoi(keeper)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, end)
	if err := <-ended; !errors.Is(err, ErrSignal) {
		t.Errorf("what was run ended with %v", err)
	}
}

// The tool sees three descriptors, whatever a careless cluster manager left open, and no signal is ignored for it: a
// container's init would inherit that.
func TestToolInheritsNothing(t *testing.T) {
	leak, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	const look = `ls /proc/$$/fd; sed -n 's/^SigIgn:[[:space:]]*//p' /proc/$$/status`
	ignored := func(out string) uint64 {
		lines := strings.Fields(out)
		mask, err := strconv.ParseUint(lines[len(lines)-1], 16, 64)
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return mask
	}
	plain, err := System{}.Run(short(t, patience), sh(look))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Keeper{Lock: lockFile(t)}.Run(short(t, patience), sh(look))
	if err != nil || !strings.HasPrefix(string(kept.Stdout), "0\n1\n2\n0") {
		t.Fatalf("%q, want the descriptors 0 1 2; %v", kept.Stdout, err)
	}
	// Whoever runs the tests may ignore others, as nohup and the shell's & do; those that the keeper catches are nobody's.
	const own = 1<<(syscall.SIGHUP-1) | 1<<(syscall.SIGINT-1) | 1<<(syscall.SIGPIPE-1) | 1<<(syscall.SIGTERM-1)
	if got := ignored(string(kept.Stdout)); got&^ignored(string(plain.Stdout)) != 0 || got&own != 0 {
		t.Errorf("the tool ignores the signals %x, and without a keeper %s", got, plain.Stdout)
	}
}

func TestKeeperWithoutALock(t *testing.T) {
	if r, err := (Keeper{}).Run(short(t, patience), sh("exit 4")); err != nil || r.Code != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestKeeperStaysInASessionOfItsOwn(t *testing.T) {
	r, err := Keeper{Lock: lockFile(t)}.Run(short(t, patience), sh(`cut -d' ' -f6 /proc/$PPID/stat; echo $PPID; cut -d' ' -f5 /proc/$$/stat; echo $$`))
	w := strings.Fields(string(r.Stdout))
	if err != nil || len(w) != 4 || w[0] != w[1] || w[2] != w[3] {
		t.Errorf("session and group of keeper and tool: %q, %v", w, err)
	}
}

// A keeper that cannot end its tool (a disk that hangs) does not hang the agent; the lock stays with it.
func TestAgentDoesNotHangWithItsKeeper(t *testing.T) {
	t.Parallel()
	lock := lockFile(t)
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ready := newFifo(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := Keeper{Lock: lock}.Run(ctx, sh(`exec 9>"$1"; echo $PPID >&9; sleep 1000; true`, ready.path))
		result <- err
	}()
	line, end := ready.read()
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-result:
		if !errors.Is(err, ErrDeadline) || !strings.Contains(err.Error(), "cannot be ended") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the agent hangs")
	}
	lock.Close()
	if !held(t, lock.Name()) {
		t.Error("the lock was let go while the tool runs")
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, end)
}

func TestKeeperMainIsNothingToOthers(t *testing.T) {
	before := os.Args
	defer func() { os.Args = before }()
	for _, args := range [][]string{{}, {keeperName}, {keeperName, "1s"}, {"openvz.sh", "start", "x"}} {
		os.Args = args
		KeeperMain() // returns
	}
}
