package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// unit is a resource in memory: what a correct agent does with one.
type unit struct {
	running bool
	broken  error    // what every action that changes it answers
	saw     []string // one line a call
}

func (u *unit) see(c *Call, what string) {
	u.saw = append(u.saw, fmt.Sprintf("%s depth=%d timeout=%s size=%s", what, c.Depth, c.Timeout, c.Params.Get("size")))
}

func (u *unit) Start(_ context.Context, c *Call) error {
	u.see(c, "start")
	if u.broken == nil {
		u.running = true
	}
	return u.broken
}

func (u *unit) Stop(_ context.Context, c *Call) error {
	u.see(c, "stop")
	if !u.running {
		return ErrNotRunning
	}
	if u.broken == nil {
		u.running = false
	}
	return u.broken
}

func (u *unit) Status(_ context.Context, c *Call) error {
	u.see(c, "status")
	switch {
	case u.broken != nil:
		return u.broken
	case !u.running:
		return ErrNotRunning
	}
	return nil
}

func (u *unit) Migrate(_ context.Context, c *Call, target string) error {
	u.see(c, "migrate "+target)
	if u.broken == nil {
		u.running = false
	}
	return u.broken
}

func (u *unit) Recover(_ context.Context, c *Call) error {
	u.see(c, "recover")
	return u.broken
}

// rgmanagerEnv is the whole environment that rgmanager gives to an action (restree.c:build_env, add_ocf_stuff).
func rgmanagerEnv(depth, timeout int, more ...string) []string {
	return append([]string{
		"OCF_RESKEY_name=t1", "OCF_RESKEY_do=ok", "OCF_RESKEY_size=3", "OCF_RESKEY_flag=",
		"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0", "OCF_ROOT=/usr/share/cluster",
		"OCF_RESOURCE_INSTANCE=toy:t1", "OCF_RESOURCE_TYPE=toy", fmt.Sprintf("OCF_CHECK_LEVEL=%d", depth),
		"OCF_RESKEY_RGMANAGER_meta_refcnt=0", fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_timeout=%d", timeout),
	}, more...)
}

// TestWhenRGManagerCalls has one row for each event at which rgmanager calls an agent, with the call as it makes it.
func TestWhenRGManagerCalls(t *testing.T) {
	broke := errors.New("it broke")
	withReconfig := strings.Replace(testXML, `<action name="recover"`, `<action name="reconfig" timeout="10"/><action name="recover"`, 1)
	for _, tt := range []struct {
		event string
		unit  unit
		args  string
		env   []string
		want  Code
		saw   string // the call that reached the agent; "" none
		after bool   // whether it runs then
	}{
		{"start of a group", unit{}, "start", rgmanagerEnv(0, 300), 0, "start depth=0 timeout=5m0s size=3", true},
		{"start of a group, and it runs already", unit{running: true}, "start", rgmanagerEnv(0, 300), 0, "start depth=0 timeout=5m0s size=3", true},
		{"start of a group fails", unit{broken: broke}, "start", rgmanagerEnv(0, 300), 1, "start depth=0 timeout=5m0s size=3", false},
		{"stop, disable, relocation's source, recovery, exit", unit{running: true}, "stop", rgmanagerEnv(0, 60), 0, "stop depth=0 timeout=1m0s size=3", false},
		{"stop fails: the service becomes failed", unit{running: true, broken: broke}, "stop", rgmanagerEnv(0, 60), 1, "stop depth=0 timeout=1m0s size=3", true},
		{"rgmanager starts on a node: stop of every group there", unit{}, "stop", rgmanagerEnv(0, 60), 0, "stop depth=0 timeout=1m0s size=3", false},
		{"a new group appears in the configuration: stop on every node", unit{}, "stop", rgmanagerEnv(0, 60), 0, "stop depth=0 timeout=1m0s size=3", false},
		{"a group is taken out of the configuration: stop on its owner", unit{running: true}, "stop", rgmanagerEnv(0, 60), 0, "stop depth=0 timeout=1m0s size=3", false},
		{"a parameter marked reconfig changed", unit{running: true}, "reconfig", rgmanagerEnv(0, 10), 0, "", true},
		{"another parameter changed: stop with the old value", unit{running: true}, "stop", rgmanagerEnv(0, 60), 0, "stop depth=0 timeout=1m0s size=3", false},
		{"another parameter changed: start with the new value", unit{}, "start", append([]string{"OCF_RESKEY_size=4"}, rgmanagerEnv(0, 300)...), 0, "start depth=0 timeout=5m0s size=4", true},
		{"periodic status on the owner", unit{running: true}, "status", rgmanagerEnv(0, 20), 0, "status depth=0 timeout=20s size=3", true},
		{"periodic status of a greater depth", unit{running: true}, "status", rgmanagerEnv(10, 40), 0, "status depth=10 timeout=40s size=3", true},
		{"periodic status with an enforced timeout: rgmanager says 0", unit{running: true}, "status", rgmanagerEnv(10, 0), 0, "status depth=10 timeout=40s size=3", true},
		{"periodic status, and it is gone", unit{}, "status", rgmanagerEnv(0, 20), 7, "status depth=0 timeout=20s size=3", false},
		{"a status failed and the metadata declares recover", unit{running: true}, "recover", rgmanagerEnv(0, 0), 0, "recover depth=0 timeout=0s size=3", true},
		{"a status failed and recover fails too", unit{running: true, broken: broke}, "recover", rgmanagerEnv(0, 0), 1, "recover depth=0 timeout=0s size=3", true},
		{"clusvcadm -M, and failback of a migratory group", unit{running: true}, "migrate node2", rgmanagerEnv(0, 600), 0, "migrate node2 depth=0 timeout=10m0s size=3", false},
		{"status inquiry on the other members", unit{}, "status", rgmanagerEnv(0, 20), 7, "status depth=0 timeout=20s size=3", false},
		{"status inquiry finds it after a migration by hand", unit{running: true}, "status", rgmanagerEnv(0, 20), 0, "status depth=0 timeout=20s size=3", true},
		// never called by rgmanager, by people only
		{"validate-all", unit{running: true}, "validate-all", rgmanagerEnv(0, 5), 0, "", true},
		{"monitor", unit{running: true}, "monitor", rgmanagerEnv(0, 20), 3, "", true},
		{"reload", unit{running: true}, "reload", rgmanagerEnv(0, 20), 3, "", true},
		{"restart", unit{running: true}, "restart", rgmanagerEnv(0, 20), 3, "", true},
		{"verify-all", unit{running: true}, "verify-all", rgmanagerEnv(0, 20), 3, "", true},
		{"migrate_to", unit{running: true}, "migrate_to", rgmanagerEnv(0, 20), 3, "", true},
	} {
		u := tt.unit
		w, out, errs := world(&testLog{}, tt.args, tt.env...)
		got := Run(w, []byte(withReconfig), &u)
		if got != tt.want || strings.Join(u.saw, "; ") != tt.saw || u.running != tt.after {
			t.Errorf("%s: exit %d, want %d; the agent saw %q, want %q; running %t, want %t", tt.event, got, tt.want, u.saw, tt.saw, u.running, tt.after)
		}
		if out.Len()+errs.Len() > 0 {
			t.Errorf("%s: printed %q and %q: rgmanager wants silence", tt.event, out, errs)
		}
	}
}

// TestRGManagerReadsMetaData: the daemon runs it with its own environment, no stdin and no stderr, and reads to the end.
func TestRGManagerReadsMetaData(t *testing.T) {
	for _, env := range [][]string{nil, {"PATH=/bin", "OCF_RESKEY_CRM_meta_timeout=1"}, {"OCF_RESKEY_name=x"}} {
		var out bytes.Buffer
		w := World{Args: []string{"/usr/share/cluster/toy.sh", "meta-data"}, Env: env, Stdout: &out}
		if got := Run(w, []byte(testXML), nil); got != 0 || out.String() != testXML {
			t.Errorf("%v: exit %d, printed %q", env, got, &out)
		}
	}
}

// TestRGManagerExitCodes has one row for each exit code that means something to rgmanager, by action, with the error
// by which an agent says it (restree.c:res_exec, rg_state.c:svc_migrate, svc_stop).
func TestRGManagerExitCodes(t *testing.T) {
	say := func(code Code) error { return Errorf(code, "said") }
	for _, tt := range []struct {
		meaning string
		action  string
		err     error
		want    Code
	}{
		{"start: done", "start", nil, 0},
		{"start: generic error, stopped again and tried elsewhere", "start", errors.New("x"), 1},
		{"start: invalid argument", "start", say(CodeArgs), 2},
		{"start: not implemented", "start", say(CodeUnimplemented), 3},
		{"start: insufficient privileges", "start", say(CodePerm), 4},
		{"start: program not installed", "start", say(CodeInstalled), 5},
		{"start: program not configured", "start", say(CodeConfigured), 6},

		{"status: runs here", "status", nil, 0},
		{"status: not running, recovered as any failure is", "status", ErrNotRunning, 7},
		{"status: cannot tell, recovered", "status", errors.New("x"), 1},
		{"status: no code of an agent can be 0 by accident", "status", say(CodeOK), 1},

		{"stop: done", "stop", nil, 0},
		{"stop: nothing ran; any other code would fail the service", "stop", ErrNotRunning, 0},
		{"stop: it may still run, the service is failed", "stop", errors.New("x"), 1},
		{"stop: 5 fails the service too", "stop", say(CodeInstalled), 5},
		{"stop: 6 fails the service too", "stop", say(CodeConfigured), 6},
		{"stop: an error around not-running is a failure", "stop", fmt.Errorf("and the disk is busy: %w", ErrNotRunning), 7},

		{"migrate: the owner is the target now", "migrate", nil, 0},
		{"migrate: nothing changed, the next status decides", "migrate", ErrNotRunning, 7},
		{"migrate: invalid operation, nothing changed", "migrate", say(CodeConfigured), 6},
		{"migrate: failed; running on the original owner", "migrate", ErrStillHere, 150},
		{"migrate: failed, and so wrapped", "migrate", fmt.Errorf("xm said no: %w", ErrStillHere), 150},
		{"migrate: the service is failed", "migrate", errors.New("x"), 1},
		{"migrate: the service is failed by 5", "migrate", say(CodeInstalled), 5},

		{"recover: healthy", "recover", nil, 0},
		{"recover: recovered by a stop", "recover", errors.New("x"), 1},
	} {
		u := &unit{running: true, broken: tt.err}
		if tt.err == ErrNotRunning && tt.action == "status" {
			u.broken, u.running = nil, false
		}
		args := tt.action
		if args == "migrate" {
			args += " node2"
		}
		w, _, _ := world(&testLog{}, args, rgmanagerEnv(0, 20)...)
		if got := Run(w, []byte(testXML), u); got != tt.want {
			t.Errorf("%s: exit %d, want %d", tt.meaning, got, tt.want)
		}
	}
}

// TestTwoThirds: an agent escalates at two thirds of its time, of which the part before counts.
func TestTwoThirds(t *testing.T) {
	now := time.Unix(1000, 0)
	var got []time.Duration
	c := &Call{Timeout: 90 * time.Second, began: now, World: World{
		Now: func() time.Time { return now },
		WithTimeout: func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			got = append(got, d)
			return context.WithCancel(ctx)
		},
	}}
	for _, passed := range []time.Duration{0, 20 * time.Second, 80 * time.Second} {
		now = c.began.Add(passed)
		_, cancel := c.Until(context.Background(), 2, 3)
		cancel()
	}
	if want := []time.Duration{60 * time.Second, 40 * time.Second, 0}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	ctx, cancel := (&Call{}).Until(context.Background(), 2, 3)
	defer cancel()
	if _, ok := ctx.Deadline(); ok {
		t.Error("an action without a timeout got a deadline")
	}
}
