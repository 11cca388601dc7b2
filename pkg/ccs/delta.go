package ccs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ChangeKind is what the cluster manager does when it takes a new configuration.
type ChangeKind int

// The kinds, the gravest first.
const (
	Stop ChangeKind = iota + 1
	Restart
	Start
	Reconfigure // told the new values by the action reconfig, without a stop
	Leave       // neither stopped nor started, though it was removed, added or changed
)

func (k ChangeKind) String() string {
	switch k {
	case Stop:
		return "stop"
	case Restart:
		return "restart"
	case Start:
		return "start"
	case Reconfigure:
		return "reconfigure"
	case Leave:
		return "leave"
	}
	return "unknown"
}

// MarshalText gives the kind as String does.
func (k ChangeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Change is one thing that the cluster manager does to a group, or to a resource in it and all below that.
type Change struct {
	Kind     ChangeKind
	Group    string   // the group's id, "service:web"
	Resource string   // "ip:10.0.0.1"; "" is the whole group
	With     []string // what stands below it and shares its fate, in the order of the tree
	Why      string

	Before, After *Instance `json:"-"` // nil where it is not in that configuration
}

// String is fit to be shown: "STOP service:web, with openvz:101: removed".
func (c Change) String() string {
	what := c.Group
	if c.Resource != "" {
		what = c.Resource + " in " + c.Group
	}
	if len(c.With) > 0 {
		what += ", with " + strings.Join(c.With, ", ")
	}
	return strings.ToUpper(c.Kind.String()) + " " + what + ": " + c.Why
}

// Delta says what the cluster manager does when it runs with one configuration and is given the next: to what
// runs, on the node where it runs. Stop and Restart are of what is started; of a group that is disabled
// nothing is stopped. The changes are sorted by kind, group and resource. No change means that it does nothing.
//
// Facts: resource_delta and resource_tree_delta in rgmanager's restree.c, rescmp in reslist.c, do_condstops and
// do_condstarts in groups.c. Three surprises of it: an attribute that is added or taken away is no reconfiguration,
// even where the metadata says reconfig, but a restart; a changed group is stopped where it runs, then
// on every node, and starts where it fits best, even if it had been disabled; and each node does its part without waiting for the others, so
// that a resource that moves from one group to another may start before it has been stopped.
func Delta(before, after *Tree) []Change { return Compare(before, after).Changes() }

// Changes is what Delta gives.
func (d *Comparison) Changes() []Change {
	d.changes = nil
	for _, g := range d.before.Groups {
		d.oldGroup(g)
	}
	for _, g := range d.after.Groups {
		d.newGroup(g)
	}
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Group, b.Group), strings.Compare(a.Resource, b.Resource))
	})
	return d.changes
}

// oldGroup adds what is stopped and not started again.
func (d *Comparison) oldGroup(g *Instance) {
	if !d.stop[g.res.n] {
		d.stops(g)
		return
	}
	next := d.after.Group(g.ID())
	switch {
	case next != nil: // changed: newGroup tells
	case g.KeptOnDelete():
		d.add(Leave, g, nil, d.gone(g)+"; it is not stopped: it runs on where it is, and the cluster no longer watches it")
	default:
		d.add(Stop, g, nil, d.gone(g))
	}
}

// stops looks for what is to be stopped in a group that stays.
func (d *Comparison) stops(i *Instance) {
	if !d.stopNode[i.n] {
		for _, c := range i.Children {
			d.stops(c)
		}
		return
	}
	next, again := d.partner(i)
	switch {
	case !again:
		d.add(Stop, i, nil, d.gone(i))
	case !d.startsByItself(next):
		d.add(Stop, i, nil, "it moves to another place in its group, where it starts again with what is above it")
	}
}

// startsByItself tells whether starts will tell of i, and not only of something above it.
func (d *Comparison) startsByItself(i *Instance) bool {
	if !d.startNode[i.n] {
		return false
	}
	for p := i.Parent; p != nil; p = p.Parent {
		if d.startNode[p.n] && !d.reconfigured(p) {
			return false
		}
	}
	return true
}

func (d *Comparison) reconfigured(i *Instance) bool {
	return d.start[i.res.n] == mustReconfigure && d.matched[i.n]
}

// newGroup adds what is started, restarted or reconfigured.
func (d *Comparison) newGroup(g *Instance) {
	st := d.start[g.res.n]
	old := d.before.Group(g.ID())
	if st != mustStart { // it is there already, or told by reconfig
		d.starts(g)
		return
	}
	switch {
	case old != nil && old.KeptOnDelete() && g.QuietOnAdd():
		why := because(old, g) + "; it is not stopped: the manager forgets where it runs"
		if g.Autostart() {
			d.add(Leave, g, old, why+", and finds it by asking for its status")
		} else {
			d.add(Leave, g, old, why+", and as autostart is off it stays marked as disabled")
		}
	case old != nil:
		why := because(old, g)
		if !g.Autostart() {
			d.add(Stop, g, old, why+"; autostart is off, so it is not started again")
			return
		}
		d.add(Restart, g, old, why+"; it starts on the node that suits best, which may be another, and also where it had been disabled")
	case !g.Autostart() && g.QuietOnAdd():
		d.add(Leave, g, nil, d.fresh(g)+"; autostart is off, so it stays disabled")
	case !g.Autostart():
		d.add(Leave, g, nil, d.fresh(g)+"; stop is run on every node, and as autostart is off it stays disabled")
	case g.QuietOnAdd():
		d.add(Start, g, nil, d.fresh(g)+"; it is not stopped before")
	default:
		d.add(Start, g, nil, d.fresh(g)+"; stop is run on every node before")
	}
}

// starts looks for what is to be started in a group that was there.
func (d *Comparison) starts(i *Instance) {
	if !d.startNode[i.n] {
		for _, c := range i.Children {
			d.starts(c)
		}
		return
	}
	old, again := d.partner(i)
	switch {
	case d.reconfigured(i):
		why := changed(old.res, i.res)
		if i.Parent == nil && d.initial && i.Autostart() {
			why += "; it starts if it had been disabled, as the manager looks at all that is new or changed"
		}
		d.add(Reconfigure, i, old, why)
	case i.Parent == nil && d.initial && i.Autostart():
		d.add(Start, i, nil, d.fresh(i))
		return
	case i.Parent == nil:
		d.add(Leave, i, nil, d.fresh(i)+"; as nothing in it is new, it starts only when a node joins or leaves, or by clusvcadm -e")
		return
	case again:
		d.add(Restart, i, old, because(old, i))
		return
	default:
		d.add(Start, i, nil, d.fresh(i))
		return
	}
	for _, c := range i.Children {
		d.starts(c)
	}
}

// because says why what is in both trees is stopped and started again.
func because(old, i *Instance) string {
	if old.res.typ.Primary() == "" {
		return "its type has no primary parameter, so it is restarted at every new configuration"
	}
	if why := changed(old.res, i.res); why != "" {
		return why
	}
	if old.Parent != nil && i.Parent != nil && old.Parent.ID() == i.Parent.ID() {
		return i.Parent.ID() + " stands in its group more than once, and the manager takes what is in one for what is in the other"
	}
	return "it stands in another place"
}

func (d *Comparison) add(k ChangeKind, i, old *Instance, why string) {
	c := Change{Kind: k, Group: i.Group().ID(), Why: why}
	if i.Parent != nil {
		c.Resource = i.ID()
	}
	if k != Reconfigure {
		for x := range i.Walk {
			if x == i {
				continue
			}
			c.With = append(c.With, x.ID())
			if from, moves := d.movesFrom(x); moves && (k == Start || k == Restart) {
				c.Why += fmt.Sprintf("; %s comes from %s, and may start before it has been stopped there where that runs on another node", x.ID(), from)
			}
		}
	}
	switch {
	case d.isOld(i):
		c.Before = i
	default:
		c.Before, c.After = old, i
	}
	d.changes = append(d.changes, c)
}

// gone says why something of the old tree is not in the new one.
func (d *Comparison) gone(i *Instance) string {
	switch to, ok := d.movesTo(i); {
	case ok && to == i.ID():
		return "it is to stand alone, as " + to
	case ok:
		return fmt.Sprintf("it moves to %s, which may start it before it has been stopped here where that runs on another node", to)
	}
	for _, x := range d.after.Dropped {
		if x.ID == i.ID() {
			return x.String()
		}
	}
	return "removed"
}

// fresh says of something of the new tree where it comes from.
func (d *Comparison) fresh(i *Instance) string {
	switch from, ok := d.movesFrom(i); {
	case ok && from == i.ID():
		return "it stood alone before"
	case ok:
		return "it moves here from " + from
	}
	return "new"
}

// movesTo finds a group into which a resource of before comes, and movesFrom one that a resource of after leaves. What
// several groups share, and each keeps, does not move.
func (d *Comparison) movesTo(i *Instance) (group string, ok bool)   { return d.moves(i, 1) }
func (d *Comparison) movesFrom(i *Instance) (group string, ok bool) { return d.moves(i, 0) }

func (d *Comparison) moves(i *Instance, other int) (string, bool) {
	d.index()
	id := i.ID()
	for _, g := range d.places[other][id] {
		if g != i.Group().ID() && d.byPlace[1-other][place{g, id}] == nil && d.byPlace[other][place{i.Group().ID(), id}] == nil {
			return g, true
		}
	}
	return "", false
}

// String says why the element was dropped, and where.
func (x Drop) String() string {
	line := func(e Element) string {
		l, _ := e.Position()
		return fmt.Sprintf("line %d", l)
	}
	switch x.Reason {
	case DropIncomplete:
		return line(x.Element) + ": a required attribute is missing, and the manager drops it and what stands behind it"
	case DropBehind:
		return fmt.Sprintf("%s: it stands behind <%s> of %s, which lacks a required attribute: the manager reads no further", line(x.Element), x.At.Tag(), line(x.At))
	case DropCollision:
		return line(x.Element) + ": another one of its type has the same primary or unique value"
	case DropNoResource:
		return line(x.Element) + ": its reference names nothing in <resources>"
	case DropInline:
		return line(x.Element) + ": its reference names what is not defined in <resources>"
	case DropInstances:
		return line(x.Element) + ": it is referenced more often than its type allows"
	case DropForbidden:
		return line(x.Element) + ": it may not stand there"
	}
	return line(x.Element) + ": dropped"
}
