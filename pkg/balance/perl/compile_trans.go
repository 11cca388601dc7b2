package perl

import "strings"

// trans compiles tr///: a table of what becomes of each byte.
func (c *compiler) trans(n *node) scalarFn {
	table, same := trTable(n.regex)
	squash, give := strings.Contains(n.regex.flags, "s"), strings.Contains(n.regex.flags, "r")
	var target ptrFn
	if give || same && !squash {
		text := c.scalar(c.subject(n))
		target = func(m *machine) *Value { return m.newCell(text(m)) }
	} else {
		target = c.writable(c.subject(n))
	}
	not, at, name := n.not, c.at(n), namer(nil)
	if at.warn {
		name = c.operandName(c.subject(n))
	}
	return func(m *machine) Value {
		cell := target(m)
		if at.warn {
			m.operand(at, *cell, name, "transliteration (tr///)", false)
		}
		s := cell.str()
		m.charge(len(s))
		b := make([]byte, 0, len(s))
		count, last := 0, -1
		for i := 0; i < len(s); i++ {
			switch to := table[s[i]]; {
			case to == trKeep:
				b = append(b, s[i])
				last = -1
				continue
			case to == trDelete:
			case squash && int(to) == last:
			default:
				b = append(b, byte(to))
				last = int(to)
			}
			count++
		}
		if give {
			return String(string(b))
		}
		if string(b) != s {
			*cell = String(string(b))
		}
		if not {
			return Bool(count == 0)
		}
		return Int(int64(count))
	}
}

// trTable gives what each byte becomes; same tells that nothing changes.
func trTable(x *regexNode) (table [256]int16, same bool) {
	from, to := x.from, x.to
	del := strings.Contains(x.flags, "d")
	if strings.Contains(x.flags, "c") {
		var rest []byte
		for b := 0; b < 256; b++ {
			if strings.IndexByte(from, byte(b)) < 0 {
				rest = append(rest, byte(b))
			}
		}
		from = string(rest)
	}
	if to == "" && !del {
		to, same = from, true
	}
	for i := range table {
		table[i] = trKeep
	}
	for i := 0; i < len(from); i++ {
		if table[from[i]] != trKeep {
			continue
		}
		switch {
		case i < len(to):
			table[from[i]] = int16(to[i])
		case del:
			table[from[i]] = trDelete
		default:
			table[from[i]] = int16(to[len(to)-1])
		}
	}
	return table, same
}
