package balance

import (
	"context"
	"time"
)

// Again decides a recorded pass again, from what it rested on: the view and the refusals that it holds, the journal as it
// stood, and the samples that had been written by then. moves are those of the journal, back to Pass.At - Horizon; c is
// the configuration of that time, which Pass.Config tells. zone is the one that rules see; only is
// Input.Only.
func Again(ctx context.Context, old *Pass, c *Config, samples Samples, moves []Move, zone *time.Location, only func(VM) bool) (*Pass, error) {
	return Decide(ctx, Input{At: old.At.In(zone), Config: c, View: old.View, Samples: asThen{samples, old.Newest, c.Rails.withDefaults().Stale},
		Recent: Then(moves, old.At), Refused: old.Refused, Only: only})
}

// asThen leaves out what was written behind a pass but is stamped before it: lblog stamps first, measures, then writes.
type asThen struct {
	Samples
	newest map[string]map[string]time.Time
	stale  time.Duration
}

// Window is Samples.Window.
func (s asThen) Window(node, resource string, from, to time.Time) ([]Sample, error) {
	last, known := s.newest[node][resource]
	if known && last.IsZero() {
		return nil, &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	if age := to.Sub(last); known && age >= s.stale {
		return nil, &DataError{Node: node, Resource: resource, Age: age, Err: ErrStale}
	}
	list, err := s.Samples.Window(node, resource, from, to)
	if err != nil || !known {
		return list, err
	}
	for len(list) > 0 && list[0].At.After(last) {
		list = list[1:]
	}
	if len(list) == 0 {
		return nil, &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	return list, nil
}
