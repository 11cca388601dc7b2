package amend

import (
	"context"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/membership"
)

// ConfirmDown takes a person's word that node is off, and that nothing of the VM runs there: the record stops naming
// it, so that the VM may be started elsewhere, with its memory where a whole image of it exists. It is refused while
// node is a member, and while nobody knows who is one.
func (a Amender) ConfirmDown(ctx context.Context, typ, vm, node string) (Change, error) {
	return a.change(ctx, typ, vm, func(ctx context.Context, st handoff.State) (handoff.State, string, error) {
		why := fmt.Sprintf("%s is off: confirmed by an administrator", node)
		if strings.EqualFold(node, a.ID.Member) {
			return st, why, refuse("%s is this node: what runs here is for its own agent to see", node)
		}
		if err := a.away(ctx, node); err != nil {
			return st, why, err
		}
		next, err := a.without(ctx, st, node)
		return next, why, err
	}, plainly)
}

// away is nil if node is known not to be a member.
func (a Amender) away(ctx context.Context, node string) error {
	members, err := a.Members.Members(ctx)
	if err != nil {
		return refuse("whether %s is a member is not known: %w", node, err)
	}
	if m, ok := membership.Find(members, node); ok && m.Online {
		return refuse("%[1]s is a member of the cluster: it is not off. If the VM hangs there, stop it: clusvcadm -d %[2]s. If the whole node does, have it fenced: fence_node %[1]s; then the cluster manager starts %[2]s, and all else that it had, on other nodes", m.Name, a.service())
	}
	return nil
}

// without is the record when node is off.
func (a Amender) without(ctx context.Context, st handoff.State, node string) (handoff.State, error) {
	down := handoff.State{VM: st.VM, Type: st.Type, Seq: st.Seq, Phase: handoff.Down}
	switch at, to := strings.EqualFold(st.Node, node), strings.EqualFold(st.To, node); {
	case st.Node == "" && st.To == "":
		return st, nil // nobody has it: it may be started
	case at && st.Phase == handoff.Held: // its image was whole before the guest would have been killed
		return handoff.State{VM: st.VM, Type: st.Type, Seq: st.Seq, Phase: handoff.Suspended, Image: st.Image, Txn: st.Txn}, nil
	case at && st.Phase == handoff.Sending: // the target may have it
		return handoff.State{VM: st.VM, Type: st.Type, Seq: st.Seq, Phase: handoff.Sent, To: st.To, Txn: st.Txn}, nil
	case at, to && st.Phase == handoff.Sent:
		return down, nil
	case to: // it was on its way, and its source speaks first
		who, err := a.blame(ctx, handoff.State{Node: st.Node, Boot: st.Boot, Left: st.Left})
		if err == nil && who == "" && !strings.EqualFold(st.Node, a.ID.Member) {
			return down, nil
		}
		return st, refuse("%[1]s was sending it there, and speaks first. While %[1]s is a member, stop the service: clusvcadm -d %[2]s. If it is off too: lbm confirm-down %[3]s %[1]s first", st.Node, a.service(), st.VM)
	}
	return st, refuse("its record says %s, and does not name %s", Place(st), node)
}
