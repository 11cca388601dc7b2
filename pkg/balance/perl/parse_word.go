package perl

import "strings"

// word reads a term that begins with an identifier.
func (p *parser) word(t token) *node {
	if p.fatComma(t.end) {
		p.take()
		return p.node(node{kind: nConst, off: t.off, end: t.end, val: String(t.text)})
	}
	p.take()
	name := strings.TrimPrefix(strings.TrimPrefix(t.text, "main::"), "CORE::")
	switch name {
	case "my", "our", "state", "local":
		return p.declaration(t)
	case "not":
		return p.notCall(t)
	case "do":
		return p.doBlock(t)
	case "eval":
		return p.evalBlock(t)
	case "sub":
		s := p.subBody()
		return p.node(node{kind: nAnonSub, off: t.off, end: p.pos, sub: s})
	case "return":
		n := p.node(node{kind: nReturn, off: t.off, end: t.end})
		if p.startsTerm() {
			x := p.comma()
			n.kids, n.end = p.list(x), x.end
		}
		return n
	case "next", "last":
		n := p.node(node{kind: nNext, off: t.off, end: t.end})
		if name == "last" {
			n.kind = nLast
		}
		if u := *p.peek(false); u.kind == tIdent && !isOperatorWord(u.text) {
			p.take()
			n.name, n.end = u.text, u.end
		}
		return n
	case "wantarray":
		p.emptyParens()
		return p.node(node{kind: nWantarray, off: t.off, end: p.tokEnd()})
	case "print", "printf", "say":
		return p.print(t)
	case "sort":
		return p.sortCall(t)
	case "map", "grep":
		return p.blockCall(t, name)
	case "qw":
	case "__LINE__":
		return p.node(node{kind: nConst, off: t.off, end: t.end, val: Int(int64(p.source.at.Line + p.source.line(t.off)))})
	case "__FILE__":
		return p.node(node{kind: nConst, off: t.off, end: t.end, val: String(p.source.at.File)})
	case "__PACKAGE__":
		return p.node(node{kind: nConst, off: t.off, end: t.end, val: String("main")})
	case "and", "or", "xor", "if", "unless", "while", "until", "foreach", "for", "x", "cmp", "eq", "ne", "lt", "gt", "le", "ge",
		"elsif", "else", "elseif":
		hint := "a value is missing before " + t.text
		if t.text == "if" && strings.HasSuffix(strings.TrimRight(p.src[:t.off], " \t\r\n"), "else") {
			hint = "write elsif"
		}
		p.syntax(&t, hint)
	}
	return p.call(t, name)
}

func isOperatorWord(s string) bool {
	switch s {
	case "and", "or", "xor", "not", "if", "unless", "while", "until", "foreach", "for", "x", "cmp", "eq", "ne", "lt", "gt", "le", "ge":
		return true
	}
	return false
}

// call reads the call of a host function, a user's sub or a built-in.
func (p *parser) call(t token, name string) *node {
	if full, ok := p.imports[name]; ok && full != "our" {
		name = full
	}
	if _, host := p.host(name); host || p.subs[name] {
		return p.subCall(t, name)
	}
	if bf := blockFunction(name); bf != "" {
		return p.blockCall(t, bf)
	}
	if b := builtinFor(name); b != nil {
		return p.builtinCall(t, b)
	}
	if hint, refused := refusedFunctions(name); refused {
		what := "the function " + name
		p.refuse(t.off, what, hint)
		if p.isOp(true, "(") || p.startsTerm() {
			return p.args(p.node(node{kind: nFunc, name: "refused", off: t.off, end: t.end}))
		}
		return p.node(node{kind: nConst, off: t.off, end: t.end})
	}
	next := p.peek(false)
	switch {
	case next.kind == tOp && next.text == "(":
		return p.args(p.node(node{kind: nCall, name: name, off: t.off, end: t.end}))
	case next.kind == tOp && next.text == "->":
		p.fail(next.off, "the method call "+t.text+"-> is not available in algorithms", noMethods)
	case strings.HasSuffix(name, "::"):
		name = strings.TrimSuffix(name, "::")
	}
	return p.node(node{kind: nWord, off: t.off, end: t.end, name: name, must: p.strict})
}

// subCall reads a call of a known sub, which needs no parentheses.
func (p *parser) subCall(t token, name string) *node {
	return p.args(p.node(node{kind: nCall, name: name, off: t.off, end: t.end}))
}

// args reads (...) or an open list behind a function's name.
func (p *parser) args(n *node) *node {
	if t := *p.peek(true); t.kind == tOp && t.text == "(" {
		p.take()
		return p.callArgs(n, t)
	}
	if p.startsTerm() {
		x := p.comma()
		n.kids = append(n.kids, items(x)...)
		n.end = x.end
	}
	return n
}

// callArgs reads the arguments up to the closing parenthesis.
func (p *parser) callArgs(n *node, open token) *node {
	l := p.listUntil(")", open.off)
	if len(n.kids) == 0 {
		n.kids = l.kids
	} else {
		n.kids = append(n.kids, l.kids...)
	}
	n.end = l.end
	n.paren = n.kind == nCall || n.kind == nFunc
	return n
}

// items gives the items of a list without parentheses, or the one expression.
func items(x *node) []*node {
	if x.kind == nList && !x.paren && x.name != "qw" {
		return x.kids
	}
	return []*node{x}
}

// startsTerm tells whether a list operator has arguments.
func (p *parser) startsTerm() bool {
	t := p.peek(true)
	switch t.kind {
	case tNum, tQuote, tVar, tCast:
		return true
	case tIdent:
		return !isOperatorWord(t.text) || t.text == "not" || p.fatComma(t.end)
	case tOp:
		switch t.text {
		case "(", "[", "{", "\\", "-", "+", "!", "~", "++", "--":
			return true
		}
	}
	return false
}

func (p *parser) emptyParens() {
	if p.isOp(false, "(") && p.lexer.at(p.peekAfter(p.tok.end)) == ')' {
		p.take()
		p.peek(true)
		p.take()
	}
}

// ampCall reads &name and &name(...).
func (p *parser) ampCall(t token) *node {
	n := p.node(node{kind: nCall, name: strings.TrimPrefix(t.name, "::"), sigil: '&', off: t.off, end: t.end})
	if strings.HasPrefix(n.name, "CORE::") {
		p.refuse(t.off, "&"+n.name, "call the function by its name")
	}
	if u := *p.peek(false); u.kind == tOp && u.text == "(" {
		p.take()
		return p.callArgs(n, u)
	}
	n.post = true // without parentheses the caller's @_ is handed on
	return n
}

func (p *parser) notCall(t token) *node {
	if p.isOp(true, "(") {
		open := p.take()
		l := p.listUntil(")", open.off)
		x := p.parens(l, open)
		return p.node(node{kind: nNot, off: t.off, end: p.pos, name: "not", kids: p.list(x)})
	}
	x := p.comma()
	return p.node(node{kind: nNot, off: t.off, end: x.end, name: "not", kids: p.list(x)})
}

func (p *parser) doBlock(t token) *node {
	if !p.isOp(true, "{") {
		p.fail(t.off, "do FILE is not available in algorithms", "do { ... } is")
	}
	b := p.block()
	return p.node(node{kind: nDo, off: t.off, end: b.end, kids: p.list(b)})
}

func (p *parser) evalBlock(t token) *node {
	if !p.isOp(true, "{") {
		p.fail(t.off, "eval of a string is not available in algorithms", "eval { ... } is")
	}
	b := p.block()
	return p.node(node{kind: nEval, off: t.off, end: b.end, kids: p.list(b)})
}

// declaration reads my, our, state and local.
func (p *parser) declaration(t token) *node {
	if t.text == "local" {
		x := p.unary()
		ok := x.kind == nVar && x.sigil == '$' && (x.name == "_" || x.name == "," || x.name == "\\" || x.name == "\"" || x.name == "@")
		if !ok {
			p.fail(t.off, "local is not available in algorithms but for $_ $, $\\ and $\"", "use my for variables of a block")
		}
		return p.node(node{kind: nLocal, off: t.off, end: x.end, kids: p.list(x)})
	}
	n := p.node(node{kind: nMy, off: t.off, end: t.end, name: t.text})
	var one func()
	one = func() {
		v := *p.peek(true)
		if n.paren && v.kind == tOp && v.text == "(" { // a list in the list is flattened
			p.enter(v.off)
			p.take()
			for !p.isOp(true, ")") {
				if one(); !p.accept(false, ",") {
					break
				}
			}
			p.expect(")", v.off)
			p.leave()
			return
		}
		if v.kind == tIdent && v.text == "undef" && n.paren {
			p.take()
			n.kids = append(n.kids, p.node(node{kind: nFunc, name: "undef", off: v.off, end: v.end}))
			return
		}
		if v.kind != tVar || v.text == "&" || v.text == "$#" {
			p.syntax(&v, "a variable belongs behind "+t.text)
		}
		p.take()
		if !isLetter(v.name[0]) || strings.Contains(v.name, "::") || v.name == "_" && t.text != "our" {
			p.fail(v.off, "Can't use global "+v.text+strings.TrimPrefix(v.name, "::")+" in \""+t.text+"\"", "")
		}
		n.kids = append(n.kids, p.node(node{kind: nVar, sigil: v.text[0], name: v.name, off: v.off, end: v.end}))
	}
	if !p.isOp(true, "(") {
		if u := *p.peek(true); u.kind == tIdent {
			p.fail(u.off, "a typed declaration is not available in algorithms: syntax error", "write my $x, or sub NAME { ... }")
		}
		one()
		n.end = p.pos
		return n
	}
	open := p.take()
	n.paren = true
	n.kids = make([]*node, 0, 9)
	for !p.isOp(true, ")") {
		one()
		if !p.isComma() {
			break
		}
		p.take()
	}
	n.end = p.expect(")", open.off)
	return n
}

// special turns $1 and its kin into captures, and refuses the variables that reach outside.
func (p *parser) special(n *node) *node {
	name := n.name
	if isLetter(name[0]) || name[0] == ':' {
		switch strings.TrimPrefix(name, "::") {
		case "ENV", "SIG", "INC", "ARGV", "F":
			if what := string(n.sigil) + strings.TrimPrefix(name, "::"); what != "$SIG" && what != "$INC" && what != "$F" && what != "%F" && what != "@ENV" && what != "@SIG" {
				p.refuse(n.off, "the variable "+string(n.sigil)+name, refusedVariable(name))
			}
		}
		return n
	}
	if n.sigil == '@' || n.sigil == '%' {
		if name == "!" || name != "-" && name != "+" {
			p.refuse(n.off, "the variable "+string(n.sigil)+name, refusedVariable(name))
		}
		return n
	}
	if isDigit(name[0]) && name != "0" || name == "&" || name == "`" || name == "'" || name == "+" {
		n.kind = nCapture
		return n
	}
	switch name {
	case "@", ",", "\\", "\"", ";", "0", "$", "]", "|":
		return n
	}
	p.refuse(n.off, "the variable $"+name, refusedVariable(name))
	return n
}
