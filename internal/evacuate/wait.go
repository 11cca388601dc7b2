package evacuate

import (
	"cmp"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// factsStep is how often it is looked whether lblog has run: once a minute is what it does.
const factsStep = 5 * time.Second

// wait is a service that is tried again: another one moves it, or what a node says of itself is not fresh.
type wait struct {
	since, rests time.Time     // by Runner.Wait; until rests it is not tried
	limit        time.Duration // from since
}

func (s *state) factsLimit() time.Duration { return cmp.Or(s.Facts, patience) }

// again lets a service rest before it is tried again, and tells what it waits for when it begins to. It gives false where it
// has waited for long enough.
func (s *state) again(t Trip, why string, rest, limit time.Duration) bool {
	now := s.Wait.Now()
	w := s.waits[t.Service]
	if w == nil {
		w = &wait{since: now, limit: limit}
		s.waits[t.Service] = w
		s.tell(Event{Trip: t, Why: why, Waits: limit, All: s.all})
	}
	w.limit = max(w.limit, limit)
	if now.Sub(w.since) >= w.limit {
		return false
	}
	w.rests = now.Add(rest)
	return true
}

// rests tells whether a service is not tried yet.
func (s *state) rests(service string) bool {
	w := s.waits[service]
	return w != nil && s.Wait.Now().Before(w.rests)
}

// awaitsFacts tells whether a service for which there is no node now is tried again, since what a node says of itself was too old.
func (s *state) awaitsFacts(t Trip, why string) bool {
	if len(s.stale[t.Service]) == 0 || !s.again(t, why, factsStep, s.factsLimit()) {
		return false
	}
	delete(s.stale, t.Service)
	return true
}

// anew: after a trip that was made the others may wait as long again.
func (s *state) anew() {
	for _, w := range s.waits {
		w.since = s.Wait.Now()
	}
}

// inVain tells how long a service that stays has waited, "" where it has not.
func (s *state) inVain(service string) string {
	w := s.waits[service]
	if w == nil {
		return ""
	}
	return fmt.Sprintf("; it was waited for %s", s.Wait.Now().Sub(w.since).Round(time.Second))
}

// refusals are those of all VMs of a trip.
func refusals(d Done) (out []balance.Refusal) {
	for _, vm := range d.VMs {
		out = append(out, balance.Refusal{VM: vm, Node: d.To, Why: d.Why})
	}
	return out
}
