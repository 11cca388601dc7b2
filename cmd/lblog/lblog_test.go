package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/testfiles"
)

// still is a clock that shows one instant; its sleeps pass at once.
type still struct{ now time.Time }

func (c still) Now() time.Time                                   { return c.now }
func (c still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
func (c still) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// file is one part of an archive.
type file struct{ name, text string }

// archive splits a text into what stands above the first `-- NAME --` line and the files below.
func archive(text string) (head string, files []file) {
	for _, line := range strings.SplitAfter(text, "\n") {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, closed := strings.CutSuffix(name, " --"); ok && closed {
			files = append(files, file{name: name})
			continue
		}
		if len(files) == 0 {
			head += line
		} else {
			files[len(files)-1].text += line
		}
	}
	return head, files
}

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { script(t, path) })
	}
}

// script runs lblog once below a root made of the archive's root/ files, and compares what it printed and left.
// The head holds `args:` and `code:`; a file want/PATH must be there afterwards, and a file gone/PATH must not.
func script(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, files := archive(string(b))
	args, code := []string{"lblog"}, -1
	for _, line := range strings.Split(head, "\n") {
		if a, ok := strings.CutPrefix(line, "args:"); ok {
			args = append(args, strings.Fields(a)...)
		}
		if c, ok := strings.CutPrefix(line, "code:"); ok {
			if code, err = strconv.Atoi(strings.TrimSpace(c)); err != nil {
				t.Fatal(err)
			}
		}
	}
	root := t.TempDir()
	var stdout, stderr string
	for _, f := range files {
		if f.name == "stdout" {
			stdout = f.text
		}
		if f.name == "stderr" {
			stderr = f.text
		}
		if p, ok := strings.CutPrefix(f.name, "root/"); ok {
			write(t, filepath.Join(root, p), f.text)
		}
	}
	before := testfiles.Texts(t, root)
	w, out, errs := at(t, root)
	if got := w.main(args); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	gotOut, gotErr := settle(out.String(), root), settle(errs.String(), root)
	if os.Getenv("UPDATE") != "" {
		update(t, path, head, files, gotOut, gotErr)
		stdout, stderr = gotOut, gotErr
	}
	if diff := cmp.Diff(stdout, gotOut); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stderr, gotErr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	after := testfiles.Texts(t, root)
	for _, f := range files {
		if p, ok := strings.CutPrefix(f.name, "want/"); ok {
			if diff := cmp.Diff(f.text, after[p]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p, diff)
			}
		}
		if p, ok := strings.CutPrefix(f.name, "gone/"); ok {
			if text, there := after[p]; there {
				t.Errorf("%s was written: %q", p, text)
			}
		}
	}
	if strings.Contains(head, "changes nothing") {
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("files were changed (-before +after):\n%s", diff)
		}
	}
}

// update writes what was printed into the script.
func update(t *testing.T, path, head string, files []file, stdout, stderr string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(head)
	for _, f := range files {
		switch f.name {
		case "stdout":
			f.text = stdout
		case "stderr":
			f.text = stderr
		}
		b.WriteString("-- " + f.name + " --\n" + f.text)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settle takes out of what was printed all that differs from run to run.
func settle(text, root string) string {
	text = strings.ReplaceAll(text, root, "ROOT")
	text = regexp.MustCompile(`time="?[^ ]* `).ReplaceAllString(text, "")
	return regexp.MustCompile(`(?m)  [0-9.]+m?s$`).ReplaceAllString(text, "  TOOK")
}

func at(t *testing.T, root string) (world, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	return world{host: h, clock: still{time.Unix(1195668541, 0).UTC()}, run: run.System{}, machine: func() (string, error) { return "x86_64", nil }, stdout: &out, stderr: &errs}, &out, &errs
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A run that takes longer than a minute is not overtaken: cron's next one leaves all as it is.
func TestOnlyOneRunAtATime(t *testing.T) {
	b, err := os.ReadFile("testdata/measure.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, files := archive(string(b))
	root := t.TempDir()
	for _, f := range files {
		if p, ok := strings.CutPrefix(f.name, "root/"); ok {
			write(t, filepath.Join(root, p), f.text)
		}
	}
	w, _, errs := at(t, root)
	dir := filepath.Join(root, host.RunDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := lockfile.Try(filepath.Join(dir, "lblog.lock"), "lblog, pid 1")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.main([]string{"lblog"}); got != 1 || !strings.Contains(errs.String(), "the last run has not ended yet") {
		t.Errorf("beside another run: exit code %d, %s", got, errs)
	}
	if _, err := os.Stat(filepath.Join(root, "shared/lbvm/log/node1-res")); err == nil {
		t.Error("beside another run it wrote a log")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.main([]string{"lblog"}); got != 0 {
		t.Errorf("after it: exit code %d, %s", got, errs)
	}
	// The second value goes behind the first.
	if got := w.main([]string{"lblog"}); got != 0 {
		t.Errorf("once more: exit code %d, %s", got, errs)
	}
	got, err := os.ReadFile(filepath.Join(root, "shared/lbvm/log/node1-ram"))
	if err != nil || string(got) != "1195668541 4\n1195668541 4\n" {
		t.Errorf("the log holds %q, %v", got, err)
	}
}

func TestHelpShowsAnExample(t *testing.T) {
	w, out, _ := at(t, t.TempDir())
	if got := w.main([]string{"lblog", "--help"}); got != 0 {
		t.Errorf("exit code %d", got)
	}
	for _, want := range []string{"lblog --dry-run", "* * * * * root /usr/share/lbvm/lblog", "Exit codes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %q", want)
		}
	}
}

// A copy of a node's machine boots where no cluster runs that could tell who it is: as long as the node itself publishes, the copy does not.
func TestACopyDoesNotPublish(t *testing.T) {
	for name, c := range map[string]struct {
		boot string
		age  time.Duration
		want string // the boot that is published then
	}{
		"another machine, a minute ago":     {"other", time.Minute, "other"},
		"another, by a clock that is ahead": {"other", -2 * time.Minute, "other"},
		"this one, before it booted":        {"other", 4 * time.Minute, "mine"},
		"this one":                          {"mine", time.Minute, "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			w, _, errs := at(t, root)
			write(t, filepath.Join(root, host.ConfFile), "interval 1m;\n")
			write(t, filepath.Join(root, "etc/cluster/lbresources.conf"), "")
			id := host.Identity{Cluster: "c", UUID: "u", Member: "node1", Shared: "/gfs", LogDir: "/gfs/lbvm/log"}
			if err := w.host.WriteIdentity(id); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, "gfs", host.MarkerFile), string(id.Marker()))
			write(t, filepath.Join(root, "gfs/lbvm/log/.keep"), "")
			write(t, filepath.Join(root, "gfs/lbvm/nodes/.keep"), "")
			write(t, filepath.Join(root, "proc/sys/kernel/random/boot_id"), "mine\n")
			shared := filepath.Join(root, "gfs")
			if err := host.WriteFacts(shared, host.Facts{Member: "node1", Boot: c.boot, At: w.clock.Now().Add(-c.age)}); err != nil {
				t.Fatal(err)
			}
			code := w.main([]string{"lblog"})
			if f, err := host.ReadFacts(shared, "node1"); err != nil || f.Boot != c.want {
				t.Errorf("published is %+v, %v; want %s (exit %d, %s)", f, err, c.want, code, errs)
			}
			if refused := strings.Contains(errs.String(), "another boot of node1"); refused != (c.want != "mine") {
				t.Errorf("it says %q", errs)
			}
		})
	}
}
