package ccs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// query is the document as a tree of etree, made when somebody first asks for it.
type query struct {
	tree   *etree.Document
	byTwin map[*etree.Element]int // index into all
	err    error
}

// readTree reads the same bytes with etree and pairs its elements with ours. The two readers must agree.
func (d *Document) readTree() *query {
	d.once.Do(func() {
		q := &d.query
		q.tree = etree.NewDocument()
		q.tree.ReadSettings.MaxDepth = MaxDepth + 1
		if err := q.tree.ReadFromBytes(toUTF8(d.src, d.latin1)); err != nil {
			q.err = d.disagree(err)
			return
		}
		twins := elements(&q.tree.Element, make([]*etree.Element, 0, len(d.all)))
		if len(twins) != len(d.all) {
			q.err = d.readTwice(0)
			return
		}
		q.byTwin = make(map[*etree.Element]int, len(twins))
		for i, t := range twins {
			n := d.all[i]
			if t.FullTag() != n.tag || len(t.Attr) != len(n.attrs) {
				q.err = d.readTwice(n.open.start)
				return
			}
			q.byTwin[t] = i
		}
	})
	return &d.query
}

// elements lists the elements below e in document order.
func elements(e *etree.Element, out []*etree.Element) []*etree.Element {
	for _, t := range e.Child {
		if c, ok := t.(*etree.Element); ok {
			out = elements(c, append(out, c))
		}
	}
	return out
}

// Tree is a copy of the document as a tree, for queries that the views do not answer.
func (d *Document) Tree() (*etree.Document, error) {
	q := d.readTree()
	if q.err != nil {
		return nil, q.err
	}
	return q.tree.Copy(), nil
}

// Find gives the elements that a path of etree selects, in document order.
func (d *Document) Find(path string) ([]Element, error) {
	p, err := etree.CompilePath(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	q := d.readTree()
	if q.err != nil {
		return nil, q.err
	}
	var found []int
	for _, t := range q.tree.FindElementsPath(p) {
		if i, ok := q.byTwin[t]; ok { // the document itself is no element of it
			found = append(found, i)
		}
	}
	slices.Sort(found)
	out := make([]Element, 0, len(found))
	for _, i := range slices.Compact(found) {
		out = append(out, Element{d, d.all[i]})
	}
	return out, nil
}

// reread reads the bytes a second time, with encoding/xml, and compares every element, every attribute and their
// places. A mistake of the scanner, which plans edits and checks them, would show here before a file is written.
func (d *Document) reread() error {
	dec := xml.NewDecoder(bytes.NewReader(toUTF8(d.src, d.latin1)))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	open, next := make([]*node, 0, 16), 0
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			if next != len(d.all) || len(open) > 0 {
				return d.readTwice(len(d.src))
			}
			return nil
		}
		if err != nil {
			return d.disagree(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if next == len(d.all) {
				return d.readTwice(len(d.src))
			}
			n := d.all[next]
			if !d.sameTag(n, token) || n.parent != innermost(open) || !d.sameEnd(n.open.end, dec.InputOffset()) {
				return d.readTwice(n.open.start)
			}
			open, next = append(open, n), next+1
		case xml.EndElement:
			n := innermost(open)
			if n == nil || !d.sameEnd(n.end(), dec.InputOffset()) {
				return d.readTwice(int(dec.InputOffset()))
			}
			open = open[:len(open)-1]
		}
	}
}

func innermost(open []*node) *node {
	if len(open) == 0 {
		return nil
	}
	return open[len(open)-1]
}

// sameEnd compares places. Those of a Latin-1 document count in other bytes.
func (d *Document) sameEnd(ours int, theirs int64) bool { return d.latin1 || int64(ours) == theirs }

func (d *Document) sameTag(n *node, t xml.StartElement) bool {
	if !sameName(n.tag, t.Name) || len(n.attrs) != len(t.Attr) {
		return false
	}
	for i, a := range n.attrs {
		if !sameName(a.name, t.Attr[i].Name) || levelled(d.value(a)) != levelled(t.Attr[i].Value) {
			return false
		}
	}
	return true
}

func sameName(ours string, theirs xml.Name) bool {
	if theirs.Space == "" {
		return ours == theirs.Local
	}
	return len(ours) == len(theirs.Space)+1+len(theirs.Local) && strings.HasPrefix(ours, theirs.Space) && strings.HasSuffix(ours, theirs.Local)
}

// levelled makes white space in a value alike: encoding/xml leaves raw tabs and line ends, which mean a blank.
func levelled(v string) string {
	if !strings.ContainsAny(v, "\t\r\n") {
		return v
	}
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, v)
}

func (d *Document) readTwice(at int) error {
	line, col := d.Position(at)
	return &SyntaxError{d.name, line, col, "this part of the document is read in two ways: is its markup sound?", nil}
}

func (d *Document) disagree(err error) error {
	e := &SyntaxError{d.name, 1, 1, err.Error(), nil}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		e.Line, e.Msg = syntax.Line, syntax.Msg
	}
	return e
}
