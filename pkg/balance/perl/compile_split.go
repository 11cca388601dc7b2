package perl

import "strings"

// split compiles split in list context.
func (c *compiler) split(n *node) listFn {
	text := c.scalar(&node{kind: nVar, sigil: '$', name: "_", global: true, slot: gTopic})
	if len(n.kids) > 1 {
		text = c.checked(n.kids[1], c.scalar(n.kids[1]), "split", false)
	}
	limit := func(*machine) Value { return Int(0) }
	if len(n.kids) > 2 {
		limit = c.scalar(n.kids[2])
	}
	pattern := c.separator(n)
	return func(m *machine) {
		r, words := pattern(m)
		s := text(m).str()
		m.splitText(r, words, s, limit(m).iv())
	}
}

// separator compiles split's pattern; words tells that it is the blank that stands for any white space.
func (c *compiler) separator(n *node) func(m *machine) (r *regex, words bool) {
	blank, _ := compileRegex(`\s+`, "")
	if len(n.kids) == 0 {
		return func(*machine) (*regex, bool) { return blank, true }
	}
	p := n.kids[0]
	if p.kind == nMatch && p.post {
		extra := ""
		if p.regex.pattern.isConst() && p.regex.pattern.val.str() == "^" {
			extra = "m"
		}
		f := c.patternOf(p, extra)
		return func(m *machine) (*regex, bool) { return f(m), false }
	}
	f, at := c.scalar(p), c.at(p)
	if p.isConst() {
		if p.val.str() != " " {
			if _, err := compileRegex(p.val.str(), ""); err != nil {
				c.p.err(p.off, err.text, err.hint)
			}
		}
	}
	return func(m *machine) (*regex, bool) {
		v := f(m)
		if v.k == kRegex {
			return v.p.(*regex), false
		}
		s := v.str()
		if s == " " {
			return blank, true
		}
		flags := ""
		if s == "^" {
			flags = "m"
		}
		return m.regexFor(s, flags, at), false
	}
}

func (m *machine) splitText(r *regex, words bool, s string, limit int64) {
	if words {
		s = strings.TrimLeft(s, " \t\n\r\f\v")
	}
	base, from, fields := len(m.stack), 0, int64(0)
	look := m.search(r, s)
	for from < len(s) && (limit <= 0 || fields < limit-1) {
		loc := look.find(from)
		if loc != nil && loc[1] <= from { // a match without length at the begin of a field does not part
			loc = look.behindEmpty(from)
		}
		if loc == nil {
			break
		}
		m.room(1)
		m.stack = append(m.stack, String(s[from:loc[0]]))
		fields++
		for g := 1; g <= r.groups; g++ {
			m.stack = append(m.stack, (&match{text: s, loc: loc}).group(g))
		}
		from = loc[1]
	}
	if from < len(s) || fields > 0 && limit != 0 {
		m.stack = append(m.stack, String(s[from:]))
	}
	if limit == 0 {
		for len(m.stack) > base {
			if v := m.stack[len(m.stack)-1]; v.k != kUndef && v.str() != "" {
				break
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
	}
}
