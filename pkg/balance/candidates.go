package balance

import (
	"context"
	"slices"
)

// places are the nodes of a MayRun that are online.
type places struct {
	of    []Placement
	nodes []*node
	score []int
}

// placesOf finds them, once a pass for all VMs that have the same.
func (r *round) placesOf(vm *VM) *places {
	if len(vm.MayRun) == 0 {
		return &places{}
	}
	key := &vm.MayRun[0]
	if p := r.places[key]; p != nil && len(p.of) == len(vm.MayRun) {
		return p
	}
	p := &places{of: vm.MayRun, nodes: make([]*node, 0, len(vm.MayRun)), score: make([]int, 0, len(vm.MayRun))}
	for _, x := range vm.MayRun {
		if n := r.nodes[x.Node]; n != nil && n.Online {
			p.nodes, p.score = append(p.nodes, n), append(p.score, x.Score)
		}
	}
	r.places[key] = p
	return p
}

// candidates are the nodes, but for the owner, on which the manager would let the VM run and that are online. The lists
// are good up to the next call: most VMs have no need to keep them.
func (r *round) candidates(vm *VM) ([]Candidate, []*node) {
	list, ends := r.list[:0], r.ends[:0]
	p, owner := r.placesOf(vm), r.nodes[vm.Owner]
	for i, n := range p.nodes {
		if n != owner {
			list = append(list, Candidate{Node: n.Name, Score: p.score[i], Guests: n.guests - n.given})
			ends = append(ends, n)
		}
	}
	r.list, r.ends = list, ends
	return list, ends
}

// firstCandidate makes first the first of candidates, and tells how many there are.
func (r *round) firstCandidate(vm *VM, owner *node) (end *node, count int) {
	p := r.placesOf(vm)
	for i, n := range p.nodes {
		if n == owner {
			continue
		}
		if count == 0 {
			r.one, end = Candidate{Node: n.Name, Score: p.score[i], Guests: n.guests - n.given}, n
		}
		count++
	}
	return end, count
}

// manyCandidates is how many candidates of a VM are kept though the rule said nothing of them.
const manyCandidates = 32

// evaluate runs the rule for each candidate, or once for all if it never looked at one. It gives the gain that a built-in
// one tells.
func (r *round) evaluate(ctx context.Context, b *balanced, owner *node, d *Decision) (gain float64) {
	vm, rule := b.vm, b.rule
	trace := r.in.Trace != nil && r.in.Trace(b.id) || r.in.Only != nil && r.in.Only(*vm)
	e := &r.eval
	e.r, e.vm, e.of, e.reads, e.need, e.gain, e.aim, e.worthy, e.askedVM = r, b.id, vm, nil, 0, 0, aim{}, nil, false
	end, count := r.firstCandidate(vm, owner)
	first := &r.one
	d.Considered = count
	if count == 0 || ctx.Err() != nil {
		return 0
	}
	many := !trace && (count > manyCandidates || r.in.Terse) // a million of them would fill the memory
	e.sparing = many
	pure := rule.Program.Deterministic()
	e.run(ctx, rule, owner, end, first, trace)
	once := !e.askedTarget && pure
	if once && first.Said == SaidNothing {
		d.Err, d.Reads = first.Err, e.reads
		if !trace {
			if first.Err == nil && !e.askedVM {
				owner.silent = append(owner.silent, rule)
			}
			return e.gain
		}
	}
	list, ends := r.candidates(vm)
	list[0] = *first
	for i := 1; i < len(list) && ctx.Err() == nil; i++ {
		c := &list[i]
		if once {
			c.Said, c.Weight, c.Line, c.Output, c.Err, c.Trace = first.Said, first.Weight, first.Line, first.Output, first.Err, first.Trace
			continue
		}
		e.run(ctx, rule, owner, ends[i], c, trace)
	}
	if many {
		list = slices.DeleteFunc(list, func(c Candidate) bool { return c.Said == SaidNothing && c.Err == nil && c.Output == "" })
	}
	d.Candidates, d.Reads = slices.Clone(list), e.reads
	return e.gain
}

// silent tells whether the rule of a VM has been asked for another on the same node, looked at no VM and no target, and said nothing.
func (r *round) silent(b *balanced) bool {
	if b.vm == nil || b.vm.State != Started {
		return false
	}
	owner := r.owners[b.at]
	return owner != nil && slices.Contains(owner.silent, b.rule)
}
