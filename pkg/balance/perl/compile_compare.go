package perl

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
	for _, k := range n.kids {
		if mutates(k.kids[1]) {
			return c.mutatingChain(n)
		}
	}
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

// mutatingChain looks at the variables themselves, as mutating does: a side further right may change them.
func (c *compiler) mutatingChain(n *node) condFn {
	first, tracing := c.place(n.kids[0].kids[0]), c.tracing
	tests := make([]func(a, b Value) bool, len(n.kids))
	right := make([]ptrFn, len(n.kids))
	for i, k := range n.kids {
		tests[i], right[i] = comparison(k.name), c.place(k.kids[1])
	}
	return func(m *machine) bool {
		a := first(m)
		for i, test := range tests {
			b := right[i](m)
			ok := test(*a, *b)
			if tracing {
				m.traceCompare(n.kids[i], *a, *b, truthText(ok))
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
