package perl

import (
	"context"
	"strings"
	"time"
)

// reach counts what the generated programs hold: kinds of nodes and functions from the tree, and operators with the types
// of their operands while they run. For that a second copy of each program is run in which every operand is handed through
// a function of the tests; the engine itself has no hook.
type reach struct {
	kinds map[nodeKind]int
	funcs map[string]int
	pairs map[string]*[operandTypes + 1][operandTypes + 1]int

	sites []reachSite
	code  string // of the program at hand
}

// reachSite is one operator of the program at hand.
type reachSite struct {
	op          string
	left, right operandType // of arrays, lists and hashes, which only the tree knows; else -1
	seen        operandType // of the left operand when it was last worked out
	match       bool        // =~ and !~ may work out their right side first,
	first       bool        // as just now:
	pattern     operandType // this was its type
}

func newReach() *reach {
	return &reach{kinds: map[nodeKind]int{}, funcs: map[string]int{}, pairs: map[string]*[operandTypes + 1][operandTypes + 1]int{}}
}

func (r *reach) merge(o *reach) {
	for k, n := range o.kinds {
		r.kinds[k] += n
	}
	for k, n := range o.funcs {
		r.funcs[k] += n
	}
	for op, t := range o.pairs {
		mine := r.table(op)
		for i := range t {
			for j := range t[i] {
				mine[i][j] += t[i][j]
			}
		}
	}
}

func (r *reach) table(op string) *[operandTypes + 1][operandTypes + 1]int {
	t := r.pairs[op]
	if t == nil {
		t = new([operandTypes + 1][operandTypes + 1]int)
		r.pairs[op] = t
	}
	return t
}

// program counts one program.
func (r *reach) program(code string, funcs []Func) {
	r.sites, r.code = r.sites[:0], code
	funcs = append(funcs[:len(funcs):len(funcs)],
		Func{Name: "reach_left", Min: 2, Max: 2, Call: r.left},
		Func{Name: "reach_right", Min: 2, Max: 2, Call: r.right})
	s := newSource(code, Position{File: "algorithm", Line: 1, Col: 1})
	p := newParser(s, funcs)
	root := p.parse()
	if root == nil || hasError(p.diags) {
		return
	}
	seen := map[*node]bool{}
	r.count(root, seen)
	if p.height(root) < 0 {
		return
	}
	res := newResolver(p)
	main := res.program(root)
	if hasError(p.diags) {
		return
	}
	prog := compileProgram(p, res, main, false)
	if prog == nil || hasError(p.diags) {
		return
	}
	lim := Limits{Steps: 200_000, Time: 5 * time.Second}
	// a program that dies has been counted up to there
	_, _ = prog.RunList(context.Background(), Options{Host: &world{data: reachData()}, Now: time.Unix(differentialNow, 0), Zone: time.UTC, Limits: lim})
}

// left notes the type of a left or only operand: site, value.
func (r *reach) left(_ Host, c *Call) error {
	a := c.Args()
	s := &r.sites[a[0].Int64()]
	s.seen = s.left
	if s.left < 0 {
		s.seen = typeOf(a[1])
	}
	if s.right == typeNone || !goesToRight(s.op, a[1]) {
		r.table(s.op)[s.seen][typeNone]++
	}
	if s.first {
		r.table(s.op)[s.seen][s.pattern]++
		s.seen, s.first = -1, false
	}
	if c.Want() != WantList {
		c.Return(a[1])
	}
	return nil
}

func (r *reach) right(_ Host, c *Call) error {
	a := c.Args()
	s := &r.sites[a[0].Int64()]
	t := s.right
	if t < 0 {
		t = typeOf(a[1])
	}
	switch {
	case s.seen >= 0:
		r.table(s.op)[s.seen][t]++
		if s.match {
			s.seen = -1
		}
	case s.match:
		s.first, s.pattern = true, t
	}
	c.Return(a[1])
	return nil
}

func goesToRight(op string, v Value) bool {
	switch strings.TrimSuffix(op, "=") {
	case "&&", "and":
		return v.Bool()
	case "||", "or":
		return !v.Bool()
	case "//":
		return v.IsUndef()
	}
	return true
}

// staticType is the type that only the tree shows, or -1.
func staticType(n *node) operandType {
	n = bare(n)
	switch {
	case isArray(n):
		return typeArray
	case isHash(n):
		return typeHash
	}
	switch n.kind {
	case nList, nSlice, nKeySlice:
		return typeList
	}
	return -1
}

func (r *reach) site(op string, left, right operandType) *node {
	r.sites = append(r.sites, reachSite{op: op, left: left, right: right, seen: -1})
	return &node{kind: nConst, val: Int(int64(len(r.sites) - 1))}
}

// watch makes the call that notes a value.
func watch(name string, site, n *node) *node {
	scalar := &node{kind: nFunc, name: "scalar", off: n.off, end: n.end, kids: []*node{n}}
	return &node{kind: nCall, name: name, off: n.off, end: n.end, paren: true, kids: []*node{site, scalar}}
}

// before notes the value of operand, in list context without a value of its own, and then goes on with n.
func before(site, operand, n *node) {
	inner := *n
	note := &node{kind: nCall, name: "reach_left", off: n.off, end: n.end, paren: true, kids: []*node{site, {kind: nFunc, name: "scalar", kids: []*node{operand}}}}
	*n = node{kind: nList, paren: true, off: n.off, end: n.end, kids: []*node{note, &inner}}
}

// simple tells whether n may be worked out twice.
func simple(n *node) bool {
	return !mutates(n) && !holds(n, nCall, nDynCall, nFunc, nMy, nLocal, nAnonSub, nDo, nEval, nPrint, nMatch)
}

// count counts n and what is below, and puts the calls in.
func (r *reach) count(n *node, seen map[*node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	r.kinds[n.kind]++
	if n.kind == nFunc || n.kind == nMap || n.kind == nPrint || n.kind == nMatch && n.name == "qr" {
		r.funcs[n.name]++
	}
	plain := len(n.kids) > 0 && n.kids[0] != nil && simple(n.kids[0]) // before calls are put in
	n.each(func(k *node) { r.count(k, seen) })
	if n.sub != nil {
		r.count(n.sub.body, seen)
	}
	switch n.kind {
	case nBinary:
		op := n.name
		if l := n.kids[0]; op == "x" && l.kind == nList && l.paren {
			s := r.site("(x)", typeList, staticType(n.kids[1]))
			r.sites[len(r.sites)-1].seen = typeList
			n.kids[1] = watch("reach_right", s, n.kids[1])
			return
		}
		r.both(op, n)
	case nAnd, nOr, nDor, nXor:
		if n.name != "" && n.kids[1].kind != nReturn && n.kids[1].kind != nNext && n.kids[1].kind != nLast {
			r.both(n.name, n)
		}
	case nChain:
		r.chain(n)
	case nRange:
		r.both("..", n)
	case nUnary:
		n.kids[0] = watch("reach_left", r.site(n.name, staticType(n.kids[0]), typeNone), n.kids[0])
	case nNot:
		if n.name == "" { // of unless
			return
		}
		n.kids[0] = watch("reach_left", r.site(n.name, staticType(n.kids[0]), typeNone), n.kids[0])
	case nCond:
		n.kids[0] = watch("reach_left", r.site("?:", staticType(n.kids[0]), typeNone), n.kids[0])
	case nIndex:
		n.kids[1] = watch("reach_left", r.site("[]", staticType(n.kids[1]), typeNone), n.kids[1])
	case nKey:
		if k := n.kids[1]; k.kind != nList || len(k.kids) < 2 {
			n.kids[1] = watch("reach_left", r.site("{}", staticType(k), typeNone), k)
		}
	case nAssign:
		r.assign(n, plain)
	case nIncDec:
		name := n.name + "x"
		if n.post {
			name = "x" + n.name
		}
		if plain {
			before(r.site(name, -1, typeNone), n.kids[0], n)
		}
	case nMatch, nSubst, nTrans:
		r.match(n, plain)
	case nFunc:
		if b := builtinFor(n.name); b != nil && len(n.kids) == 1 && (b.one != nil && n.name != "ref" || n.name == "gmtime" || n.name == "localtime") {
			n.kids[0] = watch("reach_left", r.site(n.name, staticType(n.kids[0]), typeNone), n.kids[0])
		}
		if n.name == "sprintf" && len(n.kids) == 2 && n.kids[0].isConst() {
			if f := n.kids[0].val.str(); strings.Count(f, "%") == 1 && staticType(n.kids[1]) != typeArray && staticType(n.kids[1]) != typeHash {
				n.kids[1] = watch("reach_left", r.site(f[strings.IndexByte(f, '%'):], staticType(n.kids[1]), typeNone), n.kids[1])
			}
		}
	}
}

func (r *reach) both(op string, n *node) {
	s := r.site(op, staticType(n.kids[0]), staticType(n.kids[1]))
	n.kids[0], n.kids[1] = watch("reach_left", s, n.kids[0]), watch("reach_right", s, n.kids[1])
}

// chain counts its first comparison; the operands of the others are shared.
func (r *reach) chain(n *node) {
	first := n.kids[0]
	s := r.site(first.name+" chained", staticType(first.kids[0]), -1)
	first.kids[0] = watch("reach_left", s, first.kids[0])
}

func (r *reach) assign(n *node, plain bool) {
	l, right := n.kids[0], n.kids[1]
	if n.name == "=" {
		t := typeInt // any scalar
		switch {
		case isArray(l):
			t = typeArray
		case isHash(l):
			t = typeHash
		case listAssign(n):
			t = typeList
		}
		if t != typeInt {
			r.listAssigned(t, n)
			return
		}
		s := r.site("=", t, staticType(right))
		r.sites[len(r.sites)-1].seen = t
		n.kids[1] = watch("reach_right", s, right)
		return
	}
	if !plain || staticType(l) >= 0 {
		return
	}
	s := r.site(n.name, -1, staticType(right))
	n.kids[1] = watch("reach_right", s, right)
	before(s, l, n)
}

// listAssigned counts what a list assignment takes, if that is one item.
func (r *reach) listAssigned(t operandType, n *node) {
	place := &n.kids[1]
	if k := *place; k.kind == nList && k.paren && len(k.kids) > 0 {
		switch {
		case t == typeHash && len(k.kids) == 2:
			place = &k.kids[1]
		case len(k.kids) > 1:
			r.table("=")[t][typeList]++
			return
		default:
			place = &k.kids[0]
		}
	}
	item := bare(*place)
	if st := staticType(item); st >= 0 {
		r.table("=")[t][st]++
		return
	}
	s := r.site("=", t, -1)
	r.sites[len(r.sites)-1].seen = t
	switch item.kind {
	case nConst, nVar, nIndex, nKey, nListSlice, nCond, nDo, nDynCall, nDeref, nBinary, nUnary, nNot, nInterp:
		*place = watch("reach_right", s, *place)
	case nFunc:
		if item.name == "undef" {
			*place = watch("reach_right", s, *place)
		}
	}
}

func (r *reach) match(n *node, plain bool) {
	if n.post || n.name == "qr" || len(n.kids) == 0 {
		return
	}
	op, subject := map[nodeKind]string{nMatch: "m//", nSubst: "s///", nTrans: "tr///"}[n.kind], n.kids[0]
	if n.kind == nMatch && n.name == "" { // the pattern is an expression
		op = "=~"
		if n.not {
			op = "!~"
		}
		pattern := n.regex.pattern
		right := staticType(pattern)
		if pattern.kind == nInterp && !strings.HasPrefix(r.code[pattern.off:], "\"") { // an array, which the parser takes for a text
			right = typeArray
		}
		s := r.site(op, staticType(subject), right)
		r.sites[len(r.sites)-1].match = true
		n.regex.pattern = watch("reach_right", s, n.regex.pattern)
		n.kids[0] = watch("reach_left", s, subject)
		return
	}
	if plain {
		before(r.site(op, staticType(subject), typeNone), subject, n)
	}
}
