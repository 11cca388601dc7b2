package ccs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lbvm/lbvm/internal/splice"
)

// Edit is a change of a document: SetAttr, RemoveAttr, Insert, RemoveElement or Rename.
type Edit interface {
	// plan gives the change of the bytes and, apart from it, what the change means.
	plan(p *plan) error
}

// SetAttr gives an attribute a value. A new attribute stands behind the others.
type SetAttr struct {
	Element     Element
	Name, Value string
}

// RemoveAttr takes an attribute away. That it is not there is ErrNoAttr.
type RemoveAttr struct {
	Element Element
	Name    string
}

// RemoveElement takes an element away with all that it holds, and its line where it stands alone on it. The root stays.
type RemoveElement struct{ Element Element }

// Apply makes the edits, all at once. Their elements belong to d. The new text is parsed and compared with what
// was intended; if the two differ, or two edits claim the same bytes, nothing comes of it.
func (d *Document) Apply(edits ...Edit) (*Document, error) {
	p, err := d.planAll(edits)
	if err != nil {
		return nil, err
	}
	return p.apply()
}

// apply makes what is planned, reads it and compares it with what is meant.
func (p *plan) apply() (*Document, error) {
	d := p.d
	if len(p.splices) == 0 {
		return d, nil
	}
	out, err := splice.Apply(d.src, p.splices)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", d.name, err)
	}
	next, err := newDocument(d.name, out)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w: %w", d.name, ErrDiffers, err)
	}
	if at := p.want.difference(next); at != "" {
		return nil, fmt.Errorf("editing %s: %w: at %s", d.name, ErrDiffers, at)
	}
	return next, nil
}

// plan collects what the edits of one Apply do.
type plan struct {
	d       *Document
	want    *intent
	splices []splice.Edit
	opened  map[*node]int // an empty element that gets children: index of its splice
}

func (d *Document) planAll(edits []Edit) (*plan, error) {
	p := &plan{d: d, want: newIntent(d), opened: map[*node]int{}}
	for _, e := range edits {
		if err := p.add(e); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) add(e Edit) error {
	if err := e.plan(p); err != nil {
		return fmt.Errorf("editing %s: %w", p.d.name, err)
	}
	return nil
}

// free tells whether no edit before has claimed any of these bytes.
func (p *plan) free(start, end int) bool {
	return !slices.ContainsFunc(p.splices, func(e splice.Edit) bool { return e.Start < end && e.End > start })
}

// own gives the element's node if it is one of d.
func (p *plan) own(e Element) (*node, error) {
	if e.n == nil || e.d != p.d {
		return nil, ErrForeign
	}
	return e.n, nil
}

func (p *plan) replace(at span, text string) {
	p.splices = append(p.splices, splice.Edit{Start: at.start, End: at.end, Text: encode(text, p.d.latin1)})
}

func (x SetAttr) plan(p *plan) error {
	n, err := p.own(x.Element)
	if err != nil {
		return err
	}
	if !plainName(x.Name) {
		return fmt.Errorf("%q cannot be the name of an attribute", x.Name)
	}
	if err := checkText(x.Value); err != nil {
		return fmt.Errorf("the value of %s: %w", x.Name, err)
	}
	for _, a := range n.attrs {
		if a.name != x.Name {
			continue
		}
		if old, _ := x.Element.Attr(x.Name); old == x.Value {
			return nil
		}
		p.replace(a.value, escapeValue(x.Value, p.d.src[a.value.end]))
		p.want.of(n).set(x.Name, x.Value)
		return nil
	}
	quote := p.d.quoteNear(n)
	p.replace(span{n.tailStart(), n.tailStart()}, p.d.gapOf(n)+x.Name+"="+quote+escapeValue(x.Value, quote[0])+quote)
	p.want.of(n).set(x.Name, x.Value)
	return nil
}

// gapOf is the white space for in front of a new attribute: a line of its own where the last one has that.
func (d *Document) gapOf(n *node) string {
	if len(n.attrs) < 2 {
		return " "
	}
	gap := d.src[n.attrs[len(n.attrs)-2].whole.end:n.attrs[len(n.attrs)-1].whole.start]
	if bytes.IndexByte(gap, '\n') < 0 {
		return " "
	}
	return string(gap)
}

func (x RemoveAttr) plan(p *plan) error {
	n, err := p.own(x.Element)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(n.attrs, func(a attr) bool { return a.name == x.Name })
	if i < 0 {
		return fmt.Errorf("<%s>: %w: %q", n.tag, ErrNoAttr, x.Name)
	}
	start := n.name.end
	if i > 0 {
		start = n.attrs[i-1].whole.end
	}
	p.replace(span{start, n.attrs[i].whole.end}, "")
	p.want.of(n).unset(x.Name)
	return nil
}

func (x RemoveElement) plan(p *plan) error {
	n, err := p.own(x.Element)
	if err != nil {
		return err
	}
	if n.parent == nil {
		return fmt.Errorf("the root element <%s> cannot be removed", n.tag)
	}
	at := span{n.open.start, n.end()}
	before, after := p.d.blanksBefore(at.start), p.d.blanksAfter(at.end)
	first := p.d.atLineStart(before)
	next, last := p.d.lineEnd(after)
	switch rest := p.d.src[at.end:]; {
	case first && last:
		at = span{before, next}
	case first: // what follows takes over the indentation
		if p.free(at.end, after) {
			at.end = after
		}
	case isSpace(rest[0]) || rest[0] == '<' && !bytes.HasPrefix(rest, []byte("<![")):
		if p.free(before, at.start) { // the blank goes too, unless it parts two words
			at.start = before
		}
	}
	p.replace(at, "")
	parent := p.want.content(n.parent)
	i := parent.index(n)
	if i < 0 {
		return fmt.Errorf("<%s> is removed twice", n.tag)
	}
	parent.remove(i)
	return nil
}

// plainName tells whether a name may be written as that of an attribute or element.
func plainName(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || !isName(s[i], i == 0) {
			return false
		}
	}
	return strings.Count(s, ":") <= 1
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	for _, r := range s {
		if !isChar(r) {
			return fmt.Errorf("character %q may not stand in an XML document", r)
		}
	}
	return nil
}
