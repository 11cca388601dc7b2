package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// test/real/machine plays writers of two nodes on a real GFS2; here is what can be seen of it on one.
func TestAppendTakesTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	open := func() *os.File {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	mine, other := open(), open()
	if turn, err := takesTurns(mine); turn || err != nil {
		t.Errorf("a file of this node alone: %v, %v", turn, err)
	}
	if err := lock(mine, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := flock(other, syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("another writer while it is locked: %v", err)
	}
	if err := flock(mine, syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := lock(other, time.Minute); err != nil {
		t.Error(err)
	}
	// Whoever waits in vain writes all the same, and does not take the lock away from those who come later.
	late := open()
	if err := lock(late, time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := errors.Join(late.Close(), flock(other, syscall.LOCK_UN), lock(mine, time.Minute)); err != nil {
		t.Error(err)
	}
	// On a file system of this node nobody waits for whoever holds the lock.
	if err := Append(path, []byte("line\n"), 0o600, true); err != nil {
		t.Error(err)
	}
}

// A writer looks whether the last line is torn when its turn has come: whoever had it before may have died in it.
func TestTornLineIsSeenInTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	open := func() *os.File {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := lock(first, time.Minute); err != nil {
		t.Fatal(err)
	}
	fi, err := first.Stat()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- addTo(second, []byte("second\n"), true, true) }()
	waits := regexp.MustCompile(fmt.Sprintf(`-> FLOCK .*:%d `, fi.Sys().(*syscall.Stat_t).Ino))
	for end := time.Now().Add(patience / 2); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if b, err := os.ReadFile("/proc/locks"); err != nil || waits.Match(b) {
			break
		}
	}
	if _, err := first.WriteString("first, and its end is mis"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(flock(first, syscall.LOCK_UN), <-done); err != nil {
		t.Fatal(err)
	}
	if err := AppendWhole(path, []byte("third\n"), 0o600, true); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "first, and its end is mis\nsecond\nthird\n" {
		t.Errorf("%q %v", b, err)
	}
}
