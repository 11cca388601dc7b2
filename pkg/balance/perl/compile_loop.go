package perl

// mine tells whether a next or last without a label, or with this loop's, is meant.
func (m *machine) mine(label string) bool {
	return m.label == "" || m.label == label
}

// guarded runs a loop's body and catches what leaves it out of an expression.
func guarded(body stmtFn) stmtFn {
	return func(m *machine) (k ctl) {
		s := m.snapshot()
		defer func() {
			if r := recover(); r != nil {
				j, ok := r.(*jump)
				if !ok {
					panic(r)
				}
				m.restore(s)
				k = j.c
			}
		}()
		return body(m)
	}
}

// loopBody compiles a body; if an expression in it jumps, the body is guarded.
// A turn sees the matches of the turn before, unless something runs between the turns: then the body is a block of its own.
func (c *compiler) loopBody(n *node, between bool) stmtFn {
	before := c.jumps
	var body stmtFn
	if n.kind == nBlock && !between {
		body = localized(n, c.block(n.kids, WantVoid))
	} else {
		body = c.stmtBody(n)
	}
	if c.jumps > before {
		body = guarded(body)
	}
	return body
}

// turn handles how a body ended: go on tells whether the loop does, and out what it returns if not.
func (m *machine) turn(k ctl, label string) (goOn bool, out ctl) {
	switch {
	case k == ctlNone:
		return true, ctlNone
	case k == ctlReturn || !m.mine(label):
		return false, k
	case k == ctlLast:
		m.leftLoop = true
		return false, ctlNone
	}
	return true, ctlNone
}

// once is a bare block: a loop that runs once, which last and next leave.
func (c *compiler) once(n *node, body stmtFn) stmtFn {
	if !holds(n, nNext, nLast) && !(c.r.leaves && holds(n, nCall, nDynCall, nSort)) {
		return body
	}
	label := n.name
	body = guarded(body)
	return func(m *machine) ctl {
		_, out := m.turn(body(m), label)
		return out
	}
}

func (c *compiler) while(n *node) stmtFn {
	cond := c.loopCond(n.kids[0])
	if n.post && n.kids[1].kind == nDo {
		return c.doWhile(n, cond)
	}
	body, not, label := c.loopBody(n.kids[1], n.kids[2] != nil), n.not, n.name
	var cont stmtFn
	if n.kids[2] != nil {
		cont = c.stmtBody(n.kids[2])
	}
	at := n.off
	loop := func(m *machine) ctl {
		old := m.match
		for cond(m) != not {
			m.where = at
			m.step(1)
			k := body(m)
			if k == ctlNext {
				m.match = old
			}
			if goOn, out := m.turn(k, label); !goOn {
				return out
			}
			if cont != nil {
				cont(m)
			}
		}
		return ctlNone
	}
	if !n.post && (holds(n.kids[1], nMatch, nSubst) || n.kids[0] != nil && holds(n.kids[0], nMatch, nSubst)) {
		return func(m *machine) ctl {
			old := m.match
			k := loop(m)
			m.match = old
			return k
		}
	}
	return loop
}

// doWhile runs the block before it asks. It is no loop for next and last.
func (c *compiler) doWhile(n *node, cond condFn) stmtFn {
	body, not, at := c.stmtBody(n.kids[1].kids[0]), n.not, n.off
	return func(m *machine) ctl {
		for {
			m.where = at
			m.step(1)
			if k := body(m); k != ctlNone {
				return k
			}
			if cond(m) == not {
				return ctlNone
			}
		}
	}
}

func (c *compiler) forLoop(n *node) stmtFn {
	cond := c.loopCond(n.kids[1])
	init := func(*machine) ctl { return ctlNone }
	if n.kids[0] != nil {
		init = c.stmt(n.kids[0])
	}
	step := func(*machine) {}
	if n.kids[2] != nil {
		step = c.void(n.kids[2])
	}
	body, label, at := c.loopBody(n.kids[3], n.kids[2] != nil), n.name, n.off
	loop := func(m *machine) ctl {
		init(m)
		old := m.match
		for cond(m) {
			m.where = at
			m.step(1)
			k := body(m)
			if k == ctlNext {
				m.match = old
			}
			if goOn, out := m.turn(k, label); !goOn {
				return out
			}
			step(m)
		}
		return ctlNone
	}
	if n.kids[2] != nil || !holds(n.kids[3], nMatch, nSubst) {
		return loop
	}
	return func(m *machine) ctl {
		old := m.match
		k := loop(m)
		m.match = old
		return k
	}
}

// slotFn gives the place of a scalar's name, to make it an alias.
func (c *compiler) slot(v *node) func(*machine) **Value {
	if v == nil {
		return func(m *machine) **Value { return &m.globals[gTopic] }
	}
	if v.kind == nMy {
		v = v.kids[0]
	}
	i := v.slot
	if v.global {
		return func(m *machine) **Value { return &m.globals[i] }
	}
	return func(m *machine) **Value { return &m.f.s[i] }
}

func (c *compiler) foreach(n *node) stmtFn {
	keep := c.keepCond
	c.keepCond = false
	slot, body, label := c.slot(n.kids[0]), c.loopBody(n.kids[2], n.kids[3] != nil), n.name
	if inner := body; keep {
		body = func(m *machine) ctl {
			k := inner(m)
			m.retv, m.rets, m.leftLoop = valNo, append(m.rets[:0], valNo), false
			return k
		}
	}
	var cont stmtFn
	if n.kids[3] != nil {
		cont = c.stmtBody(n.kids[3])
	}
	list := n.kids[1]
	for list.kind == nList && len(list.kids) == 1 {
		list = list.kids[0]
	}
	at := n.off
	each := func(m *machine, place **Value, cell *Value) (bool, ctl) {
		m.where = at
		m.step(1)
		*place = cell
		k := body(m)
		if k == ctlNext {
			m.match = m.before
		}
		goOn, out := m.turn(k, label)
		if goOn && cont != nil {
			cont(m)
		}
		return goOn, out
	}
	var loop func(m *machine, place **Value) ctl
	switch {
	case list.kind == nRange:
		loop = c.overRange(list, each)
	case isArray(list) && list.kind != nMy:
		loop = c.overArray(list, each)
	default:
		alias := c.lend(n.kids[1], lendLoop)
		loop = func(m *machine, place **Value) ctl {
			base := len(m.ptrs)
			alias(m)
			end := len(m.ptrs)
			for i := base; i < end; i++ {
				if goOn, out := each(m, place, m.ptrs[i]); !goOn {
					m.ptrs = m.ptrs[:base]
					return out
				}
			}
			m.ptrs = m.ptrs[:base]
			return ctlNone
		}
	}
	matches := holds(n.kids[2], nMatch, nSubst)
	return func(m *machine) ctl {
		place, mark, old, before := slot(m), len(m.saves), m.match, m.before
		m.saves = append(m.saves, saved{slot: place, old: *place})
		m.before = old
		k := loop(m, place)
		m.before = before
		m.unwind(mark)
		if matches {
			m.match = old
		}
		return k
	}
}

type eachFn func(m *machine, place **Value, cell *Value) (bool, ctl)

// overArray runs over an array as it is, also while it grows.
func (c *compiler) overArray(list *node, each eachFn) func(*machine, **Value) ctl {
	arr := c.array(list, true)
	return func(m *machine, place **Value) ctl {
		a := arr(m)
		for i := 0; i < len(a.v); i++ {
			if a.v[i] == nil {
				a.v[i] = m.newCell(Value{})
			}
			if goOn, out := each(m, place, a.v[i]); !goOn {
				return out
			}
		}
		return ctlNone
	}
}

// overRange counts without making a list.
func (c *compiler) overRange(list *node, each eachFn) func(*machine, **Value) ctl {
	from, to, at := c.scalar(list.kids[0]), c.scalar(list.kids[1]), c.at(list)
	fresh := c.prog.usesRefs
	return func(m *machine, place **Value) ctl {
		a := from(m)
		b := to(m)
		if magicRange(a, b) {
			base := len(m.stack)
			m.pushRange(a, b, at)
			vals := append([]Value(nil), m.stack[base:]...)
			m.stack = m.stack[:base]
			for _, v := range vals {
				if goOn, out := each(m, place, m.newCell(v)); !goOn {
					return out
				}
			}
			return ctlNone
		}
		i, j := m.rangeEnds(a, b, at)
		cell := m.newCell(Value{})
		for ; i <= j; i++ {
			if fresh {
				cell = m.newCell(Value{})
			}
			*cell = Int(i)
			if goOn, out := each(m, place, cell); !goOn {
				return out
			}
			if i == 1<<63-1 {
				break
			}
		}
		return ctlNone
	}
}
