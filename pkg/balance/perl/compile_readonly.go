package perl

// A literal that foreach, map or a sub's @_ runs over is the literal itself: perl refuses to change it. Its cell lies in
// the machine's table of literals, and what may be an alias is looked up there before it is written to.

const readOnlyText = "Modification of a read-only value attempted"

// literalAlias hands out a literal as an alias.
func (c *compiler) literalAlias(v Value) listFn {
	i := len(c.prog.literals)
	c.prog.literals = append(c.prog.literals, v)
	return func(m *machine) { m.ptrs = append(m.ptrs, &m.literals[i]) }
}

// captureAlias hands out $1 and its kin, which are read-only, too.
func (c *compiler) captureAlias(name string) listFn {
	i := len(c.prog.literals)
	c.prog.literals = append(c.prog.literals, Value{})
	return func(m *machine) {
		m.literals[i] = m.capture(name)
		m.ptrs = append(m.ptrs, &m.literals[i])
	}
}

// isLiteral tells whether n is a literal to perl. One that it works out when it compiles, such as -1, is none.
func (c *compiler) isLiteral(n *node) bool {
	return n.kind == nConst && (n.off >= len(c.p.src) || c.p.src[n.off] != '-') || n.kind == nWord || n.kind == nFunc && n.name == "undef" && len(n.kids) == 0
}

func literalValue(n *node) Value {
	switch n.kind {
	case nConst:
		return n.val
	case nWord:
		return String(n.name)
	}
	return Value{}
}

// writable is lvalue for what changes the scalar.
func (c *compiler) writable(n *node) ptrFn {
	p := c.lvalue(n)
	if !mayAlias(n) {
		return p
	}
	at := c.at(n)
	return func(m *machine) *Value {
		cell := p(m)
		if m.readOnly[cell] {
			m.die(at, readOnlyText)
		}
		return cell
	}
}

// mayAlias tells whether n may be another name for something.
func mayAlias(n *node) bool {
	n = bare(n)
	switch n.kind {
	case nVar:
		return n.sigil == '$' && (n.global || n.sym != nil && n.sym.loop)
	case nIndex:
		k := n.kids[0]
		return k.kind == nVar && k.name == "_" || k.kind == nDeref
	case nDeref:
		return n.sigil == '$'
	case nAssign, nIncDec:
		return mayAlias(n.kids[0])
	}
	return false
}
