package perl

// aliased tells whether a later item may change a variable that is an item before it.
func aliased(kids []*node) bool {
	seen, capture := false, false
	for _, k := range kids {
		k = unwrapped(k)
		if seen && mutates(k) || capture && holds(k, nMatch, nSubst) {
			return true
		}
		seen = seen || (k.kind == nVar || k.kind == nDeref) && k.sigil == '$' || k.kind == nKey || k.kind == nIndex || k.kind == nIncDec && !k.post || k.kind == nAssign || k.kind == nList || k.kind == nCond || k.kind == nListSlice
		capture = capture || k.kind == nCapture || (k.kind == nCond || k.kind == nList) && holds(k, nCapture)
	}
	return false
}

// aliasedItems reads the items only when all have been evaluated: perl's lists hold the variables themselves.
func (c *compiler) aliasedItems(kids []*node) listFn {
	fns, lends := make([]listFn, len(kids)), c.lends
	c.lends = lendRead
	for i, k := range kids {
		fns[i] = c.late(k)
	}
	c.lends = lends
	return func(m *machine) {
		base := len(m.ptrs)
		for _, f := range fns {
			f(m)
		}
		m.room(len(m.ptrs) - base)
		for _, p := range m.ptrs[base:] {
			v := *p
			if v.k == kLate {
				v = m.late(v)
			}
			m.stack = append(m.stack, v)
		}
		m.ptrs = m.ptrs[:base]
	}
}

// late reads what was kept for the end of its list.
func (m *machine) late(v Value) Value {
	switch x := v.p.(type) {
	case string:
		return m.capture(x)
	case *array:
		return Int(int64(len(x.v)) - 1)
	case loan:
		if x.hash == nil {
			return x.arr.at(x.i)
		}
		if cell := x.hash.get(x.key); cell != nil {
			return *cell
		}
	}
	return Value{}
}

// formatItems are the arguments of sprintf: perl takes them for variables, so that it finds an element that a later one makes.
func (c *compiler) formatItems(kids []*node) listFn {
	element := false
	for _, k := range kids {
		k = bare(k)
		if element && makes(k) {
			c.madeLater = true
			f := c.aliasedItems(kids)
			c.madeLater = false
			return f
		}
		element = element || k.kind == nIndex || k.kind == nKey || k.kind == nArrayLen
	}
	return c.items(kids)
}

// makes tells whether n may make elements, or take some away.
func makes(n *node) bool {
	found := mutates(n)
	var look func(*node)
	look = func(n *node) {
		found = found || n.kind == nFunc && (n.name == "push" || n.name == "unshift" || n.name == "splice" || n.name == "pop" || n.name == "shift")
		n.each(look)
	}
	look(n)
	return found
}

// awaited is an element that may be made before it is read.
func (c *compiler) awaited(n *node) listFn {
	if n.kind == nKey {
		h, key := c.hashToRead(n.kids[0]), c.keyOf(n.kids[1])
		return func(m *machine) {
			x, k := h(m), key(m)
			cell := x.get(k)
			if cell == nil {
				cell = m.newCell(Value{k: kLate, p: loan{hash: x, key: k}})
			}
			m.ptrs = append(m.ptrs, cell)
		}
	}
	arr, idx := c.arrayToRead(n.kids[0]), c.scalar(n.kids[1])
	return func(m *machine) {
		a, i := arr(m), idx(m).iv()
		k := a.index(i)
		switch {
		case k >= 0 && a.v[k] != nil:
			m.ptrs = append(m.ptrs, a.v[k])
			return
		case k >= 0:
			i = int64(k)
		case i < 0: // none that a later argument makes
			m.ptrs = append(m.ptrs, m.newCell(Value{}))
			return
		}
		m.ptrs = append(m.ptrs, m.newCell(Value{k: kLate, p: loan{arr: a, i: i}}))
	}
}

// late is alias for the items of such a list. $1 and its kin are variables, too: they show the last match when they are read.
func (c *compiler) late(n *node) listFn {
	n = unwrapped(n)
	switch n.kind {
	case nKey: // reading creates nothing
		if c.madeLater {
			return c.awaited(n)
		}
		return c.aliasOf(c.place(n))
	case nIndex:
		if c.madeLater {
			return c.awaited(n)
		}
	case nArrayLen: // the length itself
		if c.madeLater {
			arr := c.array(n.kids[0], true)
			return func(m *machine) { m.ptrs = append(m.ptrs, m.newCell(Value{k: kLate, p: arr(m)})) }
		}
	case nDeref:
		if n.sigil == '$' {
			return c.aliasOf(c.place(n))
		}
	case nListSlice:
		return c.slicePlaces(n)
	case nCapture:
		v := Value{k: kLate, p: n.name}
		return func(m *machine) { m.ptrs = append(m.ptrs, m.newCell(v)) }
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.late(n.kids[1]), c.late(n.kids[2])
		return func(m *machine) {
			if cond(m) {
				a(m)
			} else {
				b(m)
			}
		}
	case nList:
		fns := make([]listFn, len(n.kids))
		for i, k := range n.kids {
			fns[i] = c.late(k)
		}
		return func(m *machine) {
			for _, f := range fns {
				f(m)
			}
		}
	}
	return c.alias(n)
}
