package perl

import "strings"

// postfix reads a term with its subscripts.
func (p *parser) postfix() *node {
	n := p.term()
	for {
		t := *p.peek(false)
		if t.kind != tOp {
			return n
		}
		switch {
		case t.text == "->":
			p.take()
			n = p.arrow(n, t)
		case (t.text == "[" || t.text == "{") && subscripted(n):
			p.take()
			n = p.subscript(n, t)
		case t.text == "(" && subscripted(n):
			p.take()
			n = p.callArgs(p.node(node{kind: nDynCall, off: n.off, kids: p.list(n)}), t)
		case t.text == "[" && (n.kind == nList && n.paren || n.kind == nList && n.name == "qw"):
			p.take()
			idx := p.listUntil("]", t.off)
			n = p.node(node{kind: nListSlice, off: n.off, end: p.pos, kids: p.list(n, idx)})
		default:
			return n
		}
	}
}

// subscripted tells whether a further subscript needs no arrow.
func subscripted(n *node) bool {
	switch n.kind {
	case nIndex, nKey:
		return !n.paren
	case nDynCall:
		return !n.paren && n.name != "&"
	}
	return false
}

// subscript reads the rest of [index] or {key} behind a reference.
func (p *parser) subscript(ref *node, open token) *node {
	if open.text == "[" {
		base := p.node(node{kind: nDeref, sigil: '@', off: ref.off, end: ref.end, kids: p.list(ref)})
		i := p.expr()
		return p.node(node{kind: nIndex, off: ref.off, end: p.expect("]", open.off), kids: p.list(base, i)})
	}
	base := p.node(node{kind: nDeref, sigil: '%', off: ref.off, end: ref.end, kids: p.list(ref)})
	k := p.key(open)
	return p.node(node{kind: nKey, off: ref.off, end: p.pos, kids: p.list(base, k)})
}

// key reads what stands in braces; a bare word there is a string.
func (p *parser) key(open token) *node {
	i := p.peekAfter(open.end)
	j := i
	if p.lexer.at(j) == '-' {
		j++
	}
	if isLetter(p.lexer.at(j)) {
		for isWord(p.lexer.at(j)) {
			j++
		}
		if k := p.peekAfter(j); p.lexer.at(k) == '}' {
			p.have, p.pos = false, k+1
			return p.node(node{kind: nConst, off: i, end: j, val: String(p.src[i:j])})
		}
	}
	n := p.expr()
	p.expect("}", open.off)
	return n
}

func (p *parser) arrow(n *node, t token) *node {
	u := *p.peek(true)
	switch {
	case u.kind == tOp && (u.text == "[" || u.text == "{"):
		p.take()
		return p.subscript(n, u)
	case u.kind == tOp && u.text == "(":
		p.take()
		return p.callArgs(p.node(node{kind: nDynCall, off: n.off, kids: p.list(n)}), u)
	case u.kind == tOp && (u.text == "@" || u.text == "%" || u.text == "*"), u.kind == tCast, u.kind == tVar && u.text != "$", strings.HasPrefix(p.src[u.off:], "$#*"):
		p.fail(t.off, "the postfix dereference ->@* is not available in algorithms", "write @{...}, %{...} or ${...}")
	}
	p.fail(t.off, "the method call -> is not available in algorithms", noMethods)
	return nil
}

// listUntil reads the items up to the closing bracket of open.
func (p *parser) listUntil(shut string, open int) *node {
	for p.isCommaTerm() {
		p.take()
	}
	var l, x *node
	if !p.isOp(true, shut) {
		x = p.expr()
	}
	switch {
	case x == nil:
		l = p.node(node{kind: nList, off: open})
	case x.kind == nList && !x.paren:
		l = x
	default:
		l = p.node(node{kind: nList, off: open, kids: p.list(x)})
	}
	l.end = p.expect(shut, open)
	return l
}

func (p *parser) isCommaTerm() bool { return p.isOp(true, ",") }

// term reads what stands at the bottom of an expression.
func (p *parser) term() *node {
	t := *p.peek(true)
	p.enter(t.off)
	defer p.leave()
	switch t.kind {
	case tNum:
		p.take()
		return p.node(node{kind: nConst, off: t.off, end: t.end, val: t.val, name: t.name})
	case tQuote:
		p.take()
		return p.quoted(t)
	case tVar:
		p.take()
		return p.variableTerm(t)
	case tCast:
		p.take()
		return p.cast(t)
	case tIdent:
		return p.word(t)
	case tEOF:
		p.syntax(&t, "something is missing here")
	}
	switch t.text {
	case "(":
		p.take()
		inner := p.listUntil(")", t.off)
		return p.parens(inner, t)
	case "[":
		p.take()
		l := p.listUntil("]", t.off)
		return p.node(node{kind: nAnonArray, off: t.off, end: l.end, kids: l.kids})
	case "{":
		p.take()
		l := p.listUntil("}", t.off)
		return p.node(node{kind: nAnonHash, off: t.off, end: l.end, kids: l.kids})
	case "*":
		p.fail(t.off, "a glob is not available in algorithms", "a * needs a number on its left")
	}
	hint := p.operatorHint(&t)
	if hint == "" {
		hint = p.lostOperand(t)
	}
	p.syntax(&t, hint)
	return nil
}

// lostOperand explains an operator where a value should stand.
func (p *parser) lostOperand(t token) string {
	i := t.off - 1
	for i >= 0 && isSpace(p.src[i]) {
		i--
	}
	if i >= 1 && p.src[i] == '%' && isDigit(p.src[i-1]) {
		return "% is the modulus operator: write 0.40 or 40 for 40%"
	}
	if t.text == "=" || t.text == ">" {
		return "is the operator written >=, <= or == ?"
	}
	return "a value is missing before this"
}

// parens makes the list that parentheses are, even around one item: (...)[0], (...) x 3 and ($x) = ... need to know.
func (p *parser) parens(l *node, open token) *node {
	l.paren, l.off = true, open.off
	return l
}

func (p *parser) newVar(t token, sigil byte) *node {
	return p.node(node{kind: nVar, sigil: sigil, name: t.name, off: t.off, end: t.end, must: p.strict})
}

func (p *parser) variableTerm(t token) *node {
	n := p.newVar(t, t.text[0])
	next := p.peek(false)
	switch t.text {
	case "$#":
		n.sigil = '@'
		return p.node(node{kind: nArrayLen, off: t.off, end: t.end, kids: p.list(n)})
	case "$":
		if next.kind == tOp && (next.text == "[" || next.text == "{") {
			open := p.take()
			return p.element(n, open)
		}
		return p.special(n)
	case "@":
		if next.kind == tOp && (next.text == "[" || next.text == "{") {
			open := p.take()
			return p.slice(n, open, nSlice, nKeySlice)
		}
		return p.special(n)
	case "%":
		if next.kind == tOp && (next.text == "[" || next.text == "{") && !next.space {
			open := p.take()
			return p.slice(n, open, nPairSlice, nPairSlice)
		}
		return p.special(n)
	}
	return p.ampCall(t)
}

// element reads $name[...] and $name{...}.
func (p *parser) element(n *node, open token) *node {
	if open.text == "[" {
		n.sigil = '@'
		p.special(n)
		i := p.expr()
		return p.node(node{kind: nIndex, off: n.off, end: p.expect("]", open.off), kids: p.list(n, i)})
	}
	n.sigil = '%'
	p.special(n)
	k := p.key(open)
	return p.node(node{kind: nKey, off: n.off, end: p.pos, kids: p.list(n, k)})
}

func (p *parser) slice(n *node, open token, array, hash nodeKind) *node {
	kind, shut := array, "]"
	n.sigil = '@'
	if open.text == "{" {
		kind, shut, n.sigil = hash, "}", '%'
	}
	if n.kind == nVar {
		p.special(n)
	}
	var l *node
	if shut == "}" {
		k := p.key(open)
		l = p.node(node{kind: nList, off: k.off, end: k.end, kids: p.list(k)})
		if k.kind == nList && !k.paren {
			l = k
		}
	} else {
		l = p.listUntil(shut, open.off)
	}
	return p.node(node{kind: kind, off: n.off, end: p.pos, kids: p.list(n, l)})
}

// cast reads ${...}, @{...}, %{...}, &{...}, $#{...} and the forms with a further $.
func (p *parser) cast(t token) *node {
	var ref *node
	if p.isOp(true, "{") {
		b := p.block()
		ref = p.node(node{kind: nDo, off: b.off, end: b.end, kids: p.list(b)})
		if len(b.kids) == 1 && simpleExpr(b.kids[0]) {
			ref = b.kids[0]
		}
	} else {
		u := *p.peek(true)
		switch {
		case u.kind == tVar && u.text == "$":
			p.take()
			ref = p.special(p.newVar(u, '$'))
		case u.kind == tCast && u.text == "$":
			p.take()
			inner := p.castRef(u)
			ref = p.node(node{kind: nDeref, sigil: '$', off: u.off, end: p.tokEnd(), kids: p.list(inner)})
		default:
			p.syntax(&u, "a variable's name is missing")
		}
	}
	if ref.kind == nConst || ref.kind == nInterp || ref.kind == nWord {
		p.refuse(t.off, "a symbolic reference", "write the variable or function itself")
	}
	sigil := t.text[0]
	n := p.node(node{kind: nDeref, sigil: sigil, off: t.off, end: p.tokEnd(), kids: p.list(ref)})
	if t.text == "$#" {
		n.sigil = '@'
		return p.node(node{kind: nArrayLen, off: t.off, end: n.end, kids: p.list(n)})
	}
	next := p.peek(false)
	open := next.kind == tOp && (next.text == "[" || next.text == "{")
	switch {
	case sigil == '&':
		call := p.node(node{kind: nDynCall, name: "&", off: t.off, end: n.end, kids: p.list(ref)})
		if next.kind == tOp && next.text == "(" {
			o := p.take()
			return p.callArgs(call, o)
		}
		call.post = true // the caller's @_ is handed on
		return call
	case sigil == '$' && open:
		o := p.take()
		n.sigil = '@'
		if o.text == "{" {
			n.sigil = '%'
			k := p.key(o)
			return p.node(node{kind: nKey, off: t.off, end: p.pos, kids: p.list(n, k)})
		}
		i := p.expr()
		return p.node(node{kind: nIndex, off: t.off, end: p.expect("]", o.off), kids: p.list(n, i)})
	case sigil == '@' && open:
		o := p.take()
		return p.slice(n, o, nSlice, nKeySlice)
	case sigil == '%' && open && !next.space:
		o := p.take()
		return p.slice(n, o, nPairSlice, nPairSlice)
	}
	return n
}

// castRef reads what a $ before another $ refers to, without subscripts.
func (p *parser) castRef(t token) *node {
	u := *p.peek(true)
	switch {
	case u.kind == tVar && u.text == "$":
		p.take()
		return p.special(p.newVar(u, '$'))
	case u.kind == tOp && u.text == "{":
		b := p.block()
		return p.node(node{kind: nDo, off: b.off, end: b.end, kids: p.list(b)})
	case u.kind == tCast && u.text == "$":
		p.take()
		p.enter(u.off)
		defer p.leave()
		return p.node(node{kind: nDeref, sigil: '$', off: u.off, end: p.tokEnd(), kids: p.list(p.castRef(u))})
	}
	p.syntax(&u, "a variable's name is missing")
	return nil
}

// simpleExpr tells whether a statement is an expression that needs no scope of its own.
func simpleExpr(n *node) bool {
	return n.kind < nDo && n.kind != nMy
}
