package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lockfile"
)

func TestLockNames(t *testing.T) {
	seen := map[string]string{}
	long := strings.Repeat("n", 300)
	for _, c := range []*Call{{Type: "xen", Name: "web"}, {Type: "xen", Name: "web-1"}, {Type: "xen-web", Name: "1"}, {Type: "xen", Name: ""},
		{Type: "xen", Name: "../../etc/x"}, {Type: "xen", Name: "."}, {Type: "xen", Name: long}, {Type: "xen", Name: long + "1"}, {Type: "xen", Name: strings.Repeat("ä", 200)},
		{Type: "xen", Name: "a/b"}, {Type: "xen", Name: "a%2Fb"}, {Type: "xen", Name: "a\x00b"}} {
		name, who := lockName(c), c.Type+" "+c.Name
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q have one lock", who, other)
		}
		seen[name] = who
		if len(name) > 255 || strings.ContainsAny(name, "/\x00") || !strings.HasPrefix(name, "ocf-") || !strings.HasSuffix(name, ".lock") {
			t.Errorf("%q: %q", who, name)
		}
	}
}

func lockPath(n node) string {
	return filepath.Join(n.root, "var/run/lbvm", lockName(&Call{Type: "kit", Name: "k1"}))
}

func mustHeld(t *testing.T, path string) bool {
	t.Helper()
	held, err := lockfile.Held(path)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// The lock is taken by the first Change, kept to the end of the action and let go there. Query takes none.
func TestLockOfAnAction(t *testing.T) {
	n := newNode(t, "echo up > up; read x < go")
	n.fifo("up")
	n.fifo("go")
	done := make(chan Code, 1)
	w, _, _ := n.world("start")
	go func() { done <- Run(w, []byte(kitXML), kit{}) }()
	n.line("up")
	if !mustHeld(t, lockPath(n)) {
		t.Error("no lock while the program works")
	}
	if text := n.read("var/run/lbvm/" + filepath.Base(lockPath(n))); !strings.HasPrefix(text, "start, pid ") {
		t.Errorf("the lock says %q", text)
	}
	n.tell("go")
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
	if mustHeld(t, lockPath(n)) {
		t.Error("the lock outlives the action")
	}

	n = newNode(t, "exit 0")
	w, _, _ = n.world("status", "do=query")
	if code := Run(w, []byte(kitXML), kit{}); code != 0 || n.exists("var") {
		t.Errorf("exit %d; a lock was made for a question: %t", code, n.exists("var"))
	}
}

// waitLog closes waits at the line by which a Change says that it waits.
type waitLog struct {
	testLog
	once  sync.Once
	waits chan struct{}
}

func (l *waitLog) Log(level Level, msg string, kv ...any) {
	l.testLog.Log(level, msg, kv...)
	if strings.Contains(msg, "waits for an earlier action") {
		l.once.Do(func() { close(l.waits) })
	}
}

func TestChangeWaitsForTheLock(t *testing.T) {
	n := newNode(t, "echo \"$1\" >> calls")
	if err := os.MkdirAll(filepath.Dir(lockPath(n)), 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := lockfile.Try(lockPath(n), "stop, pid 77")
	if err != nil {
		t.Fatal(err)
	}
	log := &waitLog{waits: make(chan struct{})}
	w, _, _ := n.world("start")
	w.Log = log
	done := make(chan Code, 1)
	go func() { done <- Run(w, []byte(kitXML), kit{}) }()
	<-log.waits
	if n.exists("calls") {
		t.Error("it did not wait")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 0 || n.read("calls") != "start\n" {
		t.Errorf("exit %d, calls %q", code, n.read("calls"))
	}
	if want := "notice: start of kit:k1 waits for an earlier action: lock is held: "; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "(by stop, pid 77)") {
		t.Errorf("%q is missing in\n%s", want, log)
	}
}

func TestChangeWaitsNoLongerThanItsTime(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	if err := os.MkdirAll(filepath.Dir(lockPath(n)), 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := lockfile.Try(lockPath(n), "stop, pid 77")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	w, _, _ := n.world("stop")
	c := clock.NewFake(time.Unix(0, 0))
	log := &waitLog{waits: make(chan struct{})}
	w.Log, w.WithTimeout = log, c.WithTimeout
	go func() { // its time is over as soon as it waits
		<-log.waits
		c.Advance(time.Hour)
	}()
	if code := Run(w, []byte(kitXML), kit{}); code != CodeGeneric || n.exists("calls") {
		t.Errorf("exit %d, calls %q", code, n.read("calls"))
	}
	for _, want := range []string{"an earlier action of kit:k1 still works", "(by stop, pid 77)", "(exit 1)"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in %s", want, log)
		}
	}
}

func TestInstancesDoNotBlockEachOther(t *testing.T) {
	n := newNode(t, `[ "$2" = k2 ] && exit 0; echo up > up; read x < go`)
	n.fifo("up")
	n.fifo("go")
	first := make(chan Code, 1)
	w, _, _ := n.world("start")
	go func() { first <- Run(w, []byte(kitXML), kit{}) }()
	n.line("up")
	w, _, log := n.world("start", "name=k2")
	w.Env = append([]string{keyPrefix + "name=k2"}, w.Env...)
	if code := Run(w, []byte(kitXML), kit{}); code != 0 { // else it takes a minute, and fails
		t.Errorf("exit %d: %s", code, log)
	}
	n.tell("go")
	if code := <-first; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Where there is no place for a lock the action goes on: a stop that fails would cost more.
func TestNoPlaceForALock(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	n.write("var/run", "a file where a folder should be", 0o644)
	w, _, log := n.world("stop", "do=ask-change-ask")
	if code := Run(w, []byte(kitXML), kit{}); code != 0 || n.read("calls") != "x\nx\nx\n" {
		t.Errorf("exit %d, calls %q", code, n.read("calls"))
	}
	if strings.Count(log.String(), "warning: going on without a lock: ") != 1 {
		t.Errorf("log: %s", log)
	}
}

func TestTwoChangesAtOnce(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	w, _, log := n.world("start", "do=two-at-once")
	if code := Run(w, []byte(kitXML), kit{}); code != 0 || n.read("calls") != "x\nx\n" {
		t.Errorf("exit %d, calls %q, log %s", code, n.read("calls"), log)
	}
	if mustHeld(t, lockPath(n)) {
		t.Error("the lock outlives the action")
	}
}

// What an action left behind changes nothing after the answer.
func TestNoChangeAfterTheAnswer(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	var kept *Call
	see := toy{func(_ context.Context, c *Call) { kept = c }}
	w, _, _ := n.world("start")
	if code := Run(w, []byte(testXML), see); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if _, err := kept.Change(context.Background(), "tool"); err == nil || !strings.Contains(err.Error(), "the action is over") || n.exists("calls") {
		t.Errorf("%v, calls %q", err, n.read("calls"))
	}
}

// The agent is killed while a program of it changes the resource. The next action waits for the orphan and goes on.
func TestKilledInTheMiddleOfAChange(t *testing.T) {
	n := newNode(t, `echo "$1 begins" >> calls
if [ -p up ]; then echo up > up; read x < go; fi
echo "$1 ends" >> calls`)
	n.fifo("up")
	n.fifo("go")
	first := n.start("start")
	n.line("up")
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := end(t, first); code != -int(syscall.SIGKILL) {
		t.Errorf("exit %d", code)
	}
	if !mustHeld(t, lockPath(n)) {
		t.Error("the lock is free while the orphan works")
	}
	log := listen(t, n.root)
	defer log.Close()
	if err := os.Rename(filepath.Join(n.root, "up"), filepath.Join(n.root, "was-up")); err != nil {
		t.Fatal(err)
	}
	next := n.start("stop")
	// The next action says that it waits; the orphan can be nowhere but where it was.
	if line := receive(t, log); !strings.Contains(line, "stop of kit:k1 waits for an earlier action") {
		t.Errorf("log: %q", line)
	}
	if calls := n.read("calls"); calls != "start begins\n" {
		t.Errorf("calls: %q", calls)
	}
	n.tell("go")
	if code := end(t, next); code != 0 {
		t.Errorf("exit %d", code)
	}
	if calls := n.read("calls"); calls != "start begins\nstart ends\nstop begins\nstop ends\n" {
		t.Errorf("calls:\n%s", calls)
	}
	if mustHeld(t, lockPath(n)) {
		t.Error("the lock is left behind")
	}
}

// Both the program and its child ignore SIGTERM. None of them outlives the action's time, and the answer comes in it.
func TestDeadlineEndsTheWholeGroup(t *testing.T) {
	for _, do := range []string{"query", "change"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, `trap '' TERM; exec 9> alive >/dev/null 2>&1; (while :; do sleep 1000; done) & echo up >&9; while :; do sleep 1000; done`)
			n.fifo("alive")
			inTime(t, time.Second, 4*time.Second, func() {
				agent := n.start("stop", "do="+do, "CRM_meta_timeout=4000")
				_, alive := n.line("alive")
				if code := end(t, agent); code != 1 {
					t.Errorf("exit %d", code)
				}
				gone(t, alive) // a query's before the answer, but a busy machine may bury it later; a change's keeper may end it later
			})
		})
	}
}

// errors that have a meaning keep it through the library.
func TestDeadlineOfAProgramIsTold(t *testing.T) {
	c := callOn(newNode(t, "read x < never"))
	n := node{t, c.World.Getenv(RootVariable)}
	n.fifo("never")
	for name, run := range both(c) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, err := run(ctx, "tool")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || codeOf(err) != CodeGeneric {
			t.Errorf("%s: %v", name, err)
		}
	}
}
