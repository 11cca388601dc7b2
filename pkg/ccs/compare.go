package ccs

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// difference names the first place where two trees say different things, "" if they say the same. White space
// between elements says nothing.
func difference(a, b *etree.Element) string {
	if a.FullTag() != b.FullTag() {
		return fmt.Sprintf("<%s>: it reads <%s>", a.FullTag(), b.FullTag())
	}
	if len(a.Attr) != len(b.Attr) {
		return fmt.Sprintf("<%s>: the number of its attributes", a.FullTag())
	}
	for i, x := range a.Attr {
		if y := b.Attr[i]; x.FullKey() != y.FullKey() || x.Value != y.Value {
			return fmt.Sprintf("<%s>: %s=%q reads %s=%q", a.FullTag(), x.FullKey(), x.Value, y.FullKey(), y.Value)
		}
	}
	left, right := said(a), said(b)
	for i := 0; i < len(left) || i < len(right); i++ {
		if i >= len(left) || i >= len(right) {
			return fmt.Sprintf("the content of <%s>: its length", a.FullTag())
		}
		x, xok := left[i].(*etree.Element)
		y, yok := right[i].(*etree.Element)
		if xok && yok {
			if at := difference(x, y); at != "" {
				return at
			}
			continue
		}
		if xok != yok || left[i] != right[i] {
			return fmt.Sprintf("the content of <%s>: item %d", a.FullTag(), i+1)
		}
	}
	return ""
}

// said lists what an element holds: elements, and all else as comparable strings, neighbouring text joined, its
// white space levelled.
func said(e *etree.Element) []any {
	var out []any
	var text strings.Builder
	flush := func() {
		if s := strings.Join(strings.Fields(text.String()), " "); s != "" {
			out = append(out, "text "+s)
		}
		text.Reset()
	}
	for _, t := range e.Child {
		if c, ok := t.(*etree.CharData); ok {
			text.WriteString(c.Data)
			continue
		}
		flush()
		switch t := t.(type) {
		case *etree.Element:
			out = append(out, t)
		case *etree.Comment:
			out = append(out, "comment "+t.Data)
		case *etree.Directive:
			out = append(out, "directive "+t.Data)
		case *etree.ProcInst:
			out = append(out, "instruction "+t.Target+" "+t.Inst)
		}
	}
	flush()
	return out
}
