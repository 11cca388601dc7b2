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
	op       string // ' " m s tr qw qr qx < <<' <<"
	delim    byte
	from, to int // the first part
	from2    int // the second, of s and tr
	to2      int
	delim2   byte
	flags    string
	indent   string // of a <<~ text: what each line begins with
}

// lexer cuts tokens on demand: the same bytes mean different things where a
// term is expected and where an operator is, and only the parser knows.
type lexer struct {
	src  string
	pos  int
	end  int
	docs map[int]int // line ends behind which a heredoc's text begins, and where it stops
	here map[int]here
	fail func(off int, text, hint string)
	err  func(off int, text, hint string)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool  { return isLetter(c) || isDigit(c) }
func isLetter(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (l *lexer) at(i int) byte {
	if i >= 0 && i < l.end {
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
	var t token
	l.read(&t, term)
	return t
}

// read is next into t, which costs no copies.
func (l *lexer) read(t *token, term bool) {
	space := l.skip(term)
	*t = token{off: l.pos, space: space}
	if l.pos >= l.end {
		t.end = l.pos
		return
	}
	c := l.src[l.pos]
	switch {
	case c == ';', c == ')', c == '(', c == ',', c == '{', c == '}', c == ']', c == '[': // no longer operator begins with them
		t.kind, t.text = tOp, l.src[l.pos:l.pos+1]
		l.pos++
	case isLetter(c):
		l.word(t, term)
	case isDigit(c), c == '.' && term && isDigit(l.at(l.pos+1)):
		l.number(t)
	case term && (c == '$' || c == '@' || c == '%' || c == '&'):
		l.variable(t)
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
		l.angle(t)
	case c == '"' || c == '\'' || c == '`': // an operator was expected: a string stands in the way
		t.kind = tOp
		t.text = string(c)
		l.pos++
	case c == ':' && l.at(l.pos+1) == ':' && isLetter(l.at(l.pos+2)):
		l.word(t, term)
	default:
		l.operator(t)
	}
	t.end = l.pos
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
	q.flags = l.src[start:l.pos]
}

// operator reads the longest operator.
func (l *lexer) operator(t *token) {
	t.kind = tOp
	rest := l.src[l.pos:l.end]
	n := 1
	if len(rest) >= 2 && isOperator(rest[:2]) {
		n = 2
	}
	if len(rest) >= 3 && isOperator(rest[:3]) {
		n = 3
	}
	t.text = rest[:n]
	l.pos += n
}

// isOperator knows the operators of more than one character.
func isOperator(s string) bool {
	switch s {
	case "<=>", "**=", "||=", "&&=", "//=", "<<=", ">>=", "...":
		return true
	case "++", "--", "**", "=~", "!~", "==", "!=", "<=", ">=", "&&", "||", "//", "..", "->", "=>", "+=", "-=", "*=", "/=", ".=", "%=", "x=", "&=", "|=", "^=",
		"<<", ">>", "::", "~~", "<>":
		return true
	}
	return false
}
