package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/balance"
)

// found is what became of a move.
type found struct {
	outcome   balance.Outcome
	owner     string
	memory    balance.Memory
	untouched bool // the VM runs where it was, and nothing has happened to it since
	text      string
}

// verify looks until manager and record agree that it is done, or until a worse answer has stood still for a while.
func (m Mover) verify(ctx context.Context, p plan, r Request) (found, error) {
	ctx, cancel := m.Wait.WithTimeout(ctx, verifyLimit)
	defer cancel()
	enabled, patience := false, settleLimit
	if p.byManager { // nothing was run on the target
		patience = arriveLimit
	}
	for steady, waited := time.Duration(0), time.Duration(0); ; {
		svc, st, err := m.look(ctx, r)
		now, moving := found{}, true
		if err == nil {
			now, moving = judge(svc, st, p, r)
		}
		switch {
		case now.outcome == balance.OutcomeMoved:
			return now, nil
		case err == nil && !enabled && orphan(svc, st, r):
			enabled = true
			m.adopt(ctx, svc, r)
		case err == nil && underway(svc.State): // the manager will end it, sooner or later
			steady, waited = 0, 0
		case moving:
			steady, waited = 0, waited+settleStep
		default:
			steady += settleStep
		}
		if steady >= steadyLimit || waited >= patience {
			return now, err
		}
		if wait := m.Wait.Sleep(ctx, settleStep); wait != nil {
			return now, errors.Join(fmt.Errorf("%s: %w", now.text, wait), err)
		}
	}
}

// underway tells whether the manager is at work on a service.
func underway(s cluster.State) bool {
	switch s {
	case cluster.Starting, cluster.Stopping, cluster.Recovering, cluster.Migrating:
		return true
	}
	return false
}

func (m Mover) look(ctx context.Context, r Request) (cluster.Service, handoff.State, error) {
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return cluster.Service{}, handoff.State{}, err
	}
	svc, ok := find(st, r)
	if !ok {
		return cluster.Service{}, handoff.State{}, fmt.Errorf("no service of the cluster holds %s:%s any more", r.Type, r.VM)
	}
	if m.Shared == "" {
		return svc, handoff.State{Phase: handoff.NoRecord}, nil
	}
	state, err := handoff.ReadState(m.Shared, r.Type, r.VM)
	return svc, state, err
}

// judge reads manager and record together. moving says that it is too early to tell.
func judge(svc cluster.Service, st handoff.State, p plan, r Request) (f found, moving bool) {
	f = found{outcome: balance.OutcomeUnknown, owner: svc.Owner, memory: balance.MemoryUnknown}
	switch svc.State {
	case cluster.Started:
		if !runs(svc, st) {
			f.text = fmt.Sprintf("the service is started on %s, and the record says %s", svc.Owner, words(st))
			return f, true
		}
		if p.restart && svc.Owner == p.source {
			return restarted(svc, st, p), false
		}
		f.memory = memory(st, p)
		f.text = "it runs on " + svc.Owner
		if p.repair {
			f.outcome = balance.OutcomeMoved
			return f, false
		}
		switch svc.Owner {
		case r.Target:
			f.outcome = balance.OutcomeMoved
		case p.source:
			f.outcome, f.text = balance.OutcomeFailed, "it still runs on "+svc.Owner
			f.untouched = p.known && st.Seq == p.state.Seq && svc.Since.Equal(p.service.Since)
		default:
			f.outcome = balance.OutcomeElsewhere
		}
		return f, false
	case cluster.Failed, cluster.Disabled, cluster.Stopped:
		f.outcome = balance.OutcomeFailed
		f.text = fmt.Sprintf("the service is %s, and the record says %s", svc.State, words(st))
		return f, false
	default:
		f.text = fmt.Sprintf("the service is %s", svc.State)
		return f, true
	}
}

func runs(svc cluster.Service, st handoff.State) bool {
	return st.Phase == handoff.NoRecord || st.Phase == handoff.Running && st.Node == svc.Owner
}

// words is a record for a person.
func words(st handoff.State) string {
	if st.Node != "" && st.To != "" {
		return fmt.Sprintf("%s %s to %s", st.Phase, st.Node, st.To)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s%s", st.Phase, st.Node, st.To))
}

// memory tells from the record how the guest got where it is: the record of a running VM names the transaction that
// brought its memory, and none after a boot.
func memory(st handoff.State, p plan) balance.Memory {
	switch {
	case st.Phase != handoff.Running:
		return balance.MemoryUnknown
	case p.known && st.Seq == p.state.Seq: // it never stopped
		return balance.MemoryKept
	case st.Txn != "":
		return balance.MemoryKept
	case !p.known && st.Node == p.source: // since when it has none is not known
		return balance.MemoryUnknown
	}
	return balance.MemoryLost
}

// orphan is a VM that has left for the target while the manager believes that it runs nowhere.
func orphan(svc cluster.Service, st handoff.State, r Request) bool {
	down := svc.State == cluster.Stopped || svc.State == cluster.Disabled
	return down && st.Phase == handoff.Sent && st.To == r.Target
}

// adopt makes the manager start an orphan on its target: the agent there finds it running and takes it over. What
// came of it the next look tells.
func (m Mover) adopt(ctx context.Context, svc cluster.Service, r Request) {
	log := m.Log.WithFields(logrus.Fields{"vm": r.Type + ":" + r.VM, "service": svc.ID, "target": r.Target})
	log.WithField("state", svc.State.String()).Warn("the VM has arrived where its service does not run: enabling it there")
	err := m.Manager.Enable(ctx, svc.ID, r.Target)
	if err == nil && svc.State == cluster.Disabled { // somebody had disabled it: that stays
		err = m.Manager.Disable(ctx, svc.ID)
	}
	if err != nil {
		log.WithError(err).Error("a VM that has arrived was not taken over by the cluster manager")
	}
}
