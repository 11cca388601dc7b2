package perl

// void compiles n for its effect only.
func (c *compiler) void(n *node) func(*machine) {
	switch n.kind {
	case nCall:
		f := c.call(n, WantVoid).scalar
		return func(m *machine) { f(m) }
	case nEval:
		body := c.evalBlock(n.kids[0], WantVoid)
		return func(m *machine) { body(m) }
	case nAssign:
		if listAssign(n) {
			return c.assignVoid(n)
		}
	case nIncDec:
		p, up := c.stepCell(&node{name: n.name, off: n.off, kids: n.kids}), n.name == "++"
		return func(m *machine) {
			cell := p(m)
			if cell.k == kIV && int64(cell.n) != 1<<63-1 && int64(cell.n) != -1<<63 {
				if cell.p = nil; up { // it is no truth any more
					cell.n++
				} else {
					cell.n--
				}
				return
			}
			*cell = m.charged(stepValue(*cell, up))
		}
	case nMap:
		if n.name == "map" || n.name == "grep" {
			f := c.mapScalar(n)
			return func(m *machine) { f(m) }
		}
	case nSort:
		return func(*machine) {}
	case nList:
		fns := make([]func(*machine), len(n.kids))
		for i, k := range n.kids {
			fns[i] = c.void(k)
		}
		return func(m *machine) {
			for _, f := range fns {
				f(m)
			}
		}
	case nMy:
		if n.paren {
			f := c.myList(n)
			return func(m *machine) {
				base := len(m.stack)
				f(m)
				m.stack = m.stack[:base]
			}
		}
	case nAnd, nOr:
		if c.tracing {
			break
		}
		cond, right, want := c.cond(n.kids[0]), c.void(n.kids[1]), n.kind == nAnd
		return func(m *machine) {
			if cond(m) == want {
				right(m)
			}
		}
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.void(n.kids[1]), c.void(n.kids[2])
		return func(m *machine) {
			if cond(m) {
				a(m)
			} else {
				b(m)
			}
		}
	case nSlice, nKeySlice, nPairSlice, nListSlice:
		f := c.list(n)
		return func(m *machine) {
			base := len(m.stack)
			f(m)
			m.stack = m.stack[:base]
		}
	}
	f := c.scalar(n)
	return func(m *machine) { f(m) }
}

// bothSides compiles the two sides of xor.
func (c *compiler) bothSides(n *node) func(*machine) (x, y bool) {
	b := c.cond(n.kids[1])
	if mutates(n.kids[1]) { // as in mutating
		left := c.place(n.kids[0])
		return func(m *machine) (x, y bool) {
			cell := left(m)
			y = b(m)
			return cell.Bool(), y
		}
	}
	a := c.cond(n.kids[0])
	return func(m *machine) (x, y bool) {
		x = a(m)
		return x, b(m)
	}
}

// cond compiles n as a condition.
func (c *compiler) cond(n *node) condFn {
	if c.tracing {
		if f := c.tracedLogic(n); f != nil {
			return f
		}
	}
	switch n.kind {
	case nBinary:
		if c.warns {
			break
		}
		if f := c.compare(n); f != nil {
			return f
		}
	case nChain:
		return c.chain(n)
	case nAnd:
		a, b := c.cond(n.kids[0]), c.cond(n.kids[1])
		return func(m *machine) bool { return a(m) && b(m) }
	case nOr:
		a, b := c.cond(n.kids[0]), c.cond(n.kids[1])
		return func(m *machine) bool { return a(m) || b(m) }
	case nXor:
		sides := c.bothSides(n)
		return func(m *machine) bool {
			x, y := sides(m)
			return x != y
		}
	case nNot:
		f := c.cond(n.kids[0])
		return func(m *machine) bool { return !f(m) }
	case nList:
		if len(n.kids) == 1 {
			return c.cond(n.kids[0])
		}
	case nVar, nDeref:
		switch n.sigil {
		case '@':
			a := c.array(n, false)
			return func(m *machine) bool {
				arr := a(m)
				return arr != nil && len(arr.v) > 0
			}
		case '%':
			h := c.hash(n, false)
			return func(m *machine) bool {
				x := h(m)
				return x != nil && x.live > 0
			}
		}
	case nMatch:
		return c.matchCond(n)
	}
	f := c.scalar(n)
	return func(m *machine) bool { return f(m).Bool() }
}
