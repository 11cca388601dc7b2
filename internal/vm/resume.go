package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// uselessError says that an image cannot be used, is out of the way, and nothing of the guest is here.
type uselessError struct{ err error }

func (e *uselessError) Error() string { return e.err.Error() }
func (e *uselessError) Unwrap() error { return e.err }

// resume lets the guest go on from its image, which is claimed first: whatever happens then, nobody uses it again.
func (l *life) resume(ctx context.Context, v view) error {
	if err := l.forbidden(); err != nil { // its memory waits for a node that can have it
		return err
	}
	txn := v.st.Image
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err != nil {
		return err
	}
	fp, unread := l.fingerprintOf(g)
	var disk *fs.PathError
	if errors.As(unread, &disk) { // it could not boot here either: the memory waits for a node that has the disk
		return unread
	}
	err = l.held.Claim(txn, l.me)
	if errors.Is(err, handoff.ErrNoImage) { // to refuse here would be to refuse for ever
		return &uselessError{err}
	}
	if err != nil {
		return err
	}
	if err := l.write(handoff.State{Phase: handoff.Resuming, Node: l.me, Image: txn, Txn: txn}, "goes on from its image"); err != nil {
		if noSpace(err) { // the memory is not used yet, and there may be room later
			err = errors.Join(err, l.held.PutBack(v.st, l.me))
		}
		return err
	}
	mem, err := "", unread
	if err == nil {
		mem, err = l.held.CheckClaim(txn, l.me, fp)
	}
	if err != nil {
		return l.useless(err)
	}
	work, cancel := l.least(ctx, 2, 3) // what came before may have taken longer than that
	err = l.change("restore", func() error { return l.driver.Restore(work, g, mem) })
	cancel()
	if err == nil {
		err = l.comesUp(ctx)
	}
	if err != nil {
		if dirty := l.clean(ctx, reboot); dirty != nil {
			return errors.Join(fmt.Errorf("restoring %s failed and something of it is here: %w", l.vm, dirty), err)
		}
		return l.useless(fmt.Errorf("restoring %s: %w", l.vm, err))
	}
	err = l.writeRunning(txn, "goes on with its memory")
	if noSpace(err) { // the used image may be what takes the room
		if err = l.held.Unclaim(txn, l.me); err == nil {
			err = l.writeRunning(txn, "goes on with its memory")
		}
	}
	if err != nil {
		return err
	}
	if err := l.held.Unclaim(txn, l.me); err != nil { // tidy takes it out of use
		l.log(ocf.LevelWarning, "a used image was not deleted", "error", err)
	}
	l.tidy()
	l.journal("resumed", "")
	return nil
}

// useless puts the claimed image aside.
func (l *life) useless(cause error) error {
	if err := l.held.Fail(); err != nil {
		return errors.Join(err, cause)
	}
	return &uselessError{cause}
}
