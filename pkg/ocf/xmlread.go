package ocf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// element is one element of an XML document. Names are as written, with their prefix.
type element struct {
	name       string
	attrs      []xmlAttr
	text       string   // all character data directly in it, where texts are kept
	kids, last *element // its children, each leading to the next
	next       *element
}

type xmlAttr struct{ name, value string }

// attr finds an attribute without a prefix.
func (e *element) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

// all gives the children of a name, in the document's order.
func (e *element) all(name string) []*element {
	var out []*element
	for c := e.kids; c != nil; c = c.next {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// count is how many children it has.
func (e *element) count() int {
	n := 0
	for c := e.kids; c != nil; c = c.next {
		n++
	}
	return n
}

// first is the first child of a name, or an empty element.
func (e *element) first(name string) *element {
	for c := e.kids; c != nil; c = c.next {
		if c.name == name {
			return c
		}
	}
	return &element{}
}

// maxDepth bounds how deep elements stand in each other.
const maxDepth = 100

// xmlReader reads a document. encoding/xml would cost every action as much as the start of the agent itself (its
// tables, reflection, and the stack that grows with it), and metadata needs little of it: no name spaces, no entities
// but the five and numbers, UTF-8 alone.
type xmlReader struct {
	s     string
	at    int
	texts bool // keep character data
	// Memory for what is read, taken at once: many small pieces of many sizes cost a short action more than the reading.
	elements []element
	attrs    []xmlAttr
}

// What the metadata of an agent has of each, about.
const (
	someElements = 64
	someAttrs    = 96
)

// readXML reads a whole document and gives its root. Without texts, character data is checked and not kept.
func readXML(text []byte, texts bool) (*element, error) {
	r := &xmlReader{s: strings.TrimPrefix(string(text), "\ufeff"), texts: texts}
	if strings.IndexByte(r.s, '\r') >= 0 {
		r.s = strings.ReplaceAll(strings.ReplaceAll(r.s, "\r\n", "\n"), "\r", "\n")
	}
	root, err := r.document()
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(r.s[:min(r.at, len(r.s))], "\n"), err)
	}
	return root, nil
}

func (r *xmlReader) document() (*element, error) {
	if !utf8.ValidString(r.s) {
		return nil, errors.New("it is not UTF-8")
	}
	for i := 0; i < len(r.s); i++ {
		if c := r.s[i]; c < ' ' && !isSpace(c) || c == 0xef && (strings.HasPrefix(r.s[i:], "\ufffe") || strings.HasPrefix(r.s[i:], "\uffff")) {
			r.at = i
			return nil, errors.New("a character stands here that XML does not have")
		}
	}
	var root *element
	for {
		r.space()
		switch {
		case r.at >= len(r.s):
			if root == nil {
				return nil, errors.New("there is no element")
			}
			return root, nil
		case r.skip("<!--"):
			if err := r.comment(); err != nil {
				return nil, err
			}
		case r.skip("<?"):
			if err := r.instruction(); err != nil {
				return nil, err
			}
		case root == nil && r.skip("<!DOCTYPE"):
			if err := r.doctype(); err != nil {
				return nil, err
			}
		case root == nil && r.skip("<"):
			var err error
			if root, err = r.element(0); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%.20q is out of place", r.s[r.at:])
		}
	}
}

func (r *xmlReader) space() {
	for r.at < len(r.s) && isSpace(r.s[r.at]) {
		r.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// skip goes behind what, if that is next.
func (r *xmlReader) skip(what string) bool {
	if strings.HasPrefix(r.s[r.at:], what) {
		r.at += len(what)
		return true
	}
	return false
}

// until goes behind end and gives what stands before it.
func (r *xmlReader) until(end string) (string, error) {
	n := strings.Index(r.s[r.at:], end)
	if n < 0 {
		return "", fmt.Errorf("%q is missing", end)
	}
	s := r.s[r.at : r.at+n]
	r.at += n + len(end)
	return s, nil
}

func (r *xmlReader) comment() error {
	s, err := r.until("-->")
	if err == nil && strings.Contains(s, "--") {
		err = errors.New(`"--" stands in a comment`)
	}
	return err
}

// instruction reads <?...?>. The declaration may name UTF-8 and, since it is a part of it, ASCII.
func (r *xmlReader) instruction() error {
	s, err := r.until("?>")
	if err != nil || !strings.HasPrefix(s, "xml ") {
		return err
	}
	_, after, named := strings.Cut(s, "encoding=")
	if named && len(after) > 1 {
		name, _, _ := strings.Cut(after[1:], after[:1])
		if !strings.EqualFold(name, "utf-8") && !strings.EqualFold(name, "us-ascii") {
			return fmt.Errorf("the encoding %q is not known", name)
		}
	}
	return nil
}

// doctype skips a document type, with what is declared in it.
func (r *xmlReader) doctype() error {
	inside := false
	for ; r.at < len(r.s); r.at++ {
		switch c := r.s[r.at]; {
		case c == '"' || c == '\'':
			r.at++
			n := strings.IndexByte(r.s[r.at:], c)
			if n < 0 {
				return errors.New("a quote is missing")
			}
			r.at += n
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == '>' && !inside:
			r.at++
			return nil
		}
	}
	return errors.New("the document type does not end")
}

func (r *xmlReader) name() (string, error) {
	from := r.at
	for r.at < len(r.s) {
		c := r.s[r.at]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= utf8.RuneSelf
		if !letter && (r.at == from || c != '-' && c != '.' && (c < '0' || c > '9')) {
			break
		}
		r.at++
	}
	if r.at == from {
		return "", fmt.Errorf("a name is missing before %.20q", r.s[from:])
	}
	return r.s[from:r.at], nil
}

// element reads an element from behind its "<" on.
func (r *xmlReader) element(depth int) (*element, error) {
	if depth > maxDepth {
		return nil, errors.New("elements stand too deep in each other")
	}
	if len(r.elements) == 0 {
		r.elements = make([]element, someElements)
	}
	e := &r.elements[0]
	r.elements = r.elements[1:]
	var err error
	if e.name, err = r.name(); err != nil {
		return nil, err
	}
	for {
		before := r.at
		r.space()
		if r.skip("/>") {
			return e, nil
		}
		if r.skip(">") {
			return e, r.content(e, depth)
		}
		if r.at == before {
			return nil, fmt.Errorf("%.20q is out of place in <%s>", r.s[r.at:], e.name)
		}
		if err := r.attribute(e); err != nil {
			return nil, err
		}
	}
}

func (r *xmlReader) attribute(e *element) error {
	name, err := r.name()
	if err != nil {
		return err
	}
	r.space()
	if !r.skip("=") {
		return fmt.Errorf("%s has no value", name)
	}
	r.space()
	quote := ""
	switch {
	case r.skip(`"`):
		quote = `"`
	case r.skip("'"):
		quote = "'"
	default:
		return fmt.Errorf("the value of %s is not quoted", name)
	}
	value, err := r.until(quote)
	if err != nil {
		return err
	}
	if strings.IndexByte(value, '<') >= 0 {
		return fmt.Errorf(`"<" stands in the value of %s`, name)
	}
	if _, twice := e.attr(name); twice {
		return fmt.Errorf("%s stands twice in <%s>", name, e.name)
	}
	if value, err = entities(value); err != nil {
		return err
	}
	// An element's attributes stand together: nothing else is read between them.
	n := len(e.attrs)
	if len(r.attrs)+1 > cap(r.attrs) {
		r.attrs = append(make([]xmlAttr, 0, max(someAttrs, 2*n)), e.attrs...)
	}
	r.attrs = append(r.attrs, xmlAttr{name, value})
	e.attrs = r.attrs[len(r.attrs)-n-1 : len(r.attrs) : len(r.attrs)]
	return nil
}

// content reads what stands between the tags of e, and its end tag.
func (r *xmlReader) content(e *element, depth int) error {
	for {
		n := strings.IndexByte(r.s[r.at:], '<')
		if n < 0 {
			return fmt.Errorf("<%s> does not end", e.name)
		}
		text, err := entities(r.s[r.at : r.at+n])
		if err != nil {
			return err
		}
		r.keep(e, text)
		r.at += n
		switch {
		case r.skip("</"):
			name, err := r.name()
			if err != nil {
				return err
			}
			if r.space(); name != e.name || !r.skip(">") {
				return fmt.Errorf("<%s> ends with </%s", e.name, name)
			}
			return nil
		case r.skip("<!--"):
			err = r.comment()
		case r.skip("<![CDATA["):
			text, err = r.until("]]>")
			r.keep(e, text)
		case r.skip("<?"):
			err = r.instruction()
		default:
			r.at++
			var c *element
			if c, err = r.element(depth + 1); err == nil {
				if e.last == nil {
					e.kids = c
				} else {
					e.last.next = c
				}
				e.last = c
			}
		}
		if err != nil {
			return err
		}
	}
}

func (r *xmlReader) keep(e *element, text string) {
	if r.texts {
		e.text += text
	}
}

// entities puts characters in the place of &NAME; and &#NUMBER;.
func entities(s string) (string, error) {
	if strings.IndexByte(s, '&') < 0 {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, ended := strings.Cut(rest, ";")
		c, ok := entity(name)
		if !ended || !ok {
			return "", fmt.Errorf("&%.10s is no character", name)
		}
		b.WriteRune(c)
		s = after
	}
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, number := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !number || err != nil || n > utf8.MaxRune || !legal(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// legal tells whether XML has a character at all. libxml2, with which managers read, refuses a document with another.
func legal(c rune) bool {
	return c >= ' ' && c != 0xfffe && c != 0xffff && utf8.ValidRune(c) || c == '\t' || c == '\n' || c == '\r'
}
