package ocf

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Until is a context that ends when part/of of the action's time has passed. Let the gentle way end at two thirds,
// and time is left for the hard one:
//
//	soft, cancel := c.Until(ctx, 2, 3)
//	defer cancel()
//	if err := ocf.Check(c.Change(soft, "xm", "shutdown", "-w", c.Name)); err != nil {
//		return ocf.Check(c.Change(ctx, "xm", "destroy", c.Name))
//	}
//
// Where the action has no timeout, it ends with ctx.
func (c *Call) Until(ctx context.Context, part, of int) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 || of <= 0 {
		return context.WithCancel(ctx)
	}
	left := c.Timeout/time.Duration(of)*time.Duration(part) - c.elapsed()
	return c.World.complete().WithTimeout(ctx, max(0, left))
}

// elapsed is how long the action has been going on. A clock that was stepped back makes it 0.
func (c *Call) elapsed() time.Duration {
	if c.began.IsZero() {
		return 0
	}
	return max(0, c.World.complete().Now().Sub(c.began))
}

// Await calls is at once and then every interval, until it says true or fails, or ctx ends. It asks at least once. An
// explanation does not wait: where is does not say true at once, the error is ErrExplained.
func (c *Call) Await(ctx context.Context, interval time.Duration, is func(context.Context) (bool, error)) error {
	for {
		done, err := is(ctx)
		if done || err != nil {
			return err
		}
		if c.Explaining() {
			c.Say("  would wait for the outcome")
			return ErrExplained
		}
		if !c.pause(ctx, max(interval, time.Millisecond)) {
			return fmt.Errorf("not so in time: %w", context.Cause(ctx))
		}
	}
}

// pause waits; false is that ctx ended first.
func (c *Call) pause(ctx context.Context, d time.Duration) bool {
	wait, cancel := c.World.complete().WithTimeout(ctx, d)
	defer cancel()
	<-wait.Done()
	return ctx.Err() == nil
}

// All runs fs at once, waits for all of them, and gives their errors joined. A panic of one is its error. In a
// goroutine that an agent starts by itself nobody can catch a panic: it ends the whole process (see Main).
func (c *Call) All(ctx context.Context, fs ...func(context.Context) error) error {
	errs := make([]error, len(fs))
	var wait sync.WaitGroup
	for i, f := range fs {
		wait.Add(1)
		go func() {
			defer wait.Done()
			errs[i] = errors.New("ended without an answer")
			defer func() {
				if v := recover(); v != nil {
					errs[i] = &panicError{v, debug.Stack()}
				}
			}()
			errs[i] = f(ctx)
		}()
	}
	wait.Wait()
	return errors.Join(errs...)
}
