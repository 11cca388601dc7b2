package perl

// list compiles n in list context.
func (c *compiler) list(n *node) listFn {
	c.count()
	switch n.kind {
	case nList:
		return c.items(n.kids)
	case nVar, nDeref:
		switch n.sigil {
		case '@':
			a, at, must := c.array(n, false), c.at(n), c.inPattern
			return func(m *machine) {
				arr := a(m)
				if arr == nil && must {
					m.die(at, m.notRef(Value{}, "an ARRAY"))
				}
				m.pushArray(arr)
			}
		case '%':
			h := c.hash(n, false)
			return func(m *machine) { m.pushHash(h(m)) }
		}
	case nMy:
		return c.myList(n)
	case nSlice, nKeySlice, nPairSlice, nListSlice:
		return c.sliceList(n)
	case nAssign:
		if listAssign(n) {
			return c.assignList(n)
		}
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.list(n.kids[1]), c.list(n.kids[2])
		return func(m *machine) {
			if cond(m) {
				a(m)
			} else {
				b(m)
			}
		}
	case nAnd, nOr, nDor:
		return c.logicList(n)
	case nRange:
		from, to, at := c.checked(n.kids[0], c.scalar(n.kids[0]), "range (or flop)", false), c.checked(n.kids[1], c.scalar(n.kids[1]), "range (or flop)", false), c.at(n)
		return func(m *machine) {
			a := from(m)
			m.pushRange(a, to(m), at)
		}
	case nBinary:
		if n.name == "x" && n.kids[0].kind == nList && n.kids[0].paren {
			return c.repeatList(n)
		}
	case nCall:
		return c.call(n, WantList).list
	case nDynCall:
		return c.dynCall(n, WantList).list
	case nFunc:
		if f := c.funcList(n); f != nil {
			return f
		}
	case nMatch:
		return c.matchList(n)
	case nSort:
		return c.sortList(n)
	case nMap:
		if f := c.mapList(n); f != nil {
			return f
		}
	case nDo:
		body := c.valueBlock(n.kids[0], WantList)
		return func(m *machine) {
			body(m)
			m.stack = append(m.stack, m.rets...)
		}
	case nEval:
		body := c.evalBlock(n.kids[0], WantList)
		return func(m *machine) {
			if body(m) {
				m.stack = append(m.stack, m.rets...)
			}
		}
	case nReturn, nNext, nLast:
		return c.escape(n)
	case nRef:
		if k := n.kids[0]; k.kind == nList && k.paren {
			return c.refList(k)
		}
	case nLocal:
	}
	f := c.scalar(n)
	return func(m *machine) {
		v := f(m)
		m.stack = append(m.stack, v)
	}
}

func (c *compiler) items(kids []*node) listFn {
	if aliased(kids) {
		return c.aliasedItems(kids)
	}
	switch len(kids) {
	case 0:
		return func(*machine) {}
	case 1:
		return c.list(kids[0])
	case 2:
		a, b := c.list(kids[0]), c.list(kids[1])
		return func(m *machine) {
			a(m)
			b(m)
		}
	}
	fns := make([]listFn, len(kids))
	for i, k := range kids {
		fns[i] = c.list(k)
	}
	return func(m *machine) {
		for _, f := range fns {
			f(m)
		}
	}
}

// logicList passes the context on to the right side only.
func (c *compiler) logicList(n *node) listFn {
	word := wording(n.kids[0])
	left, right, kind, tracing := c.scalar(n.kids[0]), c.list(n.kids[1]), n.kind, c.tracing
	return func(m *machine) {
		v := left(m)
		if tracing {
			m.traceValue(n, word(v), word(v), "")
		}
		if goesRight(kind, v) {
			right(m)
			return
		}
		m.stack = append(m.stack, v)
	}
}

func goesRight(kind nodeKind, left Value) bool {
	switch kind {
	case nAnd:
		return left.Bool()
	case nOr:
		return !left.Bool()
	}
	return left.k == kUndef
}

func (c *compiler) repeatList(n *node) listFn {
	list, count := c.list(n.kids[0]), c.scalar(n.kids[1])
	return func(m *machine) {
		base := len(m.stack)
		list(m)
		part := len(m.stack) - base
		k := count(m).Int64()
		if k <= 0 || part == 0 {
			m.stack = m.stack[:base]
			return
		}
		if k > int64(m.maxElements) || int(k)*part > m.maxElements {
			m.exceed("elements", m.maxElements)
		}
		m.room(int(k) * part)
		for i := int64(1); i < k; i++ {
			m.stack = append(m.stack, m.stack[base:base+part]...)
		}
	}
}
