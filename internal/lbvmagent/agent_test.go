package lbvmagent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

type testLog struct{ all []string }

func (l *testLog) Log(level ocf.Level, msg string, kv ...any) {
	l.all = append(l.all, fmt.Sprintf("%s: %s %v", level, msg, kv))
}

// node is a node in a folder, and the agent on it.
type node struct {
	t       *testing.T
	root    string
	log     *testLog
	agent   *Agent
	started []run.Command // by the agent
	refuse  error         // what Detach answers
	alive   bool          // what is started lives on
	now     time.Time
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, root: t.TempDir(), log: &testLog{}, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	n.agent = &Agent{
		Detach: func(c run.Command) (int, error) {
			if n.refuse != nil {
				return 0, n.refuse
			}
			n.started = append(n.started, c)
			return 4711, nil
		},
		Alive: func(pid int) bool {
			if pid != 4711 {
				t.Errorf("asked for process %d", pid)
			}
			return n.alive
		},
	}
	n.write(Monitor, "#!/bin/sh\n", 0o755)
	return n
}

func (n *node) path(p string) string { return filepath.Join(n.root, p) }

func (n *node) write(path, text string, mode os.FileMode) {
	n.t.Helper()
	if err := os.MkdirAll(filepath.Dir(n.path(path)), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(n.path(path), []byte(text), mode); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) exists(path string) bool {
	_, err := os.Stat(n.path(path))
	return err == nil
}

// call runs an action and wants that code.
func (n *node) call(action string, want ocf.Code) {
	n.t.Helper()
	n.callAs("balancer", action, want)
}

func (n *node) callAs(name, action string, want ocf.Code) {
	n.t.Helper()
	n.now = n.now.Add(time.Minute)
	w := ocf.World{Args: []string{"/usr/share/cluster/lbvm.sh", action}, Env: []string{"OCF_RESKEY_name=" + name, "LBVM_ROOT=" + n.root},
		Now: func() time.Time { return n.now }, Log: n.log, Box: n.path("blackbox")}
	if got := ocf.Run(w, metadata.LBVM(), n.agent); got != want {
		n.t.Fatalf("%s: exit %d, want %d; log:\n%s", action, got, want, strings.Join(n.log.all, "\n"))
	}
}

// pass leaves the record that a pass would.
func (n *node) pass(outcome, cause string, failures int) {
	n.t.Helper()
	r := Record{At: n.now, Outcome: outcome, Cause: cause, Failures: failures, Why: "the reason"}
	n.write(RecordFile, string(r.Format()), 0o644)
}

// launches is how many passes were started since the last call of it.
func (n *node) launches() int {
	k := len(n.started)
	n.started = nil
	return k
}

const startedFile = host.RunDir + "/lbvm-balancer.started"

func TestLife(t *testing.T) {
	n := newNode(t)
	n.call("status", ocf.CodeNotRunning)
	n.call("stop", 0)
	if n.exists(host.RunDir) || n.launches() > 0 {
		t.Error("a status and a stop of what does not run did something")
	}
	n.call("start", 0)
	if !n.exists(startedFile) || n.launches() > 0 {
		t.Error("the start is not noted, or it started a pass")
	}
	n.call("start", 0)
	for i := 0; i < 5; i++ {
		n.call("status", 0)
		if n.launches() != 1 {
			t.Fatal("not one pass was started")
		}
		n.pass(OK, "", 0)
	}
	n.call("stop", 0)
	if n.exists(startedFile) {
		t.Error("the note of the start is still there")
	}
	n.call("status", ocf.CodeNotRunning)
	if n.launches() > 0 {
		t.Error("a pass was started after the stop")
	}
	n.call("stop", 0)
	n.call("validate-all", 0)
	n.call("migrate", ocf.CodeUnimplemented)
}

func TestHowAPassIsStarted(t *testing.T) {
	n := newNode(t)
	n.call("start", 0)
	n.call("status", 0)
	if len(n.started) != 1 {
		t.Fatalf("%d passes", len(n.started))
	}
	c := n.started[0]
	if len(c.Argv) != 1 || c.Argv[0] != n.path(Monitor) || c.Dir != "/" {
		t.Errorf("%+v", c)
	}
	env := strings.Join(c.Env, " ")
	want := "PATH=" + n.path("sbin") + ":" + n.path("bin") + ":" + n.path("usr/sbin") + ":" + n.path("usr/bin") + " HOME=/root LC_ALL=C LBVM_ROOT=" + n.root
	if env != want {
		t.Errorf("environment %s\nwant %s", env, want)
	}
}

func TestNotInstalled(t *testing.T) {
	n := newNode(t)
	if err := os.Chmod(n.path(Monitor), 0o644); err != nil {
		t.Fatal(err)
	}
	n.call("start", ocf.CodeInstalled)
	n.call("validate-all", ocf.CodeInstalled)
	if err := os.Remove(n.path(Monitor)); err != nil {
		t.Fatal(err)
	}
	n.call("start", ocf.CodeInstalled)
	n.call("status", ocf.CodeNotRunning)
	n.call("stop", 0)
}

func TestNames(t *testing.T) {
	n := newNode(t)
	for _, bad := range []string{"../x", "a/b", ".x", strings.Repeat("x", 51)} {
		n.callAs(bad, "start", ocf.CodeConfigured)
		n.callAs(bad, "status", ocf.CodeConfigured)
		n.callAs(bad, "stop", 0)
	}
	// Two resources do not mix.
	n.callAs("one", "start", 0)
	n.callAs("two", "status", ocf.CodeNotRunning)
	n.callAs("two", "stop", 0)
	n.callAs("one", "status", 0)
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		outcome, cause string
		failures       int
		want           ocf.Code
	}{
		{OK, "", 0, 0},
		{Failed, CauseNode, 1, 0},
		{Failed, CauseNode, 2, 0},
		{Failed, CauseNode, 3, 1},
		{Failed, CauseNode, 4, 1},
		{Failed, CauseCluster, 0, 0}, // no other node could cure that
		{Config, CauseConfig, 0, 0},
		{Locked, "", 0, 0},
	} {
		n := newNode(t)
		n.call("start", 0)
		n.call("status", 0)
		n.pass(tt.outcome, tt.cause, tt.failures)
		n.call("status", tt.want)
		if n.launches() != 2 {
			t.Errorf("%+v: the next pass was not started", tt)
		}
		said := strings.Contains(strings.Join(n.log.all, "\n"), "the reason")
		if said != (tt.outcome == Failed || tt.outcome == Config) {
			t.Errorf("%+v: log %q", tt, n.log.all)
		}
		// A new start has a right to failures of its own.
		n.call("stop", 0)
		n.call("start", 0)
		n.call("status", 0)
	}
}

func TestSaidOnce(t *testing.T) {
	n := newNode(t)
	n.call("start", 0)
	n.call("status", 0)
	n.pass(Config, CauseConfig, 0)
	n.alive = true
	for i := 0; i < 3; i++ {
		n.call("status", 0)
	}
	if got := strings.Count(strings.Join(n.log.all, "\n"), "the configuration has errors"); got != 1 {
		t.Errorf("said %d times", got)
	}
}

func TestBadRecords(t *testing.T) {
	for _, text := range []string{"", "torn", "format=2\n", "format=1\nat=now\nfailures=9\n", "format=1\nat=2026-11-21T12:00:00Z\noutcome=failed\nfailures=many\n"} {
		n := newNode(t)
		n.call("start", 0)
		n.write(RecordFile, text, 0o644)
		n.call("status", 0)
		if n.launches() != 1 || !strings.Contains(strings.Join(n.log.all, "\n"), "warning: cannot read the record") {
			t.Errorf("%q: log %q", text, n.log.all)
		}
		n.write(host.RunDir+"/lbvm-balancer.launched", text, 0o644)
		n.call("status", 0)
		if n.launches() != 1 {
			t.Errorf("%q: no pass was started", text)
		}
	}
}

func TestPassRuns(t *testing.T) {
	n := newNode(t)
	n.call("start", 0)
	lock, err := lockfile.Try(n.path(LockFile), "a pass")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 5; i++ { // however long it takes
		n.call("status", 0)
	}
	if n.launches() > 0 {
		t.Error("a second pass was started")
	}
	n.call("stop", 0) // and does not wait for it
	if held, err := lockfile.Held(n.path(LockFile)); !held || err != nil {
		t.Errorf("the stop touched the running pass: %t, %v", held, err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	n.call("start", 0)
	n.call("status", 0)
	if n.launches() != 1 {
		t.Error("no pass was started when the lock was free")
	}
}

func TestPassesThatDie(t *testing.T) {
	n := newNode(t)
	n.call("start", 0)
	n.call("status", 0)
	n.call("status", 0) // one died without a record
	n.call("status", 0) // two
	n.call("status", 1) // three
	n.pass(OK, "", 0)
	n.call("status", 0)
	n.call("status", 0)

	// One that lives and has not taken the lock yet is not dead.
	n = newNode(t)
	n.alive = true
	n.call("start", 0)
	for i := 0; i < 10; i++ {
		n.call("status", 0)
	}
}

func TestPassesThatCannotBeStarted(t *testing.T) {
	n := newNode(t)
	n.refuse = errors.New("no such program")
	n.call("start", 0)
	n.call("status", 0)
	n.call("status", 0)
	n.call("status", 1)
	if !strings.Contains(strings.Join(n.log.all, "\n"), "cannot start a pass: no such program") {
		t.Errorf("log %q", n.log.all)
	}

	n = newNode(t) // repaired in time
	n.call("start", 0)
	n.refuse = errors.New("no such program")
	n.call("status", 0)
	n.call("status", 0)
	n.refuse = nil
	n.call("status", 0)
	n.pass(OK, "", 0)
	n.call("status", 0)
}

func TestStopCannotRemove(t *testing.T) {
	n := newNode(t)
	n.write(startedFile+"/not-empty", "", 0o644) // a folder there cannot be removed, not even by root
	n.call("stop", 0)
	if !strings.Contains(strings.Join(n.log.all, "\n"), "error: stop: the note of the start stays") {
		t.Errorf("log %q", n.log.all)
	}
}

func TestRelativeRoot(t *testing.T) {
	n := newNode(t)
	n.root = "relative"
	n.call("start", ocf.CodeConfigured)
}

func TestRecord(t *testing.T) {
	r := Record{At: time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC), Outcome: Failed, Cause: CauseNode, Failures: 2, Why: "a=b\nc"}
	got, err := ParseRecord(r.Format())
	if err != nil {
		t.Fatal(err)
	}
	r.Why = "a=b c"
	if got != r {
		t.Errorf("%+v, want %+v", got, r)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(Record{At: time.Unix(1, 0).UTC(), Outcome: OK}.Format())
	f.Add([]byte("format=1\nat=2026-11-21T12:00:00+01:00\noutcome=failed\ncause=node\nfailures=3\nwhy=x\n"))
	f.Add([]byte("format=1\npid=1\nrecord=00\nlost=2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, err := parseLaunch(text); err == nil && (l.pid < 0 || l.lost < 0) {
			t.Fatalf("accepted %+v", l)
		}
		r, err := ParseRecord(text)
		if err != nil {
			return
		}
		if r.Failures < 0 {
			t.Fatalf("accepted %+v", r)
		}
		again, err := ParseRecord(r.Format())
		if err == nil && (again.Failures != r.Failures || again.Outcome != r.Outcome || !again.At.Equal(r.At)) {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}
