package evacuate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

// Outcome is what became of a trip.
type Outcome string

// The outcomes. Those that begin nothing leave the VM as it was.
const (
	Moved     Outcome = "moved"
	Elsewhere Outcome = "elsewhere" // it runs on another node than the one that it was sent to
	Failed    Outcome = "failed"
	Unknown   Outcome = "unknown"
	Stays     Outcome = "stays"     // refused, or nowhere to go
	NotBegun  Outcome = "not begun" // interrupted, or no time left
	UnderWay  Outcome = "under way" // begun, and no time left to see its end: the hand-off finishes it
)

// Done is a trip with what became of it.
type Done struct {
	Trip
	Outcome Outcome
	Owner   string         // where it was found; "" is not known
	Memory  balance.Memory // "" where nothing was begun
	Took    time.Duration
	Why     string // where it did not go as planned
	Err     error

	waited time.Duration // by Runner.Wait
}

// Event is told while a Runner works: a trip begins (Done is nil), or has ended.
type Event struct {
	Trip  Trip
	Other string // the node that was planned, where it goes to another; and why in Why
	Why   string
	Waits time.Duration // it is tried again for so long: Why says for what it waits
	Done  *Done
	Left  int // trips that have not ended
	All   int
}

// Runner carries trips out.
type Runner struct {
	// Look gives what is decided on now.
	Look func(ctx context.Context) (balance.Input, error)
	// Move makes one move. move.Mover does.
	Move func(ctx context.Context, t Trip) (balance.Move, error)
	Wait clock.Clock
	Tell func(Event) // may be nil; never called twice at a time

	Parallel  int       // so many trips at a time, one to a node; 0 is 1
	KeepGoing bool      // a trip that has failed does not keep the others from beginning
	Until     time.Time // by Wait: then nothing is waited for, and before it nothing begins that would not end; zero is for ever
	// Facts is how long fresh facts of a node are waited for after the last trip that ended; 0 is three minutes.
	Facts time.Duration
}

// Limits of waiting, by Wait.
const (
	step     = time.Second
	patience = 3 * time.Minute // for VMs that others have on their way, and for facts
	lookings = 5               // so often in a row the cluster may not answer
)

// state is a run at work.
type state struct {
	Runner
	w       balance.Wish
	pending []Trip
	flying  map[string]Trip // by target
	ended   chan Done
	done    []Done
	refused []balance.Refusal
	why     map[string]string            // by service: why it did not begin at the last look
	waits   map[string]*wait             // by service: it is tried again
	stale   map[string][]balance.Refusal // by service: nodes that what they said of themselves spoke against at the last try: too old, or of before it left
	longest time.Duration
	stopped string // why nothing begins any more
	all     int
}

// Run makes the trips that have a target, and those that wait for others. When ctx ends, or after a failure, nothing new begins; what has begun is watched
// to its end. What became of each trip of the plan is told in the order in which they ended.
func (r Runner) Run(ctx context.Context, plan []Trip, w balance.Wish) []Done {
	s := &state{Runner: r, w: w, flying: map[string]Trip{}, ended: make(chan Done, len(plan)), why: map[string]string{},
		waits: map[string]*wait{}, stale: map[string][]balance.Refusal{}}
	s.Parallel = max(s.Parallel, 1)
	for _, t := range plan {
		if t.To == "" && !t.Waits {
			s.done = append(s.done, Done{Trip: t, Outcome: Stays, Owner: t.From, Why: t.Why})
			continue
		}
		s.pending = append(s.pending, t)
	}
	s.all = len(s.pending)
	waited := time.Duration(0)
	for len(s.pending) > 0 || len(s.flying) > 0 {
		s.whetherToStop(ctx)
		hope := false
		if s.stopped == "" && len(s.flying) < s.Parallel {
			var begun bool
			if begun, hope = s.next(ctx); begun {
				waited = 0
				continue
			}
		}
		if s.stopped != "" && len(s.flying) == 0 || len(s.flying) == 0 && (!hope || waited >= patience) {
			break
		}
		if s.over() { // what flies is not waited for
			break
		}
		waited += step
		s.await(ctx, hope)
	}
	s.end()
	return s.done
}

// whetherToStop finds a reason to begin nothing any more.
func (s *state) whetherToStop(ctx context.Context) {
	switch {
	case s.stopped != "":
	case ctx.Err() != nil:
		s.stopped = "interrupted"
	case !s.Until.IsZero() && !s.Wait.Now().Add(s.longest).Before(s.Until):
		s.stopped = "there is no time left for it"
	}
}

// over tells whether the time is over.
func (s *state) over() bool { return !s.Until.IsZero() && !s.Wait.Now().Before(s.Until) }

// await waits for a trip to end, for an interrupt, or a while. Where others are waited for, or there is a time to keep, it
// does not wait long.
func (s *state) await(ctx context.Context, hope bool) {
	limit := time.Hour
	if hope || len(s.flying) == 0 || !s.Until.IsZero() {
		limit = step
	}
	nap, wake := context.WithCancel(context.WithoutCancel(ctx))
	slept := make(chan struct{})
	go func() {
		defer close(slept)
		// That the nap was cut short is what it is for.
		if s.Wait.Sleep(nap, limit) != nil {
			return
		}
	}()
	interrupt := ctx.Done()
	if s.stopped != "" {
		interrupt = nil
	}
	select {
	case d := <-s.ended:
		s.landed(d)
	case <-slept:
	case <-interrupt:
	}
	wake()
	<-slept
}

// next begins a trip, if one can begin now. hope says that one may later, though nothing of ours flies.
func (s *state) next(ctx context.Context) (begun, hope bool) {
	in, list, err := s.look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.stopped = "the cluster does not answer: " + err.Error()
		}
		return false, false
	}
	for _, now := range list {
		i := slices.IndexFunc(s.pending, func(t Trip) bool { return t.Service == now.Service })
		if i < 0 {
			continue
		}
		planned := s.pending[i]
		s.why[now.Service] = now.Why
		if now.To == "" {
			hope = s.awaitsFacts(planned, now.Why) || now.Waits || hope
			continue
		}
		if s.rests(now.Service) {
			hope = true
			continue
		}
		if _, busy := s.flying[now.To]; busy {
			continue
		}
		s.pending = slices.Delete(s.pending, i, i+1)
		s.begin(ctx, planned, now, in)
		return true, false
	}
	return false, hope
}

// look looks at the cluster and plans what is pending anew; what was planned first is preferred.
func (s *state) look(ctx context.Context) (in balance.Input, list []Trip, err error) {
	for try := 1; ; try++ {
		if in, err = s.Look(ctx); err == nil {
			break
		}
		if ctx.Err() != nil || try == lookings {
			return in, nil, err
		}
		if err := s.Wait.Sleep(ctx, step); err != nil {
			return in, nil, err
		}
	}
	in.Refused = append(slices.Clone(in.Refused), s.refused...)
	for _, service := range slices.Sorted(maps.Keys(s.stale)) {
		in.Refused = append(in.Refused, s.stale[service]...)
	}
	in.Recent = slices.Clone(in.Recent)
	for _, target := range slices.Sorted(maps.Keys(s.flying)) { // the journal may not have it yet
		t := s.flying[target]
		for _, vm := range t.VMs {
			in.Recent = append(in.Recent, balance.Move{VM: vm, From: t.From, To: t.To, Begin: in.At})
		}
	}
	w := balance.Wish{Start: s.w.Start, Only: s.w.Only, Prefer: map[string]string{}}
	for _, t := range s.pending {
		for _, vm := range t.VMs {
			if slices.ContainsFunc(in.View.VMs, func(x balance.VM) bool { return x.ID() == vm }) {
				w.VMs = append(w.VMs, vm)
				w.Prefer[vm] = t.To
			}
		}
	}
	list, err = Plan(ctx, in, w)
	for i, t := range list { // it is where it should be by now, whoever has moved it
		if p := s.find(t.Service); p != nil && p.From != t.From && t.From != "" {
			s.drop(*p, t.From)
			list[i].To = ""
		}
	}
	return in, list, err
}

func (s *state) find(service string) *Trip {
	for i := range s.pending {
		if s.pending[i].Service == service {
			return &s.pending[i]
		}
	}
	return nil
}

// drop ends a trip that somebody else has made.
func (s *state) drop(t Trip, owner string) {
	s.pending = slices.DeleteFunc(s.pending, func(x Trip) bool { return x.Service == t.Service })
	d := Done{Trip: t, Outcome: Moved, Owner: owner, Memory: balance.MemoryUnknown, Why: fmt.Sprintf("it was on %s already: somebody else has moved it", owner)}
	if owner != t.To {
		d.Outcome = Elsewhere
	}
	s.finished(d)
}

// others tells whether a VM stays only because others have it on its way.
func others(in balance.Input, t Trip) bool {
	for _, vm := range in.View.VMs {
		if !slices.Contains(t.VMs, vm.ID()) {
			continue
		}
		switch vm.State {
		case balance.Starting, balance.Stopping, balance.Recovering, balance.Migrating:
			return true
		}
		for _, m := range in.Recent {
			if m.VM == vm.ID() && m.End.IsZero() {
				return true
			}
		}
	}
	return false
}

func (s *state) begin(ctx context.Context, planned, now Trip, in balance.Input) {
	e := Event{Trip: now, All: s.all}
	if now.To != planned.To && planned.To != "" {
		e.Other = planned.To
		e.Why = s.against(now, planned.To, in)
	}
	s.flying[now.To] = now
	e.Left = len(s.pending) + len(s.flying)
	if s.waits[now.Service] == nil || e.Other != "" { // else it was told
		s.tell(e)
	}
	at := s.Wait.Now()
	go func() {
		rec, err := s.Move(ctx, now)
		s.ended <- outcome(now, rec, err, s.Wait.Now().Sub(at))
	}()
}

// against says why a service does not go where it was planned to go.
func (s *state) against(t Trip, node string, in balance.Input) string {
	for _, x := range slices.Concat(s.refused, s.stale[t.Service]) {
		if slices.Contains(t.VMs, x.VM) && x.Node == node {
			return x.Why
		}
	}
	for _, n := range in.View.Nodes {
		if n.Name == node && !n.Online {
			return node + " is offline"
		}
		if n.Name == node && n.Closed != "" {
			return n.Closed
		}
	}
	return "the cluster has changed since it was planned"
}

func outcome(t Trip, rec balance.Move, err error, took time.Duration) Done {
	d := Done{Trip: t, Owner: rec.Owner, Memory: rec.Memory, Took: took, Err: err, waited: took}
	if !rec.End.IsZero() {
		d.Took = rec.End.Sub(rec.Begin) // by the journal's clock
	}
	if err != nil {
		d.Why = err.Error()
	}
	switch {
	case err == nil:
		d.Outcome = Moved
		d.Owner = cmp.Or(rec.Owner, t.To)
	case errors.Is(err, move.ErrRefused):
		d.Outcome, d.Owner = Stays, t.From
		d.Why = strings.TrimPrefix(d.Why, move.ErrRefused.Error()+": nothing was changed: ")
	case errors.Is(err, move.ErrElsewhere):
		d.Outcome = Elsewhere
	case errors.Is(err, move.ErrUnverified):
		d.Outcome = Unknown
	default:
		d.Outcome = Failed
	}
	return d
}

// landed takes note of a trip that has ended. One that was refused is tried on the next best node.
func (s *state) landed(d Done) {
	delete(s.flying, d.To)
	if d.Outcome == Stays {
		switch {
		case errors.Is(d.Err, context.Canceled):
			d.Outcome, d.Why = NotBegun, "interrupted"
			s.finished(d)
			return
		case errors.Is(d.Err, move.ErrStale) || errors.Is(d.Err, move.ErrLater): // another node may do
			s.stale[d.Service] = append(s.stale[d.Service], refusals(d)...)
		case errors.Is(d.Err, handoff.ErrBusy) && s.again(d.Trip, d.Why, step, patience): // another one moves it
		default:
			s.refused = append(s.refused, refusals(d)...)
		}
		s.pending = slices.Insert(s.pending, 0, d.Trip)
		return
	}
	s.longest = max(s.longest, d.waited)
	if d.Outcome == Moved || d.Outcome == Elsewhere {
		s.anew()
	}
	if (d.Outcome == Failed || d.Outcome == Unknown) && !s.KeepGoing && s.stopped == "" {
		s.stopped = fmt.Sprintf("nothing more was begun after %s had not arrived", d.VMs[0])
	}
	s.finished(d)
}

func (s *state) finished(d Done) {
	s.done = append(s.done, d)
	s.tell(Event{Trip: d.Trip, Done: &d, Left: len(s.pending) + len(s.flying), All: s.all})
}

// end accounts for what did not come to an end.
func (s *state) end() {
	for len(s.flying) > 0 {
		select {
		case d := <-s.ended:
			s.landed(d)
			continue
		default:
		}
		break
	}
	for _, target := range slices.Sorted(maps.Keys(s.flying)) {
		t := s.flying[target]
		s.finished(Done{Trip: t, Outcome: UnderWay, Why: "there was no time left to see its end: the hand-off finishes it"})
	}
	s.flying = nil
	for len(s.pending) > 0 {
		t := s.pending[0]
		s.pending = s.pending[1:]
		d := Done{Trip: t, Outcome: NotBegun, Owner: t.From, Why: s.stopped}
		if s.stopped == "" {
			d.Outcome, d.Why = Stays, cmp.Or(s.why[t.Service], "it is not in the cluster any more")+s.inVain(t.Service)
		}
		s.finished(d)
	}
}

func (s *state) tell(e Event) {
	if s.Tell != nil {
		s.Tell(e)
	}
}
