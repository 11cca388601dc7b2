package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// dieVariable makes the test binary a writer that is killed at a point: "POINT PATH".
const dieVariable = "ATOMICFILE_TEST_DIE"

func TestMain(m *testing.M) {
	if at, path, ok := strings.Cut(os.Getenv(dieVariable), " "); ok {
		err := Write(path, newText(), Options{At: func(p Point) error {
			if string(p) == at {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		}})
		fmt.Fprintln(os.Stderr, "still alive:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func oldText() []byte { return bytes.Repeat([]byte("old\n"), 5000) }
func newText() []byte { return bytes.Repeat([]byte("new\n"), 7000) }

// temps are the temporary files that were left in dir.
func temps(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), TempPrefix) {
			out = append(out, e.Name())
		}
	}
	return out
}

func put(t *testing.T, path string, text []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		text string
		mode fs.FileMode // asked for
		want fs.FileMode
	}{{"first", 0, 0o640}, {"", 0o600, 0o640}, {"third", 0o777, 0o640}} {
		if err := Write(path, []byte(c.text), Options{Mode: c.mode}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		fi, err2 := os.Stat(path)
		if err != nil || err2 != nil || string(b) != c.text || fi.Mode() != c.want {
			t.Errorf("%q, %v, %v %v", b, fi.Mode(), err, err2)
		}
	}
	secret := filepath.Join(dir, "secret")
	if err := Write(secret, nil, Options{Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(secret); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// A process that is killed at any point leaves the old file or the new one, whole.
func TestKilledAtEveryPoint(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Points() {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		put(t, path, oldText(), 0o600)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), dieVariable+"="+string(p)+" "+path)
		out, err := cmd.CombinedOutput()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Fatalf("%s: was not killed: %v %s", p, err, out)
		}
		want := oldText()
		if p == SyncDir {
			want = newText()
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %d bytes that begin with %.4q, %v", p, len(b), b, err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", p, fi.Mode(), err)
		}
		// What it left does not hinder the next.
		if err := Write(path, []byte("again"), Options{}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// A full or broken disk at any point: the error is told, the old file is whole, nothing is left.
func TestFailureAtEveryPoint(t *testing.T) {
	for _, p := range Points() {
		for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
			for _, existed := range []bool{true, false} {
				dir := t.TempDir()
				path := filepath.Join(dir, "file")
				if existed {
					put(t, path, oldText(), 0o600)
				}
				var passed []Point
				err := Write(path, newText(), Options{At: func(at Point) error {
					passed = append(passed, at)
					if at == p {
						return fault
					}
					return nil
				}})
				if !errors.Is(err, fault) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), string(p)) {
					t.Errorf("%s: %v", p, err)
				}
				if all := Points(); !slices.Equal(passed, all[:slices.Index(all, p)+1]) {
					t.Errorf("%s: passed %q", p, passed)
				}
				b, err := os.ReadFile(path)
				switch {
				case p == SyncDir:
					if err != nil || !bytes.Equal(b, newText()) {
						t.Errorf("%s: the new file is not in place: %v", p, err)
					}
				case existed:
					if err != nil || !bytes.Equal(b, oldText()) {
						t.Errorf("%s: the old file is not whole: %v", p, err)
					}
				case !errors.Is(err, fs.ErrNotExist):
					t.Errorf("%s: a file came to be: %v", p, err)
				}
				if left := temps(t, dir); len(left) > 0 {
					t.Errorf("%s: left %q", p, left)
				}
			}
		}
	}
}

func TestReadersSeeOneOrTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, oldText(), 0o600)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, oldText()) && !bytes.Equal(b, newText()) {
					t.Errorf("a reader saw %d bytes, %v", len(b), err)
					return
				}
			}
		}()
	}
	for i := range 40 {
		text := oldText()
		if i%2 == 0 {
			text = newText()
		}
		if err := Write(path, text, Options{}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestOwnerIsKept(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, oldText(), 0o640)
	if err := os.Chown(path, 1234, 5678); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, newText(), Options{Mode: 0o666}); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 5678 || fi.Mode() != 0o640 {
		t.Errorf("%d:%d %v", st.Uid, st.Gid, fi.Mode())
	}
}

func TestLinksStay(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "shared"), 0o755); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "shared", "conf")
	for _, c := range []struct{ name, to string }{
		{"relative", "shared/conf"}, {"absolute", target}, {"twice", "relative"}, {"to a new one", "shared/other"},
	} {
		put(t, target, []byte("old"), 0o600)
		link := filepath.Join(dir, c.name)
		if err := os.Symlink(c.to, link); err != nil {
			t.Fatal(err)
		}
		if err := Write(link, []byte(c.name), Options{}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if to, err := os.Readlink(link); to != c.to || err != nil {
			t.Errorf("%s: the link leads to %q, %v", c.name, to, err)
		}
		if b, err := os.ReadFile(link); string(b) != c.name || err != nil {
			t.Errorf("%s: %q, %v", c.name, b, err)
		}
		if left := append(temps(t, dir), temps(t, filepath.Join(dir, "shared"))...); len(left) > 0 {
			t.Errorf("%s: left %q", c.name, left)
		}
	}
	if err := os.Symlink("circle", filepath.Join(dir, "circle")); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "circle"), nil, Options{}); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}

func TestWhatIsNoFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, folder} {
		if err := Write(path, []byte("x"), Options{}); err == nil {
			t.Errorf("%s was replaced", path)
		}
	}
	if err := Write(filepath.Join(dir, "away", "file"), nil, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			line := []byte(strings.Repeat(string(rune('a'+w)), 200) + "\n")
			for i := range 50 {
				if err := Append(path, line, 0o600, i == 0); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != 200 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if len(l) != 200 || strings.Trim(l, l[:1]) != "" {
			t.Errorf("mixed: %q", l)
		}
	}
	if err := Append(filepath.Join(path, "x"), nil, 0o600, false); err == nil {
		t.Error("appended below a file")
	}
}

func TestFsyncDir(t *testing.T) {
	dir := t.TempDir()
	if err := FsyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := FsyncDir(filepath.Join(dir, "away")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
