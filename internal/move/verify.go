package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// found is what became of a move.
type found struct {
	outcome   balance.Outcome
	owner     string
	memory    balance.Memory
	untouched bool // the VM runs where it was, and nothing has happened to it since
	text      string
	away      *Away // on whom all waits
	frozen    bool  // it is stopped for a restart, and nobody may start it now
}

// verify looks until manager and record agree that it is done, or until a worse answer has stood still for a while, or
// nothing can come any more before a node is proved dead.
func (m Mover) verify(ctx context.Context, p plan, r Request) (found, error) {
	ctx, cancel := m.Wait.WithTimeout(ctx, verifyLimit)
	defer cancel()
	enabled, patience := false, settleLimit
	if p.byManager { // nothing was run on the target
		patience = arriveLimit
	}
	all, dead := m.since(), stretch{}
	for steady, waited := time.Duration(0), time.Duration(0); ; {
		st, svc, rec, err := m.look(ctx, r)
		now, moving := found{}, true
		if err == nil {
			now, moving = m.seen(ctx, st, svc, rec, p, r)
		}
		switch {
		case now.outcome == balance.OutcomeMoved:
			return now, nil
		case now.away != nil: // its own patience, whatever the manager says that it is at
			if dead.looks == 0 {
				dead = m.since()
			}
			dead.looks++
			steady, waited = 0, 0
		case err == nil && !enabled && orphan(svc, rec, r) && online(st, r.Target):
			enabled = true
			m.adopt(ctx, svc, r)
		case err == nil && underway(svc.State): // the manager will end it, sooner or later
			steady, waited = 0, 0
		case moving:
			steady, waited = 0, waited+settleStep
		default:
			steady += settleStep
		}
		if now.away == nil {
			dead = stretch{}
		}
		m.tell(now, err)
		all.looks++
		switch {
		case steady >= steadyLimit || waited >= patience:
			return now, err
		case now.away != nil && dead.over(m.Clock.Now(), awayLimit, awayLooks), all.over(m.Clock.Now(), verifyLimit, verifyLooks):
			if now.outcome != balance.OutcomeMoved {
				now.outcome, now.memory = balance.OutcomeUnknown, balance.MemoryUnknown
			}
			return now, err
		}
		if wait := m.Wait.Sleep(ctx, settleStep); wait != nil {
			return now, errors.Join(fmt.Errorf("%s, and no end came in %s", cmp.Or(now.text, "nobody answered"), verifyLimit), err)
		}
	}
}

// seen judges what was looked at. Of a service whose node is no member any more the manager says what was before: it has yet to
// learn of the death, or to follow it.
func (m Mover) seen(ctx context.Context, st cluster.Status, svc cluster.Service, rec handoff.State, p plan, r Request) (found, bool) {
	f, moving := judge(svc, rec, p, r)
	f.away = m.away(ctx, st, svc, rec)
	if holds(svc) && !online(st, svc.Owner) {
		f.outcome, f.memory, moving = balance.OutcomeUnknown, balance.MemoryUnknown, true
		f.text = foundText(svc, rec) + ", but " + svc.Owner + " is no member of the cluster any more"
	}
	return f, moving
}

// stretch is a time that something lasts: by the mover's clock, which in a lab is fast, and by the number of looks,
// since the agents of a lab are not faster than those of a cluster.
type stretch struct {
	from  time.Time
	looks int
}

func (m Mover) since() stretch { return stretch{from: m.Clock.Now()} }

func (s stretch) over(now time.Time, limit time.Duration, looks int) bool {
	return s.looks >= looks && now.Sub(s.from) >= limit
}

// tell says what is waited for.
func (m Mover) tell(now found, err error) {
	switch {
	case m.Waiting == nil:
	case err != nil:
		m.Waiting(fmt.Sprintf("an answer: %v", err))
	case now.away != nil && now.away.Left:
		m.Waiting(fmt.Sprintf("%s, which left the cluster with the VM on it: it has to join or boot anew (%s)", now.away.Node, now.away.Found))
	case now.away != nil:
		m.Waiting(fmt.Sprintf("the fencing of %s, which is no member any more (%s)", now.away.Node, now.away.Found))
	case now.text != "":
		m.Waiting("the cluster manager: " + now.text)
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

func (m Mover) look(ctx context.Context, r Request) (cluster.Status, cluster.Service, handoff.State, error) {
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return st, cluster.Service{}, handoff.State{}, err
	}
	svc, ok := find(st, r)
	if !ok {
		return st, svc, handoff.State{}, fmt.Errorf("no service of the cluster holds %s:%s any more", r.Type, r.VM)
	}
	rec, err := m.record(r)
	return st, svc, rec, err
}

// record is a VM's hand-off record, NoRecord where there is no shared storage. That a VM has none is believed only as long
// as the storage bears its mark: below an empty mount point nothing has a record.
func (m Mover) record(r Request) (handoff.State, error) {
	if m.Shared == "" {
		return handoff.State{Phase: handoff.NoRecord}, nil
	}
	st, err := handoff.ReadState(m.Shared, r.Type, r.VM)
	if err == nil && st.Phase == handoff.NoRecord {
		if _, err := os.Stat(filepath.Join(m.Shared, host.MarkerFile)); err != nil {
			return handoff.State{}, fmt.Errorf("the shared storage was taken away: %w", err)
		}
	}
	return st, err
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
		f.text = foundText(svc, st)
		return f, true
	}
}

func runs(svc cluster.Service, st handoff.State) bool {
	return st.Phase == handoff.NoRecord || st.Phase == handoff.Running && st.Node == svc.Owner
}

// words is a record for a person.
func words(st handoff.State) string {
	text := st.Phase.String()
	if st.Node != "" {
		text += " " + st.Node
	}
	if st.To != "" {
		text += " to " + st.To
	}
	if st.Left {
		text += " (which left the cluster in order)"
	}
	return text
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
