package perl

import "strings"

// arithmetic gives the function of an operator that cannot fail.
func arithmetic(op string) func(a, b Value) Value {
	switch op {
	case "+":
		return add
	case "-":
		return sub
	case "*":
		return mul
	case "**":
		return pow
	case "&", "|", "^":
		k := op[0]
		return func(a, b Value) Value { return bitop(k, a, b) }
	case "<<":
		return func(a, b Value) Value { return shift(a, b, true) }
	case ">>":
		return func(a, b Value) Value { return shift(a, b, false) }
	case "<=>":
		return func(a, b Value) Value {
			k, ok := cmpNum(a, b)
			if !ok {
				return Value{}
			}
			return Int(int64(k))
		}
	case "cmp":
		return func(a, b Value) Value { return Int(int64(strings.Compare(a.str(), b.str()))) }
	}
	return nil
}

// operator gives the function of any binary operator, with the machine for those that can fail.
func operator(op string) func(m *machine, at site, a, b Value) Value {
	switch op {
	case "/":
		return func(m *machine, at site, a, b Value) Value {
			v, err := div(a, b)
			if err != nil {
				m.die(at, err.Error())
			}
			return v
		}
	case "%":
		return func(m *machine, at site, a, b Value) Value {
			v, err := mod(a, b)
			if err != nil {
				m.die(at, err.Error())
			}
			return v
		}
	case ".":
		return func(m *machine, _ site, a, b Value) Value { return m.concat(a, b) }
	case "x":
		return func(m *machine, _ site, a, b Value) Value { return m.repeat(a, b) }
	}
	f := arithmetic(op)
	switch op {
	case "&", "|", "^": // of strings they make a string
		return func(m *machine, _ site, a, b Value) Value { return m.charged(f(a, b)) }
	}
	if f != nil {
		return func(_ *machine, _ site, a, b Value) Value { return f(a, b) }
	}
	return nil
}

func (m *machine) concat(a, b Value) Value {
	x, y := a.str(), b.str()
	m.charge(len(x) + len(y))
	return String(x + y)
}

func (m *machine) repeat(a, b Value) Value {
	s, k := a.str(), b.Int64()
	if n := b.num(); n.k == kNV && n.f() >= 1<<63 { // perl has no integer for it
		k = 0
	}
	if k <= 0 || s == "" {
		return String("")
	}
	if k > int64(m.maxBytes) || int(k)*len(s) > m.maxBytes {
		m.exceed("bytes", m.maxBytes)
	}
	m.charge(int(k) * len(s))
	return String(strings.Repeat(s, int(k)))
}

// binary compiles the operators with two operands.
func (c *compiler) binary(n *node) scalarFn {
	if f := c.concatenated(n); f != nil {
		return f
	}
	if c.warns && !mutates(n.kids[1]) {
		return c.warnedBinary(n)
	}
	if f := c.compare(n); f != nil {
		return func(m *machine) Value { return Bool(f(m)) }
	}
	if f := c.mutating(n); f != nil {
		return f
	}
	l, r := c.scalar(n.kids[0]), c.scalar(n.kids[1])
	switch n.name {
	case "+":
		return func(m *machine) Value {
			a := l(m)
			return add(a, r(m))
		}
	case "-":
		return func(m *machine) Value {
			a := l(m)
			return sub(a, r(m))
		}
	case "*":
		return func(m *machine) Value {
			a := l(m)
			return mul(a, r(m))
		}
	case "%":
		f, at := operator("%"), c.at(n)
		return func(m *machine) Value {
			a := l(m)
			b := r(m)
			if a.k == kIV && b.k == kIV && int64(a.n) >= 0 && int64(b.n) > 0 {
				return Value{k: kIV, n: a.n % b.n}
			}
			return f(m, at, a, b)
		}
	}
	if f := arithmetic(n.name); f != nil && strings.IndexByte("&|^", n.name[0]) < 0 {
		if c.tracing && (n.name == "<=>" || n.name == "cmp") {
			return func(m *machine) Value {
				a := l(m)
				b := r(m)
				v := f(a, b)
				m.traceCompare(n, a, b, show(v))
				return v
			}
		}
		return func(m *machine) Value {
			a := l(m)
			return f(a, r(m))
		}
	}
	f, at := operator(n.name), c.at(n)
	return func(m *machine) Value {
		a := l(m)
		return f(m, at, a, r(m))
	}
}

// mutating compiles $x + $x++ and its like: perl's left operand is the variable
// itself, so that it shows what the right side did. It is nil for all others.
func (c *compiler) mutating(n *node) scalarFn {
	l, r := n.kids[0], n.kids[1]
	if l = unwrapped(l); l.kind == nCapture && holds(r, nMatch, nSubst) { // it shows the last match when it is read
		left, right, f, at := c.scalar(l), c.scalar(r), operator(n.name), c.at(n)
		return func(m *machine) Value {
			b := right(m)
			return f(m, at, left(m), b)
		}
	}
	if !mutates(r) {
		return nil
	}
	switch l.kind {
	case nVar, nIndex, nKey, nDeref, nListSlice, nIncDec, nAssign, nCond, nAnd, nOr, nDor:
	default:
		return nil
	}
	left, right, f, at := c.place(l), c.scalar(r), operator(n.name), c.at(n)
	return func(m *machine) Value {
		cell := left(m)
		b := right(m)
		return f(m, at, *cell, b)
	}
}

// place gives the scalar that n yields as a variable if it is one; nothing is created.
func (c *compiler) place(n *node) ptrFn {
	n = unwrapped(n)
	switch n.kind {
	case nVar:
		if n.sigil == '$' {
			return c.lvalue(n)
		}
	case nDeref:
		if n.sigil == '$' {
			return c.referredTo(n)
		}
	case nListSlice:
		f := c.slicePlaces(n)
		return func(m *machine) *Value {
			base := len(m.ptrs)
			f(m)
			if len(m.ptrs) == base {
				return m.newCell(Value{})
			}
			p := m.ptrs[len(m.ptrs)-1]
			m.ptrs = m.ptrs[:base]
			return p
		}
	case nIndex:
		return c.elementAlias(n)
	case nKey:
		h, key := c.hashToRead(n.kids[0]), c.keyOf(n.kids[1])
		return func(m *machine) *Value {
			x := h(m)
			if cell := x.get(key(m)); cell != nil {
				return cell
			}
			return m.newCell(Value{})
		}
	case nIncDec:
		if !n.post {
			return c.lvalue(n)
		}
	case nAssign:
		if !listAssign(n) {
			return c.lvalue(n)
		}
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.place(n.kids[1]), c.place(n.kids[2])
		return func(m *machine) *Value {
			if cond(m) {
				return a(m)
			}
			return b(m)
		}
	case nAnd, nOr, nDor:
		left, right, kind := c.place(n.kids[0]), c.place(n.kids[1]), n.kind
		return func(m *machine) *Value {
			cell := left(m)
			if goesRight(kind, *cell) {
				return right(m)
			}
			return cell
		}
	}
	f := c.scalar(n)
	return func(m *machine) *Value { return m.newCell(f(m)) }
}

// mutates tells whether evaluating n may change a variable.
func mutates(n *node) bool {
	found := holds(n, nAssign, nIncDec, nSubst, nTrans, nDynCall)
	if found || !holds(n, nCall, nFunc) {
		return found
	}
	var look func(*node)
	look = func(n *node) {
		switch {
		case found || n.kind == nAnonSub || n.kind == nSub:
			return
		case n.kind == nCall && n.global, n.kind == nFunc && (n.name == "undef" && len(n.kids) > 0 || n.name == "chop" || n.name == "chomp"):
			found = true
			return
		}
		n.each(look)
	}
	look(n)
	return found
}
