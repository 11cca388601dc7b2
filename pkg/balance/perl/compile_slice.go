package perl

// sliceTarget is a slice on the left of a list assignment.
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

// slicePlaces is a slice of a list as the variables that the list has.
func (c *compiler) slicePlaces(n *node) listFn {
	list, idx := c.lend(n.kids[0], lendRead), c.list(n.kids[1])
	return func(m *machine) {
		base, from := len(m.ptrs), len(m.stack)
		list(m)
		idx(m)
		all := append([]*Value(nil), m.ptrs[base:]...)
		m.ptrs = m.ptrs[:base]
		for _, k := range m.stack[from:] {
			j := k.iv()
			if j < 0 {
				j += int64(len(all))
			}
			switch {
			case len(all) == 0:
			case j >= 0 && j < int64(len(all)):
				m.ptrs = append(m.ptrs, all[j])
			default:
				m.ptrs = append(m.ptrs, m.newCell(Value{}))
			}
		}
		m.stack = m.stack[:from]
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
