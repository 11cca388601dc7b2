package perl

import "strings"

// listAssign tells whether = takes a list.
func listAssign(n *node) bool {
	if n.name != "=" {
		return false
	}
	l := n.kids[0]
	switch l.kind {
	case nList:
		return l.paren
	case nMy:
		return l.paren || l.kids[0].sigil != '$'
	case nVar, nDeref:
		return l.sigil == '@' || l.sigil == '%'
	case nSlice, nKeySlice:
		return true
	}
	return false
}

// assignScalar compiles an assignment whose value is wanted in scalar context.
func (c *compiler) assignScalar(n *node) scalarFn {
	l := n.kids[0]
	if listAssign(n) {
		f := c.assignCount(n)
		return func(m *machine) Value { return Int(int64(f(m))) }
	}
	switch {
	case n.name != "=":
		return c.opAssign(n)
	case l.kind == nMy && l.name == "state":
		return c.stateAssign(n)
	case l.kind == nArrayLen:
		a, r := c.array(l.kids[0], true), c.scalar(n.kids[1])
		return func(m *machine) Value {
			v := r(m)
			m.resize(a(m), v.iv()+1)
			return v
		}
	case l.kind == nFunc && l.name == "substr":
		return c.assignSubstr(l, c.scalar(n.kids[1]), nil)
	case l.kind == nVar && !l.global && !mayAlias(l):
		i, r := l.slot, c.scalar(n.kids[1])
		return func(m *machine) Value {
			v := r(m)
			*m.f.s[i] = v
			return v
		}
	}
	r := c.scalar(n.kids[1])
	p := c.writable(l)
	return func(m *machine) Value {
		v := r(m)
		*p(m) = v
		return v
	}
}

// stateAssign sets a state variable the first time only.
func (c *compiler) stateAssign(n *node) scalarFn {
	v := n.kids[0].kids[0]
	i, r := v.slot, c.scalar(n.kids[1])
	return func(m *machine) Value {
		if !m.done[i] {
			m.done[i] = true
			*m.globals[i] = r(m)
		}
		return *m.globals[i]
	}
}

// opAssign compiles += and its kin.
func (c *compiler) opAssign(n *node) scalarFn {
	op := strings.TrimSuffix(n.name, "=")
	l := n.kids[0]
	if l.kind == nArrayLen && operator(op) != nil {
		a, r, f, at := c.array(l.kids[0], true), c.scalar(n.kids[1]), operator(op), c.at(n)
		return func(m *machine) Value {
			arr := a(m)
			v := f(m, at, Int(int64(len(arr.v))-1), r(m))
			m.resize(arr, v.iv()+1)
			return v
		}
	}
	if l.kind == nFunc && l.name == "substr" && operator(op) != nil {
		return c.assignSubstr(l, c.scalar(n.kids[1]), operator(op))
	}
	if (l.kind == nVar || l.kind == nDeref) && l.sigil != '$' || l.kind == nList && l.paren && len(l.kids) != 1 {
		c.p.err(l.off, "Can't modify a list with "+n.name, "change each element: $_ *= 2 for @list")
	}
	p, r := c.lvalue(l), c.scalar(n.kids[1])
	if op != "||" && op != "&&" && op != "//" { // those look first
		p = c.writable(l)
	}
	if c.warns && operator(op) != nil {
		return c.warnedAssign(n, op, p, r)
	}
	switch op {
	case "||", "&&", "//":
		kind, at := map[string]nodeKind{"||": nOr, "&&": nAnd, "//": nDor}[op], c.at(n)
		return func(m *machine) Value {
			cell := p(m)
			if goesRight(kind, *cell) {
				v := r(m)
				if m.readOnly[cell] {
					m.die(at, readOnlyText)
				}
				*cell = v
			}
			return *cell
		}
	case ".":
		return func(m *machine) Value {
			cell := p(m)
			m.appendTo(cell, r(m).str())
			return *cell
		}
	case "+":
		return func(m *machine) Value {
			cell := p(m)
			b := r(m)
			a := *cell
			if a.k == kUndef {
				a = Int(0)
			}
			*cell = add(a, b)
			return *cell
		}
	case "-":
		return func(m *machine) Value {
			cell := p(m)
			b := r(m)
			switch {
			case cell.k != kUndef:
				*cell = sub(*cell, b)
			case please(b).k == kNV: // the sign of a zero shows here
				*cell = Float(-b.nv())
			default:
				*cell = sub(Int(0), b)
			}
			return *cell
		}
	}
	f, at := operator(op), c.at(n)
	return func(m *machine) Value {
		cell := p(m)
		b := r(m)
		*cell = f(m, at, *cell, b)
		return *cell
	}
}

// warnedAssign is opAssign with the checks of use warnings.
func (c *compiler) warnedAssign(n *node, op string, p ptrFn, r scalarFn) scalarFn {
	f, check, at, quiet := operator(op), c.binaryChecks(n), c.at(n), quietLeft(op)
	return func(m *machine) Value {
		cell := p(m)
		b := r(m)
		a := *cell
		if a.k == kUndef && quiet {
			a = String("")
			if op != "." {
				a = Int(0)
			}
		}
		check(m, a, b)
		*cell = f(m, at, a, b)
		return *cell
	}
}
