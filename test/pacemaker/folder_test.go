package pacemaker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// newFolder is where the bench lies: a new folder in TMPDIR, on which a node's /usr, /etc and /var can be laid over the machine's.
// That needs a file system that overlayfs takes for its upper one, which that of a container is not: then memory serves.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lbvm-pcmk-") // short, and without the test's name: sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	why := layable(dir)
	if why == nil || errors.Is(why, syscall.EPERM) { // who may not mount is told so by the nodes
		return dir
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatalf("%s is of no use (%v), and memory cannot be had for it: %v", dir, why, err)
	}
	t.Logf("%s lies in memory: %v", dir, why)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// layable tries whether overlayfs takes the file system of a folder for its upper one.
func layable(dir string) (err error) {
	try := filepath.Join(dir, "try")
	at := func(name string) string { return filepath.Join(try, name) }
	defer func() { err = errors.Join(err, os.RemoveAll(try)) }()
	for _, name := range []string{"below", "upper", "work", "at"} {
		if err := os.MkdirAll(at(name), 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mount("overlay", at("at"), "overlay", 0, "lowerdir="+at("below")+",upperdir="+at("upper")+",workdir="+at("work")); err != nil {
		return fmt.Errorf("overlayfs does not take its file system: %w", err)
	}
	err = os.WriteFile(filepath.Join(at("at"), "file"), nil, 0o600)
	return errors.Join(err, syscall.Unmount(at("at"), 0))
}

// In a container TMPDIR lies on an overlayfs itself.
func TestFolderOnOverlay(t *testing.T) {
	real.NeedRoot(t)
	top := t.TempDir()
	mount := func(kind, at, options string) {
		t.Helper()
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(kind, at, kind, 0, options); err != nil {
			if errors.Is(err, syscall.EPERM) && os.Getenv(real.RequireVariable) != "1" {
				t.Skipf("skipped: this test mounts, which may not be done here (%v)", err)
			}
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	mount("tmpfs", top, "mode=755")
	in := func(name string) string {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	container := filepath.Join(top, "container")
	mount("overlay", container, "lowerdir="+in("below")+",upperdir="+in("upper")+",workdir="+in("work"))
	if layable(container) == nil {
		t.Skip("skipped: this kernel lays an overlayfs over another one")
	}
	for _, place := range []string{container, in("plain")} {
		t.Run(filepath.Base(place), func(t *testing.T) {
			t.Setenv("TMPDIR", place)
			dir := newFolder(t)
			if err := layable(dir); err != nil || filepath.Dir(dir) != place {
				t.Errorf("%s: %v", dir, err)
			}
		})
		if left, err := os.ReadDir(place); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", place, left, err)
		}
	}
}
