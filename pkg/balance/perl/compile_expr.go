package perl

import "strings"

// scalar compiles n in scalar context.
func (c *compiler) scalar(n *node) scalarFn {
	c.count()
	switch n.kind {
	case nConst:
		v := n.val
		return func(*machine) Value { return v }
	case nWord:
		v := String(n.name)
		return func(*machine) Value { return v }
	case nInterp:
		return c.interp(n)
	case nVar:
		return c.scalarVar(n)
	case nCapture:
		name := n.name
		return func(m *machine) Value { return m.capture(name) }
	case nArrayLen:
		a := c.array(n.kids[0], false)
		return func(m *machine) Value {
			if arr := a(m); arr != nil {
				return Int(int64(len(arr.v)) - 1)
			}
			return Int(-1)
		}
	case nIndex:
		return c.index(n)
	case nKey:
		return c.keyed(n)
	case nDeref:
		return c.derefScalar(n)
	case nMy:
		return c.myScalar(n)
	case nLocal:
		p := c.lvalue(n)
		return func(m *machine) Value { return *p(m) }
	case nAnonArray:
		list := c.items(n.kids)
		return func(m *machine) Value {
			base := len(m.stack)
			list(m)
			a := m.newArray()
			m.step(1)
			m.push(a, m.stack[base:])
			m.stack = m.stack[:base]
			return Value{k: kArr, p: a}
		}
	case nAnonHash:
		list, at := c.items(n.kids), c.at(n)
		return func(m *machine) Value {
			base := len(m.stack)
			list(m)
			h := m.newHash()
			m.step(1)
			if at.warn {
				m.warnHash(at, m.stack[base:], true)
			}
			m.assignHash(h, m.stack[base:])
			m.stack = m.stack[:base]
			return Value{k: kHash, p: h}
		}
	case nAnonSub:
		return c.closure(n)
	case nRef:
		return c.ref(n.kids[0])
	case nList:
		return c.commaScalar(n)
	case nAssign:
		return c.assignScalar(n)
	case nBinary:
		return c.binary(n)
	case nChain:
		cond := c.cond(n)
		return func(m *machine) Value { return Bool(cond(m)) }
	case nAnd, nOr, nDor:
		if c.tracing {
			return c.tracedEither(n)
		}
		left, right, kind := c.scalar(n.kids[0]), c.scalar(n.kids[1]), n.kind
		return func(m *machine) Value {
			v := left(m)
			if goesRight(kind, v) {
				return right(m)
			}
			return v
		}
	case nXor, nNot:
		f := c.cond(n)
		return func(m *machine) Value { return Bool(f(m)) }
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.scalar(n.kids[1]), c.scalar(n.kids[2])
		return func(m *machine) Value {
			if cond(m) {
				return a(m)
			}
			return b(m)
		}
	case nUnary:
		what, number := "1's complement (~)", false
		if n.name == "-" {
			what, number = "negation (-)", true
		}
		f := c.checked(n.kids[0], c.scalar(n.kids[0]), what, number)
		if n.name == "-" {
			return func(m *machine) Value { return m.charged(negate(f(m))) }
		}
		return func(m *machine) Value { return m.charged(complement(f(m))) }
	case nIncDec:
		return c.incDec(n)
	case nSort:
		if !c.lastValues[n] {
			c.p.refuse(n.off, "sort where one value is wanted", "it gives a list: my @s = sort ...; or (sort ...)[0]")
		}
		list := c.items(n.kids[1:]) // perl does not sort then
		return func(m *machine) Value {
			base := len(m.stack)
			list(m)
			m.stack = m.stack[:base]
			return Value{}
		}
	case nSlice, nKeySlice, nPairSlice, nListSlice:
		return lastOf(c.list(n))
	case nRange:
		if at := c.at(n); c.lastValues[n] {
			return func(m *machine) Value {
				m.die(at, "the flip-flop operator "+n.name+" is not available in algorithms")
				return Value{}
			}
		}
		c.p.refuse(n.off, "the flip-flop operator "+n.name, "a range makes a list: for my $i (1..5) { ... }")
		return func(*machine) Value { return Value{} }
	case nCall:
		return c.call(n, WantScalar).scalar
	case nDynCall:
		return c.dynCall(n, WantScalar).scalar
	case nFunc:
		return c.function(n)
	case nPrint:
		return c.print(n)
	case nMatch:
		return c.matchScalar(n)
	case nSubst:
		return c.subst(n)
	case nTrans:
		return c.trans(n)
	case nMap:
		return c.mapScalar(n)
	case nDo:
		body := c.valueBlock(n.kids[0], WantScalar)
		return func(m *machine) Value {
			body(m)
			return m.retv
		}
	case nEval:
		body := c.evalBlock(n.kids[0], WantScalar)
		return func(m *machine) Value {
			if body(m) {
				return m.retv
			}
			return Value{}
		}
	case nReturn, nNext, nLast:
		f := c.escape(n)
		return func(m *machine) Value {
			f(m)
			return Value{}
		}
	case nWantarray:
		if want := c.back; want != wantCaller { // of the eval around it
			v := map[Want]Value{WantList: valYes, WantScalar: valNo}[want]
			return func(*machine) Value { return v }
		}
		return func(m *machine) Value {
			switch m.f.want {
			case WantList:
				return valYes
			case WantVoid:
				return Value{}
			}
			return valNo
		}
	case nBlock, nIf, nWhile, nFor, nForeach, nSub:
		f := c.stmt(n)
		return func(m *machine) Value {
			f(m)
			return Value{}
		}
	}
	panic("perl: node without a scalar form")
}

// lastOf gives the last value of a list.
func lastOf(f listFn) scalarFn {
	return func(m *machine) Value {
		base := len(m.stack)
		f(m)
		var v Value
		if len(m.stack) > base {
			v = m.stack[len(m.stack)-1]
		}
		m.stack = m.stack[:base]
		return v
	}
}

// commaScalar evaluates all items and gives the last.
func (c *compiler) commaScalar(n *node) scalarFn {
	switch len(n.kids) {
	case 0:
		return func(*machine) Value { return Value{} }
	case 1:
		return c.scalar(n.kids[0])
	}
	last := len(n.kids) - 1
	var before []func(*machine)
	for _, k := range n.kids[:last] {
		before = append(before, c.void(k))
	}
	f := c.scalar(n.kids[last])
	return func(m *machine) Value {
		for _, b := range before {
			b(m)
		}
		return f(m)
	}
}

// interp joins the parts of a string.
func (c *compiler) interp(n *node) scalarFn {
	if f := c.interpLate(n); f != nil {
		return f
	}
	parts := make([]func(*machine, []byte) []byte, len(n.kids))
	for i, k := range n.kids {
		parts[i] = c.part(k, len(n.kids) == 1)
	}
	return func(m *machine) Value {
		b := m.takeBuffer()
		for _, f := range parts {
			b = f(m, b)
			if len(b) > m.maxBytes {
				m.exceed("bytes", m.maxBytes)
			}
		}
		m.charge(len(b))
		v := String(string(b))
		m.buf = b
		return v
	}
}

// takeBuffer gives the scratch buffer; who interpolates meanwhile makes another.
func (m *machine) takeBuffer() []byte {
	b := m.buf[:0]
	m.buf = nil
	return b
}

func (c *compiler) part(n *node, alone bool) func(*machine, []byte) []byte {
	if n.kind == nConst {
		s := n.val.str()
		return func(_ *machine, b []byte) []byte { return append(b, s...) }
	}
	many := n.kind == nSlice || n.kind == nKeySlice || (n.kind == nVar || n.kind == nDeref) && n.sigil == '@'
	if !many {
		what := "concatenation (.) or string"
		if alone {
			what = "string"
		}
		f := c.checked(n, c.scalar(n), what, false)
		return func(m *machine, b []byte) []byte { return appendValue(b, f(m)) }
	}
	f := c.checkedItems(n, []*node{n}, c.list(n), "join or string")
	return func(m *machine, b []byte) []byte {
		base, sep := len(m.stack), m.globals[gSpace].str()
		f(m)
		for i := base; i < len(m.stack); i++ {
			if i > base {
				b = append(b, sep...)
			}
			b = appendValue(b, m.stack[i])
			if len(b) > m.maxBytes {
				m.exceed("bytes", m.maxBytes)
			}
		}
		m.stack = m.stack[:base]
		return b
	}
}

// scalarVar reads a variable in scalar context.
func (c *compiler) scalarVar(n *node) scalarFn {
	switch n.sigil {
	case '@':
		a := c.array(n, false)
		return func(m *machine) Value { return Int(int64(len(a(m).v))) }
	case '%':
		h := c.hash(n, false)
		return func(m *machine) Value {
			if x := h(m); x != nil {
				return Int(int64(x.live))
			}
			return Int(0)
		}
	}
	i := n.slot
	if n.global {
		return func(m *machine) Value { return *m.globals[i] }
	}
	return func(m *machine) Value { return *m.f.s[i] }
}

// index reads an element of an array.
func (c *compiler) index(n *node) scalarFn {
	arr := c.arrayToRead(n.kids[0])
	if k := n.kids[1]; k.isConst() {
		i := k.val.iv()
		return func(m *machine) Value { return arr(m).at(i) }
	}
	idx := c.checked(n.kids[1], c.scalar(n.kids[1]), "array element", true)
	return func(m *machine) Value {
		a := arr(m)
		return a.at(idx(m).iv())
	}
}

// keyed reads an element of a hash.
func (c *compiler) keyed(n *node) scalarFn {
	h, key := c.hashToRead(n.kids[0]), c.keyOf(n.kids[1])
	return func(m *machine) Value {
		x := h(m)
		if cell := x.get(key(m)); cell != nil {
			return *cell
		}
		return Value{}
	}
}

// keyOf compiles a subscript in braces; a list is joined with $;.
func (c *compiler) keyOf(n *node) func(*machine) string {
	n = bare(n)
	if n.isConst() {
		s := n.val.str()
		return func(*machine) string { return s }
	}
	if n.kind == nList && len(n.kids) > 1 {
		list := c.list(n)
		return func(m *machine) string {
			base := len(m.stack)
			list(m)
			var parts []string
			for _, v := range m.stack[base:] {
				parts = append(parts, v.str())
			}
			m.stack = m.stack[:base]
			s := strings.Join(parts, m.globals[gSubsep].str())
			m.charge(len(s))
			return s
		}
	}
	f := c.checked(n, c.scalar(n), "hash element", false)
	return func(m *machine) string { return f(m).str() }
}
