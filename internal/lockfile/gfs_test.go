package lockfile

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What Linux 6.1 printed on a node with GFS2, where a process held /gfs/l (device 65056, inode 16972).
const captured = `1: FLOCK  ADVISORY  WRITE 297 fe:20:16972 0 EOF
2: POSIX  ADVISORY  WRITE 242 00:1b:9 0 EOF
3: POSIX  ADVISORY  WRITE 233 00:1b:7 0 EOF
`

func TestListed(t *testing.T) {
	reader := strings.Replace(captured, "WRITE 297", "READ  297", 1)
	waiter := strings.Replace(captured, "1: FLOCK", "1: -> FLOCK", 1)
	for _, x := range []struct {
		name, list   string
		dev, inode   uint64
		alone, wants bool
	}{
		{"held alone, wanted alone", captured, 65056, 16972, true, true},
		{"held alone, wanted with others", captured, 65056, 16972, false, true},
		{"held with others, wanted alone", reader, 65056, 16972, true, true},
		{"held with others, wanted with others", reader, 65056, 16972, false, false},
		{"wanted by another, too", waiter, 65056, 16972, true, false},
		{"another file", captured, 65056, 16973, true, false},
		{"a file of that number elsewhere", captured, 65057, 16972, true, false},
		{"a lock of another kind", captured, 0x1b, 9, true, false},
		{"no list", "", 65056, 16972, true, false},
		{"a torn list", captured[:len("1: FLOCK  ADVISORY  WRITE 297 fe:20:169")], 65056, 16972, true, false},
	} {
		if got := listed([]byte(x.list), x.dev, x.inode, x.alone); got != x.wants {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// The list of this kernel names our own lock just so.
func TestListedByThisKernel(t *testing.T) {
	l := mustTry(t, path(t), "")
	var st syscall.Stat_t
	if err := syscall.Fstat(int(l.File().Fd()), &st); err != nil {
		t.Fatal(err)
	}
	dev := uint64(st.Dev)
	if majorOf(dev) != uint64(unix.Major(dev)) || minorOf(dev) != uint64(unix.Minor(dev)) {
		t.Errorf("device %#x: %d:%d", dev, majorOf(dev), minorOf(dev))
	}
	ask := func() bool {
		list, err := os.ReadFile(kernelLocks)
		if err != nil {
			t.Fatal(err)
		}
		return listed(list, dev, st.Ino, true)
	}
	if !ask() {
		t.Skipf("skipped: this test needs a file system whose locks %s names by the device of stat", kernelLocks)
	}
	mustClose(t, l)
	if ask() {
		t.Error("a lock that was let go is listed")
	}
}

func TestShared(t *testing.T) {
	p := path(t)
	l := mustTry(t, p, "")
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Shared(f); !errors.Is(err, ErrHeld) {
		t.Errorf("held alone: %v", err)
	}
	mustClose(t, l)
	if err := Shared(f); err != nil {
		t.Error(err)
	}
	wantHeld(t, p, false)
	if _, err := Try(p, ""); !errors.Is(err, ErrHeld) {
		t.Errorf("taken though it is shared: %v", err)
	}
}
