package amend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
)

// Looker tells what a VM is on this node.
type Looker interface {
	State(ctx context.Context, vm string) (hypervisor.State, error)
}

// Leaving notes in the record of each VM that stays on this node that the node leaves the cluster in order. Nothing
// will fence it then, and a fencing of earlier does not speak for it: without the note the others could start what
// runs on here. First it notes that nothing may be sent here any more; what is on its way is waited for. The cluster
// manager has stopped what it stops; what is left is frozen, or was started by hand. look gives the technology of a
// type. A VM of which nobody knows whether it is here is noted too. What failed is told in the error; the others are
// noted all the same.
func (a Amender) Leaving(ctx context.Context, look func(typ string) (Looker, error)) ([]Change, error) {
	boot, err := a.boot(ctx)
	if err != nil {
		return nil, err
	}
	if !a.Dry {
		// Who sends here says so in the record before it looks for this note.
		if err := errors.Join(a.Host.PublishBoot(a.Shared, a.ID.Member), a.Host.NoteLeaving(a.Shared, a.ID.Member)); err != nil {
			return nil, refuse("%w", err)
		}
	}
	records, err := handoff.Records(a.Shared)
	var out []Change
	errs := []error{err}
	// What is waited for comes last: whoever cuts this short finds noted what is here.
	coming := slices.DeleteFunc(slices.Clone(records), func(st handoff.State) bool { return !a.comes(st) })
	for _, st := range append(slices.DeleteFunc(records, a.comes), coming...) {
		if st.Node != a.ID.Member && st.To != a.ID.Member || st.Left && st.Boot == boot {
			continue
		}
		is := found(ctx, look, st)
		if is.Clean() && a.comes(st) && !a.Dry {
			if is, err = a.await(ctx, st, look); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		if is.Clean() {
			continue
		}
		c, err := a.leaveWith(ctx, st, boot, is)
		if err == nil {
			out = append(out, c)
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// boot is this node's, if the node is the one that lbvm.id names: published under another's name it would make that one look gone.
func (a Amender) boot(ctx context.Context) (string, error) {
	err := membership.CheckSelf(ctx, a.Members, a.ID.Member)
	if err != nil {
		return "", refuse("%w", err)
	}
	boot, err := a.Host.BootID()
	if err != nil {
		return "", refuse("%w", err)
	}
	return boot, nil
}

// comes: the VM is sent to this node.
func (a Amender) comes(st handoff.State) bool {
	return st.To == a.ID.Member && (st.Phase == handoff.Sending || st.Phase == handoff.Sent)
}

// await waits for what is sent here: who has the lock knows that the sender's tool has ended. What has left its sender may
// still be on its way.
func (a Amender) await(ctx context.Context, seen handoff.State, look func(typ string) (Looker, error)) (hypervisor.State, error) {
	busy := func(why error) error {
		return refuse("%s:%s is sent to this node: wait until it is here, or has stayed where it is, and try again (%w)", seen.Type, seen.VM, why)
	}
	dir, err := handoff.Open(a.Shared, seen.Type, seen.VM)
	if err != nil {
		return hypervisor.Unknown, refuse("%w", err)
	}
	wait, cancel := a.Wait.WithTimeout(ctx, lockLimit)
	defer cancel()
	l, err := dir.Lock(wait, a.Wait, a.signature())
	if err != nil {
		return hypervisor.Unknown, busy(err)
	}
	st, err := l.Read()
	is := found(ctx, look, seen)
	if err := errors.Join(err, l.Unlock()); err != nil {
		return is, refuse("%w", err)
	}
	if is.Clean() && st.Phase == handoff.Sent && a.comes(st) {
		return is, busy(errors.New("it has left its sender and is not here"))
	}
	return is, nil
}

// found tells what the VM is here. What cannot be asked is unknown.
func found(ctx context.Context, look func(string) (Looker, error), st handoff.State) hypervisor.State {
	l, err := look(st.Type)
	if err != nil {
		return hypervisor.Unknown
	}
	s, err := l.State(ctx, st.VM)
	if err != nil {
		return hypervisor.Unknown
	}
	return s
}

func (a Amender) leaveWith(ctx context.Context, seen handoff.State, boot string, is hypervisor.State) (Change, error) {
	return a.change(ctx, seen.Type, seen.VM, func(_ context.Context, st handoff.State) (handoff.State, string, error) {
		const why = "its node leaves the cluster with the VM on it"
		switch {
		case st.Node == a.ID.Member && st.Boot == boot:
			next := st
			next.Left = true
			return next, why, nil
		case is != hypervisor.Running && (st.Node == a.ID.Member || st.To == a.ID.Member):
			// Nobody knows that it came to life here: who takes it over now would take it from who has it.
			return st, why, refuse("its record says %s, and it is %s here: have it stopped or started by the cluster before this node leaves", Place(st), is)
		case st.Phase == handoff.Sent && st.To == a.ID.Member, st.Phase == handoff.Sending && st.To == a.ID.Member:
			// It has arrived, or is arriving: its sender has let go of the lock, so its tool has ended.
			return handoff.State{VM: st.VM, Type: st.Type, Seq: st.Seq, Phase: handoff.Running, Node: a.ID.Member, Boot: boot, Txn: st.Txn, Left: true}, why, nil
		case st.Node == a.ID.Member: // of an earlier boot, and yet something is here
			return handoff.State{VM: st.VM, Type: st.Type, Seq: st.Seq, Phase: handoff.Running, Node: a.ID.Member, Boot: boot, Left: true}, why, nil
		}
		return st, why, refuse("its record says %s now", Place(st))
	}, func(l *handoff.Locked, before, next handoff.State) (handoff.State, error) {
		if before.Phase == next.Phase && before.Boot == next.Boot {
			return l.Leave(next.Node, next.Boot, next.Why, next.Agent)
		}
		if err := l.Discard(); err != nil {
			return handoff.State{}, fmt.Errorf("taking over what is here: %w", err)
		}
		return l.Write(next)
	})
}

// Returned takes back what Leaving has noted of this node: it is a member again, without a boot in between, and a fencing
// that comes from now on is of this time. It is refused while the cluster does not call this node a member. What failed is
// told in the error; the other notes are taken back all the same.
func (a Amender) Returned(ctx context.Context) ([]Change, error) {
	boot, err := a.boot(ctx)
	if err != nil {
		return nil, err
	}
	records, err := handoff.Records(a.Shared)
	var out []Change
	errs := []error{err}
	for _, seen := range records {
		if !seen.Left || seen.Node != a.ID.Member || seen.Boot != boot {
			continue
		}
		c, err := a.change(ctx, seen.Type, seen.VM, func(ctx context.Context, st handoff.State) (handoff.State, string, error) {
			const why = "its node is a member of the cluster again"
			if !st.Left || st.Node != a.ID.Member || st.Boot != boot {
				return st, why, nil
			}
			if err := a.present(ctx); err != nil {
				return st, why, err
			}
			next := st
			next.Left = false
			return next, why, nil
		}, func(l *handoff.Locked, _, next handoff.State) (handoff.State, error) {
			return l.Return(next.Node, next.Boot, next.Why, next.Agent)
		})
		if err == nil {
			out = append(out, c)
		}
		errs = append(errs, err)
	}
	errs = append(errs, a.stays(ctx))
	return out, errors.Join(errs...)
}

// stays takes back that nothing may be sent here, also where the note cannot be understood.
func (a Amender) stays(ctx context.Context) error {
	leaves, err := host.IsLeaving(a.Shared, a.ID.Member)
	if leaves || err != nil {
		if err := a.present(ctx); err != nil {
			return err
		}
	}
	if a.Dry {
		return nil
	}
	return a.Host.DropLeaving(a.Shared, a.ID.Member)
}

// present is nil if this node is known to be a member.
func (a Amender) present(ctx context.Context) error {
	members, err := a.Members.Members(ctx)
	if err != nil {
		return refuse("whether this node is a member is not known: %w", err)
	}
	if m, ok := membership.Find(members, a.ID.Member); !ok || !m.Online {
		return refuse("%s is no member of the cluster yet", a.ID.Member)
	}
	return nil
}
