package perl

// builtinCall reads the arguments of a built-in function and checks their number.
func (p *parser) builtinCall(t token, b *builtin) *node {
	n := p.node(node{kind: nFunc, name: b.name, off: t.off, end: t.end})
	if b.name == "defined" || b.name == "exists" {
		if m := p.definedSub(n); m != nil {
			return m
		}
	}
	switch {
	case b.max == 0:
		p.emptyParens()
		n.end = p.tokEnd()
		return n
	case b.unary:
		if open := *p.peek(true); open.kind == tOp && open.text == "(" {
			p.take()
			p.callArgs(n, open)
		} else if p.startsUnary() {
			x := p.binary(precUnary + 1)
			n.kids, n.end = p.list(x), x.end
		}
	default:
		p.args(n)
	}
	if b.name == "split" && len(n.kids) > 0 && n.kids[0].kind == nMatch && len(n.kids[0].kids) == 0 {
		n.kids[0].post = true // the pattern itself, no match
	}
	if len(n.kids) == 0 && b.topic {
		n.kids = []*node{{kind: nVar, sigil: '$', name: "_", off: n.off, end: n.end}}
	}
	p.checkArgs(n, b)
	return n
}

// startsUnary tells whether a named unary operator has an argument. A < here begins a file name, as in perl.
func (p *parser) startsUnary() bool {
	t := p.peek(true)
	if t.kind == tQuote && t.quote.op == "m" && p.src[t.off] == '/' && p.lexer.at(t.off+1) == '/' {
		return false // shift // 10: the operator
	}
	return p.startsTerm()
}

func (p *parser) checkArgs(n *node, b *builtin) {
	few, many := len(n.kids) < b.min && (b.max >= 0 || !spread(n)), b.max >= 0 && len(n.kids) > b.max
	switch {
	case few:
		p.err(n.off, "Not enough arguments for "+b.name, "")
		for len(n.kids) < b.min {
			n.kids = append(n.kids, p.node(node{kind: nConst, off: n.off, end: n.end}))
		}
	case many:
		p.err(n.off, "Too many arguments for "+b.name, "")
	}
	if len(n.kids) == 0 {
		return
	}
	x := n.kids[0]
	for x.kind == nList && x.paren && len(x.kids) == 1 {
		x = x.kids[0]
	}
	if b.unary && b.max == 1 && x.kind == nList && len(x.kids) > 1 && b.name != "scalar" && b.name != "undef" {
		p.err(n.off, "Too many arguments for "+b.name, "")
	}
	switch b.name {
	case "push", "unshift", "splice", "pop", "shift":
		if !isArray(x) {
			p.err(x.off, "the first argument of "+b.name+" must be an array", "write @name")
		}
		n.kids[0] = x
	case "keys", "values", "each":
		if !isArray(x) && !isHash(x) {
			p.err(x.off, "the argument of "+b.name+" must be a hash or an array", "write %name")
		}
		n.kids[0] = x
	case "delete", "exists":
		n.kids[0] = x
		switch x.kind {
		case nIndex, nKey:
		case nSlice, nKeySlice:
			if b.name == "exists" {
				p.err(x.off, "exists argument is not a HASH or ARRAY element", "write exists $hash{key}")
			}
		default:
			p.err(x.off, b.name+" argument is not a HASH or ARRAY element or slice", "write "+b.name+" $hash{key}")
		}
	case "chomp", "chop", "undef":
		if b.name != "undef" {
			break
		}
		n.kids[0] = x
		if !assignable(x) {
			p.err(x.off, "Can't modify this in undef operator", "")
		}
	}
}

func isArray(n *node) bool {
	if n.kind == nMy && !n.paren {
		n = n.kids[0]
	}
	return (n.kind == nVar || n.kind == nDeref) && n.sigil == '@'
}

func isHash(n *node) bool {
	if n.kind == nMy && !n.paren {
		n = n.kids[0]
	}
	return (n.kind == nVar || n.kind == nDeref) && n.sigil == '%'
}

// definedSub reads defined &name, which is known when the rule is loaded.
func (p *parser) definedSub(n *node) *node {
	m := p.mark()
	open := p.accept(true, "(")
	t := *p.peek(true)
	if t.kind != tVar || t.text != "&" {
		p.reset(m)
		return nil
	}
	p.take()
	if called := p.isOp(false, "("); called || open && !p.isOp(false, ")") { // its value, or more than the sub
		p.reset(m)
		return nil
	}
	if open {
		p.take()
	}
	n.name = "defined" // a sub that exists is defined: there are no forward declarations
	c := p.ampCall(token{kind: tVar, text: "&", name: t.name, off: t.off, end: t.end})
	n.kids, n.end = p.list(c), p.tokEnd()
	return n
}

// print reads print, printf and say: perl takes a ( directly behind them for the whole argument list.
func (p *parser) print(t token) *node {
	n := p.node(node{kind: nPrint, name: t.text, off: t.off, end: t.end, val: String("STDOUT")})
	open := *p.peek(true)
	paren := open.kind == tOp && open.text == "("
	if paren {
		p.take()
	}
	u := *p.peek(true)
	if u.kind == tOp && u.text == "{" {
		p.fail(u.off, "print to a file handle is not available in algorithms", "print writes to the log")
	}
	if u.kind == tIdent && (u.text == "STDOUT" || u.text == "STDERR") {
		p.take()
		n.val = String(u.text)
	} else if u.kind == tIdent && isHandle(u.text) && !p.fatComma(u.end) && p.lexer.at(p.peekAfter(u.end)) != '(' && p.lexer.at(p.peekAfter(u.end)) != ',' {
		p.fail(u.off, "the file handle "+u.text+" is not available in algorithms", "print writes to the log")
	}
	if paren {
		l := p.listUntil(")", open.off)
		n.kids, n.end = l.kids, l.end
	} else if p.startsTerm() {
		x := p.comma()
		n.kids, n.end = items(x), x.end
	}
	if len(n.kids) == 0 {
		if n.name == "printf" {
			return n
		}
		n.kids = []*node{{kind: nVar, sigil: '$', name: "_", off: n.off, end: n.end}}
	}
	return n
}

func isHandle(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'a' && s[i] <= 'z' {
			return false
		}
	}
	return true
}

// blockCall reads map, grep and the functions of List::Util that take a block.
func (p *parser) blockCall(t token, name string) *node {
	n := p.node(node{kind: nMap, name: name, off: t.off})
	open := *p.peek(true)
	paren := open.kind == tOp && open.text == "("
	if paren {
		p.take()
	}
	u := *p.peek(true)
	isSub := u.kind == tIdent && u.text == "sub"
	switch {
	case u.kind == tOp && u.text == "{":
		n.kids = append(n.kids, p.mapBlock(u))
	case name == "map" || name == "grep":
		if paren && p.isOp(true, ")") {
			p.syntax(p.peek(true), "")
		}
		n.kids = append(n.kids, p.assign())
		if end := p.peek(false); end.kind == tEOF || end.kind == tOp && (end.text == ";" || end.text == ")" || end.text == "}" || end.text == "]") {
			if paren {
				n.end = p.expect(")", open.off)
			}
			return n // no list, no values
		}
		if !p.isComma() {
			p.syntax(p.peek(false), name+" EXPRESSION needs a comma before its list")
		}
		p.take()
	case isSub:
		p.take()
		s := p.subBody()
		n.kids = append(n.kids, s.body)
		if p.isComma() {
			p.take()
		}
	default:
		p.syntax(&u, "a { block } belongs behind "+t.text)
	}
	if paren {
		l := p.listUntil(")", open.off)
		n.kids, n.end = append(n.kids, l.kids...), l.end
		return n
	}
	if p.startsTerm() {
		x := p.comma()
		n.kids, n.end = append(n.kids, items(x)...), x.end
		return n
	}
	n.end = p.tokEnd()
	return n
}

// mapBlock reads the { of map: a block, or a hash reference if a comma follows its end.
func (p *parser) mapBlock(open token) *node {
	var n *node
	if p.noHash[open.off] { // found out before, within something that was read twice
		return p.mapBody(open)
	}
	if p.looksLikeHash(open.off) || p.lexer.at(p.peekAfter(open.end)) == '}' {
		if p.try(func() bool {
			n = p.term()
			return p.accept(false, ",")
		}) {
			return n
		}
		if p.noHash == nil {
			p.noHash = map[int]bool{}
		}
		p.noHash[open.off] = true
	}
	return p.mapBody(open)
}

// mapBody reads it as a block.
func (p *parser) mapBody(open token) *node {
	if i := p.peekAfter(open.end); p.lexer.at(i) == '{' { // directly behind map {, another { is a hash reference
		p.hashAt = i + 1
	}
	b := p.block()
	if p.isOp(true, ",") {
		p.syntax(p.peek(true), "no comma stands behind the block of map and grep; a hash reference is written +{ ... }")
	}
	return b
}

// sortCall reads sort with a block, a sub's name, a variable holding a sub, or nothing before its list.
func (p *parser) sortCall(t token) *node {
	n := p.node(node{kind: nSort, off: t.off, kids: p.list(nil)})
	open := *p.peek(true)
	paren := open.kind == tOp && open.text == "("
	if paren {
		p.take()
	}
	u := *p.peek(true)
	switch {
	case u.kind == tOp && u.text == "{":
		n.kids[0] = p.block()
		p.accept(true, ",")
	case u.kind == tIdent && p.sortSub(u):
		p.take()
		n.kids[0] = p.node(node{kind: nCall, name: u.text, off: u.off, end: u.end})
	case u.kind == tVar && u.text == "$" && p.sortVar(u):
		p.take()
		n.kids[0] = p.special(p.newVar(u, '$'))
	}
	if paren {
		l := p.listUntil(")", open.off)
		n.kids, n.end = append(n.kids, l.kids...), l.end
		return n
	}
	n.end = p.tokEnd()
	if p.startsTerm() {
		x := p.comma()
		n.kids, n.end = append(n.kids, items(x)...), x.end
	}
	return n
}

// sortSub sees sort NAME LIST: a word that is no function of perl's and is followed by a term.
func (p *parser) sortSub(u token) bool {
	if p.isFunction(u.text) && !p.subs[u.text] {
		return false
	}
	c := p.lexer.at(p.peekAfter(u.end))
	return c == '@' || c == '$' || isWord(c) || c == '"' || c == '\''
}

// sortVar sees sort $by LIST.
func (p *parser) sortVar(u token) bool {
	c := p.lexer.at(p.peekAfter(u.end))
	return c == '@' || c == '$' || isWord(c) && p.lexer.at(u.end) == ' ' && !p.operatorAt(p.peekAfter(u.end)) || c == '(' && p.lexer.at(u.end) == ' '
}

func (p *parser) operatorAt(i int) bool {
	j := i
	for isWord(p.lexer.at(j)) {
		j++
	}
	return isOperatorWord(p.src[i:j])
}

// isFunction tells whether a word is a function of perl's or of the host.
func (p *parser) isFunction(name string) bool {
	if _, ok := p.host(name); ok || p.subs[name] || builtinFor(name) != nil || blockFunction(name) != "" {
		return true
	}
	switch name {
	case "map", "grep", "sort", "print", "printf", "say", "return", "do", "eval", "my", "our", "local", "wantarray", "sub", "qw", "not":
		return true
	}
	_, refused := refusedFunctions(name)
	return refused
}
