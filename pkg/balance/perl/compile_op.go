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
	s, k := a.str(), b.iv()
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
	if l = bare(l); !mutates(r) {
		return nil
	}
	switch l.kind {
	case nVar, nIndex, nKey, nIncDec, nAssign, nCond, nAnd, nOr, nDor:
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
	n = bare(n)
	switch n.kind {
	case nVar:
		if n.sigil == '$' {
			return c.lvalue(n)
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
	return holds(n, nAssign, nIncDec, nSubst, nTrans)
}

// comparison gives the test of a comparison operator.
func comparison(op string) func(a, b Value) bool {
	switch op {
	case "==":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return ok && k == 0 }
	case "!=":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return !ok || k != 0 }
	case "<":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return ok && k < 0 }
	case ">":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return ok && k > 0 }
	case "<=":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return ok && k <= 0 }
	case ">=":
		return func(a, b Value) bool { k, ok := cmpNum(a, b); return ok && k >= 0 }
	case "eq":
		return func(a, b Value) bool { return a.str() == b.str() }
	case "ne":
		return func(a, b Value) bool { return a.str() != b.str() }
	case "lt":
		return func(a, b Value) bool { return a.str() < b.str() }
	case "gt":
		return func(a, b Value) bool { return a.str() > b.str() }
	case "le":
		return func(a, b Value) bool { return a.str() <= b.str() }
	case "ge":
		return func(a, b Value) bool { return a.str() >= b.str() }
	}
	return nil
}

// compare compiles a comparison, or gives nil for another operator.
func (c *compiler) compare(n *node) condFn {
	test := comparison(n.name)
	if test == nil {
		return nil
	}
	if mutates(n.kids[1]) { // as in mutating
		left, r := c.place(n.kids[0]), c.scalar(n.kids[1])
		if c.tracing {
			return func(m *machine) bool {
				cell := left(m)
				b := r(m)
				ok := test(*cell, b)
				m.traceCompare(n, *cell, b, truthText(ok))
				return ok
			}
		}
		return func(m *machine) bool {
			cell := left(m)
			b := r(m)
			return test(*cell, b)
		}
	}
	l, r := c.scalar(n.kids[0]), c.scalar(n.kids[1])
	if c.tracing {
		return func(m *machine) bool {
			a := l(m)
			b := r(m)
			ok := test(a, b)
			m.traceCompare(n, a, b, truthText(ok))
			return ok
		}
	}
	if n.kids[1].isConst() && n.kids[1].val.k == kIV && n.name == "<" { // the usual loop condition
		limit := n.kids[1].val
		return func(m *machine) bool {
			a := l(m)
			if a.k == kIV {
				return int64(a.n) < int64(limit.n)
			}
			return test(a, limit)
		}
	}
	return func(m *machine) bool {
		a := l(m)
		return test(a, r(m))
	}
}

// chain compiles a < b < c; each operand is evaluated at most once.
func (c *compiler) chain(n *node) condFn {
	first, tracing := c.scalar(n.kids[0].kids[0]), c.tracing
	tests := make([]func(a, b Value) bool, len(n.kids))
	right := make([]scalarFn, len(n.kids))
	for i, k := range n.kids {
		tests[i], right[i] = comparison(k.name), c.scalar(k.kids[1])
	}
	return func(m *machine) bool {
		a := first(m)
		for i, test := range tests {
			b := right[i](m)
			ok := test(a, b)
			if tracing {
				m.traceCompare(n.kids[i], a, b, truthText(ok))
			}
			if !ok {
				return false
			}
			a = b
		}
		return true
	}
}

func truthText(ok bool) string {
	if ok {
		return "true"
	}
	return "false"
}

// stepValue is ++ and --.
func stepValue(v Value, up bool) Value {
	if v.k == kPV && !(up && magical(v.p.(string))) && !v.IsNumber() { // "3abc" counts as a float
		if up {
			return Float(v.nv() + 1)
		}
		return Float(v.nv() - 1)
	}
	if !up {
		return sub(numeric(v), valYes)
	}
	return increment(v)
}

// numeric is the number that a value counts as in ++ and --.
func numeric(v Value) Value {
	switch v.k {
	case kUndef:
		return Int(0)
	case kPV:
		return please(v)
	}
	return v
}

// increment is ++ with the magic for strings such as a9, Zz and 007.
func increment(v Value) Value {
	if v.k == kPV {
		s := v.p.(string)
		if magical(s) {
			return String(nextString(s))
		}
	}
	return add(numeric(v), valYes)
}

// magical tells whether a string is letters followed by digits.
func magical(s string) bool {
	i := 0
	for i < len(s) && isLetter(s[i]) && s[i] != '_' {
		i++
	}
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i == len(s) && s != ""
}

func nextString(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		switch b[i] {
		case '9':
			b[i] = '0'
		case 'z':
			b[i] = 'a'
		case 'Z':
			b[i] = 'A'
		default:
			b[i]++
			return string(b)
		}
	}
	first := b[0]
	if first == '0' {
		first = '1'
	}
	return string(first) + string(b)
}
