package ccs

import (
	"bytes"
	"strings"
)

// How new text looks is taken from its neighbours: this file reads indentation, line ends and quotes off the bytes.

// blanksBefore moves back over blanks and tabs.
func (d *Document) blanksBefore(at int) int {
	for at > 0 && (d.src[at-1] == ' ' || d.src[at-1] == '\t') {
		at--
	}
	return at
}

// blanksAfter moves forward over blanks and tabs.
func (d *Document) blanksAfter(at int) int {
	for at < len(d.src) && (d.src[at] == ' ' || d.src[at] == '\t') {
		at++
	}
	return at
}

func (d *Document) atLineStart(at int) bool { return at == 0 || d.src[at-1] == '\n' }

// lineEnd steps over a line end that stands at that place.
func (d *Document) lineEnd(at int) (int, bool) {
	switch {
	case bytes.HasPrefix(d.src[at:], []byte("\r\n")):
		return at + 2, true
	case bytes.HasPrefix(d.src[at:], []byte("\n")):
		return at + 1, true
	}
	return at, false
}

// indentOf is the white space in front of a place that is the first on its line.
func (d *Document) indentOf(at int) (string, bool) {
	start := d.blanksBefore(at)
	if !d.atLineStart(start) {
		return "", false
	}
	return string(d.src[start:at]), true
}

// newline is the line end in use around a place: that of its own line, else of the line before.
func (d *Document) newline(at int) string {
	i := bytes.IndexByte(d.src[at:], '\n')
	if i >= 0 {
		i += at
	} else if i = bytes.LastIndexByte(d.src[:at], '\n'); i < 0 {
		return "\n"
	}
	if i > 0 && d.src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// unit is what one level of indentation adds, as seen at n and the elements around and below it.
func (d *Document) unit(n *node) string {
	for ; n != nil; n = n.parent {
		if n.parent != nil {
			if u, ok := d.step(n.parent, n); ok {
				return u
			}
		}
	}
	for _, c := range d.root.children {
		for _, g := range c.children {
			if u, ok := d.step(c, g); ok {
				return u
			}
		}
	}
	return "  "
}

func (d *Document) step(parent, child *node) (string, bool) {
	outer, ok1 := d.indentOf(parent.open.start)
	inner, ok2 := d.indentOf(child.open.start)
	if !ok1 || !ok2 || len(inner) <= len(outer) || !strings.HasPrefix(inner, outer) {
		return "", false
	}
	return inner[len(outer):], true
}

// quoteNear is the kind of quotes that n has, or its last child, or the elements before and around it.
func (d *Document) quoteNear(n *node) string {
	for ; n != nil; n = n.parent {
		if q := d.quoteOf(n); q != "" {
			return q
		}
		if len(n.children) > 0 {
			if q := d.quoteOf(n.children[len(n.children)-1]); q != "" {
				return q
			}
		}
	}
	return `"`
}

func (d *Document) quoteOf(n *node) string {
	if len(n.attrs) == 0 {
		return ""
	}
	end := n.attrs[len(n.attrs)-1].value.end
	return string(d.src[end : end+1])
}

func isBlank(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}
