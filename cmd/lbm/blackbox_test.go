package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// scripted is an agent that does what the test says.
type scripted func(c *ocf.Call) error

func (s scripted) Start(_ context.Context, c *ocf.Call) error  { return s(c) }
func (s scripted) Stop(_ context.Context, c *ocf.Call) error   { return s(c) }
func (s scripted) Status(_ context.Context, c *ocf.Call) error { return s(c) }

// act calls an agent of the bench at that second, and it takes as long.
func (b *bench) act(t *testing.T, vm, action string, second int, took time.Duration, do scripted, env ...string) {
	t.Helper()
	now := time.Unix(1290000000+int64(second), 0)
	w := ocf.World{Args: []string{"/usr/share/cluster/openvz.sh", action}, Env: append([]string{"OCF_RESKEY_name=" + vm, "LBVM_ROOT=" + b.root}, env...),
		Now: func() time.Time { return now }, Box: ocf.BoxFile(b.root)}
	ocf.Run(w, metadata.OpenVZ(), scripted(func(c *ocf.Call) error {
		now = now.Add(took)
		return do(c)
	}))
}

func boxBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, nil)
	b.write(t, "var/lib/x", "")
	tool := func(code int, took time.Duration, err error, argv ...string) scripted {
		return func(c *ocf.Call) error { c.Ran(argv, code, took, err); return nil }
	}
	b.act(t, "101", "start", 0, 2*time.Second, func(c *ocf.Call) error {
		c.Ran([]string{"/usr/sbin/vzctl", "status", "101"}, 0, 12345*time.Microsecond, nil)
		c.Runs([]string{"/usr/sbin/vzctl", "start", "101"})
		c.Ran([]string{"/usr/sbin/vzctl", "start", "101"}, 0, 1987*time.Millisecond, nil)
		return nil
	})
	b.act(t, "101", "status", 30, 20*time.Millisecond, tool(0, 400*time.Microsecond, nil, "/usr/sbin/vzctl", "status", "101"))
	b.act(t, "102", "status", 31, 20*time.Millisecond, func(*ocf.Call) error { return ocf.ErrNotRunning })
	b.act(t, "101", "status", 60, 20*time.Second, func(c *ocf.Call) error {
		c.Ran([]string{"/usr/sbin/vzctl", "status", "101"}, 0, 20*time.Second, errors.New("deadline passed"))
		return errors.New("asking vzctl: deadline passed")
	}, "OCF_CHECK_LEVEL=10")
	b.act(t, "102", "stop", 61, time.Second, func(c *ocf.Call) error { c.Runs([]string{"/usr/libexec/lbvm/left-alone"}); return nil })
	return b
}

func TestBlackbox(t *testing.T) {
	b := boxBench(t)
	hide := regexp.MustCompile(`(^|\n)(.*?)  ` + `(\d+) +([0-9a-f]{12})  `)
	show := func(want string, args ...string) {
		t.Helper()
		if code := b.lbm(append([]string{"blackbox"}, args...)...); code != 0 {
			t.Errorf("%v: %d %s", args, code, b.errors.String())
		}
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(hide.ReplaceAllString(b.out.String(), "$1$2  PID  DIGEST  ")), "\n") {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if want := "TIME RESOURCE ACTION EXIT TOOK PID PARAMS ERROR TOOLS\n" + want; strings.Join(got, "\n")+"\n" != want && want != "" {
			t.Errorf("%v:\n%s\nwant\n%s", args, b.out.String(), want)
		}
	}
	at := func(s int) string { return time.Unix(1290000000+int64(s), 0).Local().Format("2006-01-02 15:04:05.000") }
	start := at(0) + " openvz:101 start 0 2s PID DIGEST - vzctl status 101 0 12.35ms; vzctl start 101 0 1.99s\n"
	status := at(30) + " openvz:101 status 0 20ms PID DIGEST - vzctl status 101 0 0.400ms\n"
	other := at(31) + " openvz:102 status 7 20ms PID DIGEST - -\n"
	failed := at(60) + " openvz:101 status 10 1 20s PID DIGEST asking vzctl: deadline passed vzctl status 101 ! 20s (deadline passed)\n"
	stop := at(61) + " openvz:102 stop 0 1s PID DIGEST - left-alone ?\n"
	show(start + failed + stop)
	show(start+status+other+failed+stop, "--all")
	show(failed, "--failed")
	show(failed, "--failed", "--all")
	show(start+failed, "--vm", "101")
	show(other+stop, "--vm", "openvz:102", "--all")
	show(failed+stop, "-n", "2")
	show(stop, "--all", "--vm", "102", "-n", "1")
	show("", "--vm", "nosuch")
	if !strings.Contains(b.errors.String(), "holds no such action") {
		t.Errorf("nothing was said of an empty answer: %q", b.errors.String())
	}
}

func TestBlackboxJSON(t *testing.T) {
	b := boxBench(t)
	var got struct {
		Actions []struct {
			At, VM, Instance, Action, State, Manager string
			PID                                      int
			Digest                                   string `json:"params_digest"`
			Failed, Notable                          bool
			Code                                     *int
			Seconds                                  *float64
			Tools                                    []struct {
				Command, Error string
				Code           *int
				Seconds        *float64
			}
		}
	}
	if code := b.lbm("blackbox", "--all", "-o", "json"); code != 0 {
		t.Fatalf("%d %s", code, b.errors.String())
	}
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || len(got.Actions) != 5 {
		t.Fatalf("%v\n%s", err, b.out.String())
	}
	a := got.Actions[3]
	if at, err := time.Parse(time.RFC3339, a.At); err != nil || at.Unix() != 1290000060 || a.VM != "101" || a.Instance != "openvz:101" || a.State != "ended" || a.Manager != "rgmanager" ||
		!a.Failed || !a.Notable || *a.Code != 1 || *a.Seconds != 20 || a.PID != os.Getpid() || a.Digest != got.Actions[0].Digest {
		t.Errorf("%+v", a)
	}
	if x := a.Tools[0]; x.Code != nil || *x.Seconds != 20 || x.Error == "" {
		t.Errorf("a program without an exit code: %+v", x)
	}
	if x := got.Actions[4].Tools[0]; x.Code != nil || x.Seconds != nil {
		t.Errorf("a program that has not ended: %+v", x)
	}
	if got.Actions[1].Notable || got.Actions[4].Digest == a.Digest {
		t.Errorf("%+v", got.Actions)
	}
	if code := b.lbm("blackbox", "--vm", "nosuch", "-o", "json"); code != 0 || b.out.String() != "{\n  \"actions\": []\n}\n" {
		t.Errorf("%d %q", code, b.out.String())
	}
}

func TestBlackboxFile(t *testing.T) {
	b := newBench(t, nil)
	if code := b.lbm("blackbox"); code != exitFailed || !strings.Contains(b.errors.String(), "the first action of an agent on this node makes it") || b.out.Len() > 0 {
		t.Errorf("%d %s", code, b.errors.String())
	}
	other := boxBench(t)
	if code := b.lbm("blackbox", "--file", ocf.BoxFile(other.root)); code != 0 || strings.Count(b.out.String(), "\n") != 4 {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	b.write(t, "var/lib/lbvm/blackbox", "rubbish")
	for _, args := range [][]string{{"blackbox"}, {"blackbox", "--file", b.root}, {"blackbox", "--file", b.root + "/nosuch"}} {
		if code := b.lbm(args...); code != exitFailed || b.errors.Len() == 0 || b.out.Len() > 0 {
			t.Errorf("%v: %d %s", args, code, b.errors.String())
		}
	}
	for _, args := range [][]string{{"blackbox", "101"}, {"blackbox", "-n", "-1"}, {"blackbox", "-o", "yaml"}, {"blackbox", "--bogus"}} {
		if code := b.lbm(args...); code != exitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
	if code := b.lbm("blackbox", "--help"); code != 0 || !strings.Contains(b.out.String(), "lbm blackbox --failed") {
		t.Errorf("%d %s", code, b.out.String())
	}
}
