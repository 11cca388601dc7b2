package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// The deeds of protocol.Stop.

// recordDown ends a stop that leaves nothing.
func (l *life) recordDown(ctx context.Context, v view, why string) error {
	l.tellLostResume(v)
	return l.writeLast(ctx, handoff.State{Phase: handoff.Down}, why)
}

// tellLostResume: an agent died between the claim of an image and the end of its restore, and nothing runs.
func (l *life) tellLostResume(v view) {
	if v.is(handoff.Resuming) {
		l.loud("memory lost", "the resume in hand-off "+v.st.Txn+" was cut off")
	}
}

// suspended ends a stop that keeps the memory.
func (l *life) suspended(ctx context.Context, txn string) error {
	err := l.writeLast(ctx, handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn}, "its memory is in image "+txn)
	if err == nil {
		l.journal("suspended", "")
	}
	return err
}

// publishDump: the tool had called the dump whole before the last agent died. Whoever booted the guest by hand since has made it
// too old: no fingerprint was kept with it that would tell.
func (l *life) publishDump(ctx context.Context, v view) error {
	m, err := l.meta(ctx)
	if err == nil {
		err = l.unwrittenSince(ctx, l.files.PartFile(v.st.Image))
	}
	if err == nil {
		err = l.held.Publish(v.st.Image, m)
	}
	if err != nil {
		l.log(ocf.LevelError, "publishing an image that is whole failed", "error", err)
		return l.failImages(ctx, v)
	}
	return l.suspended(ctx, v.st.Image)
}

// failImages: no image can be believed.
func (l *life) failImages(ctx context.Context, v view) error {
	l.loud("memory lost", fmt.Sprintf("the guest is gone and there is no whole image of it (state was %s)", v.st.Phase))
	if err := l.held.Fail(); err != nil {
		return err
	}
	return l.recordDown(ctx, v, "the guest is gone and there is no whole image")
}

// refuseDouble kills nothing: which of the two is the right one is not for an agent to say.
func (l *life) refuseDouble(v view) error {
	l.loud("double run", fmt.Sprintf("it runs on %s, and its state says %s", l.me, placeText(v.st)))
	return fmt.Errorf("%s runs on %s, but its state says %s, %s; %s", l.vm, l.me, placeText(v.st), v.notGone(), v.cure(l.vm))
}

// notGone says that the node of the record may be alive, and why nobody knows better.
func (v view) notGone() string {
	switch {
	case v.doubt != nil:
		return fmt.Sprintf("which is not proved gone (%v)", v.doubt)
	case v.st.Left && !v.nodeGone:
		return "which left the cluster in order with the VM on it: no fencing speaks for it"
	}
	return "which is not proved gone"
}

// whom are the nodes that a record names.
func whom(st handoff.State) string {
	switch {
	case st.Node != "" && st.To != "":
		return st.Node + " to " + st.To
	case st.To != "":
		return st.To
	}
	return st.Node
}

// cure is what a person can do about a node that is not proved gone.
func (v view) cure(vm string) string {
	node := v.st.Node
	if v.st.To != "" && !v.toMe() && (node == "" || v.mine() || v.nodeGone) {
		node = v.st.To
	}
	what := "a fencing or a boot"
	if v.st.Left && node == v.st.Node {
		what = "a boot"
	}
	return fmt.Sprintf("%s of %s frees the VM (lbm handoff %s tells the ways)", what, node, vm)
}

// takeOver: the guest is here and no living node has it: somebody started it by hand. Its images are too old now.
func (l *life) takeOver(v view) error {
	l.loud("taken over", "it runs here and its state was "+placeText(v.st))
	if err := l.held.Discard(); err != nil {
		return err
	}
	return l.writeRunning("", "found running here")
}

// thawAndLook: an earlier stop was cut off. The images go first: as soon as the guest runs they are too old.
func (l *life) thawAndLook(ctx context.Context, v view) (again bool, err error) {
	if err := l.held.Discard(); err != nil {
		return false, err
	}
	if err := l.thaw(ctx); err != nil {
		l.log(ocf.LevelError, "the guest cannot be thawed", "error", err)
		return false, l.coldOr(ctx, v, "the guest cannot be thawed", err)
	}
	return true, l.writeRunning(v.st.Txn, "goes on after a stop that was cut off")
}

// chooseWay: the ordinary case.
func (l *life) chooseWay(ctx context.Context, v view) (again bool, err error) {
	if v.presumed {
		if l.awaitDaemon(ctx, l.left(1, 1)/3) {
			return true, nil
		}
		l.again = true // a save that fails now is not tried again
	}
	var t handoff.Ticket
	f := v.facts()
	f.Shutdown = l.params()["on_stop"] == "shutdown"
	r := protocol.Find(protocol.Way(), f)
	if r.Do == protocol.ReadTicket {
		if t, err = l.ticket(ctx, v); err != nil {
			return false, err
		}
		f.Ticket = ticketOf(t)
		r = protocol.Find(protocol.Way(), f)
	}
	switch r.Do {
	case protocol.ColdStop:
		return false, l.coldStop(ctx, v, r.Name)
	case protocol.SendLive:
		if err := l.liveNow(ctx); err != nil {
			l.loud("live hand-off refused", err.Error()+"; its memory goes by image")
			return true, nil // the ticket is used up
		}
		end, err := l.send(ctx, v, t.Target, t.Txn)
		var unsent *unsentError
		if errors.As(err, &unsent) {
			l.log(ocf.LevelError, "the guest is not pushed", "target", t.Target, "error", err)
			err = nil
		}
		if end != stayed || err != nil {
			return false, err
		}
		l.loud("live hand-off failed", "it runs here as before; its memory goes by image")
		return true, nil // the ticket is used up
	case protocol.KeepMemory:
		return l.imageStop(ctx, v)
	}
	return false, fmt.Errorf("stopping %s: no way is known", l.vm)
}

// ticketOf is a ticket that was used up, in the words of the tables.
func ticketOf(t handoff.Ticket) protocol.Ticket {
	switch t.Kind {
	case handoff.Cold:
		return protocol.ColdTicket
	case handoff.Live:
		return protocol.LiveTicket
	case handoff.Image:
		return protocol.ImageTicket
	}
	return protocol.NoTicket
}

// ticket is the instruction for this stop, consumed. Without one, or with a void one, it is the zero Ticket.
func (l *life) ticket(ctx context.Context, v view) (handoff.Ticket, error) {
	t, err := l.held.LiveTicket(l.me, v.st)
	if errors.Is(err, handoff.ErrNoTicket) {
		return handoff.Ticket{}, nil
	}
	if err == nil {
		err = l.reachable(ctx, t)
	}
	if err != nil {
		l.log(ocf.LevelWarning, "the ticket is refused", "error", err)
		return handoff.Ticket{}, l.held.Refuse(t)
	}
	if err := l.held.Use(t); errors.Is(err, handoff.ErrDeadTicket) {
		l.log(ocf.LevelWarning, "the ticket is void", "error", err)
		return handoff.Ticket{}, nil
	} else if err != nil {
		return handoff.Ticket{}, err
	}
	l.ticketTxn = t.Txn
	l.log(ocf.LevelNotice, "ticket consumed", "kind", t.Kind, "target", t.Target, "by", t.Relocator, "txn", t.Txn)
	if _, ok := l.driver.(hypervisor.Live); !ok && t.Kind == handoff.Live {
		t.Kind = handoff.Image
	}
	return t, nil
}

func (l *life) reachable(ctx context.Context, t handoff.Ticket) error {
	if t.Target == l.me {
		return nil // a restart in place; handoff knows that only a cold one may be
	}
	return l.online(ctx, t.Target)
}
