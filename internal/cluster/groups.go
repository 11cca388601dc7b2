package cluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// StartedGroups gives the ids of the groups that the cluster manager runs or starts somewhere, in its order, whether
// cluster.conf names them or not. ErrNoStates says that it did not tell.
func StartedGroups(ctx context.Context, h host.Host, r run.Runner, c clock.Clock) ([]string, error) {
	m := &rgmanager{h, r, c}
	rep, err := m.report(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the cluster manager: %w", err)
	}
	if rep.note != "" || !rep.managed || !rep.quorate {
		return nil, fmt.Errorf("%w: %s", ErrNoStates, flat(rep.note))
	}
	var out []string
	for _, g := range rep.groups {
		if slices.Contains([]State{Started, Starting, Recovering, Recoverable, Migrating}, g.state) {
			out = append(out, g.id)
		}
	}
	return out, nil
}

// Group is what rgmanager says of one group, which need not hold a VM; false where it has none of that id. Where it may
// run is not said.
func Group(ctx context.Context, h host.Host, r run.Runner, c clock.Clock, id string) (Service, bool, error) {
	m := &rgmanager{h, r, c}
	rep, err := m.report(ctx)
	if err != nil {
		return Service{}, false, fmt.Errorf("asking the cluster manager: %w", err)
	}
	for _, g := range rep.groups {
		if g.id == id {
			return g.service(id, "", ""), true, nil
		}
	}
	return Service{}, false, nil
}
