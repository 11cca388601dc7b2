package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
)

// companions lays a ticket for each other VM of the service that can go live; a stop of the service stops them all. One
// that gets none passes as it would without a relocator: with its memory in an image, or cold. withdraw takes them back.
func (m Mover) companions(ctx context.Context, p plan, r Request) (withdraw func() error) {
	var issued []*handoff.Issued
	withdraw = func() error {
		var errs []error
		for _, i := range issued {
			errs = append(errs, i.Withdraw())
		}
		return errors.Join(errs...)
	}
	if m.Shared == "" || p.kind == handoff.Cold || p.byManager || p.restart || p.repair { // what is asked of the first was not asked
		return withdraw
	}
	for _, s := range p.others {
		i, err := m.companion(ctx, p, r, s)
		if err != nil {
			m.Log.WithError(err).WithField("vm", s.VMType+":"+s.VM).Info("it goes with its service, and not live")
			continue
		}
		issued = append(issued, i)
	}
	return withdraw
}

func (m Mover) companion(ctx context.Context, p plan, r Request, s cluster.Service) (*handoff.Issued, error) {
	x := Request{Type: s.VMType, VM: s.VM, Target: r.Target, By: r.By}
	if s.VMType == stockVM || m.kindOf(s) != handoff.Live {
		return nil, errors.New("its technology or its configuration does not let it run while it moves")
	}
	if node, why := m.notLive(x, p.liveToo()); why != "" {
		return nil, fmt.Errorf("node %s says: %s", node, why)
	}
	from, err := m.readFacts(p.source)
	if err != nil {
		return nil, err
	}
	target, err := m.readFacts(r.Target)
	if err != nil {
		return nil, err
	}
	if x.Type != vmexec {
		if _, err := sameTool(x.Type, from, target); err != nil {
			return nil, err
		}
		if _, err := m.answers(ctx, x, target); err != nil {
			return nil, err
		}
	}
	st, err := m.recordOf(x, p.source)
	if err != nil {
		return nil, err
	}
	if st.Phase != handoff.Running {
		return nil, errors.New("it has no hand-off record")
	}
	txn, err := handoff.NewTxn()
	if err != nil {
		return nil, err
	}
	return m.ticket(plan{source: p.source, kind: handoff.Live, state: st}, x, txn)
}

// liveToo is p as a companion's disks are asked after: whatever the first does, it would go live.
func (p plan) liveToo() plan {
	p.kind = handoff.Live
	return p
}

// others are the VMs beside r's in its service.
func others(st cluster.Status, svc cluster.Service, r Request) (out []cluster.Service) {
	for _, s := range st.Services {
		if s.ID == svc.ID && (s.VM != r.VM || s.VMType != r.Type) {
			out = append(out, s)
		}
	}
	return out
}
