package hypervisor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// stage is a node with scripted tools: play answers each command, calls keeps them all.
type stage struct {
	t     *testing.T
	root  string
	tools Tools
	calls []string // "vzctl status 101", "!vzctl start 101" for a change
	play  func(argv []string) run.Result
	notes []string
	clock *instant
}

func newStage(t *testing.T, play func(argv []string) run.Result) *stage {
	t.Helper()
	s := &stage{t: t, root: t.TempDir(), play: play, clock: &instant{now: time.Unix(1e9, 0)}}
	for _, p := range []string{"vzctl", "vzlist", "xm", "virsh"} {
		s.file("/usr/sbin/"+p, "")
		if err := os.Chmod(filepath.Join(s.root, "usr/sbin", p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.file("/etc/vz/conf/0.conf-sample", "")
	h, err := host.New(s.root)
	if err != nil {
		t.Fatal(err)
	}
	s.tools = Tools{Host: h, Clock: s.clock, Query: runner{s, ""}, Change: runner{s, "!"}, Note: func(n string) { s.notes = append(s.notes, n) }}
	return s
}

func (s *stage) file(abs, text string) string {
	s.t.Helper()
	p := filepath.Join(s.root, abs)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// program makes a file a program.
func (s *stage) program(abs string) {
	s.t.Helper()
	if err := os.Chmod(filepath.Join(s.root, abs), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// changes are the changing commands that were run.
func (s *stage) changes() []string {
	var out []string
	for _, c := range s.calls {
		if rest, ok := strings.CutPrefix(c, "!"); ok {
			out = append(out, strings.ReplaceAll(rest, s.root, ""))
		}
	}
	return out
}

func (s *stage) wantChanges(want ...string) {
	s.t.Helper()
	if got := s.changes(); !slices.Equal(got, want) {
		s.t.Errorf("changed by %q, want %q", got, want)
	}
}

type runner struct {
	s    *stage
	mark string
}

func (r runner) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if _, ok := ctx.Deadline(); !ok {
		r.s.t.Errorf("%q has no deadline", c.Argv)
	}
	if !slices.Equal(c.Env, r.s.tools.Host.Environ()) {
		r.s.t.Errorf("%q has the environment %q", c.Argv, c.Env)
	}
	if err := ctx.Err(); err != nil {
		return run.Result{}, run.ErrDeadline
	}
	name := strings.TrimPrefix(c.Argv[0], r.s.root+"/usr/sbin/")
	if name == c.Argv[0] {
		r.s.t.Errorf("%q is not below the root", c.Argv[0])
	}
	argv := append([]string{name}, c.Argv[1:]...)
	r.s.calls = append(r.s.calls, r.mark+strings.Join(argv, " "))
	return r.s.play(argv), nil
}

// instant is a clock on which waiting takes no time; after is called before each wait.
type instant struct {
	now   time.Time
	waits int
	after func(waits int)
}

func (c *instant) Now() time.Time { return c.now }

func (c *instant) Sleep(ctx context.Context, d time.Duration) error {
	c.waits++
	if c.after != nil {
		c.after(c.waits)
	}
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *instant) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func says(out string) run.Result { return run.Result{Stdout: []byte(out)} }

func fails(code int, err string) run.Result { return run.Result{Code: code, Stderr: []byte(err)} }

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/from-source", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// samples are all files of one tool, as seeds.
func samples(t testing.TB, pattern string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata/from-source", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples %s: %v", pattern, err)
	}
	var out [][]byte
	for _, n := range names {
		out = append(out, sample(t, filepath.Base(n)))
	}
	return out
}
