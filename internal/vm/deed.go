package vm

import (
	"context"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// do does what a row of stop, start or migrate_from says. again asks for another look and another row; otherwise the
// action ends with err. A deed that is none of these actions' is refused.
func (l *life) do(ctx context.Context, r protocol.Row, v view) (again bool, err error) {
	switch r.Do {
	case protocol.Nothing:
		return false, nil
	case protocol.RefuseDouble:
		return false, l.refuseDouble(v)
	case protocol.RefuseElsewhere:
		return false, l.refuseStart(v)
	case protocol.RefuseArriving:
		return false, fmt.Errorf("%s is arriving here and its state is %s: left alone", l.vm, placeText(v.st))
	case protocol.RefuseTorso:
		return false, fmt.Errorf("%s is being received from %q: left alone", l.vm, v.st.Node)
	case protocol.RefuseUnsent:
		return false, fmt.Errorf("%s is %s here and its state is %s: it is not being sent to this node", l.vm, v.guest, placeText(v.st))
	case protocol.RefuseAlien: // the manager is to start it elsewhere
		return false, l.notInstalled()

	case protocol.AwaitOrDestroy, protocol.AwaitOrRefuse, protocol.AwaitOrBoot:
		if changed, err := l.awaitChange(ctx, v); err != nil || changed {
			return true, err
		}
		return l.waitedInVain(ctx, r.Do, v)
	case protocol.DestroyAndLook:
		l.log(ocf.LevelWarning, "removing what is left of the VM", "what", v.guest)
		return true, l.destroy(ctx)

	case protocol.RecordDown:
		return false, l.recordDown(ctx, v, "the guest was gone already")
	case protocol.RecordLost:
		l.loud("memory lost", "nothing has arrived in hand-off "+v.st.Txn)
		return false, l.recordDown(ctx, v, "nothing has arrived")
	case protocol.RecordSent: // how the tool ended is not known: it may run on the target, never down
		return false, l.writeLast(ctx, handoff.State{Phase: handoff.Sent, To: v.st.To, Txn: v.st.Txn}, "it has left, with an end that is not known")
	case protocol.RecordSuspended:
		return false, l.suspended(ctx, v.st.Image)
	case protocol.PublishDump:
		return false, l.publishDump(ctx, v)
	case protocol.FailImages:
		return false, l.failImages(ctx, v)

	case protocol.TakeArrival: // who has the lock knows that its sender's tool has ended
		return true, l.writeRunning(v.st.Txn, "it has arrived, and its sender was cut off")
	case protocol.TakeOver:
		return true, l.takeOver(v)
	case protocol.KillHeld:
		return l.finishHeld(ctx, v.st.Image)
	case protocol.HoldAndKill:
		if err := l.write(handoff.State{Phase: handoff.Held, Node: l.me, Image: v.st.Image, Txn: v.st.Image}, "its image was published by an earlier stop"); err != nil {
			return false, err
		}
		return l.finishHeld(ctx, v.st.Image)
	case protocol.ThawAndLook:
		return l.thawAndLook(ctx, v)
	case protocol.ColdStop:
		return false, l.coldStop(ctx, v, "the guest is sick")
	case protocol.ChooseWay:
		return l.chooseWay(ctx, v)

	case protocol.Adopt:
		return false, l.adopt(v, "found running here")
	case protocol.ThawAndAdopt:
		return false, l.thawAndAdopt(ctx, v)
	case protocol.TakeAndAdopt: // somebody started it by hand, or its node is gone and it is here
		l.loud("taken over", "it runs here and its state was "+placeText(v.st))
		v.st.Txn = ""
		return false, l.thawAndAdopt(ctx, v)
	case protocol.Boot:
		l.tellLostResume(v)
		return false, l.coldStart(ctx, v.bootWhy())
	case protocol.BootLost:
		l.loud("memory lost", fmt.Sprintf("in hand-off %s, %s", v.st.Txn, placeText(v.st)))
		return false, l.coldStart(ctx, v.bootWhy())
	case protocol.Resume:
		return false, l.resumeOrBoot(ctx, v)
	}
	return false, fmt.Errorf("%s is %s here and its state is %s: nothing is known to do", l.vm, v.guest, v.st.Phase)
}

// refuseStrayed: half a copy stands still here, and nobody knows where its other half may run.
func (l *life) refuseStrayed() error {
	l.loud("hand-off unknown", "it was sent away by hand, and half a copy stands still here")
	return fmt.Errorf("%s was being sent away from here, and it is not known how that ended: look for it on the other nodes; where it runs on one, or on none, end what is left here by hand (xm, xl or virsh destroy), and have it started there, and nowhere else", l.vm)
}

// waitedInVain is what follows when a guest has not become something else in time.
func (l *life) waitedInVain(ctx context.Context, d protocol.Deed, v view) (again bool, err error) {
	switch {
	case d == protocol.AwaitOrBoot:
		l.loud("memory lost", "in hand-off "+v.st.Txn+": it never arrived")
		return false, l.coldStart(ctx, "it never arrived")
	case d == protocol.AwaitOrDestroy && v.guest == leaving: // its tool was not ours, or is gone
		l.loud("half copy destroyed", "it was leaving and nothing moved it any more")
		return true, l.destroy(ctx)
	case d == protocol.AwaitOrDestroy:
		l.loud("memory lost", "the arrival hangs: destroyed (hand-off "+v.st.Txn+")")
		return true, l.destroy(ctx)
	case v.facts().Strayed():
		return false, l.refuseStrayed()
	case v.guest == leaving:
		return false, l.refuseStart(v)
	case v.guest == torso && l.action == "start":
		return false, fmt.Errorf("%s is still being received from %q", l.vm, v.st.Node)
	}
	return false, fmt.Errorf("%s has not arrived in hand-off %s: it is %s here", l.vm, v.st.Txn, v.guest)
}
