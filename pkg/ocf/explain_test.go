package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files are all paths below a folder.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExplain(t *testing.T) {
	n := newNode(t, `[ "$1" = status ] && exit 7; exit 0`)
	n.write("var/log/x", "", 0o644) // a real action's log would go here
	before := files(t, n.root)
	tool := n.root + "/usr/sbin/tool"
	for _, tt := range []struct{ args, params, want string }{
		{"--explain start", "do=change", `start of kit:k1, as rgmanager calls it. Nothing is changed.
  name=k1
  do=change (default)
  tool=tool (default)
  time: 1m0s; what still runs after 58s is told to end
  would run: ` + tool + ` start k1
end: ok (exit 0)
`},
		{"--explain stop", "do=ask-change-ask", `stop of kit:k1, as rgmanager calls it. Nothing is changed.
  name=k1
  do=ask-change-ask
  tool=tool (default)
  time: 1m0s; what still runs after 58s is told to end
  asked: ` + tool + ` stop k1 (exit code 0)
  would run: ` + tool + ` stop k1
then it goes on by what comes of that
`},
		{"--explain --dialect=pacemaker monitor", "do=query", `monitor of kit:k1, as pacemaker calls it. Nothing is changed.
  name=k1
  do=query
  tool=tool (default)
  time: 20s; what still runs after 18s is told to end
  asked: ` + tool + ` monitor k1 (exit code 0)
end: runs here (exit 0)
`},
		{"--explain start", "do=change tool=missing", `start of kit:k1, as rgmanager calls it. Nothing is changed.
  name=k1
  do=change (default)
  tool=missing
  time: 1m0s; what still runs after 58s is told to end
end: program not installed (exit 5): missing is not installed here
`},
		{"--dialect heartbeat --explain k9 do=two-at-once start", "", `start of kit:k1, as heartbeat calls it. Nothing is changed.
  name=k9
  do=two-at-once
  tool=tool (default)
  time: 1m0s; what still runs after 58s is told to end
  would run: ` + tool + ` start k9
  would run: ` + tool + ` start k9
end: ok (exit 0)
`},
		{"--explain promote", "", `promote of kit:k1, as rgmanager calls it. Nothing is changed.
  this agent has no such action
end: not implemented (exit 3)
`},
		{"--explain start", "do=nonsense", `start of kit:k1, as rgmanager calls it. Nothing is changed.
  name=k1
  do=nonsense
  tool=tool (default)
  time: 1m0s; what still runs after 58s is told to end
end: not configured (exit 6): do what? "nonsense"
`},
	} {
		w, out, log := n.world(tt.args, strings.Fields(tt.params)...)
		w.Log, w.Human = nil, true // as Main: the real log, and somebody who looks
		w.Box = BoxFile(n.root)
		if code := Run(w, []byte(kitXML), kit{}); code != 0 || out.String() != tt.want {
			t.Errorf("%s %s: exit %d, printed\n%swant\n%s", tt.args, tt.params, code, out, tt.want)
		}
		if log.String() != "" {
			t.Errorf("logged: %s", log)
		}
		if after := files(t, n.root); !slices.Equal(before, after) {
			t.Fatalf("%s %s: the node has changed: %q", tt.args, tt.params, after)
		}
	}
	// The same without --explain leaves a lock and a log: the comparison above can fail.
	w, _, _ := n.world("start")
	w.Log = nil
	if code := Run(w, []byte(kitXML), kit{}); code != 0 || slices.Equal(before, files(t, n.root)) {
		t.Errorf("exit %d, and a real action leaves no trace", code)
	}
}

// explainer explains itself by a function.
type explainer struct {
	toy
	f func(context.Context, *Call, func(context.Context) error) error
}

func (e explainer) Explain(ctx context.Context, c *Call, do func(context.Context) error) error {
	return e.f(ctx, c, do)
}

func TestExplainers(t *testing.T) {
	n := newNode(t, "echo x >> calls")
	run := func(action string, a Agent, params ...string) string {
		t.Helper()
		w, out, log := n.world("--explain "+action, append([]string{"name=t1"}, params...)...)
		if code := Run(w, []byte(testXML), a); code != 0 {
			t.Errorf("%s: exit %d", action, code)
		}
		if log.String() != "" {
			t.Errorf("logged: %s", log)
		}
		return out.String()
	}
	for _, tt := range []struct {
		action string
		params []string
		f      func(context.Context, *Call, func(context.Context) error) error
		want   string
	}{
		{"start", nil, func(_ context.Context, c *Call, _ func(context.Context) error) error {
			c.Say("would write %s", "a file")
			return nil
		}, "would write a file\nend: ok (exit 0)\n"},
		{"status", nil, func(context.Context, *Call, func(context.Context) error) error { return ErrNotRunning }, "end: does not run here (exit 7): not running here\n"},
		{"stop", []string{"do=gone"}, func(ctx context.Context, _ *Call, do func(context.Context) error) error { return do(ctx) }, "end: ok (exit 0)\n"},
		{"stop", nil, func(context.Context, *Call, func(context.Context) error) error { return errors.New("two\nlines") }, "end: generic error (exit 1): two lines\n"},
		{"stop", nil, func(context.Context, *Call, func(context.Context) error) error { panic("it broke") }, "end: generic error (exit 1): panic: it broke\n"},
		{"stop", nil, func(_ context.Context, c *Call, _ func(context.Context) error) error {
			c.Log.Log(LevelNotice, "stopped", "by", "us")
			c.Log.Log(LevelDebug, "not shown")
			return nil
		}, "  log, notice: stopped by=us\nend: ok (exit 0)\n"},
		// A wait for what a change would bring about ends the explanation instead of hanging.
		{"start", nil, func(ctx context.Context, c *Call, _ func(context.Context) error) error {
			if _, err := c.Change(ctx, "tool", "up"); err != nil {
				return err
			}
			return c.Await(ctx, 1, func(ctx context.Context) (bool, error) {
				out, err := c.Query(ctx, "tool", "is-up")
				return out.ExitCode == 0, err
			})
		}, "  would run: " + n.root + "/usr/sbin/tool up\nthen it goes on by what comes of that\n"},
		{"start", nil, func(ctx context.Context, c *Call, _ func(context.Context) error) error {
			return c.Await(ctx, 1, func(context.Context) (bool, error) { return false, nil })
		}, "  would wait for the outcome\nthen it goes on by what comes of that\n"},
	} {
		got := run(tt.action, explainer{toy{}, tt.f}, tt.params...)
		head := "\n  time: "
		at := strings.Index(got, head)
		if at < 0 || strings.SplitN(got[at+1:], "\n", 2)[1] != tt.want {
			t.Errorf("%s: printed\n%swant at its end\n%s", tt.action, got, tt.want)
		}
	}
	if got := run("stop", toy{}, "do=fail"); !strings.HasSuffix(got, "\n  this agent cannot say what it would run\n") {
		t.Errorf("an agent without Explain: %s", got)
	}
	if n.exists("calls") {
		t.Error("a change was made")
	}
	// A missing parameter, and what nobody but the manager reads.
	w, out, _ := n.world("--explain stop")
	w.Env = []string{"OCF_RESKEY_size=4"}
	if code := Run(w, []byte(testXML), toy{}); code != 0 || out.String() != `stop of toy:, as rgmanager calls it. Nothing is changed.
  do=ok (default)
  size=4
  time: 1m0s; what still runs after 58s is told to end
  the parameter "name" is missing: nothing is done
end: ok (exit 0)
` {
		t.Errorf("exit %d, %s", code, out)
	}
	// A wrong call is told to the human and not to the log.
	w, out, log := n.world("--explain --no-such-option stop")
	if code := Run(w, []byte(testXML), toy{}); code != CodeArgs || log.String() != "" || !strings.Contains(out.String(), "unknown option --no-such-option") {
		t.Errorf("exit %d, %s, log %s", code, out, log)
	}
	// Nobody reads it.
	w, _, _ = n.world("--explain start", "name=t1")
	w.Stdout = brokenWriter{}
	if code := Run(w, []byte(testXML), toy{}); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// In a real action Say prints nothing, and nothing is a plan.
func TestNotExplaining(t *testing.T) {
	n := newNode(t, "")
	w, out, _ := n.world("start", "name=t1")
	seen := false
	see := toy{func(_ context.Context, c *Call) {
		seen = true
		c.Say("hello")
		if c.Explaining() {
			t.Error("it explains")
		}
	}}
	if code := Run(w, []byte(testXML), see); code != 0 || out.Len() > 0 || !seen {
		t.Errorf("exit %d, printed %q", code, out)
	}
	var none *Call
	if none.Explaining() {
		t.Error("no call explains")
	}
}
