package perl

import "strings"

// What a run can hold is bounded by what it makes: each value is counted where it is made, and nothing is ever taken off.
// The figures are those of a 64-bit machine, rounded up.
const (
	cellBytes    = 64  // a scalar, with the header of a string that it may hold
	slotBytes    = 16  // its place in an array, and the room that growing leaves
	entryBytes   = 112 // a key of a hash
	arrayBytes   = 64
	hashBytes    = 128
	codeBytes    = 96
	frameBytes   = 256
	textBytes    = 16 // the header of a string
	placeBytes   = 128
	patternBytes = 64 // an instruction of a compiled pattern

	defaultMemory = 64 << 20
	// nestPerCall bounds the nesting of expressions of all calls that are under way: together they lie on one stack.
	nestPerCall = 50
)

// made counts bytes that a value takes.
func (m *machine) made(n int) {
	if m.memory += n; m.memory > m.maxMemory {
		m.exceed("memory", m.maxMemory)
	}
}

// text makes a value of a string that was made for it.
func (m *machine) text(s string) Value {
	m.charge(len(s))
	return String(s)
}

// charged counts the value of an operator if it is a string.
func (m *machine) charged(v Value) Value {
	if v.k == kPV {
		m.charge(len(v.p.(string)))
	}
	return v
}

func (m *machine) newArray() *array {
	m.made(arrayBytes)
	return new(array)
}

func (m *machine) newHash() *hash {
	m.made(hashBytes)
	return new(hash)
}

// tail is a long string that grows at its end: .= adds to it without copying what is there.
type tail struct {
	cell *Value
	b    *strings.Builder
}

// minTail is the length from which on .= keeps room behind a string.
const minTail = 128

// appendTo is .= for a cell.
func (m *machine) appendTo(cell *Value, more string) {
	s := cell.str()
	n := len(s) + len(more)
	if n > m.maxBytes {
		m.exceed("bytes", m.maxBytes)
	}
	if n < minTail {
		m.charge(n)
		*cell = String(s + more)
		return
	}
	var t *tail
	for i := range m.tails {
		// what was not changed meanwhile is the same memory, so that this compares no bytes
		if m.tails[i].cell == cell && m.tails[i].b.String() == s {
			t = &m.tails[i]
		}
	}
	if t == nil {
		m.nextTail = (m.nextTail + 1) % len(m.tails)
		t = &m.tails[m.nextTail]
		*t = tail{cell, new(strings.Builder)}
		m.charge(n)
		t.b.Grow(n + n/2)
		t.b.WriteString(s)
	}
	if n > checkBytes/checkEvery {
		m.long(n)
	}
	room := t.b.Cap()
	t.b.WriteString(more)
	if t.b.Cap() > room {
		m.made(t.b.Cap())
	}
	m.step(len(more) >> 8)
	m.made(textBytes)
	*cell = String(t.b.String())
}
