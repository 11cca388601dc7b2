package perl

import (
	"errors"
	"fmt"
	"strings"
)

// maxBlock is the longest algorithm with its braces.
const maxBlock = maxSource + 2

// BlockEnd finds the } that closes the { at src[open]. It reads as the engine
// does: what stands in strings, patterns and comments does not count. Broken
// parentheses do not matter here; they are for Compile to report. It reads no
// more than an algorithm may have, 256 KiB: a longer block is an error.
func BlockEnd(src []byte, open int) (end int, err error) {
	return blockEnd(string(src[:max(0, min(len(src), open+maxBlock))]), open, len(src))
}

// BlockEndIn is BlockEnd in a text, of which nothing is copied: a file may hold thousands of blocks.
func BlockEndIn(src string, open int) (end int, err error) {
	return blockEnd(src[:max(0, min(len(src), open+maxBlock))], open, len(src))
}

// blockEnd looks in what is read of a source of that size.
func blockEnd(text string, open, size int) (end int, err error) {
	if open < 0 || open >= len(text) || text[open] != '{' {
		return 0, errors.New("no { at the begin of the block")
	}
	l := &lexer{src: text, pos: open + 1, end: len(text)}
	l.err = func(int, string, string) {}
	l.fail = func(off int, text, _ string) {
		p := newSource(text, Position{Line: 1, Col: 1}).position(off)
		err = fmt.Errorf("line %d, column %d: %s", p.Line, p.Col, text)
		panic(abort{})
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(abort); !ok {
				panic(r)
			}
			end = 0
		}
	}()
	if end, err = l.blockEnd(open); err != nil && len(text) < size {
		return 0, fmt.Errorf("%w within %d bytes, the most that an algorithm may have", err, maxSource)
	}
	return end, err
}

func (l *lexer) blockEnd(open int) (int, error) {
	b := braces{open: []bool{false}, term: true}
	for {
		t := l.guess(b.term)
		switch {
		case t.kind == tEOF && t.off < len(l.src) && t.off+2 < len(l.src) && l.src[t.off:t.off+2] == "__": // __END__: text up to a } that begins a line
			l.end = len(l.src)
			for i := t.off; i < len(l.src); i++ {
				if l.src[i] == '}' && strings.TrimSpace(l.src[strings.LastIndexByte(l.src[:i], '\n')+1:i]) == "" {
					return i, nil
				}
			}
			return 0, l.unclosed(open)
		case t.kind == tEOF:
			return 0, l.unclosed(open)
		case t.kind == tOp && t.text == "}" && len(b.open) == 1:
			return t.off, nil
		}
		b.next(t)
	}
}

// guess reads a token; where a / or < turns out to begin nothing, it was an operator.
func (l *lexer) guess(term bool) (t token) {
	l.skip(term)
	if c := l.at(l.pos); c == '$' || c == '@' || c == '"' || c == '\'' || c == '`' {
		term = true // no operator begins so: average $x, res 'cpu', 5
	}
	if !term {
		return l.next(false)
	}
	start, fail := l.pos, l.fail
	ok := func() (ok bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, is := r.(abort); !is {
					panic(r)
				}
			}
		}()
		l.fail = func(int, string, string) { panic(abort{}) }
		t = l.next(true)
		return true
	}()
	l.fail = fail
	if ok {
		return t
	}
	l.pos = start
	l.skip(true)
	if c := l.at(l.pos); c == '/' || c == '<' || c == '?' {
		l.pos = start
		return l.next(false)
	}
	l.pos = start
	return l.next(true) // complains
}

// takesTerm tells whether a term may follow a word: an operator or a function of perl's.
func takesTerm(word string) bool {
	if isOperatorWord(word) {
		return true
	}
	switch word {
	case "return", "split", "grep", "map", "join", "push", "unshift", "print", "printf", "say", "sort", "reverse", "die", "warn",
		"do", "eval", "else", "elsif", "defined", "scalar", "lc", "uc", "length", "ref", "not",
		"my", "our", "local", "state": // a variable that is named like a quote: my $s=1
		return true
	}
	b := builtinFor(word)
	return b != nil && b.max != 0
}

func (l *lexer) unclosed(open int) error {
	line := strings.Count(l.src[:open], "\n") + 1
	//lint:ignore ST1005 perl's own words
	return fmt.Errorf("Missing right curly bracket: the { in line %d is not closed", line)
}
