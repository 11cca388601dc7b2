package vm

import (
	"context"
	"errors"
	"fmt"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// The deeds of protocol.Start and protocol.MigrateFrom.

func (l *life) notInstalled() error {
	return ocf.Errorf(ocf.CodeInstalled, "the tool of %s is not installed here: %s cannot run on this node", l.a.Type, l.vm)
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

// thawAndAdopt: the guest may be frozen by a stop that was cut off. The images go first.
func (l *life) thawAndAdopt(ctx context.Context, v view) error {
	if err := l.held.Discard(); err != nil {
		return err
	}
	if err := l.thaw(ctx); err != nil {
		return err
	}
	return l.adopt(v, "goes on after a stop that was cut off")
}

// refuseStart: another node may run it.
func (l *life) refuseStart(v view) error {
	return fmt.Errorf("not starting %s: its state says %s, %s; %s", l.vm, placeText(v.st), v.notGone(), v.cure(l.vm))
}

// bootWhy is what a boot without memory says in the record.
func (v view) bootWhy() string {
	switch {
	case v.is(handoff.NoRecord, handoff.Down):
		return ""
	case v.mine() && !v.is(handoff.Sending):
		return "the guest ended"
	}
	gone := whom(v.st)
	switch {
	case v.is(handoff.Sending) && v.mine():
		gone = v.st.To
	case v.is(handoff.Sending) && v.toMe():
		gone = v.st.Node
	}
	return gone + " is gone"
}

func (l *life) resumeOrBoot(ctx context.Context, v view) error {
	err := l.resume(ctx, v)
	var useless *uselessError
	if !errors.As(err, &useless) {
		return err
	}
	l.log(ocf.LevelError, "the memory image is of no use", "error", err)
	l.loud("memory lost", useless.Error())
	return l.coldStart(ctx, "its image is of no use")
}
