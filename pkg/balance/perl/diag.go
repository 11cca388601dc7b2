package perl

import (
	"fmt"
	"sort"
	"strings"
)

// Position is a place in a configuration file. Line and Col start at 1; Col counts bytes.
type Position struct {
	File      string
	Line, Col int
	VM        string // whose algorithm it is; may be empty
}

// String gives FILE:LINE:COL.
func (p Position) String() string {
	file := p.File
	if file == "" {
		file = "algorithm"
	}
	return fmt.Sprintf("%s:%d:%d", file, p.Line, p.Col)
}

// Severity tells whether a program can be used in spite of a diagnostic.
type Severity int

// The zero Severity is the stern one.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one finding of Compile.
type Diagnostic struct {
	Severity Severity
	Pos      Position
	Code     string // which warning, W1 to W19; empty for errors
	Text     string // what is wrong
	Hint     string // what to write instead; may be empty

	line  string // the source line
	caret int    // byte offset in line
}

// String is the diagnostic in one line.
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s: %s: %s", d.Pos, d.Severity, d.Text)
	if d.Hint != "" {
		s += " (" + d.Hint + ")"
	}
	return s
}

// Format is the diagnostic with its source line, a caret and the hint.
func (d Diagnostic) Format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s\n", d.Pos, d.Severity, d.Text)
	if d.line != "" {
		pad := []byte(d.line[:d.caret])
		for i, c := range pad {
			if c != '\t' {
				pad[i] = ' '
			}
		}
		fmt.Fprintf(&b, "    %s\n    %s^\n", d.line, pad)
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "    %s\n", d.Hint)
	}
	return b.String()
}

// RuntimeError is why a run failed.
type RuntimeError struct {
	Pos   Position
	Text  string // what perl leaves in $@, with its line end
	Limit string // steps, time, memory, bytes, elements, depth or output when a limit ended the run
	Err   error  // what a host function returned, if that was the cause
	VM    string // as Options has it, or the Position of the rule
	Node  string
}

// Unwrap gives the host function's error.
func (e *RuntimeError) Unwrap() error { return e.Err }

func (e *RuntimeError) Error() string { return fmt.Sprintf("%s: %s", e.Pos, e.Message()) }

// Message is the error without its place. That of a limit says whose algorithm it was, and for which node it ran.
func (e *RuntimeError) Message() string {
	text := strings.TrimRight(e.Text, "\n")
	if e.Limit == "" || e.VM == "" && e.Node == "" {
		return text
	}
	whose := "algorithm"
	if e.VM != "" {
		whose += " of VM " + e.VM
	}
	if e.Node != "" {
		whose += " on node " + e.Node
	}
	return whose + ": " + text
}

// source maps offsets of the rule's text to places in its file.
type source struct {
	text  string
	at    Position
	lines []int // where each line begins
}

func newSource(text string, at Position) *source {
	s := &source{text: text, at: at, lines: make([]int, 1, 1+strings.Count(text, "\n"))}
	for i := strings.IndexByte(text, '\n'); i >= 0 && i < len(text); {
		s.lines = append(s.lines, i+1)
		next := strings.IndexByte(text[i+1:], '\n')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return s
}

// line is the number of an offset's line in the rule, from 0.
func (s *source) line(off int) int {
	if len(s.lines) == 1 {
		return 0
	}
	return sort.SearchInts(s.lines, off+1) - 1
}

func (s *source) position(off int) Position {
	off = min(off, len(s.text))
	n := s.line(off)
	p := s.at
	if n == 0 {
		p.Col += off
		return p
	}
	p.Line += n
	p.Col = off - s.lines[n] + 1
	return p
}

func (s *source) diagnostic(sev Severity, off int, text, hint string) Diagnostic {
	if off > len(s.text) {
		off = len(s.text)
	}
	start := strings.LastIndexByte(s.text[:off], '\n') + 1
	end := len(s.text)
	if i := strings.IndexByte(s.text[off:], '\n'); i >= 0 {
		end = off + i
	}
	return Diagnostic{
		Severity: sev, Pos: s.position(off), Text: text, Hint: hint,
		line: strings.TrimRight(s.text[start:end], "\r"), caret: min(off-start, len(strings.TrimRight(s.text[start:end], "\r"))),
	}
}
