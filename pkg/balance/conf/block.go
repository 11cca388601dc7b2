package conf

import (
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance/perl"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// block reads from the brace on; first is the block's first word, head the VM's name or `default`.
func (p *mainParser) block(first, head Value) {
	b := &Block{Head: head}
	keep := true
	if first.Text != "default" || first != head {
		b.VM = head.Text
		switch {
		case first == head && head.Text == "veid":
			p.Fail(head.Span, "write veid 201 {", "veid without a VM")
			keep = false
		case host.CheckName(head.Text) != nil:
			p.Fail(head.Span, "write veid 201 { or veid centos1 {", "%q is not the name of a VM", head.Text)
			keep = false
		}
	}
	open := p.At
	if !p.blockBody(head, b) {
		if !p.lost {
			p.Fail(p.Span(open, open+1), "add the missing } behind the algorithm's last line", "the block of %s is not closed", head.Text)
		}
		p.lost = true
		return
	}
	b.Span = p.Span(first.Start, p.At)
	if keep {
		p.add(b)
	}
}

func (p *mainParser) add(b *Block) {
	old := p.file.Default
	if b.VM != "" {
		old = p.blocks[b.VM]
	}
	if old != nil {
		p.Fail(b.Head.Span, "keep one of the two (veid 201 { and 201 { name the same VM)", "there is a block of %s already, at line %d", b.Head.Text, old.Line)
		return
	}
	if !b.Written {
		p.Fail(b.Head.Span, "add algorithm { ... }", "the block of %s has no algorithm", b.Head.Text)
	}
	if b.VM == "" {
		p.file.Default = b
	} else {
		p.file.Blocks, p.blocks[b.VM] = append(p.file.Blocks, b), b
	}
}

// blockBody reads info and algorithm; p.At stands on the opening brace and ends behind the closing one.
func (p *mainParser) blockBody(head Value, b *Block) bool {
	p.At++
	for p.Space(); !p.Done(); p.Space() {
		word := p.Word()
		switch word.Text {
		case "info":
			p.info(word, b)
		case "algorithm":
			if !p.algorithm(word, b) {
				return false
			}
		case "rail":
			p.blockRail(word, b)
		case "":
			c := p.Peek()
			p.At++
			if c == '}' {
				return true
			}
			if c != ';' {
				p.Fail(p.Span(p.At-1, p.At), "a block holds info TEXT; rail NAME off; and algorithm { ... }", "%q is not expected in the block of %s", c, head.Text)
			}
		default:
			hint := "a block holds info TEXT; rail NAME off; and algorithm { ... }"
			if n := syntax.Nearest(word.Text, []string{"info", "algorithm", "rail"}); n != "" {
				hint = "did you mean " + n + "?"
			}
			p.Fail(word.Span, hint, "unknown key %q in the block of %s", word.Text, head.Text)
			p.Space()
			if p.Peek() != '{' {
				p.Recover()
				continue
			}
			end, err := perl.BlockEndIn(p.text, p.At)
			if err != nil {
				p.lost = true // told as the unknown key
				return false
			}
			p.At = end + 1
		}
	}
	return false
}

// info runs to its semicolon whatever it holds, but not past the line on which an algorithm begins.
func (p *mainParser) info(word Value, b *Block) {
	start := p.At
	end := start
	for end < len(p.Src) && p.Src[end] != ';' {
		if p.Src[end] == '\n' && algorithmAhead(string(p.Src[end:])) {
			break
		}
		end++
	}
	p.At = end
	v := p.Value(start, end)
	v.Text = strings.Join(strings.Fields(v.Text), " ")
	if lead := len(p.Src[start:end]) - len(strings.TrimLeft(string(p.Src[start:end]), " \t\r\n\f\v")); lead < end-start {
		at := p.Span(start+lead, start+len(strings.TrimRight(string(p.Src[start:end]), " \t\r\n\f\v")))
		v.Span = at
	}
	if p.Peek() != ';' {
		p.Fail(v.Span, "write info TEXT;", "info lacks its semicolon")
		return
	}
	p.At++
	if b.HasInfo {
		p.Fail(word.Span, "keep one of the two", "a second info in one block")
	}
	b.Info, b.HasInfo = v, true
}

func algorithmAhead(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t\r\n\f\v"), "algorithm")
	return ok && strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n\f\v"), "{")
}

// algorithm keeps the text between the braces as it is. False: its end is not to be found.
func (p *mainParser) algorithm(word Value, b *Block) bool {
	p.Space()
	if p.Peek() != '{' && p.builtin(word, b) {
		return true
	}
	if p.Peek() != '{' {
		p.Fail(word.Span, "write algorithm { ... }", "algorithm is followed by {")
		p.Recover()
		b.Written = true // told once
		return true
	}
	open := p.At
	end, err := perl.BlockEndIn(p.text, open)
	if err != nil {
		p.Fail(p.Span(open, open+1), "close what is open in it: each { with }, each quote with its like", "the end of the algorithm is not to be found: %s", err)
		p.lost = true
		return false
	}
	if b.Written {
		p.Fail(word.Span, "keep one of the two", "a second algorithm in one block")
	}
	b.Algorithm, b.Written = p.Value(open+1, end), true
	p.At = end + 1
	return true
}
