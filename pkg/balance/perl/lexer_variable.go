package perl

import "strings"

// variable reads a sigil with its name, or a sigil before a block or another $.
func (l *lexer) variable(t *token) {
	sigil := l.src[l.pos]
	l.pos++
	t.text = l.src[t.off : t.off+1]
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
	case (sigil == '$' || sigil == '@') && isDigit(c):
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
