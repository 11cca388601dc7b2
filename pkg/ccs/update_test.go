package ccs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lockfile"
)

func write(t testing.TB, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "cluster.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func addVM(name string) func(*Document) ([]Edit, error) {
	return func(d *Document) ([]Edit, error) {
		return []Edit{Insert{d.rm(), Into, Markup("openvz", []Attr{{"name", name}})}}, nil
	}
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	real := write(t, dir, sample)
	sample := strings.Replace(sample, "      <xen ref=\"gone\"/>\n", "", 1)
	write(t, dir, sample)
	if err := os.Chmod(real, 0o604); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, path); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	dry, err := Update(ctx, path, Options{DryRun: true}, addVM("103"))
	if err != nil || !dry.Changed || dry.Written || !strings.Contains(dry.Diff, "+    <openvz name=\"103\"/>\n") || !strings.Contains(dry.Diff, `-<cluster name="lbvm" config_version="42">`) {
		t.Errorf("%+v, %v", dry, err)
	}
	if got, err := os.ReadFile(real); err != nil || string(got) != sample {
		t.Fatal("a dry run wrote", err)
	}
	if _, err := os.Stat(real + LockSuffix); err == nil {
		t.Error("a dry run took the lock")
	}
	r, err := Update(ctx, path, Options{Base: dry.Before}, addVM("103"))
	if err != nil || r.Old != 42 || r.New != 43 || !r.Written || r.Diff != dry.Diff || r.Path != real {
		t.Fatalf("%+v, %v", r, err)
	}
	want := strings.Replace(strings.Replace(sample, `"42"`, `"43"`, 1), "  </rm>", "    <openvz name=\"103\"/>\n  </rm>", 1)
	if got, err := os.ReadFile(real); err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
	for _, p := range []string{real, r.Backup} {
		if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != 0o604 {
			t.Errorf("%s: %v %v", p, fi, err)
		}
	}
	if got, err := os.ReadFile(real + ".lbvm-42"); err != nil || string(got) != sample || r.Backup != real+".lbvm-42" {
		t.Errorf("the file before: %s %v", got, err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if _, err = Update(ctx, path, Options{Base: dry.Before}, addVM("104")); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	var changed *ChangedError
	if !errors.As(err, &changed) || !strings.Contains(changed.Diff, `+    <openvz name="103"/>`) {
		t.Errorf("it does not show what changed: %v", changed)
	}
	r, err = Update(ctx, path, Options{}, func(d *Document) ([]Edit, error) { return nil, nil })
	if err != nil || r.Changed || r.Written || r.New != 43 {
		t.Errorf("no edits: %+v %v", r, err)
	}
	for i := range 9 {
		if _, err := Update(ctx, path, Options{Keep: 3}, addVM(fmt.Sprint("2", i))); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(real + ".lbvm-[0-9]*")
	if err != nil || len(names) != 3 || filepath.Base(names[0]) != "cluster.conf.lbvm-49" {
		t.Errorf("kept %v, %v", names, err)
	}
}

func TestUpdateRefuses(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name, src string
		is        error
		say       string
		edit      func(*Document) ([]Edit, error)
	}{
		{"without a name", sample, ErrRefused, "<openvz> has no name", func(d *Document) ([]Edit, error) { return []Edit{Insert{d.rm(), Into, "<openvz/>"}}, nil }},
		{"a second of the name", sample, ErrRefused, "stands in line 13", addVM("101")},
		{"no version", "<cluster name='x'><rm/></cluster>", ErrVersion, "has none", addVM("1")},
		{"a word for a version", "<cluster name='x' config_version='one'><rm/></cluster>", ErrVersion, `"one"`, addVM("1")},
		{"the last version", "<cluster name='x' config_version='2147483647'><rm/></cluster>", ErrVersion, "raised", addVM("1")},
		{"the version itself", sample, nil, "nothing was changed", func(d *Document) ([]Edit, error) { return []Edit{SetAttr{d.Root(), "config_version", "50"}}, nil }},
		{"the edit fails", sample, boom, "boom", func(d *Document) ([]Edit, error) { return nil, boom }},
		{"not well-formed", "<cluster>", nil, "is not closed", addVM("1")},
	} {
		path := write(t, t.TempDir(), c.src)
		r, err := Update(context.Background(), path, Options{}, c.edit)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.say) || r.Written {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.src {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	if _, err := Update(context.Background(), filepath.Join(t.TempDir(), "none"), Options{}, addVM("1")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestUpdateWaitsForTheLock(t *testing.T) {
	path := write(t, t.TempDir(), `<cluster name="x" config_version="1"><rm/></cluster>`)
	shared := filepath.Join(t.TempDir(), "lock")
	l, err := lockfile.Try(shared, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Update(ctx, path, Options{Lock: []string{shared}}, addVM("1")); !errors.Is(err, lockfile.ErrHeld) || !strings.Contains(err.Error(), "somebody") {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Update(context.Background(), path, Options{Lock: []string{shared}}, addVM("1")); err != nil {
		t.Error(err)
	}
}

// An editor that asks for no lock writes while we do.
func TestUpdateSeesALateChange(t *testing.T) {
	path := write(t, t.TempDir(), sample)
	src := strings.Replace(sample, "      <xen ref=\"gone\"/>\n", "", 1)
	other := strings.Replace(src, "node2", "node3", 1)
	write(t, filepath.Dir(path), src)
	_, err := Update(context.Background(), path, Options{at: func(step string) error {
		if step == "write:sync" {
			write(t, filepath.Dir(path), other)
		}
		return nil
	}}, addVM("7"))
	if !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != other {
		t.Errorf("the other's change is lost: %s", got)
	}
}
