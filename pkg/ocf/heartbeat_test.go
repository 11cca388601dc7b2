package ocf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

const heartbeatToy = "/etc/ha.d/resource.d/toy"

// heartbeatReads is what Heartbeat makes of what status printed on both descriptors (its ResourceManager asks only
// for the first two; the executor of cluster-glue asks for the others first, in lower case).
func heartbeatReads(text string) string {
	lower := strings.ToLower(text)
	down := strings.Contains(lower, "stopped") || strings.Contains(lower, "not") && strings.Contains(lower, "running")
	up := strings.Contains(text, "OK") || strings.Contains(lower, "running")
	switch {
	case up && down:
		return "either, by who reads it"
	case up:
		return "runs"
	}
	return "down"
}

// TestWhenHeartbeatCalls has one row for each way in which Heartbeat calls a resource script, with the arguments as it
// makes them of a line of haresources: `node toy::t1::ok` is `toy t1 ok start`.
func TestWhenHeartbeatCalls(t *testing.T) {
	for _, tt := range []struct {
		event  string
		args   string
		domain domain
		want   Code
		reads  string // of status
		saw    string
		after  bool
	}{
		{"start", "t1 start", domain{}, 0, "", "start size=3", true},
		{"start of what runs", "t1 start", domain{running: true}, 0, "", "start size=3", true},
		{"start fails", "t1 start", domain{broken: errors.New("it broke")}, 1, "", "start size=3", false},
		{"start without the tool", "t1 start", domain{broken: Errorf(CodeInstalled, "no xm")}, 1, "", "start size=3", false},
		{"start without a name", "start", domain{}, 1, "", "", false},
		{"stop", "t1 stop", domain{running: true}, 0, "", "stop size=3", false},
		{"stop of what was never started", "t1 stop", domain{}, 0, "", "stop size=3", false},
		{"stop fails: the node reboots", "t1 stop", domain{running: true, broken: errors.New("it broke")}, 1, "", "stop size=3", true},
		{"stop without the tool", "t1 stop", domain{running: true, broken: Errorf(CodeInstalled, "no xm")}, 1, "", "stop size=3", true},
		{"stop without a name", "stop", domain{}, 0, "", "", false},
		{"status of what runs", "t1 status", domain{running: true}, 0, "runs", "status size=3", true},
		{"status of what does not", "t1 status", domain{}, 7, "down", "status size=3", false},
		{"status in doubt", "t1 status", domain{broken: errors.New("xend does not answer")}, 1, "runs", "status size=3", false},
		{"status without the tool", "t1 status", domain{broken: Errorf(CodeInstalled, "no xm")}, 5, "runs", "status size=3", false},
		{"status without privilege", "t1 status", domain{broken: Errorf(CodePerm, "only root may")}, 4, "runs", "status size=3", false},
		{"status of what is not configured", "t1 status", domain{broken: Errorf(CodeConfigured, "no configuration")}, 6, "runs", "status size=3", false},
		{"status without a name", "status", domain{}, 7, "down", "", false},
		{"by hand: validate-all", "t1 validate-all", domain{}, 0, "", "validate size=3", false},
		{"by hand: validate-all of a wrong value", "t1 size=many validate-all", domain{}, 1, "", "", false},
		{"an action of other managers", "t1 monitor", domain{running: true}, 3, "", "", true},
		{"an action that nobody knows", "t1 frobnicate", domain{running: true}, 3, "", "", true},
		{"a name and nothing else", "t1", domain{running: true}, 3, "", "", true},
	} {
		t.Run(tt.event, func(t *testing.T) {
			log := &testLog{}
			w, out, errs := world(log, tt.args)
			w.Args[0] = heartbeatToy
			d := tt.domain
			got := Run(w, []byte(testXML), &d)
			if saw := strings.Join(d.saw, "; "); got != tt.want || saw != tt.saw || d.running != tt.after {
				t.Errorf("exit %d, want %d; the agent saw %q, want %q; runs %t, want %t; log:\n%s", got, tt.want, saw, tt.saw, d.running, tt.after, log)
			}
			printed := out.String() + errs.String()
			if tt.reads == "" && printed != "" || tt.reads != "" && heartbeatReads(printed) != tt.reads {
				t.Errorf("it printed %q, which Heartbeat reads as %q, want %q", printed, heartbeatReads(printed), tt.reads)
			}
		})
	}
}

func TestHeartbeatReads(t *testing.T) {
	for text, want := range map[string]string{
		"running\n": "runs", "OK\n": "runs", "stopped\n": "down", "": "down", "not running\n": "either, by who reads it", "stopped\nxend is running\n": "either, by who reads it",
	} {
		if got := heartbeatReads(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestHeartbeatDoubt: whatever goes wrong in a status, the answer is one word, and that it runs.
func TestHeartbeatDoubt(t *testing.T) {
	for _, do := range []string{"fail", "perm", "panic", "panicnil", "hang", "late", "code0", "nil", "still"} {
		w, out, errs := world(&testLog{}, "t1 "+do+" status")
		w.Args[0], w.WithTimeout = heartbeatToy, hurry
		if Run(w, []byte(testXML), toy{}); out.String() != "running\n" || errs.Len() > 0 {
			t.Errorf("%s: printed %q and %q", do, out, errs)
		}
	}
}

// TestHeartbeatArguments has the forms in which parameters stand in a line of haresources.
func TestHeartbeatArguments(t *testing.T) {
	xml := strings.Replace(testXML, `<parameter name="do">`, `<parameter name="recovery"><longdesc>x</longdesc><shortdesc>x</shortdesc><content type="string" default="restart"/></parameter><parameter name="do">`, 1)
	for _, tt := range []struct {
		args []string
		env  []string
		want string // name, do, file, size
		log  string
	}{
		{[]string{"t1"}, nil, "t1 ok  3", ""},
		{[]string{"t1", "fail"}, nil, "t1 fail  3", ""}, // recovery is rgmanager's: no place of its own
		{[]string{"t1", "fail", "/x", "9"}, nil, "t1 fail /x 9", ""},
		{[]string{"name=t1"}, nil, "t1 ok  3", ""},
		{[]string{"name=t1", "fail"}, nil, "t1 fail  3", ""},
		{[]string{"fail", "name=t1"}, nil, "t1 fail  3", ""},
		{[]string{"t1", "size=4"}, nil, "t1 ok  4", ""},
		{[]string{"t1", "size=4", "fail"}, nil, "t1 fail  4", ""},
		{[]string{"do=fail", "t1", "/x"}, nil, "t1 fail /x 3", ""},
		{[]string{"t1", "file=a=b"}, nil, "t1 ok a=b 3", ""},
		{[]string{"t1", "size="}, nil, "t1 ok  ", ""},
		{[]string{"nmae=t1"}, nil, "nmae=t1 ok  3", ""}, // a value, by no parameter's name
		{[]string{"t1", "recovery=relocate"}, nil, "t1 ok  3", ""},
		{[]string{"t1"}, []string{"OCF_RESKEY_size=5"}, "t1 ok  5", ""},
		{[]string{"t1", "size=6"}, []string{"OCF_RESKEY_size=5", "OCF_RESKEY_name=t2"}, "t1 ok  6", ""},
		{[]string{"t1", "fail", "/x", "9", "1", "more", "and more"}, nil, "t1 fail /x 9", `warning: ["more" "and more"] stand for no parameter`},
	} {
		log := &testLog{}
		w, _, _ := world(log, "", tt.env...)
		w.Args = append(append([]string{heartbeatToy}, tt.args...), "status")
		got := ""
		Run(w, []byte(xml), seer(func(c *Call) {
			got = fmt.Sprintf("%s %s %s %s", c.Name, c.Params.Get("do"), c.Params.Get("file"), c.Params.Get("size"))
			if c.Name != c.Params.Get("name") || c.Dialect != Heartbeat || c.Probe || c.Depth != 0 {
				t.Errorf("%q: %+v", tt.args, c)
			}
		}))
		if got != tt.want || !strings.Contains(log.String(), tt.log) || tt.log == "" && strings.Contains(log.String(), "warning") {
			t.Errorf("%q %q: the agent saw %q, want %q; log:\n%s", tt.args, tt.env, got, tt.want, log)
		}
	}
}

// TestHeartbeatProcess calls the toy as a program, by its path below ha.d and with both descriptors on one pipe, and
// gives no terminal: that a line of its log got into the answer would be a second start.
func TestHeartbeatProcess(t *testing.T) {
	sh := real.Need(t, "sh")
	dir := filepath.Join(t.TempDir(), "etc/ha.d/resource.d")
	root := t.TempDir()
	for _, d := range []string{dir, filepath.Join(root, "var/log")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(dir, "toy.sh")
	if err := os.Symlink(toyAgent(t), script); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line, printed string
		code          int
	}{
		{"t1 status", "running\n", 0},
		{"t1 gone status", "stopped\n", 7},
		{"t1 fail status", "running\n", 1},
		{"t1 panic status", "running\n", 1},
		{"t1 start", "", 0},
		{"t1 fail start", "", 1},
		{"t1 gone stop", "", 0},
		{"t1 fail stop", "", 1},
		{"status", "stopped\n", 7},
	} {
		cmd := exec.Command(sh, "-c", `exec "$0" $1 2>&1`, script, tt.line)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "LBVM_ROOT=" + root}
		out, err := cmd.Output()
		if string(out) != tt.printed || cmd.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s: printed %q, exit %d (%v), want %q and %d", tt.line, out, cmd.ProcessState.ExitCode(), err, tt.printed, tt.code)
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "var/log/messages"))
	if want := "heartbeat["; err != nil || !strings.Contains(string(b), want) || !strings.Contains(string(b), "[toy] stop of toy:t1 failed: it broke") || strings.Contains(string(b), "rgmanager") {
		t.Errorf("%v, the log is\n%s", err, b)
	}
}

// seer is an agent that only looks at its call.
type seer func(*Call)

func (s seer) Start(_ context.Context, c *Call) error  { s(c); return nil }
func (s seer) Stop(_ context.Context, c *Call) error   { s(c); return nil }
func (s seer) Status(_ context.Context, c *Call) error { s(c); return nil }
