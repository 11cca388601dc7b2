package perl

import (
	"fmt"
	"strings"
)

// The bounds of a rule's source.
const (
	maxNesting  = 200       // brackets and operators within each other, which bounds the parser's own recursion
	maxHeight   = 2_000     // of a tree: a + b + c + ... is as deep as it is long
	maxSource   = 256 << 10 // bytes
	maxWarnings = 200
	maxReads    = 2_000_000 // tokens looked at; each of the longest source twice, and some again
	maxWork     = 500_000   // closures made: what is nested in an evil way is compiled again and again
)

type parser struct {
	lexer
	arena
	source   *source
	diags    []Diagnostic
	errors   int
	warnings int
	tok      token
	have     bool
	tokTerm  bool
	tokStart int
	depth    int
	funcs    []Func
	subs     map[string]bool // subs defined so far; made when there is one
	imports  map[string]string
	strict   bool
	warns    bool
	hashAt   int          // just behind a { that begins a hash reference, where a statement could stand
	warned   bool         // use warnings was met
	noHash   map[int]bool // the { of map that begin a block, though they look like a hash reference
	reads    int          // tokens looked at
	trying   int          // within try: an error is only an answer
	broken   bool         // a piece could not be read: what the rest says of names is not to be trusted
	given    bool         // too many errors: give up
	unclosed bool         // a bracket is open at the end
	named    bool         // there are named subs
}

// host finds a host function.
func (p *parser) host(name string) (int, bool) {
	for i := range p.funcs {
		if p.funcs[i].Name == name {
			return i, true
		}
	}
	return 0, false
}

// nodes and lists are cut from larger pieces: a rule has many of them, and they live as long as each other. The first
// piece is as large as the source lets expect.
type arena struct {
	nodes  []node
	kids   []*node
	expect int // nodes
}

// bytesPerNode is how much source makes a node; half of the rules that people write have more.
const bytesPerNode = 4

func (a *arena) node(n node) *node {
	if len(a.nodes) == cap(a.nodes) {
		a.nodes = make([]node, 0, max(a.expect, 8))
		a.expect = min(max(a.expect/4, 8), 64)
	}
	a.nodes = append(a.nodes, n)
	return &a.nodes[len(a.nodes)-1]
}

// list makes the kids of a node; who appends to them gets a copy.
func (a *arena) list(kids ...*node) []*node {
	if len(a.kids)+len(kids) > cap(a.kids) {
		a.kids = make([]*node, 0, min(a.expect, 64)+8+len(kids))
	}
	from := len(a.kids)
	a.kids = append(a.kids, kids...)
	return a.kids[from:len(a.kids):len(a.kids)]
}

// abort ends the parse after its diagnostic was written.
type abort struct{}

func newParser(src *source, funcs []Func) *parser {
	p := &parser{source: src, funcs: funcs}
	p.src, p.end = src.text, len(src.text)
	p.arena.expect = min(len(src.text)/bytesPerNode, 256)
	p.err = func(off int, text, hint string) { p.report(Error, "", off, text, hint) }
	p.fail = func(off int, text, hint string) {
		p.report(Error, "", off, text, hint)
		panic(abort{})
	}
	return p
}

func (p *parser) report(sev Severity, code string, off int, text, hint string) {
	if sev == Warning && p.warnings >= maxWarnings {
		return
	}
	d := p.source.diagnostic(sev, off, text, hint)
	d.Code = code
	for _, o := range p.diags {
		if o.Pos == d.Pos && o.Text == d.Text {
			return
		}
	}
	p.diags = append(p.diags, d)
	if sev == Warning {
		p.warnings++
	} else {
		if p.errors++; p.errors >= maxErrors && p.trying == 0 {
			p.given = true
			panic(abort{})
		}
	}
}

// refuse reports a construct of Perl that algorithms do not have. Parsing goes on.
func (p *parser) refuse(off int, what, hint string) {
	p.err(off, what+" is not available in algorithms", hint)
}

// parse reads a whole program.
func (p *parser) parse() (prog *node) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(abort); !ok {
				panic(r)
			}
			prog = nil
		}
	}()
	prog = p.node(node{kind: nBlock, end: p.end})
	for {
		t := p.peek(true)
		if t.kind == tEOF {
			return prog
		}
		if t.kind == tOp && t.text == "}" {
			if !p.broken { // behind an error it may be the end of what was not understood
				p.err(t.off, "Unmatched right curly bracket", "this } closes nothing")
			}
			p.broken = true
			p.take()
			continue
		}
		if s := p.oneStatement(); s != nil {
			prog.kids = append(prog.kids, s)
		}
	}
}

// peek looks at the next token; term tells whether a term may stand here.
func (p *parser) peek(term bool) *token {
	if p.have && p.tokTerm == term {
		return &p.tok
	}
	if p.have {
		p.pos = p.tokStart
	}
	if p.reads++; p.reads > maxReads {
		p.given = p.trying == 0
		p.fail(p.pos, "limit: this algorithm is too involved to be read", "make it shorter, and take apart what is nested")
	}
	p.tokStart = p.pos
	p.read(&p.tok, term)
	p.have, p.tokTerm = true, term
	return &p.tok
}

// take consumes the token that was peeked at last.
func (p *parser) take() token {
	p.have = false
	return p.tok
}

// drop forgets the token that was peeked at, so that the lexer stands before it.
func (p *parser) drop() {
	if p.have {
		p.pos, p.have = p.tokStart, false
	}
}

func (p *parser) isOp(term bool, text string) bool {
	t := p.peek(term)
	return t.kind == tOp && t.text == text
}

// accept takes an operator if it is next.
func (p *parser) accept(term bool, text string) bool {
	if p.isOp(term, text) {
		p.take()
		return true
	}
	return false
}

func (p *parser) isWord(text string) bool {
	t := p.peek(false)
	return t.kind == tIdent && t.text == text
}

// near quotes the source for an error.
func (p *parser) near(t *token) string {
	if t.kind == tEOF {
		return "at the end"
	}
	s := p.src[t.off:min(p.end, t.off+20)]
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	return fmt.Sprintf("near %q", strings.TrimRight(s, "\r "))
}

// syntax reports an unexpected token and ends the parse.
func (p *parser) syntax(t *token, hint string) {
	p.fail(t.off, "syntax error "+p.near(t), hint)
}

// expect takes the closing bracket of what was opened at open.
func (p *parser) expect(text string, open int) int {
	t := p.peek(false)
	if t.kind == tOp && t.text == text {
		return p.take().end
	}
	if h := p.operatorHint(t); h != "" {
		p.syntax(t, h)
	}
	if t.kind == tEOF {
		if p.unclosed { // one is told; the others may be its followers
			panic(abort{})
		}
		p.unclosed = p.trying == 0
	}
	where := p.source.position(open)
	found := p.near(t)
	if t.kind != tEOF {
		at := p.source.position(t.off)
		found += fmt.Sprintf(" in line %d", at.Line)
	}
	opener := p.src[open : open+1]
	phrase := "syntax error"
	if t.kind == tEOF && text != ")" {
		phrase = "Missing right curly or square bracket"
	}
	p.fail(open, fmt.Sprintf("%s: the %s opened in line %d, column %d is not closed: a %s is missing %s",
		phrase, opener, where.Line, where.Col, text, found), "every "+opener+" needs its "+text)
	return 0
}

// operatorHint knows the habits of other languages.
func (p *parser) operatorHint(t *token) string {
	switch {
	case t.kind == tIdent && (t.text == "AND" || t.text == "OR" || t.text == "NOT" || t.text == "XOR"):
		return "operators are written in small letters: " + strings.ToLower(t.text)
	case t.kind == tOp && t.text == "<>":
		return "not equal is written != for numbers and ne for strings"
	case t.kind == tIdent && t.text == "elseif", t.kind == tIdent && t.text == "elif":
		return "write elsif"
	case t.kind == tOp && t.text == "=" && strings.HasPrefix(p.src[t.off:], "=!"):
		return "not equal is written !="
	}
	return ""
}

func (p *parser) enter(off int) {
	if p.depth++; p.depth > maxNesting {
		p.fail(off, fmt.Sprintf("nested too deeply: more than %d levels", maxNesting), "")
	}
}

func (p *parser) leave() { p.depth-- }

// mark and reset let the parser try one reading and take another.
type mark struct {
	pos, depth, diags int
}

func (p *parser) mark() mark {
	p.drop()
	return mark{p.pos, p.depth, len(p.diags)}
}

func (p *parser) reset(m mark) {
	p.have, p.pos, p.depth = false, m.pos, m.depth
	p.diags = p.diags[:m.diags]
}

// try runs f and tells whether it parsed; if not, nothing happened.
func (p *parser) try(f func() bool) (ok bool) {
	m := p.mark()
	p.trying++
	defer func() {
		p.trying--
		if r := recover(); r != nil {
			if _, is := r.(abort); !is {
				panic(r)
			}
			ok = false
		}
		if !ok {
			p.reset(m)
		}
	}()
	return f()
}

func (p *parser) hostNames() []string {
	names := make([]string, len(p.funcs))
	for i, f := range p.funcs {
		names[i] = f.Name
	}
	return names
}

// height is how deep the tree below n is, without its subs, which have their own; -1 if that is too deep. The parser's
// recursion is bounded; this bounds what was read in a loop, for those who walk the tree and for the stack of a run. On the
// way it notes what kinds there are.
func (p *parser) height(n *node) int {
	h, ok, has := 0, true, uint64(1)<<n.kind
	n.each(func(k *node) {
		x := p.height(k)
		ok = ok && x >= 0
		h = max(h, x)
		has |= k.has
	})
	if n.kind == nSub {
		p.named = true
	}
	if n.kind != nSub && n.kind != nAnonSub {
		n.has = has
	}
	if n.sub != nil {
		x := p.height(n.sub.body)
		ok = ok && x >= 0
		n.sub.height = x
	}
	if !ok {
		return -1
	}
	if h >= maxHeight {
		p.err(n.off, fmt.Sprintf("nested too deeply: more than %d operators in one expression", maxHeight), "make it shorter with variables or a loop")
		return -1
	}
	return h + 1
}
