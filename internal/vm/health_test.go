package vm

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/probe"
	"github.com/lbvm/lbvm/internal/run"
)

// checked is a world in which the guest runs on node1 and its check says what *code is. It counts the checks.
func checked(t *testing.T, typ string) (w *world, n *node, code, asked *int) {
	t.Helper()
	w = newWorld(t, typ, "node1", "node2")
	n = w.nodes["node1"]
	code, asked = new(int), new(int)
	w.program = func(c run.Command) (run.Result, error) {
		*asked++
		if !strings.HasSuffix(c.Argv[0], "/bin/guest-is-well") || !slices.Equal(c.Argv[1:], []string{"-q"}) || !slices.Contains(c.Env, "LBVM_VM=101") || !slices.Contains(c.Env, "LBVM_TYPE="+typ) {
			t.Errorf("the check is %q in %q", c.Argv, c.Env)
		}
		return run.Result{Code: *code, Stderr: []byte("no pages\n")}, nil
	}
	w.must(n.do("start"))
	return w, n, code, asked
}

func well(more ...string) map[string]string {
	p := map[string]string{"check": "exec:/bin/guest-is-well -q"}
	for i := 0; i+1 < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	return p
}

func TestCheckIsOfDepthTen(t *testing.T) {
	_, n, code, asked := checked(t, "xen")
	*code = 1
	for _, depth := range []string{"", " at depth 1", " at depth 9"} {
		for range 5 {
			if err := n.do("status"+depth, well("check_limit", "0")); err != nil || *asked != 0 {
				t.Fatalf("%s: %v, asked %d times", depth, err, *asked)
			}
		}
	}
	if err := n.do("status at depth 10"); err != nil || *asked != 0 {
		t.Errorf("without a check: %v, asked %d times", err, *asked)
	}
	if err := n.do("status at depth 10", well("check_limit", "0")); !errors.Is(err, probe.ErrNoAnswer) || !strings.Contains(err.Error(), "no pages") || *asked != 1 {
		t.Errorf("%v, asked %d times", err, *asked)
	}
}

func TestCheckLimit(t *testing.T) {
	w, n, code, _ := checked(t, "openvz")
	status := func(want bool) {
		t.Helper()
		if err := n.do("status at depth 10", well()); (err == nil) != want {
			t.Errorf("%v", err)
		}
	}
	for range 3 { // two may fail, again and again
		*code = 1
		status(true)
		status(true)
		if !strings.Contains(strings.Join(n.logs, "\n"), "a check failed") {
			t.Errorf("nothing is said of it: %q", n.logs)
		}
		w.must(n.do("status", well()))
		*code = 0
		status(true)
	}
	*code = 1
	status(true)
	status(true)
	status(false)
	// What follows is a cold stop: who does not answer is not resumed elsewhere.
	w.must(n.do("stop", well()))
	if st := w.state(); st.Phase != handoff.Down {
		t.Errorf("the state is %s", stateText(st))
	}
	*code = 0
	w.must(n.do("start", well()))
	*code = 1
	status(true) // it counts anew
	w.ok()
}

// rgmanager validates nothing: a limit that is no number, or out of bounds, is the default.
func TestCheckLimitOutOfBounds(t *testing.T) {
	for text, bears := range map[string]int{"": 2, "-1": 2, "1001": 2, "99999999999999999999": 2, "soon": 2, "0": 0, "1": 1, "4": 4} {
		_, n, code, _ := checked(t, "openvz")
		*code = 1
		for i := range bears + 1 {
			if err := n.do("status at depth 10", well("check_limit", text)); (err == nil) != (i < bears) {
				t.Errorf("check_limit=%q, check %d: %v", text, i+1, err)
			}
		}
	}
}

func TestCheckReports(t *testing.T) {
	w, n, code, _ := checked(t, "xen")
	*code = 1
	for i := range 6 {
		if err := n.do("status at depth 10", well("check_action", "report")); err != nil {
			t.Fatal(err)
		}
		if loud := strings.Contains(strings.Join(n.logs, "\n"), "leaves it alone"); loud != (i >= 2) {
			t.Errorf("check %d: %q", i, n.logs)
		}
	}
	w.must(n.do("stop", well("check_action", "report")))
	if st := w.state(); st.Phase != handoff.Suspended {
		t.Errorf("its memory was not kept: %s", stateText(st))
	}
	w.ok()
}

// A check that cannot be made says nothing of the guest.
func TestCheckThatCannotBeMade(t *testing.T) {
	w, n, _, _ := checked(t, "xen")
	p := well("check_limit", "0")
	for what, program := range map[string]func(run.Command) (run.Result, error){
		"no program": func(run.Command) (run.Result, error) { return run.Result{}, run.ErrNotFound },
		"no process": func(run.Command) (run.Result, error) {
			return run.Result{}, errors.New("resource temporarily unavailable")
		},
		"its shell": func(run.Command) (run.Result, error) { return run.Result{Code: 127}, nil },
	} {
		w.program = program
		if err := n.do("status at depth 10", p); err != nil || !strings.Contains(strings.Join(n.logs, "\n"), "not checked") {
			t.Errorf("%s: %v, %q", what, err, n.logs)
		}
	}
	for _, text := range []string{"http:web", "tcp:nobody-knows-it:80"} {
		if err := n.do("status at depth 10", map[string]string{"check": text, "check_limit": "0"}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	w.program = func(run.Command) (run.Result, error) { return run.Result{}, run.ErrDeadline }
	if err := n.do("status at depth 10", p); !errors.Is(err, probe.ErrNoAnswer) {
		t.Errorf("one that hangs: %v", err)
	}
}

// Nobody can answer who is frozen or leaves.
func TestFrozenGuestIsNotChecked(t *testing.T) {
	for _, is := range []func(n *node){isPaused, isIn(hypervisor.Migrating), isIn(hypervisor.Arriving)} {
		_, n, code, asked := checked(t, "xen")
		*code = 1
		is(n)
		if n.do("status at depth 10", well("check_limit", "0")); *asked != 0 {
			t.Errorf("%s: asked %d times", n.g.state, *asked)
		}
	}
	// OpenVZ does not show it, and xl not that it leaves: the lock of this node tells that something is going on.
	w, n, code, asked := checked(t, "openvz")
	*code = 1
	h, err := n.host()
	w.must(err)
	l, err := lockfile.Try(h.Path(host.RunDir+"/openvz-101"+nodeLock), "a keeper")
	w.must(err)
	if err := n.do("status at depth 10", well("check_limit", "0")); err != nil || *asked != 0 {
		t.Errorf("%v, asked %d times", err, *asked)
	}
	w.must(l.Close())
	if err := n.do("status at depth 10", well("check_limit", "0")); err == nil || *asked != 1 {
		t.Errorf("%v, asked %d times", err, *asked)
	}
}

func TestCheckFailover(t *testing.T) {
	failed := func(t *testing.T) (w *world, n *node) {
		w, n, code, _ := checked(t, "xen")
		*code = 1
		p := well("check_limit", "0", "check_action", "failover")
		if err := n.do("status at depth 10", p); err == nil {
			t.Fatal("the check did not fail")
		}
		w.must(n.do("stop", p))
		return w, n
	}
	p := well("check_action", "failover")

	w, n := failed(t)
	before := w.state()
	if err := n.do("start", p); err == nil || !strings.Contains(err.Error(), "wants it elsewhere") || n.g.alive() {
		t.Errorf("%v", err)
	}
	if st := w.state(); st.Seq != before.Seq {
		t.Errorf("the record was changed: %s", stateText(st))
	}
	w.must(n.do("stop", p)) // as the manager does after a start that failed
	w.must(w.nodes["node2"].do("start", p))
	w.must(w.nodes["node2"].do("stop", p))
	w.must(n.do("start", p))
	w.ok()

	// Once: where nobody else could, the manager comes back.
	w, n = failed(t)
	if err := n.do("start", p); err == nil {
		t.Error("it is started again")
	}
	w.must(n.do("start", p))

	// Not where something has happened since.
	w, n = failed(t)
	w.must(w.nodes["node2"].do("start", p))
	w.must(w.nodes["node2"].do("stop", well("on_stop", "shutdown")))
	w.must(n.do("start", p))

	// Not where nobody else is there.
	w, n = failed(t)
	w.nodes["node2"].online = false
	w.must(n.do("start", p))

	// Not after an ordinary stop, and not for restart.
	w, n, _, _ = checked(t, "xen")
	w.must(n.do("stop", p))
	w.must(n.do("start", p))
	w.program = func(run.Command) (run.Result, error) { return run.Result{Code: 1}, nil }
	if err := n.do("status at depth 10", well("check_limit", "0")); err == nil {
		t.Error("the check did not fail")
	}
	w.must(n.do("stop", well()))
	w.must(n.do("start", well()))

	// Nor for what the tool says itself: that follows the manager's policy alone.
	w, n, _, _ = checked(t, "xen")
	n.g.sick = "crashed"
	if err := n.do("status at depth 10", p); err == nil {
		t.Error("a sick guest is well")
	}
	w.must(n.do("stop", p))
	w.must(n.do("start", p))
	w.ok()
}

func TestWaitReady(t *testing.T) {
	ready := func(t *testing.T, after int, params map[string]string, also func(n *node, try int)) (took time.Duration, asked int, n *node, err error) {
		w := newWorld(t, "openvz", "node1")
		n = w.nodes["node1"]
		w.program = func(run.Command) (run.Result, error) {
			asked++
			if also != nil {
				also(n, asked)
			}
			if l, err := w.dir().TryLock("test"); err != nil {
				t.Errorf("the VM's lock is held while the start waits: %v", err)
			} else if err := l.Unlock(); err != nil {
				t.Error(err)
			}
			if st := w.state(); st.Phase != handoff.Running {
				t.Errorf("the record says %s while the start waits", stateText(st))
			}
			if asked > after {
				return run.Result{}, nil
			}
			return run.Result{Code: 1}, nil
		}
		began := w.clock.Now()
		err = n.do("start", params)
		w.ok()
		return w.clock.Now().Sub(began), asked, n, err
	}
	if _, asked, _, err := ready(t, 0, well(), nil); err != nil || asked != 0 {
		t.Errorf("without wait_ready: %v, asked %d times", err, asked)
	}
	if took, asked, _, err := ready(t, 7, well("wait_ready", "60"), nil); err != nil || asked != 8 || took < 7*time.Second || took > 20*time.Second {
		t.Errorf("%v, asked %d times in %s", err, asked, took)
	}
	never := 1 << 30
	took, _, n, err := ready(t, never, well("wait_ready", "60"), nil)
	if err != nil || took < 55*time.Second || took > 70*time.Second || !n.g.alive() || !strings.Contains(strings.Join(n.logs, "\n"), "does not answer yet") {
		t.Errorf("at the limit: %v after %s, %q", err, took, n.logs)
	}
	if journal, err := os.ReadFile(n.w.shared + "/lbvm/log/migrate.log"); err != nil || !strings.Contains(string(journal), "not ready") {
		t.Errorf("the journal says %s, %v", journal, err)
	}
	if took, _, _, err := ready(t, never, well("wait_ready", "100000"), nil); err != nil || took > 280*time.Second {
		t.Errorf("more than the action may take: %v after %s", err, took)
	}
	dies := func(n *node, try int) {
		if try == 3 {
			n.g = guest{}
		}
	}
	if _, _, _, err := ready(t, never, well("wait_ready", "60"), dies); err == nil || !strings.Contains(err.Error(), "gone again") {
		t.Errorf("it ended meanwhile: %v", err)
	}
	// A guest that runs here already is asked as well: the answer is there at once.
	if took, asked, _, err := ready(t, 0, well("wait_ready", "60"), nil); err != nil || asked != 1 || took > 5*time.Second {
		t.Errorf("%v, asked %d times in %s", err, asked, took)
	}
}

func TestValidateCheck(t *testing.T) {
	w := newWorld(t, "xen", "node1")
	n := w.nodes["node1"]
	w.must(os.MkdirAll(n.root+"/bin", 0o755))
	w.must(os.WriteFile(n.root+"/bin/guest-is-well", nil, 0o755))
	for _, tt := range []struct {
		params map[string]string
		want   string
	}{
		{well(), ""},
		{well("check_limit", "0", "check_action", "report", "wait_ready", "30"), ""},
		{map[string]string{"check": "tcp:web1:80"}, ""},
		{map[string]string{"check": "tcp:web1"}, "no port"},
		{map[string]string{"check": "exec:/bin/missing"}, "no such file"},
		{map[string]string{"wait_ready": "30"}, "there is none"},
		{well("wait_ready", "soon"), "wait_ready"},
		{well("check_limit", "-1"), "check_limit"},
		{well("check_limit", "1000", "wait_ready", "3600"), ""},
		{well("check_limit", "1001"), "from 0 to 1000"},
		{well("wait_ready", "3601"), "from 0 to 3600"},
		{well("wait_ready", "-1"), "wait_ready"},
		{well("check_action", "reboot"), "restart, failover and report"},
	} {
		err := n.agent().Validate(context.Background(), n.call(tt.params))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v", tt.params, err)
		}
	}
}
