package perl

import (
	"fmt"
	"strings"
)

// translator rewrites perl's pattern for RE2. It refuses what RE2 cannot do
// and what would need backtracking.
type translator struct {
	src       string
	i         int
	out       strings.Builder
	names     []string
	groups    int   // capture groups as perl counts
	all       int   // with the hidden ones
	dollar    []int // the hidden ones
	depth     []regexFlags
	fold      bool
	multi     bool
	single    bool
	extended  bool
	noCapture bool
	looksBack bool
	lineStart bool
}

// regexFlags are what a group restores at its end.
type regexFlags struct{ fold, multi, single, extended, noCapture bool }

func (t *translator) flags() regexFlags {
	return regexFlags{t.fold, t.multi, t.single, t.extended, t.noCapture}
}

func (t *translator) setFlags(f regexFlags) {
	t.fold, t.multi, t.single, t.extended, t.noCapture = f.fold, f.multi, f.single, f.extended, f.noCapture
}

func (t *translator) refuse(what string) *regexError {
	return &regexError{text: what + " in a pattern is not available in algorithms", off: t.i, hint: refusedPattern(what)}
}

func (t *translator) bad(text string) *regexError {
	return &regexError{text: fmt.Sprintf("%s in regex; marked by <-- HERE in m/%s <-- HERE %s/", text, t.src[:t.i], t.src[t.i:]), off: t.i}
}

func (t *translator) translate() (string, *regexError) {
	t.names = []string{""}
	for t.i < len(t.src) {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	if len(t.depth) > 0 {
		return "", t.bad("Unmatched (")
	}
	return t.out.String(), nil
}

func (t *translator) step() *regexError {
	c := t.src[t.i]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.open()
	case ')':
		if len(t.depth) == 0 {
			t.i++
			return t.bad("Unmatched )")
		}
		t.out.WriteByte(')')
		t.setFlags(t.depth[len(t.depth)-1])
		t.depth = t.depth[:len(t.depth)-1]
		t.i++
		return t.quantifier()
	case '^':
		t.looksBack = true
		if t.multi {
			t.lineStart = true
			t.out.WriteString(`(?m:^)`)
		} else {
			t.out.WriteString(`\A`)
		}
		t.i++
	case '$':
		t.i++
		if t.multi {
			t.out.WriteString(`(?m:$)`)
		} else {
			t.lineEnd()
		}
	case '.':
		t.i++
		if t.single {
			t.out.WriteString(`(?s:.)`)
		} else {
			t.out.WriteString(`[^\n]`)
		}
		return t.quantifier()
	case '|':
		t.out.WriteByte('|')
		t.i++
	case '*', '+', '?':
		t.i++
		return t.bad("Quantifier follows nothing")
	case '#':
		if t.extended {
			for t.i < len(t.src) && t.src[t.i] != '\n' {
				t.i++
			}
			return nil
		}
		return t.literal(c)
	default:
		if t.extended && isSpace(c) {
			t.i++
			return nil
		}
		return t.literal(c)
	}
	return nil
}

// lineEnd is $: the end, or before a line end there, which a hidden group takes.
func (t *translator) lineEnd() {
	t.all++
	t.dollar = append(t.dollar, t.all)
	t.out.WriteString(`(\n)?\z`)
}

func (t *translator) literal(c byte) *regexError {
	t.char(c)
	t.i++
	return t.quantifier()
}

// char writes one byte; ASCII letters fold under /i, others never do.
func (t *translator) char(c byte) {
	lower := c | 0x20
	switch {
	case t.fold && lower >= 'a' && lower <= 'z':
		fmt.Fprintf(&t.out, "[%c%c]", lower, lower&^0x20)
	case isWord(c):
		t.out.WriteByte(c)
	default:
		fmt.Fprintf(&t.out, `\x{%X}`, c)
	}
}

// quantifier reads * + ? {n,m} with ? behind an atom.
func (t *translator) quantifier() *regexError {
	if t.extended {
		for t.i < len(t.src) && isSpace(t.src[t.i]) {
			t.i++
		}
	}
	if t.i >= len(t.src) {
		return nil
	}
	switch c := t.src[t.i]; c {
	case '*', '+', '?':
		t.out.WriteByte(c)
		t.i++
	case '{':
		text, ok := count(t.src[t.i:])
		if !ok {
			return nil // a brace like any other
		}
		t.out.WriteString(text)
		t.i += strings.IndexByte(t.src[t.i:], '}') + 1
	default:
		return nil
	}
	if t.i < len(t.src) {
		switch t.src[t.i] {
		case '?':
			t.out.WriteByte('?')
			t.i++
		case '+':
			return t.refuse("a possessive quantifier")
		}
	}
	if t.i < len(t.src) {
		_, counts := count(t.src[t.i:])
		if counts && t.src[t.i] == '{' || strings.IndexByte("*+?", t.src[t.i]) >= 0 {
			t.i++
			return t.bad("Nested quantifiers")
		}
	}
	return nil
}

// count reads {n}, {n,} and {n,m}.
func count(s string) (string, bool) {
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return "", false
	}
	lo, hi, comma := strings.Cut(s[1:end], ",")
	if lo == "" && comma && hi != "" && strings.Trim(hi, "0123456789") == "" { // from 5.34 on
		return "{0," + hi + "}", true
	}
	if lo == "" || strings.Trim(lo, "0123456789") != "" || strings.Trim(hi, "0123456789") != "" {
		return "", false
	}
	return s[:end+1], true
}

// open reads a group.
func (t *translator) open() *regexError {
	rest := t.src[t.i:]
	saved := t.flags()
	push := func(n int) {
		t.depth = append(t.depth, saved)
		t.i += n
	}
	if !strings.HasPrefix(rest, "(?") {
		if strings.HasPrefix(rest, "(*") {
			return t.refuse("a backtracking verb (*...)")
		}
		if t.noCapture {
			t.out.WriteString("(?:")
		} else {
			t.group("")
			t.out.WriteByte('(')
		}
		push(1)
		return nil
	}
	switch {
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return t.bad("Sequence (?#... not terminated")
		}
		t.i += end + 1
		return nil
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"):
		return t.refuse("a look-ahead")
	case strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		return t.refuse("a look-behind")
	case strings.HasPrefix(rest, "(?<"), strings.HasPrefix(rest, "(?P<"), strings.HasPrefix(rest, "(?'"):
		return t.named(rest, push)
	case strings.HasPrefix(rest, "(?>"):
		return t.refuse("an atomic group (?>...)")
	case strings.HasPrefix(rest, "(?{"), strings.HasPrefix(rest, "(??{"):
		return t.refuse("code (?{...})")
	case strings.HasPrefix(rest, "(?|"):
		return t.refuse("a branch reset (?|...)")
	case strings.HasPrefix(rest, "(?("):
		return t.refuse("a condition (?(...)...)")
	case len(rest) > 2 && (isDigit(rest[2]) || rest[2] == 'R' || rest[2] == '&' || rest[2] == 'P'):
		return t.refuse("a recursion")
	}
	return t.modifiers(rest, saved)
}

func (t *translator) group(name string) {
	t.all++
	t.groups++
	t.names = append(t.names, name)
}

func (t *translator) named(rest string, push func(int)) *regexError {
	i := strings.IndexAny(rest, "<'") + 1
	shut := byte('>')
	if rest[i-1] == '\'' {
		shut = '\''
	}
	j := strings.IndexByte(rest[i:], shut)
	if j <= 0 || strings.IndexFunc(rest[i:i+j], func(r rune) bool { return r > 127 || !isWord(byte(r)) }) >= 0 || isDigit(rest[i]) {
		return t.bad("Group name must start with a non-digit word character")
	}
	t.group(rest[i : i+j])
	t.out.WriteByte('(')
	push(i + j + 1)
	return nil
}

// modifiers reads (?i), (?i:...), (?^i:...) and (?:...).
func (t *translator) modifiers(rest string, saved regexFlags) *regexError {
	on := true
	for j := 2; j < len(rest); j++ {
		switch rest[j] {
		case '^':
			t.setFlags(regexFlags{})
		case '-':
			on = false
		case 'i':
			t.fold = on
		case 'm':
			t.multi = on
		case 's':
			t.single = on
		case 'x':
			t.extended = on
		case 'n':
			t.noCapture = on
		case 'a', 'l', 'u', 'd', 'p':
		case ':':
			t.out.WriteString("(?:")
			t.depth = append(t.depth, saved)
			t.i += j + 1
			return nil
		case ')':
			t.i += j + 1
			return nil
		default:
			return t.bad("Sequence (?" + string(rest[j]) + "...) not recognized")
		}
	}
	return t.bad("Sequence (? incomplete")
}
