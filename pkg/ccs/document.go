package ccs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
)

// Document is a parsed cluster.conf. It does not change: Apply gives a new one. It may be used by many goroutines.
type Document struct {
	name   string
	src    []byte
	latin1 bool
	root   *node
	all    []*node // in document order

	once  sync.Once
	query query

	count sync.Once
	lines []int // offset of each line
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
	if len(src) > MaxBytes { // not copied
		return newDocument(name, src)
	}
	return newDocument(name, bytes.Clone(src))
}

// newDocument is Parse without a copy: src is the document's from now on.
func newDocument(name string, src []byte) (*Document, error) {
	if len(src) > MaxBytes {
		return nil, &SyntaxError{name, 1, 1, fmt.Sprintf("more than %d bytes", MaxBytes), ErrTooBig}
	}
	if wide := wideEncoding(src); wide != "" {
		return nil, &SyntaxError{name, 1, 1, wide, ErrEncoding}
	}
	s := scanner{src: src}
	if err := s.document(); err != nil {
		line, col := position(src, err.at, s.latin1)
		return nil, &SyntaxError{name, line, col, err.msg, err.err}
	}
	return &Document{name: name, src: s.src, latin1: s.latin1, root: s.root, all: s.all}, nil
}

// Load parses a file.
func Load(path string) (*Document, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return newDocument(path, b)
}

// readFile reads no more than a byte over the limit, which parse refuses.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that nobody writes would hold us for ever
	if err != nil {
		return nil, fmt.Errorf("reading the cluster configuration: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the cluster configuration: %w", err)
	}
	if fi.Size() > MaxBytes {
		return nil, &SyntaxError{path, 1, 1, fmt.Sprintf("%d bytes, more than %d", fi.Size(), MaxBytes), ErrTooBig}
	}
	b := bytes.NewBuffer(make([]byte, 0, fi.Size()+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(f, MaxBytes+1)); err != nil {
		return nil, fmt.Errorf("reading the cluster configuration: %w", err)
	}
	return b.Bytes(), nil
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

// Name is what the document was called in Parse.
func (d *Document) Name() string { return d.name }

// Bytes is a copy of the document's text.
func (d *Document) Bytes() []byte { return bytes.Clone(d.src) }

// Root is the root element.
func (d *Document) Root() Element { return Element{d, d.root} }

// Position is the line and column of an offset, from 1.
func (d *Document) Position(offset int) (line, col int) {
	d.count.Do(func() {
		d.lines = append(d.lines, 0)
		for at := 0; ; {
			i := bytes.IndexByte(d.src[at:], '\n')
			if i < 0 {
				return
			}
			at += i + 1
			d.lines = append(d.lines, at)
		}
	})
	i, found := slices.BinarySearch(d.lines, offset)
	if !found {
		i--
	}
	_, col = position(d.src[d.lines[i]:min(offset, len(d.src))], offset-d.lines[i], d.latin1)
	return i + 1, col
}

// IsZero tells whether e stands for no element.
func (e Element) IsZero() bool { return e.n == nil }

// Tag is the element's name, with its prefix if it has one; "" of the zero Element.
func (e Element) Tag() string {
	if e.n == nil {
		return ""
	}
	return e.n.tag
}

// Attr is the value of an attribute and whether it is there.
func (e Element) Attr(name string) (string, bool) {
	if e.n == nil {
		return "", false
	}
	for _, a := range e.n.attrs {
		if a.name == name {
			return e.d.value(a), true
		}
	}
	return "", false
}

func (d *Document) value(a attr) string {
	return decodeValue(d.src[a.value.start:a.value.end], d.latin1)
}

// Attrs gives all attributes in their order.
func (e Element) Attrs() []Attr {
	if e.n == nil {
		return nil
	}
	out := make([]Attr, 0, len(e.n.attrs))
	for _, a := range e.n.attrs {
		out = append(out, Attr{a.name, e.d.value(a)})
	}
	return out
}

// Parent is the element around e; the zero Element for the root and for the zero Element.
func (e Element) Parent() Element {
	if e.n == nil || e.n.parent == nil {
		return Element{}
	}
	return Element{e.d, e.n.parent}
}

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
func (e Element) Span() (start, end int) {
	if e.n == nil {
		return 0, 0
	}
	return e.n.open.start, e.n.end()
}

// Position is the line and column where the element begins, both 0 of the zero Element.
func (e Element) Position() (line, col int) {
	if e.n == nil {
		return 0, 0
	}
	return e.d.Position(e.n.open.start)
}

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
