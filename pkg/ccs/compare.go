package ccs

import (
	"bytes"
	"fmt"
)

// intent is what the edits of one Apply mean, kept beside the document: nothing of it is read off the new bytes.
type intent struct {
	d       *Document
	changed map[*node]*meaning
	touched map[*node]bool // what has changed, and all around it
}

// meaning is what an edited element is to say.
type meaning struct {
	attrs []Attr
	items []item // nil: as they were
}

func newIntent(d *Document) *intent {
	return &intent{d, map[*node]*meaning{}, map[*node]bool{}}
}

// of gives the meaning of an element of the document, for a change.
func (in *intent) of(n *node) *meaning {
	m := in.changed[n]
	if m == nil {
		m = &meaning{attrs: Element{in.d, n}.Attrs()}
		in.changed[n] = m
		for up := n; up != nil && !in.touched[up]; up = up.parent {
			in.touched[up] = true
		}
	}
	return m
}

// content gives what an element holds, for a change.
func (in *intent) content(n *node) *meaning {
	m := in.of(n)
	if m.items == nil {
		m.items = Element{in.d, n}.content()
	}
	return m
}

func (m *meaning) set(name, value string) {
	for i := range m.attrs {
		if m.attrs[i].Name == name {
			m.attrs[i].Value = value
			return
		}
	}
	m.attrs = append(m.attrs, Attr{name, value})
}

func (m *meaning) unset(name string) {
	for i := range m.attrs {
		if m.attrs[i].Name == name {
			m.attrs = append(m.attrs[:i], m.attrs[i+1:]...)
			return
		}
	}
}

// index is where an element of the document stands in the content, -1 if it is not there any more.
func (m *meaning) index(n *node) int {
	for i := range m.items {
		if m.items[i].kind == kindElement && m.items[i].el.n == n {
			return i
		}
	}
	return -1
}

func (m *meaning) insert(at int, i item) {
	m.items = append(m.items[:at], append([]item{i}, m.items[at:]...)...)
}

func (m *meaning) remove(at int) {
	m.items = append(m.items[:at], m.items[at+1:]...)
}

// difference names the first place where the new document says something else than was meant, "" if there is none.
// White space between elements says nothing, but all around the root is the same to the byte.
func (in *intent) difference(got *Document) string {
	old, now := in.d, got
	if !bytes.Equal(old.src[:old.root.open.start], now.src[:now.root.open.start]) || !bytes.Equal(old.src[old.root.end():], now.src[now.root.end():]) {
		return "what stands around the root element"
	}
	return in.compare(Element{old, old.root}, Element{now, now.root})
}

func (in *intent) compare(want, got Element) string {
	w, g := want.n, got.n
	if want.d == in.d && !in.touched[w] && want.d.latin1 == got.d.latin1 &&
		bytes.Equal(want.d.src[w.open.start:w.end()], got.d.src[g.open.start:g.end()]) {
		return "" // the same bytes, and both are one whole element
	}
	if w.tag != g.tag {
		return fmt.Sprintf("<%s>: it reads <%s>", w.tag, g.tag)
	}
	var m *meaning
	if want.d == in.d {
		m = in.changed[w]
	}
	attrs := want.Attrs
	if m != nil {
		attrs = func() []Attr { return m.attrs }
	}
	if at := differentAttrs(w.tag, attrs(), got.Attrs()); at != "" {
		return at
	}
	items := want.content
	if m != nil && m.items != nil {
		items = func() []item { return m.items }
	}
	return in.compareContent(w.tag, said(items()), said(got.content()))
}

func differentAttrs(tag string, want, got []Attr) string {
	if len(want) != len(got) {
		return fmt.Sprintf("<%s>: the number of its attributes", tag)
	}
	for i, a := range want {
		if b := got[i]; a != b {
			return fmt.Sprintf("<%s>: %s=%q reads %s=%q", tag, a.Name, a.Value, b.Name, b.Value)
		}
	}
	return ""
}

func (in *intent) compareContent(tag string, want, got []saying) string {
	for i := 0; i < len(want) || i < len(got); i++ {
		if i >= len(want) || i >= len(got) {
			return fmt.Sprintf("the content of <%s>: its length", tag)
		}
		a, b := want[i], got[i]
		if a.kind != b.kind || a.text != b.text {
			return fmt.Sprintf("the content of <%s>: item %d", tag, i+1)
		}
		if a.kind == kindElement {
			if at := in.compare(a.el, b.el); at != "" {
				return at
			}
		}
	}
	return ""
}
