package ccs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

// call is one call that changes something on disk.
type call struct {
	kind     string
	path, to string
	data     []byte
	mode     fs.FileMode
}

// watched is the real system. before is told of each call before it is made; its error is as if the call had failed.
// A write is made in two halves, so that something can happen between them.
type watched struct {
	atomicfile.System
	before func(call) error
}

func (w watched) CreateTemp(dir, prefix string) (atomicfile.File, error) {
	if err := w.before(call{kind: "create?"}); err != nil {
		return nil, err
	}
	f, err := w.System.CreateTemp(dir, prefix)
	if err != nil {
		return nil, err
	}
	if err := w.before(call{kind: "create", path: f.Name()}); err != nil { // only now its name is known
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return watchedFile{f, w}, nil
}

func (w watched) Rename(from, to string) error {
	if err := w.before(call{kind: "rename", path: from, to: to}); err != nil {
		return err
	}
	return w.System.Rename(from, to)
}

func (w watched) Remove(path string) error {
	if err := w.before(call{kind: "remove", path: path}); err != nil {
		return err
	}
	return w.System.Remove(path)
}

func (w watched) SyncDir(dir string) error {
	if err := w.before(call{kind: "syncdir", path: dir}); err != nil {
		return err
	}
	return w.System.SyncDir(dir)
}

type watchedFile struct {
	atomicfile.File
	w watched
}

func (f watchedFile) Write(b []byte) (int, error) {
	written := 0
	for _, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		if err := f.w.before(call{kind: "write", path: f.Name(), data: half}); err != nil {
			return written, err
		}
		n, err := f.File.Write(half)
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

func (f watchedFile) Chown(uid, gid int) error {
	if err := f.w.before(call{kind: "chown", path: f.Name()}); err != nil {
		return err
	}
	return f.File.Chown(uid, gid)
}

func (f watchedFile) Chmod(m fs.FileMode) error {
	if err := f.w.before(call{kind: "chmod", path: f.Name(), mode: m}); err != nil {
		return err
	}
	return f.File.Chmod(m)
}

func (f watchedFile) SetAttribute(name string, value []byte) error {
	if err := f.w.before(call{kind: "setattr", path: f.Name()}); err != nil {
		return err
	}
	return f.File.SetAttribute(name, value)
}

func (f watchedFile) Sync() error {
	if err := f.w.before(call{kind: "sync", path: f.Name()}); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f watchedFile) Close() error {
	if err := f.w.before(call{kind: "close", path: f.Name()}); err != nil {
		return errors.Join(err, f.File.Close())
	}
	return f.File.Close()
}

const (
	oldConf = "<cluster name=\"x\" config_version=\"8\">\n  <rm/>\n</cluster>\n"
	newConf = "<cluster name=\"x\" config_version=\"9\">\n  <rm>\n    <openvz name=\"1\"/>\n  </rm>\n</cluster>\n"
)

// crashScene is a folder with the old file, copies of earlier ones, and what a killed writer left behind.
func crashScene(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = write(t, dir, oldConf)
	for _, n := range []string{".lbvm-1", ".lbvm-2", ".lbvm-3", ".lbvm-8"} {
		if err := os.WriteFile(path+n, []byte("earlier"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, atomicfile.TempPrefix+"cluster.conf-123"), []byte("<clus"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

// editOnce is the transaction under test. at is asked before each of its steps and before each call.
func editOnce(path string, at func(string) error) (Result, error) {
	sys := watched{atomicfile.Real(), func(c call) error { return at("call " + c.kind) }}
	return Update(context.Background(), path, Options{Keep: 2, at: at, sys: sys}, addVM("1"))
}

// stepsAndCalls lists the steps and calls of one edit, in their order.
func stepsAndCalls(t *testing.T) []string {
	t.Helper()
	_, path := crashScene(t)
	var out []string
	if _, err := editOnce(path, func(name string) error {
		out = append(out, name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, name := range out {
		named[name] = true
	}
	want := []string{stepLock, stepRead, stepCheck, stepSweep, stepPrune, "call remove"}
	for _, p := range atomicfile.Points() {
		want = append(want, stepKeep+":"+string(p), stepWrite+":"+string(p))
	}
	for _, name := range want {
		if !named[name] {
			t.Fatalf("the edit passes %q and not %q", out, name)
		}
	}
	return out
}

// whole wants the old file or the new one, tells whether it is the new one, and wants the old one kept beside it.
func whole(t *testing.T, place, path string) bool {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != oldConf && string(got) != newConf {
		t.Fatalf("%s: a third thing: %q %v", place, got, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%s: %v %v", place, fi.Mode(), err)
	}
	if string(got) == oldConf {
		return false
	}
	if kept, err := os.ReadFile(path + ".lbvm-8"); err != nil || string(kept) != oldConf {
		t.Errorf("%s: the new file is in place, and the old one is not kept: %q %v", place, kept, err)
	}
	return true
}

// strays are temporary files of ours.
func strays(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, atomicfile.TempPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each step and each call fails once, with a full disk and with a broken one.
func TestErrorAtEveryStep(t *testing.T) {
	all := stepsAndCalls(t)
	for i, place := range all {
		for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
			dir, path := crashScene(t)
			n := -1
			r, err := editOnce(path, func(string) error {
				if n++; n == i {
					return cause
				}
				return nil
			})
			place := fmt.Sprintf("%d %s: %v", i, place, cause)
			if !errors.Is(err, cause) {
				t.Errorf("%s: the error is %v", place, err)
				continue
			}
			if is := whole(t, place, path); r.Written != is {
				t.Errorf("%s: the new file is in place: %v; Update says %v", place, is, r.Written)
			}
			if say := "changed"; !r.Written && !strings.HasSuffix(err.Error(), say) {
				t.Errorf("%s: it does not say that nothing was changed: %v", place, err)
			}
			if left := strays(t, dir); len(left) > 1 || len(left) == 1 && !strings.HasSuffix(left[0], "-123") {
				t.Errorf("%s: left %v", place, left)
			}
			again(t, place, dir, path)
		}
	}
	t.Logf("%d steps and calls failed, one at a time, with ENOSPC and with EIO", len(all))
}

// again makes another edit on what was left: it succeeds, raises the version by one and clears up.
func again(t *testing.T, place, dir, path string) {
	t.Helper()
	before, err := Load(path)
	if err != nil {
		t.Fatal(place, err)
	}
	old, err := before.Version()
	if err != nil {
		t.Fatal(place, err)
	}
	r, err := Update(context.Background(), path, Options{}, addVM("9"))
	if err != nil || r.New != old+1 || len(r.After.Services()) != len(before.Services())+1 {
		t.Errorf("%s: the next writer: %d %v", place, r.New, err)
	}
	if left := strays(t, dir); len(left) > 0 {
		t.Errorf("%s: the next writer left %v", place, left)
	}
}

const (
	killPath, killPlace                   = "CCS_TEST_KILL_PATH", "CCS_TEST_KILL_PLACE"
	writerPath, writerName, writerCount   = "CCS_TEST_WRITER_PATH", "CCS_TEST_WRITER_NAME", "CCS_TEST_WRITER_COUNT"
	writers, editsOfEach, firstOfVersions = 8, 100, 100
)

// A process is killed at each step and before each call: the file is the old one or the new one, and the next
// writer goes on.
func TestKilledAtEveryStep(t *testing.T) {
	if path := os.Getenv(killPath); path != "" {
		i, err := strconv.Atoi(os.Getenv(killPlace))
		if err != nil {
			t.Fatal(err)
		}
		n := -1
		_, err = editOnce(path, func(string) error {
			if n++; n == i {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		})
		t.Fatal("still alive", err)
	}
	all := stepsAndCalls(t)
	before, after := 0, 0
	for i, place := range all {
		dir, path := crashScene(t)
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryStep$")
		cmd.Env = append(os.Environ(), killPath+"="+path, killPlace+"="+strconv.Itoa(i))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
			t.Fatalf("%s: %v %s", place, err, out)
		}
		if whole(t, place, path) {
			after++
		} else if before++; after > 0 {
			t.Errorf("%s: the old file is back", place)
		}
		again(t, place, dir, path)
	}
	if before < 15 || after < 3 {
		t.Errorf("%d times the old file and %d times the new one", before, after)
	}
	t.Logf("killed at %d steps and calls: %d times the old file was whole, %d times the new one", len(all), before, after)
}

// Eight processes write to one file at once: no update is lost.
func TestConcurrentWriters(t *testing.T) {
	if path := os.Getenv(writerPath); path != "" {
		n, err := strconv.Atoi(os.Getenv(writerCount))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if _, err := Update(context.Background(), path, Options{}, addVM(fmt.Sprintf("%s-%d", os.Getenv(writerName), i))); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	path := write(t, t.TempDir(), fmt.Sprintf("<cluster name=\"x\" config_version=\"%d\">\n  <rm/>\n</cluster>\n", firstOfVersions))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			cmd := exec.Command(os.Args[0], "-test.run=^TestConcurrentWriters$")
			cmd.Env = append(os.Environ(), writerPath+"="+path, writerName+"="+strconv.Itoa(w), writerCount+"="+strconv.Itoa(editsOfEach))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("writer %d: %v %s", w, err, out)
			}
		}()
	}
	wg.Wait()
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := d.Version(); v != firstOfVersions+writers*editsOfEach || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	there := map[string]bool{}
	for _, s := range d.Services() {
		there[s.Name] = true
	}
	for w := range writers {
		for i := range editsOfEach {
			if name := fmt.Sprintf("%d-%d", w, i); !there[name] {
				t.Errorf("the edit %s is lost", name)
			}
		}
	}
	if kept, err := filepath.Glob(path + ".lbvm-[0-9]*"); err != nil || len(kept) != defaultKeep {
		t.Errorf("kept %v %v", kept, err)
	}
	t.Logf("%d processes, %d edits each: version %d to %d", writers, editsOfEach, firstOfVersions, firstOfVersions+writers*editsOfEach)
}
