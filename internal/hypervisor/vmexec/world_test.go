package vmexec

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// stage is a node with scripted programs: play answers each command, calls keeps them all ("!" before a change).
type stage struct {
	t      *testing.T
	root   string
	tools  hypervisor.Tools
	calls  []string
	play   func(argv []string) (run.Result, error)
	now    time.Time
	params map[string]string
}

// toy is a technology whose program is xtool.
const toy = `config /etc/x/%{name}.conf;
disk /disks/%{name};
memory 64M;
status { run xtool status %{name}; running exit 0 output "^up"; paused exit 0 output "^frozen"; stopped exit 0 output "^down"; remains exit 0 output "^half"; }
start xtool start %{name} %{config};
stop xtool stop %{name};
destroy xtool kill %{name};
thaw xtool thaw %{name};
save xtool save %{name} %{image};
restore xtool restore %{name} %{image};
migrate xtool move %{name} %{target};
`

func newStage(t *testing.T, definition string) *stage {
	t.Helper()
	s := &stage{t: t, root: t.TempDir(), now: time.Unix(1e9, 0), params: map[string]string{"type": "toy"}}
	if definition != "" {
		s.file(Dir+"/toy", definition, 0o644)
	}
	s.file("/usr/bin/xtool", "", 0o755)
	s.file("/etc/x/web.conf", "", 0o644)
	s.file("/disks/web", "", 0o644)
	h, err := host.New(s.root)
	if err != nil {
		t.Fatal(err)
	}
	s.tools = hypervisor.Tools{Host: h, Clock: s, Query: runner{s, ""}, Change: runner{s, "!"}, Param: func(n string) string { return s.params[n] }}
	return s
}

func (s *stage) file(abs, text string, mode os.FileMode) string {
	s.t.Helper()
	p := filepath.Join(s.root, abs)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *stage) driver() hypervisor.Driver {
	s.t.Helper()
	d, err := New(Type, s.tools)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// Waiting takes no time.
func (s *stage) Now() time.Time { return s.now }

func (s *stage) Sleep(ctx context.Context, d time.Duration) error {
	s.now = s.now.Add(d)
	return ctx.Err()
}

func (s *stage) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
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
	if c.Argv[0] != r.s.root+"/usr/bin/xtool" {
		r.s.t.Errorf("%q is not below the root", c.Argv[0])
	}
	if ctx.Err() != nil {
		return run.Result{}, run.ErrDeadline
	}
	argv := append([]string{"xtool"}, c.Argv[1:]...)
	r.s.calls = append(r.s.calls, r.mark+strings.Join(argv, " "))
	return r.s.play(argv)
}

func says(out string) (run.Result, error) { return run.Result{Stdout: []byte(out)}, nil }

func ends(code int) (run.Result, error) { return run.Result{Code: code}, nil }
