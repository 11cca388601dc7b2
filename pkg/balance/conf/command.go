package conf

import (
	"bytes"
	"strings"

	"github.com/lbvm/lbvm/pkg/syntax"
)

// A cmd reaches to the first semicolon that is outside quotes, parentheses and braces, and may span lines. A line
// break in it is a blank, be it in quotes or not: print and editors break lines anywhere, the manual's own example
// within an awk program. A comment from a # at a word's start to the line's end is taken out.

type command struct {
	src     []byte
	at      int
	out     []byte
	suspect int
	open    []mark // what is open: ( { ' " ` and $ for ${
}

type mark struct {
	c  byte
	at int
}

// scanCommand reads from at. If the file ends too early, bad is the offset of what was never closed, or at. Else it
// is 0, or the offset of a line that begins with logfile: a semicolon was forgotten before it.
func scanCommand(src []byte, at int) (text string, end, bad int, ok bool) {
	c := &command{src: src, at: at}
	for c.at < len(src) {
		ch := src[c.at]
		if ch == ';' && len(c.open) == 0 {
			return strings.TrimLeft(string(trimBlanks(c.out)), " \t"), c.at, c.suspect, true
		}
		c.step(ch)
	}
	if len(c.open) > 0 {
		return "", len(src), c.open[len(c.open)-1].at, false
	}
	return "", len(src), at, false
}

func (c *command) inside() byte {
	if len(c.open) == 0 {
		return 0
	}
	return c.open[len(c.open)-1].c
}

func (c *command) push(b byte) { c.open = append(c.open, mark{b, c.at}) }
func (c *command) pop()        { c.open = c.open[:len(c.open)-1] }

// step takes one byte, or more where they belong together.
func (c *command) step(ch byte) {
	in := c.inside()
	switch {
	case ch == '\n':
		c.lineBreak()
		return
	case ch == '\r' && c.ahead(1) == '\n':
		c.at++
		return
	case in == '\'':
		if ch == '\'' {
			c.pop()
		} else if ch == '\\' && c.atBreak(1) {
			c.at++ // awk's continuation: the break alone is enough
			return
		}
	case ch == '\\':
		if c.atBreak(1) { // the shell takes both away
			c.at += 1 + c.breakLen(1)
			return
		}
		if c.at+1 < len(c.src) {
			c.out = append(c.out, ch)
			c.at++
			ch = c.src[c.at]
		}
	case in == '"':
		switch {
		case ch == '"':
			c.pop()
		case ch == '`':
			c.push('`')
		case ch == '$' && (c.ahead(1) == '(' || c.ahead(1) == '{'):
			c.dollar()
			return
		}
	case ch == '`':
		if in == '`' {
			c.pop()
		} else {
			c.push('`')
		}
	case ch == '\'' || ch == '"':
		c.push(ch)
	case ch == '$' && (c.ahead(1) == '(' || c.ahead(1) == '{'):
		c.dollar()
		return
	case ch == '(' || ch == '{':
		c.push(ch)
	case (ch == ')' && in == '(') || (ch == '}' && (in == '{' || in == '$')):
		c.pop()
	case ch == '#' && c.wordStart():
		for c.at < len(c.src) && c.src[c.at] != '\n' {
			c.at++
		}
		return
	}
	c.out = append(c.out, ch)
	c.at++
}

// dollar opens $( or ${, within double quotes as well.
func (c *command) dollar() {
	opened := c.src[c.at+1]
	if opened == '{' {
		c.push('$')
	} else {
		c.push('(')
	}
	c.out = append(c.out, '$', opened)
	c.at += 2
}

// lineBreak turns a break and the blanks around it into one blank.
func (c *command) lineBreak() {
	for c.at < len(c.src) && syntax.Blank(c.src[c.at]) {
		c.at++
	}
	c.out = append(trimBlanks(c.out), ' ')
	if len(c.open) == 0 && c.suspect == 0 && len(c.out) > 1 && bytes.HasPrefix(c.src[c.at:], []byte("logfile ")) {
		c.suspect = c.at
	}
}

// trimBlanks takes the blanks off the end, but for one that a backslash holds.
func trimBlanks(text []byte) []byte {
	cut := bytes.TrimRight(text, " \t")
	if bytes.HasSuffix(cut, []byte("\\")) && len(cut) < len(text) {
		return text[:len(cut)+1]
	}
	return cut
}

func (c *command) ahead(n int) byte {
	if c.at+n < len(c.src) {
		return c.src[c.at+n]
	}
	return 0
}

func (c *command) atBreak(n int) bool { return c.breakLen(n) > 0 }

func (c *command) breakLen(n int) int {
	if c.ahead(n) == '\n' {
		return 1
	}
	if c.ahead(n) == '\r' && c.ahead(n+1) == '\n' {
		return 2
	}
	return 0
}

// wordStart tells whether the byte at hand begins a word of the shell.
func (c *command) wordStart() bool {
	switch c.inside() {
	case '\'', '"', '$':
		return false
	}
	n := len(c.out)
	if n == 0 {
		return true
	}
	return strings.IndexByte(" \t;&|(", c.out[n-1]) >= 0 && !bytes.HasSuffix(c.out, []byte("\\ "))
}
