package perl

import "strings"

// here is a heredoc that was read: a token may be read more than once.
type here struct {
	quote *quote
	pos   int // behind its <<TAG
}

// heredoc reads <<TAG, <<"TAG", <<'TAG' and the same with ~; the text begins on the next line.
func (l *lexer) heredoc(t *token) bool {
	if h, ok := l.here[t.off]; ok {
		t.kind, t.quote, l.pos = tQuote, h.quote, h.pos
		return true
	}
	i := l.pos + 2
	indent := l.at(i) == '~'
	if indent {
		i++
	}
	q := &quote{op: "<<\""}
	var tag string
	switch c := l.at(i); {
	case c == '"' || c == '\'':
		j := strings.IndexByte(l.src[i+1:l.end], c)
		if j < 0 {
			return false
		}
		tag = l.src[i+1 : i+1+j]
		i += j + 2
		if c == '\'' {
			q.op = "<<'"
		}
	case isLetter(c):
		j := i
		for isWord(l.at(j)) {
			j++
		}
		tag, i = l.src[i:j], j
	default:
		return false
	}
	eol := strings.IndexByte(l.src[i:l.end], '\n')
	if eol < 0 || !l.heredocText(q, tag, indent, i+eol) {
		l.fail(t.off, "Can't find string terminator \""+tag+"\" anywhere before EOF", "the text ends at a line that holds nothing but "+tag)
		return true
	}
	l.pos = i
	t.kind, t.quote = tQuote, q
	if l.here == nil {
		l.here = map[int]here{}
	}
	l.here[t.off] = here{q, i}
	return true
}

// heredocText finds the text behind the line end at eol, or behind the last heredoc of that line.
func (l *lexer) heredocText(q *quote, tag string, indent bool, eol int) bool {
	start := eol + 1
	if to, ok := l.docs[eol]; ok {
		start = to
	}
	for p := start; p < l.end; {
		stop, next := l.end, l.end
		if i := strings.IndexByte(l.src[p:l.end], '\n'); i >= 0 {
			stop, next = p+i, p+i+1
		}
		line := strings.TrimSuffix(l.src[p:stop], "\r")
		if line == tag || indent && strings.TrimLeft(line, " \t") == tag {
			q.from, q.to = start, p
			if indent {
				q.indent = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			}
			if l.docs == nil {
				l.docs = map[int]int{}
			}
			l.docs[eol] = next
			return true
		}
		p = next
	}
	return false
}

// checkIndent sees that each line of a <<~ text begins as its end does. Empty lines need not.
func (p *parser) checkIndent(t token, q *quote) {
	for n, line := range strings.Split(strings.TrimSuffix(p.src[q.from:q.to], "\n"), "\n") {
		if !strings.HasPrefix(line, q.indent) && strings.TrimSuffix(line, "\r") != "" {
			p.fail(t.off, "Indentation on line "+Int(int64(n+1)).str()+" of here-doc doesn't match delimiter", "begin each line with the white space that stands before the end mark")
		}
	}
}

// unindented is the text of a here-document without its indentation.
func unindented(text, indent string) string {
	if indent == "" {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.Join(lines, "")
}
