package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// stopTable is what a stop does under the lock. The first row that fits counts.
func stopTable() []row {
	return []row{
		{"arriving, sent here", func(v view) bool {
			return (v.guest == arriving || v.guest == torso) && v.is(handoff.Sent) && v.toMe()
		}, stopArriving},
		{"arriving", func(v view) bool { return v.guest == arriving }, func(_ context.Context, l *life, v view) (bool, error) {
			return false, fmt.Errorf("%s is arriving here and its state is %s: left alone", l.vm, v.st.Phase)
		}},
		{"leaving", func(v view) bool { return v.guest == leaving }, stopLeaving},
		{"torso of a living source", func(v view) bool {
			return v.guest == torso && v.is(handoff.Sending) && v.toMe() && !v.nodeGone
		}, func(_ context.Context, l *life, v view) (bool, error) {
			return false, fmt.Errorf("%s is being received from %q: left alone", l.vm, v.st.Node)
		}},
		{"remains", func(v view) bool { return v.guest == remains || v.guest == torso }, destroyAndLook},

		{"absent, not named", func(v view) bool { return v.guest == absent && !v.named() }, func(context.Context, *life, view) (bool, error) {
			return false, nil
		}},
		{"absent, had it", func(v view) bool {
			return v.guest == absent && v.is(handoff.Starting, handoff.Running, handoff.Resuming)
		}, stopDown("the guest was gone already")},
		{"absent, sent here", func(v view) bool { return v.guest == absent && v.is(handoff.Sent) }, stopLost},
		{"absent, sending", func(v view) bool { return v.guest == absent && v.is(handoff.Sending) }, stopSent},
		{"absent, suspending, image published", func(v view) bool {
			return v.guest == absent && v.is(handoff.Suspending) && v.image
		}, stopSuspended},
		{"absent, suspending, dump whole", func(v view) bool {
			return v.guest == absent && v.is(handoff.Suspending) && v.part
		}, stopPublish},
		{"absent, suspending", func(v view) bool { return v.guest == absent && v.is(handoff.Suspending) }, stopUnproved},
		{"absent, held", func(v view) bool { return v.guest == absent && v.is(handoff.Held) && v.image }, stopSuspended},
		{"absent, held, image lost", func(v view) bool { return v.guest == absent && v.is(handoff.Held) }, stopUnproved},

		{"here, announced", func(v view) bool { return v.guest == running && v.is(handoff.Sending) && v.toMe() }, stopArrived},
		{"here, another has it", func(v view) bool { return v.here() && v.other() }, refuseDouble},
		{"here, nobody has it", func(v view) bool {
			return v.here() && !v.named() && !v.is(handoff.NoRecord)
		}, takeAndLook},
		{"frozen, held", func(v view) bool { return v.guest == frozen && v.is(handoff.Held) && v.image }, stopHeld},
		{"frozen, suspending, image published", func(v view) bool {
			return v.guest == frozen && v.is(handoff.Suspending) && v.image
		}, stopPublished},
		{"frozen", func(v view) bool { return v.guest == frozen }, stopThaw},
		// By OpenVZ a guest that runs may as well be frozen; nobody can see it.
		{"running, suspending or held", func(v view) bool {
			return v.guest == running && v.is(handoff.Suspending, handoff.Held)
		}, stopThaw},
		{"running", func(v view) bool { return v.guest == running }, stopRunning},
	}
}

// stopArriving gives an announced guest time to arrive: it could not be stopped with its memory before.
func stopArriving(ctx context.Context, l *life, v view) (bool, error) {
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	l.loud("memory lost", "the arrival hangs: destroyed")
	return true, l.destroy(ctx)
}

// stopLeaving waits for a tool that is not ours, or for xend, which goes on when its tool was killed.
func stopLeaving(ctx context.Context, l *life, v view) (bool, error) {
	if v.other() {
		return refuseDouble(ctx, l, v)
	}
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	l.loud("half copy destroyed", "it was leaving and nothing moved it any more")
	return true, l.destroy(ctx)
}

func destroyAndLook(ctx context.Context, l *life, v view) (bool, error) {
	l.log(ocf.LevelWarning, "removing what is left of the VM", "what", v.guest)
	return true, l.destroy(ctx)
}

func stopDown(why string) func(context.Context, *life, view) (bool, error) {
	return func(ctx context.Context, l *life, v view) (bool, error) {
		l.tellLostResume(v)
		return false, l.writeLast(ctx, handoff.State{Phase: handoff.Down}, why)
	}
}

// tellLostResume: an agent died between the claim of an image and the end of its restore, and nothing runs.
func (l *life) tellLostResume(v view) {
	if v.is(handoff.Resuming) {
		l.loud("memory lost", "the resume in hand-off "+v.st.Txn+" was cut off")
	}
}

// stopLost: it was sent here and is not here.
func stopLost(ctx context.Context, l *life, v view) (bool, error) {
	l.loud("memory lost", "nothing has arrived in hand-off "+v.st.Txn)
	return stopDown("nothing has arrived")(ctx, l, v)
}

// stopSent: how the tool ended is not known. It may run on the target: never down.
func stopSent(ctx context.Context, l *life, v view) (bool, error) {
	err := l.writeLast(ctx, handoff.State{Phase: handoff.Sent, To: v.st.To, Txn: v.st.Txn}, "it has left, with an end that is not known")
	return false, err
}

func stopSuspended(ctx context.Context, l *life, v view) (bool, error) {
	return false, l.suspended(ctx, v.st.Image)
}

// suspended ends a stop that keeps the memory.
func (l *life) suspended(ctx context.Context, txn string) error {
	err := l.writeLast(ctx, handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn}, "its memory is in image "+txn)
	if err == nil {
		l.journal("suspended", "")
	}
	return err
}

// stopPublish: the tool had called the dump whole before the last agent died, and the guest never ran on.
func stopPublish(ctx context.Context, l *life, v view) (bool, error) {
	m, err := l.meta(ctx)
	if err == nil {
		err = l.held.Publish(v.st.Image, m)
	}
	if err != nil {
		l.log(ocf.LevelError, "publishing an image that is whole failed", "error", err)
		return stopUnproved(ctx, l, v)
	}
	return stopSuspended(ctx, l, v)
}

// stopUnproved: no image can be believed.
func stopUnproved(ctx context.Context, l *life, v view) (bool, error) {
	l.loud("memory lost", fmt.Sprintf("the guest is gone and there is no whole image of it (state was %s)", v.st.Phase))
	if err := l.held.Fail(); err != nil {
		return false, err
	}
	return stopDown("the guest is gone and there is no whole image")(ctx, l, v)
}

// refuseDouble kills nothing: which of the two is the right one is not for an agent to say.
func refuseDouble(_ context.Context, l *life, v view) (bool, error) {
	whose := whom(v.st)
	l.loud("double run", fmt.Sprintf("it runs on %s, and its state says %s %s", l.me, v.st.Phase, whose))
	return false, fmt.Errorf("%s runs on %s, but its state says %s %s, %s; %s", l.vm, l.me, v.st.Phase, whose, v.notGone(), cure(l.vm, v.st))
}

// notGone says that the node of the record may be alive, and why nobody knows better.
func (v view) notGone() string {
	if v.doubt != nil {
		return fmt.Sprintf("which is not proved gone (%v)", v.doubt)
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
func cure(vm string, st handoff.State) string {
	node := st.Node
	if node == "" || st.Phase == handoff.Sent {
		node = st.To
	}
	return fmt.Sprintf("if %s is off for certain, have it fenced or boot it: either frees %s", node, vm)
}

// stopArrived: it is here, whole, and who has the lock knows that its sender's tool has ended. A status would make it
// this node's, and so does a stop: Pacemaker stops both sides of a migration whose end nobody knows.
func stopArrived(_ context.Context, l *life, v view) (bool, error) {
	return true, l.writeRunning(v.st.Txn, "it has arrived, and its sender was cut off")
}

// takeAndLook: the guest is here and no living node has it: somebody started it by hand. Its images are too old now.
func takeAndLook(_ context.Context, l *life, v view) (bool, error) {
	l.loud("taken over", fmt.Sprintf("it runs here and its state was %s %s", v.st.Phase, whom(v.st)))
	if err := l.held.Discard(); err != nil {
		return false, err
	}
	return true, l.writeRunning("", "found running here")
}

func stopHeld(ctx context.Context, l *life, v view) (bool, error) {
	if v.sick {
		return false, l.coldStop(ctx, v, "the guest is sick")
	}
	return l.finishHeld(ctx, v.st.Image)
}

func stopPublished(ctx context.Context, l *life, v view) (bool, error) {
	if v.sick {
		return false, l.coldStop(ctx, v, "the guest is sick")
	}
	err := l.write(handoff.State{Phase: handoff.Held, Node: l.me, Image: v.st.Image, Txn: v.st.Image}, "its image was published by an earlier stop")
	if err != nil {
		return false, err
	}
	return l.finishHeld(ctx, v.st.Image)
}

// stopThaw: an earlier stop was cut off. The images go first: as soon as the guest runs they are too old.
func stopThaw(ctx context.Context, l *life, v view) (bool, error) {
	if err := l.held.Discard(); err != nil {
		return false, err
	}
	if err := l.thaw(ctx); err != nil {
		l.log(ocf.LevelError, "the guest cannot be thawed", "error", err)
		return false, l.coldOr(ctx, v, "the guest cannot be thawed", err)
	}
	return true, l.writeRunning(v.st.Txn, "goes on after a stop that was cut off")
}

// stopRunning: the ordinary case.
func stopRunning(ctx context.Context, l *life, v view) (bool, error) {
	if v.sick {
		return false, l.coldStop(ctx, v, "the guest is sick")
	}
	if l.params()["on_stop"] == "shutdown" {
		return false, l.coldStop(ctx, v, "on_stop is shutdown")
	}
	t, err := l.ticket(ctx, v)
	switch {
	case err != nil:
		return false, err
	case t.Kind == handoff.Cold:
		return false, l.coldStop(ctx, v, "the ticket asks for it")
	case t.Kind == handoff.Live:
		end, err := l.send(ctx, v, t.Target, t.Txn)
		if end != stayed || err != nil {
			return false, err
		}
		l.loud("live hand-off failed", "it runs here as before; its memory goes by image")
		return true, nil // the ticket is used up
	}
	return l.imageStop(ctx, v)
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
