package perl

// array compiles n, an array variable or a dereference, to its container.
// With create a missing one springs up; without it the result may be nil.
func (c *compiler) array(n *node, create bool) arrayFn {
	return c.arrayFor(n, create, false)
}

// arrayToRead is array for an element that is only read: behind a string there is
// nothing, as in perl, where the string would name a variable that does not exist.
func (c *compiler) arrayToRead(n *node) arrayFn { return c.arrayFor(n, true, true) }

func (c *compiler) arrayFor(n *node, create, read bool) arrayFn {
	if n.kind == nMy {
		declare, inner := c.declareOne(n, n.kids[0]), c.array(n.kids[0], create)
		return func(m *machine) *array {
			declare(m)
			return inner(m)
		}
	}
	if n.kind == nVar {
		switch i := n.slot; {
		case n.name == "_":
			return func(m *machine) *array { return m.f.args }
		case n.name == "-" || n.name == "+":
			start := n.name == "-"
			return func(m *machine) *array { return m.matchOffsets(start) }
		case n.global:
			return func(m *machine) *array { return m.arrays[i] }
		default:
			return func(m *machine) *array { return m.f.a[i] }
		}
	}
	ref, at := n.kids[0], c.at(n)
	if canHold(ref) && create {
		p := c.lvalue(ref)
		return func(m *machine) *array {
			cell := p(m)
			if cell.k == kUndef {
				m.step(1)
				*cell = Value{k: kArr, p: m.newArray()}
			}
			if read && !cell.isRef() {
				return m.newArray()
			}
			return m.arrayOf(*cell, at)
		}
	}
	f := c.inBraces(ref)
	return func(m *machine) *array {
		v := f(m)
		if v.k == kUndef || read && !v.isRef() {
			if create {
				return m.newArray()
			}
			return nil
		}
		return m.arrayOf(v, at)
	}
}

func (m *machine) arrayOf(v Value, at site) *array {
	if v.k == kArr {
		return v.p.(*array)
	}
	m.die(at, m.notRef(v, "an ARRAY"))
	return nil
}

// inBraces compiles what stands in @{ }: a block, whose matches are not seen outside.
func (c *compiler) inBraces(ref *node) scalarFn {
	f := c.scalar(ref)
	if !holds(ref, nMatch, nSubst) {
		return f
	}
	return func(m *machine) Value {
		old := m.match
		v := f(m)
		m.match = old
		return v
	}
}

// notRef is what perl says under strict refs; without it the string would be a variable's name.
func (m *machine) notRef(v Value, what string) string {
	if v.isRef() {
		return "Not " + what + " reference"
	}
	if what == "a CODE" {
		what = "a subroutine"
	}
	if v.k == kUndef {
		return "Can't use an undefined value as " + what + " reference"
	}
	s := v.str()
	if len(s) > 32 {
		s = s[:32]
	}
	return "Can't use string (\"" + s + "\") as " + what + " ref: symbolic references are not available in algorithms"
}

func (c *compiler) hash(n *node, create bool) hashFn { return c.hashFor(n, create, false) }

// hashToRead is to hash what arrayToRead is to array.
func (c *compiler) hashToRead(n *node) hashFn { return c.hashFor(n, true, true) }

func (c *compiler) hashFor(n *node, create, read bool) hashFn {
	if n.kind == nMy {
		declare, inner := c.declareOne(n, n.kids[0]), c.hash(n.kids[0], create)
		return func(m *machine) *hash {
			declare(m)
			return inner(m)
		}
	}
	if n.kind == nVar {
		i := n.slot
		switch {
		case n.name == "+" || n.name == "-":
			return func(m *machine) *hash { return m.namedCaptures() }
		case n.global:
			return func(m *machine) *hash { return m.hashes[i] }
		}
		return func(m *machine) *hash { return m.f.h[i] }
	}
	ref, at := n.kids[0], c.at(n)
	if canHold(ref) && create {
		p := c.lvalue(ref)
		return func(m *machine) *hash {
			cell := p(m)
			if cell.k == kUndef {
				m.step(1)
				*cell = Value{k: kHash, p: m.newHash()}
			}
			if read && !cell.isRef() {
				return m.newHash()
			}
			return m.hashOf(*cell, at)
		}
	}
	f := c.inBraces(ref)
	return func(m *machine) *hash {
		v := f(m)
		if v.k == kUndef || read && !v.isRef() {
			if create {
				return m.newHash()
			}
			return nil
		}
		return m.hashOf(v, at)
	}
}

func (m *machine) hashOf(v Value, at site) *hash {
	if v.k == kHash {
		return v.p.(*hash)
	}
	m.die(at, m.notRef(v, "a HASH"))
	return nil
}

// canHold tells whether n names a place where a new array or hash can be put.
func canHold(n *node) bool {
	switch n.kind {
	case nVar, nDeref:
		return n.sigil == '$'
	case nIndex, nKey:
		return true
	case nMy:
		return !n.paren && n.kids[0].sigil == '$'
	case nList:
		return len(n.kids) == 1 && canHold(n.kids[0])
	}
	return false
}

// lvalue compiles n to the scalar that an assignment changes.
func (c *compiler) lvalue(n *node) ptrFn {
	c.count()
	switch n.kind {
	case nVar:
		if n.sigil != '$' {
			break
		}
		i := n.slot
		if n.global {
			return func(m *machine) *Value { return m.globals[i] }
		}
		return func(m *machine) *Value { return m.f.s[i] }
	case nIndex:
		arr, idx, at := c.array(n.kids[0], true), c.scalar(n.kids[1]), c.at(n)
		return func(m *machine) *Value {
			a := arr(m)
			return m.cell(a, idx(m).iv(), at)
		}
	case nKey:
		h, key := c.hash(n.kids[0], true), c.keyOf(n.kids[1])
		return func(m *machine) *Value {
			x := h(m)
			return m.entry(x, key(m))
		}
	case nDeref:
		if n.sigil == '$' {
			return c.derefPtr(n)
		}
	case nMy:
		if len(n.kids) == 1 && n.kids[0].sigil == '$' {
			declare, p := c.declareOne(n, n.kids[0]), c.lvalue(n.kids[0])
			return func(m *machine) *Value {
				declare(m)
				return p(m)
			}
		}
	case nLocal:
		slot := c.slot(n.kids[0])
		return func(m *machine) *Value {
			m.bind(slot(m), m.newCell(Value{}))
			return *slot(m)
		}
	case nList:
		if len(n.kids) > 0 {
			return c.lvalue(n.kids[len(n.kids)-1])
		}
	case nAssign:
		if !listAssign(n) {
			l := stripMy(n.kids[0])
			if l.kind == nLocal { // it is local by then
				l = l.kids[0]
			}
			f, p := c.void(n), c.lvalue(l)
			return func(m *machine) *Value {
				f(m)
				return p(m)
			}
		}
		left := n.kids[0] // (my $x) = ...: the variable, once assigned
		if (left.kind == nList || left.kind == nMy) && len(left.kids) == 1 {
			f, p := c.void(n), c.lvalue(stripMy(left.kids[0]))
			return func(m *machine) *Value {
				f(m)
				return p(m)
			}
		}
	case nIncDec:
		if !n.post {
			f, p := c.void(n), c.lvalue(n.kids[0])
			return func(m *machine) *Value {
				f(m)
				return p(m)
			}
		}
	case nCapture:
		at := c.at(n)
		return func(m *machine) *Value {
			m.die(at, readOnlyText)
			return nil
		}
	}
	f := c.scalar(n) // a temporary: what is written to it is lost
	return func(m *machine) *Value { return m.newCell(f(m)) }
}

// stripMy gives the variable of a declaration, so that it is not declared twice.
func stripMy(n *node) *node {
	for n.kind == nMy && len(n.kids) == 1 || n.kind == nList && len(n.kids) == 1 {
		n = n.kids[0]
	}
	return n
}

// declareOne makes the variable of a my fresh.
func (c *compiler) declareOne(n, v *node) func(*machine) {
	if n.name != "my" || v.kind != nVar || v.global {
		return func(*machine) {}
	}
	i, refs := v.slot, c.prog.usesRefs
	intro := i
	switch v.sigil {
	case '@':
		intro += c.sub.slots[0]
		return func(m *machine) {
			f := m.f
			if refs && f.intro[intro] {
				f.a[i] = m.newArray()
				return
			}
			if refs {
				f.intro[intro] = true
			}
			m.resize(f.a[i], 0)
		}
	case '%':
		intro += c.sub.slots[0] + c.sub.slots[1]
		return func(m *machine) {
			f := m.f
			if refs && f.intro[intro] {
				f.h[i] = m.newHash()
				return
			}
			if refs {
				f.intro[intro] = true
			}
			f.h[i].clear()
		}
	}
	if !refs {
		return func(m *machine) { *m.f.s[i] = Value{} }
	}
	return func(m *machine) {
		f := m.f
		if f.intro[intro] {
			f.s[i] = m.newCell(Value{})
			return
		}
		f.intro[intro] = true
		*f.s[i] = Value{}
	}
}

func (c *compiler) myScalar(n *node) scalarFn {
	if n.paren || len(n.kids) != 1 {
		return lastOf(c.myList(n))
	}
	declare, value := c.declareOne(n, n.kids[0]), c.scalar(n.kids[0])
	return func(m *machine) Value {
		declare(m)
		return value(m)
	}
}

func (c *compiler) myList(n *node) listFn {
	var fns []listFn
	for _, k := range n.kids {
		if k.kind != nVar {
			fns = append(fns, func(m *machine) { m.stack = append(m.stack, Value{}) })
			continue
		}
		declare, value := c.declareOne(n, k), c.list(k)
		fns = append(fns, func(m *machine) {
			declare(m)
			value(m)
		})
	}
	return func(m *machine) {
		for _, f := range fns {
			f(m)
		}
	}
}
