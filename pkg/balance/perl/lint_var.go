package perl

import (
	"sort"
	"strconv"
	"strings"
)

// timeRange is what a field of localtime can be.
type timeRange struct {
	name     string
	max      int64
	describe string
}

func timeRanges() [9]timeRange {
	return [9]timeRange{
		{"seconds", 60, "0..59"}, {"minutes", 59, "0..59"}, {"the hour", 23, "0..23"}, {"the day of the month", 31, "1..31"},
		{"the month", 11, "0..11, January is 0"}, {"the year", 1899, "counted from 1900: 2026 is 126"},
		{"the day of the week", 6, "0..6, Sunday is 0"}, {"the day of the year", 365, "0..365"}, {"daylight saving", 1, "0 or 1"},
	}
}

// assigned remembers which variables hold a field of localtime.
func (l *linter) assigned(n *node) {
	if n.name != "=" {
		return
	}
	left, right := n.kids[0], bare(n.kids[1])
	var fields []int
	all := [9]int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	switch {
	case isLocaltime(right):
		if !listAssign(n) {
			return
		}
		fields = all[:]
	default:
		fields = localtimeFields(right)
	}
	if len(fields) == 0 {
		return
	}
	var vars []*node
	switch left.kind {
	case nMy, nList:
		vars = left.kids
	case nVar:
		vars = []*node{left}
	}
	for i, v := range vars {
		if v.kind == nMy && len(v.kids) == 1 {
			v = v.kids[0]
		}
		if i < len(fields) && v.kind == nVar && v.sigil == '$' && v.sym != nil {
			v.sym.field = fields[i] + 1
		}
	}
}

func isLocaltime(n *node) bool {
	return n.kind == nFunc && (n.name == "localtime" || n.name == "gmtime")
}

// localtimeFields reads (localtime)[2,6].
func localtimeFields(n *node) []int {
	if n.kind != nListSlice || !isLocaltime(bare(n.kids[0])) {
		return nil
	}
	var fields []int
	for _, k := range n.kids[1].kids {
		if !k.isConst() {
			return nil
		}
		i := int(k.val.iv())
		if i < 0 || i > 8 {
			return nil
		}
		fields = append(fields, i)
	}
	return fields
}

// timeField sees an hour compared with 800.
func (l *linter) timeField(n, x, other *node, op string) {
	field := -1
	switch {
	case x.kind == nVar && x.sym != nil:
		field = x.sym.field - 1
	default:
		if f := localtimeFields(x); len(f) == 1 {
			field = f[0]
		}
	}
	if field < 0 || !other.isConst() || other.val.k == kPV {
		return
	}
	r := timeRanges()[field]
	v := other.val.iv()
	if v <= r.max || op == "<" && v == r.max+1 {
		return
	}
	hint := r.name + " is " + r.describe
	if field == 2 && v >= 100 && v%100 < 60 && v/100 < 25 {
		hint += ": write " + strconv.FormatInt(v/100, 10) + ", or ($hour*100+$min) " + op + " " + strconv.FormatInt(v, 10)
	}
	l.warn("W6", other.off, l.text(x)+" can never be "+other.val.str(), hint)
}

// variable notes the use of a package variable.
func (l *linter) variable(n *node, write bool) {
	if !n.global || n.sym != nil || !isLetter(n.name[0]) || n.name == "_" {
		return
	}
	name := string(n.sigil) + n.name
	if l.written == nil {
		l.written, l.words = map[string]bool{}, map[string]int{}
	}
	if write {
		l.written[name] = true
		return
	}
	if _, seen := l.words[name]; !seen {
		l.words[name] = n.off
	}
}

// changed notes the variables that a node may write to.
func (l *linter) changed(n *node) {
	mark := func(k *node) {
		var all func(*node)
		all = func(k *node) {
			switch k.kind {
			case nVar:
				l.variable(k, true)
			case nIndex, nKey, nSlice, nKeySlice, nArrayLen, nDeref:
				all(k.kids[0])
			case nList, nMy, nCond:
				for _, x := range k.kids {
					all(x)
				}
			}
		}
		if k != nil {
			all(k)
		}
	}
	switch n.kind {
	case nAssign, nIncDec, nRef, nLocal:
		mark(n.kids[0])
	case nForeach:
		mark(n.kids[0])
		mark(n.kids[1])
	case nSubst, nTrans:
		if len(n.kids) > 0 {
			mark(n.kids[0])
		}
	case nCall, nDynCall:
		if l.r.subs[n.name] != nil || n.kind == nDynCall {
			for _, k := range n.kids {
				mark(k)
			}
		}
	case nFunc:
		switch n.name {
		case "push", "unshift", "splice", "chomp", "chop", "undef", "substr", "delete":
			if len(n.kids) > 0 {
				mark(n.kids[0])
			}
		}
	}
}

// unwritten warns of package variables that are read but set nowhere.
func (l *linter) unwritten() {
	names := make([]string, 0, len(l.words))
	for name := range l.words {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if l.written[name] || l.isDeclared(name[:1], name[1:]) || l.sorts && (name == "$a" || name == "$b") || name == "%+" {
			continue
		}
		hint := "is it a slip of the pen? Declare variables with my"
		if i := strings.LastIndex(name, "::"); i > 1 && strings.HasPrefix(l.p.src[l.words[name]:], name[:i]+"'") {
			hint = "in a string the ' belongs to the name: write ${" + name[1:i] + "}'" + name[i+2:]
		} else if other := l.relative(name); other != "" {
			hint = other
		} else if name[0] == '@' && l.inString(l.words[name]) {
			hint = "in a string an @ begins an array: write \\@"
		}
		l.warn("W9", l.words[name], name+" is never set", hint)
	}
}

func (l *linter) inString(off int) bool {
	line := l.p.src[strings.LastIndexByte(l.p.src[:off], '\n')+1 : off]
	return strings.Count(line, "\"")%2 == 1
}

// relative finds a declared variable of another kind with the same name.
func (l *linter) relative(name string) string {
	for _, sigil := range []string{"$", "@", "%"} {
		if sigil == name[:1] || !l.written[sigil+name[1:]] && !l.isDeclared(sigil, name[1:]) {
			continue
		}
		switch name[:1] + sigil {
		case "@$":
			return "$" + name[1:] + " is one value, not an array"
		case "$@":
			return "@" + name[1:] + " is an array: one value of it is $" + name[1:] + "[0]"
		}
		return "there is " + sigil + name[1:]
	}
	return ""
}
