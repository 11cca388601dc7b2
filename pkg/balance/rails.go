package balance

import (
	"cmp"
	"fmt"
	"time"
)

// Rail stands between a rule that said migrate and a move. All are asked, in their order, so that each can be counted
// and explained. "" lets pass, else the text says what stands in the way.
type Rail struct {
	Name    string
	Doc     string
	Default string
	wish    bool                                 // it holds for the wish of a person (Grant), too
	asked   bool                                 // also where it is off for the VM at hand: it knows itself whose switch counts
	vm      func(*round, *VM) string             // wherever the VM would go; may be nil
	target  func(*round, *VM, *Candidate) string // for one node; may be nil
}

// movesPerPass is the rail that alone.go reckons with.
const movesPerPass = "moves-per-pass"

// Rails gives the rails in their order.
func Rails() []Rail {
	return []Rail{
		{
			Name: "stale-data", Default: "3 intervals", wish: true,
			Doc:    "A node takes no VM unless it has fresh samples of every resource that the rule read of the owner or of it, and none moves to or from a node whose clock is ahead: how old its samples are nobody can tell.",
			vm:     func(r *round, vm *VM) string { return r.ahead(vm.Owner) },
			target: staleTarget,
		},
		{
			Name: "not-started", Default: "on", wish: true,
			Doc: "Only a VM that is started, not frozen and not on its way moves; unknown is not started.",
			vm:  notStarted,
		},
		{
			Name: "settling", Default: "2 intervals",
			Doc:    "After an arrival or a departure, whoever caused it, a node gives and takes nothing until its samples show the change.",
			vm:     func(r *round, vm *VM) string { return r.settling(vm.Owner) },
			target: func(r *round, _ *VM, c *Candidate) string { return r.settling(c.Node) },
		},
		{
			Name: "cool-down", Default: "30m",
			Doc: "A VM stays for a while where a move or an attempt has left it, twice as long for each further one within 24 hours, up to eight times.",
			vm:  (*round).coolDown,
		},
		{
			Name: "cycle-guard", Default: "2h",
			Doc:    "A VM does not go back to a node that it left so lately.",
			target: cycle,
		},
		{
			Name: "back-off", Default: "1h",
			Doc:    "Where a move of the VM failed it is not tried again for a while, twice as long for each further failure within 24 hours, up to eight times.",
			target: backOff,
		},
		{
			Name: "one-in-one-out", Default: "1",
			Doc:    "A node takes one VM and gives one VM at a time; moves under way and those of this pass count.",
			vm:     oneOut,
			target: oneIn,
		},
		{
			Name: "preflight", Default: "on", wish: true,
			Doc:    "A node that was found unfit for the VM in this pass is not tried again.",
			target: refused,
		},
		{
			Name: "evacuated", Default: "on", wish: true,
			Doc:    "A node that is evacuated, or about to leave the cluster, takes no VM.",
			target: func(r *round, _ *VM, c *Candidate) string { return r.nodes[c.Node].Closed },
		},
		{
			Name: "in-balance", Default: "on",
			Doc: "A service of several VMs goes only if all of them are in balance.",
			vm:  unbalanced,
		},
		{
			Name: keepApart, Default: "on", wish: true, asked: true,
			Doc:    "Guests that apart names stay on different nodes, those that together names on one; moves under way count. Each VM of a service has its own switch.",
			target: neighbours,
		},
		{
			Name: "projected-load", Default: "5%",
			Doc:    "A node that would be as loaded with the VM as its owner is now does not take it: the load would only change places. The VM's part is measured, or else an even share of its owner's load; moves under way count.",
			target: projected,
		},
		{
			Name: "memory-headroom", Default: "5%", wish: true,
			Doc:    "Where the VM's memory and the target's are known, so much of the target's stays free; moves under way count.",
			target: headroom,
		},
		{
			Name: movesPerPass, Default: "1",
			Doc: "So many moves a pass: the next is chosen when this one shows in the samples. The manager would make them one after the other anyway.",
			vm: func(r *round, _ *VM) string {
				if r.moved < r.set.MovesPerPass {
					return ""
				}
				if r.wordless() {
					return holds
				}
				return fmt.Sprintf("%d of %d moves of this pass are given", r.moved, r.set.MovesPerPass)
			},
		},
		{
			Name: "no-quorum", Default: "on", wish: true,
			Doc: "Nothing moves in a cluster without a quorum.",
			vm: func(r *round, _ *VM) string {
				if r.in.View.Quorate {
					return ""
				}
				return "the cluster has no quorum"
			},
		},
	}
}

func refused(r *round, vm *VM, c *Candidate) string {
	for _, x := range r.in.Refused {
		if x.Node == c.Node && (x.VM == r.id(vm) || r.crowds && r.of[x.VM] != nil && r.of[x.VM] == r.group(vm)) {
			return x.Why
		}
	}
	return ""
}

// staleTarget looks for what the rule had no need to ask: it may have read the owner's values only.
func staleTarget(r *round, _ *VM, c *Candidate) string {
	if text := r.ahead(c.Node); text != "" {
		return text
	}
	n := r.nodes[c.Node]
	for _, read := range r.reads {
		if w := r.window(n, read.Resource, read.Minutes); w.err != nil {
			return w.err.Error()
		}
	}
	return ""
}

// ahead tells of a node that has measured in our future. Its samples up to now look fresh, and are older by as much.
func (r *round) ahead(name string) string {
	n := r.nodes[name]
	if n == nil || n.Seen.Sub(r.in.At) < r.set.Stale {
		return ""
	}
	return fmt.Sprintf("%s says that it measured at %s, which is to come (do the clocks agree?)", name, n.Seen.Format(time.RFC3339))
}

func notStarted(r *round, vm *VM) string {
	switch {
	case vm.State != Started:
		return "its state is " + vm.State.String()
	case vm.Owner == "":
		return "it is on no node"
	case vm.Frozen:
		return "it is frozen"
	}
	if g := r.group(vm); g != nil && g.moving != "" {
		return g.moving
	}
	if n := r.nodes[vm.Owner]; n == nil || !n.Online {
		return "its node " + vm.Owner + " is not online"
	}
	for _, other := range r.companions(vm) { // it goes with them
		switch {
		case other.State != Started || other.Owner != vm.Owner:
			return other.ID() + " of its service is " + other.State.String() + " on " + cmp.Or(other.Owner, "no node")
		case other.Frozen:
			return other.ID() + " of its service is frozen"
		}
	}
	return ""
}

func (r *round) settling(name string) string {
	n := r.nodes[name]
	if n == nil || n.changed.IsZero() {
		return ""
	}
	age := r.in.At.Sub(n.changed)
	if age >= r.set.Settle {
		return ""
	}
	if r.wordless() {
		return holds
	}
	if age < 0 {
		return fmt.Sprintf("%s: %s at %s, which is to come (do the clocks agree?)", name, n.change(), n.changed.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s: %s %s ago, it settles for %s", name, n.change(), age.Round(time.Second), r.set.Settle)
}

// The cool-down doubles with each move within repeatSpan, up to maxCooldown times the first.
const (
	repeatSpan  = 24 * time.Hour
	maxCooldown = 8
)

func (r *round) coolDown(vm *VM) string {
	var moves []Move
	if g := r.group(vm); g != nil {
		moves = g.moves
	}
	at := r.in.At
	count, last := 0, time.Time{}
	ours := false // the journal knows how the VM came to its owner
	for _, m := range moves {
		if m.From == m.To { // a restart in place
			continue
		}
		end := m.End
		if end.IsZero() {
			end = m.Begin
		}
		if at.Sub(end) < repeatSpan {
			count++
		}
		if end.After(last) {
			last = end
		}
		if !vm.Since.Before(m.Begin.Add(-r.set.Settle)) && (m.End.IsZero() || !vm.Since.After(m.End.Add(r.set.Settle))) {
			ours = true
		}
	}
	if !ours && !vm.Since.IsZero() && vm.LastOwner != "" && vm.LastOwner != vm.Owner && at.Sub(vm.Since) < repeatSpan {
		count++ // somebody else moved it, or it was recovered
		if vm.Since.After(last) {
			last = vm.Since
		}
	}
	if last.IsZero() {
		return ""
	}
	rest := r.set.Cooldown
	for i := 1; i < count && !r.set.Fixed && rest < maxCooldown*r.set.Cooldown; i++ {
		rest *= 2
	}
	age := at.Sub(last)
	if age >= rest {
		return ""
	}
	if r.wordless() {
		return holds
	}
	return fmt.Sprintf("it moved %s ago and rests for %s (%d in 24 hours)", age.Round(time.Second), rest, count)
}

func oneOut(r *round, vm *VM) string {
	if n := r.nodes[vm.Owner]; n != nil && n.leaving != "" && n.leaving != r.id(vm) {
		return vm.Owner + " gives " + n.leaving + " just now"
	}
	return ""
}

func oneIn(r *round, vm *VM, c *Candidate) string {
	if n := r.nodes[c.Node]; n != nil && n.arriving != "" && n.arriving != r.id(vm) {
		return c.Node + " takes " + n.arriving + " just now"
	}
	return ""
}
