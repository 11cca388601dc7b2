package move

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// CheckRestart looks whether the VM of r can be restarted where it is; Target plays no part. It gives the node.
func (m Mover) CheckRestart(ctx context.Context, r Request) (node string, err error) {
	p, err := m.restartable(ctx, r)
	if err != nil {
		return "", fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return p.source, nil
}

func (m Mover) restartable(ctx context.Context, r Request) (plan, error) {
	if err := host.CheckName(r.VM); err != nil {
		return plan{}, err
	}
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return plan{}, err
	}
	p, err := m.owned(ctx, st, r)
	if err != nil || m.Shared == "" {
		return p, err
	}
	if busy, err := handoff.Relocating(m.Shared, r.Type, r.VM); err != nil {
		return p, err
	} else if busy {
		return p, handoff.ErrBusy
	}
	if p.state, err = m.recordOf(r, p.source); err != nil {
		return p, err
	}
	if p.state.Phase == handoff.NoRecord {
		return p, fmt.Errorf("it has no hand-off record yet, and its stop would keep its memory: clusvcadm -R %s first, which makes one", p.service.ID)
	}
	return p, nil
}

// Restart stops the VM cold and starts it on the node that it is on, by a ticket whose target is its source. It has
// succeeded when the VM runs there by a newer record and a new boot of the guest; a guest that was stopped and has
// come back with its memory was not restarted.
func (m Mover) Restart(ctx context.Context, r Request) (balance.Move, error) {
	p, err := m.restartable(ctx, r)
	if err != nil {
		return balance.Move{}, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	p.kind, p.restart, r.Target = handoff.Cold, true, p.source
	return m.carryOut(ctx, p, r)
}

// restarted judges a service that is started where it was.
func restarted(svc cluster.Service, st handoff.State, p plan) (f found) {
	f = found{outcome: balance.OutcomeFailed, owner: svc.Owner, memory: memory(st, p)}
	switch {
	case st.Phase == handoff.NoRecord: // no shared storage: the manager's word is all there is
		if svc.Since.Equal(p.service.Since) {
			f.untouched, f.text = true, "it runs on "+svc.Owner+" as before"
			return f
		}
	case st.Seq == p.state.Seq:
		f.untouched, f.text = true, "it runs on "+svc.Owner+" as before"
		return f
	case st.Txn != "" || st.Seq < p.state.Seq+bootSteps:
		f.text = fmt.Sprintf("it runs on %s with its memory of before: it was not restarted", svc.Owner)
		return f
	}
	f.outcome, f.text = balance.OutcomeMoved, "it was restarted on "+svc.Owner
	return f
}

// bootSteps are the records that a restart writes at least: down, starting, running.
const bootSteps = 3

// RepairStep is one request to the manager.
type RepairStep struct {
	Disable bool   // else enable
	Node    string // on which to enable; "" is anywhere
}

// Repair is what Repair does, or has done.
type Repair struct {
	Service string
	Steps   []RepairStep
	Why     string // what was found
	Owner   string // where it runs afterwards; "" in a plan
}

// PlanRepair finds out what would bring a VM's service and its record together again. No step means that nothing is
// wrong. It changes nothing, and neither it nor Repair ever writes the record.
func (m Mover) PlanRepair(ctx context.Context, r Request) (Repair, error) {
	rep, _, err := m.planRepair(ctx, r)
	if err != nil {
		return rep, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	return rep, nil
}

func (m Mover) planRepair(ctx context.Context, r Request) (Repair, handoff.State, error) {
	var rep Repair
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return rep, handoff.State{}, err
	}
	if !st.Quorate {
		return rep, handoff.State{}, errors.New("the cluster has no quorum")
	}
	svc, ok := find(st, r)
	if !ok {
		return rep, handoff.State{}, fmt.Errorf("no service of the cluster holds %s:%s", r.Type, r.VM)
	}
	rep.Service = svc.ID
	state := handoff.State{Phase: handoff.NoRecord}
	if m.Shared != "" {
		if state, err = m.record(r); err != nil {
			return rep, state, err
		}
		if busy, err := handoff.Relocating(m.Shared, r.Type, r.VM); err != nil {
			return rep, state, err
		} else if busy {
			return rep, state, handoff.ErrBusy
		}
	}
	rep.Why = foundText(svc, state)
	if holds(svc) && !online(st, svc.Owner) {
		return rep, state, m.lost(ctx, st, svc, r)
	}
	if svc.Frozen {
		return rep, state, fmt.Errorf("%s is frozen (clusvcadm -U %s lets it go)", svc.ID, svc.ID)
	}
	switch svc.State {
	case cluster.Started:
		if runs(svc, state) {
			return rep, state, nil
		}
		return rep, state, fmt.Errorf("%s is started on %s and the record says %s: look on both nodes (lbm list, and the hypervisor's own list) before anything else", svc.ID, svc.Owner, words(state))
	case cluster.Failed:
		if r.Type == stockVM || m.Shared == "" || state.Phase == handoff.NoRecord {
			return rep, state, byHand(svc, r)
		}
		rep.Steps = append(rep.Steps, RepairStep{Disable: true})
	case cluster.Stopped, cluster.Disabled:
	default:
		return rep, state, fmt.Errorf("%s is %s: the cluster manager is at work, or does not tell", svc.ID, svc.State)
	}
	home, err := m.home(ctx, st, svc, r, state)
	if err != nil {
		return rep, state, err
	}
	rep.Steps = append(rep.Steps, RepairStep{Node: home})
	return rep, state, nil
}

// byHand: the stop failed, so the guest may still run, and neither a record nor an agent of ours keeps it from running twice.
func byHand(svc cluster.Service, r Request) error {
	node := "every node that may have had it"
	if last := lastOwner(svc); last != "" {
		node = last + ", its last owner,"
	}
	return fmt.Errorf("%[1]s is failed: its stop failed, %[2]s:%[3]s may still run, and nothing but the cluster manager keeps it from running twice; see on %[4]s with the hypervisor's own list (virsh list, xm list) that it does not run, and stop it if it does; then by hand: clusvcadm -d %[1]s, look once more, clusvcadm -e %[1]s",
		svc.ID, r.Type, r.VM, node)
}

func lastOwner(svc cluster.Service) string {
	if svc.Owner != "" {
		return svc.Owner
	}
	return svc.LastOwner
}

// guestTypes are the types by which facts may call a VM: they go by its tool, and vm.sh has two.
func guestTypes(typ string) []string {
	if typ == stockVM {
		return []string{"xen", "kvm"}
	}
	return []string{typ}
}

// home is where the VM lives by its record, and has to be started; "" is nowhere. No node's facts may speak against it
// that are from after the service came into its state.
func (m Mover) home(ctx context.Context, st cluster.Status, svc cluster.Service, r Request, state handoff.State) (string, error) {
	node := state.Node
	if state.Phase == handoff.Sent || state.Phase == handoff.Sending { // the target takes over what has arrived
		node = state.To
	}
	if r.Type == stockVM && svc.State == cluster.Disabled {
		if err := m.seenNowhere(ctx, st, svc, r); err != nil {
			return "", err
		}
	}
	if m.Shared != "" {
		for _, x := range st.Members {
			f, err := host.ReadFacts(m.Shared, x.Name)
			if !x.Online || err != nil || m.tooOld(f.At) != "" || f.At.Before(svc.Since) || x.Name == node || x.Name == state.Node {
				continue
			}
			for _, g := range f.Guests {
				if g.Name != r.VM || !slices.Contains(guestTypes(r.Type), g.Type) {
					continue
				}
				if r.Type == stockVM { // it has no record
					return "", fmt.Errorf("node %s says that %s:%s is there (%s): look with the hypervisor's own list there, and stop it before its service is started", x.Name, g.Type, g.Name, g.State)
				}
				return "", fmt.Errorf("node %s says that %s:%s is there (%s), and the record says %s: look at it (lbm list, lbm history %s) and stop the wrong one", x.Name, r.Type, r.VM, g.State, words(state), r.VM)
			}
		}
	}
	if node == "" {
		return "", nil
	}
	for _, x := range st.Members {
		switch {
		case x.Name != node || !x.Online:
		case x.Manager:
			return node, nil
		default:
			return "", fmt.Errorf("the record says %s, and %s is a member, but the cluster manager does not run there: start it on that node (service rgmanager start), then repair", words(state), node)
		}
	}
	if a := m.away(ctx, st, svc, state); a != nil {
		return "", a
	}
	return "", nil
}

// seenNowhere: a service that has failed is disabled even where its stop fails again, so that the guest of a disabled one may
// still run, and no record tells. Every member must have looked since, and the last owner be one or be proved gone.
func (m Mover) seenNowhere(ctx context.Context, st cluster.Status, svc cluster.Service, r Request) error {
	doubt := func(node, why string) error {
		return fmt.Errorf("%[1]s is disabled, maybe after its stop had failed, and whether %[2]s:%[3]s still runs on %[4]s is not known (%[5]s); nothing but the cluster manager keeps it from running twice: see on %[4]s with the hypervisor's own list (virsh list, xm list) that it does not run; then clusvcadm -e %[1]s",
			svc.ID, r.Type, r.VM, node, why)
	}
	if m.Shared == "" {
		return doubt("every node", "without shared storage no node tells")
	}
	lists, tools := map[string][]string{}, map[string]bool{}
	for _, x := range st.Members {
		if !x.Online {
			continue
		}
		f, err := host.ReadFacts(m.Shared, x.Name)
		switch {
		case err != nil:
			return doubt(x.Name, err.Error())
		case f.At.Before(svc.Since):
			return doubt(x.Name, "lblog has not run there since")
		case m.tooOld(f.At) != "":
			return doubt(x.Name, "the facts of "+x.Name+" "+m.tooOld(f.At))
		}
		lists[x.Name] = f.Lists
		for _, typ := range f.Lists {
			tools[typ] = true
		}
	}
	// A node whose tool does not answer lists nothing, and that may be why the stop failed. What its tools are the others tell.
	asked := slices.DeleteFunc(guestTypes(r.Type), func(typ string) bool { return !tools[typ] })
	if len(asked) == 0 {
		return doubt("every node", "none says which "+strings.Join(guestTypes(r.Type), " or ")+" guests it has")
	}
	for _, node := range slices.Sorted(maps.Keys(lists)) {
		for _, typ := range asked {
			if !slices.Contains(lists[node], typ) {
				return doubt(node, unsaid(node, "which "+typ+" guests it has").Error())
			}
		}
	}
	last := lastOwner(svc)
	if last == "" || online(st, last) {
		return nil
	}
	if m.Gone == nil {
		return doubt(last, "it is no member, and not proved dead")
	}
	gone, err := m.Gone(ctx, last, "", false)
	switch {
	case err != nil:
		return doubt(last, err.Error())
	case !gone:
		return doubt(last, "it is no member, and not proved dead")
	}
	return nil
}

// Repair makes the service run where the record has the VM, or anywhere if it has it nowhere: a failed service is
// disabled first. What came of it is verified with manager and record.
func (m Mover) Repair(ctx context.Context, r Request) (Repair, error) {
	rep, before, err := m.planRepair(ctx, r)
	if err != nil {
		return rep, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	if len(rep.Steps) == 0 {
		return rep, nil
	}
	log := m.Log.WithFields(logrus.Fields{"vm": r.Type + ":" + r.VM, "service": rep.Service})
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("%w: nothing was changed: %w", ErrRefused, err)
	}
	ctx = context.WithoutCancel(ctx)
	if rep.Steps[0].Disable {
		if err := m.Manager.Disable(ctx, rep.Service); err != nil {
			return rep, fmt.Errorf("%w: %w", ErrUnverified, err)
		}
		// Its stop may have written the record.
		again, state, err := m.planRepair(ctx, r)
		if err != nil {
			return rep, fmt.Errorf("%w: changed so far: %s is disabled: %w", ErrFailed, rep.Service, err)
		}
		rep.Steps, before = append(rep.Steps[:1], again.Steps...), state
	}
	claim := m.Manager.Enable(ctx, rep.Service, rep.Steps[len(rep.Steps)-1].Node)
	if claim != nil {
		log.WithError(claim).Warn("the manager did not say success")
	}
	got, err := m.verify(ctx, plan{state: before, repair: true}, r)
	if err != nil {
		return rep, fmt.Errorf("%w: %w (the manager said: %v)", ErrUnverified, err, said(claim))
	}
	rep.Owner = got.owner
	switch got.outcome {
	case balance.OutcomeMoved:
		return rep, nil
	case balance.OutcomeUnknown:
		return rep, fmt.Errorf("%w: %s (the manager said: %v)", ErrUnverified, got.text, said(claim))
	}
	return rep, fmt.Errorf("%w: %s (the manager said: %v)", ErrFailed, got.text, said(claim))
}
