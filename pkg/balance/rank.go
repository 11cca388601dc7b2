package balance

import (
	"cmp"
	"math"
	"slices"
)

// rank orders the candidates at these indexes, best first, and numbers them:
//
//  1. the weight that the rule gave, migrate(WEIGHT), higher first;
//  2. the score of the manager's placement (a failover domain's priority), higher first;
//  3. the projected load: the mean of a load that the rule read, with the VM; lower first, unknown last;
//  4. the number of guests, fewest first;
//  5. the name.
func rank(list []Candidate, order []int) {
	slices.SortFunc(order, func(i, j int) int {
		a, b := &list[i], &list[j]
		return cmp.Or(
			cmp.Compare(b.Weight, a.Weight),
			cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.projected(), b.projected()),
			cmp.Compare(a.Guests, b.Guests),
			cmp.Compare(a.Node, b.Node),
		)
	})
	for n, i := range order {
		list[i].Rank = n + 1
	}
}

func (c *Candidate) projected() float64 {
	switch {
	case c.Projected != nil:
		return *c.Projected
	case c.Measured != nil:
		return c.Measured.Average
	}
	return math.Inf(1)
}

// measure gives the candidates at these indexes a value to be compared by: of the first load that the rule read, of
// the targets or else of the owner, over the same minutes.
func (r *round) measure(vm *VM, list []Candidate, of []int) {
	r.measureBy(r.comparedBy(list, of), vm, list, of)
}

// comparedBy is what they are compared by, or nil.
func (r *round) comparedBy(list []Candidate, of []int) *Read {
	for _, i := range of {
		if by := r.firstLoad(list[i].Reads); by != nil {
			return by
		}
	}
	return r.firstLoad(r.reads)
}

func (r *round) measureBy(by *Read, vm *VM, list []Candidate, of []int) {
	if by == nil {
		return
	}
	x, _ := r.in.Config.resource(by.Resource)
	for _, i := range of {
		n := r.nodes[list[i].Node]
		if w := r.window(n, by.Resource, by.Minutes); w.err == nil {
			list[i].Measured = &w.read
			if then, err := r.after(vm, x, by.Minutes, n); err == nil {
				list[i].Projected = &then
			}
		}
	}
}

func (r *round) firstLoad(reads []*Read) *Read {
	for _, read := range reads {
		if x, ok := r.in.Config.resource(read.Resource); ok && x.Load {
			return read
		}
	}
	return nil
}
