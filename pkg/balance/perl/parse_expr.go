package perl

import "strings"

// expr reads a whole expression, down to or and xor.
func (p *parser) expr() *node {
	p.enter(p.peek(true).off)
	defer p.leave()
	n := p.lowAnd()
	for {
		switch t := p.peek(false); {
		case t.kind == tIdent && t.text == "or":
			p.take()
			n = p.join(nOr, "or", n, p.lowAnd())
		case t.kind == tIdent && t.text == "xor":
			p.take()
			n = p.join(nXor, "xor", n, p.lowAnd())
		default:
			return n
		}
	}
}

func (p *parser) lowAnd() *node {
	n := p.lowNot()
	for p.isWord("and") {
		p.take()
		n = p.join(nAnd, "and", n, p.lowNot())
	}
	return n
}

func (p *parser) lowNot() *node {
	t := *p.peek(true)
	if t.kind != tIdent || t.text != "not" || p.fatComma(t.end) {
		return p.comma()
	}
	p.enter(t.off)
	defer p.leave()
	if p.lexer.at(p.peekAfter(t.end)) == '(' { // not(...) binds as a function does
		return p.comma()
	}
	p.take()
	x := p.lowNot()
	return p.node(node{kind: nNot, off: t.off, end: x.end, name: "not", kids: p.list(x)})
}

func (p *parser) join(kind nodeKind, name string, l, r *node) *node {
	return p.node(node{kind: kind, name: name, off: l.off, end: r.end, kids: p.list(l, r)})
}

// comma reads a list; without a comma it is just its one item.
func (p *parser) comma() *node {
	n := p.assign()
	if !p.isComma() {
		return n
	}
	l := p.node(node{kind: nList, off: n.off, end: n.end})
	var room [8]*node
	kids := append(room[:0], n)
	for p.isComma() {
		t := p.take()
		l.end = t.end
		if t.text == "=>" {
			l.name = "=>"
		}
		for p.isComma() {
			p.take()
		}
		if p.endOfList() {
			break
		}
		x := p.assign()
		kids = append(kids, x)
		l.end = x.end
	}
	l.kids = p.list(kids...)
	return l
}

func (p *parser) isComma() bool {
	t := p.peek(false)
	return t.kind == tOp && (t.text == "," || t.text == "=>")
}

// endOfList tells whether no further item follows a comma.
func (p *parser) endOfList() bool {
	t := p.peek(true)
	switch t.kind {
	case tEOF:
		return true
	case tOp:
		return t.text == ")" || t.text == "]" || t.text == "}" || t.text == ";" || t.text == ":"
	case tIdent:
		switch t.text {
		case "if", "unless", "while", "until", "for", "foreach", "or", "and":
			return !p.fatComma(t.end)
		}
	}
	return false
}

// assign reads an item of a list: a conditional expression or an assignment.
func (p *parser) assign() *node {
	p.enter(p.peek(true).off)
	defer p.leave()
	l := p.ternary()
	t := *p.peek(false)
	if t.kind != tOp {
		return l
	}
	switch t.text {
	case "=", "+=", "-=", "*=", "/=", ".=", "%=", "x=", "**=", "||=", "&&=", "//=", "&=", "|=", "^=", "<<=", ">>=":
	default:
		return l
	}
	p.take()
	if l.kind == nCond || l.kind == nList && len(l.kids) == 1 && l.kids[0].kind == nCond {
		p.fail(l.off, "?: on the left of an assignment is not available in algorithms", "assign in each branch: if (...) { $x = ... } else { $y = ... }")
	}
	if !assignable(l) {
		hint := "the left side of " + t.text + " is no variable; equal is written =="
		if strings.HasPrefix(p.src[t.off:], "=<") {
			hint = "less or equal is written <="
		}
		p.fail(l.off, "Can't modify this in an assignment: syntax error "+p.near(&t), hint)
	}
	r := p.assign()
	n := p.join(nAssign, t.text, l, r)
	return n
}

// assignable tells whether an assignment may change n.
func assignable(n *node) bool {
	switch n.kind {
	case nVar:
		return n.sigil != '&'
	case nIndex, nKey, nSlice, nKeySlice, nMy, nLocal, nDeref, nArrayLen, nAssign, nCapture, nIncDec:
		return true
	case nFunc:
		return n.name == "substr" || n.name == "undef" && len(n.kids) == 0 || n.name == "local"
	case nList:
		for _, k := range n.kids {
			if !assignable(k) {
				return false
			}
		}
		return n.paren
	}
	return false
}

func (p *parser) ternary() *node {
	c := p.binary(precRange)
	if !p.accept(false, "?") {
		return c
	}
	p.enter(c.off)
	defer p.leave()
	a := p.assign()
	if !p.accept(false, ":") {
		t := p.peek(false)
		h := p.operatorHint(t)
		if h == "" {
			h = "the ? needs its : behind the first value"
		}
		p.syntax(t, h)
	}
	b := p.ternary()
	return p.node(node{kind: nCond, off: c.off, end: b.end, kids: p.list(c, a, b)})
}

// Precedences of the binary operators, loosest first.
const (
	precRange = iota + 1
	precOr
	precAnd
	precBitOr
	precBitAnd
	precEqual
	precLess
	precUnary // named unary operators stand here
	precShift
	precAdd
	precMul
	precBind
)

func binaryPrec(t *token) int {
	if t.kind != tOp && t.kind != tIdent {
		return 0
	}
	switch t.text {
	case "..", "...":
		return precRange
	case "||", "//":
		return precOr
	case "&&":
		return precAnd
	case "|", "^":
		return precBitOr
	case "&":
		return precBitAnd
	case "==", "!=", "<=>", "eq", "ne", "cmp", "~~":
		return precEqual
	case "<", ">", "<=", ">=", "lt", "gt", "le", "ge":
		return precLess
	case "<<", ">>":
		return precShift
	case "+", "-", ".":
		return precAdd
	case "*", "/", "%", "x":
		return precMul
	case "=~", "!~":
		return precBind
	}
	return 0
}

// binary climbs the precedences from min upwards.
func (p *parser) binary(min int) *node {
	l := p.unary()
	for {
		t := *p.peek(false)
		prec := binaryPrec(&t)
		if prec == 0 || prec < min {
			return l
		}
		p.take()
		if t.text == "~~" {
			p.fail(t.off, "the smart match ~~ is not available in algorithms", "use grep { $_ eq $x } @list")
		}
		if prec == precBind {
			l = p.bind(l, t)
			continue
		}
		p.enter(t.off)
		r := p.binary(prec + 1)
		p.leave()
		l = p.combine(l, r, t, prec)
	}
}

func (p *parser) combine(l, r *node, t token, prec int) *node {
	switch t.text {
	case "..", "...":
		if u := p.peek(false); u.kind == tOp && (u.text == ".." || u.text == "...") {
			p.syntax(u, "")
		}
		return p.join(nRange, t.text, l, r)
	case "||":
		return p.join(nOr, "||", l, r)
	case "//":
		return p.join(nDor, "//", l, r)
	case "&&":
		return p.join(nAnd, "&&", l, r)
	}
	n := p.join(nBinary, t.text, l, r)
	if prec != precEqual && prec != precLess {
		return n
	}
	if l.kind == nChain && !l.paren && chains(t.text) { // a < b < c goes on
		last := l.kids[len(l.kids)-1]
		n.kids[0] = last.kids[1]
		l.kids = append(l.kids, n)
		l.end = n.end
		return l
	}
	if l.kind == nBinary && !l.paren && binaryPrec(&token{kind: tOp, text: l.name}) == prec {
		if !chains(l.name) || !chains(t.text) {
			p.syntax(&t, "two comparisons in a row: write $a "+l.name+" $b && $b "+t.text+" $c")
		}
		n.kids[0] = l.kids[1]
		return p.node(node{kind: nChain, off: l.off, end: n.end, kids: p.list(l, n)})
	}
	return n
}

func chains(op string) bool { return op != "<=>" && op != "cmp" && op != "~~" }

// bind reads what stands behind =~ or !~.
func (p *parser) bind(l *node, t token) *node {
	r := p.unary()
	switch r.kind {
	case nMatch, nSubst, nTrans:
		if len(r.kids) == 0 && !r.paren {
			if r.name == "qr" { // a match like any other
				r.name = "m"
			}
			r.kids = p.list(l)
			r.off = l.off
			r.not = t.text == "!~"
			if r.not && r.kind != nMatch && hasFlag(r, 'r') {
				what := "s///r"
				if r.kind == nTrans {
					what = "tr///r"
				}
				p.fail(t.off, "Using !~ with "+what+" doesn't make sense", "")
			}
			if (r.kind == nSubst || r.kind == nTrans) && !hasFlag(r, 'r') && !assignable(l) {
				p.fail(l.off, "Can't modify this in substitution or transliteration: syntax error", "the left side of =~ is no variable")
			}
			return r
		}
	}
	m := p.node(node{kind: nMatch, off: l.off, end: r.end, kids: p.list(l), not: t.text == "!~"})
	if x := bare(r); isArray(x) { // joined as in a text
		r = p.node(node{kind: nInterp, off: r.off, end: r.end, kids: p.list(x)})
	}
	m.regex = &regexNode{pattern: r}
	return m
}

func hasFlag(n *node, c byte) bool {
	for i := 0; i < len(n.regex.flags); i++ {
		if n.regex.flags[i] == c {
			return true
		}
	}
	return false
}
