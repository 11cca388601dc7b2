package perl

func (c *compiler) pushTo(n *node) scalarFn {
	a, list, front := c.array(n.kids[0], true), c.items(n.kids[1:]), n.name == "unshift"
	return func(m *machine) Value {
		arr := a(m)
		base := len(m.stack)
		list(m)
		if vals := m.stack[base:]; front {
			old := append([]*Value(nil), arr.v...)
			m.step(len(old))
			arr.v = arr.v[:0]
			m.push(arr, vals)
			arr.v = append(arr.v, old...)
			if len(arr.v) > m.maxElements {
				m.exceed("elements", m.maxElements)
			}
		} else {
			m.push(arr, vals)
		}
		m.stack = m.stack[:base]
		return Int(int64(len(arr.v)))
	}
}

func (c *compiler) popFrom(n *node) scalarFn {
	arg := func(m *machine) *array { return m.f.args }
	if len(n.kids) > 0 {
		arg = c.array(n.kids[0], true)
	}
	front := n.name == "shift"
	return func(m *machine) Value {
		a := arg(m)
		k := len(a.v)
		if k == 0 {
			return Value{}
		}
		var cell *Value
		if front {
			cell = a.v[0]
			a.v = a.v[1:]
		} else {
			cell = a.v[k-1]
			a.v = a.v[:k-1]
		}
		if cell == nil {
			return Value{}
		}
		return *cell
	}
}

func (c *compiler) splice(n *node) listFn {
	a, at := c.array(n.kids[0], true), c.at(n)
	var off, count scalarFn
	var list listFn
	if len(n.kids) > 1 {
		off = c.scalar(n.kids[1])
	}
	if len(n.kids) > 2 {
		count = c.scalar(n.kids[2])
	}
	if len(n.kids) > 3 {
		list = c.items(n.kids[3:])
	}
	return func(m *machine) {
		arr := a(m)
		size := int64(len(arr.v))
		from, k := int64(0), size
		if off != nil {
			if from = off(m).iv(); from < 0 {
				if from += size; from < 0 {
					m.die(at, "Modification of non-creatable array value attempted, subscript "+Int(from-size).str())
				}
			}
			if from > size && at.warn {
				m.warning(at, "splice() offset past end of array")
			}
			from = min(from, size)
			k = size - from
		}
		if count != nil {
			if v := count(m); v.k != kUndef {
				if k = v.iv(); k < 0 {
					k += size - from
				}
				k = min(max(k, 0), size-from)
			}
		}
		base := len(m.stack)
		if list != nil {
			list(m)
		}
		in := m.newArray()
		m.push(in, m.stack[base:])
		m.stack = m.stack[:base]
		m.step(len(arr.v))
		tail := append([]*Value(nil), arr.v[from+k:]...)
		for _, cell := range arr.v[from : from+k] {
			if cell == nil {
				m.stack = append(m.stack, Value{})
			} else {
				m.stack = append(m.stack, *cell)
			}
		}
		arr.v = append(append(arr.v[:from], in.v...), tail...)
		if len(arr.v) > m.maxElements {
			m.exceed("elements", m.maxElements)
		}
	}
}

func (c *compiler) countKeys(n *node) scalarFn {
	x := n.kids[0]
	if isArray(x) {
		a := c.array(x, true)
		return func(m *machine) Value {
			arr := a(m)
			arr.iter = 0
			return Int(int64(len(arr.v)))
		}
	}
	h := c.hash(x, true)
	return func(m *machine) Value {
		y := h(m)
		y.iter = 0
		return Int(int64(y.live))
	}
}

func (c *compiler) keyList(n *node) listFn {
	x, keys := n.kids[0], n.name == "keys"
	if isArray(x) {
		a := c.array(x, true)
		return func(m *machine) {
			arr := a(m)
			arr.iter = 0
			if !keys {
				m.pushArray(arr)
				return
			}
			m.room(len(arr.v))
			for i := range arr.v {
				m.stack = append(m.stack, Int(int64(i)))
			}
		}
	}
	h := c.hash(x, true)
	return func(m *machine) {
		y := h(m)
		y.iter = 0
		m.room(y.live)
		for _, e := range y.ents {
			if e.val == nil {
				continue
			}
			if keys {
				m.stack = append(m.stack, String(e.key))
			} else {
				m.stack = append(m.stack, *e.val)
			}
		}
	}
}

// nextEntry moves each's place on; ok is false at the end.
func (h *hash) nextEntry() (e entry, ok bool) {
	for h.iter < len(h.ents) {
		e = h.ents[h.iter]
		h.iter++
		if e.val != nil {
			return e, true
		}
	}
	h.iter = 0
	return e, false
}

// next moves the place of each on in an array; -1 at the end.
func (a *array) next() int {
	if a.iter < len(a.v) {
		a.iter++
		return a.iter - 1
	}
	a.iter = 0
	return -1
}

func (c *compiler) eachKey(n *node) scalarFn {
	if isArray(n.kids[0]) {
		a := c.array(n.kids[0], true)
		return func(m *machine) Value {
			if i := a(m).next(); i >= 0 {
				return Int(int64(i))
			}
			return Value{}
		}
	}
	h := c.hash(n.kids[0], true)
	return func(m *machine) Value {
		if e, ok := h(m).nextEntry(); ok {
			return String(e.key)
		}
		return Value{}
	}
}

func (c *compiler) eachPair(n *node) listFn {
	if isArray(n.kids[0]) {
		a := c.array(n.kids[0], true)
		return func(m *machine) {
			arr := a(m)
			if i := arr.next(); i >= 0 {
				m.stack = append(m.stack, Int(int64(i)), arr.at(int64(i)))
			}
		}
	}
	h := c.hash(n.kids[0], true)
	return func(m *machine) {
		if e, ok := h(m).nextEntry(); ok {
			m.stack = append(m.stack, String(e.key), *e.val)
		}
	}
}

func (c *compiler) deleteOne(x *node) scalarFn {
	if x.kind == nIndex {
		a, idx := c.array(x.kids[0], true), c.scalar(x.kids[1])
		return func(m *machine) Value {
			arr := a(m)
			i := arr.index(idx(m).iv())
			if i < 0 {
				return Value{}
			}
			v := arr.at(int64(i))
			arr.v[i] = nil
			for len(arr.v) > 0 && i == len(arr.v)-1 && arr.v[i] == nil {
				arr.v = arr.v[:i]
				i--
			}
			return v
		}
	}
	h, key := c.hash(x.kids[0], true), c.keyOf(x.kids[1])
	return func(m *machine) Value {
		y := h(m)
		if cell := y.remove(key(m)); cell != nil {
			return *cell
		}
		return Value{}
	}
}

func (c *compiler) deleteList(x *node) listFn {
	keys, del := c.list(x.kids[1]), func(*machine, Value) Value { return Value{} }
	if x.kind == nKeySlice {
		h := c.hash(x.kids[0], true)
		del = func(m *machine, k Value) Value {
			if cell := h(m).remove(k.str()); cell != nil {
				return *cell
			}
			return Value{}
		}
	} else {
		a := c.array(x.kids[0], true)
		del = func(m *machine, k Value) Value {
			arr := a(m)
			v := arr.at(k.iv())
			if i := arr.index(k.iv()); i >= 0 {
				arr.v[i] = nil
			}
			return v
		}
	}
	return func(m *machine) {
		base := len(m.stack)
		keys(m)
		for i := base; i < len(m.stack); i++ {
			m.stack[i] = del(m, m.stack[i])
		}
	}
}

func (c *compiler) exists(x *node) scalarFn {
	switch x.kind {
	case nCall: // exists &name
		return c.defined(&node{kind: nFunc, name: "defined", kids: []*node{x}})
	case nIndex:
		a, idx := c.arrayToRead(x.kids[0]), c.scalar(x.kids[1])
		return func(m *machine) Value {
			arr := a(m)
			i := arr.index(idx(m).iv())
			return Bool(i >= 0 && arr.v[i] != nil)
		}
	}
	h, key := c.hashToRead(x.kids[0]), c.keyOf(x.kids[1])
	return func(m *machine) Value {
		y := h(m)
		return Bool(y.get(key(m)) != nil)
	}
}
