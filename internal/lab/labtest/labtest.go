// Package labtest runs lab nodes inside a test, for the tests of the emulated programs. Start at Main and New.
package labtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// Main is what a package's TestMain exits with: the test binary plays its guests too.
func Main(m *testing.M) int {
	if len(os.Args) > 2 && os.Args[1] == "guest" {
		return lab.GuestMain(os.Args[2:])
	}
	return m.Run()
}

// patience is what nothing takes unless it hangs, however busy the machine is.
const patience = 4 * time.Minute

// Lab is a lab whose daemons run in the test's process.
type Lab struct {
	T *testing.T
	lab.Layout
}

// New makes a lab and starts its nodes, each with tools of its own.
func New(t *testing.T, tools func() map[string]lab.Tool, nodes ...string) *Lab {
	t.Helper()
	l := &Lab{t, lab.Layout{Dir: t.TempDir()}}
	for _, node := range nodes {
		l.Start(node, tools())
	}
	return l
}

// Start starts a node, and gives what stops it in order.
func (l *Lab) Start(node string, tools map[string]lab.Tool) (stop func()) {
	l.T.Helper()
	root := l.Root(node)
	for _, dir := range []string{filepath.Join(root, "etc"), l.Shared()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			l.T.Fatal(err)
		}
	}
	if err := os.Symlink("../../shared", filepath.Join(root, "shared")); err != nil && !errors.Is(err, os.ErrExist) {
		l.T.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		l.T.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := lab.RunNode(ctx, l.Layout, node, self, tools); err != nil {
			l.T.Errorf("node %s: %v", node, err)
		}
	}()
	stop = func() { end(); <-done }
	l.T.Cleanup(stop)
	l.Await(func() bool {
		_, err := lab.Call(ctx, l.NodeSocket(node), lab.Request{Argv: []string{"lab", "guests"}})
		return err == nil
	})
	return stop
}

// File writes a file below the lab's folder.
func (l *Lab) File(path, text string) {
	l.T.Helper()
	path = l.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.T.Fatal(err)
	}
}

// Run calls a program on a node, as its client does.
func (l *Lab) Run(ctx context.Context, node string, argv ...string) run.Result {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := lab.Call(ctx, l.NodeSocket(node), lab.Request{Node: node, Argv: argv, Dir: l.Root(node)})
	if err != nil {
		l.T.Fatalf("%s: %q: %v", node, argv, err)
	}
	return r
}

// Want runs a line of words on a node and wants its code, and text somewhere in what it prints. It gives what was
// printed.
func (l *Lab) Want(code int, text, node, line string) string {
	l.T.Helper()
	r := l.Run(context.Background(), node, strings.Fields(line)...)
	all := string(r.Stdout) + string(r.Stderr)
	if r.Code != code || !strings.Contains(all, text) {
		l.T.Fatalf("%s: %s: code %d, want %d, with %q:\n%s", node, line, r.Code, code, text, all)
	}
	return all
}

// Await waits until ok.
func (l *Lab) Await(ok func() bool) {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !ok() {
		if clock.System().Sleep(ctx, 5*time.Millisecond) != nil {
			l.T.Fatal("it did not happen within minutes")
		}
	}
}

// Lines is what the guests of a VM wrote so far, as lines.
func (l *Lab) Lines(typ, vm string) int {
	b, err := os.ReadFile(l.Witness(typ, vm))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.T.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// AwaitLines waits until a VM has written some lines more.
func (l *Lab) AwaitLines(typ, vm string, more int) {
	l.T.Helper()
	want := l.Lines(typ, vm) + more
	l.Await(func() bool { return l.Lines(typ, vm) >= want })
}

// Findings are the checker's, in short.
func (l *Lab) Findings(cold int) string {
	l.T.Helper()
	list, err := lab.CheckAll(l.Layout, lab.CheckOptions{ColdAllowed: cold})
	if err != nil {
		l.T.Fatal(err)
	}
	var words []string
	for _, f := range list {
		words = append(words, string(f.Kind))
	}
	return strings.Join(words, ", ")
}
