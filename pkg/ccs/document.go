package ccs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/beevik/etree"
)

// Document is a parsed cluster.conf. It does not change: Apply gives a new one. It may be used by many goroutines.
type Document struct {
	name   string
	src    []byte
	latin1 bool
	root   *node
	all    []*node // in document order
	tree   *etree.Document
	twins  []*etree.Element       // of all, in the same order
	byTwin map[*etree.Element]int // index into all
	lines  []int                  // offset of each line
}

// Element is one element of a document and knows its bytes. The zero Element stands for none.
type Element struct {
	d *Document
	n *node
}

// Attr is an attribute with its value as the cluster reads it.
type Attr struct{ Name, Value string }

// Parse reads a document. name is what messages call it. Errors are of type *SyntaxError.
func Parse(name string, src []byte) (*Document, error) {
	if len(src) > MaxBytes {
		return nil, &SyntaxError{name, 1, 1, fmt.Sprintf("%d bytes, more than %d", len(src), MaxBytes), ErrTooBig}
	}
	if wide := wideEncoding(src); wide != "" {
		return nil, &SyntaxError{name, 1, 1, wide, ErrEncoding}
	}
	s := scanner{src: bytes.Clone(src)}
	if err := s.document(); err != nil {
		line, col := position(src, err.at, s.latin1)
		return nil, &SyntaxError{name, line, col, err.msg, err.err}
	}
	d := &Document{name: name, src: s.src, latin1: s.latin1, root: s.root, all: s.all}
	if err := d.readTree(); err != nil {
		return nil, err
	}
	d.lines = append(d.lines, 0)
	for i, b := range d.src {
		if b == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	return d, nil
}

// Load parses a file.
func Load(path string) (*Document, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1)) // Parse refuses what is over the limit
	if err != nil {
		return nil, fmt.Errorf("reading the cluster configuration: %w", err)
	}
	return b, nil
}

func wideEncoding(src []byte) string {
	switch {
	case bytes.HasPrefix(src, []byte("\xfe\xff")), bytes.HasPrefix(src, []byte("\xff\xfe")):
		return "UTF-16 is not read here, only UTF-8 and ISO-8859-1"
	case bytes.IndexByte(src[:min(len(src), 4)], 0) >= 0:
		return "this is binary data, not an XML document"
	}
	return ""
}

// readTree reads the same bytes with etree and pairs its elements with ours. The two readers must agree.
func (d *Document) readTree() error {
	d.tree = etree.NewDocument()
	d.tree.ReadSettings.MaxDepth = MaxDepth + 1
	if err := d.tree.ReadFromBytes(toUTF8(d.src, d.latin1)); err != nil {
		e := &SyntaxError{d.name, 1, 1, err.Error(), nil}
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			e.Line, e.Msg = syntax.Line, syntax.Msg
		}
		return e
	}
	d.twins = elements(&d.tree.Element, make([]*etree.Element, 0, len(d.all)))
	d.byTwin = make(map[*etree.Element]int, len(d.all))
	if len(d.twins) != len(d.all) {
		return &SyntaxError{d.name, 1, 1, "the document is read in two ways: is its markup sound?", nil}
	}
	for i, t := range d.twins {
		n := d.all[i]
		if t.FullTag() != string(toUTF8([]byte(n.tag), d.latin1)) || len(t.Attr) != len(n.attrs) {
			line, col := position(d.src, n.open.start, d.latin1)
			return &SyntaxError{d.name, line, col, fmt.Sprintf("the element <%s> is read in two ways: is its markup sound?", n.tag), nil}
		}
		d.byTwin[t] = i
	}
	return nil
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

// Name is what the document was called in Parse.
func (d *Document) Name() string { return d.name }

// Bytes is a copy of the document's text.
func (d *Document) Bytes() []byte { return bytes.Clone(d.src) }

// Tree is a copy of the document as a tree, for queries that the views do not answer.
func (d *Document) Tree() *etree.Document { return d.tree.Copy() }

// Root is the root element.
func (d *Document) Root() Element { return Element{d, d.root} }

// Find gives the elements that a path of etree selects, in document order.
func (d *Document) Find(path string) ([]Element, error) {
	p, err := etree.CompilePath(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	var found []int
	for _, t := range d.tree.FindElementsPath(p) {
		if i, ok := d.byTwin[t]; ok { // the document itself is no element of it
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

// Position is the line and column of an offset, from 1.
func (d *Document) Position(offset int) (line, col int) {
	i, found := slices.BinarySearch(d.lines, offset)
	if !found {
		i--
	}
	_, col = position(d.src[d.lines[i]:min(offset, len(d.src))], offset-d.lines[i], d.latin1)
	return i + 1, col
}

// IsZero tells whether e stands for no element.
func (e Element) IsZero() bool { return e.n == nil }

// Tag is the element's name, with its prefix if it has one.
func (e Element) Tag() string { return e.n.tag }

// Attr is the value of an attribute and whether it is there.
func (e Element) Attr(name string) (string, bool) {
	for _, a := range e.n.attrs {
		if a.name == name {
			return decodeValue(e.d.src[a.value.start:a.value.end], e.d.latin1), true
		}
	}
	return "", false
}

// Attrs gives all attributes in their order.
func (e Element) Attrs() []Attr {
	out := make([]Attr, 0, len(e.n.attrs))
	for _, a := range e.n.attrs {
		out = append(out, Attr{a.name, decodeValue(e.d.src[a.value.start:a.value.end], e.d.latin1)})
	}
	return out
}

// Parent is the element around e; the zero Element for the root.
func (e Element) Parent() Element { return Element{e.d, e.n.parent} }

// Children gives the child elements in their order; none of the zero Element.
func (e Element) Children() []Element {
	if e.n == nil {
		return nil
	}
	out := make([]Element, 0, len(e.n.children))
	for _, c := range e.n.children {
		out = append(out, Element{e.d, c})
	}
	return out
}

// Span is where the element's bytes are: from the `<` of its start tag to behind the last `>`.
func (e Element) Span() (start, end int) { return e.n.open.start, e.n.end() }

// Position is the line and column where the element begins.
func (e Element) Position() (line, col int) { return e.d.Position(e.n.open.start) }

// child is the first child element of that name.
func (e Element) child(tag string) Element {
	if e.n != nil {
		for _, c := range e.n.children {
			if c.tag == tag {
				return Element{e.d, c}
			}
		}
	}
	return Element{e.d, nil}
}

// named gives the child elements of that name.
func (e Element) named(tag string) []Element {
	var out []Element
	if e.n != nil {
		for _, c := range e.n.children {
			if c.tag == tag {
				out = append(out, Element{e.d, c})
			}
		}
	}
	return out
}
