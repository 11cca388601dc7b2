package perl

// maxErrors is how many errors of one rule are told.
const maxErrors = 50

// attempt parses one piece. If it is broken, the error has been reported, and attempt leads behind it: skip finds the place
// from which reading can go on, or -1 if there is none.
func (p *parser) attempt(f func() *node, skip func(start, seen int) int) (n *node) {
	p.drop()
	start, end, depth, strict, warns := p.pos, p.end, p.depth, p.strict, p.warns
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(abort); !ok || p.trying > 0 || p.given {
			panic(r)
		}
		p.broken = true
		seen := p.pos
		if p.have {
			seen = p.tokStart
		}
		p.end, p.depth, p.strict, p.warns, p.have = end, depth, strict, warns, false
		to := skip(start, min(seen, end))
		if to < 0 {
			panic(r)
		}
		p.pos, n = to, nil
	}()
	return f()
}

// oneStatement reads a statement; behind a broken one reading goes on at the next.
func (p *parser) oneStatement() *node {
	return p.attempt(func() *node {
		n := p.statement()
		if n != nil {
			n.warn = p.warns
		}
		return n
	}, func(start, seen int) int {
		return max(p.scan(start, seen, false), min(start+1, p.end))
	})
}

// scan reads tokens from start on, without asking what they mean. It gives the end of the statement that holds seen,
// or with head the { behind it that begins a block, and -1 where the statement ends before one.
func (p *parser) scan(start, seen int, head bool) int {
	l := &lexer{src: p.src, pos: start, end: p.end, docs: p.docs, here: p.here}
	l.err = func(int, string, string) {}
	l.fail = func(int, string, string) { panic(abort{}) }
	at := -1
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(abort); !ok {
					panic(r)
				}
			}
		}()
		at = l.statementEnd(seen, head)
	}()
	switch {
	case at >= 0:
		return at
	case head:
		return -1
	}
	return p.end
}

func (l *lexer) statementEnd(seen int, head bool) int {
	b := braces{term: true, open: []bool{}}
	for {
		t := l.guess(b.term)
		if t.kind == tEOF {
			return -1
		}
		if t.kind == tOp && t.off >= seen {
			switch {
			case t.text == "{" && head && !b.subscript() && len(b.open) == 0:
				return t.off
			case t.text == ";" && len(b.open) == 0 && (b.parens == 0 || !l.closes()):
				if head {
					return -1
				}
				return t.end
			}
		}
		if t.kind == tOp && t.text == "}" {
			if len(b.open) == 0 {
				if head {
					return -1
				}
				return t.off
			}
			if len(b.open) == 1 && !b.open[0] && t.off >= seen && !head && !l.goesOn(t.end) {
				return t.end
			}
		}
		b.next(t)
	}
}

// closes tells whether a ) follows before the line ends, so that the ; before it is one of a loop's head.
func (l *lexer) closes() bool {
	for i := l.pos; i < l.end && l.src[i] != '\n' && l.src[i] != '{'; i++ {
		if l.src[i] == ')' {
			return true
		}
	}
	return false
}

// goesOn tells whether the statement whose block ends before i has a further part.
func (l *lexer) goesOn(i int) bool {
	for i < l.end && isSpace(l.src[i]) {
		i++
	}
	j := i
	for j < l.end && isWord(l.src[j]) {
		j++
	}
	switch l.src[i:j] {
	case "else", "elsif", "elseif", "elif", "continue":
		return true
	}
	c := l.at(i)
	return c == ')' || c == ',' || c == ';'
}

// braces tells blocks from subscripts, and where a term may stand, for readers that do not parse.
type braces struct {
	open   []bool // of the open braces: whether it is a subscript's
	parens int
	term   bool
	last   token
}

// subscript tells whether a { at hand would be one of a subscript.
func (b *braces) subscript() bool {
	if b.last.kind == tOp && b.last.text == "->" {
		return true
	}
	if b.term {
		return false
	}
	switch b.last.kind {
	case tNum, tQuote, tIdent:
		return false
	case tOp:
		return b.last.text != ")"
	}
	return true
}

func (b *braces) next(t token) {
	switch {
	case t.kind == tOp && t.text == "{":
		b.open = append(b.open, b.subscript())
		b.term = true
	case t.kind == tOp && t.text == "}":
		b.term = true
		if n := len(b.open) - 1; n >= 0 {
			b.term = !b.open[n]
			b.open = b.open[:n]
		}
	case t.kind == tOp:
		switch t.text {
		case "(":
			b.parens++
		case ")":
			b.parens = max(b.parens-1, 0)
		}
		step := t.text == "++" || t.text == "--"
		b.term = t.text != ")" && t.text != "]" && !step || step && b.term
	case t.kind == tIdent:
		b.term = takesTerm(t.text)
	default:
		b.term = t.kind == tCast
	}
	b.last = t
}
