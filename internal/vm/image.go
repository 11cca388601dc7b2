package vm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// imageStop stops the running guest and keeps its memory in an image. Whatever fails while the guest can go on ends
// in a cold stop, with the image out of the way first.
func (l *life) imageStop(ctx context.Context, v view) (bool, error) {
	steps, isSteps := l.driver.(hypervisor.Checkpointer)
	saver, isSaver := l.driver.(hypervisor.Saver)
	if !isSteps && !isSaver {
		if l.params()["on_stop"] == "suspend-only" {
			return false, l.coldOr(ctx, v, "no image", fmt.Errorf("nothing here can keep the memory of a %s guest", l.a.Type))
		}
		return false, l.coldStop(ctx, v, "nothing here can keep its memory") // as ever: nobody needs to be woken
	}
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err == nil {
		err = l.enough(g)
	}
	if err == nil && !isSteps { // saving ends the guest: a fingerprint that cannot be taken then would cost its memory
		_, err = l.fingerprintOf(g)
	}
	txn := l.ticketTxn
	l.ticketTxn = "" // an image has its transaction to itself
	if err == nil && txn == "" {
		txn, err = l.newTxn()
	}
	if err != nil {
		return false, l.coldOr(ctx, v, "no image", err)
	}
	if l.params()["on_stop"] == "suspend-only" {
		l.say("it keeps the memory; if that fails the guest goes on and the stop fails")
	} else {
		l.say("it keeps the memory; if that fails the image goes out of use first, then the guest is stopped cold")
	}
	if err := l.write(handoff.State{Phase: handoff.Suspending, Node: l.me, Image: txn, Txn: txn}, "stop keeps the memory"); err != nil {
		if noSpace(err) {
			return false, l.coldOr(ctx, v, "no image", err)
		}
		return false, err
	}
	mem, err := l.held.Part(txn)
	if err != nil {
		return l.giveUp(ctx, err)
	}
	if isSteps {
		return l.checkpoint(ctx, steps, g, txn, mem)
	}
	return l.save(ctx, saver, txn, mem)
}

// checkpoint freezes, dumps and publishes; until the state is held the guest can be thawed again.
func (l *life) checkpoint(ctx context.Context, x hypervisor.Checkpointer, g hypervisor.Guest, txn, mem string) (bool, error) {
	work, cancel := l.least(ctx, 2, 3)
	defer cancel()
	for _, do := range []func() error{
		func() error { return l.change("suspend", func() error { return x.Suspend(work, l.vm) }) },
		func() error { return l.change("dump", func() error { return x.Dump(work, l.vm, mem) }) },
		func() error { return l.held.Note(txn) },
		func() error { return l.syncDisks(g) }, // from here on the image is whole even if this node dies
		func() error {
			m, err := l.meta(work)
			if err != nil {
				return err
			}
			return l.held.Publish(txn, m)
		},
		func() error {
			return l.write(handoff.State{Phase: handoff.Held, Node: l.me, Image: txn, Txn: txn}, "its image is published")
		},
	} {
		if err := do(); err != nil {
			return l.giveUp(ctx, err)
		}
	}
	return l.finishHeld(ctx, txn)
}

// finishHeld kills the frozen guest whose image is published. If that fails the state stays held.
func (l *life) finishHeld(ctx context.Context, txn string) (bool, error) {
	x, steps := l.driver.(hypervisor.Checkpointer)
	if steps {
		kill := l.change("kill", func() error { return x.Kill(ctx, l.vm) })
		d, err := l.detail(ctx)
		if err != nil {
			return false, errors.Join(err, kill)
		}
		if d.State == hypervisor.Running || d.State == hypervisor.Paused {
			return false, errors.Join(fmt.Errorf("the frozen guest %s cannot be killed; its state stays held", l.vm), kill)
		}
		if err := l.change("unmount", func() error { return x.Unmount(ctx, l.vm) }); err != nil {
			l.log(ocf.LevelError, "unmounting failed", "error", err)
		}
	} else if err := l.destroy(ctx); err != nil {
		return false, err
	}
	if err := l.clean(ctx, 0); err != nil {
		return false, fmt.Errorf("its state stays held: %w", err)
	}
	if !steps { // it was taken when the guest had gone: whoever stands still here was started since, and has changed the disks
		return false, l.suspended(ctx, txn)
	}
	fp, err := l.fingerprint(ctx)
	if err == nil {
		err = l.held.Refresh(txn, fp)
	}
	if err != nil { // the one that was taken of the frozen guest still stands
		l.log(ocf.LevelWarning, "the fingerprint was not refreshed", "error", err)
	}
	return false, l.suspended(ctx, txn)
}

// save saves and destroys in one step.
func (l *life) save(ctx context.Context, x hypervisor.Saver, txn, mem string) (bool, error) {
	work, cancel := l.least(ctx, 2, 3)
	defer cancel()
	l.silent = false
	tool := l.change("save", func() error { return x.Save(work, l.vm, mem) })
	switch end, err := l.afterPush(ctx, tool == nil, true); end {
	case stayed:
		if tool == nil {
			tool = errors.New("the tool says that it saved, and the guest runs")
		}
		return l.giveUp(ctx, tool)
	case left:
	default:
		d, derr := l.detail(ctx)
		switch {
		case derr == nil && (d.State == hypervisor.Paused || d.Suspended):
			return l.giveUp(ctx, errors.Join(errors.New("saving has left the guest standing still"), tool))
		case derr == nil && tool == nil && d.State == hypervisor.Remains: // it is saved, and its row does not go away
			if err := l.destroy(ctx); err != nil {
				return false, err
			}
			return l.saved(ctx, txn)
		case derr == nil && d.State.Clean():
			l.log(ocf.LevelError, "saving failed and the guest is gone", "error", tool)
			return true, nil // the row for it knows what to do
		}
		return false, errors.Join(fmt.Errorf("saving %s ended, and what is here is not known", l.vm), tool, err, derr)
	}
	return l.saved(ctx, txn)
}

// saved publishes what was saved of a guest that is gone.
func (l *life) saved(ctx context.Context, txn string) (bool, error) {
	m, err := l.meta(ctx)
	if err == nil {
		err = l.held.Publish(txn, m)
	}
	if err != nil { // the guest is gone: what was published counts, the rest is lost
		l.log(ocf.LevelError, "publishing the image failed", "error", err)
		return true, nil
	}
	return false, l.suspended(ctx, txn)
}

// giveUp takes back a hand-off by image while the guest can still go on. The image goes first. again asks for another try:
// where the tool's daemon went down meanwhile, and was not the reason of an earlier one.
func (l *life) giveUp(ctx context.Context, cause error) (again bool, err error) {
	l.log(ocf.LevelError, "keeping the memory failed", "error", cause)
	if err := l.held.Discard(); err != nil {
		return false, errors.Join(err, cause)
	}
	if err := l.held.Prune(0); err != nil { // it may be the room that was missing
		l.log(ocf.LevelWarning, "a useless image was not deleted", "error", err)
	}
	thawed := l.thaw(ctx)
	if thawed == nil {
		if err := l.writeRunning("", "its memory could not be kept"); err != nil && !noSpace(err) {
			return false, errors.Join(err, cause)
		}
	} else {
		l.log(ocf.LevelError, "the guest does not go on", "error", thawed)
	}
	st, err := l.held.Read()
	if err != nil {
		return false, errors.Join(err, cause)
	}
	if l.silent && !l.again && st.Phase == handoff.Running {
		l.again = true
		return true, nil
	}
	return false, l.coldOr(ctx, view{me: l.me, st: st}, "the memory could not be kept", errors.Join(cause, thawed))
}

// enough tells whether the hand-off folder has room for the guest's memory and a twentieth more.
func (l *life) enough(g hypervisor.Guest) error {
	room := l.a.Room
	if room == nil {
		room = freeBytes
	}
	free, err := room(existing(l.files.Path()))
	if err != nil {
		return err
	}
	if need := g.Mem + g.Mem/20; free < need {
		return fmt.Errorf("an image needs %d bytes and %s has %d", need, l.files.Path(), free)
	}
	return nil
}

func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("asking %s for its free room: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// meta describes an image that is made now.
func (l *life) meta(ctx context.Context) (handoff.Meta, error) {
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err != nil {
		return handoff.Meta{}, err
	}
	fp, err := l.fingerprintOf(g)
	if err != nil {
		return handoff.Meta{}, err
	}
	m := handoff.Meta{Arch: runtime.GOARCH, Fingerprint: fp}
	if g.Config != "" {
		if m.Config, err = sumFile(g.Config); err != nil {
			l.log(ocf.LevelWarning, "the configuration was not summed up", "error", err)
		}
	}
	if x, ok := l.driver.(hypervisor.Lister); ok {
		tool, version, err := x.Version(ctx)
		if err != nil {
			l.log(ocf.LevelWarning, "the tool's version is not known", "error", err)
		}
		m.Tool = tool + " " + version
	}
	return m, nil
}

func (l *life) newTxn() (string, error) {
	if l.a.Txn != nil {
		return l.a.Txn()
	}
	if l.explains != nil {
		l.say("%s stands for the number of this hand-off", newTransaction)
		return newTransaction, nil
	}
	return handoff.NewTxn()
}

// noSpace tells whether a write failed for want of room.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// syncDisks makes durable what the frozen guest has written: its image may be resumed on another node even if this
// one dies before it has unmounted the guest.
func (l *life) syncDisks(g hypervisor.Guest) error {
	if l.explains != nil {
		l.say("it writes out what the guest has written to its disks")
		return nil
	}
	done := map[string]bool{}
	for _, w := range g.Witnesses {
		dir := existing(filepath.Dir(w.Path))
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := l.point("disks", func() error { return syncFS(dir) }); err != nil {
			return fmt.Errorf("syncing the guest's disks: %w", err)
		}
	}
	return nil
}
