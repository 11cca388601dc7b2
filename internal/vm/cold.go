package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// coldStop ends the guest; its memory is lost. Images of it go first, since a later start must not use them.
func (l *life) coldStop(ctx context.Context, v view, why string) error {
	l.log(ocf.LevelNotice, "cold stop", "why", why)
	if v.is(handoff.Suspending, handoff.Held) {
		if err := l.held.Fail(); err != nil {
			return err
		}
		if err := l.thaw(ctx); err != nil { // a frozen guest cannot end by itself
			l.log(ocf.LevelWarning, "the guest cannot be thawed", "error", err)
		}
	}
	if err := l.takeDown(ctx); err != nil {
		return err
	}
	if err := l.writeLast(ctx, handoff.State{Phase: handoff.Down}, "cold stop: "+why); err != nil {
		return err
	}
	l.journal("down", why)
	return nil
}

// coldOr is a cold stop after a hand-off that failed, unless the administrator has forbidden it.
func (l *life) coldOr(ctx context.Context, v view, why string, cause error) error {
	if l.params()["on_stop"] == "suspend-only" {
		return fmt.Errorf("stopping %s with its memory failed, and on_stop=suspend-only forbids a cold stop: %w", l.vm, cause)
	}
	l.loud("memory lost", fmt.Sprintf("%s: %v; cold stop", why, cause))
	return l.coldStop(ctx, v, why)
}

// takeDown shuts the guest down, destroys it when two thirds of the time are over, and is nil when nothing is left.
func (l *life) takeDown(ctx context.Context) error {
	l.say("it asks the guest to shut down; what has not gone by two thirds of the time is destroyed")
	err := l.shutDown(ctx)
	if err == nil {
		if err = l.clean(ctx, 0); err == nil {
			return nil
		}
	}
	l.log(ocf.LevelWarning, "shutting down failed: destroying", "error", err)
	if err := l.destroy(ctx); err != nil {
		return err
	}
	return l.clean(ctx, 0)
}

// shutDown asks the guest to go, once more where the tool's daemon was down and came back in the same time.
func (l *life) shutDown(ctx context.Context) error {
	most := max(l.left(2, 3), l.left(1, 1)/2)
	gentle, cancel := l.clock.WithTimeout(ctx, most)
	defer cancel()
	ask := func() error {
		return l.change("shutdown", func() error { return l.driver.Shutdown(gentle, l.vm) })
	}
	err := ask()
	if err == nil || l.explains != nil {
		return err
	}
	if d, derr := l.detail(gentle); derr == nil && d.Presumed && l.awaitDaemon(gentle, most) {
		return ask()
	}
	return err
}

// destroy ends the guest or what is left of it.
func (l *life) destroy(ctx context.Context) error {
	err := l.change("destroy", func() error { return l.driver.Destroy(ctx, l.vm) })
	if err != nil {
		return fmt.Errorf("destroying %s: %w", l.vm, err)
	}
	return nil
}

// thaw lets a frozen guest go on, and is nil if it runs. The driver knows a guest that was not frozen.
func (l *life) thaw(ctx context.Context) error {
	if x, ok := l.driver.(hypervisor.Thawer); ok {
		if err := l.change("thaw", func() error { return x.Thaw(ctx, l.vm) }); err != nil {
			return err
		}
	}
	return l.runs(ctx)
}

// runs is nil if the guest runs here.
func (l *life) runs(ctx context.Context) error {
	d, err := l.detail(ctx)
	if err != nil {
		return err
	}
	if d.State != hypervisor.Running {
		return fmt.Errorf("%s is %s and should run", l.vm, d.State)
	}
	return nil
}

// clean is nil as soon as nothing of the guest is here, within patience.
func (l *life) clean(ctx context.Context, patience time.Duration) error {
	end := l.clock.Now().Add(patience)
	for {
		d, err := l.detail(ctx)
		if err == nil && d.State.Clean() {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%s is still %s here", l.vm, d.State)
		}
		if !l.clock.Now().Before(end) {
			return err
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return errors.Join(err, wait)
		}
	}
}

// awaitChange waits until the guest is something else than in v, or until two thirds of the time are over.
func (l *life) awaitChange(ctx context.Context, v view) (changed bool, err error) {
	for {
		d, err := l.detail(ctx)
		now := v
		if now.sees(d); err == nil && (now.guest != v.guest || now.still != v.still || now.handed != v.handed) {
			return true, nil
		}
		if l.waits("for it to become something else") || l.left(2, 3) <= 0 {
			return false, err
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return false, errors.Join(wait, err)
		}
	}
}
