package conf

import (
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance/perl"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// keys are the statements of lbvm.conf.
func keys() []string {
	return []string{"sharedstorage", "resources", "logdir", "virtualization", "balance", "interval", "stale", "settle", "cooldown", "rail", "apart", "together", "logs", "notify", "metrics", "cluster"}
}

// Parse reads lbvm.conf. The File is nil if one of the diagnostics is an error: half a configuration decides nothing.
func Parse(name string, src []byte) (*File, []Diagnostic) {
	f, diags := Examine(name, src)
	if HasErrors(diags) {
		return nil, diags
	}
	return f, diags
}

// Examine is Parse for who only looks: the File holds what could be read of it though there are errors.
func Examine(name string, src []byte) (*File, []Diagnostic) {
	p := &mainParser{text: string(src), Scanner: syntax.NewScanner(name, src), file: &File{Name: name, Src: src}, blocks: map[string]*Block{}}
	p.parse()
	p.settings()
	p.compare()
	Sort(p.Diags)
	return p.file, p.Diags
}

type mainParser struct {
	*syntax.Scanner
	file   *File
	text   string            // the source once more
	blocks map[string]*Block // those of file, by their VM
	lost   bool              // a block's end was not found: nothing behind it was read
}

func (p *mainParser) parse() {
	for p.Space(); !p.Done() && !p.lost; p.Space() {
		first := p.Word()
		if first.Text == "" {
			p.stray()
			continue
		}
		p.Space()
		switch {
		case p.Peek() == '{':
			p.block(first, first)
		case first.Text == "veid":
			p.veid(first)
		case slices.Contains(keys(), first.Text):
			p.statement(first)
		default:
			p.unknown(first)
		}
	}
}

func (p *mainParser) stray() {
	at := p.Span(p.At, p.At+1)
	c := p.Peek()
	p.At++
	switch c {
	case ';': // an empty statement
	case '}':
		p.Fail(at, "take it out, or look for the block that ended too early above", "a } that closes nothing")
	default:
		p.Fail(at, "write KEY VALUE; or veid VM {", "%q begins neither a statement nor a block", c)
	}
}

func (p *mainParser) unknown(word Value) {
	hint := "the keys are: " + strings.Join(keys(), " ") + "; a block is written veid VM { ... } or default { ... }"
	if n := syntax.Nearest(word.Text, append(keys(), "veid", "default")); n != "" {
		hint = "did you mean " + n + "?"
	}
	p.Fail(word.Span, hint, "unknown key %q", word.Text)
	// What follows may be a value or, if the word is a misspelt veid, a block: go on behind it.
	rest := p.Src[p.At:p.LineEnd(p.At)]
	brace := slices.Index(rest, '{')
	if brace < 0 || slices.Contains(rest[:brace], ';') {
		p.Recover()
		return
	}
	end, err := perl.BlockEndIn(p.text, p.At+brace)
	if err != nil {
		p.lost = true
		return
	}
	p.At = end + 1
}

func (p *mainParser) veid(first Value) {
	name := p.Word()
	p.Space()
	if name.Text == "" || p.Peek() != '{' {
		p.Fail(first.Span, "write veid 201 { info TEXT; algorithm { ... } }", "veid is followed by a VM and {")
		p.Recover()
		return
	}
	p.block(first, name)
}

// statement reads the value of a known key up to its semicolon.
func (p *mainParser) statement(key Value) {
	end, ok := p.valueEnd(key)
	start := p.At
	p.At = end
	if ok {
		p.At++
	}
	words := p.Pieces(start, end, "")
	s := Statement{Key: key, Span: p.Span(key.Start, p.At)}
	s.Value = p.trimmed(start, end)
	s.Value.Text = join(words)
	if !ok {
		at := s.Value.Span
		p.Fail(p.Span(max(at.End, key.End)-1, max(at.End, key.End)), "end it with a semicolon: "+key.Text+" "+s.Value.Text+";", "%s lacks its semicolon", key.Text)
		return
	}
	if old, twice := p.file.Statement(key.Text); twice && !slices.Contains([]string{"rail", "apart", "together", "notify"}, key.Text) {
		p.Fail(key.Span, "take one of the two out", "%s was given already, at line %d", key.Text, old.Line)
		return
	}
	if key.Text == "balance" || key.Text == "apart" || key.Text == "together" {
		s.Items = p.Pieces(start, end, ",")
	}
	if key.Text == "balance" {
		// may be empty
	} else if len(words) == 0 {
		p.Fail(key.Span, "write "+key.Text+" VALUE;", "%s has no value", key.Text)
		return
	}
	p.file.Statements = append(p.file.Statements, s)
}

// valueEnd finds the semicolon of a value, or the place where it was forgotten.
func (p *mainParser) valueEnd(key Value) (end int, ok bool) {
	for i := p.At; i < len(p.Src); i++ {
		switch c := p.Src[i]; {
		case c == ';':
			return i, true
		case c == '{' || c == '}':
			return i, false
		case c == '#' && (i == 0 || syntax.Blank(p.Src[i-1])):
			i = p.LineEnd(i) - 1
		case c == '\n' && i > p.At && p.newStatement(key, i):
			return i, false
		}
	}
	return len(p.Src), false
}

// newStatement tells whether the line behind the break at i begins a statement of its own.
func (p *mainParser) newStatement(key Value, i int) bool {
	ahead := *p.Scanner
	ahead.At = i
	ahead.Space()
	if ahead.Done() || ahead.Peek() == ';' {
		return false
	}
	if key.Text != "balance" {
		return len(p.Pieces(p.At, i, "")) > 0
	}
	word := ahead.Word()
	ahead.Space()
	return ahead.Peek() == '{' || (ahead.Peek() != ',' && ahead.Peek() != ';' && (word.Text == "veid" || slices.Contains(keys(), word.Text)))
}

// trimmed is the text of [start, end) without the blanks and comments around it.
func (p *mainParser) trimmed(start, end int) Value {
	w := p.Pieces(start, end, "")
	if len(w) == 0 {
		return p.Value(start, start)
	}
	return p.Value(w[0].Start, w[len(w)-1].End)
}

func join(words []Value) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = w.Text
	}
	return strings.Join(text, " ")
}

// settings gives the statements their meaning.
func (p *mainParser) settings() {
	f := p.file
	f.Paths = Paths{Resources: DefaultResources, LogDir: DefaultLogDir}
	f.Interval, f.Cooldown = DefaultInterval, DefaultCooldown
	if s, ok := f.Statement("interval"); ok {
		f.Interval = p.duration(s, 0)
	}
	f.Stale, f.Settle = DefaultStale*f.Interval, DefaultSettle*f.Interval
	for _, s := range f.Statements {
		switch s.Key.Text {
		case "sharedstorage":
			f.Paths.SharedStorage = p.path(s)
		case "resources":
			f.Paths.Resources = p.path(s)
		case "logdir":
			f.Paths.LogDir = p.path(s)
		case "virtualization":
			f.Virtualization = s.Value.Text
			if host.CheckName(s.Value.Text) != nil {
				p.Fail(s.Value.Span, "write for example: virtualization openvz;", "virtualization is one name, not %q", s.Value.Text)
			}
		case "balance":
			p.balance(s)
		case "stale":
			f.Stale = p.duration(s, f.Interval)
		case "settle":
			f.Settle = p.duration(s, f.Interval)
		case "cooldown":
			s.Value.Text, f.CooldownFixed = strings.CutSuffix(s.Value.Text, " fixed")
			f.Cooldown = p.duration(s, 0)
		case "logs":
			if f.Push = s.Value.Text == "push"; !f.Push {
				p.Fail(s.Value.Span, "write logs push; or leave it out", "logs says how they come to the other nodes: push, not %q", s.Value.Text)
			}
		case "rail":
			if r, ok := p.rail(s.Key, p.Pieces(s.Key.End, s.Value.End, "")); ok {
				f.Rails = append(f.Rails, r)
			}
		case "apart":
			f.Apart = append(f.Apart, p.neighbours(s)...)
		case "together":
			f.Together = append(f.Together, p.neighbours(s)...)
		case "notify":
			if n, ok := p.notify(s); ok {
				f.Notify = append(f.Notify, n)
			}
		case "metrics":
			f.Paths.Metrics = p.path(s)
		case "cluster":
			if f.Cluster = s.Value.Text; !slices.Contains(Clusters(), f.Cluster) {
				f.Cluster = ""
				p.Fail(s.Value.Span, "write cluster rgmanager; or cluster pacemaker; or leave it out: it is found out", "cluster names the cluster manager, and %q is none", s.Value.Text)
			}
		}
	}
	if f.Stale < f.Interval {
		if s, ok := f.Statement("stale"); ok {
			p.Fail(s.Value.Span, "write stale 3 intervals;", "data would be stale before the next is due: %s is less than the interval of %s", f.Stale, f.Interval)
		}
	}
}

func (p *mainParser) path(s Statement) string {
	if !strings.HasPrefix(s.Value.Text, "/") || strings.ContainsAny(s.Value.Text, " \x00") {
		p.Fail(s.Value.Span, "write "+s.Key.Text+" /AN/ABSOLUTE/PATH;", "%s is an absolute path without blanks, not %q", s.Key.Text, s.Value.Text)
		return ""
	}
	return s.Value.Text
}

func (p *mainParser) balance(s Statement) {
	seen := map[string]bool{}
	for _, v := range s.Items {
		switch {
		case host.CheckName(v.Text) != nil:
			p.Fail(v.Span, "write the VMs with commas between them: balance 201, 202;", "%q is not the name of a VM", v.Text)
		case seen[v.Text]:
			p.Warn(v.Span, "take one of the two out", "VM %q stands in balance twice", v.Text)
		default:
			seen[v.Text] = true
			p.file.Balance = append(p.file.Balance, v.Text)
		}
	}
}

// compare looks at what the parts say of each other.
func (p *mainParser) compare() {
	listed := map[string]bool{} // 201 and openvz:201 may mean the same VM
	for _, vm := range p.file.Balance {
		listed[vm] = true
		if _, bare, typed := strings.Cut(vm, ":"); typed {
			listed[bare] = true
		}
	}
	for _, b := range p.file.Blocks {
		_, bare, typed := strings.Cut(b.VM, ":")
		if !listed[b.VM] && !(typed && listed[bare]) {
			p.Warn(b.Head.Span, "add it to balance, or take the block out", "VM %q is not in balance: its block has no effect", b.VM)
		}
	}
}

// duration reads `30s 10m 2h 1d`; where an interval is given also `3` and `3 intervals`.
func (p *mainParser) duration(s Statement, interval time.Duration) time.Duration {
	hint := "write a time with its unit: " + s.Key.Text + " 90s; (or m, h, d)"
	if n := strings.TrimLeft(s.Value.Text, "0123456789"); n == "" {
		hint = "write a time with its unit: " + s.Key.Text + " " + s.Value.Text + "s; (or m, h, d)"
	}
	if interval > 0 {
		hint = "write " + s.Key.Text + " 3 intervals; or a time with its unit: " + s.Key.Text + " 3m;"
	}
	d, err := syntax.Duration(s.Value.Text, interval)
	if err != nil {
		p.Fail(s.Value.Span, hint, "%s: %s", s.Key.Text, err)
		return max(interval, DefaultInterval)
	}
	return d
}
