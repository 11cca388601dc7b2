package vm

import (
	"context"
	"time"
)

// quickClock moves when somebody sleeps: a test waits for nothing. It serves one goroutine.
type quickClock struct {
	now     time.Time
	timers  []timer
	onSleep func()
}

type timer struct {
	at     time.Time
	cancel context.CancelCauseFunc
}

func (c *quickClock) Now() time.Time { return c.now }

func (c *quickClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	end := c.now.Add(d)
	for {
		var next *timer
		for i := range c.timers {
			if t := &c.timers[i]; t.cancel != nil && !t.at.After(end) && (next == nil || t.at.Before(next.at)) {
				next = t
			}
		}
		if next == nil {
			break
		}
		c.now = later(c.now, next.at)
		next.cancel(context.DeadlineExceeded)
		next.cancel = nil
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	c.now = end
	if c.onSleep != nil {
		c.onSleep()
	}
	return ctx.Err()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c *quickClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(ctx)
	if d <= 0 {
		cancel(context.DeadlineExceeded)
	} else {
		c.timers = append(c.timers, timer{c.now.Add(d), cancel})
	}
	return out, func() { cancel(context.Canceled) }
}
