package handoff

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// vzctl 7 makes a folder of a dump. It is noted, published and checked as a file is.
func TestDumpMayBeAFolder(t *testing.T) {
	l := lock(t, open(t, share(t)))
	mem, err := l.Part(txnA)
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(mem, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(mem, "pages-1.img"), []byte("pages"), 0o600))
	must(t, os.WriteFile(filepath.Join(mem, "sub/core-1.img"), []byte("core"), 0o600))
	must(t, l.Note(txnA))
	if ok, err := l.Noted(txnA); err != nil || !ok {
		t.Fatal(ok, err)
	}
	must(t, l.Publish(txnA, Meta{Tool: "vzctl 7.0", Arch: "amd64", Fingerprint: "fp"}))
	st := sample(Suspended)
	must(t, l.Usable(st, "fp"))
	must(t, syscall.Mkfifo(filepath.Join(l.file(imageName(txnA)), MemFile, "fifo"), 0o600))
	if err := l.Usable(st, "fp"); !errors.Is(err, ErrBadImage) {
		t.Errorf("a strange file: %v", err)
	}
	must(t, os.Remove(filepath.Join(l.file(imageName(txnA)), MemFile, "fifo")))
	must(t, l.Usable(st, "fp"))
	must(t, os.Truncate(filepath.Join(l.file(imageName(txnA)), MemFile, "sub/core-1.img"), 1))
	if err := l.Usable(st, "fp"); !errors.Is(err, ErrBadImage) {
		t.Errorf("a torn folder: %v", err)
	}
}
