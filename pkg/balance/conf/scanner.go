package conf

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// scanner walks over a file and collects what is wrong with it.
type scanner struct {
	name  string
	src   []byte
	at    int
	lines []int // offset of each line's first byte
	diags []Diagnostic
}

func newScanner(name string, src []byte) *scanner {
	s := &scanner{name: name, src: src, lines: []int{0}}
	for i, c := range src {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) { // a byte order mark
		s.at = 3
	}
	return s
}

func (s *scanner) span(start, end int) Span {
	line := sort.SearchInts(s.lines, start+1)
	return Span{Start: start, End: end, Line: line, Col: start - s.lines[line-1] + 1}
}

func (s *scanner) value(start, end int) Value {
	return Value{Text: string(s.src[start:end]), Span: s.span(start, end)}
}

func (s *scanner) report(sev Severity, at Span, hint, format string, args ...any) {
	s.diags = append(s.diags, Diagnostic{Severity: sev, File: s.name, Line: at.Line, Col: at.Col,
		Text: fmt.Sprintf(format, args...), Hint: hint, Source: Line(s.src[s.lines[at.Line-1]:], 1)})
}

func (s *scanner) fail(at Span, hint, format string, args ...any) {
	s.report(Error, at, hint, format, args...)
}

func (s *scanner) warn(at Span, hint, format string, args ...any) {
	s.report(Warning, at, hint, format, args...)
}

func (s *scanner) done() bool { return s.at >= len(s.src) }

// peek is the byte at hand, 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.src[s.at]
}

func blank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

// space passes over blanks, line breaks and comments.
func (s *scanner) space() {
	for !s.done() {
		switch c := s.src[s.at]; {
		case blank(c):
			s.at++
		case c == '#':
			s.at = s.lineEnd(s.at)
		default:
			return
		}
	}
}

// lineEnd is the offset of the line break at or behind at, or the file's end.
func (s *scanner) lineEnd(at int) int {
	if i := bytes.IndexByte(s.src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(s.src)
}

// word reads up to a blank, a brace, a semicolon, a comma or the end.
func (s *scanner) word() Value {
	start := s.at
	for !s.done() && !blank(s.src[s.at]) && strings.IndexByte("{};,", s.src[s.at]) < 0 {
		s.at++
	}
	return s.value(start, s.at)
}

// pieces are the words of a value with their places, without comments; a comment begins at a word's start.
func (s *scanner) pieces(start, end int, separators string) []Value {
	var out []Value
	for i := start; i < end; {
		switch c := s.src[i]; {
		case blank(c) || strings.IndexByte(separators, c) >= 0:
			i++
		case c == '#':
			i = min(s.lineEnd(i), end)
		default:
			j := i
			for j < end && !blank(s.src[j]) && strings.IndexByte(separators, s.src[j]) < 0 {
				j++
			}
			out = append(out, s.value(i, j))
			i = j
		}
	}
	return out
}

// recover goes on behind the next semicolon or line break, whichever comes first, so that one fault is told once.
func (s *scanner) recover() {
	for !s.done() {
		c := s.src[s.at]
		if c == '}' {
			return
		}
		s.at++
		if c == ';' || c == '\n' {
			return
		}
	}
}
