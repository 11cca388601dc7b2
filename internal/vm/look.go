package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// class is what the guest is on this node, in the words of the tables.
type class = protocol.Guest

const (
	unknown  = protocol.Unknown
	absent   = protocol.Absent
	running  = protocol.Running
	frozen   = protocol.Frozen
	leaving  = protocol.Leaving
	arriving = protocol.Arriving
	torso    = protocol.Torso
	remains  = protocol.Remains
)

// view is what an action has found.
type view struct {
	guest    class
	st       handoff.State
	me       string
	nodeGone bool                // st.Node is another node and proved gone
	toGone   bool                // st.To is another node and proved gone
	others   []membership.Member // of the cluster, where the record names another node and they are known
	doubt    error               // why nobody can be proved gone, where that is not known
	image    bool                // the image of which st speaks is published
	part     bool                // the image of which st speaks is not published, but proved whole
	sick     bool                // the last status failed while the guest was here
	still    bool                // what is leaving stands still
	handed   bool                // and a copy of it may run where it was sent
	alien    bool                // its tool is not installed, and the kernel can hold no such guest
	presumed bool                // it runs as far as its process tells: the tool's daemon is down
}

// facts are what of it decides.
func (v view) facts() protocol.View {
	return protocol.View{
		Guest: v.guest, Phase: v.st.Phase, Mine: v.mine(), ToMe: v.toMe(), NodeGone: v.nodeGone, ToGone: v.toGone,
		Image: v.image, Part: v.part, Sick: v.sick, Alien: v.alien,
		Still: v.still, Handed: v.handed,
	}
}

func (v view) is(phases ...handoff.Phase) bool { return v.facts().Is(phases...) }

// mine: the record says that this node has the VM.
func (v view) mine() bool { return v.st.Node == v.me }

// toMe: the VM is announced to this node.
func (v view) toMe() bool { return v.st.To == v.me }

// classify reads the driver's answer in the light of the record.
func classify(d hypervisor.Detail, st handoff.State, me string) class {
	mine := st.Node != "" && st.Node == me
	announced := (st.Phase == handoff.Sending || st.Phase == handoff.Sent) && st.To == me
	switch d.State {
	case hypervisor.Absent, hypervisor.Stopped:
		return absent
	case hypervisor.Running:
		if announced && d.NeverRan { // xend lists what it receives under the plain name
			return arriving
		}
		return running
	case hypervisor.Paused:
		return frozen
	case hypervisor.Migrating:
		return leaving
	case hypervisor.Arriving:
		if mine { // nothing is sent to the node that has it: a start of ours was cut off
			return remains
		}
		return arriving
	case hypervisor.Torso:
		if mine && d.Handed && st.Phase == handoff.Running { // nothing is sent to where it ran: it is what is left of a move by hand
			return leaving
		}
		if mine {
			return remains
		}
		return torso
	case hypervisor.Remains:
		return remains
	}
	return unknown
}

// sees takes in what the driver has answered, in the light of v's record.
func (v *view) sees(d hypervisor.Detail) {
	v.guest, v.alien, v.presumed = classify(d, v.st, v.me), d.NoProgram, d.Presumed
	v.still, v.handed = v.guest == leaving && (d.Suspended || d.Handed), v.guest == leaving && d.Handed
}

// detail asks the driver once. An answer that is not known is an error.
func (l *life) detail(ctx context.Context) (hypervisor.Detail, error) {
	var d hypervisor.Detail
	var err error
	d, err = hypervisor.DetailOf(ctx, l.driver, l.vm)
	if err == nil && d.State == hypervisor.Torso && d.Handed && l.marked(hereMark) { // this node had it: nothing arrives where it ran
		d.State = hypervisor.Migrating
	}
	if err == nil && classify(d, handoff.State{}, "") == unknown {
		err = fmt.Errorf("%s is in an unknown state", l.vm)
	}
	return d, err
}

const lookEvery = time.Second

// guest asks what the guest is. An unknown answer is asked again for a moment, and "absent" as long as patience
// lasts: a guest that reboots is away for a second or two. Where it was started it may be down and mounted meanwhile
// (OpenVZ), and its node's own helper is about to start it again: that is not for us to break off.
func (l *life) guest(ctx context.Context) (hypervisor.Detail, error) {
	end := l.clock.Now().Add(reboot)
	patient := l.clock.Now().Add(l.patience)
	reboots := func(d hypervisor.Detail) bool {
		return d.State.Clean() && !d.NoProgram || d.MayReturn && l.marked(hereMark)
	}
	for {
		d, err := l.detail(ctx)
		now := l.clock.Now()
		switch {
		case err != nil && !l.final(err) && now.Before(end):
		case err != nil:
			return hypervisor.Detail{}, fmt.Errorf("it is not known what %s is here: %w", l.vm, err)
		case now.Before(patient) && reboots(d):
		default:
			if d.State.Clean() {
				l.patience = 0 // believed
			}
			l.tellGuest(d)
			return d, nil
		}
		if wait := l.clock.Sleep(ctx, lookEvery); wait != nil {
			return hypervisor.Detail{}, errors.Join(fmt.Errorf("it is not known what %s is here: %w", l.vm, wait), err)
		}
	}
}

// final tells whether a failed question would be answered in the same way a moment later.
func (l *life) final(err error) bool {
	return l.explains != nil || errors.Is(err, hypervisor.ErrNoProgram) || errors.Is(err, hypervisor.ErrName) || l.call.Probe && errors.Is(err, hypervisor.ErrDown)
}

// look makes a view. A record that cannot be believed leaves v.st unknown and comes as an error beside the guest's class.
func (l *life) look(ctx context.Context) (view, error) {
	v := view{me: l.me}
	d, err := l.guest(ctx)
	if err != nil {
		return v, err
	}
	// The guest first: outside the lock a record that is newer than the look can only name more.
	st, serr := l.files.Read()
	v.st = st
	v.sees(d)
	if d.Presumed && serr == nil && st.Phase == handoff.Sending { // half a copy is a process, too
		return v, fmt.Errorf("it is not known what %s is here: it is a process, its state is %s, and the tool does not say whether it runs or is half a copy", l.vm, placeText(st))
	}
	l.phase, l.txn = st.Phase, st.Txn
	if serr != nil {
		return v, &recordError{serr}
	}
	v.sick = l.marked(sickMark)
	l.hasLeft = st.Left && st.Node == l.me && st.Boot == l.boot && !l.isMember(ctx)
	if err := l.lookAtNodes(ctx, &v); err != nil {
		return v, err
	}
	err = l.lookAtImage(&v)
	l.tell(v)
	return v, err
}

// recordError says that only the record is unknown.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

func (l *life) lookAtNodes(ctx context.Context, v *view) error {
	st := v.st
	node := st.Node != "" && st.Node != l.me
	to := st.To != "" && st.To != l.me
	if !node && !to {
		return nil
	}
	members, err := l.members.Members(ctx)
	if err != nil {
		l.log(ocf.LevelWarning, "the cluster's members are not known: nobody counts as gone", "error", err)
		v.doubt = fmt.Errorf("the cluster's members are not known: %w", err)
		return ctx.Err()
	}
	v.others = members
	if m, ok := membership.Find(members, st.Node); ok && m.Online {
		v.st.Left = false // it is back: a fencing that comes now is of this time
	}
	if node {
		v.nodeGone = l.rebooted(st.Node, st.Boot) || !st.Left && l.fenced(ctx, v, members, st.Node)
	}
	if to { // a boot id never speaks for a target: what was sent may have reached any boot of it
		v.toGone = l.fenced(ctx, v, members, st.To)
	}
	return ctx.Err()
}

// isMember tells whether this node is for certain a member of its cluster.
func (l *life) isMember(ctx context.Context) bool {
	members, err := l.members.Members(ctx)
	me, ok := membership.Find(members, l.me)
	return err == nil && ok && me.Online
}

// fenced affirms that node is dead. Every doubt is a no.
func (l *life) fenced(ctx context.Context, v *view, members []membership.Member, node string) bool {
	if m, ok := membership.Find(members, node); ok && m.Online {
		return false
	}
	yes, err := l.members.Fenced(ctx, node)
	if err != nil {
		l.log(ocf.LevelWarning, "it is not known whether a node was fenced", "node", node, "error", err)
		v.doubt = fmt.Errorf("whether %s was fenced is not known: %w", node, err)
		return false
	}
	return yes
}

// rebooted affirms that the boot in which node had the VM is over.
func (l *life) rebooted(node, boot string) bool {
	f, err := host.ReadFacts(l.shared, node)
	if err != nil {
		l.log(ocf.LevelWarning, "the boot of a node is not known", "node", node, "error", err)
		return false
	}
	return boot != "" && f.Boot != "" && f.Boot != boot
}

func (l *life) lookAtImage(v *view) (err error) {
	if v.st.Image == "" || v.is(handoff.Resuming) { // a claim is never looked for
		return nil
	}
	if v.image, err = l.files.HasImage(v.st.Image); err != nil || v.image {
		return err
	}
	if !v.is(handoff.Suspending) || !v.mine() || v.st.Boot != l.boot {
		return nil
	}
	// A dump in steps has a moment at which its tool calls it whole while the guest is still here; of another the driver
	// may see it.
	switch x := l.driver.(type) {
	case hypervisor.Checkpointer:
		v.part, err = l.files.Noted(v.st.Image)
	case hypervisor.Prover:
		v.part, err = x.Whole(l.files.PartFile(v.st.Image))
	}
	return err
}

// rounds bounds how often one action looks again.
const rounds = 12

// settle goes through a table until a row ends the action. An action that fails is in the journal too: it is what
// the manager gives a service up for.
func (l *life) settle(ctx context.Context, table []protocol.Row) error {
	err := l.goThrough(ctx, table)
	if err != nil {
		l.journal("failed", err.Error())
	}
	return err
}

func (l *life) goThrough(ctx context.Context, table []protocol.Row) error {
	for n := 0; n < rounds; n++ {
		v, err := l.look(ctx)
		if err != nil {
			return err
		}
		r := l.find(table, v)
		l.log(ocf.LevelInfo, l.action+": "+r.Name, "state", v.st.Phase, "node", v.st.Node, "to", v.st.To)
		again, err := l.do(ctx, r, v)
		if err != nil || !again {
			return err
		}
		l.patience = 0
	}
	return fmt.Errorf("%s: what is found changes again and again", l.vm)
}

// find is the row for a view.
func (l *life) find(table []protocol.Row, v view) protocol.Row {
	r := protocol.Find(table, v.facts())
	l.row = r.Name
	l.tellRow(r)
	return r
}
