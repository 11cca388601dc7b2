package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// agentVariable makes the test binary an agent that runs one command under a keeper.
const agentVariable = "RUN_TEST_AGENT"

// patience is what nothing here takes unless it hangs, however busy the machine is.
const patience = 4 * time.Minute

// noteVariable is its keeper's note.
const noteVariable = "RUN_TEST_NOTE"

func TestMain(m *testing.M) {
	KeeperMain()
	if lock := os.Getenv(agentVariable); lock != "" {
		os.Exit(agent(lock, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func sh(script string, args ...string) Command {
	return Command{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...), Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}
}

func short(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// runners are all ways to run a command; all must keep the same promises.
func runners(t *testing.T) map[string]Runner {
	t.Helper()
	return map[string]Runner{"System": System{}, "old kernel": System{blind: true}, "no descriptor": System{deaf: true},
		"old, no descriptor": System{blind: true, deaf: true}, "Keeper": Keeper{Lock: lockFile(t)}}
}

func lockFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAnswers(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			got, err := r.Run(short(t, patience), sh("echo out; echo err >&2; exit 3"))
			if err != nil || got.Code != 3 || string(got.Stdout) != "out\n" || string(got.Stderr) != "err\n" || got.Truncated || got.Took <= 0 {
				t.Errorf("%+v, %v", got, err)
			}
			c := sh(`cat; pwd; echo "$1 $A"; env | grep -v -e ^A= -e ^PATH= -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL=`, "a b; $(x)")
			c.Stdin, c.Env = []byte("in\n"), append(c.Env, "A=1")
			if got, err = r.Run(short(t, patience), c); err != nil || string(got.Stdout) != "in\n/\na b; $(x) 1\n" {
				t.Errorf("%q %q, %v", got.Stdout, got.Stderr, err)
			}
			c = sh("pwd; cat")
			c.Dir = t.TempDir()
			if got, err = r.Run(short(t, patience), c); err != nil || strings.TrimSpace(string(got.Stdout)) != c.Dir {
				t.Errorf("%q, %v", got.Stdout, err)
			}
			if got, err = r.Run(short(t, patience), sh("kill -9 $$")); !errors.Is(err, ErrSignal) || errors.Is(err, ErrDeadline) {
				t.Errorf("killed: %+v, %v", got, err)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	for name, r := range runners(t) {
		c := sh("head -c 3000000 /dev/zero; printf 123456 >&2")
		c.MaxOutput = 5
		got, err := r.Run(short(t, patience), c)
		if err != nil || len(got.Stdout) != 5 || string(got.Stderr) != "12345" || !got.Truncated {
			t.Errorf("%s: %d bytes, %q, %v, %v", name, len(got.Stdout), got.Stderr, got.Truncated, err)
		}
		c.MaxOutput = 0
		if got, err = r.Run(short(t, patience), c); err != nil || len(got.Stdout) != 1<<20 || string(got.Stderr) != "123456" || !got.Truncated {
			t.Errorf("%s: %d bytes, %q, %v, %v", name, len(got.Stdout), got.Stderr, got.Truncated, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, r := range runners(t) {
		for _, argv := range [][]string{nil, {}, {"sh"}, {"./sh"}, {"bin/sh", "-c", "true"}} {
			if _, err := r.Run(context.Background(), Command{Argv: argv}); err == nil || !strings.Contains(err.Error(), "absolute") {
				t.Errorf("%s: %q: %v", name, argv, err)
			}
		}
		for _, argv := range [][]string{{"/no/such/program"}, {plain}, {"/"}} {
			if _, err := r.Run(short(t, patience), Command{Argv: argv}); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %q: %v", name, argv, err)
			}
		}
		if _, err := r.Run(ended, sh("true")); !errors.Is(err, ErrDeadline) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: ended context: %v", name, err)
		}
		c := sh("true")
		c.Dir = "/no/such/folder"
		if _, err := r.Run(short(t, patience), c); err == nil || errors.Is(err, ErrNotFound) && name != "Keeper" {
			t.Errorf("%s: no folder: %v", name, err)
		}
	}
	if _, err := (Keeper{Lock: lockFile(t)}).Run(context.Background(), Command{Argv: []string{"/bin/true"}, Files: []*os.File{os.Stdin}}); err == nil {
		t.Error("a keeper took a file")
	}
}

// fifo is a pipe with a name, through which a script tells that something happened; its end is the script's death.
type fifo struct {
	t    *testing.T
	path string
}

func newFifo(t *testing.T) fifo {
	t.Helper()
	p := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(p, 0o600); err != nil {
		t.Fatal(err)
	}
	return fifo{t, p}
}

// holds keeps the pipe open, so that a script that reads from it waits for a line; that comes by letGo, which may be called twice.
func (f fifo) holds() (letGo func()) {
	f.t.Helper()
	w, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { w.Close() })
	return sync.OnceFunc(func() {
		if _, err := w.WriteString("go\n"); err != nil {
			f.t.Error(err)
		}
	})
}

// read waits for the writer's first line and gives what closes when the last writer is gone.
func (f fifo) read() (string, io.ReadCloser) {
	f.t.Helper()
	r, err := os.Open(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { r.Close() })
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			f.t.Fatalf("nobody wrote: %v", err)
		}
		if b[0] == '\n' {
			return string(line), r
		}
		line = append(line, b[0])
	}
}

func awaitEnd(t *testing.T, r io.Reader) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("somebody still lives")
	}
}

// The deadline kills the command, its children and theirs.
func TestDeadlineKillsTheWholeGroup(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			f := newFifo(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := r.Run(ctx, sh(`exec 9>"$1"; (sh -c 'sleep 1000; true' & sleep 1000; true) & echo ready >&9; sleep 1000; true`, f.path))
				result <- err
			}()
			_, end := f.read()
			cancel()
			awaitEnd(t, end)
			if err := <-result; !errors.Is(err, ErrDeadline) || !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// A command that is told to end may end tidily, but it was told: its code is not an answer.
func TestGrace(t *testing.T) {
	for name, r := range map[string]Runner{"System": System{Grace: patience}, "old kernel": System{Grace: patience, blind: true}, "no descriptor": System{Grace: patience, deaf: true}, "Keeper": Keeper{Lock: lockFile(t), Grace: patience}} {
		t.Run(name, func(t *testing.T) {
			f := newFifo(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			type answer struct {
				r   Result
				err error
			}
			result := make(chan answer, 1)
			go func() {
				r, err := r.Run(ctx, sh(`exec 9>"$1"; trap 'echo tidy; exit 0' TERM; echo ready >&9; while :; do sleep 0.02; done`, f.path))
				result <- answer{r, err}
			}()
			_, end := f.read()
			cancel()
			awaitEnd(t, end)
			if a := <-result; !errors.Is(a.err, ErrDeadline) || string(a.r.Stdout) != "tidy\n" {
				t.Errorf("%+v", a)
			}
		})
	}
}

// The command ends when it is told to, and a child of it does not: the rest of the group goes before Run's promise ends,
// that is, while the lock is still held.
func TestGroupGoesWithItsLeader(t *testing.T) {
	lock := lockFile(t)
	for name, r := range map[string]Runner{"System": System{Grace: time.Hour}, "Keeper": Keeper{Lock: lock, Grace: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			f := newFifo(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := r.Run(ctx, sh(`(trap '' TERM; exec >/dev/null 2>&1 9>"$1"; echo ready >&9; while :; do sleep 1000; done) & wait`, f.path))
				result <- err
			}()
			_, end := f.read()
			cancel()
			awaitEnd(t, end)
			if err := <-result; !errors.Is(err, ErrDeadline) {
				t.Error(err)
			}
		})
	}
}

// Every code is a tool's own: shells end with 126 and 127 where a program inside is missing.
func TestEveryCodeIsAnAnswer(t *testing.T) {
	for name, r := range runners(t) {
		for _, code := range []int{1, 125, 126, 127, 128, 137, 255} {
			got, err := r.Run(short(t, patience), sh("echo err >&2; exit "+strconv.Itoa(code)))
			if err != nil || got.Code != code || string(got.Stderr) != "err\n" {
				t.Errorf("%s: %d: %+v, %v", name, code, got, err)
			}
		}
	}
}

// A daemon that a tool leaves behind with its output open does not hold us.
func TestDaemonDoesNotHoldUs(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Run(short(t, 2*patience), sh("sleep 1000 & echo $!"))
			pid, perr := strconv.Atoi(strings.TrimSpace(string(got.Stdout)))
			if perr != nil {
				t.Fatal(perr)
			}
			defer syscall.Kill(pid, syscall.SIGKILL)
			if err != nil || got.Code != 0 || got.Took > patience {
				t.Errorf("%+v, %v", got, err)
			}
			if err := syscall.Kill(pid, 0); err != nil {
				t.Errorf("the daemon is gone: %v", err)
			}
		})
	}
}

// A command that closes its output and goes on is waited for all the same, and is ended with its context.
func TestSilentCommand(t *testing.T) {
	for name, r := range map[string]Runner{"System": System{}, "old kernel": System{blind: true}} {
		got, err := r.Run(short(t, patience), sh("exec >&- 2>&-; sleep 0.2; exit 3"))
		if err != nil || got.Code != 3 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := r.Run(short(t, 100*time.Millisecond), sh("exec >&- 2>&-; exec sleep 1000")); !errors.Is(err, ErrDeadline) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	for name, r := range map[string]System{"System": {}, "old kernel": {blind: true}} {
		for _, c := range []Command{sh("echo out; exec >&- 2>&-; sleep 0.1"), sh("exec sleep 1000"), {Argv: []string{"/no/such/program"}}} {
			before := count()
			if _, err := r.Run(short(t, 200*time.Millisecond), c); errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if after := count(); after != before {
				t.Errorf("%s: %q left %d descriptors open", name, c.Argv, after-before)
			}
		}
	}
}

func TestFilesAreInherited(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := sh("echo through >&3")
	c.Files = []*os.File{w}
	if _, err := (System{}).Run(short(t, patience), c); err != nil {
		t.Error(err)
	}
	w.Close()
	if b, err := io.ReadAll(r); string(b) != "through\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestBounded(t *testing.T) {
	b := newBounded(4)
	for _, s := range []string{"ab", "cd", ""} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil || b.cut {
			t.Errorf("%q: %d, %v, cut %v", s, n, err, b.cut)
		}
	}
	if n, err := io.Copy(b, bytes.NewReader(make([]byte, 100))); n != 100 || err != nil || !b.cut || string(b.Bytes()) != "abcd" {
		t.Errorf("%d, %v, %q", n, err, b.Bytes())
	}
	if fmt.Sprint(newBounded(0).max) != "1048576" {
		t.Error("no limit is no longer 1 MiB")
	}
}
