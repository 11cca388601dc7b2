package vmexec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/pkg/syntax"
)

// words reads a value up to its semicolon, which it passes. false: the value is at fault, and it was told; what follows can
// be read.
func (p *parser) words(key syntax.Value, allowed []string) ([]word, bool) {
	var out []word
	ok := true
	for {
		p.blanks()
		switch c := p.Peek(); {
		case p.Done() || c == '}' || c == '{' || c == '\n':
			at := p.At
			if c == '{' {
				p.Fail(p.Span(at, at+1), `put it into quotes: "{"`, "a { stands in the value of %s", key.Text)
				p.skip()
				return nil, false
			}
			if c == '\n' && p.continues() {
				p.Space()
				continue
			}
			end := lastByte(p.Src, at)
			p.Fail(p.Span(end, end+1), "end it with a semicolon", "%s lacks its semicolon", key.Text)
			return nil, false
		case c == ';':
			p.At++
			return out, ok
		case c == '#':
			p.At = p.LineEnd(p.At)
		default:
			w, good := p.oneWord(allowed)
			if w == nil { // what is behind it cannot be told apart
				p.skip()
				return nil, false
			}
			ok = ok && good
			out = append(out, *w)
		}
	}
}

// blanks passes over blanks within the line.
func (p *parser) blanks() {
	for !p.Done() && p.Peek() != '\n' && syntax.Blank(p.Peek()) {
		p.At++
	}
}

// continues tells whether the value goes on in the next line: it does unless a statement begins there.
func (p *parser) continues() bool {
	ahead := *p.Scanner
	ahead.Space()
	if ahead.Done() || ahead.Peek() == '}' {
		return false
	}
	first := ahead.Word()
	return !slices.Contains(p.begins(), first.Text)
}

// lastByte is the offset of the last byte before at that is no blank.
func lastByte(src []byte, at int) int {
	for at > 0 && (at >= len(src) || syntax.Blank(src[at])) {
		at--
	}
	return at
}

// skip goes on behind the next semicolon, but not past the line or a brace that closes.
func (p *parser) skip() {
	for !p.Done() && p.Peek() != '\n' && p.Peek() != '}' {
		p.At++
		if p.Src[p.At-1] == ';' {
			return
		}
	}
}

// oneWord reads one word with its quotes and placeholders. It is nil where a quote is not closed; good is false where a
// placeholder is at fault.
func (p *parser) oneWord(allowed []string) (_ *word, good bool) {
	first, good := p.At, true
	var parts []part
	add := func(text string) {
		if n := len(parts); n > 0 && parts[n-1].holder == "" {
			parts[n-1].text += text
		} else {
			parts = append(parts, part{text: text})
		}
	}
	quote := byte(0)
	for !p.Done() {
		c := p.Peek()
		switch {
		case quote == 0 && (syntax.Blank(c) || strings.IndexByte(";{}", c) >= 0):
			return &word{parts, p.Span(first, p.At)}, good
		case quote != 0 && c == quote:
			quote = 0
			p.At++
			add("")
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			p.At++
			add("")
		case c == '\n':
			p.Fail(p.Span(first, first+1), "close the quote in the same line", "a quote is not closed")
			return nil, false
		case c == '%' && bytes.HasPrefix(p.Src[p.At:], []byte("%%{")):
			p.At += 3
			add("%{")
		case c == '%' && bytes.HasPrefix(p.Src[p.At:], []byte("%{")):
			holder, ok := p.holder(allowed)
			if good = good && ok; ok {
				parts = append(parts, part{holder: holder})
			}
		case c == 0:
			p.Fail(p.Span(p.At, p.At+1), "take it out", "a zero byte")
			p.At++
			good = false
		default:
			add(string(p.Src[p.At : p.At+1]))
			p.At++
		}
	}
	if quote != 0 {
		p.Fail(p.Span(first, first+1), "close the quote", "a quote is not closed")
		return nil, false
	}
	return &word{parts, p.Span(first, p.At)}, good
}

// holder reads %{NAME}.
func (p *parser) holder(allowed []string) (string, bool) {
	start := p.At
	rest := p.Src[p.At+2 : p.LineEnd(p.At)]
	end := bytes.IndexByte(rest, '}')
	if end < 0 || end > 20 {
		p.At += 2
		p.Fail(p.Span(start, start+2), "write %{name}, or %%{ for the characters %{", "a placeholder is not closed")
		return "", false
	}
	name := string(rest[:end])
	p.At += 2 + end + 1
	if slices.Contains(allowed, name) {
		return name, true
	}
	hint := "here may stand " + braced(allowed)
	if len(allowed) == 0 {
		hint = "nothing is put in here"
	} else if n := syntax.Nearest(name, allowed); n != "" {
		hint = "did you mean %{" + n + "}?"
	}
	p.Fail(p.Span(start, p.At), hint, "%%{%s} means nothing here", name)
	return "", false
}

func braced(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, "%{"+n+"}")
	}
	return strings.Join(out, " ")
}
