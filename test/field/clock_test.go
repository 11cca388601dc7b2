package field

import (
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

// step is how often an agent's clock goes on, and by what at most.
const step = time.Millisecond

// goes gives the agents' clock for an action. It runs scale times as fast as this process is let run, not as the machine's clock:
// what a busy machine takes for a call of a lab's tool would else be most of an action's time.
func (w *world) goes() (c *clock.Fake, stop func()) {
	c = clock.NewFake(time.Now())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTimer(step)
		defer t.Stop()
		for {
			select {
			case <-end:
				return
			case <-t.C:
				c.Advance(time.Duration(float64(step) * w.scale))
				t.Reset(step)
			}
		}
	}()
	return c, func() { close(end); <-ended }
}
