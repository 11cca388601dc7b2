package perl

import (
	"fmt"
	"strings"
)

// escape reads a backslash outside of a class.
func (t *translator) escape() *regexError {
	if t.i+1 >= len(t.src) {
		return t.bad("Trailing \\")
	}
	c := t.src[t.i+1]
	if set := shorthand(c); set != "" {
		t.i += 2
		t.out.WriteString(set)
		return t.quantifier()
	}
	switch c {
	case 'b', 'B':
		if strings.HasPrefix(t.src[t.i:], `\b{`) {
			return t.refuse(`\b{...}`)
		}
		t.out.WriteString(`\` + string(c))
		t.looksBack = true
		t.i += 2
		return nil
	case 'A':
		t.out.WriteString(`\A`)
		t.looksBack = true
		t.i += 2
		return nil
	case 'z':
		t.out.WriteString(`\z`)
		t.i += 2
		return nil
	case 'Z':
		t.lineEnd()
		t.i += 2
		return nil
	case 'G':
		return t.refuse(`\G`)
	case 'K':
		return t.refuse(`\K`)
	case 'R':
		t.i += 2
		t.out.WriteString(`(?:\r\n|[\n-\r\x{85}])`)
		return t.quantifier()
	case 'X', 'p', 'P', 'N':
		if c == 'N' && !strings.HasPrefix(t.src[t.i:], `\N{`) {
			t.i += 2
			t.out.WriteString(`[^\n]`)
			return t.quantifier()
		}
		return t.refuse(`\` + string(c))
	case 'g', 'k':
		return t.refuse("a back reference")
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n := 1
		for t.i+n+1 < len(t.src) && isDigit(t.src[t.i+n+1]) {
			n++
		}
		if n == 1 || c > '7' || int(please(String(t.src[t.i+1:t.i+1+n])).n) <= t.groups {
			return t.refuse("a back reference")
		}
	case 'Q', 'E', 'U', 'L':
		t.i += 2
		return nil
	}
	b, n := t.plain()
	t.i += n
	for i := 0; i < len(b); i++ {
		t.char(b[i])
	}
	return t.quantifier()
}

// plain reads an escape that stands for characters.
func (t *translator) plain() (string, int) {
	s := t.src[t.i:]
	if s[1] != 'b' {
		if text, n := escape(s); n > 0 {
			return text, n
		}
	}
	return s[1:2], 2
}

// shorthand is the set of \d and its kin, for RE2. Perl's \s has the vertical tab.
func shorthand(c byte) string {
	switch c {
	case 'd':
		return `[0-9]`
	case 'D':
		return `[^0-9]`
	case 'w':
		return `[0-9A-Za-z_]`
	case 'W':
		return `[^0-9A-Za-z_]`
	case 's':
		return `[\t-\r ]`
	case 'S':
		return `[^\t-\r ]`
	case 'h':
		return `[\t \x{A0}]`
	case 'H':
		return `[^\t \x{A0}]`
	case 'v':
		return `[\n-\r\x{85}]`
	case 'V':
		return `[^\n-\r\x{85}]`
	}
	return ""
}

// class reads [...] into the set of its bytes, which says all of perl's rules at once.
func (t *translator) class() *regexError {
	start := t.i
	var set [256]bool
	t.i++
	negate := false
	if t.i < len(t.src) && t.src[t.i] == '^' {
		negate = true
		t.i++
	}
	first, last, lastAt, haveLast := true, 0, 0, false
	for {
		if t.i >= len(t.src) {
			t.i = start + 1
			return t.bad("Unmatched [")
		}
		c := t.src[t.i]
		if c == ']' && !first {
			t.i++
			break
		}
		first = false
		if c == '[' && t.i+1 < len(t.src) && (t.src[t.i+1] == ':' || t.src[t.i+1] == '.' || t.src[t.i+1] == '=') {
			if ok, err := t.posix(&set); err != nil {
				return err
			} else if ok {
				haveLast = false
				continue
			}
		}
		if c == '-' && haveLast && t.i+1 < len(t.src) && t.src[t.i+1] != ']' {
			t.i++
			hi, many, err := t.member(&set)
			if err != nil {
				return err
			}
			if many {
				set['-'] = true
			} else if hi < last {
				return t.bad(fmt.Sprintf(`Invalid [] range "%s"`, t.src[lastAt:t.i]))
			}
			for b := last; !many && b <= hi; b++ {
				set[b] = true
			}
			haveLast = false
			continue
		}
		lastAt = t.i
		b, many, err := t.member(&set)
		if err != nil {
			return err
		}
		last, haveLast = b, !many
		if !many {
			set[b] = true
		}
	}
	t.writeSet(set, negate)
	return t.quantifier()
}

// member reads one item of a class: a byte, or a shorthand, which it adds.
func (t *translator) member(set *[256]bool) (b int, many bool, err *regexError) {
	c := t.src[t.i]
	if c != '\\' {
		t.i++
		return int(c), false, nil
	}
	if t.i+1 >= len(t.src) {
		return 0, false, t.bad("Unmatched [")
	}
	switch e := t.src[t.i+1]; e {
	case 'd', 'D', 'w', 'W', 's', 'S', 'h', 'H', 'v', 'V':
		for b := range set {
			if inShorthand(e|0x20, byte(b)) != (e < 'a') {
				set[b] = true
			}
		}
		t.i += 2
		return 0, true, nil
	case 'b':
		t.i += 2
		return '\b', false, nil
	case 'p', 'P', 'N', 'R', 'X':
		return 0, false, t.refuse(`\` + string(e) + " in a class")
	}
	text, n := t.plain()
	t.i += n
	if len(text) != 1 {
		return 0, false, t.refuse("a character beyond \\xFF")
	}
	return int(text[0]), false, nil
}

func inShorthand(e, b byte) bool {
	switch e {
	case 'd':
		return isDigit(b)
	case 'w':
		return isWord(b) && b < 0x80
	case 's':
		return isSpace(b)
	case 'h':
		return b == ' ' || b == '\t' || b == 0xA0
	}
	return b >= '\n' && b <= '\r' || b == 0x85
}

// posix reads [:alpha:] and its kin.
func (t *translator) posix(set *[256]bool) (bool, *regexError) {
	name, _, ends := strings.Cut(t.src[t.i+2:], ":]")
	if t.src[t.i+1] != ':' || !ends {
		return false, nil
	}
	after := t.i + 2 + len(name) + 2
	name, neg := strings.CutPrefix(name, "^")
	sign := ""
	if neg {
		sign = "^"
	}
	test := posixClass(name)
	if test == nil {
		if strings.IndexFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) >= 0 {
			return false, nil
		}
		t.i = after
		return false, t.bad("POSIX class [:" + sign + name + ":] unknown")
	}
	for b := range set {
		if test(byte(b)) != neg {
			set[b] = true
		}
	}
	t.i = after
	return true, nil
}

func posixClass(name string) func(byte) bool {
	alpha := func(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
	graph := func(b byte) bool { return b > ' ' && b < 0x7f }
	switch name {
	case "alpha":
		return alpha
	case "digit":
		return isDigit
	case "alnum":
		return func(b byte) bool { return alpha(b) || isDigit(b) }
	case "upper":
		return func(b byte) bool { return b >= 'A' && b <= 'Z' }
	case "lower":
		return func(b byte) bool { return b >= 'a' && b <= 'z' }
	case "space":
		return isSpace
	case "blank":
		return func(b byte) bool { return b == ' ' || b == '\t' }
	case "punct":
		return func(b byte) bool { return graph(b) && !alpha(b) && !isDigit(b) }
	case "print":
		return func(b byte) bool { return graph(b) || b == ' ' }
	case "graph":
		return graph
	case "cntrl":
		return func(b byte) bool { return b < ' ' || b == 0x7f }
	case "xdigit":
		return func(b byte) bool { return hexDigit(b) < 16 }
	case "word":
		return func(b byte) bool { return isWord(b) && b < 0x80 }
	case "ascii":
		return func(b byte) bool { return b < 0x80 }
	}
	return nil
}

// writeSet writes a set of bytes as a class of RE2.
func (t *translator) writeSet(set [256]bool, negate bool) {
	if t.fold {
		for b := byte('a'); b <= 'z'; b++ {
			if set[b] || set[b&^0x20] {
				set[b], set[b&^0x20] = true, true
			}
		}
	}
	t.out.WriteByte('[')
	any := false
	for lo := 0; lo < 256; lo++ {
		if set[lo] == negate {
			continue
		}
		hi := lo
		for hi+1 < 256 && set[hi+1] != negate {
			hi++
		}
		fmt.Fprintf(&t.out, `\x{%X}-\x{%X}`, lo, hi)
		lo, any = hi, true
	}
	if !any { // nothing matches
		t.out.WriteString(`^\x{0}-\x{10FFFF}`)
	}
	t.out.WriteByte(']')
}
