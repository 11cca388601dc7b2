package conf

import (
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// rail reads what stands behind the word rail.
func (p *mainParser) rail(key Value, words []Value) (RailSwitch, bool) {
	if len(words) != 2 || (words[1].Text != "on" && words[1].Text != "off") {
		p.Fail(key.Span, "write for example: rail cycle-guard off;", "rail is followed by its name and on or off")
		return RailSwitch{}, false
	}
	name := words[0]
	switch {
	case slices.Contains(FixedRails(), name.Text):
		p.Fail(name.Span, "take the line out: without it nothing could be trusted", "the rail %s cannot be switched", name.Text)
		return RailSwitch{}, false
	case !slices.Contains(Rails(), name.Text):
		hint := "the rails are: " + strings.Join(Rails(), " ")
		if n := syntax.Nearest(name.Text, Rails()); n != "" {
			hint = "did you mean " + n + "?"
		}
		p.Fail(name.Span, hint, "unknown rail %q", name.Text)
		return RailSwitch{}, false
	}
	return RailSwitch{Name: name, On: words[1].Text == "on"}, true
}

// blockRail reads a rail's switch in a block.
func (p *mainParser) blockRail(word Value, b *Block) {
	start := p.At
	for !p.Done() && strings.IndexByte(";{}\n", p.Peek()) < 0 {
		p.At++
	}
	words := p.Pieces(start, p.At, "")
	if p.Peek() != ';' {
		p.Fail(word.Span, "end it with a semicolon: rail "+join(words)+";", "rail lacks its semicolon")
		return
	}
	p.At++
	if r, ok := p.rail(word, words); ok {
		b.Rails = append(b.Rails, r)
	}
}

// builtin reads `algorithm NAME;`. False: this is none.
func (p *mainParser) builtin(word Value, b *Block) bool {
	before := p.At
	name := p.Word()
	p.Space()
	if name.Text == "" || p.Peek() != ';' {
		p.At = before
		return false
	}
	p.At++
	if !slices.Contains(Algorithms(), name.Text) {
		p.Fail(name.Span, "the built-in algorithms are: "+strings.Join(Algorithms(), " ")+"; one of your own stands in braces", "unknown algorithm %q", name.Text)
	}
	if b.Written {
		p.Fail(word.Span, "keep one of the two", "a second algorithm in one block")
	}
	b.Algorithm, b.Builtin, b.Written = name, true, true
	return true
}

// neighbours reads the VMs of apart and together.
func (p *mainParser) neighbours(s Statement) [][]string {
	var list []string
	for _, v := range s.Items {
		if host.CheckName(v.Text) != nil {
			p.Fail(v.Span, "write the VMs with commas between them: "+s.Key.Text+" 201, 202;", "%q is not the name of a VM", v.Text)
			return nil
		}
		if slices.Contains(list, v.Text) {
			p.Fail(v.Span, "take one of the two out", "VM %q stands in %s twice", v.Text, s.Key.Text)
			return nil
		}
		list = append(list, v.Text)
	}
	if len(list) < 2 {
		p.Fail(s.Value.Span, "name two VMs or more: "+s.Key.Text+" 201, 202;", "%s needs two VMs", s.Key.Text)
		return nil
	}
	return [][]string{list}
}
