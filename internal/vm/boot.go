package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// coldStart boots the guest anew. No image outlives it, and the state says starting before the tool runs.
func (l *life) coldStart(ctx context.Context, why string) error {
	if err := l.forbidden(); err != nil {
		return err
	}
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err != nil {
		return err
	}
	if err := l.held.Discard(); err != nil {
		return err
	}
	if err := l.write(handoff.State{Phase: handoff.Starting, Node: l.me}, why); err != nil {
		return err
	}
	if err := l.boots(ctx, g); err != nil {
		return err
	}
	if err := l.writeRunning("", "booted"); err != nil {
		return err
	}
	l.tidy()
	l.journal("booted", why)
	return nil
}

// forbidden is why the VM must not be started on a node that is set up like this one, or nil.
func (l *life) forbidden() error {
	if x, ok := l.driver.(hypervisor.Forbidder); ok {
		if err := x.Forbids(l.vm, l.shared); err != nil {
			return fmt.Errorf("not starting %s here: %w", l.vm, err)
		}
	}
	return nil
}

// boots boots the guest and is nil if it runs.
func (l *life) boots(ctx context.Context, g hypervisor.Guest) error {
	if err := l.change("start", func() error { return l.driver.Start(ctx, g) }); err != nil {
		return fmt.Errorf("booting %s: %w", l.vm, err)
	}
	return l.comesUp(ctx)
}

// upFor is how long a guest may take to show itself after its tool said that it runs.
const upFor = 10 * time.Second

// comesUp is nil as soon as the guest runs.
func (l *life) comesUp(ctx context.Context) error {
	end := l.clock.Now().Add(upFor)
	for {
		err := l.runs(ctx)
		if err == nil || !l.clock.Now().Before(end) {
			return err
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return errors.Join(err, wait)
		}
	}
}
