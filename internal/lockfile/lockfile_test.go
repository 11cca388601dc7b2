package lockfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

func path(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "lock")
}

func mustTry(t *testing.T, p, holder string) *Lock {
	t.Helper()
	l, err := Try(p, holder)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustClose(t *testing.T, l *Lock) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantHeld(t *testing.T, p string, want bool) {
	t.Helper()
	if got, err := Held(p); got != want || err != nil {
		t.Errorf("held: %v, %v", got, err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	p := path(t)
	if _, err := Held(p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	a := mustTry(t, p, "lbm add on node1, pid 17")
	wantHeld(t, p, true)
	if _, err := Try(p, "b"); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "lbm add on node1, pid 17") || !strings.Contains(err.Error(), p) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(p); string(b) != "lbm add on node1, pid 17\n" || err != nil {
		t.Errorf("who failed wrote: %q, %v", b, err)
	}
	mustClose(t, a)
	wantHeld(t, p, false)
	b := mustTry(t, p, "b")
	if text, err := os.ReadFile(p); string(text) != "b\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	mustClose(t, b)
}

// Held must not be in the way of who comes next, nor make a lock of its own.
func TestHeldTakesNothing(t *testing.T) {
	p := path(t)
	mustClose(t, mustTry(t, p, ""))
	for range 3 {
		wantHeld(t, p, false)
	}
	l := mustTry(t, p, "")
	wantHeld(t, p, true)
	mustClose(t, l)
}

// The text is for humans: neither does it hold a lock, nor can it be read wrongly.
func TestTextIsNotBelieved(t *testing.T) {
	p := path(t)
	for _, text := range []string{"", "pid 1\n", "held by everybody", strings.Repeat("x", 100000), "\x00\xff\n\n"} {
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantHeld(t, p, false)
		l := mustTry(t, p, "")
		if b, err := os.ReadFile(p); string(b) != text || err != nil {
			t.Errorf("a lock without a name wrote %q, %v", b, err)
		}
		if _, err := Try(p, ""); !errors.Is(err, ErrHeld) || len(err.Error()) > 400 {
			t.Errorf("%v", err)
		}
		mustClose(t, l)
	}
}

func TestAcquire(t *testing.T) {
	p := path(t)
	first := mustTry(t, p, "first")
	c := clock.NewFake(time.Unix(0, 0))
	got := make(chan error, 1)
	var second *Lock
	go func() {
		var err error
		second, err = Acquire(context.Background(), c, p, "second")
		got <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	for range 3 { // it waits, asks, waits again
		if err := c.AwaitSleeper(ctx); err != nil {
			t.Fatal(err)
		}
		c.Advance(retry)
	}
	if err := c.AwaitSleeper(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, first)
	c.Advance(retry)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	wantHeld(t, p, true)
	mustClose(t, second)
}

func TestAcquireGivesUp(t *testing.T) {
	p := path(t)
	l := mustTry(t, p, "the first")
	defer l.Close()
	c := clock.NewFake(time.Unix(0, 0))
	ctx, cancel := c.WithTimeout(context.Background(), retry/2)
	defer cancel()
	got := make(chan error, 1)
	go func() {
		_, err := Acquire(ctx, c, p, "second")
		got <- err
	}()
	wait, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	if err := c.AwaitSleeper(wait); err != nil {
		t.Fatal(err)
	}
	c.Advance(retry / 2)
	if err := <-got; !errors.Is(err, ErrHeld) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the first") {
		t.Errorf("%v", err)
	}
	if _, err := Acquire(context.Background(), c, filepath.Join(p, "x"), ""); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("below a file: %v", err)
	}
}

// A child that inherited the descriptor holds the lock when its parent is gone.
func TestInheritedDescriptorKeepsTheLock(t *testing.T) {
	p := path(t)
	l := mustTry(t, p, "parent")
	cmd := exec.Command("/bin/cat") // lives until its input ends
	cmd.ExtraFiles = []*os.File{l.File()}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	wantHeld(t, p, true)
	if _, err := Try(p, ""); !errors.Is(err, ErrHeld) {
		t.Errorf("%v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, p, false)
}

// Whoever takes the file away when it is done makes the next lock a new file; nobody may be left on the old one.
func TestNeverTwoInside(t *testing.T) {
	p := path(t)
	var inside, rounds atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for rounds.Load() < 400 && !t.Failed() {
				l, err := Try(p, "")
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				for range 5 {
					runtime.Gosched()
				}
				rounds.Add(1)
				inside.Add(-1)
				if err := errors.Join(os.Remove(p), l.Close()); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
}

// A lock on a file that was taken away between open and flock keeps nobody off; Try must see that.
func TestLockIsOnTheFileOfThatName(t *testing.T) {
	p := path(t)
	l := mustTry(t, p, "")
	defer l.Close()
	if same, err := still(l.File(), p); !same || err != nil {
		t.Errorf("%v, %v", same, err)
	}
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	if same, err := still(l.File(), p); same || err != nil {
		t.Errorf("gone: %v, %v", same, err)
	}
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if same, err := still(l.File(), p); same || err != nil {
		t.Errorf("another: %v, %v", same, err)
	}
}
