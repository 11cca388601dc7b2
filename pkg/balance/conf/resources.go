package conf

import (
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// ParseResources reads lbresources.conf. Resources is nil if one of the diagnostics is an error.
func ParseResources(name string, src []byte) (*Resources, []Diagnostic) {
	p := &resourceParser{Scanner: syntax.NewScanner(name, src), out: &Resources{Name: name, Src: src}}
	p.parse()
	p.parts()
	Sort(p.Diags)
	if HasErrors(p.Diags) {
		return nil, p.Diags
	}
	return p.out, p.Diags
}

// parts looks for a part of a node that is measured of VMs twice.
func (p *resourceParser) parts() {
	of := map[string]Resource{}
	for _, x := range p.out.VMs {
		part := p.out.Part(x)
		if part == "" {
			continue
		}
		if old, twice := of[part]; twice {
			p.Fail(x.Head.Span, "take one of the two out", "vmresources %q and %q both measure the %s of each VM", old.Name, x.Name, part)
		}
		of[part] = x
	}
}

type resourceParser struct {
	*syntax.Scanner
	out  *Resources
	lost bool
	ofVM bool // a vmresource is at hand
}

const (
	resourceForm   = "write resource NAME { cmd COMMAND; }"
	vmResourceForm = "write vmresource NAME { cmd COMMAND; }: it prints a line VM VALUE for each VM"
)

// form is how the statement at hand is written.
func (p *resourceParser) form() string {
	if p.ofVM {
		return vmResourceForm
	}
	return resourceForm
}

// holds is what it may hold.
func (p *resourceParser) holds() []string {
	if p.ofVM {
		return []string{"cmd", "builtin", "timeout"}
	}
	return []string{"cmd", "builtin", "logfile", "timeout"}
}

func (p *resourceParser) holdsText() string {
	if p.ofVM {
		return "a vmresource holds cmd, builtin and timeout"
	}
	return "a resource holds cmd, builtin, logfile and timeout"
}

// builtins are those that it can name.
func (p *resourceParser) builtins() []string {
	if p.ofVM {
		return VMBuiltins()
	}
	return Builtins()
}

func (p *resourceParser) parse() {
	for p.Space(); !p.Done() && !p.lost; p.Space() {
		word := p.Word()
		if word.Text == "" {
			c := p.Peek()
			if p.At++; c != ';' {
				p.Fail(p.Span(p.At-1, p.At), resourceForm, "%q does not begin a resource", c)
			}
			continue
		}
		p.ofVM = word.Text == "vmresource"
		if word.Text != "resource" && !p.ofVM {
			p.Fail(word.Span, resourceForm, "unknown key %q", word.Text)
			if rest := p.Src[p.At:p.LineEnd(p.At)]; slices.Contains(rest, '{') {
				p.At += slices.Index(rest, '{')
				p.body(word, &Resource{}, true)
				continue
			}
			p.Recover()
			if p.Peek() == '}' {
				p.At++
			}
			continue
		}
		p.Space()
		head := p.Word()
		p.Space()
		if p.Peek() != '{' {
			p.Fail(word.Span, p.form(), "%s is followed by a name and {", word.Text)
			p.Recover()
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
		p.Fail(r.Span, p.form(), "a resource without a name")
		return
	}
	if host.CheckName(r.Name) != nil {
		p.Fail(at, "take letters, digits and _ . + -", "%q cannot name a resource: it is part of a file's name", r.Name)
		return
	}
	list := &p.out.List
	if p.ofVM {
		list = &p.out.VMs
	}
	if r.Cmd == "" && r.Builtin == nil {
		p.Fail(at, "add cmd COMMAND; or builtin cpu;", "resource %q says nothing to measure", r.Name)
	}
	for _, old := range *list {
		if old.Name == r.Name {
			p.Fail(at, "take one of the two out, or name it differently", "resource %q stands here already, at line %d", r.Name, old.Line)
			return
		}
		if !p.ofVM && old.Log() == r.Log() {
			p.Fail(at, "give one of the two another logfile", "resources %q and %q would write into one log, %q", old.Name, r.Name, r.Log())
			return
		}
	}
	*list = append(*list, r)
}

// body reads from the brace to behind its like. A quiet one only passes over what it reads.
func (p *resourceParser) body(first Value, r *Resource, quiet bool) bool {
	before := len(p.Diags)
	open := p.At
	p.At++
	seen := map[string]bool{}
	for p.Space(); !p.Done(); p.Space() {
		word := p.Word()
		if word.Text == "" {
			c := p.Peek()
			p.At++
			if c == '}' {
				r.Span = p.Span(first.Start, p.At)
				if quiet {
					p.Diags = p.Diags[:before]
				}
				return true
			}
			if c != ';' {
				p.Fail(p.Span(p.At-1, p.At), p.holdsText(), "%q is not expected in a resource", c)
			}
			continue
		}
		if seen[word.Text] {
			p.Fail(word.Span, "keep one of the two", "a second %s in one resource", word.Text)
		}
		seen[word.Text] = true
		if !p.key(word, r) {
			p.lost = true
			return false
		}
	}
	p.lost = true
	p.Fail(p.Span(open, open+1), "add the missing } behind its last line", "the resource is not closed")
	return false
}

// key reads one statement of a resource. False: the rest of the file cannot be understood.
func (p *resourceParser) key(word Value, r *Resource) bool {
	switch word.Text {
	case "cmd":
		return p.cmd(word, r)
	case "builtin", "logfile", "timeout":
		start := p.At
		for !p.Done() && strings.IndexByte(";{}\n", p.Peek()) < 0 {
			p.At++
		}
		words := p.Pieces(start, p.At, "")
		if p.Peek() != ';' {
			p.Fail(word.Span, "end it with a semicolon: "+word.Text+" "+join(words)+";", "%s lacks its semicolon", word.Text)
			return true
		}
		p.At++
		if len(words) == 0 {
			p.Fail(word.Span, "write "+word.Text+" VALUE;", "%s has no value", word.Text)
			return true
		}
		p.small(word.Text, words, r)
	default:
		hint := p.holdsText()
		if r.Cmd != "" {
			hint = "a semicolon ends cmd: join commands with && or put them into ( )"
		} else if n := syntax.Nearest(word.Text, p.holds()); n != "" {
			hint = "did you mean " + n + "?"
		}
		p.Fail(word.Span, hint, "unknown key %q in a resource", word.Text)
		_, end, _, ok := scanCommand(p.Src, p.At)
		if !ok {
			return false
		}
		p.At = end + 1
	}
	return true
}

func (p *resourceParser) cmd(word Value, r *Resource) bool {
	text, end, bad, ok := scanCommand(p.Src, p.At)
	if !ok {
		what, hint := "cmd lacks its semicolon", "end the command with a semicolon: cmd COMMAND;"
		if bad <= p.At {
			bad = word.Start
		} else {
			what, hint = "what is opened here is not closed", "close the quote or the bracket; the command then ends at its semicolon"
		}
		p.Fail(p.Span(bad, bad+1), hint, "%s", what)
		return false
	}
	if bad > 0 {
		p.Fail(word.Span, "end the command with a semicolon: cmd COMMAND;", "cmd lacks its semicolon: logfile on line %d would be a part of it", p.Span(bad, bad).Line)
	}
	start := p.At
	for start < end && syntax.Blank(p.Src[start]) {
		start++
	}
	at := p.Value(start, end)
	at.Text = text
	p.At = end + 1
	if text == "" {
		p.Fail(word.Span, "write cmd COMMAND;", "cmd is empty")
	}
	if r.Builtin != nil {
		p.Fail(word.Span, "keep one of the two", "a resource has a cmd or a builtin, not both")
	}
	if strings.IndexByte(text, 0) >= 0 {
		p.Fail(word.Span, "take it out", "cmd holds a zero byte")
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
			p.Fail(first.Span, "keep one of the two", "a resource has a cmd or a builtin, not both")
		}
		if !slices.Contains(p.builtins(), first.Text) {
			hint := "the built-in samplers are: " + strings.Join(p.builtins(), " ")
			if n := syntax.Nearest(first.Text, p.builtins()); n != "" {
				hint = "did you mean " + n + "?"
			}
			p.Fail(first.Span, hint, "unknown built-in sampler %q", first.Text)
		}
		r.Builtin = nil
		for _, w := range words {
			r.Builtin = append(r.Builtin, w.Text)
		}
		r.CmdAt = first
	case "logfile":
		if p.ofVM {
			p.Fail(first.Span, "take it out: what is measured of VMs stands in the node's facts", "a vmresource has no log")
			return
		}
		if !one || host.CheckName(first.Text) != nil {
			p.Fail(first.Span, "write for example: logfile cpu-usage;", "logfile is one name without a folder: logs lie in logdir as NODE-NAME")
			return
		}
		r.LogFile = first.Text
	case "timeout":
		d, err := syntax.Duration(join(words), 0)
		if err != nil || d > time.Hour {
			p.Fail(first.Span, "write for example: timeout 20s;", "timeout is a time of at most 1h, not %q", join(words))
			return
		}
		r.Timeout = d
	}
}
