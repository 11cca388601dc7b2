package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func (l *life) start(ctx context.Context) error {
	l.patience = 0 // a guest that is not here is what a start expects
	if err := l.reach(); err != nil {
		if errors.Is(err, host.ErrNotShared) {
			return l.startAlone(ctx)
		}
		return fmt.Errorf("not starting %s: %w", l.vm, err)
	}
	if err := l.lock(ctx); err != nil {
		return err
	}
	l.audit(ocf.LevelInfo)
	if err := l.passedOn(ctx); err != nil {
		return err
	}
	return l.settle(ctx, protocol.Start())
}

// startAlone starts where the cluster has no shared file system: the manager's ownership and fencing are the only guard.
func (l *life) startAlone(ctx context.Context) error {
	l.row = "alone"
	l.say("there is no shared storage: nothing but the manager keeps other nodes from starting it")
	if err := l.lockAlone(ctx); err != nil {
		return err
	}
	d, err := l.guest(ctx)
	if err != nil {
		return err
	}
	if d.NoProgram {
		return l.notInstalled()
	}
	switch c := classify(d, handoff.State{}, ""); c {
	case running:
	case remains, torso:
		if err := l.destroy(ctx); err != nil {
			return err
		}
		fallthrough
	case absent:
		g, err := l.driver.Guest(ctx, l.vm, l.params())
		if err != nil {
			return err
		}
		if err := l.boots(ctx, g); err != nil {
			return err
		}
	default:
		return fmt.Errorf("not starting %s: it is %s here", l.vm, c)
	}
	l.setHere()
	return nil
}

// tidy ends every successful start. What it leaves behind is inert.
func (l *life) tidy() {
	for _, do := range []func() error{l.held.Discard, func() error { return l.held.Prune(1) }, l.held.TidyTickets} {
		if err := do(); err != nil {
			l.log(ocf.LevelWarning, "tidying the hand-off folder failed", "error", err)
		}
	}
	l.setHere()
}
