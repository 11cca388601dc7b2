package vm

import (
	"context"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// awaitDaemon waits for the daemon of the guest's tool, which is down while the guest runs on as a process. It is true as
// soon as the tool answers again. A daemon that restarts is away for a few seconds; a stop that did not wait for it could
// neither keep the guest's memory nor ask it to shut down, and would destroy it when the daemon is back.
func (l *life) awaitDaemon(ctx context.Context, most time.Duration) bool {
	if l.explains != nil {
		l.say("its tool's daemon is down: it waits up to %s for it, and looks again then; if not:", most.Round(time.Second))
		return false
	}
	l.log(ocf.LevelWarning, "its tool's daemon is down: it is waited for", "most", most.Round(time.Second))
	wait, cancel := l.clock.WithTimeout(ctx, most)
	defer cancel()
	for {
		if l.clock.Sleep(wait, lookEvery) != nil {
			return false
		}
		if d, err := l.detail(wait); err == nil && !d.Presumed {
			return true
		}
	}
}
