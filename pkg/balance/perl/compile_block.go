package perl

import "sort"

// valueBlock compiles a do block or the block of a map: its value is left in retv or rets.
func (c *compiler) valueBlock(n *node, want Want) func(*machine) {
	body := c.scoped(n, want)
	if holds(n, nReturn, nNext, nLast) {
		c.jumps++
	}
	return func(m *machine) {
		if k := body(m); k != ctlNone {
			panic(&jump{k})
		}
	}
}

// evalBlock compiles eval { }; the closure tells whether the block ended without dying.
func (c *compiler) evalBlock(n *node, want Want) func(*machine) bool {
	back := c.back
	c.back = want
	body := c.scoped(n, want)
	c.back = back
	if holds(n, nNext, nLast) {
		c.jumps++
	}
	return func(m *machine) (ok bool) {
		s := m.snapshot()
		*m.globals[gErr] = valEmpty
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			switch x := r.(type) {
			case *dieError:
				m.restore(s)
				*m.globals[gErr] = x.val
				m.retv, m.rets = Value{}, m.rets[:0]
				ok = false
				return
			case *jump:
				if x.c == ctlReturn { // return leaves the eval only
					m.restore(s)
					*m.globals[gErr] = valEmpty
					ok = true
					return
				}
			}
			panic(r)
		}()
		k := body(m)
		*m.globals[gErr] = valEmpty
		if k == ctlNext || k == ctlLast {
			panic(&jump{k})
		}
		return true
	}
}

// blockExpr gives the one expression of a block, or nil.
func blockExpr(n *node) *node {
	if n.kind != nBlock {
		return n
	}
	if len(n.kids) != 1 || control(n.kids[0]) || n.kids[0].kind >= nBlock || holds(n, nMatch, nSubst, nReturn) {
		return nil
	}
	return n.kids[0]
}

// bodyList compiles the block or expression of a map.
func (c *compiler) bodyList(n *node) listFn {
	if x := blockExpr(n); x != nil {
		return c.list(x)
	}
	body := c.valueBlock(n, WantList)
	return func(m *machine) {
		body(m)
		m.stack = append(m.stack, m.rets...)
	}
}

// bodyScalar compiles the block or expression of a grep or sort.
func (c *compiler) bodyScalar(n *node) scalarFn {
	if x := blockExpr(n); x != nil {
		return c.scalar(x)
	}
	body := c.valueBlock(n, WantScalar)
	return func(m *machine) Value {
		body(m)
		return m.retv
	}
}

// lendOf tells what the items of map and its kin are to it: those of List::Util are arguments of a sub.
func lendOf(n *node) lending {
	if n.name == "map" || n.name == "grep" {
		return lendLoop
	}
	return lendArgs
}

// overItems runs f with $_ as each item until f says stop.
func (c *compiler) overItems(n *node, f func(m *machine, cell *Value) bool) func(*machine) {
	items, matches := c.lend(&node{kind: nList, kids: n.kids[1:]}, lendOf(n)), holds(n.kids[0], nMatch, nSubst)
	return func(m *machine) {
		base, mark := len(m.ptrs), len(m.saves)
		items(m)
		end, old := len(m.ptrs), m.match
		place := &m.globals[gTopic]
		m.saves = append(m.saves, saved{slot: place, old: *place})
		for i := base; i < end; i++ {
			m.step(1)
			*place = m.ptrs[i]
			if !f(m, m.ptrs[i]) {
				break
			}
		}
		if matches { // what matches in there is not seen outside
			m.match = old
		}
		m.unwind(mark)
		m.ptrs = m.ptrs[:base]
	}
}

// mapList compiles map, grep and uniq-like functions in list context; nil for those with one value.
func (c *compiler) mapList(n *node) listFn {
	switch n.name {
	case "map":
		body := c.bodyList(n.kids[0])
		return c.overItems(n, func(m *machine, _ *Value) bool {
			body(m)
			m.room(0)
			return true
		})
	case "grep":
		test := c.bodyScalar(n.kids[0])
		return c.overItems(n, func(m *machine, cell *Value) bool {
			if test(m).Bool() {
				m.room(1)
				m.stack = append(m.stack, *cell)
			}
			return true
		})
	}
	return nil
}

// aliasGrep is grep where its hits themselves are wanted: $_++ for grep { $_ > 1 } @l.
func (c *compiler) aliasGrep(n *node) listFn {
	test, items := c.bodyScalar(n.kids[0]), c.lend(&node{kind: nList, kids: n.kids[1:]}, lendLoop)
	matches := holds(n.kids[0], nMatch, nSubst)
	return func(m *machine) {
		base, mark := len(m.ptrs), len(m.saves)
		items(m)
		end, keep, old := len(m.ptrs), base, m.match
		place := &m.globals[gTopic]
		m.saves = append(m.saves, saved{slot: place, old: *place})
		for i := base; i < end; i++ {
			m.step(1)
			*place = m.ptrs[i]
			if test(m).Bool() {
				m.ptrs[keep] = m.ptrs[i]
				keep++
			}
		}
		if matches {
			m.match = old
		}
		m.unwind(mark)
		m.ptrs = m.ptrs[:keep]
	}
}

// mapScalar compiles the same in scalar context, and first, any, all, none, notall, reduce.
func (c *compiler) mapScalar(n *node) scalarFn {
	if n.name == "reduce" {
		return c.reduce(n)
	}
	if n.name == "map" {
		list := c.mapList(n)
		return func(m *machine) Value {
			base := len(m.stack)
			list(m)
			k := len(m.stack) - base
			m.stack = m.stack[:base]
			return Int(int64(k))
		}
	}
	test, name := c.bodyScalar(n.kids[0]), n.name
	items, matches := c.lend(&node{kind: nList, kids: n.kids[1:]}, lendOf(n)), holds(n.kids[0], nMatch, nSubst)
	return func(m *machine) Value {
		base, mark := len(m.ptrs), len(m.saves)
		items(m)
		end, hits, old := len(m.ptrs), 0, m.match
		place := &m.globals[gTopic]
		m.saves = append(m.saves, saved{slot: place, old: *place})
		v, over := Value{}, false
		for i := base; i < end && !over; i++ {
			m.step(1)
			*place = m.ptrs[i]
			hit := test(m).Bool()
			if hit {
				hits++
			}
			switch {
			case name == "first" && hit:
				v, over = *m.ptrs[i], true
			case (name == "any" || name == "none") && hit, (name == "all" || name == "notall") && !hit:
				over = true
			}
		}
		if matches {
			m.match = old
		}
		m.unwind(mark)
		m.ptrs = m.ptrs[:base]
		switch name {
		case "grep":
			return Int(int64(hits))
		case "any", "notall":
			return Bool(over)
		case "all", "none":
			return Bool(!over)
		}
		return v
	}
}

// reduce folds the items with $a and $b.
func (c *compiler) reduce(n *node) scalarFn {
	f, items := c.bodyScalar(n.kids[0]), c.lend(&node{kind: nList, kids: n.kids[1:]}, lendOf(n))
	return func(m *machine) Value {
		base, mark := len(m.ptrs), len(m.saves)
		items(m)
		list := append([]*Value(nil), m.ptrs[base:]...)
		m.ptrs = m.ptrs[:base]
		if len(list) == 0 {
			return Value{}
		}
		acc := *list[0]
		a, b := &m.globals[gA], &m.globals[gB]
		m.saves = append(m.saves, saved{slot: a, old: *a}, saved{slot: b, old: *b})
		for _, cell := range list[1:] {
			m.step(1)
			*a, *b = m.newCell(acc), cell
			acc = f(m)
		}
		m.unwind(mark)
		return acc
	}
}

// blockFunction names the functions of List::Util that take a block.
func blockFunction(name string) string {
	switch name {
	case "List::Util::first", "List::Util::any", "List::Util::all", "List::Util::none", "List::Util::notall", "List::Util::reduce":
		return name[len("List::Util::"):]
	}
	return ""
}

// sortList compiles sort. Perl's sort is a stable merge sort; so is this one.
func (c *compiler) sortList(n *node) listFn {
	items := c.items(n.kids[1:])
	if c.inPlace == n { // @a = sort @a drops elements that were never set
		arr := c.array(bare(n.kids[1]), false)
		items = func(m *machine) {
			for _, cell := range arr(m).v {
				if cell != nil {
					m.stack = append(m.stack, *cell)
				}
			}
		}
	}
	by := n.kids[0]
	if by == nil {
		return sorted(items, textBefore)
	}
	if less := plainOrder(by); less != nil {
		return sorted(items, less)
	}
	compare := c.comparer(by)
	return func(m *machine) {
		base := len(m.stack)
		items(m)
		list := append([]Value(nil), m.stack[base:]...)
		m.stack = m.stack[:base]
		mark := len(m.saves)
		a, b := &m.globals[gA], &m.globals[gB]
		m.saves = append(m.saves, saved{slot: a, old: *a}, saved{slot: b, old: *b})
		x, y := m.newCell(Value{}), m.newCell(Value{})
		*a, *b = x, y
		sort.SliceStable(list, func(i, j int) bool {
			m.step(1)
			*x, *y = list[j], list[i] // in perl's order, which shows where the comparison makes no sense
			return compare(m).iv() > 0
		})
		m.unwind(mark)
		m.stack = append(m.stack, list...)
	}
}

// textBefore compares texts for sort; long ones cost more.
func textBefore(m *machine, a, b Value) bool {
	x, y := a.str(), b.str()
	if len(x) > 256 && len(y) > 256 {
		m.step(min(len(x), len(y)) >> 8)
	}
	return x < y
}

func sorted(items listFn, less func(m *machine, a, b Value) bool) listFn {
	return func(m *machine) {
		base := len(m.stack)
		items(m)
		list := m.stack[base:]
		m.step(len(list))
		sort.SliceStable(list, func(i, j int) bool { return less(m, list[i], list[j]) })
	}
}

// plainOrder knows { $a <=> $b } and its three relatives, which need no closure.
func plainOrder(by *node) func(m *machine, a, b Value) bool {
	if by.kind != nBlock || len(by.kids) != 1 || by.kids[0].kind != nBinary {
		return nil
	}
	x := by.kids[0]
	l, r := x.kids[0], x.kids[1]
	if !l.isVar('$') || !r.isVar('$') || l.sym != nil || r.sym != nil {
		return nil
	}
	var test func(a, b Value) bool
	switch x.name {
	case "<=>":
		test = comparison("<")
	case "cmp":
		if l.name == "a" && r.name == "b" {
			return textBefore
		}
		if l.name == "b" && r.name == "a" {
			return func(m *machine, a, b Value) bool { return textBefore(m, b, a) }
		}
		return nil
	default:
		return nil
	}
	switch {
	case l.name == "a" && r.name == "b":
		return func(_ *machine, a, b Value) bool { return test(a, b) }
	case l.name == "b" && r.name == "a":
		return func(_ *machine, a, b Value) bool { return test(b, a) }
	}
	return nil
}

// comparer compiles the block, sub or variable that sort compares with.
func (c *compiler) comparer(by *node) scalarFn {
	if by.kind == nBlock {
		return c.bodyScalar(by)
	}
	at := c.at(by)
	if by.kind == nCall {
		if p, ok := c.named[by.name]; ok {
			i := p.index
			return func(m *machine) Value {
				m.invoke(m.codes[i], len(m.ptrs), WantScalar, at)
				return m.retv
			}
		}
	}
	f := c.scalar(by)
	return func(m *machine) Value {
		m.invoke(m.codeOf(f(m), at), len(m.ptrs), WantScalar, at)
		return m.retv
	}
}
