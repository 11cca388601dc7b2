package perl

import "strings"

// statement reads one statement. It gives nil for an empty one.
func (p *parser) statement() *node {
	t := *p.peek(true)
	p.enter(t.off)
	defer p.leave()
	if t.kind == tOp {
		switch t.text {
		case ";":
			p.take()
			return nil
		case "{":
			if t.off+1 == p.hashAt || p.looksLikeHash(t.off) {
				break
			}
			return p.block()
		}
	}
	label := ""
	if t.kind == tIdent && p.isLabel(t) {
		p.take()
		label = t.text
		p.peek(false)
		p.take() // the colon
		t = *p.peek(true)
	}
	if t.kind == tIdent && !p.fatComma(t.end) {
		if s, ok := p.compound(t, label); ok {
			return s
		}
	}
	if label != "" {
		if t.kind == tOp && t.text == "{" {
			b := p.block()
			b.name = label
			return b
		}
		if t.kind == tOp && t.text == "}" || t.kind == tEOF {
			return nil
		}
	}
	return p.simple()
}

// isLabel sees NAME: but not NAME:: and no ?: around it.
func (p *parser) isLabel(t token) bool {
	i := t.end
	for i < p.end && isSpace(p.src[i]) {
		i++
	}
	return p.lexer.at(i) == ':' && p.lexer.at(i+1) != ':' && !strings.Contains(t.text, ":")
}

// looksLikeHash makes perl's guess at a { where a statement may begin: a word or string before , or => is a hash's key.
func (p *parser) looksLikeHash(open int) bool {
	i := open + 1
	space := func() {
		for i < p.end && isSpace(p.src[i]) {
			i++
		}
	}
	space()
	c := p.lexer.at(i)
	switch {
	case c == '\'' || c == '"':
		for i++; i < p.end && p.src[i] != c; i++ {
			if p.src[i] == '\\' {
				i++
			}
		}
		i++
	case isWord(c):
		for isWord(p.lexer.at(i)) {
			i++
		}
	default:
		return false
	}
	space()
	return p.lexer.at(i) == ',' || p.lexer.at(i) == '=' && p.lexer.at(i+1) == '>'
}

// block reads { statements }.
func (p *parser) block() *node {
	t := *p.peek(true)
	if t.kind != tOp || t.text != "{" {
		hint := "braces are required: { ... }"
		if t.kind == tIdent && t.text == "if" {
			hint = "write elsif"
		}
		p.syntax(&t, hint)
	}
	p.take()
	p.enter(t.off)
	defer p.leave()
	strict, warns := p.strict, p.warns
	defer func() { p.strict, p.warns = strict, warns }()
	n := p.node(node{kind: nBlock, off: t.off})
	for {
		u := p.peek(true)
		if u.kind == tEOF {
			p.expect("}", t.off)
		}
		if u.kind == tOp && u.text == "}" {
			n.end = p.take().end
			return n
		}
		if s := p.oneStatement(); s != nil {
			n.kids = append(n.kids, s)
		}
	}
}

// compound reads the statements that begin with a word of their own.
func (p *parser) compound(t token, label string) (*node, bool) {
	switch t.text {
	case "if", "unless":
		p.take()
		return p.ifStatement(t), true
	case "while", "until":
		p.take()
		return p.whileStatement(t, label), true
	case "for", "foreach":
		p.take()
		return p.forStatement(t, label), true
	case "sub":
		i := p.peekAfter(t.end)
		if isLetter(p.lexer.at(i)) {
			p.take()
			return p.namedSub(t), true
		}
	case "use", "no":
		p.take()
		p.use(t)
		return nil, true
	case "package":
		p.fail(t.off, "package is not available in algorithms", "everything lives in package main")
	case "BEGIN", "END", "INIT", "CHECK", "UNITCHECK", "AUTOLOAD", "DESTROY":
		if p.lexer.at(p.peekAfter(t.end)) == '{' {
			p.fail(t.off, t.text+" blocks are not available in algorithms", "write the statements without "+t.text)
		}
	case "format", "given", "when", "default":
		if c := p.lexer.at(p.peekAfter(t.end)); c == '(' || c == '{' || t.text == "format" && isLetter(c) {
			p.fail(t.off, t.text+" is not available in algorithms", "use if and elsif")
		}
	case "else", "elsif", "elseif", "elif":
		p.syntax(&t, "an else or elsif belongs directly behind the } of an if; it is written elsif")
	case "__END__", "__DATA__":
		p.take()
		p.pos = p.end
		return nil, true
	}
	return nil, false
}

// peekAfter gives the offset of the first byte at or behind i that is no white space.
func (p *parser) peekAfter(i int) int {
	for i < p.end && isSpace(p.src[i]) {
		i++
	}
	return i
}

// condition reads ( expr ).
func (p *parser) condition() *node {
	t := *p.peek(true)
	if t.kind != tOp || t.text != "(" {
		p.syntax(&t, "a condition stands in parentheses: if (...) { ... }")
	}
	p.take()
	n := p.attempt(func() *node {
		if p.isOp(true, ")") {
			p.syntax(&t, "the condition is empty")
		}
		n := p.expr()
		p.expect(")", t.off)
		return n
	}, func(start, seen int) int { return p.scan(start, seen, true) })
	if n == nil { // broken: its block can be read all the same
		n = p.node(node{kind: nConst, off: t.off, end: t.end})
	}
	return n
}

func (p *parser) ifStatement(t token) *node {
	n := p.node(node{kind: nIf, off: t.off})
	c := p.condition()
	if t.text == "unless" {
		c = p.node(node{kind: nNot, off: c.off, end: c.end, kids: p.list(c)})
	}
	n.kids = append(n.kids, c, p.block())
	for {
		u := *p.peek(true)
		if u.kind == tIdent && !p.fatComma(u.end) {
			switch u.text {
			case "elsif":
				p.take()
				n.kids = append(n.kids, p.condition(), p.block())
				continue
			case "elseif", "elif":
				p.err(u.off, "syntax error "+p.near(&u), "write elsif")
				p.broken = true
				p.take()
				n.kids = append(n.kids, p.condition(), p.block())
				continue
			case "else":
				p.take()
				if v := *p.peek(true); v.kind == tIdent && v.text == "if" {
					p.err(v.off, "syntax error "+p.near(&v), "write elsif")
					p.broken = true
					p.take()
					n.kids = append(n.kids, p.condition(), p.block())
					continue
				}
				n.kids = append(n.kids, p.block())
			}
		}
		n.end = p.pos
		p.drop()
		return n
	}
}

func (p *parser) whileStatement(t token, label string) *node {
	n := p.node(node{kind: nWhile, off: t.off, name: label, not: t.text == "until", kids: make([]*node, 3)})
	open := *p.peek(true)
	if p.src[open.off:open.end] == "(" && p.lexer.at(p.peekAfter(open.end)) == ')' {
		p.take()
		p.peek(true)
		p.take()
	} else {
		n.kids[0] = p.condition()
	}
	n.kids[1] = p.block()
	n.kids[2] = p.continueBlock()
	n.end = p.tokEnd()
	return n
}

func (p *parser) tokEnd() int {
	if p.have {
		return p.tokStart
	}
	return p.pos
}

func (p *parser) continueBlock() *node {
	if t := p.peek(true); t.kind == tIdent && t.text == "continue" {
		p.take()
		return p.block()
	}
	return nil
}

// simple reads an expression statement with its modifier.
func (p *parser) simple() *node {
	n := p.expr()
	if t := *p.peek(false); t.kind == tIdent {
		n = p.modifier(n, t)
	}
	t := p.peek(false)
	switch {
	case t.kind == tEOF, t.kind == tOp && t.text == "}":
		return n
	case t.kind == tOp && t.text == ";":
		p.take()
		return n
	}
	if between := p.src[min(n.end, t.off):t.off]; strings.Contains(between, "\n") && p.beginsStatement(t) && p.trying == 0 {
		p.err(t.off, "syntax error "+p.near(t), p.missing(n, t))
		p.broken = true
		return n
	}
	p.syntax(t, p.missing(n, t))
	return nil
}

// beginsStatement tells whether a token that follows an expression can only be the next statement.
func (p *parser) beginsStatement(t *token) bool {
	if t.kind != tIdent || p.fatComma(t.end) {
		return false
	}
	switch t.text {
	case "my", "our", "if", "unless", "while", "until", "for", "foreach", "return", "sub", "use", "no", "print", "push":
		return true
	}
	_, host := p.host(t.text)
	return host
}

// missing guesses why a statement does not end where it should.
func (p *parser) missing(n *node, t *token) string {
	if h := p.operatorHint(t); h != "" {
		return h
	}
	if before := strings.TrimRight(p.src[:t.off], " \t"); strings.HasSuffix(before, " NOT") {
		return "operators are written in small letters: not"
	}
	if t.kind == tOp && t.text == ")" {
		return "this ) has no ("
	}
	if between := p.src[min(n.end, t.off):t.off]; strings.Contains(between, "\n") {
		return "is a ; missing at the end of the line before?"
	}
	if t.kind == tOp && t.text == "{" && n.kind == nCall {
		return "a condition stands in parentheses behind if"
	}
	return "an operator or a ; is missing"
}

func (p *parser) modifier(n *node, t token) *node {
	switch t.text {
	case "if", "unless":
		p.take()
		c := p.expr()
		if t.text == "unless" {
			c = p.node(node{kind: nNot, off: c.off, end: c.end, kids: p.list(c)})
		}
		return p.node(node{kind: nIf, off: n.off, end: c.end, post: true, kids: p.list(c, n)})
	case "while", "until":
		p.take()
		c := p.expr()
		return p.node(node{kind: nWhile, off: n.off, end: c.end, post: true, not: t.text == "until", kids: p.list(c, n, nil)})
	case "for", "foreach":
		p.take()
		c := p.expr()
		return p.node(node{kind: nForeach, off: n.off, end: c.end, post: true, kids: p.list(nil, c, n, nil)})
	}
	return n
}

func (p *parser) namedSub(t token) *node {
	name := *p.peek(true)
	p.take()
	short := strings.TrimPrefix(name.text, "main::")
	if _, ok := p.host(short); ok {
		p.err(name.off, "sub "+short+" would replace the balancer's own function", "choose another name")
	}
	if strings.Contains(short, "::") {
		p.refuse(name.off, "a sub of another package", "write sub NAME without ::")
	}
	if p.subs == nil {
		p.subs = map[string]bool{}
	}
	p.subs[short] = true
	s := p.subBody()
	s.name = short
	return p.node(node{kind: nSub, off: t.off, end: p.pos, name: short, sub: s})
}

// subBody reads the block of a sub and refuses prototypes and attributes.
func (p *parser) subBody() *subInfo {
	t := *p.peek(true)
	if t.kind == tOp && t.text == "(" {
		p.fail(t.off, "prototypes and signatures are not available in algorithms", "take the arguments with my ($x, $y) = @_;")
	}
	if t.kind == tOp && t.text == ":" {
		p.fail(t.off, "attributes of subs are not available in algorithms", "write sub NAME { ... }")
	}
	if t.kind == tOp && t.text == ";" {
		p.fail(t.off, "a forward declaration of a sub is not available in algorithms", "define it; it may stand behind its first use")
	}
	return &subInfo{body: p.block()}
}
