// Package syntax is what the configuration files of LBVM have in common: words, blanks and comments, the place of each
// thing, and messages that show the line with a caret under the fault and say what to write instead.
//
// A parser embeds a Scanner, walks over the text with Space and Word, and tells what is wrong by Fail and Warn. It reads
// on behind a fault (Recover), so that one look shows them all. The package reads no files and knows no key.
package syntax

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// Span is where something stands in its file: the bytes [Start, End), of which the first is at Line and Col.
// Both count from 1, Col in bytes.
type Span struct{ Start, End, Line, Col int }

// Value is a piece of text with its place. Text may differ from the bytes at Span: comments and line breaks are taken out.
type Value struct {
	Text string
	Span
}

// Scanner walks over a file and collects what is wrong with it.
type Scanner struct {
	Src   []byte
	At    int // offset of the byte at hand
	Diags []Diagnostic

	name  string
	lines []int // offset of each line's first byte
}

// NewScanner stands at the begin of src, behind a byte order mark; name is the file's, for messages.
func NewScanner(name string, src []byte) *Scanner {
	s := &Scanner{name: name, Src: src, lines: []int{0}}
	for i, c := range src {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.At = 3
	}
	return s
}

// Span is the place of the bytes [start, end).
func (s *Scanner) Span(start, end int) Span {
	line := sort.SearchInts(s.lines, start+1)
	return Span{Start: start, End: end, Line: line, Col: start - s.lines[line-1] + 1}
}

// Value is the text of the bytes [start, end).
func (s *Scanner) Value(start, end int) Value {
	return Value{Text: string(s.Src[start:end]), Span: s.Span(start, end)}
}

func (s *Scanner) report(sev Severity, at Span, hint, format string, args ...any) {
	s.Diags = append(s.Diags, Diagnostic{Severity: sev, File: s.name, Line: at.Line, Col: at.Col,
		Text: fmt.Sprintf(format, args...), Hint: hint, Source: Line(s.Src[s.lines[at.Line-1]:], 1)})
}

// Fail notes an error; hint is what to write instead, or "".
func (s *Scanner) Fail(at Span, hint, format string, args ...any) {
	s.report(Error, at, hint, format, args...)
}

// Warn notes a warning.
func (s *Scanner) Warn(at Span, hint, format string, args ...any) {
	s.report(Warning, at, hint, format, args...)
}

// Done tells whether the file is at its end.
func (s *Scanner) Done() bool { return s.At >= len(s.Src) }

// Peek is the byte at hand, 0 at the end.
func (s *Scanner) Peek() byte {
	if s.Done() {
		return 0
	}
	return s.Src[s.At]
}

// Blank tells whether c is a blank or a line break.
func Blank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

// Space passes over blanks, line breaks and comments.
func (s *Scanner) Space() {
	for !s.Done() {
		switch c := s.Src[s.At]; {
		case Blank(c):
			s.At++
		case c == '#':
			s.At = s.LineEnd(s.At)
		default:
			return
		}
	}
}

// LineEnd is the offset of the line break at or behind at, or the file's end.
func (s *Scanner) LineEnd(at int) int {
	if i := bytes.IndexByte(s.Src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(s.Src)
}

// Word reads up to a blank, a brace, a semicolon, a comma or the end.
func (s *Scanner) Word() Value {
	start := s.At
	for !s.Done() && !Blank(s.Src[s.At]) && strings.IndexByte("{};,", s.Src[s.At]) < 0 {
		s.At++
	}
	return s.Value(start, s.At)
}

// Pieces are the words of [start, end) with their places, without comments; a comment begins at a word's start.
func (s *Scanner) Pieces(start, end int, separators string) []Value {
	var out []Value
	for i := start; i < end; {
		switch c := s.Src[i]; {
		case Blank(c) || strings.IndexByte(separators, c) >= 0:
			i++
		case c == '#':
			i = min(s.LineEnd(i), end)
		default:
			j := i
			for j < end && !Blank(s.Src[j]) && strings.IndexByte(separators, s.Src[j]) < 0 {
				j++
			}
			out = append(out, s.Value(i, j))
			i = j
		}
	}
	return out
}

// Recover goes on behind the next semicolon or line break, whichever comes first, so that one fault is told once.
func (s *Scanner) Recover() {
	for !s.Done() {
		c := s.Src[s.At]
		if c == '}' {
			return
		}
		s.At++
		if c == ';' || c == '\n' {
			return
		}
	}
}
