package perl

import "math"

// magicRange tells whether a range counts strings, as 'aa'..'ad' and '01'..'03' do.
func magicRange(from, to Value) bool {
	text := func(v Value) bool { return v.k == kPV || v.k == kUndef }
	if !text(from) || !text(to) {
		return false
	}
	number := from.k == kUndef && to.k != kUndef || from.IsNumber() && (from.str()[0] != '0' || len(from.str()) == 1)
	return !(number && (to.k == kUndef || to.IsNumber()))
}

func (m *machine) rangeEnds(a, b Value, at site) (int64, int64) {
	for _, v := range [...]Value{a, b} {
		if f := v.nv(); math.IsNaN(f) || f >= math.MaxInt64 || f < math.MinInt64 {
			if n := v.num(); n.k != kIV {
				m.die(at, "Range iterator outside integer range")
			}
		}
	}
	return a.iv(), b.iv()
}

// listEnds are the ends of a range that makes a list. Here perl looks only at one side of each and wraps around at the other.
func (m *machine) listEnds(a, b Value, at site) (int64, int64) {
	if x := a.num(); x.k == kNV && x.f() < math.MinInt64 {
		m.die(at, "Range iterator outside integer range")
	}
	if x := b.num(); x.k == kUV || x.k == kNV && x.f() > math.MaxInt64 {
		m.die(at, "Range iterator outside integer range")
	}
	return a.iv(), b.iv()
}

func (m *machine) pushRange(a, b Value, at site) {
	if magicRange(a, b) {
		m.pushMagic(a.str(), b.str())
		return
	}
	i, j := m.listEnds(a, b, at)
	if i > j {
		return
	}
	if uint64(j-i) >= uint64(m.maxElements) {
		m.exceed("elements", m.maxElements)
	}
	m.room(int(j - i + 1))
	for ; ; i++ {
		m.stack = append(m.stack, Int(i))
		if i == j {
			return
		}
	}
}

// pushMagic counts strings as ++ does, until the end or until the text grows longer than it.
func (m *machine) pushMagic(s, end string) {
	for len(s) <= len(end) {
		m.room(1)
		m.stack = append(m.stack, m.text(s))
		if s == end || !magical(s) {
			return
		}
		s = nextString(s)
	}
}
