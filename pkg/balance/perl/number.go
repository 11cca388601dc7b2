package perl

import (
	"math"
	"strconv"
	"strings"
)

// formatFloat is perl's %.15g.
func formatFloat(f float64) string {
	if f == 0 {
		return "0" // perl 5.36; 5.38 prints -0
	}
	return formatG(f, 15)
}

func isSpace(c byte) bool { return c == ' ' || c >= 9 && c <= 13 }

// grok reads the longest numeric prefix; whole reports that nothing but white space is left.
func grok(s string) (v Value, whole bool) {
	if s == "0 but true" {
		return Int(0), true
	}
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	st := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	neg := i > st && s[st] == '-'
	if i < len(s) && s[i] >= 'I' {
		return grokWord(s[i:], neg)
	}
	ds := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	nd, isInt, end := i-ds, true, i
	if i < len(s) && s[i] == '.' {
		j := i + 1
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		if nd+j-i-1 > 0 {
			isInt, nd, end, i = false, nd+j-i-1, j, j
		}
	}
	if nd == 0 {
		rest := i
		for rest < len(s) && isSpace(s[rest]) {
			rest++
		}
		return Int(0), neg && rest > i && rest == len(s) // perl takes a minus before nothing but blanks for a number
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if j < len(s) && s[j] >= '0' && s[j] <= '9' {
			for j < len(s) && s[j] >= '0' && s[j] <= '9' {
				j++
			}
			isInt, end = false, j
		}
	}
	rest := end
	for rest < len(s) && isSpace(s[rest]) {
		rest++
	}
	whole = rest == len(s)
	if isInt {
		if u, err := strconv.ParseUint(s[ds:end], 10, 64); err == nil {
			if !neg {
				return uintValue(u), whole
			}
			if u <= 1<<63 {
				return Int(-int64(u)), whole
			}
		}
	}
	f, _ := strconv.ParseFloat(s[st:end], 64)
	return Float(f), whole
}

// grokWord reads inf, infinity and nan in any case.
func grokWord(s string, neg bool) (v Value, whole bool) {
	for _, w := range [...]string{"infinity", "inf", "nan"} {
		if len(s) < len(w) || !strings.EqualFold(s[:len(w)], w) {
			continue
		}
		f := math.NaN()
		if w[0] == 'i' {
			f = math.Inf(1)
			if neg {
				f = math.Inf(-1)
			}
		}
		return Float(f), strings.TrimLeft(s[len(w):], " \t\n\v\f\r") == ""
	}
	return Int(0), false
}

// num gives kIV, kUV or kNV.
func (v Value) num() Value {
	switch v.k {
	case kUndef, kNo:
		return Int(0)
	case kPV:
		n, whole := grok(v.p.(string))
		if !whole && n.k != kNV { // with something behind it, perl reads a number as a float
			f := float64(int64(n.n))
			if n.k == kUV {
				f = float64(n.n)
			}
			if f == 0 && minusZero(v.p.(string)) {
				f = math.Copysign(0, -1)
			}
			return Float(f)
		}
		return n
	case kArr, kHash, kCode, kRef, kRegex:
		return uintValue(v.address())
	}
	return v
}

func (v Value) nv() float64 {
	if v.k == kNV {
		return v.f()
	}
	s := v
	switch v = v.num(); v.k {
	case kIV:
		if v.n == 0 && s.k == kPV && minusZero(s.str()) {
			return math.Copysign(0, -1)
		}
		return float64(int64(v.n))
	case kUV:
		return float64(v.n)
	}
	return v.f()
}

func (v Value) uv() uint64 {
	switch n := v.num(); n.k {
	case kNV:
		f := n.f()
		switch {
		case math.IsNaN(f):
			return 0
		case f < 0:
			if f < -9223372036854775808.0 {
				return 1 << 63
			}
			return uint64(int64(f))
		case f >= 18446744073709551616.0:
			return math.MaxUint64
		}
		return uint64(f)
	default:
		return n.n
	}
}

// iv is the value as perl's IV: what is too large for one wraps around, so that 1e100 is -1.
func (v Value) iv() int64 {
	switch n := v.num(); n.k {
	case kNV:
		f := n.f()
		switch {
		case math.IsNaN(f):
			return 0
		case f >= 9223372036854775808.0:
			return int64(n.uv())
		case f < -9223372036854775808.0:
			return math.MinInt64
		}
		return int64(f)
	default:
		return int64(n.n)
	}
}

func minusZero(s string) bool {
	s, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\n\r\f\v"), "-0")
	return ok && (s == "" || strings.IndexByte("xXbB", s[0]) < 0)
}
