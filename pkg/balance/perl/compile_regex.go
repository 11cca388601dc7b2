package perl

import "strings"

// place is where a //g match in scalar context stopped.
type place struct {
	text  string
	off   int
	empty bool // the match had no length: the next must not be the same
}

// maxCached bounds the patterns made at run time that a machine keeps.
const maxCached = 64

// patternOf compiles the pattern of a match. A constant one is checked when the rule is loaded.
func (c *compiler) patternOf(n *node, extra string) func(*machine) *regex {
	x := n.regex
	op, flags := c.matchOp(n), x.flags+extra
	if x.pattern.kind == nConst {
		r, err := compileRegex(x.pattern.val.str(), flags)
		if err != nil {
			c.p.err(min(x.pattern.off+err.off, max(n.end-1, n.off)), err.text, err.hint)
			return func(*machine) *regex { return nil }
		}
		if c.sizes += r.size; c.sizes > maxStatesOfAll {
			c.p.err(n.off, "limit: the patterns of this algorithm are too large together", "")
			panic(abort{})
		}
		if r.src == "" && !n.post && n.name != "qr" {
			return func(m *machine) *regex { return m.lastPattern(op, r) }
		}
		return func(*machine) *regex { return r }
	}
	c.inPattern = true
	at, f, again := c.at(n), c.scalar(x.pattern), !n.post && n.name != "qr"
	c.inPattern = false
	if k := x.pattern; k.kind == nInterp && len(k.kids) == 1 && !flaggedArray(k.kids[0]) {
		f = c.scalar(k.kids[0]) // /$re/: the pattern itself, if it is one
		f = c.checked(k.kids[0], f, "regexp compilation", false)
	}
	return func(m *machine) *regex {
		v := f(m)
		if v.k == kRegex && strings.Trim(flags, "go") == "" {
			return v.p.(*regex)
		}
		r := m.regexFor(v.str(), flags, at)
		m.matches[op].again = false
		if r.src == "" && again {
			return m.lastPattern(op, r)
		}
		return r
	}
}

// matchOp numbers the matches and substitutions of the program: each keeps the captures of its last success. So a sub that
// calls itself finds $1 changed by the inner call, as in perl.
func (c *compiler) matchOp(n *node) int {
	if n.regex.op == 0 {
		c.prog.matches++
		n.regex.op = c.prog.matches
	}
	return n.regex.op
}

// lastPattern is what an empty pattern stands for: the last that matched in this scope, and only without one itself.
func (m *machine) lastPattern(op int, r *regex) *regex {
	if m.match != nil {
		m.matches[op].again = true
		return m.match.re
	}
	m.matches[op].again = false
	return r
}

// matched keeps a success. That of an empty pattern belongs to the match whose pattern it took.
func (m *machine) matched(op int, text string, loc []int, r *regex) {
	x := &m.matches[op]
	if x.again {
		x = m.match
	} else {
		m.match = x
	}
	x.text, x.loc, x.re = text, loc, r
}

func flaggedArray(n *node) bool {
	return n.kind == nSlice || n.kind == nKeySlice || (n.kind == nVar || n.kind == nDeref) && n.sigil == '@'
}

func (m *machine) regexFor(src, flags string, at site) *regex {
	key := flags + "/" + src
	if r, ok := m.regexes[key]; ok {
		return r
	}
	m.step(64 + len(src))
	r, err := compileRegex(src, flags)
	if err != nil {
		m.die(at, err.text)
	}
	if m.regexes == nil || len(m.regexes) >= maxCached {
		m.regexes = map[string]*regex{}
	}
	m.made(r.size*patternBytes + len(key))
	m.regexes[key] = r
	return r
}

// subject is what a match looks at: the left side of =~, or $_.
func (c *compiler) subject(n *node) *node {
	if len(n.kids) > 0 {
		return n.kids[0]
	}
	return &node{kind: nVar, sigil: '$', name: "_", global: true, slot: gTopic, off: n.off, end: n.end}
}

func (c *compiler) matchScalar(n *node) scalarFn {
	if n.name == "qr" {
		r := c.patternOf(n, "")
		return func(m *machine) Value { return Value{k: kRegex, p: r(m)} }
	}
	f := c.matchCond(n)
	return func(m *machine) Value { return Bool(f(m)) }
}

func (c *compiler) matchCond(n *node) condFn {
	if n.name == "qr" {
		f := c.matchScalar(n)
		return func(m *machine) bool { return f(m).Bool() }
	}
	pattern, subject, not, op := c.patternOf(n, ""), c.subject(n), n.not, c.matchOp(n)
	if strings.Contains(n.regex.flags, "g") && canHold(subject) {
		return c.matchNext(n, pattern, c.lvalue(subject))
	}
	if strings.Contains(n.regex.flags, "g") && subject.isConst() { // a literal keeps its place, too
		slot, v := c.r.count[0], subject.val
		c.r.count[0]++
		return c.matchNext(n, pattern, func(m *machine) *Value {
			*m.globals[slot] = v
			return m.globals[slot]
		})
	}
	text := c.checked(subject, c.scalar(subject), "pattern match (m//)", false)
	if traced := c.matchTracer(n); traced != nil {
		return func(m *machine) bool {
			v := text(m)
			ok := m.matchFrom(op, pattern(m), v.str()) != not
			traced(m, v, ok)
			return ok
		}
	}
	return func(m *machine) bool {
		s := text(m).str() // before the pattern, which may be the last that matched
		return m.matchFrom(op, pattern(m), s) != not
	}
}

// matchFrom searches from the begin and keeps the captures of a success.
func (m *machine) matchFrom(op int, r *regex, s string) bool {
	look := m.search(r, s)
	loc := look.find(0)
	if loc == nil {
		return false
	}
	m.matched(op, s, loc, r)
	return true
}

// matchNext is //g in scalar context: each match goes on behind the last.
func (c *compiler) matchNext(n *node, pattern func(*machine) *regex, target ptrFn) condFn {
	not, traced, op := n.not, c.matchTracer(n), c.matchOp(n)
	next := func(m *machine, cell *Value) bool {
		s, r := cell.str(), pattern(m)
		at := m.places[cell]
		if at.text != s {
			at = place{}
		}
		look := m.search(r, s)
		loc := look.following(at.off, at.empty)
		if loc == nil {
			delete(m.places, cell)
			return not
		}
		m.matched(op, s, loc, r)
		if m.places == nil {
			m.places = map[*Value]place{}
		}
		if at.text == "" {
			m.made(placeBytes)
		}
		m.places[cell] = place{s, loc[1], loc[0] == loc[1]}
		return !not
	}
	if traced == nil {
		return func(m *machine) bool { return next(m, target(m)) }
	}
	return func(m *machine) bool {
		cell := target(m)
		subject := *cell
		ok := next(m, cell)
		traced(m, subject, ok)
		return ok
	}
}

// following finds the next match of a //g. Behind an empty match there must be no other at the same place.
func (s *search) following(from int, afterEmpty bool) []int {
	loc := s.find(from)
	if loc != nil && afterEmpty && loc[0] == from && loc[1] == from {
		return s.behindEmpty(from)
	}
	return loc
}

// behindEmpty finds what follows an empty match: one at the same place that is not empty, or one further on.
func (s *search) behindEmpty(from int) []int {
	if from >= len(s.text) {
		return nil
	}
	if loc := s.notEmpty(from); loc != nil {
		return loc
	}
	return s.find(from + 1)
}

// everyMatch calls f for all matches in turn.
func (m *machine) everyMatch(r *regex, text string, f func(loc []int)) {
	s, from, empty := m.search(r, text), 0, false
	for from <= len(text) {
		loc := s.following(from, empty)
		if loc == nil {
			return
		}
		f(loc)
		from, empty = loc[1], loc[0] == loc[1]
	}
}

func (c *compiler) matchList(n *node) listFn {
	if n.name == "qr" || n.not {
		f := c.matchScalar(n)
		return func(m *machine) {
			v := f(m)
			m.stack = append(m.stack, v)
		}
	}
	pattern, text := c.patternOf(n, ""), c.checked(c.subject(n), c.scalar(c.subject(n)), "pattern match (m//)", false)
	op := c.matchOp(n)
	if !strings.Contains(n.regex.flags, "g") {
		return func(m *machine) {
			s, r := text(m).str(), pattern(m)
			if !m.matchFrom(op, r, s) {
				return
			}
			if r.groups == 0 {
				m.stack = append(m.stack, valYes)
				return
			}
			m.pushGroups(m.match, r.groups)
		}
	}
	return func(m *machine) {
		s, r := text(m).str(), pattern(m)
		m.everyMatch(r, s, func(loc []int) {
			m.matched(op, s, loc, r)
			m.room(1)
			if r.groups == 0 {
				m.stack = append(m.stack, String(s[loc[0]:loc[1]]))
				return
			}
			m.pushGroups(m.match, r.groups)
		})
	}
}

func (m *machine) pushGroups(x *match, n int) {
	m.room(n)
	for g := 1; g <= n; g++ {
		m.stack = append(m.stack, x.group(g))
	}
}

func (c *compiler) subst(n *node) scalarFn {
	pattern, repl, not := c.patternOf(n, ""), c.scalar(n.regex.repl), n.not
	all, give := strings.Contains(n.regex.flags, "g"), strings.Contains(n.regex.flags, "r")
	var target ptrFn
	if give {
		text := c.scalar(c.subject(n))
		target = func(m *machine) *Value { return m.newCell(text(m)) }
	} else {
		target = c.writable(c.subject(n))
	}
	at, name, op := c.at(n), namer(nil), c.matchOp(n)
	if at.warn {
		name = c.operandName(c.subject(n))
	}
	return func(m *machine) Value {
		cell := target(m)
		if at.warn {
			m.operand(at, *cell, name, "substitution (s///)", false)
		}
		s, r := cell.str(), pattern(m)
		var b []byte
		count, from, done, empty := 0, 0, 0, false
		look := m.search(r, s)
		for from <= len(s) {
			loc := look.following(from, empty)
			if loc == nil {
				break
			}
			count++
			m.matched(op, s, loc, r)
			b = append(b, s[done:loc[0]]...)
			b = appendValue(b, repl(m))
			if len(b) > m.maxBytes {
				m.exceed("bytes", m.maxBytes)
			}
			from, empty, done = loc[1], loc[0] == loc[1], loc[1]
			if !all {
				break
			}
		}
		if count > 0 {
			b = append(b, s[done:]...)
			m.charge(len(b))
		}
		switch {
		case give && count == 0:
			return *cell
		case give:
			return String(string(b))
		case count == 0:
			return Bool(not)
		}
		*cell = String(string(b))
		if not {
			return valNo
		}
		return Int(int64(count))
	}
}

const (
	trKeep   = -1
	trDelete = -2
)
