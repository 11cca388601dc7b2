package perl

import "slices"

// target takes its share of the values on the right and tells how many they were.
type target func(m *machine, vals []Value) int

// assignCount compiles a list assignment; it gives the number of values on the right.
func (c *compiler) assignCount(n *node) func(*machine) int {
	right := c.list(limitedSplit(n))
	if slots := c.plainTargets(n.kids[0]); slots != nil {
		return func(m *machine) int {
			base := len(m.stack)
			right(m)
			vals := m.stack[base:]
			for i, s := range slots {
				if i < len(vals) {
					*m.f.s[s] = vals[i]
				} else {
					*m.f.s[s] = Value{}
				}
			}
			m.stack = m.stack[:base]
			return len(vals)
		}
	}
	var targets []target
	for _, k := range leftItems(n.kids[0]) {
		targets = append(targets, c.target(k))
	}
	return func(m *machine) int {
		base := len(m.stack)
		right(m)
		vals := m.stack[base:]
		count := len(vals)
		for _, t := range targets {
			vals = vals[t(m, vals):]
		}
		m.stack = m.stack[:base]
		return count
	}
}

// limitedSplit is the right side; a split into scalars makes one part more than there are, as perl's does.
func limitedSplit(n *node) *node {
	r := bare(n.kids[1])
	if r.kind != nFunc || r.name != "split" || len(r.kids) != 2 {
		return n.kids[1]
	}
	left := leftItems(n.kids[0])
	for _, k := range left {
		if isArray(k) || isHash(k) || k.kind == nSlice || k.kind == nKeySlice {
			return n.kids[1]
		}
	}
	limited := *r
	limited.kids = []*node{r.kids[0], r.kids[1], {kind: nConst, off: r.off, end: r.end, val: Int(int64(len(left) + 1))}}
	return &limited
}

// plainTargets gives the slots of my ($x, $y) where nothing but values goes into them; nil for all other left sides.
func (c *compiler) plainTargets(l *node) []int {
	if l.kind != nMy || l.name != "my" || !l.paren || c.prog.usesRefs {
		return nil
	}
	slots := make([]int, 0, len(l.kids))
	for _, k := range l.kids {
		if k.kind != nVar || k.sigil != '$' || k.global {
			return nil
		}
		slots = append(slots, k.slot)
	}
	return slots
}

// leftItems are the variables on the left, each with its own declaration.
func leftItems(l *node) []*node {
	switch l.kind {
	case nList:
		var all []*node
		for _, k := range l.kids {
			if k.kind == nList || k.kind == nMy && k.paren {
				all = append(all, leftItems(k)...)
			} else {
				all = append(all, k)
			}
		}
		return all
	case nMy:
		var all []*node
		for _, k := range l.kids {
			all = append(all, &node{kind: nMy, name: l.name, off: k.off, end: k.end, kids: []*node{k}})
		}
		return all
	}
	return []*node{l}
}

func (c *compiler) target(k *node) target {
	v := k
	if k.kind == nMy {
		v = k.kids[0]
	}
	switch {
	case v.kind == nFunc: // undef skips a value
		return func(_ *machine, vals []Value) int { return min(1, len(vals)) }
	case isArray(k):
		a := c.array(k, true)
		return func(m *machine, vals []Value) int {
			m.assign(a(m), vals)
			return len(vals)
		}
	case isHash(k):
		h, at := c.hash(k, true), c.at(k)
		return func(m *machine, vals []Value) int {
			if at.warn {
				m.warnHash(at, vals, false)
			}
			m.assignHash(h(m), vals)
			return len(vals)
		}
	case k.kind == nSlice || k.kind == nKeySlice:
		return c.sliceTarget(k)
	}
	p := c.writable(k)
	return func(m *machine, vals []Value) int {
		cell := p(m)
		if len(vals) == 0 {
			*cell = Value{}
			return 0
		}
		*cell = vals[0]
		return 1
	}
}

func (c *compiler) assignVoid(n *node) func(*machine) {
	if s := bare(n.kids[1]); s.kind == nFunc && s.name == "reverse" && len(s.kids) == 1 && sameArray(n.kids[0], bare(s.kids[0])) {
		arr := c.array(n.kids[0], true)
		return func(m *machine) { // in its place: what was never set stays so
			a := arr(m)
			m.step(len(a.v))
			slices.Reverse(a.v)
		}
	}
	if s := bare(n.kids[1]); s.kind == nSort && len(s.kids) == 2 && sameArray(n.kids[0], bare(s.kids[1])) {
		c.inPlace = s
	}
	f := c.assignCount(n)
	c.inPlace = nil
	return func(m *machine) { f(m) }
}

// sameArray tells whether two nodes are the same array by its name.
func sameArray(a, b *node) bool {
	return a.kind == nVar && b.kind == nVar && a.sigil == '@' && b.sigil == '@' && a.name == b.name && a.global == b.global && a.slot == b.slot
}

// assignList is a list assignment whose variables are wanted as a list.
func (c *compiler) assignList(n *node) listFn {
	f := c.assignCount(n)
	var values []listFn
	for _, k := range leftItems(n.kids[0]) {
		if k.kind == nMy {
			k = k.kids[0]
		}
		if k.kind != nFunc {
			values = append(values, c.list(k))
		}
	}
	return func(m *machine) {
		f(m)
		for _, v := range values {
			v(m)
		}
	}
}
