package perl

import "strings"

// function compiles a built-in function in scalar context.
func (c *compiler) function(n *node) scalarFn {
	switch n.name {
	case "refused": // reported when it was parsed
		return func(*machine) Value { return Value{} }
	case "time":
		return func(m *machine) Value { return Int(m.opt.Now.Unix()) }
	case "localtime", "gmtime":
		when := c.when(n)
		return func(m *machine) Value { return m.timeText(when(m)) }
	case "defined":
		return c.defined(n)
	case "scalar":
		return c.scalar(n.kids[0])
	case "undef":
		return c.undefine(n)
	case "exists":
		return c.exists(n.kids[0])
	case "delete":
		if k := n.kids[0].kind; k == nSlice || k == nKeySlice {
			return lastOf(c.deleteList(n.kids[0]))
		}
		return c.deleteOne(n.kids[0])
	case "push", "unshift":
		return c.pushTo(n)
	case "pop", "shift":
		return c.popFrom(n)
	case "splice":
		return lastOf(c.splice(n))
	case "keys", "values":
		return c.countKeys(n)
	case "each":
		return c.eachKey(n)
	case "reverse":
		return c.reverseText(n)
	case "split":
		list := c.split(n)
		return func(m *machine) Value {
			base := len(m.stack)
			list(m)
			k := len(m.stack) - base
			m.stack = m.stack[:base]
			return Int(int64(k))
		}
	case "substr":
		return c.substring(n)
	case "chomp", "chop":
		return c.chomp(n)
	case "die":
		return c.die(n)
	case "warn":
		return c.warn(n)
	case "rand", "srand":
		return c.rand(n)
	}
	b := builtinFor(n.name)
	at := c.at(n)
	if b.one != nil {
		f, arg := b.one, c.scalar(n.kids[0])
		if op, number, any := argumentCheck(b.name); any {
			arg = c.checked(n.kids[0], arg, op, number)
		}
		return func(m *machine) Value { return f(m, at, arg(m)) }
	}
	args, f, min := c.arguments(n, b), b.many, b.min
	return func(m *machine) Value {
		base := len(m.stack)
		args(m)
		if len(m.stack)-base < min {
			m.die(at, "Not enough arguments for "+b.name)
		}
		v := f(m, at, m.stack[base:])
		m.stack = m.stack[:base]
		return v
	}
}

// arguments compiles the arguments: each a scalar, or all one list.
func (c *compiler) arguments(n *node, b *builtin) listFn {
	op, number, any := argumentCheck(b.name)
	if b.max < 0 {
		if any {
			items := c.items
			if b.name == "sprintf" {
				items = c.formatItems
			}
			return c.checkedItems(n, n.kids, items(n.kids), op)
		}
		return c.subItems(n)
	}
	var fns []scalarFn
	for _, k := range n.kids {
		f := c.scalar(k)
		if any {
			f = c.checked(k, f, op, number)
		}
		fns = append(fns, f)
	}
	return func(m *machine) {
		for _, f := range fns {
			v := f(m)
			m.stack = append(m.stack, v)
		}
	}
}

// funcList compiles those functions that give more than one value; nil for the others.
func (c *compiler) funcList(n *node) listFn {
	switch n.name {
	case "localtime", "gmtime":
		when := c.when(n)
		return func(m *machine) { m.pushTime(when(m)) }
	case "keys", "values":
		return c.keyList(n)
	case "each":
		return c.eachPair(n)
	case "reverse":
		return c.reverseList(n)
	case "splice":
		return c.splice(n)
	case "split":
		return c.split(n)
	case "delete":
		if k := n.kids[0].kind; k == nSlice || k == nKeySlice {
			return c.deleteList(n.kids[0])
		}
	default:
		b := builtinFor(n.name)
		if b == nil || b.list == nil {
			return nil
		}
		args, at := c.subItems(n), c.at(n)
		return func(m *machine) {
			base := len(m.stack)
			args(m)
			a := append([]Value(nil), m.stack[base:]...)
			m.stack = m.stack[:base]
			b.list(m, at, a)
		}
	}
	return nil
}

// subItems are the arguments of a function that takes a list. For those of a module, which are subs, the elements of slices
// are made.
func (c *compiler) subItems(n *node) listFn {
	slices := false
	for _, k := range n.kids {
		slices = slices || k.kind == nSlice || k.kind == nKeySlice
	}
	if !slices || !strings.Contains(n.name, "::") {
		return c.items(n.kids)
	}
	alias := c.lend(&node{kind: nList, kids: n.kids}, lendArgs)
	return func(m *machine) {
		base := len(m.ptrs)
		alias(m)
		m.room(len(m.ptrs) - base)
		for _, p := range m.ptrs[base:] {
			m.stack = append(m.stack, *p)
		}
		m.ptrs = m.ptrs[:base]
	}
}

func (c *compiler) defined(n *node) scalarFn {
	x := n.kids[0]
	for x.kind == nList && len(x.kids) == 1 {
		x = x.kids[0]
	}
	switch {
	case x.kind == nCall && x.sigil == '&' && x.post:
		_, host := c.p.host(x.name)
		v := Bool(host || c.named[x.name] != nil)
		return func(*machine) Value { return v }
	case isArray(x) && x.kind != nMy:
		a := c.array(x, false)
		return func(m *machine) Value {
			arr := a(m)
			return Bool(arr != nil && len(arr.v) > 0)
		}
	case isHash(x) && x.kind != nMy:
		h := c.hash(x, false)
		return func(m *machine) Value {
			y := h(m)
			return Bool(y != nil && y.live > 0)
		}
	}
	f := c.scalar(x)
	return func(m *machine) Value { return Bool(f(m).k != kUndef) }
}

func (c *compiler) undefine(n *node) scalarFn {
	if len(n.kids) == 0 {
		return func(*machine) Value { return Value{} }
	}
	x := n.kids[0]
	switch {
	case isArray(x):
		a := c.array(x, true)
		return func(m *machine) Value {
			m.resize(a(m), 0)
			return Value{}
		}
	case isHash(x):
		h := c.hash(x, true)
		return func(m *machine) Value {
			h(m).clear()
			return Value{}
		}
	}
	p := c.writable(x)
	return func(m *machine) Value {
		*p(m) = Value{}
		return Value{}
	}
}

func (c *compiler) reverseList(n *node) listFn {
	list := c.items(n.kids)
	return func(m *machine) {
		base := len(m.stack)
		list(m)
		v := m.stack[base:]
		for i, j := 0, len(v)-1; i < j; i, j = i+1, j-1 {
			v[i], v[j] = v[j], v[i]
		}
	}
}

func (c *compiler) reverseText(n *node) scalarFn {
	kids := n.kids
	if len(kids) == 0 {
		kids = []*node{{kind: nVar, sigil: '$', name: "_", global: true, slot: gTopic}}
	}
	list := c.items(kids)
	return func(m *machine) Value {
		base := len(m.stack)
		list(m)
		r := []byte(m.joined(base))
		for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
			r[i], r[j] = r[j], r[i]
		}
		return m.text(string(r))
	}
}

// chomp compiles chomp and chop over all variables that they are given.
func (c *compiler) chomp(n *node) scalarFn {
	cells, chop, at := c.lend(&node{kind: nList, kids: n.kids}, lendLoop), n.name == "chop", c.at(n)
	return func(m *machine) Value {
		base, count := len(m.ptrs), 0
		cells(m)
		last := String("")
		for _, p := range m.ptrs[base:] {
			if m.readOnly[p] {
				m.die(at, readOnlyText)
			}
			s := p.str()
			if s == "" || !chop && s[len(s)-1] != '\n' {
				continue
			}
			last = String(s[len(s)-1:])
			*p = String(s[:len(s)-1])
			count++
		}
		m.ptrs = m.ptrs[:base]
		if chop {
			return last
		}
		return Int(int64(count))
	}
}

func (c *compiler) rand(n *node) scalarFn {
	arg := func(*machine) Value { return Value{} }
	if len(n.kids) > 0 {
		arg = c.scalar(n.kids[0])
	}
	if n.name == "srand" {
		return func(m *machine) Value {
			v := arg(m)
			if v.k == kUndef {
				v = Int(m.opt.Now.Unix())
			}
			m.seed(v.uv())
			if v = truncate(v); !v.Bool() {
				return String("0 but true")
			}
			return v
		}
	}
	return func(m *machine) Value {
		max := arg(m).nv()
		if max == 0 {
			max = 1
		}
		return Float(m.nextRandom() * max)
	}
}
