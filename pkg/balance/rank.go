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
//  3. the mean of a load that the rule read, lower first, unknown last;
//  4. the number of guests, fewest first;
//  5. the name.
func rank(list []Candidate, order []int) {
	slices.SortFunc(order, func(i, j int) int {
		a, b := &list[i], &list[j]
		return cmp.Or(
			cmp.Compare(b.Weight, a.Weight),
			cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.mean(), b.mean()),
			cmp.Compare(a.Guests, b.Guests),
			cmp.Compare(a.Node, b.Node),
		)
	})
	for n, i := range order {
		list[i].Rank = n + 1
	}
}

func (c *Candidate) mean() float64 {
	if c.Measured == nil {
		return math.Inf(1)
	}
	return c.Measured.Average
}

// measure gives the candidates at these indexes a value to be compared by: of the first load that the rule read, of
// the targets or else of the owner, over the same minutes.
func (r *round) measure(list []Candidate, of []int) {
	var by *Read
	for _, i := range of {
		if by = r.firstLoad(list[i].Reads); by != nil {
			break
		}
	}
	if by == nil {
		by = r.firstLoad(r.reads)
	}
	if by == nil {
		return
	}
	for _, i := range of {
		if w := r.window(r.nodes[list[i].Node], by.Resource, by.Minutes); w.err == nil {
			list[i].Measured = &w.read
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
