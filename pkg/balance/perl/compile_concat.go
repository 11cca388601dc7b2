package perl

// concatenated compiles a concatenation of three items or more, of which a later one may change a variable that stands before
// it, such as 'a' . $x . ($x = 4): perl 5.28 and later work out all items, which are the variables themselves, and join them
// then. It is nil for all others.
func (c *compiler) concatenated(n *node) scalarFn {
	if n.name != "." || !readLate(n) {
		return nil
	}
	items := concatItems(nil, n)
	if len(items) < 3 || !changedLater(items) {
		return nil
	}
	places := make([]ptrFn, len(items))
	for i, k := range items {
		places[i] = c.heldPlace(k)
	}
	return joined(places)
}

// readLate tells whether something below n may change what stands before it; it costs nothing for plain rules.
func readLate(n *node) bool {
	return holds(n, nMatch) || mutates(n)
}

// concatItems are the items of a chain of dots in their order.
func concatItems(items []*node, n *node) []*node {
	if n = bare(n); n.kind == nBinary && n.name == "." {
		return append(concatItems(items, n.kids[0]), unwrapped(n.kids[1]))
	}
	return append(items, unwrapped(n))
}

// changedLater tells whether an item may change a variable, or a capture, that is an item before it.
func changedLater(items []*node) bool {
	variable, capture := false, false
	for _, k := range items {
		if variable && mutates(k) || capture && holds(k, nMatch, nSubst) {
			return true
		}
		variable = variable || lastsAsPlace(k)
		capture = capture || k.kind == nCapture
	}
	return false
}

// unwrapped is n without parentheses and without do around a single variable: perl drops such a block.
func unwrapped(n *node) *node {
	n = bare(n)
	if n.kind == nDo && len(n.kids[0].kids) == 1 {
		if inner := unwrapped(n.kids[0].kids[0]); inner.kind == nCapture || lastsAsPlace(inner) && !holds(inner, nMy, nLocal) {
			return inner
		}
	}
	return n
}

// lastsAsPlace tells whether n is a variable, or ends in one.
func lastsAsPlace(n *node) bool {
	switch n.kind {
	case nVar, nDeref:
		return n.sigil == '$'
	case nIndex, nKey, nListSlice, nIncDec, nAssign, nCond, nAnd, nOr, nDor:
		return true
	}
	return false
}

// heldPlace is place for what is read when all is worked out, as captures are, too.
func (c *compiler) heldPlace(n *node) ptrFn {
	if n.kind == nCapture {
		v := Value{k: kLate, p: n.name}
		return func(m *machine) *Value { return m.newCell(v) }
	}
	return c.place(n)
}

// interpLate is interp where a later part may change an earlier one: "$x@{[ $x = 4 ]}" is a concatenation, too.
func (c *compiler) interpLate(n *node) scalarFn {
	if len(n.kids) < 2 || !readLate(n) || !changedLater(n.kids) {
		return nil
	}
	places := make([]ptrFn, len(n.kids))
	for i, k := range n.kids {
		if lastsAsPlace(k) || k.kind == nCapture {
			places[i] = c.heldPlace(k)
			continue
		}
		f := c.part(k, false)
		places[i] = func(m *machine) *Value {
			b := f(m, m.takeBuffer())
			m.charge(len(b))
			v := String(string(b))
			m.buf = b
			return m.newCell(v)
		}
	}
	return joined(places)
}

// joined works out all places and joins what is in them then.
func joined(places []ptrFn) scalarFn {
	return func(m *machine) Value {
		base := len(m.ptrs)
		for _, f := range places {
			p := f(m)
			m.ptrs = append(m.ptrs, p)
		}
		b := m.takeBuffer()
		for _, p := range m.ptrs[base:] {
			v := *p
			if v.k == kLate {
				v = m.late(v)
			}
			if b = appendValue(b, v); len(b) > m.maxBytes {
				m.exceed("bytes", m.maxBytes)
			}
		}
		m.ptrs = m.ptrs[:base]
		m.charge(len(b))
		v := String(string(b))
		m.buf = b
		return v
	}
}
