package perl

import "strings"

// interpolation builds the node of a double-quoted string or a pattern.
type interpolation struct {
	p      *parser
	i, to  int
	re     bool // a pattern: escapes stay as they are
	groups []group
	first  byte // u or l: waits for the next character
	from   int
	closed bool   // the variable at hand was written in braces, so that no subscript follows
	indent string // of a <<~ text: passed over at the begin of each line
}

// group is what stands between \U and \E.
type group struct {
	fn    string // uc, lc, quotemeta, or empty for the outermost
	parts []*node
	lit   []byte
	from  int
	first byte // u or l before it: for the first character of the whole
}

func (p *parser) interpolate(t token, from, to int, re bool) *node {
	in := &interpolation{p: p, i: from, from: from, to: to, re: re, groups: []group{{from: from}}}
	return in.all(t)
}

func (p *parser) interpolateIndented(t token, q *quote) *node {
	in := &interpolation{p: p, i: q.from, from: q.from, to: q.to, indent: q.indent, groups: []group{{from: q.from}}}
	return in.all(t)
}

func (in *interpolation) all(t token) *node {
	for in.i < in.to {
		if in.indent != "" && (in.i == in.from || in.p.src[in.i-1] == '\n') && strings.HasPrefix(in.p.src[in.i:in.to], in.indent) {
			in.i += len(in.indent)
			continue
		}
		in.step()
	}
	for len(in.groups) > 1 {
		in.pop()
	}
	in.flush()
	g := in.groups[0]
	switch {
	case len(g.parts) == 0:
		return in.p.node(node{kind: nConst, off: t.off, end: t.end, val: String("")})
	case len(g.parts) == 1 && g.parts[0].kind == nConst:
		return in.p.node(node{kind: nConst, off: t.off, end: t.end, val: g.parts[0].val})
	}
	return in.p.node(node{kind: nInterp, off: t.off, end: t.end, kids: g.parts})
}

func (in *interpolation) top() *group { return &in.groups[len(in.groups)-1] }

func (in *interpolation) literal(s string) {
	if in.first != 0 && s != "" {
		s = firstCase(s, in.first == 'u')
		in.first = 0
	}
	g := in.top()
	g.lit = append(g.lit, s...)
}

func firstCase(s string, up bool) string {
	if s == "" {
		return s
	}
	if up {
		return upper(s[:1]) + s[1:]
	}
	return lower(s[:1]) + s[1:]
}

// flush makes the literal text a part.
func (in *interpolation) flush() {
	g := in.top()
	if len(g.lit) > 0 {
		g.parts = append(g.parts, in.p.node(node{kind: nConst, off: g.from, end: in.i, val: String(string(g.lit))}))
		g.lit = nil
	}
	g.from = in.i
}

func (in *interpolation) add(n *node) {
	if in.first != 0 {
		name := "ucfirst"
		if in.first == 'l' {
			name = "lcfirst"
		}
		in.first = 0
		n = in.p.node(node{kind: nFunc, name: name, off: n.off, end: n.end, kids: in.p.list(n)})
	}
	in.flush()
	g := in.top()
	g.parts = append(g.parts, n)
}

// pop ends the innermost \U, \L or \Q.
func (in *interpolation) pop() {
	in.flush()
	g := *in.top()
	in.groups = in.groups[:len(in.groups)-1]
	if len(g.parts) == 0 {
		return
	}
	if g.first != 0 {
		in.first = g.first
	}
	if len(g.parts) == 1 && g.parts[0].kind == nConst {
		in.literal(foldString(g.fn, g.parts[0].val.str()))
		return
	}
	arg := in.p.node(node{kind: nInterp, off: g.parts[0].off, end: in.i, kids: g.parts})
	in.add(in.p.node(node{kind: nFunc, name: g.fn, off: arg.off, end: in.i, kids: in.p.list(arg)}))
}

func foldString(fn, s string) string {
	switch fn {
	case "uc":
		return upper(s)
	case "lc":
		return lower(s)
	}
	return quotemeta(s)
}

// step takes one character, escape or variable.
func (in *interpolation) step() {
	src := in.p.src
	c := src[in.i]
	switch {
	case c == '\\' && in.i+1 < in.to:
		in.backslash(src[in.i+1])
	case c == '$' && in.scalarAhead():
		in.variable()
	case c == '$' && !in.re && in.i+1 == in.to:
		in.p.err(in.i, "Final $ should be \\$ or $name", "a plain dollar sign is written \\$")
		in.i++
	case c == '$' && !in.re:
		in.p.refuse(in.i, "the variable "+src[in.i:in.i+2], "a plain dollar sign is written \\$")
		in.i++
	case c == '@' && in.arrayAhead():
		in.variable()
	default:
		in.literal(src[in.i : in.i+1])
		in.i++
	}
}

func (in *interpolation) backslash(c byte) {
	switch c {
	case 'U', 'L', 'Q', 'F':
		fn := map[byte]string{'U': "uc", 'L': "lc", 'Q': "quotemeta", 'F': "lc"}[c]
		if top := in.top().fn; fn != "quotemeta" && (top == "uc" || top == "lc") {
			in.pop()
		}
		in.i += 2
		in.flush()
		in.groups = append(in.groups, group{fn: fn, from: in.i, first: in.first})
		in.first = 0
		return
	case 'E':
		in.i += 2
		if len(in.groups) > 1 {
			in.pop()
		}
		return
	case 'u', 'l':
		in.i += 2
		if g := in.top(); (g.fn == "uc" || g.fn == "lc") && len(g.parts) == 0 && len(g.lit) == 0 { // \L\u is \u\L
			g.first = c
			return
		}
		in.first = c
		return
	}
	src := in.p.src
	if in.re {
		in.literal(src[in.i : in.i+2])
		in.i += 2
		return
	}
	if c == 'N' && strings.HasPrefix(src[in.i:in.to], "\\N{U+") {
		j := strings.IndexByte(src[in.i:in.to], '}')
		if j > 0 {
			text, _ := hexEscape("\\x{" + src[in.i+5:in.i+j] + "}")
			in.literal(text)
			in.i += j + 1
			return
		}
	}
	text, n := escape(src[in.i:in.to])
	if n == 0 {
		text, n = string([]byte{c}), 2
	}
	in.literal(text)
	in.i += n
}

// scalarAhead tells whether the $ at the place begins a variable.
func (in *interpolation) scalarAhead() bool {
	src := in.p.src[in.i+1 : in.to]
	if src == "" {
		return false
	}
	c := src[0]
	switch {
	case isLetter(c), c == '{', isDigit(c):
		return true
	case c == '$':
		return len(src) > 1 && (isLetter(src[1]) || src[1] == '{' || src[1] == '$') || !in.re
	case c == ':':
		return len(src) > 2 && src[1] == ':' && isLetter(src[2])
	case c == '#':
		return len(src) > 1 && (src[1] == '{' || src[1] == '$' || isLetter(src[1])) && !in.re
	case in.re:
		return c == '&' || c == ';' || c == ',' || (c == '+' || c == '-') && len(src) > 1 && (src[1] == '[' || src[1] == '{')
	case c == '+' || c == '-':
		return len(src) > 1 && (src[1] == '[' || src[1] == '{') || c == '+'
	}
	return strings.IndexByte("&`'@!,;/\\|]", c) >= 0
}

func (in *interpolation) arrayAhead() bool {
	src := in.p.src[in.i+1 : in.to]
	if src == "" {
		return false
	}
	c := src[0]
	return isLetter(c) || c == '{' || isDigit(c) && !in.re || (c == '-' || c == '+') && !in.re || c == '$' && len(src) > 1 && (isLetter(src[1]) || src[1] == '{' || src[1] == '$') ||
		c == ':' && len(src) > 2 && src[1] == ':' && isLetter(src[2])
}

// variable reads a variable with its subscripts.
func (in *interpolation) variable() {
	p := in.p
	var n *node
	next := in.i
	p.within(in.i, in.to, func() {
		n = in.base()
		for !in.closed && in.more(&n) {
		}
		in.closed = false
		p.drop()
		next = p.pos
	})
	in.add(n)
	in.i = next
}

// base reads $name, ${name}, ${ expr }, $$name and the same with @.
func (in *interpolation) base() *node {
	p := in.p
	t := *p.peek(true)
	p.take()
	sigil := t.text[0]
	var n *node
	switch t.kind {
	case tVar:
		n = p.newVar(t, sigil)
	case tCast:
		var ref *node
		if p.lexer.at(p.pos) == '{' {
			b := p.block()
			ref = in.p.node(node{kind: nDo, off: b.off, end: b.end, kids: in.p.list(b)})
			if len(b.kids) == 1 && simpleExpr(b.kids[0]) {
				ref = b.kids[0]
			}
		} else {
			u := *p.peek(true)
			p.take()
			if u.kind == tCast {
				ref = in.p.node(node{kind: nDeref, sigil: '$', off: u.off, end: u.end, kids: in.p.list(p.castRef(u))})
			} else if u.kind != tVar {
				p.syntax(&u, "a variable's name is missing")
			} else {
				ref = p.special(p.newVar(u, '$'))
			}
		}
		n = in.p.node(node{kind: nDeref, sigil: sigil, off: t.off, end: p.pos, kids: in.p.list(ref)})
	default:
		p.syntax(&t, "a variable's name is missing")
	}
	if t.text == "$#" {
		n.sigil = '@'
		return in.p.node(node{kind: nArrayLen, off: t.off, end: p.pos, kids: in.p.list(n)})
	}
	open, ok := in.subscriptAhead(p.pos)
	if t.kind == tVar && p.src[t.end-1] == '}' { // "${name}[0]" ends at the brace
		ok, in.closed = false, true
	}
	switch {
	case !ok:
		if n.kind == nVar {
			return p.special(n)
		}
		return n
	case sigil == '@':
		o := *p.peek(false)
		p.take()
		return p.slice(n, o, nSlice, nKeySlice)
	case n.kind == nVar:
		o := *p.peek(false)
		p.take()
		return p.element(n, o)
	}
	o := *p.peek(false)
	p.take()
	if open == '[' {
		n.sigil = '@'
		i := p.expr()
		return in.p.node(node{kind: nIndex, off: n.off, end: p.expect("]", o.off), kids: in.p.list(n, i)})
	}
	n.sigil = '%'
	k := p.key(o)
	return in.p.node(node{kind: nKey, off: n.off, end: p.pos, kids: in.p.list(n, k)})
}

// more reads one further subscript: ->[...], ->{...}, or one directly behind another.
func (in *interpolation) more(n **node) bool {
	p := in.p
	p.drop()
	at := p.pos
	if strings.HasPrefix(p.src[at:in.to], "->") && (*n).kind != nArrayLen {
		if _, ok := in.subscriptAhead(at + 2); !ok {
			return false
		}
		if s := (*n).kind; s == nSlice || s == nKeySlice || (s == nVar || s == nDeref) && (*n).sigil == '@' {
			return false
		}
		p.pos = at + 2
	} else if _, ok := in.subscriptAhead(at); !ok || (*n).kind != nIndex && (*n).kind != nKey {
		return false
	}
	o := *p.peek(false)
	p.take()
	*n = p.subscript(*n, o)
	return true
}

// subscriptAhead tells whether a [ or { at i is a subscript. In a pattern it may be a class or a count.
func (in *interpolation) subscriptAhead(i int) (byte, bool) {
	if i >= in.to {
		return 0, false
	}
	src := in.p.src[i:in.to]
	c := src[0]
	if c != '[' && c != '{' {
		return 0, false
	}
	if !in.re {
		return c, true
	}
	j := strings.IndexByte(src, closer(c))
	if j < 2 {
		return 0, false
	}
	inner := src[1:j]
	if c == '{' {
		return c, strings.Trim(inner, "0123456789,") != ""
	}
	if inner[0] == '$' && len(inner) > 1 && isLetter(inner[1]) {
		return c, true
	}
	return c, strings.Trim(strings.TrimPrefix(inner, "-"), "0123456789") == ""
}
