package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// What Pacemaker makes of a probe: 7 is nothing to do; anything else but running is a resource that has failed here, which is stopped
// here, and where it runs, too.

// leftover is a probe's answer where the guest is down and has left something behind, of which down tells. While another node has
// the VM, it is that it does not run here: what is left waits for the next start or stop on this node. Where nobody has it, or a node
// that is proved gone, the probe fails: what is left has to go before the VM runs elsewhere, and Pacemaker's stop takes it away.
func (l *life) leftover(ctx context.Context, d hypervisor.Detail, down error) error {
	if d.Sick != "" { // a guest that crashed may be reset, or started again when its dump is written
		return down
	}
	// What reboots leaves the same behind until its node's own helper starts it again.
	end := l.clock.Now().Add(min(hypervisor.Reboots(l.a.Type), l.left(1, 2)))
	for l.clock.Now().Before(end) {
		if err := l.clock.Sleep(ctx, lookEvery); err != nil {
			return errors.Join(down, err)
		}
		now, err := l.detail(ctx)
		switch {
		case err != nil:
			return errors.Join(down, err)
		case now.State.Clean():
			return ocf.ErrNotRunning
		case now.State != hypervisor.Remains:
			return fmt.Errorf("%s was down here and had left something behind, and comes back: it is %s", l.vm, now.State)
		}
	}
	if !errors.Is(l.elsewhere(ctx, ownerInquiry), ocf.ErrNotRunning) {
		return down
	}
	l.log(ocf.LevelWarning, "what is left of it here goes with the next start or stop on this node; the VM is another node's", "left", down)
	return ocf.ErrNotRunning
}

// elsewhere is ocf.ErrNotRunning if the record says that another node has the VM, or is getting it; for ownerInquiry only if that one
// is not proved gone. Every guest that an agent starts here names this node there first.
func (l *life) elsewhere(ctx context.Context, mark string) error {
	if l.explains != nil {
		return l.isElsewhere(ctx, mark)
	}
	return l.leftBehind(ctx, mark, func(ctx context.Context) error { return l.isElsewhere(ctx, mark) })
}

// isElsewhere looks at the record.
func (l *life) isElsewhere(ctx context.Context, mark string) error {
	if err := l.reach(); err != nil {
		return err
	}
	st, err := l.files.Read()
	if err != nil {
		return err
	}
	mine := strings.EqualFold(st.Node, l.me) || strings.EqualFold(st.To, l.me)
	if mine || st.Node == "" && st.To == "" {
		return fmt.Errorf("the record says %s", placeText(st))
	}
	if mark != ownerInquiry {
		return ocf.ErrNotRunning
	}
	v := view{me: l.me, st: st}
	if err := l.lookAtNodes(ctx, &v); err != nil {
		return err
	}
	if !v.facts().Other() {
		return fmt.Errorf("the record says %s, which is proved gone", placeText(st))
	}
	return ocf.ErrNotRunning
}
