package ccs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Where says where an Insert puts its element.
type Where int

// The places of Insert, seen from At.
const (
	Into   Where = iota // the last child
	Before              // the sibling in front
	After               // the sibling behind; a comment on the same line stays with At
)

// Insert puts one new element into the document. XML is its text, best made by Markup; how it is laid out there
// does not matter, for indentation, quotes and line ends are taken from the new place.
type Insert struct {
	At    Element
	Where Where
	XML   string
}

// Markup writes an element for Insert: Markup("openvz", []Attr{{Name: "name", Value: "101"}}).
func Markup(tag string, attrs []Attr, children ...string) string {
	var b strings.Builder
	b.WriteString("<" + tag)
	for _, a := range attrs {
		b.WriteString(" " + a.Name + `="` + escapeValue(a.Value, '"') + `"`)
	}
	if len(children) == 0 {
		b.WriteString("/>")
		return b.String()
	}
	b.WriteString(">" + strings.Join(children, "") + "</" + tag + ">")
	return b.String()
}

func (x Insert) plan(p *plan) error {
	n, err := p.own(x.At)
	if err != nil {
		return err
	}
	part, err := fragment(x.XML)
	if err != nil {
		return err
	}
	if n.parent != nil && p.want.changed[n.parent] != nil && p.want.content(n.parent).index(n) < 0 {
		return fmt.Errorf("<%s> is removed by the same edit", n.tag)
	}
	if x.Where == Into {
		p.into(n, part)
		return nil
	}
	if n.parent == nil {
		return fmt.Errorf("nothing can stand beside the root element <%s>", n.tag)
	}
	if x.Where == Before {
		p.before(n, part)
	} else {
		p.after(n, part)
	}
	return nil
}

// fragment reads the element that is to be inserted.
func fragment(source string) (Element, error) {
	d, err := newDocument("the new element", []byte(source))
	if err != nil {
		return Element{}, err
	}
	beside := d.between(nil, d.root.end(), len(d.src))
	if start := d.root.open.start; !isBlank(d.src[:start]) || len(beside) > 1 || len(beside) == 1 && !beside[0].blank() {
		return Element{}, errors.New("the new element: text or markup beside it")
	}
	return d.Root(), nil
}

func (p *plan) into(n *node, part Element) {
	d := p.d
	l := look{quote: d.quoteInside(n), newline: d.newline(n.open.start), unit: d.unit(n)}
	indent, first := d.indentOf(n.open.start)
	inner := indent + d.unit(firstOr(n))
	if n.empty() {
		p.append(n, part, n.open.end)
		// `/>` becomes `>...</tag>`; more children of the same Apply stand behind the first.
		body := l.element(part, inner, first)
		if first {
			body = l.newline + inner + body
		}
		closing := "</" + n.tag + ">"
		if first {
			closing = l.newline + indent + closing
		}
		if i, again := p.opened[n]; again {
			old := p.splices[i].Text
			p.splices[i].Text = append(bytes.TrimSuffix(old, []byte(closing)), append(encode(body, d.latin1), closing...)...)
			return
		}
		p.opened[n] = len(p.splices)
		p.replace(span{n.tailStart(), n.open.end}, "")
		e := &p.splices[len(p.splices)-1]
		e.Text = append(append([]byte(">"), encode(body, d.latin1)...), closing...)
		return
	}
	end := n.close.start
	if last := lastChild(n); last != nil {
		if own, ok := d.indentOf(last.open.start); ok {
			inner = own
		} else if bytes.IndexByte(d.src[n.open.end:end], '\n') < 0 {
			// Children stand on the line of their parent: so does the new one.
			gap := d.src[d.blanksBefore(last.open.start):last.open.start]
			p.append(n, part, end)
			p.replace(span{end, end}, string(gap)+l.element(part, "", false))
			return
		}
	}
	outer, closeFirst := d.indentOf(end)
	if closeFirst {
		end -= len(outer)
	}
	p.append(n, part, end)
	switch at := end; {
	case closeFirst:
		p.replace(span{at, at}, inner+l.element(part, inner, true)+l.newline)
	case first && lastChild(n) == nil:
		p.replace(span{end, end}, l.newline+inner+l.element(part, inner, true)+l.newline+indent)
	case lastChild(n) != nil && bytes.IndexByte(d.src[n.open.end:end], '\n') >= 0:
		p.replace(span{end, end}, l.newline+inner+l.element(part, inner, true))
	default:
		p.replace(span{end, end}, l.element(part, "", false))
	}
}

func (p *plan) before(n *node, part Element) {
	d := p.d
	l := look{quote: d.quoteNear(n), newline: d.newline(n.open.start), unit: d.unit(n)}
	parent := p.want.content(n.parent)
	if indent, ok := d.indentOf(n.open.start); ok {
		at := n.open.start - len(indent)
		parent.insert(parent.index(n), item{kind: kindElement, el: part, at: at})
		p.replace(span{at, at}, indent+l.element(part, indent, true)+l.newline)
		return
	}
	parent.insert(parent.index(n), item{kind: kindElement, el: part, at: n.open.start})
	gap := d.src[d.blanksBefore(n.open.start):n.open.start]
	p.replace(span{n.open.start, n.open.start}, l.element(part, "", false)+string(gap))
}

func (p *plan) after(n *node, part Element) {
	d := p.d
	l := look{quote: d.quoteNear(n), newline: d.newline(n.end()), unit: d.unit(n)}
	indent, first := d.indentOf(n.open.start)
	if !first {
		p.insertBehind(n, part, 0, n.end())
		gap := d.src[d.blanksBefore(n.open.start):n.open.start]
		p.replace(span{n.end(), n.end()}, string(gap)+l.element(part, "", false))
		return
	}
	if next, comments, ok := d.restOfLine(n.end()); ok {
		p.insertBehind(n, part, comments, next)
		p.replace(span{next, next}, indent+l.element(part, indent, true)+l.newline)
		return
	}
	p.insertBehind(n, part, 0, n.end())
	p.replace(span{n.end(), n.end()}, l.newline+indent+l.element(part, indent, true))
}

// restOfLine tells whether only blanks and comments stand between a place and the end of its line, how many
// comments, and where the next line begins.
func (d *Document) restOfLine(at int) (next, comments int, ok bool) {
	for {
		at = d.blanksAfter(at)
		if next, ok := d.lineEnd(at); ok {
			return next, comments, true
		}
		if !bytes.HasPrefix(d.src[at:], []byte("<!--")) {
			return 0, 0, false
		}
		at += bytes.Index(d.src[at:], []byte("-->")) + len("-->")
		comments++
	}
}

// append makes part the last that n is to hold.
func (p *plan) append(n *node, part Element, at int) {
	m := p.want.content(n)
	m.items = append(m.items, item{kind: kindElement, el: part, at: at})
}

// insertBehind puts part behind n, the comments that follow it on its line, and what this Apply has put in up to the same byte.
func (p *plan) insertBehind(n *node, part Element, comments, at int) {
	parent := p.want.content(n.parent)
	i := parent.index(n) + 1
	for comments > 0 {
		if parent.items[i].kind == kindComment {
			comments--
		}
		i++
	}
	for j := i; j < len(parent.items); j++ {
		if other := parent.items[j]; other.kind == kindElement {
			if other.at < 0 || other.at > at {
				break
			}
			i = j + 1
		} else if !other.blank() {
			break
		}
	}
	parent.insert(i, item{kind: kindElement, el: part, at: at})
}

func lastChild(n *node) *node {
	if len(n.children) == 0 {
		return nil
	}
	return n.children[len(n.children)-1]
}

func firstOr(n *node) *node {
	if len(n.children) > 0 {
		return n.children[0]
	}
	return n
}

func (d *Document) quoteInside(n *node) string {
	if last := lastChild(n); last != nil {
		if q := d.quoteOf(last); q != "" {
			return q
		}
	}
	return d.quoteNear(n)
}
