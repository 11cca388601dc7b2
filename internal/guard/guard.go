// Package guard answers at the hypervisor's own door: may this VM be started on this node now? vzctl and libvirt ask by
// scripts of ours (packaging/guard), whoever starts the VM; for a start by hand past the cluster is how a VM runs
// twice.
//
// The hand-off record decides. An agent writes that a VM starts here before its tool runs, and `lbm take` that it runs
// here before a person starts it; so a start passes where the record names this node in this boot, and no
// other does. Where the record cannot be read, what this node knows by itself decides (ByNode): only a VM passes that
// runs here as its agents know.
//
// A VM that the cluster has never had, or has no more, is not our business: it passes.
package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// Errors of a guard.
var (
	// ErrRefused says that the VM must not be started here, why, and what to do instead.
	ErrRefused = errors.New("not here")
	// ErrAway says that the record could not be read: nothing is known but what this node knows by itself.
	ErrAway = errors.New("the hand-off record cannot be read")
)

// Door is what somebody is about to do.
type Door struct {
	Type, VM string
	// Arriving says that it is being received from another node, not started.
	Arriving bool
}

func (d Door) String() string { return d.Type + ":" + d.VM }

// Guard is this node's.
type Guard struct {
	Host host.Host
	// Managed tells whether cluster.conf names the VM; if that is not known, it does.
	Managed func(Door) bool
}

// ByRecord decides by the record: nil, ErrRefused or ErrAway. The shared storage may keep it waiting for ever.
func (g Guard) ByRecord(d Door) error {
	if err := errors.Join(host.CheckName(d.Type), host.CheckName(d.VM)); err != nil {
		return nil // no agent takes such a name: it is not ours
	}
	id, err := g.Host.Identity()
	if errors.Is(err, host.ErrNoIdentity) {
		return nil // no node of a cluster of ours
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	shared, err := g.Host.SharedDir(id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	boot, err := g.Host.BootID()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	st, err := handoff.ReadState(shared, d.Type, d.VM)
	if errors.Is(err, handoff.ErrState) {
		return refuse(d, "its record is damaged (%v), and it may run anywhere; see lbm handoff %s", err, d.VM)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if err := g.judge(d, st, id.Member, boot, g.marked(d, arrivingMark)); err != nil {
		return err
	}
	if d.Arriving && st.Phase != handoff.NoRecord {
		if err := g.noteArriving(d); err != nil {
			return refuse(d, "its arrival cannot be noted: %v", err)
		}
	}
	return nil
}

// judge is ByRecord with the record at hand. noted says that an arrival of the VM was let in and has not ended.
func (g Guard) judge(d Door, st handoff.State, me, boot string, noted bool) error {
	switch st.Phase {
	case handoff.NoRecord:
		return nil
	case handoff.Starting, handoff.Running, handoff.Resuming:
		switch {
		case st.Node != me:
			return refuse(d, "it runs on %s (record %d says %s); to have it here: lbm migrate %s %s", st.Node, st.Seq, st.Phase, d.VM, me)
		case st.Boot != boot:
			return refuse(d, "it was here before this node booted, and may be elsewhere now; let the cluster start it, or first: lbm take %s", d.VM)
		case d.Arriving:
			return refuse(d, "the record says that it is here already")
		}
		return nil
	case handoff.Sending, handoff.Sent:
		switch {
		case st.To == me && (d.Arriving || noted || st.Phase == handoff.Sent):
			return nil
		case st.To == me:
			return refuse(d, "it is being sent here from %s (record %d says %s): wait for it", st.Node, st.Seq, st.Phase)
		}
		return refuse(d, "it was sent to %s (record %d says %s)", st.To, st.Seq, st.Phase)
	case handoff.Suspending, handoff.Held:
		if st.Node != me {
			return refuse(d, "it is on %s, which saves its memory (record %d says %s)", st.Node, st.Seq, st.Phase)
		}
		return refuse(d, "its memory is being saved here (record %d says %s)", st.Seq, st.Phase)
	case handoff.Down, handoff.Suspended:
		if !g.Managed(d) {
			return nil
		}
		if st.Phase == handoff.Suspended {
			return refuse(d, "its memory waits in an image, which a start by hand would make useless; let the cluster start it, or first: lbm take %s", d.VM)
		}
		return refuse(d, "the cluster manages it, and other nodes would not see it run; let the cluster start it, or first: lbm take %s", d.VM)
	}
	return refuse(d, "its record says %s: it may run anywhere", st.Phase)
}

func refuse(d Door, format string, a ...any) error {
	return fmt.Errorf("%s: %w: %s", d, ErrRefused, fmt.Sprintf(format, a...))
}

// The marks of internal/vm on this node.
const (
	hereMark = ".here"
	lockMark = ".lock"
	// arrivingMark is a guard's own: libvirt tells once that a guest is received, and then asks for a start like any other.
	arrivingMark = ".arriving"
)

func (g Guard) mark(d Door, name string) string {
	return g.Host.Path(host.RunDir + "/" + d.Type + "-" + d.VM + name)
}

// ByNode decides where the record is away, for the reason that ByRecord gave.
//
// Where the cluster has no shared storage at all there is no record, and this node can tell less: a start passes while
// an agent of this node is at work on the VM, and whatever arrives passes, for only the sender could know better.
func (g Guard) ByNode(d Door, why error) error {
	if g.marked(d, hereMark) && !d.Arriving || !g.Managed(d) {
		return nil
	}
	if !errors.Is(why, host.ErrNotShared) {
		return refuse(d, "the cluster manages it, this node does not have it, and nobody can say where it runs: %v", why)
	}
	switch {
	case d.Arriving:
		if err := g.noteArriving(d); err != nil {
			return refuse(d, "its arrival cannot be noted: %v", err)
		}
		return nil
	case g.marked(d, arrivingMark):
		return nil
	}
	held, err := lockfile.Held(g.mark(d, lockMark))
	if err == nil && held {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refuse(d, "whether an agent is at work on it is not known: %v", err)
	}
	return refuse(d, "the cluster manages it, and other nodes would not see it run; let the cluster start it (clusvcadm -e)")
}

func (g Guard) marked(d Door, name string) bool {
	_, err := os.Lstat(g.mark(d, name))
	return err == nil
}

func (g Guard) noteArriving(d Door) error {
	if err := os.MkdirAll(g.Host.Path(host.RunDir), 0o755); err != nil {
		return err
	}
	return os.WriteFile(g.mark(d, arrivingMark), nil, 0o644)
}

// Arrived forgets that the VM was arriving: it runs, or nothing of it is left.
func (g Guard) Arrived(d Door) error {
	if errors.Join(host.CheckName(d.Type), host.CheckName(d.VM)) != nil {
		return nil
	}
	err := os.Remove(g.mark(d, arrivingMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Reason is what a refusal says, without the words that each has.
func Reason(err error) string {
	return strings.Replace(err.Error(), ErrRefused.Error()+": ", "", 1)
}
