package ocf

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/real"
)

func TestRawFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if f, err := openRaw(path, syscall.O_RDWR, 0); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a file that is not there: %d, %v", f, err)
	}
	f, err := openRaw(path, syscall.O_RDWR|syscall.O_CREAT|noAtime, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(f), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a child gets the file: %x, %v", flags, err)
	}
	if n, err := f.WriteAt([]byte("black box"), 3); n != 9 || err != nil {
		t.Errorf("writing: %d, %v", n, err)
	}
	b := make([]byte, 9)
	if n, err := f.ReadAt(b, 3); string(b) != "black box" || n != 9 || err != nil {
		t.Errorf("reading: %q, %d, %v", b, n, err)
	}
	if n, err := f.ReadAt(b, 9); n != 3 || err != io.EOF {
		t.Errorf("reading beyond the end: %d, %v", n, err)
	}
	if size, regular, err := f.size(); size != 12 || !regular || err != nil {
		t.Errorf("%d bytes, regular %v, %v", size, regular, err)
	}
	if err := errors.Join(f.chmod(0o600), f.truncate(1), f.close()); err != nil {
		t.Error(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 || fi.Size() != 1 {
		t.Errorf("%v, %v", fi, err)
	}
	if _, err := f.ReadAt(b, 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("reading a closed file: %v", err)
	}
	dir, err := openRaw(filepath.Dir(path), syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, regular, err := dir.size(); regular || err != nil {
		t.Errorf("a folder is a regular file: %v, %v", regular, err)
	}
	if err := dir.close(); err != nil {
		t.Error(err)
	}
}

// Who does not own a file may not open it without noting that it was read.
func TestRawFileOfAnother(t *testing.T) {
	real.NeedRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, 0o666), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine
		done <- func() error {
			if err := unix.Setfsuid(65534); err != nil {
				return err
			}
			if fd, err := syscall.Open(path, syscall.O_RDWR|noAtime, 0); !errors.Is(err, syscall.EPERM) {
				return fmt.Errorf("the kernel opens it: %d, %w", fd, err)
			}
			f, err := openRaw(path, syscall.O_RDWR|noAtime, 0)
			if err != nil {
				return err
			}
			return f.close()
		}()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBoxSum(t *testing.T) {
	h := fnv.New32a()
	h.Write([]byte("a sum of two"))
	h.Write([]byte(" parts"))
	if got := sumOf([]byte("a sum of two"), []byte(" parts")); got != h.Sum32() {
		t.Errorf("%x, want %x", got, h.Sum32())
	}
}

func TestAppendTime(t *testing.T) {
	check := func(at time.Time) {
		t.Helper()
		if got, want := string(appendTime(nil, at)), at.UTC().Format(boxTime); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, text := range []string{"1970-01-01T00:00:00Z", "2000-02-29T23:59:59.999Z", "2026-11-21T09:08:07.006Z", "2037-12-31T12:30:01.09+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		check(at)
	}
	r := rand.New(rand.NewSource(1))
	for range 1000 {
		check(time.Unix(r.Int63n(8e9), r.Int63n(1e9)))
	}
}
