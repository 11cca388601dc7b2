package balance

import (
	"fmt"
	"slices"
)

// neighbours keeps guests apart or together, as lbvm.conf says.
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

// others are the VMs of a list besides vm and those of its service, if one of these is in the list.
func (r *round) others(names []string, vm *VM) []*VM {
	var out []*VM
	in := false
	for _, name := range names {
		x, err := r.index.find(name)
		switch {
		case err != nil: // there is no such VM: nothing to stay away from
		case r.of[x.ID()] == r.of[vm.ID()]:
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
