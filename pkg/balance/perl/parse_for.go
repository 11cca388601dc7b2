package perl

func (p *parser) forStatement(t token, label string) *node {
	n := p.node(node{kind: nForeach, off: t.off, name: label, kids: make([]*node, 4)})
	u := *p.peek(true)
	switch {
	case u.kind == tIdent && (u.text == "my" || u.text == "our" || u.text == "state"):
		p.take()
		v := *p.peek(true)
		if v.kind != tVar || v.text != "$" {
			p.syntax(&v, "a loop variable is a scalar: for my $x (...)")
		}
		p.take()
		x := p.node(node{kind: nVar, off: v.off, end: v.end, sigil: '$', name: v.name})
		n.kids[0] = p.node(node{kind: nMy, off: u.off, end: v.end, name: u.text, kids: p.list(x)})
	case u.kind == tVar && u.text == "$":
		p.take()
		n.kids[0] = p.node(node{kind: nVar, off: u.off, end: u.end, sigil: '$', name: u.name})
	}
	open := *p.peek(true)
	if open.kind != tOp || open.text != "(" {
		p.syntax(&open, "the list of a loop stands in parentheses: for my $x (...) { ... }")
	}
	head := p.attempt(func() *node { return p.forHead(n, open) }, func(start, seen int) int { return p.scan(start, seen, true) })
	if head != nil && head.kind == nFor {
		head.kids[3] = p.block()
		head.end = p.tokEnd()
		return head
	}
	n.kids[2] = p.block()
	n.kids[3] = p.continueBlock()
	n.end = p.tokEnd()
	return n
}

// forHead reads what stands in the parentheses of a loop: a list, or the three parts of the other kind, which is then given.
func (p *parser) forHead(n *node, open token) *node {
	p.peek(true)
	p.take()
	var first *node
	if !p.isOp(true, ";") && !p.isOp(true, ")") {
		first = p.expr()
	}
	if n.kids[0] == nil && p.isOp(false, ";") {
		return p.forThree(n, open, first)
	}
	p.expect(")", open.off)
	if first == nil {
		first = p.node(node{kind: nList, off: open.off, end: open.end})
	}
	n.kids[1] = first
	return n
}

func (p *parser) forThree(loop *node, open token, init *node) *node {
	n := p.node(node{kind: nFor, off: loop.off, name: loop.name, kids: p.list(init, nil, nil, nil)})
	p.take()
	if !p.isOp(true, ";") {
		n.kids[1] = p.expr()
	}
	if !p.accept(false, ";") {
		u := p.peek(false)
		p.syntax(u, "a loop has three parts: for (begin; condition; step)")
	}
	if !p.isOp(true, ")") {
		n.kids[2] = p.expr()
	}
	p.expect(")", open.off)
	return n
}
