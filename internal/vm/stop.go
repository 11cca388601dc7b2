package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func (l *life) stop(ctx context.Context) error {
	if err := l.reach(); err != nil {
		return l.stopAlone(ctx, err)
	}
	done, err := l.bystander(ctx)
	if err == nil && !done {
		if err = l.lock(ctx); err == nil {
			err = l.settle(ctx, protocol.Stop())
		} else if errors.Is(err, membership.ErrNotMe) { // the record is not about this node
			return l.stopAlone(ctx, err)
		}
	}
	if err != nil {
		return err
	}
	l.passOn()
	l.leaves()
	return nil
}

// bystander looks without the lock. Where the VM is not here and the record does not name this node, the stop ends
// here, and no byte on the shared storage has changed: rgmanager runs stop on every node when it starts.
func (l *life) bystander(ctx context.Context) (done bool, err error) {
	for n := 0; n < rounds; n++ {
		v, err := l.look(ctx)
		var record *recordError
		if err != nil && !errors.As(err, &record) {
			return false, err
		}
		r := protocol.Find(protocol.Look(), v.facts())
		switch r.Do {
		case protocol.GoOn:
			return false, nil
		case protocol.Nothing:
			if err != nil {
				l.log(ocf.LevelError, "the hand-off record is not readable; nothing runs here", "error", err)
			}
			l.say("%s", r.Words)
			return true, nil
		case protocol.RefuseUnread:
			return false, err
		case protocol.AwaitSender:
			// Pacemaker stops both sides of a migration at once: the source's stop ends what is arriving.
			changed, err := l.awaitSender(ctx, v)
			if err != nil {
				return false, err
			}
			if !changed {
				return false, fmt.Errorf("%s is being received from %q: left alone", l.vm, v.st.Node)
			}
			l.patience = 0
			continue
		case protocol.DestroyAndLook:
			l.log(ocf.LevelWarning, "removing what is left of a VM that is not this node's", "what", v.guest)
		default:
			_, err := l.do(ctx, r, v)
			return false, err
		}
		if err := l.destroy(ctx); err != nil {
			return false, err
		}
		l.patience = 0
	}
	return false, fmt.Errorf("%s: what is found changes again and again", l.vm)
}

// stopAlone stops without the shared storage: nothing can be written, so no memory is kept.
func (l *life) stopAlone(ctx context.Context, why error) error {
	if !errors.Is(why, host.ErrNotShared) {
		l.log(ocf.LevelError, "there is no shared storage to use: cold stop", "error", why)
	}
	l.row = "alone"
	l.say("nothing can be written down, so its memory cannot be kept: %v", why)
	if err := l.lockAlone(ctx); err != nil {
		return err
	}
	d, err := l.awaitLeaving(ctx)
	if err != nil {
		return err
	}
	if !d.State.Clean() {
		if err := l.takeDown(ctx); err != nil {
			return err
		}
	}
	l.leaves()
	return nil
}

// awaitLeaving is what the guest is when it is not being sent any more. Where no record says whereto, half a copy that
// stays is not ended: the other half may run, and after a stop that succeeded the manager would start a second one.
// Pacemaker stops both ends of a migration that failed, and so both halves.
func (l *life) awaitLeaving(ctx context.Context) (hypervisor.Detail, error) {
	for {
		d, err := l.guest(ctx)
		if err != nil || d.State != hypervisor.Migrating || d.Suspended || l.call.Dialect == ocf.Pacemaker {
			return d, err
		}
		wait, cancel := l.until(ctx, 2, 3)
		err = l.clock.Sleep(wait, lookEvery)
		cancel()
		if err != nil {
			return d, fmt.Errorf("%s was being sent away from here, and it is not known how that ended: look for it on the other nodes; where it runs on one, or on none, end what is left here by hand (xm, xl or virsh destroy), and stop it again: %w", l.vm, err)
		}
	}
}

// writeLast is the last write of a stop. Without room for it a stop whose node is clean has succeeded all the same:
// a start here stays possible, and others refuse and say so.
func (l *life) writeLast(ctx context.Context, next handoff.State, why string) error {
	err := l.write(next, why)
	if !noSpace(err) {
		return err
	}
	l.log(ocf.LevelError, "no room for the state: making some", "error", err)
	err = l.makeRoom(next)
	if err == nil {
		err = l.write(next, why)
	}
	if !noSpace(err) {
		return err
	}
	if d, derr := l.detail(ctx); derr != nil || !d.State.Clean() {
		return errors.Join(err, derr)
	}
	l.loud("state not written", fmt.Sprintf("no room for it; %s is down here and can be started here only", l.vm))
	return nil
}

// makeRoom deletes what nobody will use.
func (l *life) makeRoom(next handoff.State) error {
	if next.Image == "" {
		if err := l.held.Discard(); err != nil {
			return err
		}
	}
	return l.held.Prune(0)
}
