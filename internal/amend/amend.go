// Package amend changes hand-off records by another word than an agent's: an
// administrator's (ConfirmDown, Take), or that of a node which leaves the cluster in
// order (Leaving).
//
// Each change is made under the VM's lock, of what the record says then, and is refused
// where the record, the cluster or this node's own state does not allow it. With Dry set
// nothing is locked or written: the change that would be made is given.
package amend

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
)

// ErrRefused says that nothing was changed, and why.
var ErrRefused = errors.New("refused")

// Amender changes records on behalf of this node.
type Amender struct {
	Host    host.Host
	ID      host.Identity
	Shared  string // joined with the root, its marker seen
	Members membership.Membership
	Clock   clock.Clock // of the journal
	Wait    clock.Clock // for the lock
	By      string      // "lbm confirm-down", for the record
	Service string      // that holds the VM, for what is said; "" is not known
	Dry     bool
}

// Change is what was done to a record. Before and After are the same where nothing had to be done.
type Change struct {
	Type, VM      string
	Before, After handoff.State
	Why           string // for the record and the journal
}

// Done tells whether the record is, or would be, another.
func (c Change) Done() bool {
	b, n := c.Before, c.After
	return b.Phase != n.Phase || b.Node != n.Node || b.Boot != n.Boot || b.Left != n.Left
}

// lockLimit is how long an agent that is at work on the VM is waited for.
const lockLimit = 20 * time.Second

// journalName lies in the log folder of the cluster.
const journalName = "migrate.log"

// decide tells what becomes of a record, without a word on who asks.
type decide func(ctx context.Context, st handoff.State) (next handoff.State, why string, err error)

// write makes a decided change. next.Seq is filled in.
type write func(l *handoff.Locked, before, next handoff.State) (handoff.State, error)

func refuse(format string, a ...any) error {
	return fmt.Errorf("%w: nothing was changed: %w", ErrRefused, fmt.Errorf(format, a...))
}

// change decides on the record, and again on what it says under the lock.
func (a Amender) change(ctx context.Context, typ, vm string, d decide, w write) (Change, error) {
	c := Change{Type: typ, VM: vm}
	dir, err := handoff.Open(a.Shared, typ, vm)
	if err != nil {
		return c, refuse("%w", err)
	}
	if err := membership.CheckSelf(ctx, a.Members, a.ID.Member); err != nil {
		return c, refuse("%w", err)
	}
	read := dir.Read
	look := func() error {
		if c.Before, err = read(); err != nil {
			return refuse("%w", err)
		}
		c.After, c.Why, err = d(ctx, c.Before)
		return err
	}
	if err := look(); err != nil || a.Dry || !c.Done() {
		return c, err
	}
	// A record that names a boot which nobody can read would make this node look gone.
	if err := a.Host.PublishBoot(a.Shared, a.ID.Member); err != nil {
		return c, refuse("publishing this node's boot: %w", err)
	}
	wait, cancel := a.Wait.WithTimeout(ctx, lockLimit)
	defer cancel()
	l, err := dir.Lock(wait, a.Wait, a.signature())
	if errors.Is(err, lockfile.ErrHeld) {
		return c, refuse("an agent is at work on %s:%s: try again when it has ended (%w)", typ, vm, err)
	}
	if err != nil {
		return c, refuse("%w", err)
	}
	read = l.Read // what is written must follow what was read: the storage may lose the lock meanwhile
	err = look()
	if err == nil && c.Done() {
		next := c.After
		next.Why, next.Agent = c.Why, a.signature()
		if c.After, err = w(l, c.Before, next); err != nil {
			err = fmt.Errorf("%w; unknown: check with lbm list", err)
		}
	}
	if err := errors.Join(err, l.Unlock()); err != nil {
		return c, err
	}
	return c, a.journal(c)
}

func (a Amender) signature() string { return a.By + " on " + a.ID.Member }

// journal adds a line about a change that was made.
func (a Amender) journal(c Change) error {
	if !c.Done() {
		return nil
	}
	p := keyval.Pairs{{Key: "event", Value: "agent"}, {Key: "vm", Value: c.Type + ":" + c.VM}, {Key: "node", Value: a.ID.Member},
		{Key: "action", Value: a.By}, {Key: "row", Value: "amend"}, {Key: "phase", Value: c.After.Phase.String()},
		{Key: "txn", Value: c.After.Txn}, {Key: "outcome", Value: Place(c.After)}, {Key: "why", Value: c.Why}}
	path := filepath.Join(a.Host.Path(a.ID.LogDir), journalName)
	if err := atomicfile.Append(path, keyval.Record(a.Clock.Now(), p), 0o640, false); err != nil {
		return fmt.Errorf("changed so far: the record of %s:%s says %s; it is not in the journal: %w", c.Type, c.VM, Place(c.After), err)
	}
	return nil
}

// Place is a record's phase and nodes in words.
func Place(st handoff.State) string {
	s := st.Phase.String()
	switch {
	case st.Node != "" && st.To != "":
		s += " " + st.Node + " to " + st.To
	case st.To != "":
		s += " " + st.To
	case st.Node != "":
		s += " " + st.Node
	}
	if st.Left {
		s += " (which left the cluster in order, with the VM on it)"
	}
	return s
}

// service is the name of what holds the VM, for a command that is advised.
func (a Amender) service() string {
	if a.Service == "" {
		return "SERVICE"
	}
	return a.Service
}

// plainly writes the next state, and nothing else.
func plainly(l *handoff.Locked, _, next handoff.State) (handoff.State, error) { return l.Write(next) }

// blame is who may have the VM, where the record's nodes are neither this one nor proved gone; "" is nobody.
func (a Amender) blame(ctx context.Context, st handoff.State) (string, error) {
	var doubts []error
	for _, x := range []struct {
		node, boot string
		left       bool
	}{{st.Node, st.Boot, st.Left}, {st.To, "", false}} {
		if x.node == "" || strings.EqualFold(x.node, a.ID.Member) {
			continue
		}
		gone, err := membership.Gone(ctx, a.Members, a.Shared, x.node, x.boot, x.left)
		if gone {
			continue
		}
		doubts = append(doubts, err)
		return x.node, errors.Join(doubts...)
	}
	return "", nil
}
