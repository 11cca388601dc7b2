package clock

import (
	"context"
	"time"
)

// Share bounds one step of a longer action: the step may take 1/part of what is left of ctx, and at most most.
// Both are real time, as deadlines are: a step is a program or a disk, which no scaled clock makes faster.
// Without a deadline in ctx it may take most.
func Share(ctx context.Context, part int, most time.Duration) (context.Context, context.CancelFunc) {
	d := most
	if end, ok := ctx.Deadline(); ok && part > 0 {
		d = min(d, time.Until(end)/time.Duration(part))
	}
	return context.WithTimeout(ctx, d)
}
