package perl

import "strings"

// Package variables with a fixed place.
const (
	gTopic   = iota // $_
	gA              // $a
	gB              // $b
	gErr            // $@
	gComma          // $,
	gLine           // $\
	gSpace          // $"
	gSubsep         // $;
	gName           // $0
	gPid            // $$
	gVersion        // $]
	gFlush          // $|
	gFixed
)

var fixedGlobals = [gFixed]string{"_", "a", "b", "@", ",", "\\", "\"", ";", "0", "$", "]", "|"}

// resolver turns names into slots: lexical variables into places of a frame,
// package variables into places of the program's tables.
type resolver struct {
	p       *parser
	sub     *subInfo
	visible []*symbol
	symbols []symbol          // cut from larger pieces
	pending []*symbol         // declared in the statement at hand; visible from the next
	globals [3]map[string]int // package variables that are no fixed ones; made when there are some
	count   [3]int            // slots for them
	subs    map[string]*node  // named subs
	all     []*subInfo
	states  int
	inEval  int

	top      *node            // the statement of the main program at hand
	texts    map[any]*textUse // by *symbol, or by the slot of a package variable
	leaves   bool             // a next or last may leave a sub for a loop of its caller
	usesRefs bool             // a reference or a closure may keep a variable alive
	random   bool
	output   bool
}

func newResolver(p *parser) *resolver {
	return &resolver{p: p, count: [3]int{gFixed, 0, 0}}
}

// program resolves the whole tree.
func (r *resolver) program(root *node) *subInfo {
	r.sub = &subInfo{name: "main", body: root}
	r.all = []*subInfo{r.sub}
	if r.p.named {
		r.hoist(root)
	}
	for _, s := range root.kids {
		r.top = s
		r.walk(s)
		r.introduce()
	}
	r.symbolic()
	return r.sub
}

// hoist collects the named subs, which may be called before their definition.
func (r *resolver) hoist(n *node) {
	if n.kind == nSub {
		if r.subs == nil {
			r.subs = map[string]*node{}
		}
		r.subs[n.name] = n
	}
	if n.sub != nil {
		r.hoist(n.sub.body)
	}
	n.each(r.hoist)
}

func (r *resolver) statements(list []*node) {
	for _, s := range list {
		r.walk(s)
		r.introduce()
	}
}

func (r *resolver) introduce() {
	r.visible = append(r.visible, r.pending...)
	r.pending = r.pending[:0]
}

// scope runs f; what it declares ends with it.
func (r *resolver) scope(f func()) {
	outer := r.pending
	r.pending = nil
	mark := len(r.visible)
	f()
	r.visible = r.visible[:mark]
	r.pending = outer
}

func (r *resolver) walk(n *node) {
	if n == nil {
		return
	}
	switch n.kind {
	case nBlock:
		r.scope(func() { r.statements(n.kids) })
		return
	case nIf:
		if n.post {
			break
		}
		r.scope(func() {
			for _, k := range n.kids {
				r.walk(k)
				r.introduce()
			}
		})
		return
	case nWhile:
		if n.post {
			break
		}
		r.scope(func() {
			for _, k := range n.kids {
				r.walk(k)
				r.introduce()
			}
		})
		return
	case nFor:
		r.scope(func() {
			for _, k := range n.kids {
				r.walk(k)
				r.introduce()
			}
		})
		return
	case nForeach:
		r.foreach(n)
		return
	case nMap, nSort:
		for _, k := range n.kids {
			if k != nil && k.kind == nBlock {
				k.post = true
			}
		}
	case nSub:
		r.enterSub(n.sub)
		return
	case nAnonSub:
		r.usesRefs = true
		r.enterSub(n.sub)
		return
	case nMy:
		r.declare(n)
		return
	case nVar:
		r.variable(n)
		r.use(n)
		return
	case nAssign:
		n.each(r.walk)
		r.assignsText(n)
		return
	case nCapture, nMatch, nSubst:
		r.sub.matches = true
	case nRef:
		r.usesRefs = true
	case nAnonArray, nAnonHash:
		r.usesRefs = true
	case nDeref, nDynCall:
		r.usesRefs = true
		n.each(r.walk)
		r.dereferences(n)
		return
	case nCall:
		r.call(n)
	case nWord:
		if n.must {
			r.p.err(n.off, "Bareword \""+n.name+"\" not allowed while \"strict subs\" in use", "a text needs quotes, a variable its $")
		}
	case nPrint:
		r.output = true
	case nFunc:
		if x := n.kids; (n.name == "defined" || n.name == "exists") && len(x) == 1 && x[0].kind == nCall && x[0].post {
			return // it only asks
		}
		switch n.name {
		case "rand", "srand", "List::Util::shuffle":
			r.random = true
		case "warn":
			r.output = true
		case "split":
			r.sub.matches = true
		}
	case nEval:
		r.inEval++
		n.each(r.walk)
		r.inEval--
		return
	case nIndex, nKey:
		if n.kids[0].kind == nVar && (n.kids[0].name == "+" || n.kids[0].name == "-") {
			r.sub.matches = true
		}
	}
	n.each(r.walk)
}

func (r *resolver) foreach(n *node) {
	r.scope(func() {
		r.walk(n.kids[1])
		r.introduce()
		if v := n.kids[0]; v != nil {
			r.walk(v)
			r.introduce()
			if v.kind == nMy {
				v = v.kids[0]
			}
			if v.sym != nil {
				v.sym.loop = true
			}
		}
		r.walk(n.kids[2])
		r.introduce()
		r.walk(n.kids[3])
	})
}

func (r *resolver) enterSub(s *subInfo) {
	s.outer = r.sub
	s.index = len(r.all)
	r.all = append(r.all, s)
	outer, pending := r.sub, r.pending
	r.sub, r.pending = s, nil
	r.leaves = r.leaves || leavesLoop(s.body, nil, false)
	r.walk(s.body)
	r.sub, r.pending = outer, pending
}

// declare makes the symbols of my, our and state.
func (r *resolver) declare(n *node) {
	if r.pending == nil {
		r.pending = make([]*symbol, 0, len(n.kids))
	}
	for _, k := range n.kids {
		if k.kind != nVar {
			continue
		}
		if len(r.symbols) == cap(r.symbols) {
			r.symbols = make([]symbol, 0, max(len(n.kids), 4))
		}
		r.symbols = append(r.symbols, symbol{sigil: k.sigil, name: k.name, owner: r.sub})
		s := &r.symbols[len(r.symbols)-1]
		switch n.name {
		case "our":
			k.global, k.slot = true, r.global(k.sigil, k.name)
			s.owner, s.slot = nil, k.slot
		case "state":
			r.states++
			k.global, k.slot = true, r.global(k.sigil, k.name+" state "+string(rune('0'+r.states)))
			s.owner, s.slot = nil, k.slot
		default:
			kind := slotKind(k.sigil)
			s.slot = r.sub.slots[kind]
			r.sub.slots[kind]++
			k.slot = s.slot
		}
		k.sym = s
		r.pending = append(r.pending, s)
	}
}

func (r *resolver) global(sigil byte, name string) int {
	kind := slotKind(sigil)
	if kind == 0 && len(name) == 1 {
		for i, fixed := range fixedGlobals {
			if fixed == name {
				return i
			}
		}
	}
	i, ok := r.globals[kind][name]
	if !ok {
		if r.globals[kind] == nil {
			r.globals[kind] = map[string]int{}
		}
		i = r.count[kind]
		r.globals[kind][name] = i
		r.count[kind]++
	}
	return i
}

func (r *resolver) variable(n *node) {
	if n.sigil == '&' {
		return
	}
	if n.sigil == '@' && n.name == "_" {
		return // the arguments of the sub
	}
	if isLetter(n.name[0]) && n.name != "_" {
		for i := len(r.visible) - 1; i >= 0; i-- {
			s := r.visible[i]
			if s.sigil != n.sigil || s.name != n.name {
				continue
			}
			n.sym = s
			if s.owner == nil {
				n.global, n.slot = true, s.slot
			} else {
				n.slot = r.slotOf(r.sub, s)
			}
			return
		}
		name := ""
		if n.must {
			name = string(n.sigil) + n.name
		}
		if _, ok := r.p.imports[name]; n.must && !ok && !r.p.broken && !strings.Contains(n.name, "::") && name != "$a" && name != "$b" {
			r.p.err(n.off, "Global symbol \""+name+"\" requires explicit package name (did you forget to declare \"my "+name+"\"?)", "")
		}
	}
	n.global, n.slot = true, r.global(n.sigil, strings.TrimPrefix(n.name, "::"))
}

// slotOf is the place of a symbol in a sub's frame; what belongs to an outer sub is captured on the way.
func (r *resolver) slotOf(s *subInfo, sym *symbol) int {
	if sym.owner == s {
		return sym.slot
	}
	for _, c := range s.captures {
		if c.sym == sym {
			return c.inner
		}
	}
	sym.captured = true
	outer := r.slotOf(s.outer, sym)
	kind := slotKind(sym.sigil)
	c := capture{kind: kind, outer: outer, inner: s.slots[kind], sym: sym}
	s.slots[kind]++
	s.captures = append(s.captures, c)
	if s.outer.outer != nil {
		r.usesRefs = true // a sub within a sub: its frame must not be used again
	}
	return c.inner
}

// call checks that the function exists, and lets the host look at its literal arguments.
func (r *resolver) call(n *node) {
	if _, ok := r.subs[n.name]; ok {
		n.global = true
		return
	}
	i, ok := r.p.host(n.name)
	if !ok {
		if r.p.broken && strings.Contains(r.p.src, "sub "+n.name) {
			return // it may be defined in what could not be read
		}
		hint := "the balancer's functions are " + strings.Join(r.p.hostNames(), ", ")
		r.p.err(n.off, "Undefined subroutine &main::"+n.name+" called", hint)
		return
	}
	f := &r.p.funcs[i]
	if spread(n) {
		return
	}
	sev := Error
	if r.inEval > 0 {
		sev = Warning
	}
	if len(n.kids) < f.Min || f.Max >= 0 && len(n.kids) > f.Max {
		what := "Not enough arguments for "
		if len(n.kids) > f.Min {
			what = "Too many arguments for "
		}
		r.p.report(sev, "", n.off, what+f.Name, "")
		return
	}
	if f.Check == nil {
		return
	}
	literals := make([]Value, len(n.kids))
	for i, k := range n.kids {
		if k.kind == nConst {
			literals[i] = k.val
		}
	}
	if text := f.Check(literals); text != "" {
		off := n.off
		if len(n.kids) > 0 {
			off = n.kids[0].off
		}
		r.p.report(sev, "", off, text, "")
	}
}
