package conf

import (
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// ParseResources reads lbresources.conf. Resources is nil if one of the diagnostics is an error.
func ParseResources(name string, src []byte) (*Resources, []Diagnostic) {
	p := &resourceParser{scanner: newScanner(name, src), out: &Resources{Name: name, Src: src}}
	p.parse()
	Sort(p.diags)
	if HasErrors(p.diags) {
		return nil, p.diags
	}
	return p.out, p.diags
}

type resourceParser struct {
	*scanner
	out  *Resources
	lost bool
}

const resourceForm = "write resource NAME { cmd COMMAND; }"

func (p *resourceParser) parse() {
	for p.space(); !p.done() && !p.lost; p.space() {
		word := p.word()
		if word.Text == "" {
			c := p.peek()
			if p.at++; c != ';' {
				p.fail(p.span(p.at-1, p.at), resourceForm, "%q does not begin a resource", c)
			}
			continue
		}
		if word.Text != "resource" {
			p.fail(word.Span, resourceForm, "unknown key %q", word.Text)
			if rest := p.src[p.at:p.lineEnd(p.at)]; slices.Contains(rest, '{') {
				p.at += slices.Index(rest, '{')
				p.body(word, &Resource{}, true)
				continue
			}
			p.recover()
			if p.peek() == '}' {
				p.at++
			}
			continue
		}
		p.space()
		head := p.word()
		p.space()
		if p.peek() != '{' {
			p.fail(word.Span, resourceForm, "resource is followed by a name and {")
			p.recover()
			continue
		}
		r := Resource{Head: head}
		r.Name = head.Text
		if p.body(word, &r, false) {
			p.add(r)
		}
	}
}

func (p *resourceParser) add(r Resource) {
	at := r.Head.Span
	if r.Name == "" {
		p.fail(r.Span, resourceForm, "a resource without a name")
		return
	}
	if host.CheckName(r.Name) != nil {
		p.fail(at, "take letters, digits and _ . + -", "%q cannot name a resource: it is part of a file's name", r.Name)
		return
	}
	if r.Cmd == "" && r.Builtin == nil {
		p.fail(at, "add cmd COMMAND; or builtin cpu;", "resource %q says nothing to measure", r.Name)
	}
	for _, old := range p.out.List {
		if old.Name == r.Name {
			p.fail(at, "take one of the two out, or name it differently", "resource %q stands here already, at line %d", r.Name, old.Line)
			return
		}
		if old.Log() == r.Log() {
			p.fail(at, "give one of the two another logfile", "resources %q and %q would write into one log, %q", old.Name, r.Name, r.Log())
			return
		}
	}
	p.out.List = append(p.out.List, r)
}

// body reads from the brace to behind its like. A quiet one only passes over what it reads.
func (p *resourceParser) body(first Value, r *Resource, quiet bool) bool {
	before := len(p.diags)
	open := p.at
	p.at++
	seen := map[string]bool{}
	for p.space(); !p.done(); p.space() {
		word := p.word()
		if word.Text == "" {
			c := p.peek()
			p.at++
			if c == '}' {
				r.Span = p.span(first.Start, p.at)
				if quiet {
					p.diags = p.diags[:before]
				}
				return true
			}
			if c != ';' {
				p.fail(p.span(p.at-1, p.at), "a resource holds cmd, builtin, logfile and timeout", "%q is not expected in a resource", c)
			}
			continue
		}
		if seen[word.Text] {
			p.fail(word.Span, "keep one of the two", "a second %s in one resource", word.Text)
		}
		seen[word.Text] = true
		if !p.key(word, r) {
			p.lost = true
			return false
		}
	}
	p.lost = true
	p.fail(p.span(open, open+1), "add the missing } behind its last line", "the resource is not closed")
	return false
}

// key reads one statement of a resource. False: the rest of the file cannot be understood.
func (p *resourceParser) key(word Value, r *Resource) bool {
	switch word.Text {
	case "cmd":
		return p.cmd(word, r)
	case "builtin", "logfile", "timeout":
		start := p.at
		for !p.done() && strings.IndexByte(";{}\n", p.peek()) < 0 {
			p.at++
		}
		words := p.pieces(start, p.at, "")
		if p.peek() != ';' {
			p.fail(word.Span, "end it with a semicolon: "+word.Text+" "+join(words)+";", "%s lacks its semicolon", word.Text)
			return true
		}
		p.at++
		if len(words) == 0 {
			p.fail(word.Span, "write "+word.Text+" VALUE;", "%s has no value", word.Text)
			return true
		}
		p.small(word.Text, words, r)
	default:
		hint := "a resource holds cmd, builtin, logfile and timeout"
		if r.Cmd != "" {
			hint = "a semicolon ends cmd: join commands with && or put them into ( )"
		} else if n := nearest(word.Text, []string{"cmd", "builtin", "logfile", "timeout"}); n != "" {
			hint = "did you mean " + n + "?"
		}
		p.fail(word.Span, hint, "unknown key %q in a resource", word.Text)
		_, end, _, ok := scanCommand(p.src, p.at)
		if !ok {
			return false
		}
		p.at = end + 1
	}
	return true
}

func (p *resourceParser) cmd(word Value, r *Resource) bool {
	text, end, bad, ok := scanCommand(p.src, p.at)
	if !ok {
		what, hint := "cmd lacks its semicolon", "end the command with a semicolon: cmd COMMAND;"
		if bad <= p.at {
			bad = word.Start
		} else {
			what, hint = "what is opened here is not closed", "close the quote or the bracket; the command then ends at its semicolon"
		}
		p.fail(p.span(bad, bad+1), hint, "%s", what)
		return false
	}
	if bad > 0 {
		p.fail(word.Span, "end the command with a semicolon: cmd COMMAND;", "cmd lacks its semicolon: logfile on line %d would be a part of it", p.span(bad, bad).Line)
	}
	start := p.at
	for start < end && blank(p.src[start]) {
		start++
	}
	at := p.value(start, end)
	at.Text = text
	p.at = end + 1
	if text == "" {
		p.fail(word.Span, "write cmd COMMAND;", "cmd is empty")
	}
	if r.Builtin != nil {
		p.fail(word.Span, "keep one of the two", "a resource has a cmd or a builtin, not both")
	}
	if strings.IndexByte(text, 0) >= 0 {
		p.fail(word.Span, "take it out", "cmd holds a zero byte")
	}
	r.Cmd, r.CmdAt = text, at
	return true
}

func (p *resourceParser) small(key string, words []Value, r *Resource) {
	first := words[0]
	one := len(words) == 1
	switch key {
	case "builtin":
		if r.Cmd != "" {
			p.fail(first.Span, "keep one of the two", "a resource has a cmd or a builtin, not both")
		}
		if !slices.Contains(Builtins(), first.Text) {
			hint := "the built-in samplers are: " + strings.Join(Builtins(), " ")
			if n := nearest(first.Text, Builtins()); n != "" {
				hint = "did you mean " + n + "?"
			}
			p.fail(first.Span, hint, "unknown built-in sampler %q", first.Text)
		}
		r.Builtin = nil
		for _, w := range words {
			r.Builtin = append(r.Builtin, w.Text)
		}
		r.CmdAt = first
	case "logfile":
		if !one || host.CheckName(first.Text) != nil {
			p.fail(first.Span, "write for example: logfile cpu-usage;", "logfile is one name without a folder: logs lie in logdir as NODE-NAME")
			return
		}
		r.LogFile = first.Text
	case "timeout":
		d, err := parseDuration(join(words), 0)
		if err != nil || d > time.Hour {
			p.fail(first.Span, "write for example: timeout 20s;", "timeout is a time of at most 1h, not %q", join(words))
			return
		}
		r.Timeout = d
	}
}
