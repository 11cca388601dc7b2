package perl

// unary reads ! ~ \ + - and what binds tighter.
func (p *parser) unary() *node {
	t := *p.peek(true)
	if t.kind != tOp {
		return p.power()
	}
	switch t.text {
	case "!", "~", "\\", "+", "-":
	default:
		return p.power()
	}
	p.enter(t.off)
	defer p.leave()
	p.take()
	if t.text == "-" {
		if n := p.dashWord(t); n != nil {
			return n
		}
	}
	x := p.unary()
	n := p.node(node{kind: nUnary, off: t.off, end: x.end, name: t.text, kids: p.list(x)})
	switch t.text {
	case "!":
		n.kind = nNot
	case "\\":
		n.kind = nRef
	case "-":
		if x.kind == nConst && x.val.k != kPV { // a negative literal
			x.off, x.val = t.off, negate(x.val)
			return x
		}
	case "+":
		return x
	}
	return n
}

// dashWord reads -bareword, which is a string, and refuses file tests.
func (p *parser) dashWord(t token) *node {
	if !isLetter(p.lexer.at(t.end)) {
		return nil
	}
	i := t.end
	for isWord(p.lexer.at(i)) {
		i++
	}
	word := p.src[t.end:i]
	if p.fatComma(i) || p.lexer.at(p.peekAfter(i)) == '}' && p.lexer.at(t.off-1) == '{' {
		p.pos, p.have = i, false
		return p.node(node{kind: nConst, off: t.off, end: i, val: String("-" + word)})
	}
	if len(word) == 1 && word != "x" && word != "y" && word != "q" && word != "m" || word == "x" {
		p.fail(t.off, "the file test -"+word+" is not available in algorithms", noFiles)
	}
	if p.isFunction(word) || p.lexer.at(p.peekAfter(i)) == '(' || p.lexer.at(i) == ':' {
		return nil
	}
	p.pos, p.have = i, false
	return p.node(node{kind: nConst, off: t.off, end: i, val: String("-" + word)})
}

// power reads ** which binds tighter than a minus on its left but not on its right.
func (p *parser) power() *node {
	l := p.incDec()
	if !p.isOp(false, "**") {
		return l
	}
	t := p.take()
	p.enter(t.off)
	defer p.leave()
	return p.join(nBinary, "**", l, p.unary())
}

func (p *parser) incDec() *node {
	t := *p.peek(true)
	if t.kind == tOp && (t.text == "++" || t.text == "--") {
		p.take()
		x := p.postfix()
		if !assignable(x) {
			p.fail(x.off, "Can't modify this with "+t.text+": syntax error", "")
		}
		return p.node(node{kind: nIncDec, off: t.off, end: x.end, name: t.text, kids: p.list(x)})
	}
	x := p.postfix()
	if u := p.peek(false); u.kind == tOp && (u.text == "++" || u.text == "--") {
		if !assignable(x) {
			p.fail(x.off, "Can't modify this with "+u.text+": syntax error", "")
		}
		n := p.node(node{kind: nIncDec, off: x.off, end: u.end, name: u.text, post: true, kids: p.list(x)})
		p.take()
		return n
	}
	return x
}
