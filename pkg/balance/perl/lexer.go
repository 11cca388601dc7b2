package perl

import (
	"strings"
)

type tokenKind uint8

const (
	tEOF   tokenKind = iota
	tNum             // val
	tQuote           // a quote-like construct: quote
	tIdent           // text
	tVar             // sigil and name: text is the sigil ($ @ % & or $#), name the name
	tCast            // a sigil before $ or {: text is the sigil
	tOp              // text
)

type token struct {
	kind     tokenKind
	off, end int
	text     string
	name     string
	val      Value
	quote    *quote
	space    bool // white space before it
}

// quote is a quote-like construct: its operator, and where its parts lie.
type quote struct {
	op       string // ' " m s tr qw qr qx <
	delim    byte
	from, to int // the first part
	from2    int // the second, of s and tr
	to2      int
	delim2   byte
	flags    string
	text     string // a heredoc's text with its indentation taken off
}

// lexer cuts tokens on demand: the same bytes mean different things where a
// term is expected and where an operator is, and only the parser knows.
type lexer struct {
	src  string
	pos  int
	end  int
	docs map[int]int // line ends behind which a heredoc's text begins, and where it stops
	fail func(off int, text, hint string)
	err  func(off int, text, hint string)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool  { return isLetter(c) || isDigit(c) }
func isLetter(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (l *lexer) at(i int) byte {
	if i < l.end {
		return l.src[i]
	}
	return 0
}

// skip passes white space, comments, POD and the text of heredocs.
func (l *lexer) skip(term bool) bool {
	start := l.pos
	for l.pos < l.end {
		switch c := l.src[l.pos]; {
		case c == '\n':
			if to, ok := l.docs[l.pos]; ok {
				l.pos = to
			} else {
				l.pos++
			}
		case isSpace(c):
			l.pos++
		case c == '#':
			l.line()
		case c == '=' && term && isLetter(l.at(l.pos+1)) && (l.pos == 0 || l.src[l.pos-1] == '\n'):
			l.pod()
		default:
			return l.pos > start
		}
	}
	return l.pos > start
}

// line moves to the end of the line.
func (l *lexer) line() {
	if i := strings.IndexByte(l.src[l.pos:l.end], '\n'); i >= 0 {
		l.pos += i
	} else {
		l.pos = l.end
	}
}

func (l *lexer) pod() {
	for l.pos < l.end {
		cut := strings.HasPrefix(l.src[l.pos:l.end], "=cut")
		l.line()
		if l.pos < l.end {
			l.pos++
		}
		if cut {
			return
		}
	}
}

// next gives the next token; term tells that a term may begin here.
func (l *lexer) next(term bool) token {
	space := l.skip(term)
	t := token{off: l.pos, space: space}
	if l.pos >= l.end {
		t.end = l.pos
		return t
	}
	c := l.src[l.pos]
	switch {
	case isLetter(c):
		l.word(&t, term)
	case isDigit(c), c == '.' && term && isDigit(l.at(l.pos+1)):
		l.number(&t)
	case term && (c == '$' || c == '@' || c == '%' || c == '&'):
		l.variable(&t)
	case term && (c == '"' || c == '\'' || c == '`'):
		t.kind = tQuote
		l.pos++
		q := &quote{op: string(c), delim: c}
		q.from, q.to = l.body(t.off, c)
		if c == '`' {
			q.op = "qx"
		}
		t.quote = q
	case term && c == '/':
		l.pos++
		t.kind = tQuote
		t.quote = &quote{op: "m", delim: '/'}
		t.quote.from, t.quote.to = l.body(t.off, '/')
		l.flags(t.quote)
	case term && c == '<':
		l.angle(&t)
	case c == '"' || c == '\'' || c == '`': // an operator was expected: a string stands in the way
		t.kind = tOp
		t.text = string(c)
		l.pos++
	case c == ':' && l.at(l.pos+1) == ':' && isLetter(l.at(l.pos+2)):
		l.word(&t, term)
	default:
		l.operator(&t)
	}
	t.end = l.pos
	return t
}

// word reads an identifier, with :: inside, or a quote-like operator.
func (l *lexer) word(t *token, term bool) {
	start := l.pos
	if !term && l.src[start] == 'x' && !isLetter(l.at(start+1)) { // the operator x, also in x3 and x=
		l.pos++
		t.kind, t.text = tOp, "x"
		if l.at(l.pos) == '=' && l.at(l.pos+1) != '=' && l.at(l.pos+1) != '~' && l.at(l.pos+1) != '>' {
			l.pos++
			t.text = "x="
		}
		return
	}
	l.name()
	t.kind, t.text = tIdent, l.src[start:l.pos]
	if t.text == "__END__" || t.text == "__DATA__" {
		t.kind, l.pos, l.end = tEOF, l.end, start
		return
	}
	if !term {
		return
	}
	switch t.text {
	case "q", "qq", "qw", "qr", "qx", "m", "s", "tr", "y":
		if !l.fatComma(l.pos) {
			l.quoteLike(t)
		}
	}
}

// name reads letters, digits and ::.
func (l *lexer) name() {
	for l.pos < l.end {
		switch {
		case isWord(l.src[l.pos]):
			l.pos++
		case l.src[l.pos] == ':' && l.at(l.pos+1) == ':' && l.at(l.pos+2) != ':':
			l.pos += 2
		default:
			return
		}
	}
}

// fatComma tells whether => follows, which makes a string of any word before it.
func (l *lexer) fatComma(i int) bool {
	for i < l.end && isSpace(l.src[i]) {
		i++
	}
	return l.at(i) == '=' && l.at(i+1) == '>'
}

func (l *lexer) quoteLike(t *token) {
	i := l.pos
	for i < l.end && isSpace(l.src[i]) {
		i++
	}
	c := l.at(i)
	if c == 0 || c == '}' || c == ',' || c == ';' || c == ')' || c == '=' && i > l.pos || c == '#' && i > l.pos || isWord(c) {
		return // no quote: a word called s, y, q ...
	}
	l.pos = i + 1
	q := &quote{op: t.text, delim: c}
	if q.op == "y" {
		q.op = "tr"
	}
	q.from, q.to = l.body(t.off, c)
	if q.op == "s" || q.op == "tr" {
		q.delim2 = c
		if closer(c) != c {
			l.skip(true)
			q.delim2 = l.at(l.pos)
			l.pos++
		}
		q.from2, q.to2 = l.body(t.off, q.delim2)
	}
	switch q.op {
	case "m", "s", "tr", "qr":
		l.flags(q)
	}
	t.kind, t.quote = tQuote, q
}

func closer(c byte) byte {
	switch c {
	case '(':
		return ')'
	case '[':
		return ']'
	case '{':
		return '}'
	case '<':
		return '>'
	}
	return c
}

// body finds the end of a quoted text that began with the delimiter open.
func (l *lexer) body(off int, open byte) (from, to int) {
	from = l.pos
	shut, depth := closer(open), 1
	for i := from; i < l.end; i++ {
		switch c := l.src[i]; {
		case c == '\\':
			i++
		case c == shut:
			if depth--; depth == 0 {
				l.pos = i + 1
				return from, i
			}
		case c == open:
			depth++
		}
	}
	l.pos = l.end
	what := "string terminator '" + string(shut) + "'"
	if l.src[off] == '/' || l.src[off] == 'm' && open != '"' {
		l.fail(off, "Search pattern not terminated", "")
		return
	}
	l.fail(off, "Can't find "+what+" anywhere before EOF", "the text that begins here has no end")
	return
}

func (l *lexer) flags(q *quote) {
	start := l.pos
	for l.pos < l.end && isLetter(l.src[l.pos]) {
		l.pos++
	}
	// "/x/ and ..." needs its blank, but "/x/and" is two words for nobody; perl reads letters as flags too
	q.flags = l.src[start:l.pos]
}

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

// variable reads a sigil with its name, or a sigil before a block or another $.
func (l *lexer) variable(t *token) {
	sigil := l.src[l.pos]
	l.pos++
	t.text = string(sigil)
	if sigil == '$' && l.at(l.pos) == '#' && (l.at(l.pos+1) == '{' || l.at(l.pos+1) == '$' || isLetter(l.at(l.pos+1)) || l.at(l.pos+1) == ':') {
		l.pos++
		t.text = "$#"
	}
	c := l.at(l.pos)
	switch {
	case isLetter(c), c == ':' && l.at(l.pos+1) == ':' && isLetter(l.at(l.pos+2)):
		start := l.pos
		l.name()
		for l.at(l.pos) == '\'' && isLetter(l.at(l.pos+1)) && sigil != '&' { // perl 4's way to write ::
			l.pos++
			l.name()
		}
		t.kind, t.name = tVar, packageName(l.src[start:l.pos])
	case c == '{':
		t.kind = tCast
		if sigil == '&' {
			return
		}
		i := l.pos + 1
		for isSpace(l.at(i)) {
			i++
		}
		j := i
		for isWord(l.at(j)) || l.at(j) == ':' && l.at(j+1) == ':' || j > i && l.at(j) == ':' && l.at(j-1) == ':' {
			j++
		}
		k := j
		for isSpace(l.at(k)) {
			k++
		}
		if j > i && l.at(k) == '}' { // ${name}
			t.kind, t.name = tVar, packageName(l.src[i:j])
			l.pos = k + 1
		} else if l.at(i) == '^' {
			t.kind, t.name = tVar, "^"
			l.pos++
		}
	case c == '$':
		if n := l.at(l.pos + 1); sigil == '$' && t.text == "$" && !isLetter(n) && n != '$' && n != '{' && n != ':' {
			l.pos++
			t.kind, t.name = tVar, "$"
			return
		}
		t.kind = tCast
	case sigil == '$' && isDigit(c):
		start := l.pos
		for isDigit(l.at(l.pos)) {
			l.pos++
		}
		t.kind, t.name = tVar, l.src[start:l.pos]
	case sigil == '$' && c != 0 && strings.IndexByte("&`'+!@/\\,;.0^[]<>()-|\":=~?", c) >= 0,
		sigil == '@' && (c == '-' || c == '+'),
		sigil == '%' && (c == '+' || c == '-' || c == '!') && !isSpace(l.at(l.pos+1)) && l.at(l.pos+1) != '$':
		t.kind, t.name = tVar, string(c)
		l.pos++
		if c == '^' && isLetter(l.at(l.pos)) {
			t.name += string(l.src[l.pos])
			l.pos++
		}
	default: // a lone sigil: & and % may be operators
		l.pos = t.off
		l.operator(t)
	}
}

// packageName marks the variables of package main with a leading :: where the package is written out.
func packageName(s string) string {
	s = strings.ReplaceAll(s, "'", "::")
	if strings.HasPrefix(s, "main::") {
		return s[4:]
	}
	return s
}

// angle reads <<"heredoc", and tells readline and glob apart from a lost <.
func (l *lexer) angle(t *token) {
	if l.at(l.pos+1) == '<' {
		if l.heredoc(t) {
			return
		}
	}
	if i := strings.IndexByte(l.src[l.pos:l.end], '>'); i > 0 && strings.IndexByte(l.src[l.pos:l.pos+i], '\n') < 0 {
		t.kind = tQuote
		t.quote = &quote{op: "<", from: l.pos + 1, to: l.pos + i}
		l.pos += i + 1
		return
	}
	hint := "a < here is read as the begin of <FILE>: put its left side in parentheses"
	if j := t.off; j > 0 && l.src[j-1] == '=' {
		hint = "less or equal is written <="
	}
	l.fail(t.off, "Unterminated <> operator", hint)
}

func (l *lexer) heredoc(t *token) bool {
	i := l.pos + 2
	indent := l.at(i) == '~'
	if indent {
		i++
	}
	q := &quote{op: "\"", delim: 0}
	var tag string
	switch c := l.at(i); {
	case c == '"' || c == '\'':
		j := strings.IndexByte(l.src[i+1:l.end], c)
		if j < 0 {
			return false
		}
		tag = l.src[i+1 : i+1+j]
		i += j + 2
		if c == '\'' {
			q.op = "<<'"
		}
	case isLetter(c):
		j := i
		for isWord(l.at(j)) {
			j++
		}
		tag, i = l.src[i:j], j
	default:
		return false
	}
	eol := strings.IndexByte(l.src[i:l.end], '\n')
	if eol >= 0 {
		eol += i
		start := eol + 1
		if to, ok := l.docs[eol]; ok {
			start = to
		}
		for p := start; p < l.end; {
			q2 := strings.IndexByte(l.src[p:l.end], '\n')
			stop, nxt := l.end, l.end
			if q2 >= 0 {
				stop, nxt = p+q2, p+q2+1
			}
			line := strings.TrimSuffix(l.src[p:stop], "\r")
			if line == tag || indent && strings.TrimLeft(line, " \t") == tag {
				q.from, q.to = start, p
				if indent {
					l.err(t.off, "an indented heredoc (<<~) is not available in algorithms", "write <<\"TAG\" with the text at the line's begin")
				}
				if l.docs == nil {
					l.docs = map[int]int{}
				}
				l.docs[eol] = nxt
				l.pos = i
				t.kind, t.quote = tQuote, q
				return true
			}
			p = nxt
		}
	}
	l.fail(t.off, "Can't find string terminator \""+tag+"\" anywhere before EOF", "")
	return true
}

// operator reads the longest operator.
func (l *lexer) operator(t *token) {
	t.kind = tOp
	rest := l.src[l.pos:l.end]
	for n := min(3, len(rest)); n > 1; n-- {
		if strings.Contains(operators, " "+rest[:n]+" ") {
			t.text = rest[:n]
			l.pos += n
			return
		}
	}
	t.text = rest[:1]
	l.pos++
}

const operators = " <=> **= ||= &&= //= <<= >>= ... ++ -- ** =~ !~ == != <= >= && || // .. -> => += -= *= /= .= %= &= |= ^= << >> :: ~~ <> "
