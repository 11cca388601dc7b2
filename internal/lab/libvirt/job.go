package libvirt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// jobWait is how long libvirt lets a request wait for a job that is under way.
const (
	jobWait    = 30 * time.Second
	jobTimeout = "Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainMigratePerform3Params)"
)

// stats is what domjobinfo tells.
type stats struct {
	operation string
	began     time.Time
	took      time.Duration // of one that has ended
	bytes     int64
	takes     time.Duration
}

// jobOf is the job of a domain, nil if none is under way.
func (c *call) jobOf(x *domain) *job {
	_, _, j := c.runningOf(x)
	return j
}

// stateOf is a running domain's state.
func (c *call) stateOf(r *running) state {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	return r.state
}

// idle is what runs of a domain, when no job is under way any more.
func (c *call) idle(life context.Context, x *domain) (*running, *lab.Guest, error) {
	t := time.NewTimer(jobWait)
	defer t.Stop()
	for {
		r, g, j := c.runningOf(x)
		if r != nil && j == nil {
			return r, g, nil
		}
		if r == nil && c.d.find(x.conf.UUID) != x {
			return nil, nil, refuse("Domain not found: no domain with matching uuid '%s' (%s)", x.conf.UUID, x.conf.Name)
		}
		if r == nil {
			return nil, nil, refusal(notRunning)
		}
		select {
		case <-j.over:
		case <-t.C:
			return nil, nil, refusal(jobTimeout)
		case <-life.Done():
			return nil, nil, life.Err()
		}
	}
}

// beginJob makes a job of a domain that has none. Its ctx ends when it is to be broken off.
func (d *daemon) beginJob(life context.Context, x *domain, r *running, what, operation string) (*job, context.Context, error) {
	ctx, cancel := context.WithCancel(life)
	j := &job{what: what, cancel: cancel, faster: make(chan struct{}), over: make(chan struct{}),
		stats: stats{operation: operation, began: time.Now(), bytes: x.conf.bytes(), takes: copyTakes(x.conf.bytes())}}
	d.mu.Lock()
	defer d.mu.Unlock()
	if x.run != r || r.job != nil {
		cancel()
		return nil, nil, refusal(jobTimeout)
	}
	r.job = j
	return j, ctx, nil
}

func (d *daemon) endJob(r *running, j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.job == j {
		r.job = nil
		j.took = time.Since(j.began)
		j.cancel()
		close(j.over)
	}
}

// hurry: the guest stands still, so nothing is to be copied twice.
func (j *job) hurry(d *daemon) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-j.faster:
	default:
		close(j.faster)
	}
}

// copies lets the time go by that a copy takes, as --bandwidth limits it. It is false if the job is broken off or the domain ended.
func (c *call) copies(ctx context.Context, r *running, j *job, least time.Duration) bool {
	const look = 5 * time.Millisecond
	for left := 1.0; left > 0; {
		c.d.mu.Lock()
		takes, g := least, r.guest
		if j.speed > 0 {
			takes = max(takes, time.Duration(j.bytes>>20)*time.Second/time.Duration(j.speed))
		}
		j.takes = takes
		c.d.mu.Unlock()
		if !g.Alive() {
			return false
		}
		t := time.NewTimer(look)
		select {
		case <-t.C:
			left -= float64(look) / float64(takes)
		case <-j.faster:
			left = 0
		case <-r.gone:
			return false
		case <-ctx.Done():
			return false
		}
		t.Stop()
	}
	return true
}

// goOn lets a domain's guest go on, if it gets its images.
func (d *daemon) goOn(x *domain, r *running, reason string) error {
	d.mu.Lock()
	g, locked := r.guest, len(r.images) > 0
	d.mu.Unlock()
	if !locked && d.claim(x, r) != nil {
		return refusal("internal error: unable to execute QEMU command 'cont': Failed to get \"write\" lock")
	}
	if err := g.Thaw(); err != nil {
		return err
	}
	d.set(x, r, isRunning, reason)
	return nil
}

// stay undoes what a job has done to a domain: it goes on as it was before.
func (d *daemon) stay(x *domain, r *running, before state, frozen bool) {
	d.mu.Lock()
	g, now := r.guest, r.state
	d.mu.Unlock()
	switch {
	case frozen || now == state{isPaused, userPaused}:
		d.set(x, r, isPaused, userPaused)
	case !g.Frozen():
		d.set(x, r, before.name, before.why)
	default:
		reason := "migration canceled"
		if now.why == "saving" {
			reason = "save canceled"
		}
		if err := d.goOn(x, r, reason); errors.Is(err, lab.ErrGone) {
			d.kill(x, r, "crashed")
		}
	}
}

func (c *call) setSpeed(_ context.Context, x *domain, w words) int {
	var speed int64
	if _, err := fmt.Sscanf(w["bandwidth"], "%d", &speed); err != nil || speed < 1 {
		return c.fail("Numeric value '" + w["bandwidth"] + "' for <bandwidth> option is malformed or out of range")
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if x.run == nil {
		return c.fail(notRunning)
	}
	x.run.speed = speed
	if x.run.job != nil {
		x.run.job.speed = speed
	}
	return 0
}

func (c *call) getSpeed(_ context.Context, x *domain, _ words) int {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	speed := int64(8796093022207)
	if x.run != nil && x.run.speed > 0 {
		speed = x.run.speed
	}
	c.say("%d", speed)
	return 0
}

// jobInfo tells of a job that is under way here, or with --completed of the last migration that ended here.
func (c *call) jobInfo(_ context.Context, x *domain, w words) int {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.list()
	row := func(name, format string, args ...any) { c.say("%-17s %s", name+":", fmt.Sprintf(format, args...)) }
	var s stats
	switch r := x.run; {
	case w.has("completed") && x.moved != nil:
		s = *x.moved
		row("Job type", "%-12s", "Completed")
	case w.has("completed") || r == nil || r.job == nil && r.guest != nil:
		row("Job type", "%-12s", "None")
		return 0
	case r.guest == nil:
		return c.fail("Operation not supported: migration statistics are available only on the source host")
	default:
		s = r.job.stats
		row("Job type", "%-12s", "Unbounded")
	}
	done := min(1, float64(time.Since(s.began))/float64(max(s.takes, 1)))
	took := time.Since(s.began)
	if s.took > 0 {
		done, took = 1, s.took
	}
	mib := float64(s.bytes) / (1 << 20)
	row("Operation", "%-12s", s.operation)
	row("Time elapsed", "%-12d ms", took.Milliseconds())
	for _, what := range []string{"Data", "Memory"} {
		row(what+" processed", "%-.3f MiB", mib*done)
		row(what+" remaining", "%-.3f MiB", mib*(1-done))
		row(what+" total", "%-.3f MiB", mib)
	}
	if s.took > 0 {
		row("Total downtime", "%-12d ms", 20)
	} else {
		row("Iteration", "%-12d", 1)
		row("Expected downtime", "%-12d ms", 300)
	}
	return 0
}

func (c *call) jobAbort(_ context.Context, x *domain, _ words) int {
	j := c.jobOf(x)
	if j == nil {
		return c.fail("Requested operation is not valid: no job is active on the domain")
	}
	c.d.mu.Lock()
	j.asked = true
	c.d.mu.Unlock()
	j.cancel()
	return 0
}
