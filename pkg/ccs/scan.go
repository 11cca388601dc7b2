package ccs

import (
	"bytes"
	"fmt"
)

// Limits of Parse. A real file has some hundred kilobytes at the most, and libxml2, with which the cluster's programs
// read it, follows no more than 256 levels.
const (
	MaxBytes = 64 << 20
	MaxDepth = 250
	maxItems = 1_000_000 // elements, attributes, comments, pieces of text
)

// span is the bytes [start, end).
type span struct{ start, end int }

// node is one element with the places of its parts.
type node struct {
	tag      string
	open     span // the start tag, or the empty-element tag
	name     span // the name in the start tag
	attrs    []attr
	close    span // the end tag; empty where the element is <a/>
	parent   *node
	children []*node
	index    int // in document order
}

type attr struct {
	name  string
	whole span // name to closing quote
	value span // between the quotes
}

func (n *node) empty() bool { return n.close.end == 0 }

// end is the first byte behind the element.
func (n *node) end() int {
	if n.empty() {
		return n.open.end
	}
	return n.close.end
}

// tailStart is where the start tag ends but for white space, `/` and `>`.
func (n *node) tailStart() int {
	if len(n.attrs) > 0 {
		return n.attrs[len(n.attrs)-1].whole.end
	}
	return n.name.end
}

// scanner finds the elements of a document. All markup is ASCII, so it reads every encoding that contains ASCII.
type scanner struct {
	src      []byte
	pos      int
	all      []*node
	root     *node
	open     *node
	depth    int
	items    int
	latin1   bool
	doctypes int
	sound    string // the last name beyond ASCII that was judged sound
	store
}

type scanError struct {
	at  int
	msg string
	err error
}

func (s *scanner) fail(at int, format string, args ...any) *scanError {
	return &scanError{at: at, msg: fmt.Sprintf(format, args...)}
}

func (s *scanner) document() *scanError {
	if s.has(bom) {
		s.pos = len(bom)
	}
	start := s.pos
	if s.has("<?xml") && s.pos+5 < len(s.src) && isSpace(s.src[s.pos+5]) {
		if err := s.declaration(); err != nil {
			return err
		}
	}
	if err := s.characters(start); err != nil {
		return err
	}
	s.all = make([]*node, 0, min(bytes.Count(s.src, []byte("<")), maxItems))
	for s.pos < len(s.src) {
		if err := s.item(); err != nil {
			return err
		}
	}
	if s.open != nil {
		return s.fail(s.open.open.start, "<%s> is not closed", s.open.tag)
	}
	if s.root == nil {
		return s.fail(len(s.src), "the document holds no element")
	}
	return nil
}

func (s *scanner) item() *scanError {
	if s.items++; s.items > maxItems {
		return &scanError{s.pos, fmt.Sprintf("more than %d elements and attributes", maxItems), ErrTooBig}
	}
	if s.src[s.pos] != '<' {
		return s.text()
	}
	switch {
	case s.has("<!--"):
		return s.comment()
	case s.has("<![CDATA["):
		if s.open == nil {
			return s.fail(s.pos, "text outside the root element")
		}
		return s.until("]]>", "CDATA section")
	case s.has("<!DOCTYPE"):
		return s.doctype()
	case s.has("<?"):
		return s.instruction()
	case s.has("</"):
		return s.endTag()
	case s.has("<!"):
		return s.fail(s.pos, "unknown markup")
	}
	return s.startTag()
}

func (s *scanner) has(prefix string) bool {
	return len(s.src)-s.pos >= len(prefix) && string(s.src[s.pos:s.pos+len(prefix)]) == prefix
}

func (s *scanner) text() *scanError {
	end := bytes.IndexByte(s.src[s.pos:], '<')
	if end < 0 {
		end = len(s.src)
	} else {
		end += s.pos
	}
	piece := s.src[s.pos:end]
	at := 0
	for at < len(piece) && isSpace(piece[at]) {
		at++
	}
	if at == len(piece) {
		s.pos = end
		return nil
	}
	if s.open == nil {
		return s.fail(s.pos+at, "text outside the root element")
	}
	if i := bytes.Index(piece, []byte("]]>")); i >= 0 {
		return s.fail(s.pos+i, "`]]>` may not stand in text")
	}
	if err := s.references(span{s.pos, end}); err != nil {
		return err
	}
	s.pos = end
	return nil
}

// references checks every & in a span.
func (s *scanner) references(in span) *scanError {
	for i := in.start; ; {
		next := bytes.IndexByte(s.src[i:in.end], '&')
		if next < 0 {
			return nil
		}
		i += next
		_, n := decodeReference(s.src[i:in.end])
		if n == 0 {
			return s.fail(i, "not a reference that is known here (&amp; &lt; &gt; &quot; &apos; &#N; &#xN;): write &amp; for a plain &")
		}
		i += n
	}
}

func (s *scanner) startTag() *scanError {
	start := s.pos
	s.pos++
	tag, err := s.readTagName()
	if err != nil {
		return err
	}
	if tag == "" {
		return s.fail(start, "`<` is not followed by a name: write &lt; for a plain <")
	}
	if s.open == nil && s.root != nil {
		return s.fail(start, "a second root element <%s>", tag)
	}
	n := s.newNode()
	n.tag, n.parent, n.index, n.name = tag, s.open, len(s.all), span{start + 1, s.pos}
	n.open.start = start
	mark := len(s.attrs)
	for {
		blank := s.skipSpace()
		switch {
		case s.pos >= len(s.src):
			return s.fail(start, "the tag <%s is not closed", tag)
		case s.src[s.pos] == '>':
			s.pos++
			n.open.end, n.attrs = s.pos, s.endAttrs(mark)
			return s.enter(n)
		case s.has("/>"):
			s.pos += len("/>")
			n.open.end, n.attrs = s.pos, s.endAttrs(mark)
			return s.add(n)
		case !blank:
			return s.fail(s.pos, "white space is missing in the tag <%s", tag)
		}
		mark = s.roomForAttr(mark)
		if err := s.attribute(tag, mark); err != nil {
			return err
		}
	}
}

// attribute reads one; those of the same tag before it lie in the store from mark on.
func (s *scanner) attribute(tag string, mark int) *scanError {
	if s.items++; s.items > maxItems {
		return &scanError{s.pos, fmt.Sprintf("more than %d elements and attributes", maxItems), ErrTooBig}
	}
	a := attr{whole: span{start: s.pos}}
	var err *scanError
	if a.name, err = s.readTagName(); err != nil {
		return err
	}
	if a.name == "" {
		return s.fail(s.pos, "an attribute of <%s> has no name", tag)
	}
	others := s.attrs[mark:]
	for i := range others {
		if others[i].name == a.name {
			return s.fail(a.whole.start, "<%s> has the attribute %s twice", tag, a.name)
		}
	}
	if len(others) >= maxAttrs {
		return &scanError{a.whole.start, fmt.Sprintf("<%s> has more than %d attributes", tag, maxAttrs), ErrTooBig}
	}
	s.skipSpace()
	if s.pos >= len(s.src) || s.src[s.pos] != '=' {
		return s.fail(a.whole.start, "the attribute %s has no value", a.name)
	}
	s.pos++
	s.skipSpace()
	if s.pos >= len(s.src) || (s.src[s.pos] != '"' && s.src[s.pos] != '\'') {
		return s.fail(s.pos, "the value of %s is not in quotes", a.name)
	}
	quote := s.src[s.pos]
	s.pos++
	i := bytes.IndexByte(s.src[s.pos:], quote)
	if i < 0 {
		return s.fail(s.pos-1, "the quote of %s is not closed", a.name)
	}
	a.value = span{s.pos, s.pos + i}
	if lt := bytes.IndexByte(s.src[a.value.start:a.value.end], '<'); lt >= 0 {
		return s.fail(a.value.start+lt, "`<` within the value of %s: is its quote closed? Write &lt; for a plain <", a.name)
	}
	if i := bytes.Index(s.src[a.value.start:a.value.end], []byte("]]>")); i >= 0 { // XML allows it, etree does not
		return s.fail(a.value.start+i, "`]]>` within the value of %s is not read here: write ]]&gt;", a.name)
	}
	if err := s.references(a.value); err != nil {
		return err
	}
	s.pos = a.value.end + 1
	a.whole.end = s.pos
	s.attrs = append(s.attrs, a)
	return nil
}

// maxAttrs bounds the search for a duplicate, which looks at all before.
const maxAttrs = 128

func (s *scanner) add(n *node) *scanError {
	if s.depth+1 > MaxDepth {
		return &scanError{n.open.start, fmt.Sprintf("elements are nested more than %d deep", MaxDepth), ErrTooBig}
	}
	s.all = append(s.all, n)
	if n.parent == nil {
		s.root = n
	} else {
		s.kids = append(s.kids, n)
	}
	return nil
}

func (s *scanner) enter(n *node) *scanError {
	if err := s.add(n); err != nil {
		return err
	}
	s.open = n
	s.depth++
	s.marks = append(s.marks, len(s.kids))
	return nil
}

func (s *scanner) endTag() *scanError {
	start := s.pos
	s.pos += len("</")
	name, err := s.readName()
	if err != nil {
		return err
	}
	s.skipSpace()
	if s.pos >= len(s.src) || s.src[s.pos] != '>' {
		return s.fail(start, "the end tag </%s is not closed", name)
	}
	s.pos++
	if s.open == nil {
		return s.fail(start, "</%s> closes nothing", name)
	}
	if s.open.tag != name {
		line, _ := position(s.src, s.open.open.start, s.latin1)
		return s.fail(start, "</%s> where </%s> is due (opened in line %d)", name, s.open.tag, line)
	}
	s.open.close = span{start, s.pos}
	s.open.children = s.endKids()
	s.open = s.open.parent
	s.depth--
	return nil
}

func (s *scanner) skipSpace() bool {
	start := s.pos
	for s.pos < len(s.src) && isSpace(s.src[s.pos]) {
		s.pos++
	}
	return s.pos > start
}
