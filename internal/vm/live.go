package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// ending is where a guest is after it was pushed. The zero value is: nobody knows.
type ending int

const (
	lost   ending = iota // neither here nor proved to be there
	stayed               // it runs here as before, and the state says so
	left                 // it has left, and the state says so
)

// cleanFor is how long xend takes at most to remove what has left.
const cleanFor = 30 * time.Second

// send pushes the running guest to another node. The state says so before the tool runs, and again when it is known
// how it ended; else it stays: the target may have the guest.
func (l *life) send(ctx context.Context, v view, to, txn string) (ending, error) {
	x, ok := l.driver.(hypervisor.Live)
	if !ok {
		return stayed, fmt.Errorf("%s cannot push a running guest", l.a.Type)
	}
	if err := l.write(handoff.State{Phase: handoff.Sending, Node: l.me, To: to, Txn: txn}, "pushed to "+to); err != nil {
		return stayed, err // nobody has touched the guest
	}
	if err := l.notLeaving(to); err != nil {
		if werr := l.writeRunning(txn, "it was not pushed and runs as before"); werr != nil {
			return stayed, errors.Join(err, werr)
		}
		return stayed, &unsentError{err}
	}
	push, cancel := l.until(ctx, 2, 3)
	tool := l.change("migrate", func() error { return l.push(push, x, to) })
	cancel()
	if tool != nil {
		l.log(ocf.LevelError, "pushing the guest failed", "target", to, "error", tool)
	}
	end, err := l.afterPush(ctx, tool == nil, false)
	if end == stayed && errors.Is(tool, hypervisor.ErrTwice) {
		l.loud("double run", fmt.Sprintf("it runs on %s and on %s: end one of them", l.me, to))
		end = lost
	}
	switch end {
	case left:
		if err = l.writeLast(ctx, handoff.State{Phase: handoff.Sent, To: to, Txn: txn}, "it has left"); err == nil {
			l.journal("sent", "to "+to)
		}
		return left, err
	case stayed:
		return stayed, l.writeRunning(txn, "it could not be pushed and runs as before")
	}
	l.loud("hand-off unknown", fmt.Sprintf("it was pushed to %s and nobody knows where it is", to))
	return lost, errors.Join(fmt.Errorf("pushing %s to %s ended without a proof of where it is; its state stays sending", l.vm, to), tool, err)
}

// unsentError says that the guest was not pushed, and that the record says again that it runs here.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// notLeaving is nil if that node has not noted that it is about to leave the cluster. A guest that arrives on a node
// that has left is proved by nothing: no fencing is due, and one of earlier would speak against it. It is asked when the
// record says where the guest is sent: who leaves notes it first and reads the records then.
func (l *life) notLeaving(to string) error {
	leaves, err := host.IsLeaving(l.shared, to)
	if err == nil && leaves {
		err = fmt.Errorf("%s is about to leave the cluster: if it stays, run lbm mark-left --back there", to)
	}
	return err
}

// liveNow is why the running guest cannot be pushed just now, though its driver can push guests, or nil.
func (l *life) liveNow(ctx context.Context) error {
	if d, err := l.detail(ctx); err == nil && d.Presumed { // the push cannot begin, and behind it nobody could tell a whole guest from half a copy
		return errors.New("its tool's daemon is down")
	}
	x, ok := l.driver.(hypervisor.Replicated)
	if !ok {
		return nil
	}
	return x.LiveNow(ctx, l.vm, l.params())
}

// afterPush looks where the guest is after the tool has ended. Of one that was saved and not sent a process is no half a copy.
func (l *life) afterPush(ctx context.Context, toolOK, saved bool) (ending, error) {
	end := l.clock.Now().Add(min(cleanFor, l.left(1, 1)/2))
	healthy, gone := 0, 0
	for {
		d, err := l.detail(ctx)
		l.silent = l.silent || d.Presumed
		over := !l.clock.Now().Before(end)
		switch {
		case err != nil || d.State != hypervisor.Running || d.Presumed && !saved:
			healthy = 0
			if err == nil && d.State.Clean() {
				if toolOK {
					return left, nil
				}
				if gone++; gone > 4 { // the tool failed, and yet it is gone
					return lost, nil
				}
			}
		default:
			if healthy++; healthy >= 2 && (!toolOK || over) {
				return stayed, nil
			}
		}
		if over && healthy == 0 {
			return lost, err
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return lost, errors.Join(wait, err)
		}
	}
}

// online is nil if that node is a member.
func (l *life) online(ctx context.Context, node string) error {
	members, err := l.members.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Name == node && m.Online { // exactly: the tool gets this name
			return nil
		}
	}
	if m, ok := membership.Find(members, node); ok && m.Name != node {
		return fmt.Errorf("%q is called %q", node, m.Name)
	}
	return fmt.Errorf("%q is no member of the cluster", node)
}

// member is the cluster's own name of a node that is online. Pacemaker may write it in other letters, and the record
// is compared to the letter.
func (l *life) member(ctx context.Context, node string) (string, error) {
	members, err := l.members.Members(ctx)
	if err != nil {
		return "", fmt.Errorf("whether it is a member is not known: %w", err)
	}
	m, ok := membership.Find(members, node)
	switch {
	case !ok:
		return "", fmt.Errorf("%q is no member of the cluster", node)
	case !m.Online:
		return "", fmt.Errorf("%q is not online", m.Name)
	}
	return m.Name, nil
}

// migrate is rgmanager's own way of moving a VM that stands directly below <rm>. Whatever it refuses has changed nothing.
func (l *life) migrate(ctx context.Context, target string) error {
	l.row = "migrate"
	l.patience = 0 // it is asked for by who sees the guest run; a refusal changes nothing
	refuse := func(err error) error {
		return ocf.Errorf(ocf.CodeStillHere, "not migrating %s to %q, nothing was changed: %w", l.vm, target, err)
	}
	x, ok := l.driver.(hypervisor.Live)
	if !ok {
		return refuse(fmt.Errorf("%s cannot push a running guest", l.a.Type))
	}
	shared := l.reach()
	if shared != nil && !errors.Is(shared, host.ErrNotShared) {
		return refuse(shared)
	}
	name, err := l.member(ctx, target)
	if err != nil {
		return refuse(err)
	}
	if target = name; strings.EqualFold(target, l.me) {
		return refuse(errors.New("it is this node"))
	}
	if err := l.liveNow(ctx); err != nil {
		return refuse(err)
	}
	if shared != nil {
		return l.migrateAlone(ctx, x, target)
	}
	if err := l.lock(ctx); err != nil {
		return refuse(err)
	}
	v, err := l.look(ctx)
	if err != nil {
		return refuse(err)
	}
	if protocol.Find(protocol.Migrate(), v.facts()).Do != protocol.SendLive {
		return refuse(fmt.Errorf("it is %s here and its state is %s %s", v.guest, v.st.Phase, whom(v.st)))
	}
	txn, err := l.newTxn()
	if err != nil {
		return refuse(err)
	}
	l.say("it pushes the running guest; one that stays goes on as before, and its record says so again")
	end, err := l.send(ctx, v, target, txn)
	if end == stayed {
		return errors.Join(ocf.ErrStillHere, err)
	}
	if end == left && err == nil {
		l.leaves()
	}
	return err
}

// migrateAlone moves without shared storage: rgmanager's ownership and fencing are the only guard.
func (l *life) migrateAlone(ctx context.Context, x hypervisor.Live, target string) error {
	if err := l.lockAlone(ctx); err != nil {
		return ocf.Errorf(ocf.CodeStillHere, "not migrating: %w", err)
	}
	if err := l.runs(ctx); err != nil {
		return ocf.Errorf(ocf.CodeStillHere, "not migrating: %w", err)
	}
	push, cancel := l.until(ctx, 5, 6)
	tool := l.change("migrate", func() error { return l.push(push, x, target) })
	cancel()
	switch end, err := l.afterPush(ctx, tool == nil, false); end {
	case left:
		l.leaves()
		return nil
	case stayed:
		return errors.Join(ocf.ErrStillHere, tool)
	default:
		return errors.Join(fmt.Errorf("pushing %s to %s ended without a proof of where it is", l.vm, target), tool, err)
	}
}
