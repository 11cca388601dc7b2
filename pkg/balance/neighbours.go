package balance

import (
	"fmt"
	"slices"
)

// keepApart is the rail that each VM of a service has for itself.
const keepApart = "keep-apart"

// unbalanced: the VMs of one service go together, and nobody has given those away that are not in balance.
func unbalanced(r *round, vm *VM) string {
	for _, other := range r.along(vm) {
		if !r.isBalanced(other) {
			return other.ID() + " of its service would go as well, and is not in balance"
		}
	}
	return ""
}

// keeps tells whether a VM keeps to apart and together, by its own switch.
func (r *round) keeps(vm *VM) bool {
	if rule := r.in.Config.uncompiled(vm, vm.Name); rule != nil {
		if on, switched := rule.Rails[keepApart]; switched {
			return on
		}
	}
	return !slices.Contains(r.set.Off, keepApart)
}

// isOff tells whether a rail cannot stand in the way of the VM at hand. keep-apart can as long as one VM of its service keeps to it.
func (r *round) isOff(rail Rail, vm *VM) bool {
	return !r.on(rail.Name) && !(rail.Name == keepApart && slices.ContainsFunc(r.along(vm), r.keeps))
}

// neighbours keeps guests apart or together, as lbvm.conf says. It looks itself whose switch is off.
func neighbours(r *round, vm *VM, c *Candidate) string {
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

// others are the VMs of a list besides vm and those of its service, if one of these is in the list that keeps to it.
func (r *round) others(names []string, vm *VM) []*VM {
	var out []*VM
	in := false
	for _, name := range names {
		x, err := r.index.find(name)
		switch {
		case err != nil: // there is no such VM: nothing to stay away from
		case r.group(x) == r.group(vm):
			in = in || r.keeps(x)
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
