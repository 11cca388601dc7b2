package perl

// array is a perl array. Elements are cells, so that an alias of an element
// stays right when the array grows; nil is an element that was never set.
type array struct {
	v    []*Value
	iter int // of each
}

// hash keeps its entries in the order of insertion: the same rule prints the same text each time.
type hash struct {
	index map[string]int
	ents  []entry
	live  int
	iter  int // of each
}

type entry struct {
	key string
	val *Value // nil: deleted
}

func (h *hash) get(key string) *Value {
	if i, ok := h.index[key]; ok {
		return h.ents[i].val
	}
	return nil
}

func (h *hash) put(key string, cell *Value) {
	if i, ok := h.index[key]; ok {
		h.ents[i].val = cell
		return
	}
	if h.index == nil {
		h.index = map[string]int{}
	}
	h.index[key] = len(h.ents)
	h.ents = append(h.ents, entry{key, cell})
	h.live++
}

func (h *hash) remove(key string) *Value {
	i, ok := h.index[key]
	if !ok {
		return nil
	}
	cell := h.ents[i].val
	delete(h.index, key)
	h.ents[i] = entry{}
	h.live--
	if h.live == 0 {
		h.ents = h.ents[:0]
	} else if len(h.ents) > 32 && h.live < len(h.ents)/2 && h.iter == 0 {
		h.pack()
	}
	return cell
}

// pack takes out what was deleted.
func (h *hash) pack() {
	n := 0
	for _, e := range h.ents {
		if e.val != nil {
			h.ents[n] = e
			h.index[e.key] = n
			n++
		}
	}
	for i := n; i < len(h.ents); i++ {
		h.ents[i] = entry{}
	}
	h.ents = h.ents[:n]
}

func (h *hash) clear() {
	for i := range h.ents {
		delete(h.index, h.ents[i].key)
		h.ents[i] = entry{}
	}
	h.ents, h.live, h.iter = h.ents[:0], 0, 0
}

// newCell gives a fresh scalar. Cells come in slabs.
func (m *machine) newCell(v Value) *Value {
	if m.free == len(m.slab) {
		n := 2 * len(m.slab)
		if n == 0 {
			n = 16
		}
		n = min(n, 256)
		m.made(n * cellBytes)
		m.slab, m.free = make([]Value, n), 0
	}
	c := &m.slab[m.free]
	m.free++
	*c = v
	return c
}

// index turns a subscript into a place; negative ones count from the end. It is -1 when there is none.
func (a *array) index(i int64) int {
	if i < 0 {
		i += int64(len(a.v))
	}
	if i < 0 || i >= int64(len(a.v)) {
		return -1
	}
	return int(i)
}

func (a *array) at(i int64) Value {
	if k := a.index(i); k >= 0 && a.v[k] != nil {
		return *a.v[k]
	}
	return Value{}
}

// cell is the element for writing; the array grows to hold it.
func (m *machine) cell(a *array, i int64, at site) *Value {
	if i < 0 {
		k := i + int64(len(a.v))
		if k < 0 {
			m.die(at, "Modification of non-creatable array value attempted, subscript "+Int(i).str())
		}
		i = k
	}
	if i >= int64(len(a.v)) {
		m.resize(a, i+1)
	}
	if a.v[i] == nil {
		a.v[i] = m.newCell(Value{})
	}
	return a.v[i]
}

// resize sets the length of an array.
func (m *machine) resize(a *array, n int64) {
	if n < 0 {
		n = 0
	}
	if n > int64(m.maxElements) {
		m.exceed("elements", m.maxElements)
	}
	old := len(a.v)
	if int(n) > old {
		m.step(int(n) - old)
		m.made((int(n) - old) * slotBytes)
		a.v = append(a.v, make([]*Value, int(n)-old)...)
		return
	}
	for i := int(n); i < old; i++ {
		a.v[i] = nil
	}
	a.v = a.v[:n]
}

// push appends copies of values.
func (m *machine) push(a *array, vals []Value) {
	if len(a.v)+len(vals) > m.maxElements {
		m.exceed("elements", m.maxElements)
	}
	m.step(len(vals))
	m.made(len(vals) * slotBytes)
	for _, v := range vals {
		a.v = append(a.v, m.newCell(v))
	}
}

// assign makes the array a copy of values.
func (m *machine) assign(a *array, vals []Value) {
	for i := range a.v {
		a.v[i] = nil
	}
	a.v = a.v[:0]
	m.push(a, vals)
}

// assignHash makes the hash of pairs.
func (m *machine) assignHash(h *hash, vals []Value) {
	h.clear()
	for i := 0; i < len(vals); i += 2 {
		var v Value
		if i+1 < len(vals) {
			v = vals[i+1]
		}
		*m.entry(h, vals[i].str()) = v
	}
}

// entry is the value of a key for writing.
func (m *machine) entry(h *hash, key string) *Value {
	if c := h.get(key); c != nil {
		return c
	}
	if h.live >= m.maxElements {
		m.exceed("elements", m.maxElements)
	}
	m.step(1)
	m.charge(len(key))
	m.made(entryBytes)
	c := m.newCell(Value{})
	h.put(key, c)
	return c
}

// pushArray puts the values of an array on the stack.
func (m *machine) pushArray(a *array) {
	if a == nil {
		return
	}
	m.room(len(a.v))
	for _, c := range a.v {
		if c == nil {
			m.stack = append(m.stack, Value{})
		} else {
			m.stack = append(m.stack, *c)
		}
	}
}

func (m *machine) pushHash(h *hash) {
	if h == nil {
		return
	}
	m.room(2 * h.live)
	for _, e := range h.ents {
		if e.val != nil {
			m.stack = append(m.stack, String(e.key), *e.val)
		}
	}
}
