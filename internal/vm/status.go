package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// What marks the process in which status looks at the shared storage: at all that it needs, at the record alone, or at the record and
// whether the node that it names is proved gone.
const (
	inquiry       = "LBVM_INQUIRY=1"
	recordInquiry = "LBVM_INQUIRY=record"
	ownerInquiry  = "LBVM_INQUIRY=owner"
)

// status asks the tool. The shared storage is touched only where the guest is here and this node has not yet made it
// its own: after a migration, or when rgmanager asks every node where the VM is.
func (l *life) status(ctx context.Context) error {
	for _, mark := range []string{recordInquiry, ownerInquiry} {
		if slices.Contains(l.call.World.Env, mark) {
			return l.isElsewhere(ctx, mark)
		}
	}
	known := l.marked(hereMark)
	if l.patience > 0 {
		l.patience = hypervisor.Reboots(l.a.Type)
	}
	if !known {
		l.patience = 0 // nothing of it was ever here: no reboot to wait for
	}
	d, err := l.guest(ctx)
	if l.call.Probe && errors.Is(err, hypervisor.ErrDown) {
		// That is all that a probe asks. It comes before the shared storage is mounted, where the cluster mounts it.
		l.log(ocf.LevelInfo, "it does not run here", "error", err)
		return ocf.ErrNotRunning
	}
	switch {
	case err != nil && known && !l.call.Probe && !errors.Is(err, hypervisor.ErrName):
		return l.tolerate(err)
	case err != nil && l.call.Probe && !known && !l.shown(ctx) && errors.Is(l.elsewhere(ctx, recordInquiry), ocf.ErrNotRunning):
		// Any other answer has Pacemaker stop the guest where it runs, and fence this node, whose tool cannot stop it either.
		l.log(ocf.LevelWarning, "the tool does not answer; the VM is another node's, and was not here since this node booted", "error", err)
		return ocf.ErrNotRunning
	case err != nil:
		return err
	}
	var v view
	v.sees(d)
	f := v.facts()
	f.Known, f.Idle = known, v.still && l.idle()
	r := protocol.Find(protocol.Status(), f)
	if r.Do == protocol.CountSilence {
		still := fmt.Errorf("%s stands still as one that is being sent or saved, and nothing works on it", l.vm)
		if l.call.Probe {
			return still
		}
		return l.tolerate(still)
	}
	if known && !l.call.Probe {
		l.clear(unknownMark)
		if err := l.healthy(ctx, d); err != nil {
			return err
		}
	}
	switch r.Do {
	case protocol.AnswerAbsent:
		if known && !l.call.Probe {
			l.clear(hereMark) // or a silence that follows would count as the last word, that it runs here
		}
		return ocf.ErrNotRunning
	case protocol.AnswerRunning:
		l.say("%s", r.Words)
		return nil
	case protocol.Inquire:
		return l.inquire(ctx, v.guest)
	}
	if v.guest == leaving {
		return fmt.Errorf("half a copy of %s stands still here, and nothing works on it", l.vm)
	}
	down := fmt.Errorf("%s is down and has left %s behind", l.vm, v.guest)
	if l.call.Probe && v.guest == remains {
		return l.leftover(ctx, d, down)
	}
	return down
}

// inquire looks at the record, in a process that is left behind if the shared storage hangs.
func (l *life) inquire(ctx context.Context, seen class) error {
	if slices.Contains(l.call.World.Env, inquiry) {
		return l.inquiry(ctx)
	}
	if l.explains != nil {
		l.say("this node has not made it its own yet: the record is looked at, in a process that is left behind if the share hangs")
		return l.inquiry(ctx)
	}
	err := l.leftBehind(ctx, inquiry, func(ctx context.Context) error { return l.inquiry(ctx) })
	if !errors.Is(err, errNoAnswer) {
		return err
	}
	if seen == arriving { // its source may have died, for which the share waits, too: who calls it running is never asked to start it
		l.log(ocf.LevelWarning, "the shared storage does not answer; the guest does not run here yet")
		return ocf.ErrNotRunning
	}
	l.log(ocf.LevelWarning, "the shared storage does not answer; the guest is here")
	return nil
}

// shown tells that the kernel shows the guest here, whatever its tool says. Who starts one by hand, without lbm take, writes no
// record: that the record names another node, or one that is dead, says nothing of such a guest.
func (l *life) shown(ctx context.Context) bool {
	x, ok := l.driver.(hypervisor.Shower)
	return ok && x.Shown(ctx, l.vm)
}

// errNoAnswer says that the shared storage hangs.
var errNoAnswer = errors.New("the shared storage does not answer")

// leftBehind looks at the shared storage in a process that is left behind if that hangs: errNoAnswer.
func (l *life) leftBehind(ctx context.Context, mark string, here func(context.Context) error) error {
	half, cancel := l.clock.WithTimeout(ctx, min(l.left(1, 1)/2, 10*time.Second))
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- l.ask(half, mark, here) }()
	select {
	case err := <-answer:
		if !errors.Is(err, run.ErrDeadline) {
			return err
		}
	case <-half.Done():
		// A child that can be ended is ended by now; one that hangs in the kernel is left behind.
		last, cancel := l.clock.WithTimeout(ctx, time.Second)
		defer cancel()
		select {
		case err := <-answer:
			if !errors.Is(err, run.ErrDeadline) {
				return err
			}
		case <-last.Done():
		}
	}
	return errNoAnswer
}

// ask runs the inquiry. A thread that hangs in the kernel would keep this whole process from ending; a child does not.
func (l *life) ask(ctx context.Context, mark string, here func(context.Context) error) error {
	if l.a.Self == "" {
		return here(ctx)
	}
	env := []string{mark, ocf.NoBoxVariable + "=1"}
	for name, value := range l.params() { // Heartbeat gives them as arguments
		env = append(env, "OCF_RESKEY_"+name+"="+value)
	}
	env = append(env, l.call.World.Env...) // behind: the first of a name counts
	r, err := l.boxed(run.System{}).Run(ctx, run.Command{Argv: []string{l.a.Self, "status"}, Env: env})
	switch {
	case err != nil:
		return err
	case r.Code == int(ocf.CodeOK):
		return nil
	case r.Code == int(ocf.CodeNotRunning):
		return ocf.ErrNotRunning
	}
	return fmt.Errorf("%s is here, and its state does not allow that (see the messages above)", l.vm)
}

// inquiry answers status by the record, and adopts the guest where the record allows it.
func (l *life) inquiry(ctx context.Context) error {
	l.row = "status"
	if err := l.reach(); err != nil { // without the shared storage the tool's word is all there is
		return l.bare(ctx)
	}
	v, err := l.look(ctx)
	var record *recordError
	if errors.As(err, &record) {
		l.log(ocf.LevelError, "the hand-off record is not readable", "error", err)
		return l.bare(ctx)
	}
	if err != nil {
		return err
	}
	if done, err := v.answer(l); done {
		return err
	}
	if err := membership.CheckSelf(ctx, l.members, l.me); err != nil { // the record is not about this node, nor may its boot be published as that one's
		l.log(ocf.LevelError, "the guest is here, and is not taken over", "error", err)
		return l.bare(ctx)
	}
	// The sender holds the lock as long as its tool works: who gets it knows that the transfer is over.
	err = l.tryLock()
	if errors.Is(err, lockfile.ErrHeld) {
		if v.facts().Announced() {
			return ocf.ErrNotRunning
		}
		return nil // the next status adopts it
	}
	if err != nil {
		return err
	}
	if v, err = l.look(ctx); err != nil {
		return err
	}
	if done, err := v.answer(l); done {
		return err
	}
	if err := l.publishBoot(); err != nil {
		return err
	}
	return l.adopt(v, "found by status")
}

// answer is what status says where there is nothing to adopt.
func (v view) answer(l *life) (done bool, err error) {
	switch protocol.Find(protocol.Inquiry(), v.facts()).Do {
	case protocol.Adopt:
		return false, nil
	case protocol.AnswerRunning:
		return true, nil
	case protocol.AnswerAbsent:
		return true, ocf.ErrNotRunning
	case protocol.RefuseDouble:
		return true, l.refuseDouble(v)
	}
	return true, fmt.Errorf("%s is %s here", l.vm, v.guest)
}

// bare is status by the tool alone.
func (l *life) bare(ctx context.Context) error {
	d, err := l.detail(ctx)
	if err != nil {
		return err
	}
	if c := classify(d, handoff.State{}, ""); c != running && c != frozen && c != leaving {
		return ocf.ErrNotRunning
	}
	return nil
}
