package balance

import "context"

// alone decides on the VMs that Input.Only asks for. What is decided on the others matters to them only once their own
// rule has asked for something: then the others go before them that would in a pass of all, as far as they still can take a
// turn away. One thing is not looked at: a rule of many VMs that has run into its limits for others is not run again in a
// pass of all, and here it is.
func (r *round) alone(ctx context.Context, list []balanced) []Decision {
	asked := make([]bool, len(list))
	wants := false
	var out []Decision
	for i := range list {
		b := &list[i]
		vm := VM{Name: b.name}
		if b.vm != nil {
			vm = *b.vm
		}
		if asked[i] = r.in.Only(vm); !asked[i] {
			continue
		}
		a, d := r.first(ctx, b)
		wants = wants || a.vm != nil
		out = append(out, d)
	}
	if !wants || ctx.Err() != nil {
		return out
	}
	for i := range r.over { // each rule is asked from the start
		delete(r.over, i)
	}
	r.late = 0
	if r.builtins(list) || !r.limited() {
		return r.pick(r.all(ctx, list, asked), asked)
	}
	// No rule tells what it expects of a move: all have their turn in the order of balance.
	out = out[:0]
	left := 0
	for _, is := range asked {
		if is {
			left++
		}
	}
	for i := range list {
		b := &list[i]
		if left == 0 || ctx.Err() != nil {
			break
		}
		if !asked[i] && (r.moved >= r.set.MovesPerPass || r.stuck(b)) {
			continue // whatever it asks for, it gets nothing
		}
		a, d := r.first(ctx, b)
		if a.vm != nil {
			r.brief = !asked[i]
			r.settle(ctx, a, &d)
		}
		if asked[i] {
			out = append(out, d)
			left--
		}
	}
	return out
}

// stuck tells that a VM stays whatever its rule says, which need not be asked then, nor compiled: it is held by a rail that does not
// look at what the rule read, and so it is at each node that it could go to.
func (r *round) stuck(b *balanced) bool {
	if b.vm == nil || b.rule == nil {
		return true
	}
	vm, owner := b.vm, r.owners[b.at]
	if vm.State != Started || owner == nil || !owner.Online {
		return true
	}
	r.rule, r.reads, r.brief = b.rule, nil, true
	defer func() { r.brief = false }()
	rows := r.rowsOf()
	for _, x := range rows {
		if x.vm != nil && x.vm(r, vm) != "" {
			return true
		}
	}
	for _, n := range r.placesOf(vm).nodes {
		if n != owner && !r.shut(vm, n, rows) {
			return false
		}
	}
	return true
}

// shut tells that a rail which does not look at what a rule read holds the VM at a node. Memory, the last, is asked first.
func (r *round) shut(vm *VM, n *node, rows []row) bool {
	r.one = Candidate{Node: n.Name}
	for i := len(rows) - 1; i >= 0; i-- {
		if x := rows[i]; x.target != nil && x.target(r, vm, &r.one) != "" {
			return true
		}
	}
	return false
}

// builtins tells whether the rule of a VM is a built-in one, which may take turns.
func (r *round) builtins(list []balanced) bool {
	for _, b := range list {
		if b.vm == nil {
			continue
		}
		if rule := b.rule; rule != nil && rule.late == nil {
			if _, ok := rule.Program.(Relief); ok {
				return true
			}
		}
	}
	return false
}

// limited tells whether the rail on moves in a pass holds every VM.
func (r *round) limited() bool {
	off := func(rule *Rule) bool { on, switched := rule.Rails[movesPerPass]; return switched && !on }
	for _, rule := range r.in.Config.Rules {
		if off(rule) {
			return false
		}
	}
	r.rule = nil
	return r.on(movesPerPass) && (r.in.Config.Default == nil || !off(r.in.Config.Default))
}

func (r *round) pick(all []Decision, asked []bool) []Decision {
	var out []Decision
	for i, d := range all {
		if asked[i] {
			out = append(out, d)
		}
	}
	return out
}
