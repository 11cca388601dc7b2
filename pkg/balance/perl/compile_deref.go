package perl

func (c *compiler) derefPtr(n *node) ptrFn {
	ref, at := n.kids[0], c.at(n)
	var f ptrFn
	if canHold(ref) {
		f = c.lvalue(ref)
	} else {
		s := c.scalar(ref)
		f = func(m *machine) *Value { return m.newCell(s(m)) }
	}
	return func(m *machine) *Value {
		cell := f(m)
		if cell.k == kUndef {
			*cell = Value{k: kRef, p: m.newCell(Value{})}
		}
		if cell.k != kRef {
			m.die(at, m.notRef(*cell, "a SCALAR"))
		}
		return cell.p.(*Value)
	}
}

// referredTo is what a reference points to; one that is undef creates nothing.
func (c *compiler) referredTo(n *node) ptrFn {
	f, at := c.inBraces(n.kids[0]), c.at(n)
	return func(m *machine) *Value {
		v := f(m)
		switch v.k {
		case kRef:
			return v.p.(*Value)
		case kUndef:
			return m.newCell(Value{})
		}
		m.die(at, m.notRef(v, "a SCALAR"))
		return nil
	}
}

// derefScalar reads $$x, and arrays and hashes behind references in scalar context.
func (c *compiler) derefScalar(n *node) scalarFn {
	switch n.sigil {
	case '@':
		a := c.array(n, false)
		return func(m *machine) Value {
			if arr := a(m); arr != nil {
				return Int(int64(len(arr.v)))
			}
			return Value{} // of undef
		}
	case '%':
		h := c.hash(n, false)
		return func(m *machine) Value {
			if x := h(m); x != nil {
				return Int(int64(x.live))
			}
			return Value{}
		}
	}
	f, at := c.inBraces(n.kids[0]), c.at(n)
	return func(m *machine) Value {
		v := f(m)
		switch v.k {
		case kRef:
			return *v.p.(*Value)
		case kUndef:
			return Value{}
		}
		m.die(at, m.notRef(v, "a SCALAR"))
		return Value{}
	}
}
