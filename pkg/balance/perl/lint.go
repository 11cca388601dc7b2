package perl

import (
	"fmt"
	"strings"
)

// linter looks for what perl accepts and an administrator did not mean.
type linter struct {
	p        *parser
	r        *resolver
	words    map[string]int // package variables: where they are read first
	written  map[string]bool
	declared []*node
	inside   *node // the comparison that W1 was said of
	verdict  bool
	sorts    bool
}

func lint(p *parser, r *resolver, root *node) {
	l := &linter{p: p, r: r}
	l.walk(root)
	if p.broken { // the rest looks at the rule as a whole
		return
	}
	l.unwritten()
	if !l.verdict && l.hasRole(Verdict) && len(root.kids) > 0 {
		l.warn("W12", root.kids[0].off, "neither "+strings.Join(l.roleNames(Verdict), "() nor ")+"() occurs: this algorithm never asks for anything", "")
	}
}

func (l *linter) warn(code string, off int, text, hint string) {
	l.p.report(Warning, code, off, text, hint)
}

func (l *linter) hasRole(role Role) bool { return len(l.roleNames(role)) > 0 }

func (l *linter) roleNames(role Role) []string {
	var names []string
	for _, f := range l.p.funcs {
		if f.Role == role {
			names = append(names, f.Name)
		}
	}
	return names
}

// role is the role of a call to a host function.
func (l *linter) role(n *node) Role {
	if n.kind != nCall || l.r.subs[n.name] != nil {
		return Plain
	}
	if i, ok := l.p.host(n.name); ok {
		return l.p.funcs[i].Role
	}
	return Plain
}

// bare takes the parentheses off.
func bare(n *node) *node {
	for n.kind == nList && len(n.kids) == 1 {
		n = n.kids[0]
	}
	return n
}

func (l *linter) walk(n *node) {
	switch n.kind {
	case nIf:
		for i := 0; i+1 < len(n.kids); i += 2 {
			l.condition(n.kids[i], true)
		}
	case nWhile:
		if n.kids[0] != nil {
			l.condition(n.kids[0], false)
		}
	case nFor:
		if n.kids[1] != nil {
			l.condition(n.kids[1], false)
		}
	case nCond:
		l.condition(n.kids[0], true)
	case nCall:
		l.call(n)
	case nBinary:
		l.binary(n)
	case nChain:
		l.warn("W16", n.off, "a chained comparison needs perl 5.32: the perl 5.8 and 5.10 of CentOS 5 and 6 reject it", "write "+l.unchained(n))
		for _, k := range n.kids {
			l.binary(k)
		}
	case nConst:
		if n.name == "octal" {
			if text := l.p.src[n.off:n.end]; len(text) > 1 && !strings.HasPrefix(text, "0o") && strings.Trim(text, "0") != "" && !strings.ContainsAny(text, "89") {
				l.warn("W7", n.off, text+" is octal: it means "+n.val.str(), "write "+strings.TrimLeft(text, "0")+" without the leading 0")
			}
		}
	case nWord:
		l.bareword(n)
	case nFunc:
		if n.name == "delete" { // delete @h{...} has no other form
			n.kids[0].each(l.walk)
			l.changed(n)
			return
		}
	case nSlice, nKeySlice:
		l.oneElement(n)
	case nAssign:
		l.assigned(n)
	case nVar:
		l.variable(n, false)
	case nMy:
		if l.declared == nil {
			l.declared = make([]*node, 0, len(n.kids))
		}
		for _, k := range n.kids {
			if k.kind == nVar {
				l.declared = append(l.declared, k)
			}
		}
		return
	case nSort:
		l.sorted(n)
	case nMap:
		l.sorts = l.sorts || n.name == "reduce"
	}
	l.changed(n)
	n.each(l.walk)
}

// condition looks at what stands where a truth is asked for.
func (l *linter) condition(n *node, once bool) {
	if n.kind == nList && len(n.kids) > 1 {
		last := bare(n.kids[len(n.kids)-1])
		switch {
		case n.name == "=>":
			l.warn("W2", n.off, "=> is only a comma here: the condition is "+l.text(last)+" alone", "greater or equal is written >=")
		case last.isConst() && last.name == "" && last.val.k != kPV:
			l.warn("W3", n.off, "the comma makes a list: the condition is "+l.text(last)+" alone", "a decimal point is a point: 0.7")
		default:
			l.warn("W3", n.off, "the comma makes a list: only its last part is the condition", "write && or and")
		}
		return
	}
	n = bare(n)
	switch n.kind {
	case nAnd, nOr:
		l.condition(n.kids[0], once)
		l.condition(n.kids[1], once)
	case nNot:
		l.condition(n.kids[0], once)
	case nAssign:
		if n.name == "=" && n.kids[0].kind != nMy && !listAssign(n) && (once || bare(n.kids[1]).isConst()) {
			l.warn("W4", n.off, "= assigns: the condition is the assigned value", "equal is written == for numbers and eq for strings")
		}
	}
}

func (l *linter) text(n *node) string {
	return strings.Join(strings.Fields(l.p.src[n.off:min(n.end, len(l.p.src))]), " ")
}

func (l *linter) unchained(n *node) string {
	var parts []string
	for _, k := range n.kids {
		parts = append(parts, l.text(k.kids[0])+" "+k.name+" "+l.text(k.kids[1]))
	}
	return strings.Join(parts, " && ")
}

func (l *linter) call(n *node) {
	switch l.role(n) {
	case Verdict:
		l.verdict = true
	case Aggregate:
		for _, k := range n.kids {
			if x := bare(k); x.kind == nBinary && comparison(x.name) != nil {
				l.inside = x
				l.warn("W1", x.off, fmt.Sprintf("the comparison stands inside %s(): it compares one value and %s() sees only true or false", n.name, n.name),
					fmt.Sprintf("write %s(%s) %s %s", n.name, l.text(x.kids[0]), x.name, l.text(x.kids[1])))
			}
		}
	}
}

func (l *linter) binary(n *node) {
	a, b := bare(n.kids[0]), bare(n.kids[1])
	switch n.name {
	case "==", "!=", "<", ">", "<=", ">=", "<=>":
		for _, x := range [2]*node{a, b} {
			if x.isConst() && x.val.k == kPV && !x.val.IsNumber() {
				l.warn("W15", x.off, n.name+" compares numbers: the text "+l.text(x)+" counts as "+x.val.num().str(), "strings are compared with eq, ne, lt, gt, le and ge")
			}
		}
		l.listOperand(n, a, b)
		l.listOperand(n, b, a)
		l.timeField(n, a, b, n.name)
		l.timeField(n, b, a, turned(n.name))
	case "eq", "ne":
		for _, x := range [2]*node{a, b} {
			if x.isConst() && x.val.k != kPV {
				l.warn("W15", x.off, n.name+" compares as text: 1 and 1.0 differ", "numbers are compared with == and !=")
			}
		}
	case "&", "|":
		if isComparison(a) || isComparison(b) {
			l.warn("W10", n.off, "a single "+n.name+" works on bits", "write "+n.name+n.name)
		}
	}
}

func isComparison(n *node) bool { return n.kind == nBinary && comparison(n.name) != nil }

func turned(op string) string {
	switch op {
	case "<":
		return ">"
	case ">":
		return "<"
	case "<=":
		return ">="
	case ">=":
		return "<="
	}
	return op
}

// listOperand sees a list where one number is compared.
func (l *linter) listOperand(n, x, other *node) {
	switch {
	case n == l.inside: // the list belongs to the function around it
	case l.role(x) == Series:
		l.warn("W5", x.off, x.name+"() gives a list: here only its last value, the oldest, is compared", "choose: average("+l.text(x)+"), max(...), min(...) or ("+l.text(x)+")[0]")
	case x.kind == nVar && x.sigil == '@' && other.isConst():
		if f := other.val.nv(); other.val.k != kPV && (f != float64(int64(f)) || f > 100) {
			l.warn("W5", x.off, "@"+x.name+" counts its values here", "choose one value: $"+x.name+"[0], or average(@"+x.name+")")
		}
	}
}

func (l *linter) bareword(n *node) {
	hint := "a text needs quotes: '" + n.name + "'"
	if l.isDeclared("", n.name) {
		hint = "a variable needs its sign: $" + n.name
	}
	l.warn("W8", n.off, "the bare word "+n.name+" is only a text", hint)
}

// isDeclared tells whether a my, our or state has the name, with that sign or any.
func (l *linter) isDeclared(sign, name string) bool {
	for _, k := range l.declared {
		if k.name == name && (sign == "" || sign[0] == k.sigil) {
			return true
		}
	}
	return false
}

func (l *linter) oneElement(n *node) {
	list := n.kids[1]
	if n.kids[0].kind != nVar || list.kind != nList || len(list.kids) != 1 {
		return
	}
	k := list.kids[0]
	if !k.isConst() && !k.isVar('$') {
		return
	}
	i := strings.IndexAny(l.p.src[n.off:], "[{")
	if i > 0 {
		l.warn("W11", n.off, l.text(n)+" is a list of one value", "write $"+l.p.src[n.off+1:min(n.end, len(l.p.src))])
	}
}

func (l *linter) sorted(n *node) {
	l.sorts = true
	if n.kids[0] == nil {
		for _, k := range n.kids[1:] {
			if l.role(bare(k)) == Series {
				l.warn("W18", n.off, "sort compares as text: 10 comes before 9", "write sort { $a <=> $b } ...")
				return
			}
		}
		return
	}
	var look func(*node)
	look = func(x *node) {
		if x.kind == nVar && x.sigil == '$' && (x.name == "a" || x.name == "b") && x.sym != nil {
			l.warn("W19", x.off, "sort sets the package variable $"+x.name+", but my $"+x.name+" hides it", "give your variable another name")
		}
		x.each(look)
	}
	look(n.kids[0])
}
