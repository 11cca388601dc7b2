package balance

import (
	"fmt"
	"slices"
	"time"
)

// What the rails on load and memory leave free.
const (
	loadMargin   = 0.05 // of all processors, or of the owner's load
	memoryMargin = 20   // a 20th of a node's memory
)

// on tells whether a rail may stand in the way of the VM at hand.
func (r *round) on(name string) bool {
	if r.rule != nil {
		if on, switched := r.rule.Rails[name]; switched {
			return on
		}
	}
	return !slices.Contains(r.set.Off, name)
}

// measured tells whether somebody has measured a VM's part of a resource.
func (v *VM) measured(x Resource) bool {
	if x.CPU {
		return v.Cores > 0
	}
	_, ok := v.Uses[x.Name]
	return ok
}

// share is what a VM adds to a load of a node: what it was measured to use, else an even share of what its owner has. load
// is the owner's mean. Nodes whose processors nobody knows are taken for equal.
func (r *round) share(vm *VM, x Resource, load float64, to *node) float64 {
	switch {
	case x.CPU && vm.Cores > 0 && to.Cores > 0:
		return vm.Cores / to.Cores
	case !x.CPU && vm.measured(x):
		return vm.Uses[x.Name]
	}
	owner := r.nodes[vm.Owner]
	if owner == nil {
		return 0
	}
	guests := owner.guests
	if r.again {
		guests -= owner.given
	}
	even := load / float64(max(guests, 1))
	if !x.CPU || owner.Cores <= 0 || to.Cores <= 0 {
		return even
	}
	return even * owner.Cores / to.Cores
}

// after is the load of a node with the VM and the others of its service on it, and with those that are on their way to it or came so
// lately that the window does not show all of them.
func (r *round) after(vm *VM, x Resource, minutes int, to *node) (float64, error) {
	w := r.window(to, x.Name, minutes)
	if w.err != nil {
		return 0, w.err
	}
	sum := w.read.Average + r.unseen(w, x, to) + r.shareOf(vm, x, minutes, to)
	for _, v := range r.along(vm) {
		sum += r.shareOf(v, x, minutes, to)
	}
	coming := to.coming
	if r.again {
		coming = coming[:len(coming)-to.given]
	}
	for _, v := range coming {
		sum += r.shareOf(v, x, minutes, to)
	}
	return sum, nil
}

// unseen is what is lacking in the mean of a window for the VMs that came to the node within it: the samples of the time before do not
// hold them, and a node that has taken one would look as cool as before to the next. Nothing is taken off for those that left.
func (r *round) unseen(w *window, x Resource, n *node) float64 {
	if w.unseen != nil {
		return *w.unseen
	}
	// With nothing else that this pass gives: it is reckoned once.
	defer func(again bool) { r.again = again }(r.again)
	r.again = true
	span := time.Duration(w.read.Minutes) * time.Minute
	begin, sum := r.in.At.Add(-span), 0.0
	var seen []*VM
	add := func(vm *VM, at time.Time) {
		if vm.Owner != n.Name || !at.After(begin) || slices.Contains(seen, vm) {
			return
		}
		seen = append(seen, vm)
		sum += min(1, float64(at.Sub(begin))/float64(span)) * r.shareOf(vm, x, w.read.Minutes, n)
	}
	for _, vm := range n.came {
		add(vm, vm.Since)
	}
	for i := range r.in.Recent { // not every manager tells since when and from where
		m := &r.in.Recent[i]
		if m.End.After(begin) && m.To == n.Name && m.From != m.To {
			if vm, err := r.index.find(m.VM); err == nil {
				for _, x := range append([]*VM{vm}, r.companions(vm)...) {
					add(x, m.End)
				}
			}
		}
	}
	w.unseen = &sum
	return sum
}

func (r *round) shareOf(vm *VM, x Resource, minutes int, to *node) float64 {
	load := 0.0
	if owner := r.nodes[vm.Owner]; owner != nil {
		if w := r.window(owner, x.Name, minutes); w.err == nil {
			load = w.read.Average
		}
	}
	return r.share(vm, x, load, to)
}

// projected compares the target with the VM to the owner as it is now, by the load that the rule read.
func projected(r *round, vm *VM, c *Candidate) string {
	owner := r.nodes[vm.Owner]
	if c.Measured == nil || owner == nil {
		return ""
	}
	x, ok := r.in.Config.resource(c.Measured.Resource)
	if !ok {
		return ""
	}
	now := r.window(owner, x.Name, c.Measured.Minutes)
	if now.err != nil {
		return now.err.Error()
	}
	then, err := r.after(vm, x, c.Measured.Minutes, r.nodes[c.Node]) // anew: another may be on its way since
	if err != nil {
		return err.Error()
	}
	margin := loadMargin
	if !x.CPU {
		margin *= now.read.Average
	}
	if then < now.read.Average-margin {
		return ""
	}
	if r.wordless() {
		return holds
	}
	part := "measured"
	along := r.along(vm)
	if !vm.measured(x) || slices.ContainsFunc(along, func(v *VM) bool { return !v.measured(x) }) {
		part = "an even share"
	}
	with := "it"
	if n := len(along); n > 0 {
		with = fmt.Sprintf("it and %d more of its service", n)
	}
	return fmt.Sprintf("%s of %s would be %.3g with %s (%s), and is %.3g on %s now", x.Name, c.Node, then, with, part, now.read.Average, vm.Owner)
}

func headroom(r *round, vm *VM, c *Candidate) string {
	n := r.nodes[c.Node]
	need := vm.Mem
	for _, v := range r.along(vm) {
		need += v.Mem
	}
	if n.MemTotal <= 0 || need <= 0 {
		return ""
	}
	free := n.MemFree
	for _, v := range n.coming {
		free -= v.Mem
	}
	if rest := free - need; rest < n.MemTotal/memoryMargin {
		if r.wordless() {
			return holds
		}
		return fmt.Sprintf("of %d MiB that %s has free it would take %d, and %d must stay", free>>20, c.Node, need>>20, n.MemTotal/memoryMargin>>20)
	}
	return ""
}
