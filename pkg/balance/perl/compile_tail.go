package perl

// tail compiles the last statement of a block whose value is wanted.
func (c *compiler) tail(n *node, want Want) stmtFn {
	switch n.kind {
	case nBlock:
		return c.once(n, c.scoped(n, want))
	case nIf:
		return c.ifTail(n, want)
	case nWhile, nFor, nForeach:
		return c.loopTail(n)
	case nReturn, nNext, nLast:
		return c.stmt(n)
	case nAnd, nOr:
		if control(n.kids[1]) {
			return c.shortTail(n, want)
		}
	case nCond:
		if control(n.kids[1]) || control(n.kids[2]) {
			cond, a, b := c.cond(n.kids[0]), c.tail(n.kids[1], want), c.tail(n.kids[2], want)
			return func(m *machine) ctl {
				if cond(m) {
					return a(m)
				}
				return b(m)
			}
		}
	}
	return c.result(n, want)
}

// loopTail is a loop at the end of a block. It leaves its last condition, and nothing if last ended it.
func (c *compiler) loopTail(n *node) stmtFn {
	c.keepCond = true
	f := c.stmt(n)
	c.keepCond = false
	return func(m *machine) ctl {
		m.retv = valNo // of foreach and of a loop without a condition
		m.rets = append(m.rets[:0], valNo)
		m.leftLoop = false
		if k := f(m); k != ctlNone {
			return k
		}
		if m.leftLoop {
			return noValue(m)
		}
		return ctlNone
	}
}

// loopCond compiles the condition of a loop. The value is kept where the loop ends a block.
func (c *compiler) loopCond(n *node) condFn {
	keep := c.keepCond
	c.keepCond = false
	switch {
	case n == nil:
		return func(*machine) bool { return true }
	case !keep:
		return c.cond(n)
	}
	f, set := c.scalar(n), c.setResult(WantScalar)
	return func(m *machine) bool {
		v := f(m)
		set(m, v)
		m.leftLoop = false
		return v.Bool()
	}
}

// shortTail compiles X and return, X or next at the end of a block.
func (c *compiler) shortTail(n *node, want Want) stmtFn {
	left, set, right := c.scalar(n.kids[0]), c.setResult(want), c.tail(n.kids[1], want)
	and, word, tracing := n.kind == nAnd, wording(n.kids[0]), c.tracing
	return func(m *machine) ctl {
		v := left(m)
		if tracing {
			m.traceValue(n, word(v), word(v), "")
		}
		if v.Bool() == and {
			return right(m)
		}
		set(m, v)
		return ctlNone
	}
}

func (c *compiler) setResult(want Want) func(*machine, Value) {
	return func(m *machine, v Value) {
		m.retv = v
		m.rets = append(m.rets[:0], v)
	}
}

// result evaluates n for its value and leaves it in retv or rets.
func (c *compiler) result(n *node, want Want) stmtFn {
	key := memoKey{n, want}
	if f := c.memo[key]; f != nil {
		return f
	}
	var scalar scalarFn
	var list listFn
	if want == wantCaller {
		c.mayBeList(n)
	}
	if want == WantScalar || want == wantCaller {
		scalar = c.scalar(n)
	}
	if want == WantList || want == wantCaller {
		list = c.list(n)
	}
	keepList := func(m *machine) ctl {
		base := len(m.stack)
		list(m)
		m.rets = append(m.rets[:0], m.stack[base:]...)
		m.stack = m.stack[:base]
		return ctlNone
	}
	keepScalar := func(m *machine) ctl {
		m.retv = scalar(m)
		return ctlNone
	}
	var f stmtFn
	switch want {
	case WantScalar:
		f = keepScalar
	case WantList:
		f = keepList
	default:
		f = func(m *machine) ctl {
			if m.f.want == WantList {
				return keepList(m)
			}
			return keepScalar(m)
		}
	}
	if holds(n, nDo, nEval, nMap, nSort, nReturn) { // what leads here again
		c.remember(key, f)
	}
	return f
}

// mayBeList notes the sorts and ranges that n gives.
func (c *compiler) mayBeList(n *node) {
	switch n.kind {
	case nSort, nRange:
		if c.lastValues == nil {
			c.lastValues = map[*node]bool{}
		}
		c.lastValues[n] = true
	case nCond:
		c.mayBeList(n.kids[1])
		c.mayBeList(n.kids[2])
	case nAnd, nOr, nDor:
		c.mayBeList(n.kids[1])
	case nList:
		for _, k := range n.kids {
			c.mayBeList(k)
		}
	}
}

// ifTail is an if whose branches give the value; without a true branch it is the condition's.
func (c *compiler) ifTail(n *node, want Want) stmtFn {
	set := c.setResult(want)
	var fn stmtFn
	i := len(n.kids)
	if i%2 == 1 {
		i--
		fn = c.tailBody(n.kids[i], want)
	}
	for i -= 2; i >= 0; i -= 2 {
		body, rest := c.tailBody(n.kids[i+1], want), fn
		cn, not := n.kids[i], false
		for cn.kind == nNot && cn.name == "" && cn.off == cn.kids[0].off {
			cn, not = cn.kids[0], !not
		}
		cond := c.scalar(cn)
		fn = func(m *machine) ctl {
			v := cond(m)
			if v.Bool() != not {
				return body(m)
			}
			if rest != nil {
				return rest(m)
			}
			set(m, v)
			return ctlNone
		}
	}
	return fn
}

func (c *compiler) tailBody(n *node, want Want) stmtFn {
	if n.kind == nBlock {
		return c.scoped(n, want)
	}
	return c.tail(n, want)
}

// noValue leaves nothing as the result.
func noValue(m *machine) ctl {
	m.retv, m.rets = Value{}, m.rets[:0]
	return ctlNone
}
