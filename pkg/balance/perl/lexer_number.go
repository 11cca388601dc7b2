package perl

import (
	"math"
	"strconv"
	"strings"
)

// number reads a literal. What is wrong with it is reported, and reading goes on.
func (l *lexer) number(t *token) {
	t.kind = tNum
	start := l.pos
	if l.src[start] == '0' && start+1 < l.end && (isWord(l.src[start+1])) && l.src[start+1] != 'e' && l.src[start+1] != 'E' {
		l.radix(t)
		return
	}
	digits := func() {
		for l.pos < l.end && (isDigit(l.src[l.pos]) || l.src[l.pos] == '_' && l.pos > start) {
			l.pos++
		}
	}
	digits()
	whole := true
	if l.at(l.pos) == '.' && l.at(l.pos+1) != '.' {
		whole = false
		l.pos++
		digits()
	}
	if c := l.at(l.pos); c == 'e' || c == 'E' {
		i := l.pos + 1
		if c := l.at(i); c == '+' || c == '-' {
			i++
		}
		if isDigit(l.at(i)) {
			whole = false
			l.pos = i
			digits()
		}
	}
	text := strings.ReplaceAll(l.src[start:l.pos], "_", "")
	v, _ := grok(text)
	if !whole {
		v = Float(v.nv())
	}
	t.val = v
}

// radix reads 0x, 0b, 0o and the octal numbers that begin with 0.
func (l *lexer) radix(t *token) {
	start := l.pos
	base, name := uint64(8), "octal"
	l.pos++
	switch l.src[l.pos] | 0x20 {
	case 'x':
		base, name = 16, "hexadecimal"
		l.pos++
	case 'b':
		base, name = 2, "binary"
		l.pos++
	case 'o':
		l.pos++
	}
	first := l.pos
	var u uint64
	var f float64
	over, seen := false, base == 8 && l.src[first-1] == '0'
	for ; l.pos < l.end; l.pos++ {
		c := l.src[l.pos]
		if c == '_' {
			continue
		}
		d := hexDigit(c)
		if d >= base {
			if base == 8 && isDigit(c) {
				l.octal(start, c)
			}
			if base == 2 && isDigit(c) {
				l.err(start, "Illegal binary digit '"+string(c)+"'", "")
			}
			break
		}
		seen = true
		if over || u > (1<<64-1)/base {
			if !over {
				over, f = true, float64(u)
			}
			f = f*float64(base) + float64(d)
			continue
		}
		u = u*base + d
	}
	if v, end := l.radixFloat(first, base); end > 0 {
		l.pos, t.name, t.val = end, name, v
		return
	}
	for l.pos < l.end && isDigit(l.src[l.pos]) {
		l.pos++
	}
	if !seen {
		l.err(start, "No digits found for "+name+" literal", "")
	}
	t.name = name
	t.val = uintValue(u)
	if over {
		t.val = Float(f)
	}
}

// radixFloat reads the rest of 0x1.8p3; end is 0 if this is no such number. The exponent is one of 2.
func (l *lexer) radixFloat(first int, base uint64) (v Value, end int) {
	f, scale, i, point := 0.0, 1.0, first, false
	for ; i < l.end; i++ {
		switch d := hexDigit(l.src[i]); {
		case d < base:
			f = f*float64(base) + float64(d)
			if point {
				scale *= float64(base)
			}
		case l.src[i] == '.' && !point:
			point = true
		case l.src[i] != '_':
			goto exponent
		}
	}
exponent:
	if l.at(i)|0x20 != 'p' {
		return v, 0
	}
	i++
	from := i
	if c := l.at(i); c == '+' || c == '-' {
		i++
	}
	digits := i
	for isDigit(l.at(i)) {
		i++
	}
	n, err := strconv.Atoi(l.src[from:i])
	if i == digits || err != nil {
		return v, 0
	}
	return Float(math.Ldexp(f/scale, n)), i
}

func hexDigit(c byte) uint64 {
	switch {
	case isDigit(c):
		return uint64(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return 99
}

func (l *lexer) octal(start int, digit byte) {
	end := start
	for end < l.end && isDigit(l.src[end]) {
		end++
	}
	plain := strings.TrimLeft(l.src[start:end], "0")
	hint := "a leading 0 means octal in Perl: write " + plain
	if len(plain) >= 3 {
		hint = "a leading 0 means octal in Perl, and $hour is 0..23: write $hour >= " + plain[:len(plain)-2] +
			", or ($hour*100+$min) >= " + plain
	}
	l.err(start, "Illegal octal digit '"+string(digit)+"' in "+l.src[start:end], hint)
}
