package host

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A note that a node leaves holds for the boot that it publishes, and where that is not known. What cannot be read is an error.
func TestLeaving(t *testing.T) {
	dir := shared(t)
	root := t.TempDir()
	boot := func(id string) Host {
		t.Helper()
		at := filepath.Join(root, "proc/sys/kernel/random")
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "boot_id"), []byte(id+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		h, err := New(root)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	is := func(want bool, when string) {
		t.Helper()
		if got, err := IsLeaving(dir, "node1"); err != nil || got != want {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
	h := boot("b1")
	is(false, "nothing was said")
	if err := h.NoteLeaving(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	is(true, "its boot is not published")
	if err := h.PublishBoot(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	is(true, "it leaves")
	if leaves, err := IsLeaving(dir, "node2"); err != nil || leaves {
		t.Errorf("another: %v, %v", leaves, err)
	}
	if err := boot("b2").PublishBoot(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	is(false, "it has booted anew")
	if err := boot("b2").NoteLeaving(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	is(true, "it leaves again")
	for range 2 {
		if err := h.DropLeaving(dir, "node1"); err != nil {
			t.Fatal(err)
		}
		is(false, "it is back")
	}
	if err := os.WriteFile(leavingPath(dir, "node1"), []byte("no note\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if leaves, err := IsLeaving(dir, "node1"); err == nil {
		t.Errorf("a note that is none: %v", leaves)
	}
	// Below a mount point that has lost its share nothing is made.
	if err := h.NoteLeaving(t.TempDir(), "node1"); err == nil {
		t.Error("noted without a share")
	}
	for _, bad := range []string{"", "../x"} {
		if _, err := IsLeaving(dir, bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
		if err := h.NoteLeaving(dir, bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What NFS remembers of a folder is asked anew only where the folder is opened.
func TestANoteThatIsMissingIsLookedForTwice(t *testing.T) {
	dir := shared(t)
	if err := os.MkdirAll(filepath.Join(dir, LeavingDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"lbvm", LeavingDir} {
		events, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(events)
		if _, err := unix.InotifyAddWatch(events, filepath.Join(dir, folder), unix.IN_OPEN|unix.IN_ONLYDIR); err != nil {
			t.Fatal(err)
		}
		if is, err := IsLeaving(dir, "node1"); is || err != nil {
			t.Fatal(is, err)
		}
		text := make([]byte, 4096)
		n, err := unix.Read(events, text) // the events are there when open returns
		if n <= 0 {
			t.Errorf("nothing of %s was opened (%v)", folder, err)
			continue
		}
		// What is opened within a folder tells of that, too, by its name; the folder itself has none.
		if name := binary.NativeEndian.Uint32(text[12:]); name != 0 { // its length, by inotify(7)
			t.Errorf("%s itself was not opened first", folder)
		}
	}
}
