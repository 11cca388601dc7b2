package ccs

import "strings"

// look is how new text is to look.
type look struct{ quote, newline, unit string }

// element is the text of a new element. lines says that what it holds stands on lines of its own, indent is that of its own line.
func (l look) element(e Element, indent string, lines bool) string {
	p := printer{look: l}
	p.print(e, indent, lines)
	return p.b.String()
}

// printer writes a new element in the look of its neighbours. It is the only place that makes markup of elements,
// and what it makes is parsed and compared before it counts.
type printer struct {
	look
	b strings.Builder
}

func (p *printer) print(e Element, indent string, lines bool) {
	p.b.WriteString("<" + e.Tag())
	for _, a := range e.Attrs() {
		p.b.WriteString(" " + a.Name + "=" + p.quote + escapeValue(a.Value, p.quote[0]) + p.quote)
	}
	items := e.content()
	mixed := hasText(items)
	lines = lines && !mixed
	empty := true
	for _, i := range items {
		if i.blank() && !mixed {
			continue
		}
		if empty {
			p.b.WriteString(">")
			empty = false
		}
		if lines {
			p.b.WriteString(p.newline + indent + p.unit)
		}
		p.item(i, indent+p.unit, lines)
	}
	if empty {
		p.b.WriteString("/>")
		return
	}
	if lines {
		p.b.WriteString(p.newline + indent)
	}
	p.b.WriteString("</" + e.Tag() + ">")
}

func (p *printer) item(i item, indent string, lines bool) {
	switch i.kind {
	case kindElement:
		p.print(i.el, indent, lines)
	case kindText, kindCDATA:
		p.b.WriteString(p.lineEnds(escapeText(i.text())))
	case kindComment:
		p.b.WriteString("<!--" + p.lineEnds(i.text()) + "-->")
	case kindInstruction:
		p.b.WriteString("<?" + p.lineEnds(i.text()) + "?>")
	}
}

// lineEnds gives text of several lines the line ends of its new place.
func (p *printer) lineEnds(s string) string {
	if p.newline == "\n" {
		return s
	}
	return strings.ReplaceAll(s, "\n", p.newline)
}
