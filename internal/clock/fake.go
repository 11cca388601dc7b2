package clock

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Fake is a clock that stands still until Advance moves it. Sleepers wake when it passes their time.
type Fake struct {
	mu       sync.Mutex
	now      time.Time
	sleepers []*sleeper
	arrived  chan struct{} // one token for each Sleep that began to wait
}

type sleeper struct {
	at   time.Time
	wake chan struct{}
}

// NewFake is a Fake that shows now.
func NewFake(now time.Time) *Fake {
	return &Fake{now: now, arrived: make(chan struct{}, 1024)}
}

// Now is the instant that the test has set.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Sleep waits until Advance has moved the clock by d.
func (f *Fake) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	wake := f.timer(d)
	select {
	case f.arrived <- struct{}{}:
	default:
	}
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout gives a context that ends when Advance has moved the clock by d.
func (f *Fake) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancelCause(ctx)
	e := &expiring{Context: inner, done: make(chan struct{})}
	end := func(why error) {
		cancel(why)
		e.once.Do(func() { close(e.done) })
	}
	context.AfterFunc(inner, func() { end(context.Canceled) }) // the parent has ended; its own cause stays
	if d <= 0 {
		end(context.DeadlineExceeded)
		return e, func() {}
	}
	wake := f.timer(d)
	go func() {
		select {
		case <-wake:
			end(context.DeadlineExceeded)
		case <-e.done:
		}
	}()
	return e, func() { end(context.Canceled) }
}

// expiring ends with DeadlineExceeded where its time has passed, as a context of the system's clock does; its
// children as well, since it has a Done of its own. It tells no deadline: that would be an instant of another clock.
type expiring struct {
	context.Context
	done chan struct{}
	once sync.Once
}

func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
	default:
		return nil
	}
	if errors.Is(context.Cause(e.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return e.Context.Err()
}

// Advance moves the clock by d and wakes whoever waited for an instant up to then.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	kept := f.sleepers[:0]
	for _, s := range f.sleepers {
		if s.at.After(f.now) {
			kept = append(kept, s)
			continue
		}
		close(s.wake)
	}
	f.sleepers = kept
}

// AwaitSleeper returns when a Sleep has begun to wait since the last AwaitSleeper, or when ctx is done.
func (f *Fake) AwaitSleeper(ctx context.Context) error {
	select {
	case <-f.arrived:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Fake) timer(d time.Duration) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &sleeper{at: f.now.Add(d), wake: make(chan struct{})}
	if d <= 0 {
		close(s.wake)
		return s.wake
	}
	f.sleepers = append(f.sleepers, s)
	return s.wake
}
