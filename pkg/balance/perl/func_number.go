package perl

import (
	"math"
	"strconv"
	"strings"
)

func squareRoot(m *machine, at site, v Value) Value {
	f := v.nv()
	if f < 0 {
		m.die(at, "Can't take sqrt of "+formatG(f, 6))
	}
	return Float(math.Sqrt(f))
}

func logarithm(m *machine, at site, v Value) Value {
	f := v.nv()
	if f <= 0 {
		m.die(at, "Can't take log of "+formatG(f, 6))
	}
	return Float(math.Log(f))
}

func sine(_ *machine, _ site, v Value) Value        { return Float(math.Sin(v.nv())) }
func cosine(_ *machine, _ site, v Value) Value      { return Float(math.Cos(v.nv())) }
func exponential(_ *machine, _ site, v Value) Value { return Float(math.Exp(v.nv())) }

func arcTangent(_ *machine, _ site, a []Value) Value { return Float(math.Atan2(a[0].nv(), a[1].nv())) }

func hexadecimal(m *machine, at site, v Value) Value {
	s := v.str()
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	} else if len(s) > 0 && s[0]|0x20 == 'x' {
		s = s[1:]
	}
	return m.digits(at, s, 16)
}

func octal(m *machine, at site, v Value) Value {
	s := strings.TrimLeft(v.str(), " \t\n\r\f\v")
	if len(s) > 1 && s[0] == '0' {
		switch s[1] | 0x20 {
		case 'x':
			return m.digits(at, s[2:], 16)
		case 'b':
			return m.digits(at, s[2:], 2)
		case 'o':
			return m.digits(at, s[2:], 8)
		}
	}
	if len(s) > 0 {
		switch s[0] | 0x20 {
		case 'x':
			return m.digits(at, s[1:], 16)
		case 'b':
			return m.digits(at, s[1:], 2)
		case 'o':
			return m.digits(at, s[1:], 8)
		}
	}
	return m.digits(at, s, 8)
}

// digits reads as many digits of the base as there are.
func (m *machine) digits(at site, s string, base uint64) Value {
	var u uint64
	var f float64
	over := false
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+1 < len(s) && hexDigit(s[i+1]) < base {
			continue
		}
		d := hexDigit(s[i])
		if d >= base {
			if kind := map[uint64]string{2: "binary", 8: "octal", 16: "hexadecimal"}[base]; at.warn && (base != 8 || isDigit(s[i])) {
				m.warning(at, "Illegal "+kind+" digit '"+s[i:i+1]+"' ignored")
			}
			break
		}
		if !over && u > (math.MaxUint64-d)/base {
			over, f = true, float64(u)
		}
		if over {
			f = f*float64(base) + float64(d)
		} else {
			u = u*base + d
		}
	}
	if over {
		return Float(f)
	}
	return uintValue(u)
}

func floorOf(_ *machine, _ site, a []Value) Value { return Float(math.Floor(a[0].nv())) }
func ceilOf(_ *machine, _ site, a []Value) Value  { return Float(math.Ceil(a[0].nv())) }
func floatModulus(_ *machine, _ site, a []Value) Value {
	return Float(math.Mod(a[0].nv(), a[1].nv()))
}

func sumOf(m *machine, at site, a []Value) Value {
	if len(a) == 0 {
		return Value{}
	}
	return sumOrZero(m, at, a)
}

// sumOrZero adds as List::Util does: integers as long as all are and fit into int64, and floats from there on.
func sumOrZero(_ *machine, _ site, a []Value) Value {
	return accumulate(a, Int(0), add, func(x, y float64) float64 { return x + y })
}

func accumulate(a []Value, s Value, whole func(a, b Value) Value, float func(x, y float64) float64) Value {
	for i, v := range a {
		if s.k == kIV && v.k == kIV {
			if r := whole(s, v); r.k == kIV {
				s = r
				continue
			}
		}
		if i == 0 {
			s = Float(v.nv())
		} else {
			s = Float(float(s.nv(), v.nv()))
		}
	}
	return s
}

func productOf(_ *machine, _ site, a []Value) Value {
	return accumulate(a, Int(1), mul, func(x, y float64) float64 { return x * y })
}

// extreme gives the element itself, so that "1.50" stays "1.50".
func extreme(better func(a, b Value) bool) func(*machine, site, []Value) Value {
	return func(_ *machine, _ site, a []Value) Value {
		if len(a) == 0 {
			return Value{}
		}
		best := a[0]
		for _, v := range a[1:] {
			if better(v, best) {
				best = v
			}
		}
		return best
	}
}

func unique(m *machine, _ site, a []Value) {
	seen := map[string]bool{}
	for _, v := range a {
		key := "u"
		if v.k != kUndef {
			key = "s" + v.str()
		}
		if !seen[key] {
			seen[key] = true
			m.stack = append(m.stack, v)
		}
	}
}

func uniqueCount(m *machine, at site, a []Value) Value {
	base := len(m.stack)
	unique(m, at, a)
	n := len(m.stack) - base
	m.stack = m.stack[:base]
	return Int(int64(n))
}

func countOf(_ *machine, _ site, a []Value) Value { return Int(int64(len(a))) }

func shuffle(m *machine, _ site, a []Value) {
	base := len(m.stack)
	m.stack = append(m.stack, a...)
	list := m.stack[base:]
	for i := len(list) - 1; i > 0; i-- {
		j := int(m.nextRandom() * float64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}

func looksLikeNumber(_ *machine, _ site, a []Value) Value {
	return Bool(a[0].k != kUndef && a[0].k != kNo && a[0].IsNumber())
}

// nextRandom is drand48, as perl has it: the same seed gives the same numbers.
func (m *machine) nextRandom() float64 {
	if m.random == 0 {
		m.seed(uint64(m.opt.Now.UnixNano()))
	}
	m.random = (m.random*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return float64(m.random) / (1 << 48)
}

func (m *machine) seed(n uint64) { m.random = (n&0xffffffff)<<16 | 0x330E }

// formatG is %.*g of C.
func formatG(f float64, prec int) string {
	if s := special(f); s != "" {
		return s
	}
	if prec == 0 {
		prec = 1
	}
	s := strconv.FormatFloat(f, 'e', prec-1, 64)
	e := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[e+1:])
	if exp < -4 || exp >= prec {
		return trimZeros(s[:e]) + s[e:]
	}
	return trimZeros(strconv.FormatFloat(f, 'f', prec-1-exp, 64))
}

func trimZeros(s string) string {
	if strings.IndexByte(s, '.') < 0 {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

func special(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	return ""
}
