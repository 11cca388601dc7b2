package ocf

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

// How long an action waits for others that write, and once for a disk that does not answer.
const (
	boxLockWait = 20 * time.Millisecond
	boxDiskWait = 500 * time.Millisecond
)

var (
	errBoxBusy = errors.New("others write the black box")
	errBoxHung = errors.New("the black box does not answer")
)

// locked holds the file's lock while it does something. Whoever asks waits in the kernel's queue, but not for long.
func (b *boxFile) locked(do func() error) error {
	if b.alone {
		return errBoxBusy
	}
	if err := b.lock(); err != nil {
		return err
	}
	return errors.Join(do(), b.f.lock(syscall.LOCK_UN))
}

func (b *boxFile) lock() error {
	err := b.f.lock(syscall.LOCK_EX | syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	got, gone := make(chan error), make(chan struct{})
	go func() {
		err := b.f.lock(syscall.LOCK_EX)
		select {
		case got <- err:
		case <-gone: // it came too late
			if err == nil && b.f.lock(syscall.LOCK_UN) != nil {
				return // the end of this process lets it go as well
			}
		}
	}()
	ctx, cancel := clock.System().WithTimeout(context.Background(), boxLockWait)
	defer cancel()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		close(gone)
		b.alone = true
		return errBoxBusy
	}
}

// close closes the file, unless somebody still waits for its lock: the number of a closed file is given to another one,
// and that one's lock would be let go.
func (b *boxFile) close() error {
	if b.alone {
		return nil
	}
	return b.f.close()
}

// bounded does something that should take no time. Where a disk hangs, it is left behind after limit.
func bounded(limit time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errBoxHung
		defer func() {
			if v := recover(); v != nil { // a fault in here is no reason to fail an action
				err = fmt.Errorf("the black box: %v", v)
			}
			done <- err
		}()
		deepen(false)
		err = do()
	}()
	ctx, cancel := clock.System().WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errBoxHung
	}
}
