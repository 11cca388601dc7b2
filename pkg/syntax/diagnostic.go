package syntax

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity tells an error from a warning. The zero value is the graver one.
type Severity int

// The severities.
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

// Diagnostic is one fault of a file. It is an error as well, printed on one line.
type Diagnostic struct {
	Severity  Severity
	File      string
	Line, Col int
	Text      string
	Hint      string // what to write instead, or ""
	Source    string // the line
}

func (d Diagnostic) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Col, d.Text)
}

// Format is the diagnostic for a person: the place, the line, a caret and what to write instead.
func (d Diagnostic) Format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", d.File, d.Line, d.Col, d.Severity, d.Text)
	if d.Source != "" {
		b.WriteString("    " + d.Source + "\n    ")
		for _, r := range d.Source[:min(max(d.Col-1, 0), len(d.Source))] {
			if r == '\t' {
				b.WriteByte('\t')
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString("^\n")
	}
	if d.Hint != "" {
		b.WriteString("  " + d.Hint + "\n")
	}
	return b.String()
}

// HasErrors tells whether one of them is more than a warning.
func HasErrors(list []Diagnostic) bool {
	return slices.ContainsFunc(list, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sort orders diagnostics by file and place.
func Sort(list []Diagnostic) {
	slices.SortStableFunc(list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}

// Line is the text of line n (from 1) of src, as Diagnostic.Source holds it.
func Line(src []byte, n int) string {
	for ; n > 1; n-- {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return ""
		}
		src = src[i+1:]
	}
	line, _, _ := bytes.Cut(src, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("?"))
	}
	return string(line)
}

// Nearest is the word of list that is closest to word, for "did you mean"; "" if none is close.
func Nearest(word string, list []string) string {
	best, limit := "", max(2, len(word)/3)+1
	for _, w := range list {
		if len(word) > 3 && strings.HasPrefix(w, strings.ToLower(word)) {
			return w
		}
		if d := distance(strings.ToLower(word), w); d < limit {
			best, limit = w, d
		}
	}
	return best
}

// distance counts the letters to put in, take out, exchange or swap.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 99
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	var next []int
	for i := 1; i <= len(a); i++ {
		next = make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
