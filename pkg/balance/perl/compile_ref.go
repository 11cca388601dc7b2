package perl

// closure makes an anonymous sub over the variables of the frame at hand.
func (c *compiler) closure(n *node) scalarFn {
	p := n.sub.code
	return func(m *machine) Value {
		m.step(1)
		m.made(codeBytes + len(p.captures)*slotBytes)
		return Value{k: kCode, p: p.bind(m.f)}
	}
}

// ref compiles the backslash.
func (c *compiler) ref(n *node) scalarFn {
	switch n.kind {
	case nVar, nDeref, nMy:
		switch {
		case isArray(n):
			a := c.array(n, true)
			return func(m *machine) Value { return Value{k: kArr, p: a(m)} }
		case isHash(n):
			h := c.hash(n, true)
			return func(m *machine) Value { return Value{k: kHash, p: h(m)} }
		}
	case nCall:
		if n.sigil == '&' && n.post {
			return c.subRef(n)
		}
	case nList:
		if n.paren && len(n.kids) != 1 {
			return lastOf(c.refList(n))
		}
		return c.ref(n.kids[0])
	}
	if c.isLiteral(n) {
		i := len(c.prog.literals)
		c.prog.literals = append(c.prog.literals, literalValue(n))
		return func(m *machine) Value { return Value{k: kRef, p: &m.literals[i]} }
	}
	p := c.lvalue(n)
	return func(m *machine) Value { return Value{k: kRef, p: p(m)} }
}

// subRef is \&name.
func (c *compiler) subRef(n *node) scalarFn {
	if p, ok := c.named[n.name]; ok {
		i := p.index
		return func(m *machine) Value { return Value{k: kCode, p: m.codes[i]} }
	}
	i, _ := c.p.host(n.name)
	v := Value{k: kCode, p: &code{host: i}}
	return func(*machine) Value { return v }
}

// refList is \(...): a reference to each item. An array that stands alone gives references to its elements.
func (c *compiler) refList(n *node) listFn {
	fns := make([]listFn, len(n.kids))
	for i, k := range n.kids {
		if len(n.kids) > 1 && (isArray(k) || isHash(k)) {
			f := c.ref(k)
			fns[i] = func(m *machine) {
				v := f(m)
				m.stack = append(m.stack, v)
			}
			continue
		}
		alias := c.alias(k)
		fns[i] = func(m *machine) {
			base := len(m.ptrs)
			alias(m)
			m.room(len(m.ptrs) - base)
			for _, p := range m.ptrs[base:] {
				m.stack = append(m.stack, Value{k: kRef, p: p})
			}
			m.ptrs = m.ptrs[:base]
		}
	}
	return func(m *machine) {
		for _, f := range fns {
			f(m)
		}
	}
}
