package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// domain is a resource in memory that can be sent away and awaited.
type domain struct {
	running bool
	broken  error // what every action answers instead
	arrives int   // so many checks say that it is not here, then it is; 0 is no change
	saw     []string
}

func (d *domain) see(what string, c *Call) error {
	if c.Probe {
		what += " as a probe"
	}
	if c.Depth > 0 {
		what += fmt.Sprintf(" of depth %d", c.Depth)
	}
	d.saw = append(d.saw, what+" size="+c.Params.Get("size"))
	return d.broken
}

func (d *domain) Start(_ context.Context, c *Call) error {
	err := d.see("start", c)
	d.running = d.running || err == nil
	return err
}

func (d *domain) Stop(_ context.Context, c *Call) error {
	if err := d.see("stop", c); err != nil {
		return err
	}
	if !d.running {
		return ErrNotRunning
	}
	d.running = false
	return nil
}

func (d *domain) Status(_ context.Context, c *Call) error {
	if err := d.see("status", c); err != nil {
		return err
	}
	if d.arrives > 0 {
		d.arrives--
		d.running = d.arrives == 0
	}
	if !d.running {
		return ErrNotRunning
	}
	return nil
}

func (d *domain) Migrate(_ context.Context, c *Call, target string) error {
	err := d.see("migrate to "+target, c)
	d.running = d.running && err != nil
	return err
}

func (d *domain) Validate(_ context.Context, c *Call) error { return d.see("validate", c) }
func (d *domain) Recover(_ context.Context, c *Call) error  { return d.see("recover", c) }

// receiver is a domain that knows itself how to be received, and how to take up a changed parameter.
type receiver struct{ *domain }

func (r receiver) Arrive(_ context.Context, c *Call, source string) error {
	return r.see("arrive from "+source, c)
}
func (r receiver) Reconfig(_ context.Context, c *Call) error { return r.see("reconfig", c) }

// pacemakerEnv is what Pacemaker 2.1 gives to an action of an agent of OCF; interval "" is a probe or no monitor at all.
func pacemakerEnv(interval string, more ...string) []string {
	env := []string{
		"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1", "OCF_ROOT=/usr/lib/ocf", "OCF_EXIT_REASON_PREFIX=ocf-exit-reason:",
		"OCF_RESOURCE_INSTANCE=vm1", "OCF_RESOURCE_TYPE=toy", "OCF_RESOURCE_PROVIDER=lbvm", "OCF_OUTPUT_FORMAT=text",
		"OCF_RESKEY_CRM_meta_timeout=20000", "OCF_RESKEY_CRM_meta_on_node=node1", "OCF_RESKEY_crm_feature_set=3.16.1", "OCF_RESKEY_name=t1",
	}
	if interval != "" {
		env = append(env, "OCF_RESKEY_CRM_meta_interval="+interval, "OCF_RESKEY_CRM_meta_name=monitor")
	}
	return append(more, env...) // the first of a name counts
}

const pacemakerToy = "/usr/lib/ocf/resource.d/lbvm/toy"

// pacemakerWorld is a call by Pacemaker.
func pacemakerWorld(log Logger, action string, env ...string) (World, *bytes.Buffer, *bytes.Buffer) {
	w, out, errs := world(log, action, env...)
	w.Args[0] = pacemakerToy
	return w, out, errs
}

// onlySize is the toy's metadata with no parameter that a reload could not change.
func onlySize() string {
	for _, name := range []string{"do", "file", "flag"} {
		at := strings.Index(testXML, `<parameter name="`+name+`">`)
		if at < 0 {
			panic(name)
		}
	}
	s := strings.ReplaceAll(testXML, `<parameter name="do">`, `<parameter name="do" reconfig="1">`)
	s = strings.ReplaceAll(s, `<parameter name="file">`, `<parameter name="file" reconfig="1">`)
	return strings.ReplaceAll(s, `<parameter name="flag">`, `<parameter name="flag" unique="1">`)
}

// TestWhenPacemakerCalls has one row for each event at which Pacemaker calls an agent, with the call as it makes it.
func TestWhenPacemakerCalls(t *testing.T) {
	broke := errors.New("it broke")
	noTool := Errorf(CodeInstalled, "xm is not installed here")
	noConfig := Errorf(CodeConfigured, "no configuration of t1 here")
	to, from := "OCF_RESKEY_CRM_meta_migrate_target=node2", "OCF_RESKEY_CRM_meta_migrate_source=node1"
	noName := "OCF_RESKEY_name="
	for _, tt := range []struct {
		event  string
		domain domain
		args   string
		env    []string
		want   Code
		saw    string // the calls that reached the agent; "" none
		after  bool   // whether it runs then
	}{
		{"probe of a node that never saw it", domain{}, "monitor", pacemakerEnv(""), 7, "status as a probe size=3", false},
		{"probe of the node where it runs", domain{running: true}, "monitor", pacemakerEnv(""), 0, "status as a probe size=3", true},
		{"probe that says interval 0", domain{}, "monitor", pacemakerEnv("0"), 7, "status as a probe size=3", false},
		{"probe of a node without the tool", domain{broken: noTool}, "monitor", pacemakerEnv(""), 7, "status as a probe size=3", false},
		{"probe of a node without the configuration", domain{broken: noConfig}, "monitor", pacemakerEnv(""), 7, "status as a probe size=3", false},
		{"probe of a resource without a name", domain{}, "monitor", pacemakerEnv("", noName), 7, "", false},
		{"probe that cannot tell: stopped there, then started", domain{broken: broke}, "monitor", pacemakerEnv(""), 1, "status as a probe size=3", false},

		{"start", domain{}, "start", pacemakerEnv(""), 0, "start size=3", true},
		{"start of what runs", domain{running: true}, "start", pacemakerEnv(""), 0, "start size=3", true},
		{"start fails", domain{broken: broke}, "start", pacemakerEnv(""), 1, "start size=3", false},
		{"start on a node without the tool: tried on another", domain{broken: noTool}, "start", pacemakerEnv(""), 5, "start size=3", false},
		{"start with a parameter that is wrong everywhere: not tried again", domain{broken: noConfig}, "start", pacemakerEnv(""), 6, "start size=3", false},
		{"start of a resource without a name", domain{}, "start", pacemakerEnv("", noName), 6, "", false},

		{"recurring monitor", domain{running: true}, "monitor", pacemakerEnv("30000"), 0, "status size=3", true},
		{"recurring monitor of a greater depth", domain{running: true}, "monitor", pacemakerEnv("300000", "OCF_CHECK_LEVEL=10"), 0, "status of depth 10 size=3", true},
		{"recurring monitor, and it is gone", domain{}, "monitor", pacemakerEnv("30000"), 7, "status size=3", false},
		{"recurring monitor, and it is broken", domain{running: true, broken: broke}, "monitor", pacemakerEnv("30000"), 1, "status size=3", true},
		{"recurring monitor without the tool", domain{running: true, broken: noTool}, "monitor", pacemakerEnv("30000"), 5, "status size=3", true},
		{"recurring monitor without the configuration", domain{running: true, broken: noConfig}, "monitor", pacemakerEnv("30000"), 6, "status size=3", true},
		{"recurring monitor of a resource without a name", domain{}, "monitor", pacemakerEnv("30000", noName), 6, "", false},

		{"stop", domain{running: true}, "stop", pacemakerEnv(""), 0, "stop size=3", false},
		{"stop of what is stopped", domain{}, "stop", pacemakerEnv(""), 0, "stop size=3", false},
		{"stop fails: the node is fenced", domain{running: true, broken: broke}, "stop", pacemakerEnv(""), 1, "stop size=3", true},
		{"stop of a resource without a name", domain{}, "stop", pacemakerEnv("", noName), 0, "", false},

		{"migration: migrate_to on the source", domain{running: true}, "migrate_to", pacemakerEnv("", to), 0, "migrate to node2 size=3", false},
		{"migration: migrate_to fails", domain{running: true, broken: broke}, "migrate_to", pacemakerEnv("", to), 1, "migrate to node2 size=3", true},
		{"migration: migrate_to fails, and it runs here as before", domain{running: true, broken: ErrStillHere}, "migrate_to", pacemakerEnv("", to), 1, "migrate to node2 size=3", true},
		{"migration: migrate_to to nowhere", domain{running: true}, "migrate_to", pacemakerEnv(""), 1, "", true},
		{"migration: migrate_to to an option of the tool", domain{running: true}, "migrate_to", pacemakerEnv("", "OCF_RESKEY_CRM_meta_migrate_target=--live"), 1, "", true},
		{"migration: migrate_from, and it is here", domain{running: true}, "migrate_from", pacemakerEnv("", from), 0, "status size=3", true},
		{"migration: migrate_from waits until it is here", domain{arrives: 3}, "migrate_from", pacemakerEnv("", from), 0, "status size=3; status size=3; status size=3", true},
		{"migration: stop on the source", domain{}, "stop", pacemakerEnv(""), 0, "stop size=3", false},
		{"migration: monitor on the target", domain{running: true}, "monitor", pacemakerEnv("30000"), 0, "status size=3", true},
		{"migration failed: stop on the target, where it never was", domain{}, "stop", pacemakerEnv(""), 0, "stop size=3", false},

		{"OCF 1.1: a reloadable parameter changed", domain{running: true}, "reload-agent", pacemakerEnv("", "OCF_RESKEY_size=4"), 0, "", true},
		{"OCF 1.0: reload, where not all parameters could be reloaded", domain{running: true}, "reload", pacemakerEnv(""), 3, "", true},
		{"another parameter changed: stop with the old value", domain{running: true}, "stop", pacemakerEnv(""), 0, "stop size=3", false},
		{"another parameter changed: start with the new value", domain{}, "start", pacemakerEnv("", "OCF_RESKEY_size=4"), 0, "start size=4", true},
		{"recover", domain{running: true}, "recover", pacemakerEnv(""), 0, "recover size=3", true},

		{"crm_resource --validate", domain{}, "validate-all", pacemakerEnv(""), 0, "validate size=3", false},
		{"crm_resource --validate of a wrong value", domain{}, "validate-all", pacemakerEnv("", "OCF_RESKEY_size=many"), 6, "", false},
		{"crm_resource --force-check says no interval", domain{running: true}, "monitor", pacemakerEnv(""), 0, "status as a probe size=3", true},
		{"status, which init scripts know", domain{running: true}, "status", pacemakerEnv(""), 0, "status size=3", true},

		{"a clone's notify", domain{running: true}, "notify", pacemakerEnv(""), 3, "", true},
		{"a promotable clone's promote", domain{running: true}, "promote", pacemakerEnv(""), 3, "", true},
		{"a promotable clone's demote", domain{running: true}, "demote", pacemakerEnv(""), 3, "", true},
		{"an action that nobody knows", domain{running: true}, "frobnicate", pacemakerEnv(""), 3, "", true},
		{"rgmanager's migrate", domain{running: true}, "migrate node2", pacemakerEnv(""), 3, "", true},
		{"usage", domain{}, "usage", pacemakerEnv(""), 0, "", false},
	} {
		t.Run(tt.event, func(t *testing.T) {
			log := &testLog{}
			w, out, errs := pacemakerWorld(log, tt.args, tt.env...)
			w.WithTimeout = leaping()
			d := tt.domain
			got := Run(w, []byte(testXML), &d)
			if saw := strings.Join(d.saw, "; "); got != tt.want || saw != tt.saw || d.running != tt.after {
				t.Errorf("exit %d, want %d; the agent saw %q, want %q; runs %t, want %t; log:\n%s", got, tt.want, saw, tt.saw, d.running, tt.after, log)
			}
			if tt.args != "usage" && out.Len() > 0 {
				t.Errorf("it printed %q", out)
			}
			if reason := errs.String(); reason != "" && (got == 0 || strings.Count(reason, "\n") != 1 || !strings.HasPrefix(reason, "ocf-exit-reason:")) {
				t.Errorf("stderr has %q", reason)
			}
		})
	}
}

// TestPacemakerReload has the cases in which parameters may be changed by OCF 1.0's reload, by OCF 1.1's reload-agent, or not.
func TestPacemakerReload(t *testing.T) {
	none := strings.ReplaceAll(testXML, ` reconfig="1"`, "")
	for _, tt := range []struct {
		of, xml, action string
		want            Code
		saw             string
	}{
		{"some parameters", testXML, "reload", 3, ""},
		{"some parameters", testXML, "reload-agent", 0, "reconfig size=4"},
		{"all but the unique ones", onlySize(), "reload", 0, "reconfig size=4"},
		{"all but the unique ones", onlySize(), "reload-agent", 0, "reconfig size=4"},
		{"no parameter", none, "reload", 3, ""},
		{"no parameter", none, "reload-agent", 3, ""},
		{"one of rgmanager's only", strings.Replace(none, `<parameter name="flag">`, `<parameter name="recovery" reconfig="1">`, 1), "reload-agent", 3, ""},
	} {
		w, _, _ := pacemakerWorld(&testLog{}, tt.action, pacemakerEnv("", "OCF_RESKEY_size=4")...)
		d := &domain{running: true}
		if got := Run(w, []byte(tt.xml), receiver{d}); got != tt.want || strings.Join(d.saw, "; ") != tt.saw {
			t.Errorf("%s, %s: exit %d, want %d; the agent saw %q", tt.of, tt.action, got, tt.want, d.saw)
		}
	}
}

// TestPacemakerExitCodes has one row for each outcome that an agent can give, with the code that each action makes of it.
func TestPacemakerExitCodes(t *testing.T) {
	actions := []string{"start", "stop", "monitor", "probe", "migrate_to", "migrate_from", "validate-all"}
	for _, tt := range []struct {
		outcome string
		err     error
		want    [7]Code
	}{
		{"done or running", nil, [7]Code{0, 0, 0, 0, 0, 0, 0}},
		{"a plain error", errors.New("it broke"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"wrong argument", Errorf(CodeArgs, "x"), [7]Code{2, 2, 2, 2, 2, 2, 2}},
		{"not implemented", Errorf(CodeUnimplemented, "x"), [7]Code{3, 3, 3, 3, 3, 3, 3}},
		{"no privilege", Errorf(CodePerm, "x"), [7]Code{4, 4, 4, 4, 4, 4, 4}},
		{"tool not installed: only this node is ruled out", Errorf(CodeInstalled, "x"), [7]Code{5, 5, 5, 7, 5, 5, 5}},
		{"not configured: a migration may not rule out all nodes", Errorf(CodeConfigured, "x"), [7]Code{6, 6, 6, 7, 1, 1, 6}},
		{"not running: only a stop takes it for success, only a check says it", ErrNotRunning, [7]Code{1, 0, 7, 7, 1, 1, 1}},
		{"not running, and more went wrong", errors.Join(ErrNotRunning, errors.New("the disk is busy")), [7]Code{1, 1, 7, 7, 1, 1, 1}},
		{"8 would be promoted", Errorf(8, "x"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"9 would be promoted and broken", Errorf(9, "x"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"still here, rgmanager's own", ErrStillHere, [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"190 would be running, degraded", Errorf(190, "x"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"191 would be promoted, degraded", Errorf(191, "x"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
		{"an error that says it is none", Errorf(CodeOK, "x"), [7]Code{1, 1, 1, 1, 1, 1, 1}},
	} {
		for i, action := range actions {
			interval := "30000"
			if action == "probe" {
				action, interval = "monitor", "0"
			}
			w, _, _ := pacemakerWorld(&testLog{}, action, pacemakerEnv(interval, "OCF_RESKEY_CRM_meta_migrate_target=node2", "OCF_RESKEY_CRM_meta_migrate_source=node1")...)
			if got := Run(w, []byte(testXML), receiver{&domain{running: tt.err == nil, broken: tt.err}}); got != tt.want[i] {
				t.Errorf("%s, %s: exit %d, want %d", tt.outcome, actions[i], got, tt.want[i])
			}
		}
	}
	for what, do := range map[string]string{"panic": "panic", "no answer in time": "hang"} {
		for _, action := range []string{"start", "stop", "monitor", "migrate_from", "validate-all"} {
			w, _, _ := pacemakerWorld(&testLog{}, action, pacemakerEnv("30000", "OCF_RESKEY_do="+do)...)
			w.WithTimeout = hurry
			if got := Run(w, []byte(testXML), toy{}); got != 1 {
				t.Errorf("%s, %s: exit %d", what, action, got)
			}
		}
	}
}

// TestMigrateFromGivesUp lets what was sent never arrive: after two thirds of the time migrate_from says so.
func TestMigrateFromGivesUp(t *testing.T) {
	log := &testLog{}
	w, _, errs := pacemakerWorld(log, "migrate_from", pacemakerEnv("", "OCF_RESKEY_CRM_meta_timeout=600000", "OCF_RESKEY_CRM_meta_migrate_source=node1")...)
	var asked []time.Duration
	leap := leaping()
	w.WithTimeout = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
		asked = append(asked, d)
		return leap(ctx, d)
	}
	d := &domain{}
	if got := Run(w, []byte(testXML), d); got != CodeGeneric || !strings.Contains(log.String(), "waiting for what node1 sent") {
		t.Errorf("exit %d, log:\n%s", got, log)
	}
	if len(d.saw) != 800 || len(asked) != 2+800 || asked[0] != 598*time.Second || asked[1] != 400*time.Second {
		t.Errorf("%d checks, times %v", len(d.saw), asked[:min(3, len(asked))])
	}
	for _, pause := range asked[2:] {
		if pause != arrivalPoll {
			t.Fatalf("waited %s", pause)
		}
	}
	if want := "ocf-exit-reason:waiting for what node1 sent: not running here\n"; errs.String() != want {
		t.Errorf("the reason is %q", errs)
	}
	// An agent that receives by itself is told from where.
	w, _, _ = pacemakerWorld(log, "migrate_from", pacemakerEnv("", "OCF_RESKEY_CRM_meta_migrate_source=node1")...)
	if got := Run(w, []byte(testXML), receiver{d}); got != 0 || !slices.Contains(d.saw, "arrive from node1 size=3") {
		t.Errorf("exit %d, saw %q", got, d.saw)
	}
}

// TestMigrationUndeclared: what cannot be migrated, by its metadata or its code, says so.
func TestMigrationUndeclared(t *testing.T) {
	type plain struct{ Agent }
	xml := strings.Replace(testXML, `<action name="migrate" timeout="600"/>`, "", 1)
	for _, action := range []string{"migrate_to", "migrate_from"} {
		for name, run := range map[string]func(World) Code{
			"by metadata": func(w World) Code { return Run(w, []byte(xml), &domain{running: true}) },
			"by code":     func(w World) Code { return Run(w, []byte(testXML), plain{&domain{running: true}}) },
		} {
			w, _, _ := pacemakerWorld(&testLog{}, action, pacemakerEnv("", "OCF_RESKEY_CRM_meta_migrate_target=node2")...)
			if got := run(w); got != CodeUnimplemented {
				t.Errorf("%s, %s: exit %d", action, name, got)
			}
		}
	}
}

func TestPacemakerTimeout(t *testing.T) {
	for given, want := range map[string]time.Duration{
		"20000": 20 * time.Second, "500": 500 * time.Millisecond, "1": time.Millisecond, "300000": 300 * time.Second,
		"3000000000": 3000000 * time.Second, // more than 31 bits hold
		// what says nothing leaves the metadata's minute
		"": time.Minute, "0": time.Minute, "-5000": time.Minute, "x": time.Minute, "20s": time.Minute, "2.5": time.Minute, " 20000": time.Minute,
		"9000000000000": time.Minute, "99999999999999999999": time.Minute,
	} {
		var got time.Duration
		see := toy{func(_ context.Context, c *Call) { got = c.Timeout }}
		w, _, _ := pacemakerWorld(&testLog{}, "stop", pacemakerEnv("", "OCF_RESKEY_CRM_meta_timeout="+given)...)
		if code := Run(w, []byte(testXML), see); code != 0 || got != want {
			t.Errorf("%q: exit %d, %s, want %s", given, code, got, want)
		}
	}
	// Nothing at all is said: the dialect comes from the path.
	var got time.Duration
	w, _, _ := pacemakerWorld(&testLog{}, "stop", "OCF_RESKEY_name=t1")
	if code := Run(w, []byte(testXML), toy{func(_ context.Context, c *Call) { got = c.Timeout }}); code != 0 || got != time.Minute {
		t.Errorf("exit %d, %s", code, got)
	}
}

// TestPacemakerNames: what the cluster calls a resource, a clone's instance too, is in messages and no parameter.
func TestPacemakerNames(t *testing.T) {
	for _, instance := range []string{"vm1", "vm1:0", "vm1:12"} {
		var seen *Call
		log := &testLog{}
		w, _, _ := pacemakerWorld(log, "start", pacemakerEnv("", "OCF_RESOURCE_INSTANCE="+instance, "OCF_RESKEY_CRM_meta_clone=0", "OCF_RESKEY_CRM_meta_clone_max=2")...)
		if code := Run(w, []byte(testXML), toy{func(_ context.Context, c *Call) { seen = c }}); code != 0 {
			t.Fatalf("exit %d", code)
		}
		if seen.Name != "t1" || seen.Instance != instance || seen.Type != "toy" || seen.Dialect != Pacemaker || len(seen.Params.Map()) != 4 {
			t.Errorf("%+v", seen)
		}
		if want := "info: start of " + instance + " done"; !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

func TestExitReason(t *testing.T) {
	for _, tt := range []struct {
		what, action string
		env          []string
		want         string
	}{
		{"a failure", "start", pacemakerEnv("", "OCF_RESKEY_do=fail"), "ocf-exit-reason:it broke\n"},
		{"a panic", "stop", pacemakerEnv("", "OCF_RESKEY_do=panic"), "ocf-exit-reason:panic: the toy broke\n"},
		{"a missing parameter", "start", pacemakerEnv("", "OCF_RESKEY_name="), "ocf-exit-reason:the parameter \"name\" is missing\n"},
		{"another prefix", "start", pacemakerEnv("", "OCF_RESKEY_do=fail", "OCF_EXIT_REASON_PREFIX=why: "), "why: it broke\n"},
		{"more than one line", "stop", pacemakerEnv("", "OCF_RESKEY_do=wrapped-gone"), "ocf-exit-reason:not running here and the disk is busy\n"},
		{"success", "start", pacemakerEnv(""), ""},
		{"not running is an answer", "monitor", pacemakerEnv("30000", "OCF_RESKEY_do=gone"), ""},
		{"a stop of what does not run", "stop", pacemakerEnv("", "OCF_RESKEY_do=gone"), ""},
		{"a manager that does not ask for it", "start", pacemakerEnv("", "OCF_RESKEY_do=fail", "OCF_EXIT_REASON_PREFIX="), ""},
	} {
		w, out, errs := pacemakerWorld(&testLog{}, tt.action, tt.env...)
		Run(w, []byte(testXML), toy{})
		if errs.String() != tt.want || out.Len() > 0 {
			t.Errorf("%s: stderr %q, want %q; stdout %q", tt.what, errs, tt.want, out)
		}
	}
	// rgmanager wants silence, whatever is left in its environment.
	w, out, errs := world(&testLog{}, "start", "OCF_RESKEY_name=t1", "OCF_RESKEY_do=fail", "OCF_EXIT_REASON_PREFIX=x:")
	if got := Run(w, []byte(testXML), toy{}); got != 1 || out.Len()+errs.Len() > 0 {
		t.Errorf("exit %d, printed %q and %q", got, out, errs)
	}
}
