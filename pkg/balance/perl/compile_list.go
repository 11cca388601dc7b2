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

// aliased tells whether a later item may change a variable that is an item before it.
func aliased(kids []*node) bool {
	seen, capture := false, false
	for _, k := range kids {
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
		if element && makes(k) {
			c.madeLater = true
			f := c.aliasedItems(kids)
			c.madeLater = false
			return f
		}
		element = element || k.kind == nIndex || k.kind == nKey
	}
	return c.items(kids)
}

// makes tells whether n may make elements.
func makes(n *node) bool {
	found := mutates(n)
	var look func(*node)
	look = func(n *node) {
		found = found || n.kind == nFunc && (n.name == "push" || n.name == "unshift" || n.name == "splice")
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
		if k := a.index(i); k >= 0 && a.v[k] != nil {
			m.ptrs = append(m.ptrs, a.v[k])
			return
		}
		m.ptrs = append(m.ptrs, m.newCell(Value{k: kLate, p: loan{arr: a, i: i}}))
	}
}

// late is alias for the items of such a list. $1 and its kin are variables, too: they show the last match when they are read.
func (c *compiler) late(n *node) listFn {
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
