// Package move takes one VM's service from the node that it is on to another, through
// the cluster manager, and finds out what became of it.
//
// A Mover is the relocator of the hand-off: it looks whether the move can succeed
// (Check), writes a Begin record, lays a ticket that tells the stop on the source how
// the VM is to pass, asks the manager, and then believes nobody: it looks at the manager's
// state and at the hand-off record until both say the same, and writes an End record. A
// move is done only if the service is started on the target and the record says that the
// VM runs there.
package move

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/balance"
)

// Manager is what a Mover asks of the cluster manager.
type Manager interface {
	Status(ctx context.Context) (cluster.Status, error)
	Move(ctx context.Context, service, target string, live bool) error
	Enable(ctx context.Context, service, target string) error
	Disable(ctx context.Context, service string) error
	Restart(ctx context.Context, service string) error
}

// Method is how the manager is asked to move a VM.
type Method string

// The methods. Auto is ByTicket where the cluster has shared storage. Without it nothing could tell the stop on the
// source that the memory shall pass: there a VM that the manager can migrate by itself goes ByManager.
const (
	Auto      Method = ""
	ByTicket  Method = "ticket"  // relocate, with a ticket for the stop on the source
	ByManager Method = "manager" // the manager's own live migration (clusvcadm -M): top-level VMs only
)

// Request is a move to be made.
type Request struct {
	Type, VM string
	Target   string
	By, Why  string // for the journal: who asked, and for what reason
	Rails    string // for the journal: what the rails said; "" where none was asked
	Method   Method

	technology string       // of a VM of the type vmexec
	kind       handoff.Kind // of a VM that goes with its service: how it would pass
}

// Mover moves VMs.
type Mover struct {
	Manager Manager
	Shared  string      // the shared storage, joined with the root; "" where there is none
	Clock   clock.Clock // of the journals
	Wait    clock.Clock // for waiting: real seconds, also in a lab
	Journal balance.Journal
	Log     logrus.FieldLogger
	// Fresh is how old the facts of a node may be; 0 is two minutes.
	Fresh time.Duration
	// At, if set, is told of every durable step of the ticket, as handoff.Dir's is.
	At func(point string) error
	// Gone affirms that what a node had in a boot is over (membership.Gone); nil: nobody is gone.
	Gone func(ctx context.Context, node, boot string, left bool) (bool, error)
	// Waiting, if set, is told at every look what is waited for, also while the manager has not answered yet.
	Waiting func(what string)
	// Dial connects to the port on which a target takes running guests; nil is the net's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Errors of Move and Finish. ErrRefused says that nothing was changed.
var (
	ErrRefused = errors.New("refused")
	// ErrLater says that a refusal may pass by itself, with the next run of lblog.
	ErrLater = errors.New("try again later")
	// ErrStale says that a node has not told of itself for too long: a refusal that the next run of lblog there ends.
	ErrStale = errors.New("the facts of a node are too old")
	// ErrElsewhere says that the VM runs, but not where it was sent.
	ErrElsewhere = errors.New("it runs elsewhere")
	// ErrFailed says that the VM is not running after the move, or that the manager failed it.
	ErrFailed = errors.New("the move failed")
	// ErrUnverified says that nobody could tell what became of the VM.
	ErrUnverified = errors.New("what became of it is not known")
	// ErrUnderway says that a move which was begun has not come to its end.
	ErrUnderway = errors.New("the move is under way")
)

// Limits in real seconds. A stop and a start may each take 300 s.
const (
	requestLimit = 15 * time.Minute
	verifyLimit  = 10 * time.Minute // while the manager is still at it
	settleLimit  = 30 * time.Second // while manager and record contradict each other, or say nothing
	arriveLimit  = 2 * time.Minute  // the same, where the target's next status check makes them agree
	steadyLimit  = 2 * time.Second
	settleStep   = 200 * time.Millisecond
	askStep      = 5 * time.Second
)

// Limits by the mover's clock, each with the number of looks that are made at least.
const (
	awayLimit   = 2 * time.Minute // while all waits for a node that is away
	awayLooks   = 50
	verifyLooks = 300
)

// Move makes the move and gives its record as the journal has it. When ctx ends, nothing new is begun: before the
// manager was asked the move is abandoned, after that it is watched to its end.
func (m Mover) Move(ctx context.Context, r Request) (balance.Move, error) {
	p, err := m.checked(ctx, r)
	if err != nil {
		return balance.Move{}, err
	}
	return m.carryOut(ctx, p, r)
}

// carryOut makes what was planned.
func (m Mover) carryOut(ctx context.Context, p plan, r Request) (balance.Move, error) {
	txn, err := handoff.NewTxn()
	if err != nil {
		return balance.Move{}, err
	}
	rec := balance.Move{Txn: txn, VM: r.Type + ":" + r.VM, From: p.source, To: r.Target, Kind: string(p.kind), By: r.By, Why: r.Why, Rails: r.Rails, Begin: m.Clock.Now()}
	if err := m.Journal.Append(rec); err != nil {
		return rec, fmt.Errorf("%w: nothing was changed: the journal cannot be written: %w", ErrRefused, err)
	}
	issued, err := m.ticket(p, r, txn)
	if err == nil {
		withdraw := m.companions(ctx, p, r)
		err = m.request(ctx, p, r, issued, &rec)
		if werr := withdraw(); werr != nil {
			m.Log.WithError(werr).Warn("the ticket of another VM of the service was not withdrawn")
		}
	} else {
		rec.Outcome = balance.OutcomeFailed
	}
	rec.End = m.Clock.Now()
	if err != nil {
		rec.Asked, rec.Why = r.Why, err.Error()
	}
	if jerr := m.Journal.Append(rec); jerr != nil {
		err = errors.Join(err, fmt.Errorf("the end of the move was not recorded: %w", jerr))
	}
	return rec, err
}

// ticket lays the instruction for the source's stop. Without a record there is nothing that a ticket could refer
// to: the stop then does what its technology does by itself. A migration by the manager reads no ticket; there it keeps
// other relocators away, and is void as soon as the agent has written the record.
func (m Mover) ticket(p plan, r Request, txn string) (*handoff.Issued, error) {
	if m.Shared == "" || p.state.Phase != handoff.Running {
		return nil, nil
	}
	dir, err := handoff.Open(m.Shared, r.Type, r.VM)
	if err != nil {
		return nil, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	dir.At = m.At
	issued, err := dir.Issue(handoff.Ticket{
		VM: r.VM, Kind: p.kind, Txn: txn, Source: p.source, SourceSeq: p.state.Seq, Target: r.Target, Relocator: r.By,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return issued, nil
}

func (m Mover) request(ctx context.Context, p plan, r Request, issued *handoff.Issued, rec *balance.Move) error {
	log := m.Log.WithFields(logrus.Fields{"vm": rec.VM, "source": p.source, "target": r.Target, "txn": rec.Txn})
	if issued != nil {
		defer func() {
			if err := issued.Withdraw(); err != nil {
				log.WithError(err).Warn("ticket was not withdrawn")
			}
		}()
	}
	if err := ctx.Err(); err != nil {
		rec.Outcome = balance.OutcomeFailed
		return fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	log.Info("move begins")
	// From here on the service may be on its way: what ends ctx does not end the watching.
	ctx = context.WithoutCancel(ctx)
	claim := m.ask(ctx, p, r)
	if claim != nil {
		log.WithError(claim).Warn("the manager did not say success")
	}
	got, err := m.verify(ctx, p, r)
	if err != nil || got.away != nil {
		rec.Outcome, rec.Memory = balance.OutcomeUnknown, balance.MemoryUnknown
	}
	switch {
	case got.away != nil:
		return fmt.Errorf("%w: %w", ErrUnverified, got.away)
	case err != nil:
		return fmt.Errorf("%w: %w (the manager said: %v)", ErrUnverified, err, said(claim))
	}
	rec.Owner = got.owner
	rec.Outcome, rec.Memory = got.outcome, got.memory
	log = log.WithFields(logrus.Fields{"owner": got.owner, "memory": string(got.memory)})
	switch got.outcome {
	case balance.OutcomeMoved:
		log.Info("move done")
		return nil
	case balance.OutcomeElsewhere:
		return fmt.Errorf("%w: on %q, sent to %q (the manager said: %v)", ErrElsewhere, got.owner, r.Target, said(claim))
	case balance.OutcomeUnknown:
		return fmt.Errorf("%w: %s (the manager said: %v)", ErrUnverified, got.text, said(claim))
	default:
		if claim != nil && got.untouched {
			return fmt.Errorf("%w: nothing was changed: %s (the manager said: %v)", ErrRefused, got.text, said(claim))
		}
		return fmt.Errorf("%w: %s (the manager said: %v)", ErrFailed, got.text, said(claim))
	}
}

// ask asks the manager. It has a limit of its own, so that there is time left to look what became of a request that hangs.
func (m Mover) ask(ctx context.Context, p plan, r Request) error {
	ctx, cancel := m.Wait.WithTimeout(ctx, requestLimit)
	defer cancel()
	defer m.meanwhile(ctx, r)()
	if p.restart {
		return m.Manager.Restart(ctx, p.service.ID)
	}
	return m.Manager.Move(ctx, p.service.ID, r.Target, p.byManager)
}

// meanwhile tells what is waited for while the manager has not answered, if anybody listens.
func (m Mover) meanwhile(ctx context.Context, r Request) (stop func()) {
	if m.Waiting == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m.Wait.Sleep(ctx, askStep) == nil {
			st, svc, rec, err := m.look(ctx, r)
			if ctx.Err() != nil {
				return
			}
			now := found{away: m.away(ctx, st, svc, rec), text: foundText(svc, rec)}
			m.tell(now, err)
		}
	}()
	return func() { cancel(); <-ended }
}

// said is what the manager answered, without the advice that its refusals end in: what came of it was looked at since.
func said(err error) string {
	var r *cluster.Refusal
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &r):
		return r.Said()
	case errors.Is(err, context.DeadlineExceeded):
		return "nothing, for as long as it was waited for"
	}
	return err.Error()
}
