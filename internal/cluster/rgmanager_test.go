package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

const conf = `<cluster name="lbvm" config_version="7"><rm>
<failoverdomains>
 <failoverdomain name="two" restricted="1" ordered="1"><failoverdomainnode name="node1" priority="2"/><failoverdomainnode name="node2" priority="1"/><failoverdomainnode name="node3" priority="1"/></failoverdomain>
 <failoverdomain name="first"><failoverdomainnode name="node1"/></failoverdomain>
</failoverdomains>
<resources><xen name="shared"/></resources>
<openvz name="101" domain="two"/>
<service name="svc1" domain="first"><ip address="10.0.0.1"><openvz name="201"/></ip><xen ref="shared"/></service>
<service name="web"><script name="w" file="/bin/true"/></service>
<vm name="guest1"/>
<xen name="new" domain="nowhere"/>
</rm></cluster>`

// world is a root with the programs and a cluster.conf, and what each program answers.
type world struct {
	h       host.Host
	answers map[string][]run.Result // by program; the last one stays
	errs    map[string]error
	cib     *patched // what cibadmin answers from, where it is not nil
	calls   []string
	env     []string
	limits  []bool
}

func newWorld(t *testing.T, programs ...string) *world {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/sbin", "etc/cluster"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range programs {
		if err := os.WriteFile(filepath.Join(root, "usr/sbin", p), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, host.ClusterXML), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return &world{h: h, answers: map[string][]run.Result{"clustat": {{Stdout: []byte(captured(t, "clustat-x.xml"))}}}, errs: map[string]error{}}
}

func (w *world) Run(ctx context.Context, c run.Command) (run.Result, error) {
	_, limited := ctx.Deadline()
	w.limits = append(w.limits, limited)
	name := filepath.Base(c.Argv[0])
	w.env = c.Env
	w.calls = append(w.calls, strings.Join(append([]string{name}, c.Argv[1:]...), " "))
	if !strings.HasPrefix(c.Argv[0], w.h.Root()+"/usr/sbin/") {
		return run.Result{}, errors.New("not below the root: " + c.Argv[0])
	}
	if err := w.errs[name]; err != nil {
		return run.Result{}, err
	}
	if name == "cibadmin" && w.cib != nil {
		return w.cib.answer(c.Argv[1:])
	}
	all := w.answers[name]
	if len(all) == 0 {
		return run.Result{}, nil
	}
	if len(all) > 1 {
		w.answers[name] = all[1:]
	}
	return all[0], nil
}

func (w *world) manager() Manager {
	return RGManager(w.h, w, clock.NewFake(time.Unix(1300000000, 0)))
}

func TestStatus(t *testing.T) {
	w := newWorld(t, "clustat")
	got, err := w.manager().Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	at := func(s int64) time.Time { return time.Unix(1290000000+s, 0) }
	any := []Placement{{"node1", 3}, {"node2", 3}}
	want := Status{
		Quorate: true,
		Members: []Member{{Name: "node1", Online: true, Local: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3"}},
		Services: []Service{
			{ID: "openvz:101", VM: "101", Params: map[string]string{"name": "101", "domain": "two"}, VMType: "openvz", LastOwner: "node1", State: Disabled, MayRun: []Placement{{"node1", 2}, {"node2", 3}}, Since: at(200)},
			{ID: "service:svc1", VM: "201", Params: map[string]string{"name": "201"}, VMType: "openvz", Owner: "node1", State: Started, MayRun: []Placement{{"node1", 3}, {"node2", 3}}, Since: at(0)},
			{ID: "service:svc1", VM: "shared", Params: map[string]string{"name": "shared"}, VMType: "xen", Owner: "node1", State: Started, MayRun: []Placement{{"node1", 3}, {"node2", 3}}, Since: at(0)},
			{ID: "vm:guest1", VM: "guest1", Params: map[string]string{"name": "guest1"}, VMType: "vm", Owner: "node2", LastOwner: "node1", State: Started, Frozen: true, Live: true, MayRun: any, Since: at(100)},
			{ID: "xen:new", VM: "new", Params: map[string]string{"name": "new", "domain": "nowhere"}, VMType: "xen", Live: true, MayRun: any},
			{ID: "openvz:102", VM: "102", VMType: "openvz", LastOwner: "node2", State: Failed, MayRun: []Placement{}, Since: at(300)},
			{ID: "vm:rec", VM: "rec", VMType: "vm", LastOwner: "node2", State: Recovering, MayRun: []Placement{}, Since: at(500)},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(w.h.Environ(), w.env); diff != "" || w.calls[0] != "clustat -x" || !w.limits[0] {
		t.Error(diff, w.calls, w.limits)
	}
}

func TestStatusWithoutStates(t *testing.T) {
	full := captured(t, "clustat-x.xml")
	bare := full[:strings.Index(full, "  <groups>")] + "</clustat>\n"
	down := strings.Replace(bare, `groupmember="1"`, `groupmember="0"`, 1)
	inquorate := strings.Replace(down, `quorate="1"`, `quorate="0"`, 1)
	busy := "Service states unavailable: Temporary failure; try again\n"
	for _, c := range []struct {
		name    string
		answers []string
		code    int
		is      error
		quorate bool
		calls   int
	}{
		{"rgmanager is down", []string{down}, 0, ErrNoStates, true, 1},
		{"busy all the time", []string{busy + bare}, 0, ErrNoStates, true, 3},
		{"busy once", []string{busy + bare, full}, 0, nil, true, 2},
		{"inquorate", []string{"Service states unavailable: Operation requires quorum\n" + inquorate}, 0, nil, false, 1},
		{"nothing readable", []string{"hm"}, 0, ErrAnswer, false, 1},
		{"no cman", []string{""}, 1, nil, false, 1},
	} {
		w := newWorld(t, "clustat")
		w.answers["clustat"] = nil
		for _, a := range c.answers {
			w.answers["clustat"] = append(w.answers["clustat"], run.Result{Stdout: []byte(a), Code: c.code, Stderr: []byte("Could not connect to CMAN: No such file or directory")})
		}
		fake := clock.NewFake(time.Unix(1300000000, 0))
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for {
				if fake.AwaitSleeper(ctx) != nil {
					close(done)
					return
				}
				fake.Advance(busyPause)
			}
		}()
		s, err := RGManager(w.h, w, fake).Status(ctx)
		cancel()
		<-done
		if c.code != 0 {
			if err == nil || !strings.Contains(err.Error(), "Could not connect to CMAN") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, c.is) || s.Quorate != c.quorate || len(w.calls) != c.calls {
			t.Errorf("%s: %+v, %v, %d calls", c.name, s, err, len(w.calls))
		}
		if errors.Is(err, ErrNoStates) || !c.quorate {
			for _, x := range s.Services {
				if x.State != Unknown || x.Owner != "" {
					t.Errorf("%s: %+v is not unknown", c.name, x)
				}
			}
		}
	}
	w := newWorld(t)
	if _, err := w.manager().Status(context.Background()); !errors.Is(err, run.ErrNotFound) {
		t.Error(err)
	}
	w = newWorld(t, "clustat")
	if err := os.WriteFile(w.h.Path(host.ClusterXML), []byte("<cluster>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.manager().Status(context.Background()); err == nil {
		t.Error("a broken cluster.conf gave a status")
	}
}

func TestMoveLooksBeforeItAsks(t *testing.T) {
	for _, c := range []struct {
		service, target string
		is              error
	}{
		{"service:svc1", "node22", ErrNotMember}, // the closest match would be node2
		{"service:svc1", "Node2", ErrNotMember},
		{"service:svc1", "node", ErrNotMember},
		{"service:svc1", "node3", ErrNotMember},    // offline: any node would be taken
		{"service:svc1", "node1", ErrAlreadyThere}, // restarts in place
		{"service:gone", "node2", ErrNoService},
		{"svc1", "node2", host.ErrName},
		{"-q:x", "node2", host.ErrName},
		{"service:a b", "node2", host.ErrName},
		{"service:svc1", "-x", host.ErrName},
		{"service:svc1", "", host.ErrName},
	} {
		w := newWorld(t, "clustat", "clusvcadm")
		err := w.manager().Move(context.Background(), c.service, c.target, false)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s to %s: %v, want %v", c.service, c.target, err, c.is)
		}
		for _, call := range w.calls {
			if call != "clustat -x" {
				t.Errorf("%s to %s: ran %s", c.service, c.target, call)
			}
		}
	}
}

func TestRequests(t *testing.T) {
	ok := func(s string) []run.Result { return []run.Result{{Stdout: []byte(s)}} }
	for _, c := range []struct {
		name, call string
		answer     []run.Result
		do         func(Manager, context.Context) error
		is         error
	}{
		{"relocate", "clusvcadm -r service:svc1 -m node2", ok("Trying to relocate service:svc1 to node2...Success\nservice:svc1 is now running on node2\n"),
			func(m Manager, ctx context.Context) error { return m.Move(ctx, "service:svc1", "node2", false) }, nil},
		{"migrate", "clusvcadm -M vm:guest1 -m node1", ok("Trying to migrate vm:guest1 to node1...Success\n"),
			func(m Manager, ctx context.Context) error { return m.Move(ctx, "vm:guest1", "node1", true) }, nil},
		{"landed elsewhere", "clusvcadm -r service:svc1 -m node2", ok("Trying to relocate service:svc1 to node2...Success\nWarning: service:svc1 is now running on node1\n"),
			func(m Manager, ctx context.Context) error { return m.Move(ctx, "service:svc1", "node2", false) }, ErrElsewhere},
		{"closest match", "clusvcadm -r service:svc1 -m node2", ok("'node2' not in membership list\nClosest match: 'node1'\nTrying to relocate service:svc1 to node1...Success\n"),
			func(m Manager, ctx context.Context) error { return m.Move(ctx, "service:svc1", "node2", false) }, ErrElsewhere},
		{"no words at all", "clusvcadm -r service:svc1 -m node2", ok(""),
			func(m Manager, ctx context.Context) error { return m.Move(ctx, "service:svc1", "node2", false) }, ErrAnswer},
		{"the client fails", "clusvcadm -d service:svc1", []run.Result{{Code: 1, Stderr: []byte("Could not connect to resource group manager")}},
			func(m Manager, ctx context.Context) error { return m.Disable(ctx, "service:svc1") }, ErrClient},
		{"an unknown code", "clusvcadm -d service:svc1", []run.Result{{Code: 77, Stdout: []byte("Local machine disabling service:svc1...What\n")}},
			func(m Manager, ctx context.Context) error { return m.Disable(ctx, "service:svc1") }, ErrAnswer},
		{"disable", "clusvcadm -d openvz:101", ok("Local machine disabling openvz:101...Success\n"),
			func(m Manager, ctx context.Context) error { return m.Disable(ctx, "openvz:101") }, nil},
		{"enable", "clusvcadm -e openvz:101", ok("Local machine trying to enable openvz:101...Success\nopenvz:101 is now running on node1\n"),
			func(m Manager, ctx context.Context) error { return m.Enable(ctx, "openvz:101", "") }, nil},
		{"enable on a node", "clusvcadm -e openvz:101 -m node2", ok("Member node2 trying to enable openvz:101...Service is already running\n"),
			func(m Manager, ctx context.Context) error { return m.Enable(ctx, "openvz:101", "node2") }, nil},
	} {
		w := newWorld(t, "clustat", "clusvcadm")
		w.answers["clusvcadm"] = c.answer
		err := c.do(w.manager(), context.Background())
		if !errors.Is(err, c.is) || (c.is == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
		}
		if last := w.calls[len(w.calls)-1]; last != c.call {
			t.Errorf("%s: ran %q, want %q", c.name, last, c.call)
		}
	}
	w := newWorld(t, "clustat", "clusvcadm")
	w.errs["clusvcadm"] = run.ErrDeadline
	if err := w.manager().Disable(context.Background(), "service:svc1"); !errors.Is(err, run.ErrDeadline) || !strings.Contains(err.Error(), "unknown: check with clustat") {
		t.Error(err)
	}
}

// Every result that the real program prints becomes the error of its own.
func TestCapturedReturns(t *testing.T) {
	blocks := regexp.MustCompile(`(?m)^\$ CLUSVCADM_RET=(-?\d+) .*\n((?:.*\n)*?)\[rc=(\d+)\]`).FindAllStringSubmatch(captured(t, "clusvcadm-returns.txt"), -1)
	if len(blocks) != 18 {
		t.Fatalf("%d answers", len(blocks))
	}
	want := map[int]error{-1: ErrFailed, -2: ErrAborted, -4: ErrNoService, -5: ErrDeadlock, -6: ErrTemporary, -7: ErrDependency, -8: ErrInvalid, -9: ErrNoQuorum,
		-11: ErrFrozen, -12: ErrTargetDead, -13: ErrFencing, -14: ErrScript, -15: ErrNotRunnable, -16: ErrExclusive, -17: ErrOriginalOwner, -18: ErrPermission}
	for _, b := range blocks {
		ret, err1 := strconv.Atoi(b[1])
		code, err2 := strconv.Atoi(b[3])
		if err1 != nil || err2 != nil {
			t.Fatal(b)
		}
		err := judge("moving", "vm:101", "node2", code, b[2], "")
		if ret == 0 || ret == -10 {
			if err != nil {
				t.Errorf("%d: %v", ret, err)
			}
			continue
		}
		var r *Refusal
		if !errors.Is(err, want[ret]) || !errors.As(err, &r) || !strings.Contains(b[2], "..."+r.Text) {
			t.Errorf("%d: %v, want %v", ret, err, want[ret])
			continue
		}
		for _, a := range answers() {
			if a.code == code && a.text != r.Text {
				t.Errorf("%d: the program prints %q, the table says %q", ret, r.Text, a.text)
			}
		}
	}
}

func TestPublish(t *testing.T) {
	unknown := run.Result{Code: 1, Stderr: []byte("Unknown command, update.\nTry 'ccs_tool help' for help.\n")}
	updated := run.Result{Stdout: []byte("Config file updated from version 6 to 7\n\nUpdate complete.\n")}
	for _, c := range []struct {
		name     string
		programs []string
		ccs      run.Result
		cman     run.Result
		file     string
		calls    int
		say      string // "" is success
	}{
		{"RHEL 5", []string{"ccs_tool", "cman_tool"}, updated, run.Result{}, "", 1, ""},
		{"RHEL 5, old version", []string{"ccs_tool", "cman_tool"}, run.Result{Code: 1, Stderr: []byte("Proposed updated config file does not have greater version number.\n  Current config_version :: 7\n  Proposed config_version:: 7\n\nFailed to update config file.\n")}, run.Result{}, "", 1, "does not have greater version number. Current config_version :: 7 Proposed config_version:: 7 Failed to update config file. (raise config_version"},
		{"RHEL 5, no success line", []string{"ccs_tool"}, run.Result{}, run.Result{}, "", 1, "did not take"},
		{"RHEL 6", []string{"ccs_tool", "cman_tool"}, unknown, run.Result{}, "", 2, ""},
		{"RHEL 6, usage", []string{"ccs_tool", "cman_tool"}, run.Result{Stdout: []byte("Usage::\n  ccs_tool [options] <command>\n  addnode\n")}, run.Result{}, "", 2, ""},
		{"no ccs_tool", []string{"cman_tool"}, run.Result{}, run.Result{Code: 1, Stderr: []byte("cman_tool: Not reloading, configuration is not valid\n")}, "", 1, "Not reloading, configuration is not valid (see what ccs_config_validate says)"},
		{"another file on RHEL 6", []string{"cman_tool"}, run.Result{}, run.Result{}, "/tmp/x", 0, "nothing was changed"},
		{"neither", nil, run.Result{}, run.Result{}, "", 0, "program not found"},
	} {
		w := newWorld(t, c.programs...)
		w.answers["ccs_tool"], w.answers["cman_tool"] = []run.Result{c.ccs}, []run.Result{c.cman}
		file := c.file
		if file == "" {
			file = w.h.Path(host.ClusterXML)
		}
		err := NewPublisher(w.h, w).Publish(context.Background(), file)
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) || len(w.calls) != c.calls {
			t.Errorf("%s: %v, calls %q", c.name, err, w.calls)
		}
	}
}

func TestRunning(t *testing.T) {
	for text, want := range map[string]uint64{
		"6.2.0 config 7\n": 7, "5.0.1 config 1234": 1234,
		"": 0, "6.2.0 config x": 0, "6.2.0": 0, "6.2.0 config -1": 0, "6.2.0 config 7 of 8": 0,
	} {
		w := newWorld(t, "cman_tool")
		w.answers["cman_tool"] = []run.Result{{Stdout: []byte(text)}}
		got, err := NewPublisher(w.h, w).Running(context.Background())
		if got != want || (err == nil) != (want > 0) || err != nil && !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	w := newWorld(t, "cman_tool")
	w.answers["cman_tool"] = []run.Result{{Code: 1, Stderr: []byte("cman_tool: Cannot open connection to cman, is it running ?\n")}}
	if _, err := NewPublisher(w.h, w).Running(context.Background()); err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Error(err)
	}
	none := newWorld(t)
	if _, err := NewPublisher(none.h, none).Running(context.Background()); !errors.Is(err, run.ErrNotFound) {
		t.Error(err)
	}
}

func TestAgents(t *testing.T) {
	w := newWorld(t)
	dir := w.h.Path(AgentDir)
	if err := os.MkdirAll(filepath.Join(dir, "folder.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	agent := func(text string) string { return "#!/bin/sh\ntest \"$1\" = meta-data && echo '" + text + "'\nexit 3\n" }
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"b.sh": {agent("<b/>"), 0o755}, "a.sh": {agent("<a/>"), 0o700}, "c.sh~": {agent("<c/>"), 0o755}, "d.sh.rpmnew": {agent("<d/>"), 0o755},
		"e.sh": {agent("<e/>"), 0o644}, "silent": {"#!/bin/sh\n", 0o755}, "killed.sh": {"#!/bin/sh\nkill -9 $$\n", 0o755}, "noformat": {"\x00\x01", 0o755},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link.sh")); err != nil {
		t.Fatal(err)
	}
	got, err := Agents(context.Background(), w.h, run.System{})
	var names []string
	for _, a := range got {
		names = append(names, a.Name+"="+strings.TrimSpace(string(a.Metadata)))
	}
	if want := "a.sh=<a/> b.sh=<b/>"; strings.Join(names, " ") != want || err == nil || !strings.Contains(err.Error(), "noformat") {
		t.Errorf("%q, %v, want %q and a word on noformat", names, err, want)
	}
	none := newWorld(t)
	if got, err := Agents(context.Background(), none.h, run.System{}); err != nil || len(got) > 0 {
		t.Errorf("a node without agents: %v, %v", got, err)
	}
}

// An agent that hangs would hang rgmanager: that is said, and not waited for.
func TestAgentsHang(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.h.Path(AgentDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.h.Path(AgentDir), "hang.sh"), []byte("#!/bin/sh\nexec /bin/sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := Agents(ctx, w.h, run.System{}); !errors.Is(err, run.ErrDeadline) || !strings.Contains(err.Error(), "hang.sh") {
		t.Error(err)
	}
}
