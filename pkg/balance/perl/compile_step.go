package perl

func (c *compiler) incDec(n *node) scalarFn {
	p, up := c.stepCell(n), n.name == "++"
	if n.post {
		return func(m *machine) Value {
			cell := p(m)
			old := *cell
			*cell = m.charged(stepValue(old, up))
			if old.k == kUndef {
				if up {
					return Int(0)
				}
				return Value{}
			}
			return old
		}
	}
	return func(m *machine) Value {
		cell := p(m)
		*cell = m.charged(stepValue(*cell, up))
		return *cell
	}
}

// stepCell is the variable of ++ and --; a text that is no number is warned of.
func (c *compiler) stepCell(n *node) ptrFn {
	p := c.writable(n.kids[0])
	if !c.warns {
		return p
	}
	what := "pre"
	if n.post {
		what = "post"
	}
	if n.name == "++" {
		what += "increment (++)"
	} else {
		what += "decrement (--)"
	}
	at, up := c.at(n), n.name == "++"
	return func(m *machine) *Value {
		cell := p(m)
		if s := cell.str(); cell.k == kPV && s != "" && !(up && magical(s)) {
			m.operand(at, *cell, nil, what, true)
		}
		return cell
	}
}
