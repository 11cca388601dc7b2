package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Arrive is the target's side of a migration: Pacemaker's migrate_from. It waits for the guest and makes it this node's.
// It never boots one and destroys nothing: after its error Pacemaker stops the VM on both nodes, which takes away
// what is left, and then starts it on one of them.
func (a *Agent) Arrive(ctx context.Context, c *ocf.Call, source string) error {
	l, err := a.begin(c, "migrate_from")
	if err != nil {
		return err
	}
	defer l.end()
	return installed(l.arrive(ctx, source))
}

func (l *life) arrive(ctx context.Context, source string) error {
	l.patience = 0
	if err := l.reach(); err != nil {
		if errors.Is(err, host.ErrNotShared) {
			return l.arriveAlone(ctx, source)
		}
		return fmt.Errorf("not receiving %s from %q: %w", l.vm, source, err)
	}
	// Who gets the lock knows that the source's tool has ended.
	if err := l.lock(ctx); err != nil {
		return err
	}
	return l.settle(ctx, protocol.MigrateFrom())
}

// arriveAlone waits for the guest where nothing but the tool tells.
func (l *life) arriveAlone(ctx context.Context, source string) error {
	l.row = "alone"
	for {
		err := l.runs(ctx)
		if err == nil {
			l.setHere()
			return nil
		}
		if l.waits("for it to run here") || l.left(2, 3) <= 0 {
			return fmt.Errorf("%s has not arrived from %q: %w", l.vm, source, err)
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return errors.Join(err, wait)
		}
	}
}

// awaitSender waits without the lock for what is being sent here, until guest or record have changed or two thirds of
// the time are over. The source ends it: its tool does, or its own stop, which needs the lock.
func (l *life) awaitSender(ctx context.Context, v view) (changed bool, err error) {
	for {
		d, derr := l.detail(ctx)
		st, serr := l.files.Read()
		if serr == nil && st.Seq != v.st.Seq || derr == nil && classify(d, v.st, l.me) != v.guest {
			return true, nil
		}
		if l.waits("for guest or record to change, without the lock") || l.left(2, 3) <= 0 {
			return false, errors.Join(derr, serr)
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return false, errors.Join(wait, derr, serr)
		}
	}
}
