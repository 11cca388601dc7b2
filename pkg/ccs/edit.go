package ccs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/lbvm/lbvm/internal/splice"
)

// Edit is a change of a document: SetAttr, RemoveAttr, Insert or RemoveElement.
type Edit interface {
	// plan gives the change of the bytes and makes the change of meaning in the intended tree.
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
	if len(p.splices) == 0 {
		return d, nil
	}
	out, err := splice.Apply(d.src, p.splices)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", d.name, err)
	}
	next, err := Parse(d.name, out)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w: %w", d.name, ErrDiffers, err)
	}
	if at := difference(&p.want.Element, &next.tree.Element); at != "" {
		return nil, fmt.Errorf("editing %s: %w: at %s", d.name, ErrDiffers, at)
	}
	return next, nil
}

// plan collects what the edits of one Apply do.
type plan struct {
	d       *Document
	want    *etree.Document
	twins   []*etree.Element // of d.all, in want
	splices []splice.Edit
	opened  map[*node]int          // an empty element that gets children: index of its splice
	added   map[*etree.Element]int // new elements in want: where their text goes
}

func (d *Document) planAll(edits []Edit) (*plan, error) {
	p := &plan{d: d, want: d.tree.Copy(), opened: map[*node]int{}, added: map[*etree.Element]int{}}
	p.twins = elements(&p.want.Element, make([]*etree.Element, 0, len(d.all)))
	for _, e := range edits {
		if err := e.plan(p); err != nil {
			return nil, fmt.Errorf("editing %s: %w", d.name, err)
		}
	}
	return p, nil
}

// own gives the intended tree's element for one of d.
func (p *plan) own(e Element) (*etree.Element, error) {
	if e.n == nil || e.d != p.d {
		return nil, ErrForeign
	}
	return p.twins[e.n.index], nil
}

func (p *plan) replace(at span, text string) {
	p.splices = append(p.splices, splice.Edit{Start: at.start, End: at.end, Text: encode(text, p.d.latin1)})
}

func (x SetAttr) plan(p *plan) error {
	twin, err := p.own(x.Element)
	if err != nil {
		return err
	}
	if !plainName(x.Name) {
		return fmt.Errorf("%q cannot be the name of an attribute", x.Name)
	}
	if err := checkText(x.Value); err != nil {
		return fmt.Errorf("the value of %s: %w", x.Name, err)
	}
	n := x.Element.n
	for _, a := range n.attrs {
		if a.name != x.Name {
			continue
		}
		if old, _ := x.Element.Attr(x.Name); old == x.Value {
			return nil
		}
		p.replace(a.value, escapeValue(x.Value, p.d.src[a.value.end]))
		twin.CreateAttr(x.Name, x.Value)
		return nil
	}
	quote := p.d.quoteNear(n)
	p.replace(span{n.tailStart(), n.tailStart()}, p.d.gapOf(n)+x.Name+"="+quote+escapeValue(x.Value, quote[0])+quote)
	twin.CreateAttr(x.Name, x.Value)
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
	twin, err := p.own(x.Element)
	if err != nil {
		return err
	}
	n := x.Element.n
	i := slices.IndexFunc(n.attrs, func(a attr) bool { return a.name == x.Name })
	if i < 0 {
		return fmt.Errorf("<%s>: %w: %q", n.tag, ErrNoAttr, x.Name)
	}
	start := n.name.end
	if i > 0 {
		start = n.attrs[i-1].whole.end
	}
	p.replace(span{start, n.attrs[i].whole.end}, "")
	twin.RemoveAttr(x.Name)
	return nil
}

func (x RemoveElement) plan(p *plan) error {
	twin, err := p.own(x.Element)
	if err != nil {
		return err
	}
	n := x.Element.n
	if n.parent == nil {
		return fmt.Errorf("the root element <%s> cannot be removed", n.tag)
	}
	at := span{n.open.start, n.end()}
	before, after := p.d.blanksBefore(at.start), p.d.blanksAfter(at.end)
	if p.d.atLineStart(before) {
		if next, ok := p.d.lineEnd(after); ok {
			at = span{before, next}
		}
	} else if rest := p.d.src[at.end:]; isSpace(rest[0]) || rest[0] == '<' && !bytes.HasPrefix(rest, []byte("<![")) {
		at.start = before // the blank goes too, unless it parts two words
	}
	p.replace(at, "")
	if twin.Parent() == nil {
		return fmt.Errorf("<%s> is removed twice", n.tag)
	}
	twin.Parent().RemoveChild(twin)
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
	for _, r := range s {
		if !isChar(r) {
			return fmt.Errorf("character %q may not stand in an XML document", r)
		}
	}
	return nil
}
