// Package monitor makes one pass of the balancer: it looks at the cluster, lets
// balance.Decide decide, and carries out what was decided.
//
// Start with Monitor. Run is a pass as the lbvm agent starts it each minute: it takes the
// locks by which there is one pass at a time in the whole cluster, ends what a monitor
// that died has begun, reads the configuration, asks the cluster manager once, decides at
// one instant, writes report.log and passes.log, makes the moves one after the other, and
// leaves its outcome in a record for the agent. Plan decides only and changes nothing.
//
// What cannot be read moves nothing: a pass fails as a whole, or the VM that it concerns
// stays where it is.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/notify"
	"github.com/lbvm/lbvm/pkg/balance"
)

// By is this program in the journals.
const By = "lbmonitor"

// Mover makes moves, and ends those that were begun by one who died. move.Mover does.
type Mover interface {
	Move(ctx context.Context, r move.Request) (balance.Move, error)
	Finish(ctx context.Context, begun balance.Move, dead bool) (balance.Move, error)
}

// Monitor makes passes on a node.
type Monitor struct {
	Host    host.Host
	Manager move.Manager
	Clock   clock.Clock // of samples and journals
	Wait    clock.Clock // for waiting: real seconds, also in a lab
	Log     logrus.FieldLogger
	// Members tell which nodes are proved dead; nil: none is. A move whose node dies is then given up as unknown, however well it is fenced.
	Members membership.Membership
	Conf    string // path of lbvm.conf on the node; "" is host.ConfFile
	// Mover replaces the mover that a pass uses; nil takes it as it is.
	Mover func(move.Mover) Mover

	// Teller replaces what tells those whom `notify` of lbvm.conf names; nil runs commands and posts to URLs.
	Teller notify.Teller

	// Only is balance.Input.Only: who plans for one VM leaves out what does not matter to it.
	Only func(balance.VM) bool

	decide func(context.Context, balance.Input) (*balance.Pass, error) // nil is balance.Decide
}

// Result is what a pass came to.
type Result struct {
	Record   lbvmagent.Record
	Pass     *balance.Pass // nil: nothing was decided
	Moves    []Made
	Warnings []string

	watched *watched // nil: the configuration was not read
}

// Made is a move that was begun or refused.
type Made struct {
	balance.Move
	Err error
}

// PassLock is the lock of passes, below the shared storage.
const PassLock = "lbvm/lock/pass"

// Limits in real seconds. A step that takes longer has met a disk or a program that hangs.
const (
	openLimit = 30 * time.Second
	lookLimit = 45 * time.Second
	moveLimit = 40 * time.Minute // a move has its own, shorter limits
)

// Run makes a pass. When ctx ends nothing new is begun, and the move in flight is watched to its end. The error tells
// why the pass failed; that another one runs is none. What it came to is on this node's disk when Run returns, and those who are
// to be told of it have been, or could not be within 15 s: they hold no pass up.
func (m Monitor) Run(ctx context.Context) (Result, error) {
	res, err := m.runAlone(ctx)
	m.announce(ctx, res.watched)
	return res, err
}

// runAlone is Run under this node's own lock.
func (m Monitor) runAlone(ctx context.Context) (Result, error) {
	begin := m.Wait.Now()
	lock, err := m.alone()
	if errors.Is(err, lockfile.ErrHeld) { // the one that runs will leave its own record
		return Result{Record: lbvmagent.Record{At: m.Clock.Now(), Outcome: lbvmagent.Locked, Why: err.Error()}}, nil
	}
	if err != nil {
		return Result{Record: lbvmagent.Record{At: m.Clock.Now(), Outcome: lbvmagent.Failed, Cause: lbvmagent.CauseNode, Why: err.Error()}}, err
	}
	defer lock.Close()
	res, err := m.pass(ctx)
	res.Record = m.record(res, err)
	if errors.Is(err, errLocked) {
		err = nil
	}
	m.tell(res, err)
	err = errors.Join(err, m.leave(res.Record))
	m.publish(res, m.Wait.Now().Sub(begin))
	return res, err
}

// alone takes this node's own lock, which the agent looks at.
func (m Monitor) alone() (*lockfile.Lock, error) {
	file := m.Host.Path(lbvmagent.LockFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of our state: %w", err)
	}
	return lockfile.Try(file, m.holder())
}

// holder says in a lock who holds it.
func (m Monitor) holder() string {
	name, err := m.Host.Name()
	if err != nil {
		name = "a node without a name"
	}
	return fmt.Sprintf("%s on %s, pid %d", By, name, os.Getpid())
}

// pass is a pass between the node's lock and its record.
func (m Monitor) pass(ctx context.Context) (Result, error) {
	o, err := within(ctx, m.Wait, openLimit, m.open, (*opened).close)
	if err != nil {
		return Result{}, err
	}
	defer o.close()
	w := m.watch(o)
	ended, err := m.end(ctx, o)
	res := Result{}
	if err == nil {
		res, err = m.decideAndMove(ctx, o, w)
	}
	if res.watched = w; !errors.Is(err, errHung) {
		m.lasting(o, w, ended, res)
	}
	return res, err
}

// decideAndMove decides, and makes the moves, until none is refused.
func (m Monitor) decideAndMove(ctx context.Context, o *opened, w *watched) (Result, error) {
	var res Result
	var refusals []balance.Refusal
	for {
		begin := m.Wait.Now()
		d, err := within(ctx, m.Wait, lookLimit, func(ctx context.Context) (decided, error) { return m.look(ctx, o, true, refusals) }, nil)
		res.Pass, res.Warnings, w.values, w.decided = d.pass, d.warnings, d.values, w.decided+m.Wait.Now().Sub(begin)
		if err != nil {
			return res, err
		}
		made, err := m.carryOut(ctx, o, d)
		res.Moves = append(res.Moves, made...)
		more := refusedOf(made)
		// A move that cannot be made must not keep another from being made: look again, without it.
		if err != nil || len(more) == 0 || len(more) < len(made) || len(refusals) >= maxRefusals || ctx.Err() != nil {
			return res, err
		}
		refusals = append(refusals, more...)
	}
}

// maxRefusals bounds how often a pass looks again.
const maxRefusals = 8

// refusedOf are the moves that were refused with nothing changed.
func refusedOf(made []Made) (out []balance.Refusal) {
	for _, x := range made {
		if errors.Is(x.Err, move.ErrRefused) {
			out = append(out, balance.Refusal{VM: x.VM, Node: x.To, Why: x.Err.Error()})
		}
	}
	return out
}

// tell logs what a pass came to, in one line. Of a pass in which nothing happened passes.log tells: a system log that
// has such a line each minute is not read.
func (m Monitor) tell(res Result, err error) {
	moved := 0
	for _, x := range res.Moves {
		if x.Err == nil {
			moved++
		}
	}
	log := m.Log.WithFields(logrus.Fields{"outcome": res.Record.Outcome, "vms": count(res.Pass), "moved": moved, "why": res.Record.Why})
	switch {
	case res.Record.Outcome == lbvmagent.OK && len(res.Moves) == 0 && res.Record.Why == "":
		log.Debug("pass done")
	case res.Record.Outcome == lbvmagent.OK:
		log.Info("pass done")
	case res.Record.Outcome == lbvmagent.Locked:
		log.Info("another pass runs")
	case errors.Is(err, ErrInterrupted):
		log.Warn("pass interrupted")
	default:
		log.WithFields(logrus.Fields{"cause": res.Record.Cause, "failures": res.Record.Failures}).Error("pass failed")
	}
}

func count(p *balance.Pass) int {
	if p == nil {
		return 0
	}
	return len(p.Decisions)
}
