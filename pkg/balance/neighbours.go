package balance

import (
	"fmt"
	"slices"
)

// neighbours keeps guests apart or together, as lbvm.conf says. The VMs of one service go together: one that is not in
// balance holds them all.
func neighbours(r *round, vm *VM, c *Candidate) string {
	for _, other := range r.along(vm) {
		if !r.isBalanced(other) {
			return other.ID() + " of its service would go as well, and is not in balance"
		}
	}
	for _, group := range r.in.Config.Apart {
		for _, other := range r.others(group, vm) {
			if other.Owner == c.Node || r.comes(other, c.Node) {
				return fmt.Sprintf("%s is to stay apart from it, and is on %s or on its way there", other.ID(), c.Node)
			}
		}
	}
	for _, group := range r.in.Config.Together {
		for _, other := range r.others(group, vm) {
			if other.Owner != "" && other.Owner != c.Node && !r.comes(other, c.Node) && !slices.Contains(r.unit, other) {
				return fmt.Sprintf("%s is to stay with it, and is on %s", other.ID(), other.Owner)
			}
		}
	}
	return ""
}

// others are the VMs of a list besides vm and those of its service, if one of these is in the list.
func (r *round) others(names []string, vm *VM) []*VM {
	var out []*VM
	in := false
	for _, name := range names {
		x, err := r.index.find(name)
		switch {
		case err != nil: // there is no such VM: nothing to stay away from
		case r.group(x) == r.group(vm):
			in = true
		default:
			out = append(out, x)
		}
	}
	if !in {
		return nil
	}
	return out
}

func (r *round) comes(vm *VM, node string) bool {
	n := r.nodes[node]
	return n != nil && slices.Contains(n.coming, vm)
}

// isBalanced tells whether a VM stands in balance.
func (r *round) isBalanced(vm *VM) bool {
	return slices.ContainsFunc(r.in.Config.Balance, func(name string) bool {
		x, err := r.index.find(name)
		return err == nil && x == vm
	})
}
