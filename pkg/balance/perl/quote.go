package perl

import "strings"

// quoted makes the node of a quote-like token.
func (p *parser) quoted(t token) *node {
	q := t.quote
	n := p.node(node{kind: nConst, off: t.off, end: t.end})
	switch q.op {
	case "'", "q":
		n.val = String(unquote(p.src[q.from:q.to], q.delim))
	case "<<'":
		p.checkIndent(t, q)
		n.val = String(unindented(p.src[q.from:q.to], q.indent))
	case "<<\"":
		p.checkIndent(t, q)
		return p.interpolateIndented(t, q)
	case "\"", "qq":
		return p.interpolate(t, q.from, q.to, false)
	case "qw":
		l := p.node(node{kind: nList, paren: true, name: "qw", off: t.off, end: t.end})
		for _, w := range strings.Fields(p.src[q.from:q.to]) {
			l.kids = append(l.kids, p.node(node{kind: nConst, off: t.off, end: t.end, val: String(unquote(w, q.delim))}))
		}
		return l
	case "m", "qr":
		p.regexFlags(t, q, "msixpgnadluo")
		n.kind, n.name = nMatch, q.op
		n.regex = &regexNode{flags: q.flags, pattern: p.pattern(t, q)}
	case "s":
		p.regexFlags(t, q, "msixpgnadluoer")
		n.kind = nSubst
		n.regex = &regexNode{flags: q.flags, pattern: p.pattern(t, q)}
		switch {
		case strings.Count(q.flags, "e") > 1:
			p.refuse(t.off, "s///ee", "write one e: what it makes is evaluated once")
		case strings.Contains(q.flags, "e"):
			n.regex.repl = p.code(q.from2, q.to2)
		case q.delim2 == '\'':
			n.regex.repl = p.node(node{kind: nConst, off: q.from2, end: q.to2, val: String(p.src[q.from2:q.to2])})
		default:
			n.regex.repl = p.interpolate(t, q.from2, q.to2, false)
		}
	case "tr":
		p.regexFlags(t, q, "cdsr")
		n.kind = nTrans
		n.regex = &regexNode{flags: q.flags}
		n.regex.from = p.trList(p.src[q.from:q.to], q.delim, q.from)
		n.regex.to = p.trList(p.src[q.from2:q.to2], q.delim2, q.from2)
	case "qx":
		p.refuse(t.off, "running a command with `...` or qx", noCommands)
	case "<":
		p.fail(t.off, "reading a file with <...> is not available in algorithms", noFiles+"; less than needs a value on its left: ($x) < 1")
	}
	return n
}

func (p *parser) regexFlags(t token, q *quote, known string) {
	for i := 0; i < len(q.flags); i++ {
		switch c := q.flags[i]; {
		case c == 'c' && !strings.ContainsRune(known, 'c'):
			p.refuse(t.off, "the modifier /c", "it needs pos()")
		case strings.IndexByte(known, c) < 0:
			p.fail(t.off, "Unknown regexp modifier \"/"+string(c)+"\": syntax error", "is an operator missing behind the pattern?")
		}
	}
}

// unquote takes the backslashes out of a single-quoted text.
func unquote(s string, delim byte) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == delim || s[i+1] == closer(delim)) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// within runs f with the lexer on a part of the source, such as the inside of a string.
func (p *parser) within(from, to int, f func()) {
	pos, end, have, tok, term, start := p.pos, p.end, p.have, p.tok, p.tokTerm, p.tokStart
	p.pos, p.end, p.have = from, to, false
	p.enter(from)
	f()
	p.leave()
	p.pos, p.end, p.have, p.tok, p.tokTerm, p.tokStart = pos, end, have, tok, term, start
}

// code reads the replacement of s///e: statements.
func (p *parser) code(from, to int) *node {
	b := p.node(node{kind: nBlock, off: from, end: to})
	p.within(from, to, func() {
		for p.peek(true).kind != tEOF {
			if p.isOp(true, "}") {
				p.syntax(p.peek(true), "")
			}
			if s := p.oneStatement(); s != nil {
				b.kids = append(b.kids, s)
			}
		}
	})
	return p.node(node{kind: nDo, off: from, end: to, kids: p.list(b)})
}

func (p *parser) pattern(t token, q *quote) *node {
	if q.delim == '\'' {
		return p.node(node{kind: nConst, off: q.from, end: q.to, val: String(p.src[q.from:q.to])})
	}
	return p.interpolate(t, q.from, q.to, true)
}

// trList writes out the ranges and escapes of tr///.
func (p *parser) trList(s string, delim byte, off int) string {
	var out []byte
	var lit []bool
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			out, lit = append(out, c), append(lit, false)
			i++
			continue
		}
		e, n := escape(s[i:])
		if n == 0 {
			e, n = string(s[i+1]), 2
		}
		for j := 0; j < len(e); j++ {
			out, lit = append(out, e[j]), append(lit, true)
		}
		i += n
	}
	var b []byte
	for i := 0; i < len(out); i++ {
		if i > 0 && out[i] == '-' && !lit[i] && i+1 < len(out) && len(b) > 0 {
			lo, hi := out[i-1], out[i+1]
			if lo > hi {
				p.fail(off, "Invalid range \""+string(lo)+"-"+string(hi)+"\" in transliteration operator", "")
			}
			for c := int(lo) + 1; c <= int(hi); c++ {
				b = append(b, byte(c))
			}
			i++
			continue
		}
		b = append(b, out[i])
	}
	return string(b)
}

// escape reads a backslash escape of a string; n is its length, 0 if it is none.
func escape(s string) (text string, n int) {
	if len(s) < 2 {
		return "", 0
	}
	switch c := s[1]; c {
	case 'n':
		return "\n", 2
	case 't':
		return "\t", 2
	case 'r':
		return "\r", 2
	case 'a':
		return "\a", 2
	case 'e':
		return "\x1b", 2
	case 'f':
		return "\f", 2
	case 'b':
		return "\b", 2
	case 'c':
		if len(s) > 2 {
			u := s[2]
			if u >= 'a' && u <= 'z' {
				u -= 32
			}
			return string([]byte{u ^ 64}), 3
		}
	case 'x':
		return hexEscape(s)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v, i := 0, 1
		for i < len(s) && i < 4 && s[i] >= '0' && s[i] <= '7' {
			v = v*8 + int(s[i]-'0')
			i++
		}
		return char(v), i
	}
	return "", 0
}

func hexEscape(s string) (string, int) {
	v, i := 0, 2
	if i < len(s) && s[i] == '{' {
		j := strings.IndexByte(s, '}')
		if j < 0 {
			return "", 0
		}
		for _, c := range []byte(strings.TrimSpace(s[3:j])) {
			if d := hexDigit(c); d < 16 && v < 1<<24 {
				v = v*16 + int(d)
			}
		}
		return char(v), j + 1
	}
	for i < len(s) && i < 4 && hexDigit(s[i]) < 16 {
		v = v*16 + int(hexDigit(s[i]))
		i++
	}
	return char(v), i
}

// char is one byte, or UTF-8 beyond 255.
func char(v int) string {
	if v < 256 {
		return string([]byte{byte(v)})
	}
	return string(rune(v))
}
