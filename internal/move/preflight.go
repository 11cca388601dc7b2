package move

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// plan is what a preflight has found.
type plan struct {
	service cluster.Service
	source  string
	state   handoff.State
	kind    handoff.Kind
	known   bool // service and state are from before the move
}

// kindOf says how a technology's VMs pass. Xen's run on while they move.
func kindOf(typ string) handoff.Kind {
	if typ == "xen" {
		return handoff.Live
	}
	return handoff.Image
}

const defaultFresh = 2 * time.Minute

// Check looks whether the move can succeed, and changes nothing. Its error is ErrRefused with the reason.
func (m Mover) Check(ctx context.Context, r Request) error {
	_, err := m.checked(ctx, r)
	return err
}

func (m Mover) checked(ctx context.Context, r Request) (plan, error) {
	p, err := m.preflight(ctx, r)
	if err != nil {
		return p, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return p, nil
}

func (m Mover) preflight(ctx context.Context, r Request) (plan, error) {
	if err := errors.Join(host.CheckName(r.VM), host.CheckName(r.Target)); err != nil {
		return plan{}, err
	}
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return plan{}, err
	}
	if !st.Quorate {
		return plan{}, errors.New("the cluster has no quorum")
	}
	svc, ok := find(st, r)
	if !ok {
		return plan{}, fmt.Errorf("no service of the cluster holds %s:%s", r.Type, r.VM)
	}
	p := plan{service: svc, source: svc.Owner, kind: kindOf(r.Type), known: true}
	switch {
	case svc.State != cluster.Started || svc.Owner == "":
		return p, fmt.Errorf("%s is %s, not started", svc.ID, svc.State)
	case svc.Frozen:
		return p, fmt.Errorf("%s is frozen (clusvcadm -U %s lets it go)", svc.ID, svc.ID)
	case svc.Partial:
		return p, fmt.Errorf("a part of %s is stopped, maybe %s:%s", svc.ID, r.Type, r.VM)
	case svc.Owner == r.Target:
		return p, fmt.Errorf("%s is on %s already", svc.ID, r.Target)
	}
	if err := targetFit(st, svc, r.Target); err != nil {
		return p, err
	}
	if m.Shared == "" {
		return p, nil
	}
	if err := m.targetFacts(r, p.source); err != nil {
		return p, err
	}
	p.state, err = handoff.ReadState(m.Shared, r.Type, r.VM)
	if err != nil {
		return p, err
	}
	switch ph := p.state.Phase; {
	case ph == handoff.NoRecord: // it was started before LBVM came: its stop hands it over all the same
	case ph != handoff.Running:
		return p, fmt.Errorf("its hand-off record says %s, not running", ph)
	case p.state.Node != p.source:
		return p, fmt.Errorf("its hand-off record says that it runs on %s, the cluster manager says %s", p.state.Node, p.source)
	}
	return p, nil
}

func find(st cluster.Status, r Request) (cluster.Service, bool) {
	for _, s := range st.Services {
		if s.VM == r.VM && s.VMType == r.Type {
			return s, true
		}
	}
	return cluster.Service{}, false
}

func targetFit(st cluster.Status, svc cluster.Service, target string) error {
	var names []string
	for _, n := range st.Members {
		names = append(names, n.Name)
		if n.Name != target {
			continue
		}
		if !n.Online {
			return fmt.Errorf("node %s is offline", target)
		}
		if !n.Manager {
			return fmt.Errorf("node %s does not run the cluster manager", target)
		}
		for _, may := range svc.MayRun {
			if may.Node == target {
				return nil
			}
		}
		return fmt.Errorf("the failover domain of %s does not allow node %s", svc.ID, target)
	}
	return fmt.Errorf("%q is no node of this cluster: they are %s", target, strings.Join(names, ", "))
}

// targetFacts looks at what the target published: is it alive, is the name free there, does the guest fit.
func (m Mover) targetFacts(r Request, source string) error {
	fresh := m.Fresh
	if fresh == 0 {
		fresh = defaultFresh
	}
	f, err := host.ReadFacts(m.Shared, r.Target)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("node %s has published no facts: does lblog run there?", r.Target)
	}
	if err != nil {
		return err
	}
	if f.At.IsZero() {
		return fmt.Errorf("node %s has not been measured since it came up: does lblog run there?", r.Target)
	}
	switch age := m.Clock.Now().Sub(f.At); {
	case age > fresh:
		return fmt.Errorf("the facts of node %s are %s old: does lblog run there?", r.Target, age.Round(time.Second))
	case age < -fresh: // how old they are nobody can tell
		return fmt.Errorf("the facts of node %s are of %s from now: do the clocks agree?", r.Target, (-age).Round(time.Second))
	}
	for _, g := range f.Guests {
		if g.Type == r.Type && g.Name == r.VM {
			return fmt.Errorf("node %s said %s ago that it has a %s:%s (%s): if it has left since, try again after the next lblog",
				r.Target, m.Clock.Now().Sub(f.At).Round(time.Second), g.Type, g.Name, g.State)
		}
	}
	return m.fits(r, source, f)
}

// fits compares the guest's memory with what the target has free, where both are known.
func (m Mover) fits(r Request, source string, target host.Facts) error {
	if target.MemFree == 0 {
		return nil
	}
	f, err := host.ReadFacts(m.Shared, source)
	if err != nil {
		return nil //nolint:nilerr // what the source does not say is unknown, and no reason to keep the VM there
	}
	for _, g := range f.Guests {
		if g.Type == r.Type && g.Name == r.VM && g.Mem > target.MemFree {
			return fmt.Errorf("it has %d MiB, and node %s has %d MiB free", g.Mem>>20, r.Target, target.MemFree>>20)
		}
	}
	return nil
}
