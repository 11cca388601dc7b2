package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// announced: the record sends the VM here.
func (v view) announced() bool { return v.is(handoff.Sending, handoff.Sent) && v.toMe() }

// blocked: what remains of the guest may not be touched, or not be followed by a start.
func (v view) blocked() bool {
	return v.other() || v.is(handoff.Sending) && v.mine() && !v.toGone
}

// startTable is what a start does under the lock. The first row that fits counts.
func startTable() []row {
	return []row{
		{"no program", func(v view) bool { return v.alien }, startAlien},
		{"here, another has it", func(v view) bool {
			return v.here() && v.other() && !v.announced()
		}, refuseDouble},
		{"leaving", func(v view) bool { return v.guest == leaving }, startLeaving},
		{"here, suspending or held", func(v view) bool {
			return v.here() && v.is(handoff.Suspending, handoff.Held) && v.mine()
		}, startThaw},
		{"frozen", func(v view) bool {
			return v.guest == frozen && (v.named() || v.announced() || v.is(handoff.NoRecord))
		}, startThaw},
		{"here", func(v view) bool {
			return v.here() && (v.named() || v.announced() || v.is(handoff.NoRecord))
		}, startAdopt},
		{"here, nobody has it", func(v view) bool { return v.here() }, startTake},

		{"arriving, announced", func(v view) bool {
			return v.guest == arriving && v.announced() || v.guest == torso && v.is(handoff.Sent) && v.toMe()
		}, startArriving},
		{"arriving", func(v view) bool { return v.guest == arriving }, func(_ context.Context, l *life, v view) (bool, error) {
			return false, fmt.Errorf("%s is arriving here and its state is %s %s: left alone", l.vm, v.st.Phase, whom(v.st))
		}},
		{"torso of a living source", func(v view) bool {
			return v.guest == torso && v.announced() && !v.nodeGone
		}, startTorso},
		{"remains, another has it", func(v view) bool {
			return (v.guest == remains || v.guest == torso) && v.blocked()
		}, refuseStart},
		{"remains", func(v view) bool { return v.guest == remains || v.guest == torso }, destroyAndLook},

		{"absent, down", func(v view) bool { return v.is(handoff.NoRecord, handoff.Down) }, startBoot("")},
		{"absent, had it", func(v view) bool {
			return v.is(handoff.Starting, handoff.Running, handoff.Resuming, handoff.Suspending) && v.mine()
		}, startBoot("the guest ended")},
		{"absent, suspended", func(v view) bool { return v.is(handoff.Suspended) }, startResume},
		{"absent, held", func(v view) bool { return v.is(handoff.Held) && v.mine() }, startResume},
		{"absent, sent here", func(v view) bool { return v.is(handoff.Sent) && v.toMe() }, startLost},
		{"absent, sending here", func(v view) bool { return v.is(handoff.Sending) && v.toMe() }, startIfGone(view.nodeIsGone, "memory lost")},
		{"absent, sending", func(v view) bool { return v.is(handoff.Sending) && v.mine() }, startIfGone(view.toIsGone, "memory lost")},
		{"absent, sending elsewhere", func(v view) bool { return v.is(handoff.Sending) }, startIfGone(view.bothAreGone, "memory lost")},
		{"absent, sent elsewhere", func(v view) bool { return v.is(handoff.Sent) }, startIfGone(view.toIsGone, "memory lost")},
		{"absent, held elsewhere", func(v view) bool { return v.is(handoff.Held) }, startHeldElsewhere},
		{"absent, elsewhere", func(v view) bool {
			return v.is(handoff.Starting, handoff.Running, handoff.Suspending, handoff.Resuming)
		}, startIfGone(view.nodeIsGone, "")},
	}
}

func (v view) nodeIsGone() bool  { return v.nodeGone }
func (v view) toIsGone() bool    { return v.toGone }
func (v view) bothAreGone() bool { return v.nodeGone && v.toGone }

// startAlien: the manager is to start it elsewhere.
func startAlien(_ context.Context, l *life, _ view) (bool, error) {
	return false, l.notInstalled()
}

func (l *life) notInstalled() error {
	return ocf.Errorf(ocf.CodeInstalled, "the tool of %s is not installed here: %s cannot run on this node", l.a.Type, l.vm)
}

func startAdopt(_ context.Context, l *life, v view) (bool, error) {
	return false, l.adopt(v, "found running here")
}

// adopt makes the guest that runs here this node's.
func (l *life) adopt(v view, why string) error {
	if err := l.writeRunning(v.st.Txn, why); err != nil {
		return err
	}
	l.tidy()
	l.journal("adopted", why)
	return nil
}

// startThaw: the guest may be frozen by a stop that was cut off. The images go first.
func startThaw(ctx context.Context, l *life, v view) (bool, error) {
	if err := l.held.Discard(); err != nil {
		return false, err
	}
	if err := l.thaw(ctx); err != nil {
		return false, err
	}
	return false, l.adopt(v, "goes on after a stop that was cut off")
}

// startTake: somebody started it by hand, or its node is gone and it is here.
func startTake(ctx context.Context, l *life, v view) (bool, error) {
	l.loud("taken over", fmt.Sprintf("it runs here and its state was %s %s", v.st.Phase, whom(v.st)))
	v.st.Txn = ""
	return startThaw(ctx, l, v)
}

func startLeaving(ctx context.Context, l *life, v view) (bool, error) {
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	if v.blocked() {
		return refuseStart(ctx, l, v)
	}
	return destroyAndLook(ctx, l, v)
}

func startArriving(ctx context.Context, l *life, v view) (bool, error) {
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	if v.is(handoff.Sending) && !v.nodeGone {
		return false, fmt.Errorf("%s does not arrive from %q", l.vm, v.st.Node)
	}
	l.loud("memory lost", "the arrival hangs: destroyed (hand-off "+v.st.Txn+")")
	return true, l.destroy(ctx)
}

func startTorso(ctx context.Context, l *life, v view) (bool, error) {
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	return false, fmt.Errorf("%s is still being received from %q", l.vm, v.st.Node)
}

// refuseStart: another node may run it.
func refuseStart(_ context.Context, l *life, v view) (bool, error) {
	return false, fmt.Errorf("not starting %s: its state says %s %s, %s; %s", l.vm, v.st.Phase, whom(v.st), v.notGone(), cure(l.vm, v.st))
}

func startBoot(why string) func(context.Context, *life, view) (bool, error) {
	return func(ctx context.Context, l *life, v view) (bool, error) {
		l.tellLostResume(v)
		return false, l.coldStart(ctx, why)
	}
}

func startIfGone(gone func(view) bool, outcome string) func(context.Context, *life, view) (bool, error) {
	return func(ctx context.Context, l *life, v view) (bool, error) {
		if !gone(v) {
			return refuseStart(ctx, l, v)
		}
		if outcome != "" {
			l.loud(outcome, fmt.Sprintf("in hand-off %s, %s %s", v.st.Txn, v.st.Phase, whom(v.st)))
		}
		return false, l.coldStart(ctx, whom(v.st)+" is gone")
	}
}

// startLost waits for what was sent here, and then starts without it.
func startLost(ctx context.Context, l *life, v view) (bool, error) {
	changed, err := l.awaitChange(ctx, v)
	if err != nil || changed {
		return true, err
	}
	l.loud("memory lost", "in hand-off "+v.st.Txn+": it never arrived")
	return false, l.coldStart(ctx, "it never arrived")
}

func startHeldElsewhere(ctx context.Context, l *life, v view) (bool, error) {
	if !v.nodeGone {
		return refuseStart(ctx, l, v)
	}
	return startResume(ctx, l, v)
}

func startResume(ctx context.Context, l *life, v view) (bool, error) {
	err := l.resume(ctx, v)
	var useless *uselessError
	if !errors.As(err, &useless) {
		return false, err
	}
	l.log(ocf.LevelError, "the memory image is of no use", "error", err)
	l.loud("memory lost", useless.Error())
	return false, l.coldStart(ctx, "its image is of no use")
}
