package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/pkg/balance"
)

// Limits of Finish, in the journal's time.
const (
	// A relocator that lives has its ticket's lock, but for a moment before and a moment after.
	doubtLimit = 2 * time.Minute
	// So long a move may look unfinished before it is ended as unknown.
	finishLimit = time.Hour
)

// Finish writes the End record of a move that was begun and whose relocator is dead. dead says that the caller knows
// that it is; otherwise the lock of the move's ticket tells. ErrUnderway if the relocator lives or the manager is
// still at work: then nothing is written.
func (m Mover) Finish(ctx context.Context, begun balance.Move, dead bool) (balance.Move, error) {
	typ, vm, ok := strings.Cut(begun.VM, ":")
	if !ok || !begun.End.IsZero() {
		return begun, fmt.Errorf("ending move %q of %q: it is not one that was begun", begun.Txn, begun.VM)
	}
	r := Request{Type: typ, VM: vm, Target: begun.To}
	age := m.Clock.Now().Sub(begun.Begin)
	if !dead {
		alive, err := m.alive(r, begun.Txn)
		if err != nil {
			return begun, fmt.Errorf("ending the move of %s: %w", begun.VM, err)
		}
		if alive || age < doubtLimit {
			return begun, ErrUnderway
		}
	}
	got, moving, err := m.found(ctx, r, begun)
	switch {
	case err != nil && age < finishLimit:
		return begun, errors.Join(ErrUnderway, err)
	case got.away != nil && age < finishLimit:
		return begun, fmt.Errorf("%w: %w", ErrUnderway, got.away)
	case moving && (age < finishLimit || got.frozen):
		return begun, fmt.Errorf("%w: %s", ErrUnderway, got.text)
	}
	if got.away != nil {
		got = found{outcome: balance.OutcomeUnknown, memory: balance.MemoryUnknown, text: got.away.Error()}
	}
	if err != nil {
		got = found{outcome: balance.OutcomeUnknown, memory: balance.MemoryUnknown, text: err.Error()}
	}
	begun.End, begun.Outcome, begun.Owner, begun.Memory = m.Clock.Now(), got.outcome, got.owner, got.memory
	begun.Asked, begun.Why = cmp.Or(begun.Asked, begun.Why), "its relocator died: "+got.text
	if err := m.Journal.Append(begun); err != nil {
		return begun, fmt.Errorf("ending the move of %s: %w", begun.VM, err)
	}
	return begun, nil
}

// found looks once, and takes over what that move has brought to its target where nobody did.
func (m Mover) found(ctx context.Context, r Request, begun balance.Move) (found, bool, error) {
	status, svc, st, err := m.look(ctx, r)
	if err == nil && orphan(svc, st, r) && st.Txn == begun.Txn && online(status, r.Target) {
		m.adopt(ctx, svc, r)
		status, svc, st, err = m.look(ctx, r)
	}
	if err == nil && svc.Restarting && begun.From == begun.To && svc.Frozen { // whoever lets it go on finds it stopped: it is started then
		return found{text: svc.ID + " is stopped for a restart, and frozen", frozen: true}, true, nil
	}
	if err == nil && svc.Restarting && begun.From == begun.To {
		if m.Shared == "" && m.Clock.Now().Sub(begun.Begin) < finishLimit { // no ticket tells whether he lives
			return found{text: svc.ID + " is stopped for a restart, which may be at work"}, true, nil
		}
		m.startAgain(ctx, svc)
		status, svc, st, err = m.look(ctx, r)
	}
	if err != nil {
		return found{}, true, err
	}
	f, moving := m.seen(ctx, status, svc, st, plan{source: begun.From}, r)
	if svc.Restarting && begun.From == begun.To { // what it was asked for was not done: it is asked again
		moving = true
	}
	// A restart in place whose relocator died: only when the service began to run tells whether it was made.
	if begun.From == begun.To && f.outcome == balance.OutcomeMoved && (svc.Since.Before(begun.Begin) || st.Txn != "") {
		f.outcome, f.text = balance.OutcomeFailed, "it runs on "+svc.Owner+" and was not restarted"
	}
	return f, moving, nil
}

// starter is a Manager that starts what is stopped for a restart only if it still is. Only such managers say Restarting.
type starter interface {
	StartAgain(ctx context.Context, service string) error
}

// startAgain starts a service that a relocator has stopped for a restart, and which nobody would start any more. What came of it the
// next look tells.
func (m Mover) startAgain(ctx context.Context, svc cluster.Service) {
	log := m.Log.WithFields(logrus.Fields{"vm": svc.VMType + ":" + svc.VM, "service": svc.ID})
	log.Warn("whoever restarts it has died when it was stopped: it is started")
	start := func(ctx context.Context) error { return m.Manager.Enable(ctx, svc.ID, "") }
	if x, ok := m.Manager.(starter); ok {
		start = func(ctx context.Context) error { return x.StartAgain(ctx, svc.ID) }
	}
	ctx, cancel := m.Wait.WithTimeout(ctx, requestLimit)
	defer cancel()
	if err := start(ctx); err != nil {
		log.WithError(err).Error("a service whose restart was cut off was not started")
	}
}

// alive tells whether the relocator of a transaction holds its ticket, consumed or not.
func (m Mover) alive(r Request, txn string) (bool, error) {
	if m.Shared == "" {
		return false, nil
	}
	d, err := handoff.Open(m.Shared, r.Type, r.VM)
	if err != nil {
		return false, err
	}
	for _, name := range []string{"ticket", "ticket.used"} {
		file := filepath.Join(d.Path(), name)
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if k, err := keyval.Parse(text); err != nil || k.Get("txn") != txn {
			continue // a ticket that cannot be read is no live one's: it is written whole before it has a name
		}
		held, err := lockfile.Held(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if held || err != nil {
			return held, err
		}
	}
	return false, nil
}
