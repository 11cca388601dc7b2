package perl

// The closures that a tree becomes, by what they give.
type (
	scalarFn func(*machine) Value  // one value
	listFn   func(*machine)        // pushes values on the stack
	condFn   func(*machine) bool   // perl's truth
	ptrFn    func(*machine) *Value // a scalar to write to
	arrayFn  func(*machine) *array
	hashFn   func(*machine) *hash
	stmtFn   func(*machine) ctl
)

// ctl tells a block how a statement ended.
type ctl uint8

const (
	ctlNone ctl = iota
	ctlNext
	ctlLast
	ctlReturn
)

// proto is the compiled form of a sub.
type proto struct {
	name     string
	index    int
	slots    [3]int
	captures []capture
	matches  bool
	height   int
	body     stmtFn
	within   *proto // the sub that it stands in, if that is not the main program
}

// code is a sub with the variables that it closes over.
type code struct {
	proto *proto // nil: a host function
	host  int
	s     []*Value
	a     []*array
	h     []*hash
}

// wantCaller is the context that a sub learns only when it is called.
const wantCaller Want = -1

type compiler struct {
	p     *parser
	r     *resolver
	prog  *Program
	sub   *subInfo
	line  int // of the statement at hand, as perl counts
	jumps int // next, last and return met inside expressions
	named map[string]*proto
	memo  map[memoKey]stmtFn
	work  int // closures made
	sizes int // of all patterns

	lastValues map[*node]bool // sorts and ranges that are what a sub gives: it may be called for a list

	lends     lending // what alias does with elements that are not there
	warns     bool    // use warnings is in force
	back      Want    // what a return is to give: inside an eval that one's context
	inPattern bool    // a reference to an array in a pattern must be one
	inPlace   *node   // a sort of an array into itself
	madeLater bool    // an element of the list at hand may be made by a later item
	keepCond  bool    // the loop that comes next ends a block
	tracing   bool    // each comparison and logical operator writes a step
}

func (c *compiler) remember(key memoKey, f stmtFn) {
	if c.memo == nil {
		c.memo = map[memoKey]stmtFn{}
	}
	c.memo[key] = f
}

// count bounds the work of compiling.
func (c *compiler) count() {
	if c.work++; c.work > maxWork {
		c.p.err(0, "limit: this algorithm is too involved to be compiled", "assign step by step instead of within expressions")
		panic(abort{})
	}
}

// lending is for what elements of arrays and hashes are handed out: perl makes those that are missing or not.
type lending uint8

const (
	lendRead lending = iota // a list that is only read
	lendArgs                // the arguments of a sub: slices are made
	lendLoop                // foreach, map and grep: all are made
)

// lend is alias for more than reading.
func (c *compiler) lend(n *node, to lending) listFn {
	old := c.lends
	c.lends = to
	f := c.alias(n)
	c.lends = old
	return f
}

type memoKey struct {
	n    *node
	want Want
}

func compileProgram(p *parser, r *resolver, main *subInfo, tracing bool) (prog *Program) {
	defer func() {
		if x := recover(); x != nil {
			if _, ok := x.(abort); !ok {
				panic(x)
			}
			prog = nil
		}
	}()
	c := &compiler{p: p, r: r, tracing: tracing}
	c.prog = &Program{src: p.source, funcs: p.funcs, usesRefs: r.usesRefs, pure: !r.random && !r.output && !p.warned}
	for _, s := range r.all {
		s.code = &proto{name: s.name, index: s.index, slots: s.slots, captures: s.captures, matches: s.matches, height: s.height}
		if s.outer != nil && s.outer.outer != nil {
			s.code.within = s.outer.code // it comes before s in r.all
		}
		c.prog.protos = append(c.prog.protos, s.code)
	}
	for name, n := range r.subs {
		if c.named == nil {
			c.named = map[string]*proto{}
		}
		c.named[name] = n.sub.code
	}
	for _, s := range r.all {
		if s != main && s.name != "" && c.named[s.name] == s.code {
			c.prog.named = append(c.prog.named, s.code)
		}
	}
	for _, s := range r.all {
		c.compileSub(s)
	}
	c.prog.globals = r.count
	c.prog.main = main.code
	return c.prog
}

func (c *compiler) compileSub(s *subInfo) {
	outer, line, jumps, back := c.sub, c.line, c.jumps, c.back
	c.sub, c.jumps, c.back = s, 0, wantCaller
	s.code.body = localized(s.body, c.block(s.body.kids, wantCaller))
	if c.jumps > 0 {
		s.code.body = guarded(s.code.body)
	}
	c.sub, c.line, c.jumps, c.back = outer, line, jumps, back
}

// at is the place of n, with the line of its statement.
func (c *compiler) at(n *node) site { return site{off: n.off, line: c.line, warn: c.warns} }

// block compiles statements; the last one gives the value where one is wanted.
func (c *compiler) block(list []*node, want Want) stmtFn {
	last := len(list) - 1
	for last >= 0 && list[last].kind == nSub {
		last--
	}
	var fns []stmtFn
	for i, n := range list {
		if n.kind == nSub {
			continue
		}
		line, warns := c.line, c.warns
		c.warns = n.warn
		c.line = c.p.source.at.Line + c.p.source.line(n.off)
		if i == last && want != WantVoid {
			fns = append(fns, c.tail(n, want))
		} else {
			fns = append(fns, c.stmt(n))
		}
		c.line, c.warns = line, warns
	}
	if last < 0 && want != WantVoid {
		fns = append(fns, noValue)
	}
	switch len(fns) {
	case 0:
		return func(*machine) ctl { return ctlNone }
	case 1:
		return fns[0]
	case 2:
		a, b := fns[0], fns[1]
		return func(m *machine) ctl {
			if k := a(m); k != ctlNone {
				return k
			}
			return b(m)
		}
	}
	return func(m *machine) ctl {
		for _, f := range fns {
			if k := f(m); k != ctlNone {
				return k
			}
		}
		return ctlNone
	}
}

// scoped compiles a block with its own captures of regexes.
func (c *compiler) scoped(n *node, want Want) stmtFn {
	body := localized(n, c.block(n.kids, want))
	if !holds(n, nMatch, nSubst) {
		return body
	}
	return func(m *machine) ctl {
		old := m.match
		k := body(m)
		m.match = old
		return k
	}
}

// localized undoes the locals of a block at its end.
func localized(n *node, body stmtFn) stmtFn {
	if !holds(n, nLocal) {
		return body
	}
	return func(m *machine) ctl {
		mark := len(m.saves)
		k := body(m)
		m.unwind(mark)
		return k
	}
}

// holds tells whether one of the kinds is below n, not looking into subs.
func holds(n *node, kinds ...nodeKind) bool {
	var asked uint64
	for _, k := range kinds {
		asked |= 1 << k
	}
	return n.kinds()&asked != 0
}

// control tells whether n leaves the flow of the program.
func control(n *node) bool {
	return n.kind == nReturn || n.kind == nNext || n.kind == nLast
}

// stmt compiles a statement whose value nobody wants.
func (c *compiler) stmt(n *node) stmtFn {
	switch n.kind {
	case nBlock:
		return c.once(n, c.scoped(n, WantVoid))
	case nIf:
		return c.ifStmt(n)
	case nWhile:
		return c.while(n)
	case nFor:
		return c.forLoop(n)
	case nForeach:
		return c.foreach(n)
	case nSub:
		return func(*machine) ctl { return ctlNone }
	case nReturn:
		return c.returnStmt(n)
	case nNext, nLast:
		k, label := ctlNext, n.name
		if n.kind == nLast {
			k = ctlLast
		}
		return func(m *machine) ctl {
			m.label = label
			return k
		}
	case nAnd, nOr:
		if control(n.kids[1]) || n.kids[1].kind == nDo {
			cond, right, want := c.cond(n.kids[0]), c.stmt(n.kids[1]), n.kind == nAnd
			if c.tracing {
				left := cond
				cond = func(m *machine) bool {
					x := left(m)
					m.traceLogic(n, x, truthText(x), "")
					return x
				}
			}
			return func(m *machine) ctl {
				if cond(m) == want {
					return right(m)
				}
				return ctlNone
			}
		}
	case nCond:
		cond, a, b := c.cond(n.kids[0]), c.stmt(n.kids[1]), c.stmt(n.kids[2])
		return func(m *machine) ctl {
			if cond(m) {
				return a(m)
			}
			return b(m)
		}
	case nDo:
		return c.scoped(n.kids[0], WantVoid)
	case nList:
		return c.block(n.kids, WantVoid)
	case nConst:
		return func(*machine) ctl { return ctlNone }
	}
	f := c.void(n)
	return func(m *machine) ctl {
		f(m)
		return ctlNone
	}
}

func (c *compiler) ifStmt(n *node) stmtFn {
	var fn stmtFn
	i := len(n.kids)
	if i%2 == 1 {
		i--
		fn = c.stmtBody(n.kids[i])
	}
	for i -= 2; i >= 0; i -= 2 {
		cond, body, rest := c.cond(n.kids[i]), c.stmtBody(n.kids[i+1]), fn
		fn = func(m *machine) ctl {
			if cond(m) {
				return body(m)
			}
			if rest != nil {
				return rest(m)
			}
			return ctlNone
		}
	}
	return fn
}

func (c *compiler) stmtBody(n *node) stmtFn {
	if n.kind == nBlock {
		return c.scoped(n, WantVoid)
	}
	return c.stmt(n)
}

// returnStmt evaluates the value in the context of the call.
func (c *compiler) returnStmt(n *node) stmtFn {
	want := c.back
	value := stmtFn(noValue)
	switch {
	case len(n.kids) > 0 && want == WantVoid:
		value = c.stmt(n.kids[0])
	case len(n.kids) > 0:
		value = c.result(n.kids[0], want)
	}
	return func(m *machine) ctl {
		value(m)
		return ctlReturn
	}
}

// escape turns the control statement of an expression into a panic that the loop or call catches.
func (c *compiler) escape(n *node) func(*machine) {
	c.jumps++
	f := c.stmt(n)
	return func(m *machine) {
		if k := f(m); k != ctlNone {
			panic(&jump{k})
		}
	}
}
