package perl

// alias compiles n to what foreach, map and @_ run over: the variables themselves where there are some.
func (c *compiler) alias(n *node) listFn {
	if c.isLiteral(n) {
		return c.literalAlias(literalValue(n))
	}
	switch n.kind {
	case nCapture:
		return c.captureAlias(n.name)
	case nList:
		fns := make([]listFn, len(n.kids))
		for i, k := range n.kids {
			fns[i] = c.alias(k)
		}
		return func(m *machine) {
			for _, f := range fns {
				f(m)
			}
		}
	case nVar, nDeref:
		switch n.sigil {
		case '@':
			a := c.array(n, true)
			return func(m *machine) {
				arr := a(m)
				m.step(len(arr.v))
				for i, cell := range arr.v {
					if cell == nil {
						cell = m.newCell(Value{})
						arr.v[i] = cell
					}
					m.ptrs = append(m.ptrs, cell)
				}
			}
		case '%':
		case '$':
			return c.aliasOf(c.lvalue(n))
		}
	case nIndex:
		if c.lends == lendLoop {
			return c.aliasOf(c.lvalue(n))
		}
		return c.aliasOf(c.elementAlias(n))
	case nKey:
		if c.lends == lendLoop {
			return c.aliasOf(c.lvalue(n))
		}
		return c.aliasOf(c.place(n))
	case nMap:
		if n.name == "grep" {
			return c.aliasGrep(n)
		}
	case nMy:
		if !n.paren && n.kids[0].sigil == '$' {
			return c.aliasOf(c.lvalue(n))
		}
	case nFunc:
		if n.name == "values" && isArray(n.kids[0]) {
			return c.alias(n.kids[0])
		}
		if n.name == "values" && isHash(n.kids[0]) {
			h := c.hash(n.kids[0], true)
			return func(m *machine) {
				for _, e := range h(m).ents {
					if e.val != nil {
						m.ptrs = append(m.ptrs, e.val)
					}
				}
			}
		}
	case nSlice:
		if c.lends == lendRead {
			break
		}
		a, idx, at := c.array(n.kids[0], true), c.list(n.kids[1]), c.at(n)
		return func(m *machine) {
			arr, base := a(m), len(m.stack)
			idx(m)
			for i := base; i < len(m.stack); i++ {
				m.ptrs = append(m.ptrs, m.cell(arr, m.stack[i].iv(), at))
			}
			m.stack = m.stack[:base]
		}
	case nKeySlice:
		if c.lends == lendRead {
			break
		}
		h, keys := c.hash(n.kids[0], true), c.list(n.kids[1])
		return func(m *machine) {
			x, base := h(m), len(m.stack)
			keys(m)
			for i := base; i < len(m.stack); i++ {
				m.ptrs = append(m.ptrs, m.entry(x, m.stack[i].str()))
			}
			m.stack = m.stack[:base]
		}
	case nAssign:
		if !listAssign(n) {
			return c.aliasOf(c.lvalue(n))
		}
		if len(n.kids[0].kids) <= 1 {
			return c.aliasAssigned(n)
		}
	case nIncDec:
		if !n.post {
			return c.aliasOf(c.lvalue(n))
		}
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.alias(n.kids[1]), c.alias(n.kids[2])
		return func(m *machine) {
			if cond(m) {
				a(m)
			} else {
				b(m)
			}
		}
	case nAnd, nOr, nDor:
		lends := lendRead // their right side is only read, but perl drops a constant on the left
		if folded(n.kids[0]) {
			lends = c.lends
		}
		left, right, kind := c.place(n.kids[0]), c.lend(n.kids[1], lends), n.kind
		return func(m *machine) {
			cell := left(m)
			if goesRight(kind, *cell) {
				right(m)
				return
			}
			m.ptrs = append(m.ptrs, cell)
		}
	}
	f := c.list(n)
	return func(m *machine) {
		base := len(m.stack)
		f(m)
		m.step(len(m.stack) - base)
		for _, v := range m.stack[base:] {
			m.ptrs = append(m.ptrs, m.newCell(v))
		}
		m.stack = m.stack[:base]
	}
}

// folded tells whether perl works n out when it compiles.
func folded(n *node) bool {
	switch n.kind {
	case nConst:
		return true
	case nUnary, nNot, nBinary, nXor, nList:
		if n.kind == nList && len(n.kids) != 1 {
			return false
		}
		for _, k := range n.kids {
			if !folded(k) {
				return false
			}
		}
		return true
	}
	return false
}

// aliasAssigned is foreach (my @t = ...) and map { ... } (my @c = @a): the new array itself.
func (c *compiler) aliasAssigned(n *node) listFn {
	left := n.kids[0]
	for (left.kind == nList || left.kind == nMy) && len(left.kids) == 1 {
		left = left.kids[0]
	}
	if left.kind != nVar || left.sigil != '@' {
		f := c.list(n)
		return func(m *machine) {
			base := len(m.stack)
			f(m)
			for _, v := range m.stack[base:] {
				m.ptrs = append(m.ptrs, m.newCell(v))
			}
			m.stack = m.stack[:base]
		}
	}
	assign, arr := c.void(n), c.alias(left)
	return func(m *machine) {
		assign(m)
		arr(m)
	}
}

func (c *compiler) aliasOf(f ptrFn) listFn {
	return func(m *machine) { m.ptrs = append(m.ptrs, f(m)) }
}

// elementAlias is an element as an alias. One that does not exist is not created by looking.
func (c *compiler) elementAlias(n *node) ptrFn {
	arr, idx := c.arrayToRead(n.kids[0]), c.scalar(n.kids[1])
	return func(m *machine) *Value {
		a := arr(m)
		if i := a.index(idx(m).iv()); i >= 0 {
			if a.v[i] == nil {
				a.v[i] = m.newCell(Value{})
			}
			return a.v[i]
		}
		return m.newCell(Value{})
	}
}
