package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// CheckPlace looks whether a VM that runs nowhere can be started on r.Target, or anywhere if that is "". Its error is ErrRefused with the reason.
func (m Mover) CheckPlace(ctx context.Context, r Request) error {
	_, _, err := m.planPlace(ctx, r)
	return err
}

func (m Mover) planPlace(ctx context.Context, r Request) (Repair, handoff.State, error) {
	rep, state, err := m.planRepair(ctx, r)
	if err == nil {
		err = m.placeable(ctx, r, rep, state)
	}
	if err != nil {
		return rep, state, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return rep, state, nil
}

// placeable asks what planRepair does not: that the VM is bound to no node, and that the target can start it.
func (m Mover) placeable(ctx context.Context, r Request, rep Repair, state handoff.State) error {
	switch {
	case len(rep.Steps) == 0:
		return fmt.Errorf("%s: it runs; lbm migrate %s moves it", rep.Why, r.VM)
	case rep.Steps[0].Disable:
		return fmt.Errorf("%s: find out why (lbm why-down %s), then lbm repair %s", rep.Why, rep.Service, r.VM)
	case rep.Steps[0].Node != "" && rep.Steps[0].Node != r.Target:
		return fmt.Errorf("%s: it can be started there only: lbm repair %s", rep.Why, r.VM)
	}
	if r.Target == "" {
		return nil
	}
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return err
	}
	svc, ok := find(st, r)
	if !ok {
		return fmt.Errorf("no service of the cluster holds %s:%s any more", r.Type, r.VM)
	}
	if err := errors.Join(targetFit(st, svc, r.Target), m.open(r.Target)); err != nil {
		return err
	}
	if m.Shared == "" {
		return nil
	}
	target, err := m.readFacts(r.Target)
	if err != nil {
		return err
	}
	if r.Type == stockVM { // what else it needs, vm.sh alone knows
		return m.stockFree(r, target)
	}
	with := m.together(st, svc, r)
	for _, question := range []func(Request) (string, error){
		func(r Request) (string, error) { return m.nameFree(r, target) },
		func(r Request) (string, error) { return ready(r, target) },
	} {
		if _, err := all(with, question); err != nil {
			return err
		}
	}
	if state.Phase == handoff.Suspended && r.Type == "openvz" {
		if _, err := restores(r, target); err != nil {
			return err
		}
	}
	_, err = fits(with, target, target)
	return err
}

// stockFree asks whether the target runs a guest of that name by a tool that it has told of.
func (m Mover) stockFree(r Request, target host.Facts) error {
	told := false
	for _, typ := range guestTypes(r.Type) {
		if !slices.Contains(target.Lists, typ) {
			continue
		}
		told = true
		if _, err := m.nameFree(Request{Type: typ, VM: r.VM, Target: r.Target}, target); err != nil {
			return err
		}
	}
	if !told {
		return unsaid(r.Target, "which "+strings.Join(guestTypes(r.Type), " or ")+" guests it has")
	}
	return nil
}

// Place starts a VM that runs nowhere on r.Target: its service is enabled there. What came of it is verified with manager
// and record.
func (m Mover) Place(ctx context.Context, r Request) (Repair, error) {
	rep, before, err := m.planPlace(ctx, r)
	if err != nil {
		return rep, err
	}
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	ctx = context.WithoutCancel(ctx)
	rep.Steps = []RepairStep{{Node: r.Target}}
	claim := m.Manager.Enable(ctx, rep.Service, r.Target)
	if claim != nil {
		m.Log.WithFields(logrus.Fields{"vm": r.Type + ":" + r.VM, "service": rep.Service}).WithError(claim).Warn("the manager did not say success")
	}
	if refused(claim) {
		return rep, fmt.Errorf("%w: %w", ErrRefused, claim)
	}
	got, err := m.verify(ctx, plan{state: before, repair: true}, r)
	if err != nil {
		return rep, fmt.Errorf("%w: %w (the manager said: %v)", ErrUnverified, err, said(claim))
	}
	rep.Owner = got.owner
	switch {
	case got.away != nil:
		return rep, fmt.Errorf("%w: %w", ErrUnverified, got.away)
	case got.outcome == balance.OutcomeMoved && got.owner == r.Target:
		return rep, nil
	case got.outcome == balance.OutcomeMoved:
		return rep, fmt.Errorf("%w: on %q, and %q was asked for (the manager said: %v)", ErrElsewhere, got.owner, r.Target, said(claim))
	case got.outcome == balance.OutcomeUnknown:
		return rep, fmt.Errorf("%w: %s (the manager said: %v)", ErrUnverified, got.text, said(claim))
	}
	return rep, fmt.Errorf("%w: %s (the manager said: %v)", ErrFailed, got.text, said(claim))
}

// refused tells whether the manager was not asked, or refused before it touched the service: then there is nothing to verify.
func refused(claim error) bool {
	var r *cluster.Refusal
	return errors.As(claim, &r) && r.Unchanged || errors.Is(claim, cluster.ErrNotMember) || errors.Is(claim, cluster.ErrNoQuorum)
}
