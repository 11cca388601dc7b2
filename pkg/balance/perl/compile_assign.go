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
	case l.kind == nVar && !l.global:
		i, r := l.slot, c.scalar(n.kids[1])
		return func(m *machine) Value {
			v := r(m)
			*m.f.s[i] = v
			return v
		}
	}
	r := c.scalar(n.kids[1])
	p := c.lvalue(l)
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
	if c.warns && operator(op) != nil {
		return c.warnedAssign(n, op, p, r)
	}
	switch op {
	case "||", "&&", "//":
		kind := map[string]nodeKind{"||": nOr, "&&": nAnd, "//": nDor}[op]
		return func(m *machine) Value {
			cell := p(m)
			if goesRight(kind, *cell) {
				*cell = r(m)
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

// target takes its share of the values on the right and tells how many they were.
type target func(m *machine, vals []Value) int

// assignCount compiles a list assignment; it gives the number of values on the right.
func (c *compiler) assignCount(n *node) func(*machine) int {
	right := c.list(limitedSplit(n))
	if slots := c.plainTargets(n.kids[0]); slots != nil {
		return func(m *machine) int {
			base := len(m.stack)
			right(m)
			vals := m.stack[base:]
			for i, s := range slots {
				if i < len(vals) {
					*m.f.s[s] = vals[i]
				} else {
					*m.f.s[s] = Value{}
				}
			}
			m.stack = m.stack[:base]
			return len(vals)
		}
	}
	var targets []target
	for _, k := range leftItems(n.kids[0]) {
		targets = append(targets, c.target(k))
	}
	return func(m *machine) int {
		base := len(m.stack)
		right(m)
		vals := m.stack[base:]
		count := len(vals)
		for _, t := range targets {
			vals = vals[t(m, vals):]
		}
		m.stack = m.stack[:base]
		return count
	}
}

// limitedSplit is the right side; a split into scalars makes one part more than there are, as perl's does.
func limitedSplit(n *node) *node {
	r := n.kids[1]
	if r.kind != nFunc || r.name != "split" || len(r.kids) != 2 {
		return r
	}
	left := leftItems(n.kids[0])
	for _, k := range left {
		if isArray(k) || isHash(k) || k.kind == nSlice || k.kind == nKeySlice {
			return r
		}
	}
	limited := *r
	limited.kids = []*node{r.kids[0], r.kids[1], {kind: nConst, off: r.off, end: r.end, val: Int(int64(len(left) + 1))}}
	return &limited
}

// plainTargets gives the slots of my ($x, $y) where nothing but values goes into them; nil for all other left sides.
func (c *compiler) plainTargets(l *node) []int {
	if l.kind != nMy || l.name != "my" || !l.paren || c.prog.usesRefs {
		return nil
	}
	slots := make([]int, 0, len(l.kids))
	for _, k := range l.kids {
		if k.kind != nVar || k.sigil != '$' || k.global {
			return nil
		}
		slots = append(slots, k.slot)
	}
	return slots
}

// leftItems are the variables on the left, each with its own declaration.
func leftItems(l *node) []*node {
	switch l.kind {
	case nList:
		var all []*node
		for _, k := range l.kids {
			if k.kind == nList || k.kind == nMy && k.paren {
				all = append(all, leftItems(k)...)
			} else {
				all = append(all, k)
			}
		}
		return all
	case nMy:
		var all []*node
		for _, k := range l.kids {
			all = append(all, &node{kind: nMy, name: l.name, off: k.off, end: k.end, kids: []*node{k}})
		}
		return all
	}
	return []*node{l}
}

func (c *compiler) target(k *node) target {
	v := k
	if k.kind == nMy {
		v = k.kids[0]
	}
	switch {
	case v.kind == nFunc: // undef skips a value
		return func(_ *machine, vals []Value) int { return min(1, len(vals)) }
	case isArray(k):
		a := c.array(k, true)
		return func(m *machine, vals []Value) int {
			m.assign(a(m), vals)
			return len(vals)
		}
	case isHash(k):
		h, at := c.hash(k, true), c.at(k)
		return func(m *machine, vals []Value) int {
			if at.warn {
				m.warnHash(at, vals, false)
			}
			m.assignHash(h(m), vals)
			return len(vals)
		}
	case k.kind == nSlice || k.kind == nKeySlice:
		return c.sliceTarget(k)
	}
	p := c.lvalue(k)
	return func(m *machine, vals []Value) int {
		cell := p(m)
		if len(vals) == 0 {
			*cell = Value{}
			return 0
		}
		*cell = vals[0]
		return 1
	}
}

func (c *compiler) sliceTarget(k *node) target {
	list, at := c.list(k.kids[1]), c.at(k)
	var cell func(m *machine, key Value) *Value
	if k.kind == nSlice {
		a := c.array(k.kids[0], true)
		cell = func(m *machine, key Value) *Value { return m.cell(a(m), key.iv(), at) }
	} else {
		h := c.hash(k.kids[0], true)
		cell = func(m *machine, key Value) *Value { return m.entry(h(m), key.str()) }
	}
	return func(m *machine, vals []Value) int {
		base, used := len(m.stack), 0
		list(m)
		for i := base; i < len(m.stack); i++ {
			p := cell(m, m.stack[i])
			*p = Value{}
			if used < len(vals) {
				*p = vals[used]
				used++
			}
		}
		m.stack = m.stack[:base]
		return used
	}
}

func (c *compiler) assignVoid(n *node) func(*machine) {
	f := c.assignCount(n)
	return func(m *machine) { f(m) }
}

// assignList is a list assignment whose variables are wanted as a list.
func (c *compiler) assignList(n *node) listFn {
	f := c.assignCount(n)
	var values []listFn
	for _, k := range leftItems(n.kids[0]) {
		if k.kind == nMy {
			k = k.kids[0]
		}
		if k.kind != nFunc {
			values = append(values, c.list(k))
		}
	}
	return func(m *machine) {
		f(m)
		for _, v := range values {
			v(m)
		}
	}
}

// sliceList reads slices of arrays, hashes and lists.
func (c *compiler) sliceList(n *node) listFn {
	idx := c.list(n.kids[1])
	pick := func(get func(m *machine, key Value), pairs bool) listFn {
		return func(m *machine) {
			base := len(m.stack)
			idx(m)
			keys := append([]Value(nil), m.stack[base:]...)
			m.stack = m.stack[:base]
			m.room(len(keys))
			for _, k := range keys {
				if pairs {
					m.stack = append(m.stack, k)
				}
				get(m, k)
			}
		}
	}
	base := n.kids[0]
	switch {
	case n.kind == nListSlice:
		list := c.list(base)
		return func(m *machine) {
			from := len(m.stack)
			list(m)
			mid := len(m.stack)
			idx(m)
			vals, keys := m.stack[from:mid], m.stack[mid:]
			if len(vals) == 0 {
				m.stack = m.stack[:from]
				return
			}
			for i, k := range keys {
				j := k.iv()
				if j < 0 {
					j += int64(len(vals))
				}
				keys[i] = Value{}
				if j >= 0 && j < int64(len(vals)) {
					keys[i] = vals[j]
				}
			}
			copy(m.stack[from:], keys)
			m.stack = m.stack[:from+len(keys)]
		}
	case base.sigil == '@':
		a := c.array(base, true)
		return pick(func(m *machine, k Value) { m.stack = append(m.stack, a(m).at(k.iv())) }, n.kind == nPairSlice)
	}
	h := c.hash(base, true)
	return pick(func(m *machine, k Value) {
		var v Value
		if cell := h(m).get(k.str()); cell != nil {
			v = *cell
		}
		m.stack = append(m.stack, v)
	}, n.kind == nPairSlice)
}
