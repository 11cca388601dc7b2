// Package lockfile locks by flock on a file.
//
// The file's text says who holds the lock, for humans only; it is never believed, and
// a lock is never broken: the kernel (or the cluster file system) frees it when its
// last holder is gone. A lock outlives its process where a child inherited File.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

// ErrHeld says that another holds the lock.
var ErrHeld = errors.New("lock is held")

// Lock is a held lock.
type Lock struct{ f *os.File }

// Try takes the lock or gives ErrHeld at once. holder is what the file says to a human ("lbm add on node1, pid 17").
func Try(path, holder string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening lock: %w", err)
		}
		if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = fmt.Errorf("%w: %s%s", ErrHeld, path, heldBy(f))
			} else {
				err = fmt.Errorf("locking %s: %w", path, err)
			}
			return nil, errors.Join(err, f.Close())
		}
		same, err := still(f, path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
		}
		if !same { // the file was taken away between open and lock: that lock keeps nobody off
			if err := f.Close(); err != nil {
				return nil, fmt.Errorf("locking %s: %w", path, err)
			}
			continue
		}
		l := &Lock{f}
		l.sign(holder)
		return l, nil
	}
}

// still tells whether path leads to the open file f.
func still(f *os.File, path string) (bool, error) {
	now, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mine, err := f.Stat()
	return err == nil && os.SameFile(now, mine), err
}

// retry is how often Acquire asks. flock has no wait that a context can end.
const retry = 50 * time.Millisecond

// Acquire waits for the lock until ctx is done. The error then is ErrHeld and ctx's.
func Acquire(ctx context.Context, c clock.Clock, path, holder string) (*Lock, error) {
	for {
		l, err := Try(path, holder)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		if wait := c.Sleep(ctx, retry); wait != nil {
			return nil, fmt.Errorf("%w (%w)", err, wait)
		}
	}
}

// Held tells whether somebody holds the lock of an existing file. It takes no lock that outlives the call.
func Held(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = Shared(f)
	if errors.Is(err, ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for the lock of %s: %w", path, err)
	}
	return false, nil
}

// Shared takes the lock of an open file together with others, or gives ErrHeld at once where one holds it alone. It lasts as
// long as f.
func Shared(f *os.File) error {
	err := flock(f, syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// File is the descriptor that bears the lock; a child that inherits it holds the lock too.
func (l *Lock) File() *os.File { return l.f }

// Close lets go.
func (l *Lock) Close() error { return l.f.Close() }

// sign writes who holds the lock. Nobody believes it, so that it cannot be written (a full disk) is no error: the lock
// is held all the same, and a stop must work on a full disk.
func (l *Lock) sign(holder string) {
	if holder == "" || l.f.Truncate(0) != nil {
		return
	}
	if _, err := l.f.WriteAt([]byte(holder+"\n"), 0); err != nil {
		return
	}
}

func heldBy(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil || len(b) == 0 {
		return ""
	}
	return " (by " + strings.TrimSpace(strings.SplitN(string(b), "\n", 2)[0]) + ")"
}

func flock(f *os.File, how int) error {
	if heldHere(f, how) {
		return syscall.EWOULDBLOCK
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
