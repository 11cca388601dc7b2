package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

// endHorizon is how far back a pass looks for moves without an end.
const endHorizon = 7 * 24 * time.Hour

// end ends the moves that were begun by one who is dead: as long as they have no End they count as under way. The lock
// of passes is ours, so that a move of lbmonitor without an End has nobody any more; of others their ticket tells. It gives those
// that it ended.
func (m Monitor) end(ctx context.Context, o *opened) (ended []balance.Move, err error) {
	list, err := within(ctx, m.Wait, openLimit, func(context.Context) ([]balance.Move, error) {
		all, err := o.journal.Since(m.Clock.Now().Add(-endHorizon))
		return all, fail(lbvmagent.CauseNode, err)
	}, nil)
	if err != nil {
		return nil, err
	}
	for _, begun := range list {
		if !begun.End.IsZero() {
			continue
		}
		if ctx.Err() != nil {
			return ended, interrupted(ctx, ctx.Err())
		}
		log := m.Log.WithFields(logrus.Fields{"vm": begun.VM, "source": begun.From, "target": begun.To, "txn": begun.Txn})
		rec, err := within(ctx, m.Wait, moveLimit, func(ctx context.Context) (balance.Move, error) {
			return o.mover.Finish(context.WithoutCancel(ctx), begun, begun.By == By)
		}, nil)
		var away *move.Away
		switch {
		case errors.Is(err, errHung):
			return ended, err
		case errors.As(err, &away):
			log.WithError(err).Warn("a move without an end waits for a node that is away")
			o.warnings = append(o.warnings, begun.VM+" to "+begun.To+": "+err.Error())
		case errors.Is(err, move.ErrUnderway):
			log.WithError(err).Info("a move without an end is left alone")
		case err != nil: // it stays in flight and holds its own VM back, no other
			log.WithError(err).Error("a move without an end was not ended")
		default:
			log.WithFields(logrus.Fields{"outcome": string(rec.Outcome), "owner": rec.Owner}).Warn("ended a move whose monitor died")
			ended = append(ended, rec)
		}
	}
	return ended, nil
}

// carryOut makes the moves of a pass, one after the other: each is verified before the next begins. One that was
// refused has changed nothing and does not keep the others from being made; after any other that did not succeed
// the decisions rest on what is not true any more.
func (m Monitor) carryOut(ctx context.Context, o *opened, d decided) ([]Made, error) {
	var made []Made
	for _, x := range d.pass.Moves() {
		if ctx.Err() != nil {
			if len(made) == 0 {
				return made, interrupted(ctx, ctx.Err())
			}
			return made, nil // the next pass decides anew
		}
		typ, vm, _ := strings.Cut(x.VM, ":")
		r := move.Request{Type: typ, VM: vm, Target: x.Target, By: By, Why: x.Why, Rails: x.RailsText()}
		log := m.Log.WithFields(logrus.Fields{"vm": x.VM, "source": x.Owner, "target": x.Target, "rule": x.Why})
		rec, err := within(ctx, m.Wait, moveLimit, func(ctx context.Context) (balance.Move, error) { return o.mover.Move(ctx, r) }, nil)
		if rec.VM == "" { // refused before it had a record
			rec = balance.Move{VM: x.VM, From: x.Owner, To: x.Target, By: By, Why: x.Why, Rails: r.Rails}
		}
		made = append(made, Made{rec, err})
		switch {
		case err == nil:
			log.WithFields(logrus.Fields{"took": rec.End.Sub(rec.Begin).Round(time.Millisecond).String(), "memory": string(rec.Memory)}).Info("moved")
		case errors.Is(err, errHung):
			return made, err
		case errors.Is(err, move.ErrRefused):
			log.WithError(err).Warn("move refused")
		default:
			log.WithError(err).Error("move failed")
			return made, nil
		}
	}
	return made, nil
}

// trouble is what moves that did not succeed add to a pass's record. It is no failure of the pass: the balancer has done its
// work, and another node's would have met the same.
func trouble(made []Made) []string {
	var out []string
	for _, x := range made {
		if x.Err != nil {
			out = append(out, fmt.Sprintf("%s to %s: %v", x.VM, x.To, x.Err))
		}
	}
	return out
}
