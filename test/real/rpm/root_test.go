// Package rpm builds the packages with rpmbuild, and installs, upgrades, downgrades and erases them in a root of their own.
package rpm

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// root is the file tree of a node on which nothing is installed but a shell.
type root struct {
	t   *testing.T
	dir string
}

func newRoot(t *testing.T) root {
	t.Helper()
	r := root{t, t.TempDir()}
	r.furnish()
	return r
}

// furnish puts into the root what packages find on every node.
func (r root) furnish() {
	t := r.t
	t.Helper()
	busybox := real.Need(t, "busybox")
	r.write("bin/sh", read(t, real.Need(t, "bash-static")), 0o755) // CentOS's shell; busybox's would not look at PATH
	r.write("bin/busybox", read(t, busybox), 0o755)
	out, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range strings.Fields(string(out)) {
		if err := os.Symlink("busybox", r.path("bin/"+tool)); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"dev", "tmp", "usr/share/cluster", "etc/cluster", "usr/bin"} {
		if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mknod(r.path("dev/null"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Fatal(err)
	}
	r.rpm("--initdb")
}

func (r root) path(name string) string { return filepath.Join(r.dir, name) }

func (r root) write(name, text string, mode fs.FileMode) {
	r.t.Helper()
	err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755)
	if err == nil {
		err = os.WriteFile(r.path(name), []byte(text), mode)
	}
	if err == nil {
		err = os.Chmod(r.path(name), mode)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r root) read(name string) string {
	r.t.Helper()
	return read(r.t, r.path(name))
}

func (r root) has(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

// try runs rpm in the root. What it prints is what the scripts print: rpm's own word about Debian is left out.
func (r root) try(args ...string) (string, error) {
	r.t.Helper()
	args = append([]string{"--root", r.dir}, args...)
	switch args[2] {
	case "-i", "-U", "-F", "-e", "-Va": // the root holds nothing that packages could depend on
		args = append(args, "--nodeps")
	}
	out, err := run(r.t, "", "rpm", args...)
	var kept []string
	for _, l := range strings.Split(out, "\n") {
		if !strings.HasPrefix(l, "rpm: ") && strings.TrimSpace(l) != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n"), err
}

// rpm must succeed and say nothing.
func (r root) rpm(args ...string) {
	r.t.Helper()
	if out, err := r.try(args...); err != nil || out != "" {
		r.t.Fatalf("rpm %s: %v, and it says %q", strings.Join(args, " "), err, out)
	}
}

// in runs a program inside the root.
func (r root) in(argv ...string) (string, error) {
	r.t.Helper()
	return run(r.t, "", "chroot", append([]string{r.dir, "/bin/env", "-i"}, argv...)...)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run runs a program to its end, which comes before limit.
func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	const limit = 15 * time.Minute
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	timer := time.AfterFunc(limit, func() {
		if cmd.Process != nil {
			if err := cmd.Process.Kill(); err != nil {
				t.Errorf("%s after %s: %v", name, limit, err)
			}
		}
	})
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}
