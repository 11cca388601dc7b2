package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

type testLog struct {
	mu  sync.Mutex
	all []string
}

func (l *testLog) Log(level Level, msg string, kv ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%s: %s", level, render(msg, kv)))
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func world(log Logger, action string, env ...string) (World, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	args := []string{"/usr/share/cluster/toy.sh"}
	if action != "" {
		args = append(args, strings.Fields(action)...)
	}
	return World{Args: args, Env: env, Stdout: &out, Stderr: &errs, Log: log}, &out, &errs
}

func TestExitCodes(t *testing.T) {
	name := "OCF_RESKEY_name=t1"
	long := strings.Repeat("n", 256)
	for _, tt := range []struct {
		action string
		env    []string
		want   Code
		log    string // a part of what is logged
	}{
		{"start", []string{name}, 0, "info: start of toy:t1 done"},
		{"stop", []string{name}, 0, "info: stop of toy:t1 done"},
		{"status", []string{name}, 0, "debug: status"},
		{"validate-all", []string{name}, 0, ""},
		{"recover", []string{name}, 0, ""},
		{"migrate node2", []string{name}, 0, "info: migrate of toy:t1 done"},
		{"migrate node2.example.org", []string{name}, 0, ""},

		{"start", []string{name, "OCF_RESKEY_do=fail"}, 1, "error: start of toy:t1 failed: it broke (exit 1)"},
		{"status", []string{name, "OCF_RESKEY_do=fail"}, 1, "error: status"},
		{"status", []string{name, "OCF_RESKEY_do=gone"}, 7, "debug: status of toy:t1: not running here"},
		{"status", []string{name, "OCF_RESKEY_do=perm"}, 4, "asking: only root may (exit 4)"},
		{"migrate node2", []string{name, "OCF_RESKEY_do=still"}, 150, "error: migrate of toy:t1 failed: xm said no"},
		{"migrate node2", []string{name, "OCF_RESKEY_do=fail"}, 1, ""},
		{"validate-all", []string{name, "OCF_RESKEY_do=perm"}, 4, ""},

		// a stop of what is not running succeeds, but only if nothing else went wrong
		{"stop", []string{name, "OCF_RESKEY_do=gone"}, 0, ""},
		{"stop", []string{name, "OCF_RESKEY_do=wrapped-gone"}, 7, "the disk is busy"},
		{"stop", []string{name, "OCF_RESKEY_do=fail"}, 1, ""},

		// nothing but nil is 0
		{"stop", []string{name, "OCF_RESKEY_do=code0"}, 1, "an error that says it is none (exit 1)"},
		{"stop", []string{name, "OCF_RESKEY_do=code256"}, 1, ""},
		{"stop", []string{name, "OCF_RESKEY_do=nil"}, 1, "unknown error"},
		{"stop", []string{name, "OCF_RESKEY_do=panic"}, 1, "critical: stop of toy:t1 failed by a fault of the agent: panic: the toy broke"},
		{"status", []string{name, "OCF_RESKEY_do=panicnil"}, 1, "panic"},
		{"migrate node2", []string{name, "OCF_RESKEY_do=panic"}, 1, ""},

		// missing parameters
		{"start", nil, 6, `error: start: the parameter "name" is missing`},
		{"status", nil, 6, ""},
		{"validate-all", nil, 6, ""},
		{"migrate node2", nil, 6, ""},
		{"start", []string{"OCF_RESKEY_name="}, 6, ""},
		{"stop", nil, 0, `error: stop: the parameter "name" is missing`},
		{"stop", []string{"OCF_RESKEY_name=", "OCF_RESKEY_do=fail"}, 0, ""},

		// a bad target leaves the resource with its owner: 6, never 2
		{"migrate", []string{name}, 6, "no target was named"},
		{"migrate -x", []string{name}, 6, `"-x" cannot be the name of a node`},
		{"migrate a/b", []string{name}, 6, ""},
		{"migrate $(id)", []string{name}, 6, ""},
		{"migrate " + long, []string{name}, 6, ""},

		{"validate-all", []string{name, "OCF_RESKEY_size=many"}, 6, `size="many" is not a number`},
		{"validate-all", []string{name, "OCF_RESKEY_flag=true"}, 6, `flag="true" is neither 1 nor 0`},
		{"validate-all", []string{name, "OCF_RESKEY_flag=1", "OCF_RESKEY_size=-4"}, 0, ""},
		{"start", []string{name, "OCF_RESKEY_size=many"}, 0, ""}, // rgmanager would read 0

		{"monitor", []string{name}, 3, `this agent has no action "monitor"`},
		{"reconfig", []string{name}, 3, ""},
		{"restart", []string{name}, 3, ""},
		{"START", []string{name}, 3, ""},
		{"start extra words", []string{name}, 0, ""},
	} {
		log := &testLog{}
		w, out, errs := world(log, tt.action, tt.env...)
		got := Run(w, []byte(testXML), toy{})
		if got != tt.want || !strings.Contains(log.String(), tt.log) {
			t.Errorf("%s %v: exit %d, want %d with %q; log:\n%s", tt.action, tt.env, got, tt.want, tt.log, log)
		}
		if out.Len()+errs.Len() > 0 {
			t.Errorf("%s %v printed %q and %q: the manager wants silence", tt.action, tt.env, out, errs)
		}
	}
}

func TestEmptyTarget(t *testing.T) {
	log := &testLog{}
	w, _, _ := world(log, "migrate", "OCF_RESKEY_name=t1")
	w.Args = append(w.Args, "")
	if got := Run(w, []byte(testXML), toy{}); got != CodeConfigured {
		t.Errorf("exit %d", got)
	}
}

func TestUndeclared(t *testing.T) {
	// What the agent could do but the metadata does not declare is not done: one agent type serves many.
	xml := strings.Replace(testXML, `<action name="migrate" timeout="600"/>`, "", 1)
	w, _, _ := world(&testLog{}, "migrate node2", "OCF_RESKEY_name=t1")
	if got := Run(w, []byte(xml), toy{}); got != CodeUnimplemented {
		t.Errorf("exit %d", got)
	}
	// An agent that cannot do what the metadata declares.
	type plain struct{ Agent }
	w, _, _ = world(&testLog{}, "migrate node2", "OCF_RESKEY_name=t1")
	if got := Run(w, []byte(testXML), plain{toy{}}); got != CodeUnimplemented {
		t.Errorf("exit %d", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("closed pipe") }

func TestMetaData(t *testing.T) {
	w, out, errs := world(&testLog{}, "meta-data")
	if got := Run(w, []byte(testXML), toy{}); got != 0 || out.String() != testXML || errs.Len() > 0 {
		t.Errorf("exit %d, printed %q and %q", got, out, errs)
	}
	// Never fails: text that is no metadata, a pipe that nobody reads, no World at all.
	w, out, _ = world(&testLog{}, "meta-data")
	if got := Run(w, []byte("<broken"), nil); got != 0 || out.String() != "<broken" {
		t.Errorf("exit %d, printed %q", got, out)
	}
	log := &testLog{}
	if got := Run(World{Args: []string{"a", "meta-data"}, Stdout: brokenWriter{}, Log: log}, []byte(testXML), nil); got != 0 {
		t.Errorf("exit %d", got)
	}
	if !strings.Contains(log.String(), "closed pipe") {
		t.Errorf("nothing was logged: %q", log)
	}
	if got := Run(World{Args: []string{"a", "meta-data"}}, []byte(testXML), nil); got != 0 {
		t.Errorf("exit %d", got)
	}
}

func TestBrokenMetadata(t *testing.T) {
	log := &testLog{}
	w, _, _ := world(log, "stop", "OCF_RESKEY_name=t1")
	if got := Run(w, []byte("<broken"), toy{}); got != CodeGeneric || !strings.Contains(log.String(), "reading metadata") {
		t.Errorf("exit %d, log %q", got, log)
	}
}

func TestDialects(t *testing.T) {
	crm, rgm := "OCF_RESKEY_CRM_meta_timeout=20000", "OCF_RESKEY_RGMANAGER_meta_refcnt=0"
	for _, tt := range []struct {
		args string
		env  []string
		want Dialect
	}{
		{"/usr/share/cluster/openvz.sh meta-data", nil, RGManager},
		{"openvz.sh status", nil, RGManager},
		{"/usr/lib/ocf/resource.d/lbvm/openvz meta-data", nil, Pacemaker},
		{"/usr/lib/ocf/resource.d/lbvm/openvz monitor", nil, Pacemaker},
		{"/etc/ha.d/resource.d/openvz 101 status", nil, Heartbeat},
		{"/tmp/lab/nodes/a/usr/share/cluster/x status", nil, RGManager},
		{"/usr/lib/ocf/resource.d.old/lbvm/thing status", nil, RGManager},
		// an action's environment counts for more than the path, but not for meta-data
		{"/usr/share/cluster/openvz.sh start", []string{crm}, Pacemaker},
		{"/usr/lib/ocf/resource.d/lbvm/openvz start", []string{rgm}, RGManager},
		{"/usr/share/cluster/openvz.sh meta-data", []string{crm}, RGManager},
		{"/usr/lib/ocf/resource.d/lbvm/openvz meta-data", []string{rgm}, Pacemaker},
		{"/usr/lib/ocf/resource.d/lbvm/openvz monitor", []string{rgm, crm}, Pacemaker},
		{"/usr/share/cluster/openvz.sh status", []string{crm, rgm}, RGManager},
		// overridden
		{"openvz.sh 101 status", []string{"LBVM_DIALECT=heartbeat", crm}, Heartbeat},
		{"openvz.sh --dialect pacemaker meta-data", []string{"LBVM_DIALECT=heartbeat"}, Pacemaker},
		{"openvz.sh --dialect=rgmanager start", []string{crm}, RGManager},
	} {
		r, err := parseRequest(World{Args: strings.Fields(tt.args), Env: tt.env})
		if err != nil || r.dialect != tt.want {
			t.Errorf("%s %v: %s, %v, want %s", tt.args, tt.env, r.dialect, err, tt.want)
		}
	}
	for _, args := range []string{"--dialect=heartbeet start", "--dialect= start", "--verbose start", "stop --dry-run", "start t1 -n"} {
		w, out, errs := world(&testLog{}, args, "OCF_RESKEY_name=t1")
		if got := Run(w, []byte(testXML), toy{}); got != CodeArgs || out.Len() > 0 || !strings.Contains(errs.String(), "see toy.sh --help") {
			t.Errorf("%s: exit %d, printed %q and %q", args, got, out, errs)
		}
	}
}

// A wrong override must cost neither the metadata, without which rgmanager drops the type, nor a stop.
func TestOverrideThatIsNoDialect(t *testing.T) {
	log := &testLog{}
	w, out, _ := world(log, "meta-data", "LBVM_DIALECT=x")
	if got := Run(w, []byte(testXML), toy{}); got != CodeOK || out.String() != testXML {
		t.Errorf("meta-data: exit %d, printed %q", got, out)
	}
	w, _, _ = world(log, "stop", "OCF_RESKEY_name=t1", "LBVM_DIALECT=x")
	if got := Run(w, []byte(testXML), toy{}); got != CodeOK || !strings.Contains(fmt.Sprint(log), "passed over") {
		t.Errorf("stop: exit %d, logged %q", got, log)
	}
}

// Options may stand behind the action: a human who adds one must not see the action done.
func TestOptionsAnywhere(t *testing.T) {
	for _, tt := range []struct {
		args          string
		explain, help bool
		action        string
		dialect       Dialect
	}{
		{"stop --explain", true, false, "stop", RGManager},
		{"migrate node2 --explain", true, false, "migrate", RGManager},
		{"stop --help", false, true, "stop", RGManager},
		{"monitor --dialect=pacemaker", false, false, "monitor", Pacemaker},
		{"--dialect heartbeat t1 --explain stop", true, false, "stop", Heartbeat},
		{"--dialect=heartbeat t1 stop --explain", true, false, "stop", Heartbeat},
	} {
		r, err := parseRequest(World{Args: strings.Fields("toy.sh " + tt.args)})
		if err != nil || r.explain != tt.explain || r.help != tt.help || r.action != tt.action || r.dialect != tt.dialect {
			t.Errorf("%s: %+v, %v", tt.args, r, err)
		}
	}
	w, out, _ := world(&testLog{}, "stop --explain", "OCF_RESKEY_name=t1")
	done := false
	Run(w, []byte(testXML), toy{func(context.Context, *Call) { done = true }})
	if done || !strings.Contains(out.String(), "Nothing is changed") {
		t.Errorf("stop --explain: done %v, printed %q", done, out)
	}
}

func TestCall(t *testing.T) {
	var c *Call
	var left time.Duration
	see := toy{func(ctx context.Context, x *Call) {
		c = x
		left = 0
		if d, ok := ctx.Deadline(); ok {
			left = time.Until(d)
		}
	}}
	run := func(action string, env ...string) {
		t.Helper()
		w, _, _ := world(&testLog{}, action, env...)
		if got := Run(w, []byte(testXML), see); got != 0 {
			t.Fatalf("%s: exit %d", action, got)
		}
	}
	near := func(want time.Duration) {
		t.Helper()
		if c.Timeout != want || left > want || left < want-15*time.Second {
			t.Errorf("%s: timeout %s, deadline in %s, want %s", c.Action, c.Timeout, left, want)
		}
	}

	run("start", "OCF_RESKEY_name=t1", "OCF_RESKEY_name=t2", "OCF_RESKEY_unknown=x", "OCF_RESKEY_file=")
	near(300 * time.Second)
	if c.Name != "t1" || c.Type != "toy" || c.Instance != "toy:t1" || c.Depth != 0 || c.Dialect != RGManager {
		t.Errorf("%+v", c)
	}
	if got := c.Params.Map(); len(got) != 5 || got["do"] != "ok" || got["size"] != "3" {
		t.Errorf("parameters %v", got)
	}
	if v, ok := c.Params.Lookup("flag"); v != "" || !ok {
		t.Errorf("the empty default is no value: %q, %t", v, ok)
	}
	if _, ok := c.Params.Lookup("unknown"); ok {
		t.Error("a parameter that is not declared was taken")
	}

	run("status", "OCF_RESKEY_name=t1", "OCF_RESKEY_size=", "OCF_CHECK_LEVEL=10", "OCF_RESOURCE_INSTANCE=toy:other")
	near(40 * time.Second)
	if c.Depth != 10 || c.Instance != "toy:other" || c.Params.Get("size") != "" {
		t.Errorf("%+v", c)
	}
	run("status", "OCF_RESKEY_name=t1", "OCF_CHECK_LEVEL=15") // the deepest that is not deeper
	near(40 * time.Second)
	run("status", "OCF_RESKEY_name=t1", "OCF_CHECK_LEVEL=-1")
	near(20 * time.Second)
	run("stop", "OCF_RESKEY_name=t1", "OCF_RESKEY_RGMANAGER_meta_timeout=90")
	near(90 * time.Second)
	for _, odd := range []string{"0", "-5", "x", "99999999999999999999", "9000000000"} { // 0: it is enforced, or there is none
		run("stop", "OCF_RESKEY_name=t1", "OCF_RESKEY_RGMANAGER_meta_timeout="+odd)
		near(60 * time.Second)
	}
	run("recover", "OCF_RESKEY_name=t1") // no timeout is no deadline
	if c.Timeout != 0 || left != 0 {
		t.Errorf("timeout %s, deadline in %s", c.Timeout, left)
	}
}

// patience is what nothing here takes unless it hangs, however busy the machine is.
const patience = 4 * time.Minute

// leaping gives an action a time in which only its pauses pass, at once: no busy machine can be late in it.
func leaping() func(context.Context, time.Duration) (context.Context, context.CancelFunc) {
	type limit struct {
		at  time.Duration
		end context.CancelFunc
	}
	now, limits := time.Duration(0), []limit{}
	return func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		if limits = append(limits, limit{now + d, cancel}); d <= arrivalPoll {
			now += d
			for _, l := range limits {
				if l.at <= now {
					l.end()
				}
			}
		}
		return ctx, cancel
	}
}

// hurry makes an action's time pass a thousand times as fast.
func hurry(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d/1000)
}

func TestDeadline(t *testing.T) {
	for _, tt := range []struct {
		do   string
		want Code
		log  string
	}{
		{"hang", 1, "no end after 1m0s: context deadline exceeded (exit 1)"},
		{"late", 5, "too late"}, // within the grace the agent's own word counts
	} {
		log := &testLog{}
		w, _, _ := world(log, "stop", "OCF_RESKEY_name=t1", "OCF_RESKEY_do="+tt.do)
		w.WithTimeout = hurry
		if tt.do == "late" { // a grace that cannot be missed
			w.WithTimeout = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
				if d == tidyTime(time.Minute) {
					return context.WithTimeout(ctx, time.Minute)
				}
				return hurry(ctx, d)
			}
		}
		if got := Run(w, []byte(testXML), toy{}); got != tt.want || !strings.Contains(log.String(), tt.log) {
			t.Errorf("%s: exit %d, want %d; log:\n%s", tt.do, got, tt.want, log)
		}
	}
}

func TestReserve(t *testing.T) {
	for timeout, want := range map[time.Duration][2]time.Duration{
		300 * time.Second: {2 * time.Second, 1500 * time.Millisecond},
		10 * time.Second:  {time.Second, 750 * time.Millisecond},
		5 * time.Second:   {time.Second, 750 * time.Millisecond},
		time.Second:       {250 * time.Millisecond, 187500 * time.Microsecond},
	} {
		if r, y := reserve(timeout), tidyTime(timeout); r != want[0] || y != want[1] {
			t.Errorf("%s: %s and %s, want %s", timeout, r, y, want)
		}
	}
}

type faulty struct{ testLog }

func (f *faulty) Log(level Level, msg string, kv ...any) {
	if level == LevelError {
		panic("the log broke")
	}
	f.testLog.Log(level, msg, kv...)
}

func TestPanicOfTheLibrary(t *testing.T) {
	log := &faulty{}
	w, _, _ := world(log, "start", "OCF_RESKEY_name=t1", "OCF_RESKEY_do=fail")
	if got := Run(w, []byte(testXML), toy{}); got != CodeGeneric || !strings.Contains(log.String(), "the log broke") {
		t.Errorf("exit %d, log %q", got, log)
	}
}

func BenchmarkMetaData(b *testing.B) {
	w := World{Args: []string{"toy.sh", "meta-data"}}
	xml := []byte(testXML)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if Run(w, xml, nil) != 0 {
			b.Fatal("it failed")
		}
	}
}

func BenchmarkStatus(b *testing.B) {
	w := World{Args: []string{"toy.sh", "status"}, Env: []string{"OCF_RESKEY_name=t1"}, Log: &discard{}}
	xml := []byte(testXML)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if Run(w, xml, toy{}) != 0 {
			b.Fatal("it failed")
		}
	}
}

type discard struct{}

func (discard) Log(Level, string, ...any) {}
