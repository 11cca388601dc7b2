package perl

import "strings"

// text joins the values of a list, for die and warn.
func (c *compiler) text(n *node) func(*machine) string {
	list := c.items(n.kids)
	return func(m *machine) string {
		base := len(m.stack)
		list(m)
		return m.joined(base)
	}
}

// joined takes the values above base off the stack and joins them.
func (m *machine) joined(base int) string {
	var b strings.Builder
	for _, v := range m.stack[base:] {
		b.WriteString(v.str())
		if b.Len() > m.maxBytes {
			m.exceed("bytes", m.maxBytes)
		}
	}
	m.stack = m.stack[:base]
	m.charge(b.Len())
	return b.String()
}

// located appends the place unless the text ends its line.
func (m *machine) located(s string, at site) string {
	if strings.HasSuffix(s, "\n") {
		return s
	}
	return s + " at " + m.prog.fileName() + " line " + Int(int64(at.line)).str() + ".\n"
}

func (c *compiler) die(n *node) scalarFn {
	list, at := c.items(n.kids), c.at(n)
	return func(m *machine) Value {
		base := len(m.stack)
		list(m)
		if vals := m.stack[base:]; len(vals) == 1 && vals[0].isRef() {
			m.dieValue(at, vals[0]) // a reference is thrown as it is
		}
		m.dieText(at, m.joined(base))
		return Value{}
	}
}

func (m *machine) dieText(at site, s string) {
	if s == "" {
		s = "Died"
		if prev := m.globals[gErr].str(); prev != "" {
			s = prev + "\t...propagated"
		}
	}
	m.dieValue(at, String(m.located(s, at)))
}

func (c *compiler) warn(n *node) scalarFn {
	text, at := c.text(n), c.at(n)
	return func(m *machine) Value {
		s := text(m)
		if s == "" {
			s = "Warning: something's wrong"
			if prev := m.globals[gErr].str(); prev != "" {
				s = prev + "\t...caught"
			}
		}
		m.write(m.opt.Warn, m.located(s, at))
		return valYes
	}
}

// print compiles print, printf and say.
func (c *compiler) print(n *node) scalarFn {
	list, name, at := c.checkedItems(n, n.kids, c.items(n.kids), n.name), n.name, c.at(n)
	toWarn := n.val.str() == "STDERR"
	return func(m *machine) Value {
		base := len(m.stack)
		list(m)
		b := m.takeBuffer()
		if name == "printf" {
			if vals := m.stack[base:]; len(vals) > 0 {
				b = append(b, formatList(m, at, vals).str()...)
			}
		} else {
			sep := m.globals[gComma]
			for i, v := range m.stack[base:] {
				if i > 0 && sep.k != kUndef {
					b = append(b, sep.str()...)
				}
				b = appendValue(b, v)
				if len(b) > m.maxBytes {
					m.exceed("bytes", m.maxBytes)
				}
			}
			if name == "say" {
				b = append(b, '\n')
			}
			if end := m.globals[gLine]; end.k != kUndef {
				b = append(b, end.str()...)
			}
		}
		m.stack = m.stack[:base]
		w := m.opt.Out
		if toWarn {
			w = m.opt.Warn
		}
		m.write(w, string(b))
		m.buf = b
		return valYes
	}
}
