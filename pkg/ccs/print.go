package ccs

import (
	"strings"

	"github.com/beevik/etree"
)

// look is how new text is to look.
type look struct{ quote, newline, unit string }

// element is the text of a new element. lines says that what it holds stands on lines of its own, indent is that of its own line.
func (l look) element(e *etree.Element, indent string, lines bool) string {
	p := printer{look: l}
	p.print(e, indent, lines)
	return p.b.String()
}

// printer writes a new element in the look of its neighbours. It is the only place that makes markup of a tree,
// and what it makes is parsed and compared before it counts.
type printer struct {
	look
	b strings.Builder
}

func (p *printer) print(e *etree.Element, indent string, lines bool) {
	p.b.WriteString("<" + e.FullTag())
	for _, a := range e.Attr {
		p.b.WriteString(" " + a.FullKey() + "=" + p.quote + escapeValue(a.Value, p.quote[0]) + p.quote)
	}
	kids := content(e)
	if len(kids) == 0 {
		p.b.WriteString("/>")
		return
	}
	p.b.WriteString(">")
	mixed := len(kids) == len(e.Child) && hasText(kids)
	for _, k := range kids {
		if lines && !mixed {
			p.b.WriteString(p.newline + indent + p.unit)
		}
		p.token(k, indent+p.unit, lines && !mixed)
	}
	if lines && !mixed {
		p.b.WriteString(p.newline + indent)
	}
	p.b.WriteString("</" + e.FullTag() + ">")
}

func (p *printer) token(t etree.Token, indent string, lines bool) {
	switch t := t.(type) {
	case *etree.Element:
		p.print(t, indent, lines)
	case *etree.CharData:
		p.b.WriteString(escapeText(t.Data))
	case *etree.Comment:
		p.b.WriteString("<!--" + t.Data + "-->")
	case *etree.ProcInst:
		p.b.WriteString("<?" + t.Target + " " + t.Inst + "?>")
	}
}

// content is what an element holds, without the white space between its children if it holds no text.
func content(e *etree.Element) []etree.Token {
	if hasText(e.Child) {
		return e.Child
	}
	var out []etree.Token
	for _, t := range e.Child {
		if !blank(t) {
			out = append(out, t)
		}
	}
	return out
}

func hasText(tokens []etree.Token) bool {
	for _, t := range tokens {
		if _, ok := t.(*etree.CharData); ok && !blank(t) {
			return true
		}
	}
	return false
}

func blank(t etree.Token) bool {
	c, ok := t.(*etree.CharData)
	return ok && strings.Trim(c.Data, " \t\r\n\ufeff") == ""
}
