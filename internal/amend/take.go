package amend

import (
	"context"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
)

// Take makes the record say that the VM runs on this node, before a person starts it here by hand: agents elsewhere
// do not see a guest that was started so. Its images go out of use, since they will be older than its disks. That
// its service is disabled is for the caller to see to. It is refused while another node may have the VM.
func (a Amender) Take(ctx context.Context, typ, vm string) (Change, error) {
	boot, err := a.Host.BootID()
	if err != nil {
		return Change{Type: typ, VM: vm}, refuse("%w", err)
	}
	return a.change(ctx, typ, vm, func(ctx context.Context, st handoff.State) (handoff.State, string, error) {
		const why = "taken to be started by hand"
		if who, err := a.blame(ctx, st); who != "" {
			doubt := ""
			if err != nil {
				doubt = fmt.Sprintf(" (%v)", err)
			}
			return st, why, refuse("its record says %s, and %s is not proved gone%s; lbm handoff %s tells what frees it", Place(st), who, doubt, vm)
		}
		if st.Node == a.ID.Member && st.Boot == boot && unsettled(st.Phase) {
			return st, why, refuse("its record says %[1]s: an action was cut off here, and the guest may be here, or frozen; let the cluster end it first: clusvcadm -e %[2]s, then clusvcadm -d %[2]s", Place(st), a.service())
		}
		next := handoff.State{VM: vm, Type: typ, Phase: handoff.Running, Node: a.ID.Member, Boot: boot, Seq: st.Seq}
		if st.Phase == next.Phase && st.Node == next.Node && st.Boot == next.Boot && !st.Left {
			return st, why, nil
		}
		return next, why, nil
	}, func(l *handoff.Locked, _, next handoff.State) (handoff.State, error) {
		if err := l.Discard(); err != nil { // first: a record of a running VM must never stand beside an image
			return handoff.State{}, err
		}
		return l.Write(next)
	})
}

// unsettled: only a look at the guest tells what it is in this phase, and only an agent can end it.
func unsettled(p handoff.Phase) bool {
	switch p {
	case handoff.Starting, handoff.Resuming, handoff.Suspending, handoff.Held, handoff.Sending:
		return true
	}
	return false
}
