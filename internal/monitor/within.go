package monitor

import (
	"context"
	"errors"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lbvmagent"
)

// errHung says that a step did not come back, not even when it was told to.
var errHung = errors.New("the shared storage, or a program of the cluster, does not answer")

// graceLimit is how long a step that was told to end may take to do so.
const graceLimit = 8 * time.Second

// within does a step and gives up on it when it takes too long. A read from a hung file system cannot be ended, so
// the step then goes on by itself, in a goroutine that nobody waits for; what it still comes to is given to late.
// The step only looks: what it would begin afterwards, nobody would know of.
func within[T any](ctx context.Context, c clock.Clock, limit time.Duration, step func(context.Context) (T, error), late func(T)) (T, error) {
	base := context.WithoutCancel(ctx)
	watch, stop := c.WithTimeout(base, limit)
	defer stop()
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := step(inner)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-watch.Done():
	}
	cancel(context.DeadlineExceeded)
	grace, stopGrace := c.WithTimeout(base, graceLimit)
	defer stopGrace()
	select {
	case a := <-done:
		return a.value, a.err
	case <-grace.Done():
	}
	if late != nil {
		go func() { late((<-done).value) }()
	}
	var none T
	return none, fail(lbvmagent.CauseNode, errHung)
}
