package perl

import (
	"strconv"
	"strings"
)

// verb is one % of a format.
type verb struct {
	minus, plus, space, zero, alt bool
	width, prec                   int
	hasPrec                       bool
	vector                        bool
	conv                          byte
}

// formatList is sprintf: the first value is the format.
func formatList(m *machine, at site, a []Value) Value {
	format, args := a[0].str(), a[1:]
	var b []byte
	used := 0
	next := func() Value {
		if used < len(args) {
			used++
			return args[used-1]
		}
		if at.warn {
			m.warning(at, "Missing argument in sprintf")
		}
		return Value{}
	}
	for i := 0; i < len(format); {
		j := strings.IndexByte(format[i:], '%')
		if j < 0 {
			b = append(b, format[i:]...)
			break
		}
		b = append(b, format[i:i+j]...)
		i += j
		v, arg, n, ok := parseVerb(format[i:], args, next)
		if !ok { // an unknown conversion is copied
			n = min(n, len(format)-i)
			if v.conv == 'n' {
				m.die(at, "%n in sprintf is not available in algorithms: length tells how long a text is")
			}
			if at.warn {
				m.warning(at, "Invalid conversion in sprintf: \""+format[i:i+n]+"\"")
			}
			b = append(b, format[i:i+n]...)
			i += n
			continue
		}
		i += n
		if v.conv == '%' {
			b = append(b, v.pad("", "%", v.zero)...)
			continue
		}
		if v.width > m.maxBytes || v.prec > m.maxBytes || len(b)+v.width+v.prec > m.maxBytes {
			m.exceed("bytes", m.maxBytes)
		}
		if arg == nil {
			x := next()
			arg = &x
		}
		if at.warn && strings.IndexByte("sc%", v.conv) < 0 && arg.k == kPV {
			m.operand(at, *arg, nil, "sprintf", true)
		}
		b = append(b, v.format(*arg)...)
		if len(b) > m.maxBytes {
			m.exceed("bytes", m.maxBytes)
		}
	}
	if at.warn && used < len(args) && !strings.Contains(format, "$") {
		m.warning(at, "Redundant argument in sprintf")
	}
	m.charge(len(b))
	return String(string(b))
}

// parseVerb reads %[index$][flags][vector][width][.precision][size]conversion.
func parseVerb(s string, args []Value, next func() Value) (v verb, arg *Value, n int, ok bool) {
	i := 1
	number := func() int {
		k := 0
		for i < len(s) && isDigit(s[i]) {
			if k < 1<<28 {
				k = k*10 + int(s[i]-'0')
			}
			i++
		}
		return k
	}
	explicit := func() *Value {
		start := i
		if k := number(); k > 0 && i < len(s) && s[i] == '$' {
			i++
			x := Value{}
			if k <= len(args) {
				x = args[k-1]
			}
			return &x
		}
		i = start
		return nil
	}
	arg = explicit()
flags:
	for i < len(s) {
		switch s[i] {
		case '-':
			v.minus = true
		case '+':
			v.plus = true
		case ' ':
			v.space = true
		case '0':
			v.zero = true
		case '#':
			v.alt = true
		default:
			break flags
		}
		i++
	}
	if i < len(s) && s[i] == 'v' {
		v.vector = true
		i++
	}
	star := func() int {
		i++
		x := explicit()
		if x == nil {
			y := next()
			x = &y
		}
		return int(min(max(x.iv(), -1<<28), 1<<28))
	}
	if i < len(s) && s[i] == '*' {
		if v.width = star(); v.width < 0 {
			v.minus, v.width = true, -v.width
		}
	} else {
		v.width = number()
	}
	if i < len(s) && s[i] == '.' {
		i++
		v.hasPrec = true
		if i < len(s) && s[i] == '*' {
			if v.prec = star(); v.prec < 0 {
				v.hasPrec, v.prec = false, 0
			}
		} else {
			v.prec = number()
		}
	}
	for i < len(s) && strings.IndexByte("hlqLVzt", s[i]) >= 0 && i+1 < len(s) && strings.IndexByte("diouxXeEfgGbBs"+"hl", s[i+1]) >= 0 {
		i++
	}
	if i >= len(s) {
		return v, arg, len(s), false
	}
	v.conv = s[i]
	i++
	if v.conv == '%' && i > 2 {
		return v, arg, i, true
	}
	return v, arg, i, strings.IndexByte("csdiuoxXbBeEfFgGDUO%", v.conv) >= 0 && !(v.vector && strings.IndexByte("dioxXbBu", v.conv) < 0)
}

func (v verb) format(a Value) string {
	if v.vector {
		s := a.str()
		var parts []string
		w := v
		w.vector, w.width = false, 0
		for i := 0; i < len(s); i++ {
			parts = append(parts, w.format(Int(int64(s[i]))))
		}
		return v.pad("", strings.Join(parts, "."), false)
	}
	switch v.conv {
	case 'c':
		return v.pad("", char(int(min(max(a.iv(), 0), 0x10FFFF))), v.zero)
	case 's':
		s := a.str()
		if v.hasPrec && v.prec < len(s) {
			s = s[:v.prec]
		}
		return v.pad("", s, v.zero)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return v.float(a.nv())
	}
	return v.integer(a)
}

// pad fills to the width; zeros go between sign and digits.
func (v verb) pad(sign, s string, zero bool) string {
	fill := v.width - len(sign) - len(s)
	switch {
	case fill <= 0:
		return sign + s
	case v.minus:
		return sign + s + strings.Repeat(" ", fill)
	case zero:
		return sign + strings.Repeat("0", fill) + s
	}
	return strings.Repeat(" ", fill) + sign + s
}

func (v verb) sign(neg bool) string {
	switch {
	case neg:
		return "-"
	case v.plus:
		return "+"
	case v.space:
		return " "
	}
	return ""
}

func (v verb) integer(a Value) string {
	x := a.num()
	if x.k == kNV {
		if s := special(x.f()); s != "" && !(a.k == kPV && isDigit(firstDigit(a.str()))) {
			return v.infinite(s)
		}
	}
	sign, prefix, s := "", "", ""
	switch v.conv {
	case 'd', 'i', 'D':
		u, neg := signedOf(x).abs()
		sign, s = v.sign(neg), strconv.FormatUint(u, 10)
	case 'u', 'U':
		s = strconv.FormatUint(a.uv(), 10)
	case 'o', 'O':
		s = strconv.FormatUint(a.uv(), 8)
		if v.alt && s[0] != '0' {
			s = "0" + s
		}
	case 'x', 'X':
		s = strconv.FormatUint(a.uv(), 16)
		if v.alt && s != "0" {
			prefix = "0x"
		}
		if v.conv == 'X' {
			s, prefix = upper(s), upper(prefix)
		}
	case 'b', 'B':
		s = strconv.FormatUint(a.uv(), 2)
		if v.alt && s != "0" {
			prefix = "0" + string(v.conv)
		}
	}
	if v.hasPrec {
		if v.prec == 0 && s == "0" {
			s = ""
		}
		if len(s) < v.prec {
			s = strings.Repeat("0", v.prec-len(s)) + s
		}
	}
	return v.pad(sign+prefix, s, v.zero && !v.hasPrec)
}

// signedOf is what %d makes of a number: a float beyond int64 wraps as perl's cast does.
func signedOf(x Value) Value {
	if x.k != kNV {
		return Int(int64(x.n))
	}
	f := x.f()
	switch {
	case f >= -9223372036854775808.0 && f < 9223372036854775808.0:
		return Int(int64(f))
	case f >= 9223372036854775808.0 && f < 18446744073709551616.0:
		return Int(int64(uint64(f)))
	case f > 0:
		return Int(-1)
	}
	return Int(-1 << 63)
}

// firstDigit is the first byte of a numeric string behind blanks and sign.
func firstDigit(s string) byte {
	if s = strings.TrimLeft(s, " \t\n\r\f\v+-"); s == "" {
		return 0
	}
	return s[0]
}

// infinite writes Inf and NaN; a sign goes with Inf only.
func (v verb) infinite(s string) string {
	if s == "Inf" && (v.plus || v.space) {
		s = "+Inf"
	}
	return v.pad("", s, v.zero) // zeros go before the sign
}

func (v verb) float(f float64) string {
	if s := special(f); s != "" {
		return v.infinite(s)
	}
	prec := 6
	if v.hasPrec {
		prec = v.prec
	}
	neg := f < 0 || f == 0 && 1/f < 0
	if neg {
		f = -f
	}
	var s string
	switch v.conv {
	case 'e', 'E':
		s = strconv.FormatFloat(f, 'e', prec, 64)
	case 'f', 'F':
		s = strconv.FormatFloat(f, 'f', prec, 64)
		if v.alt && prec == 0 {
			s += "."
		}
	default:
		if v.alt {
			s = alternateG(f, prec)
		} else {
			s = formatG(f, prec)
		}
	}
	if v.conv == 'E' || v.conv == 'G' {
		s = upper(s)
	}
	return v.pad(v.sign(neg), s, v.zero)
}

// alternateG is %#g: zeros at the end stay.
func alternateG(f float64, prec int) string {
	if prec == 0 {
		prec = 1
	}
	s := strconv.FormatFloat(f, 'e', prec-1, 64)
	e := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[e+1:])
	if exp < -4 || exp >= prec {
		return s
	}
	s = strconv.FormatFloat(f, 'f', prec-1-exp, 64)
	if strings.IndexByte(s, '.') < 0 {
		s += "."
	}
	return s
}

// appendValue appends a value's text without a string in between where that is possible.
func appendValue(b []byte, v Value) []byte {
	switch v.k {
	case kIV:
		return strconv.AppendInt(b, int64(v.n), 10)
	case kPV:
		return append(b, v.p.(string)...)
	}
	return append(b, v.str()...)
}
