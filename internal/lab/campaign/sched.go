package campaign

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"slices"
	"time"
)

// sched runs tasks, of which exactly one works at a time. A task gives way where it waits and at every crash point;
// the seed picks who goes next. Time is simulated: it passes when nobody can go on, and a little with every step.
type sched struct {
	r       *rand.Rand
	now     time.Time
	tasks   []*task
	timers  []*timer
	back    chan struct{}
	steps   int
	elapsed func(from, to time.Time) // is told of time that passes
}

type timer struct {
	at     time.Time
	cancel context.CancelFunc
}

// task is an agent's action, a tool, the manager or a relocator.
type task struct {
	s      *sched
	name   string
	node   *node
	resume chan struct{}
	ready  func() bool // nil: at once
	wake   time.Time   // zero: no time wakes it
	done   bool
	killed bool   // it dies when it goes on
	dying  bool   // it unwinds: nothing it does counts any more
	failed any    // a panic that is not a death
	ends   func() // when it is over, however it came to that
}

// errKilled is the panic by which a task dies, and what its last calls get.
var errKilled = errors.New("killed")

// A run that takes longer than this goes in circles.
const (
	mostSteps = 60000
	mostTime  = 12 * time.Hour
)

func newSched(seed int64) *sched {
	return &sched{r: rand.New(rand.NewSource(seed)), now: time.Unix(1200000000, 0), back: make(chan struct{})}
}

// spawn begins a task. It works when the scheduler picks it.
func (s *sched) spawn(name string, n *node, do func(t *task)) *task {
	t := &task{s: s, name: name, node: n, resume: make(chan struct{})}
	s.tasks = append(s.tasks, t)
	go func() {
		<-t.resume
		defer func() {
			if v := recover(); v != nil && v != errKilled { //nolint:errorlint // it is a panic's value
				stack := make([]byte, 8<<10)
				t.failed = fmt.Sprintf("%v\n%s", v, stack[:runtime.Stack(stack, false)])
			}
			if t.ends != nil {
				t.ends()
			}
			t.done = true
			s.back <- struct{}{}
		}()
		if !t.killed {
			do(t)
		}
	}()
	return t
}

// kill ends a task as kill -9 does.
func (t *task) kill() {
	if !t.done {
		t.killed, t.ready, t.wake = true, nil, time.Time{}
	}
}

// yield lets others go. A task that was killed meanwhile dies here.
func (t *task) yield() {
	if t.dying {
		return
	}
	t.s.back <- struct{}{}
	<-t.resume
	if t.killed {
		t.dying = true
		panic(errKilled)
	}
}

// wait gives way until ready, or until a time (zero: none).
func (t *task) wait(ready func() bool, until time.Time) {
	t.ready, t.wake = ready, until
	t.yield()
	t.ready, t.wake = nil, time.Time{}
}

func (t *task) pause(d time.Duration) { t.wait(never, t.s.now.Add(d)) }

func never() bool { return false }

func (t *task) can(now time.Time) bool {
	if t.done {
		return false
	}
	return t.killed || t.ready == nil || t.ready() || !t.wake.IsZero() && !now.Before(t.wake)
}

// run lets tasks work until until is true, or nobody can ever go on. Its error is a task's own panic, or a circle.
func (s *sched) run(until func() bool) error {
	began, first := s.steps, s.now
	for {
		live := s.tasks[:0]
		var ready []*task
		for _, t := range s.tasks {
			if t.failed != nil {
				return fmt.Errorf("%s: panic: %v", t.name, t.failed)
			}
			if t.done {
				continue
			}
			live = append(live, t)
			if t.can(s.now) {
				ready = append(ready, t)
			}
		}
		s.tasks = live
		if until() {
			return nil
		}
		if s.steps-began > mostSteps || s.now.Sub(first) > mostTime {
			return errors.New("it goes in circles")
		}
		if len(ready) == 0 {
			next := s.next()
			if next.IsZero() {
				return nil
			}
			s.pass(next)
			continue
		}
		t := ready[s.r.Intn(len(ready))]
		s.steps++
		t.resume <- struct{}{}
		<-s.back
		s.pass(s.now.Add(time.Millisecond))
	}
}

// next is when something happens by itself.
func (s *sched) next() (at time.Time) {
	earlier := func(x time.Time) {
		if !x.IsZero() && (at.IsZero() || x.Before(at)) {
			at = x
		}
	}
	for _, t := range s.tasks {
		earlier(t.wake)
	}
	for _, x := range s.timers {
		earlier(x.at)
	}
	return at
}

func (s *sched) pass(to time.Time) {
	from := s.now
	s.now = to
	s.timers = slices.DeleteFunc(s.timers, func(x *timer) bool {
		if to.Before(x.at) {
			return false
		}
		x.cancel()
		return true
	})
	if s.elapsed != nil {
		s.elapsed(from, to)
	}
}

// clock is a task's clock.
type simClock struct{ t *task }

func (c simClock) Now() time.Time { return c.t.s.now }

func (c simClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.t.dying {
		return errKilled
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.t.wait(func() bool { return ctx.Err() != nil }, c.t.s.now.Add(d))
	return ctx.Err()
}

func (c simClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	s, x := c.t.s, &timer{c.t.s.now.Add(d), cancel}
	s.timers = append(s.timers, x)
	return ctx, func() {
		s.timers = slices.DeleteFunc(s.timers, func(y *timer) bool { return x == y })
		cancel()
	}
}

// end kills what still lives, so that no goroutine is left.
func (s *sched) end() {
	for len(s.tasks) > 0 {
		t := s.tasks[len(s.tasks)-1]
		s.tasks = s.tasks[:len(s.tasks)-1]
		if !t.done {
			t.kill()
			t.resume <- struct{}{}
			<-s.back
		}
	}
}
