package hypervisor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A domain's configuration is a Python program. We read three of its variables and only where they are set by plain
// text at the top level; a program that computes one of them is refused, not guessed at.

type pyKind int

const (
	pyString pyKind = iota + 1
	pyNumber
	pyList // of strings
)

type pyValue struct {
	kind pyKind
	text string   // of a string, or the digits of a number
	list []string // of a list
	line int
}

func (v pyValue) integer() (int64, bool) {
	if v.kind == pyList {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64)
	return n, err == nil
}

// parsePython finds the values of the named variables. The last assignment counts.
func parsePython(src []byte, names ...string) (map[string]pyValue, error) {
	statements, err := pyStatements(string(src))
	if err != nil {
		return nil, err
	}
	values := map[string]pyValue{}
	for _, s := range statements {
		t := s.tokens
		touched := s.touches(names)
		if touched == "" {
			continue
		}
		var v pyValue
		ok := !s.inner && len(t) > 2 && t[0].text == touched && t[1].text == "="
		if ok {
			v, ok = pyLiteral(t[2:])
		}
		if !ok {
			return nil, fmt.Errorf("line %d: %s is computed; only plain text and numbers are read here", s.line, touched)
		}
		v.line = s.line
		values[touched] = v
	}
	return values, nil
}

// touches is the first of names that the statement may change, or "": NAME =, NAME.append(), if x: NAME = 1. To read
// one on the right of another variable's only `=` changes nothing.
func (s pyStatement) touches(names []string) string {
	t := s.tokens
	reads := !s.inner && len(t) > 2 && t[0].kind == pyWord && !slices.Contains(names, t[0].text) && t[1].text == "="
	for i, tok := range t {
		if i > 1 && tok.kind == pyMark && tok.text == "=" || tok.kind == pyWord && (tok.text == "for" || tok.text == "lambda") {
			reads = false
		}
	}
	for i, tok := range t {
		if tok.kind != pyWord || !slices.Contains(names, tok.text) || i > 0 && t[i-1].text == "." {
			continue
		}
		if !reads || i+1 < len(t) && t[i+1].text == "." {
			return tok.text
		}
	}
	return ""
}

// pyLiteral is a string, a whole number or a list of strings.
func pyLiteral(t []pyToken) (pyValue, bool) {
	if len(t) == 1 {
		switch t[0].kind {
		case pyText:
			return pyValue{kind: pyString, text: t[0].text}, true
		case pyDigits:
			return pyValue{kind: pyNumber, text: t[0].text}, true
		}
		return pyValue{}, false
	}
	if len(t) < 2 || t[0].text != "[" || t[len(t)-1].text != "]" || t[0].kind != pyMark || t[len(t)-1].kind != pyMark {
		return pyValue{}, false
	}
	v := pyValue{kind: pyList, list: []string{}}
	for i, tok := range t[1 : len(t)-1] {
		if i%2 == 0 && tok.kind != pyText || i%2 == 1 && (tok.kind != pyMark || tok.text != ",") {
			return pyValue{}, false
		}
		if i%2 == 0 {
			v.list = append(v.list, tok.text)
		}
	}
	return v, true
}

type pyTokenKind int

const (
	pyWord pyTokenKind = iota + 1
	pyDigits
	pyText
	pyMark
)

type pyToken struct {
	kind pyTokenKind
	text string
}

type pyStatement struct {
	line   int
	inner  bool // indented, or behind a semicolon: it may not run, or run twice
	tokens []pyToken
}

var errUnclosed = errors.New("a quote or bracket is not closed")

// pyStatements cuts a program into its statements: lines, joined inside brackets and behind a backslash.
func pyStatements(src string) ([]pyStatement, error) {
	var out []pyStatement
	p := pyScanner{src: src, line: 1}
	for p.pos < len(src) {
		s, err := p.statement()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
		if len(s.tokens) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

type pyScanner struct {
	src       string
	pos, line int
}

func (p *pyScanner) statement() (pyStatement, error) {
	s := pyStatement{line: p.line}
	depth, began := 0, p.pos
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '\n':
			p.pos++
			p.line++
			if depth == 0 {
				return s, nil
			}
		case c == '\\' && strings.HasPrefix(strings.TrimPrefix(p.src[p.pos+1:], "\r"), "\n"):
			p.pos = p.pos + strings.IndexByte(p.src[p.pos:], '\n') + 1
			p.line++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
			p.pos++
		case c == '#':
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
		case c == ';' && depth == 0:
			p.pos++
			return s, nil
		default:
			if len(s.tokens) == 0 {
				s.line, s.inner = p.line, p.pos > began || began > 0 && p.src[began-1] == ';'
			}
			tok, err := p.token()
			if err != nil {
				return s, err
			}
			if tok.kind == pyMark {
				switch tok.text {
				case "(", "[", "{":
					depth++
				case ")", "]", "}":
					depth--
				}
				if depth < 0 {
					return s, errUnclosed
				}
			}
			s.tokens = append(s.tokens, tok)
		}
	}
	if depth > 0 {
		return s, errUnclosed
	}
	return s, nil
}

func (p *pyScanner) token() (pyToken, error) {
	start := p.pos
	switch c := p.src[p.pos]; {
	case c == '"' || c == '\'':
		text, err := p.quoted()
		return pyToken{pyText, text}, err
	case c >= '0' && c <= '9':
		p.while(func(c byte) bool { return isPyWord(c) || c == '.' })
		text := p.src[start:p.pos]
		if strings.Trim(text, "0123456789") != "" {
			return pyToken{pyMark, text}, nil // 0x10, 1.5, 12L: not read here
		}
		return pyToken{pyDigits, text}, nil
	case isPyWord(c):
		p.while(isPyWord)
		text := p.src[start:p.pos]
		if p.pos < len(p.src) && (p.src[p.pos] == '"' || p.src[p.pos] == '\'') { // r"..", u'..': not read here
			if _, err := p.quoted(); err != nil {
				return pyToken{}, err
			}
			return pyToken{pyMark, text}, nil
		}
		return pyToken{pyWord, text}, nil
	case c == '=' && p.pos+1 < len(p.src) && p.src[p.pos+1] == '=':
		p.pos += 2
		return pyToken{pyMark, "=="}, nil
	default:
		p.pos++
		return pyToken{pyMark, p.src[start:p.pos]}, nil
	}
}

func (p *pyScanner) while(is func(byte) bool) {
	for p.pos < len(p.src) && is(p.src[p.pos]) {
		p.pos++
	}
}

func isPyWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// quoted reads a string of one or three quotes. An escape other than of a quote or backslash is refused.
func (p *pyScanner) quoted() (string, error) {
	q := p.src[p.pos : p.pos+1]
	long := strings.HasPrefix(p.src[p.pos:], q+q+q)
	if long {
		q += q + q
	}
	p.pos += len(q)
	var b strings.Builder
	for p.pos < len(p.src) {
		if strings.HasPrefix(p.src[p.pos:], q) {
			p.pos += len(q)
			return b.String(), nil
		}
		c := p.src[p.pos]
		switch {
		case c == '\n' && !long:
			return "", errUnclosed
		case c == '\n':
			p.line++
		case c == '\\' && p.pos+1 < len(p.src):
			p.pos++
			if c = p.src[p.pos]; c != '\'' && c != '"' && c != '\\' {
				if c == '\n' {
					p.line++
				}
				b.WriteByte('\\') // kept as it stands: no name and no path of ours holds one
			}
		}
		b.WriteByte(c)
		p.pos++
	}
	return "", errUnclosed
}
