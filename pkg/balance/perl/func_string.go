package perl

import (
	"fmt"
	"math"
	"strings"
)

// lower and upper change ASCII letters only: strings are bytes.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

func upper(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'a' && s[i] <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'a' && b[i] <= 'z' {
					b[i] &^= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

func quotemeta(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if !isWord(s[i]) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func stringFunc(f func(string) string) func(*machine, site, Value) Value {
	return func(m *machine, _ site, v Value) Value {
		s := v.str()
		m.charge(2 * len(s))
		return String(f(s))
	}
}

func length(_ *machine, _ site, v Value) Value {
	if v.k == kUndef {
		return v
	}
	return Int(int64(len(v.str())))
}

func character(m *machine, at site, v Value) Value {
	switch f := v.nv(); {
	case f-f != 0:
		m.die(at, "Cannot chr "+formatFloat(f))
	case f >= 1<<63:
		m.die(at, fmt.Sprintf("Use of code point 0x%X is not allowed; the permissible max is 0x7FFFFFFFFFFFFFFF", v.uv()))
	}
	n := v.iv()
	if n < 0 {
		n = 0xFFFD
	}
	if n > 0x10FFFF {
		n = 0xFFFD
	}
	return String(char(int(n))) // counted with the cell that holds it
}

func ordinal(_ *machine, _ site, v Value) Value {
	if s := v.str(); s != "" {
		return Int(int64(s[0]))
	}
	return Int(0)
}

func joinList(m *machine, _ site, a []Value) Value {
	sep := a[0].str()
	b := m.takeBuffer()
	for i, v := range a[1:] {
		if i > 0 {
			b = append(b, sep...)
		}
		b = appendValue(b, v)
		if len(b) > m.maxBytes {
			m.exceed("bytes", m.maxBytes)
		}
	}
	m.charge(len(b))
	v := String(string(b))
	m.buf = b
	return v
}

func indexOf(_ *machine, _ site, a []Value) Value {
	s, sub := a[0].str(), a[1].str()
	from := int64(0)
	if len(a) > 2 {
		from = min(max(a[2].iv(), 0), int64(len(s)))
	}
	i := strings.Index(s[from:], sub)
	if i < 0 {
		return Int(-1)
	}
	return Int(from + int64(i))
}

func lastIndexOf(_ *machine, _ site, a []Value) Value {
	s, sub := a[0].str(), a[1].str()
	end := int64(len(s))
	if len(a) > 2 {
		p := a[2].iv()
		if p < 0 {
			if sub == "" {
				return Int(0)
			}
			p = -1
		}
		end = min(end, p+int64(len(sub)))
	}
	if end < 0 {
		return Int(-1)
	}
	return Int(int64(strings.LastIndex(s[:end], sub)))
}

// bounds are the two ends of substr's part; ok is false outside of the string.
func bounds(s string, off int64, n *int64) (from, to int64, ok bool) {
	size := int64(len(s))
	from = off
	if from < 0 {
		from += size
	}
	to = size
	if n != nil {
		if *n >= 0 {
			to = from + *n
			if to < from { // more than an int64 holds
				to = size
			}
		} else {
			to = size + *n
		}
	}
	if from > size || from < 0 && to < 0 && n != nil {
		return 0, 0, false
	}
	from = max(from, 0)
	to = min(to, size)
	return from, max(to, from), true
}

// substring compiles substr; with a fourth argument the part is replaced.
func (c *compiler) substring(n *node) scalarFn {
	if len(n.kids) == 4 {
		r := c.scalar(n.kids[3])
		return c.replaceSubstr(n, r, func(_ *machine, old, v Value) (Value, Value) { return v, old })
	}
	at := c.at(n)
	str, off := c.checked(n.kids[0], c.scalar(n.kids[0]), "substr", false), c.checked(n.kids[1], c.scalar(n.kids[1]), "substr", true)
	count := func(*machine) *int64 { return nil }
	if len(n.kids) > 2 {
		f := c.scalar(n.kids[2])
		count = func(m *machine) *int64 {
			v := f(m)
			if v.k == kUndef {
				v = Int(0)
			}
			i := position(v)
			return &i
		}
	}
	return func(m *machine) Value {
		s := str(m).str()
		o := position(off(m))
		from, to, ok := bounds(s, o, count(m))
		if !ok {
			if at.warn {
				m.warning(at, "substr outside of string")
			}
			return Value{}
		}
		return String(s[from:to])
	}
}

// position is an offset into a text. Only an unsigned integer is never behind the end by wrapping around.
func position(v Value) int64 {
	if v.num().k == kUV {
		return math.MaxInt64
	}
	return v.iv()
}

// assignSubstr is substr(...) = value, and with f substr(...) .= value.
func (c *compiler) assignSubstr(n *node, r scalarFn, f func(*machine, site, Value, Value) Value) scalarFn {
	at := c.at(n)
	return c.replaceSubstr(n, r, func(m *machine, old, v Value) (Value, Value) {
		if f != nil {
			v = f(m, at, old, v)
		}
		return v, v
	})
}

func (c *compiler) replaceSubstr(n *node, r scalarFn, f func(m *machine, old, v Value) (put, result Value)) scalarFn {
	p, off, at := c.writable(n.kids[0]), c.scalar(n.kids[1]), c.at(n)
	var count scalarFn
	if len(n.kids) > 2 {
		count = c.scalar(n.kids[2])
	}
	return func(m *machine) Value {
		v := r(m)
		cell, o := p(m), position(off(m))
		var k *int64
		if count != nil {
			i := position(count(m))
			k = &i
		}
		s := cell.str()
		from, to, ok := bounds(s, o, k)
		if !ok {
			m.die(at, "substr outside of string")
		}
		put, result := f(m, String(s[from:to]), v)
		t := put.str()
		m.charge(len(s) - int(to-from) + len(t))
		*cell = String(s[:from] + t + s[to:])
		return result
	}
}
