package ccs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeReference reads the reference at the start of b: its character and its length, 0 if it is none.
func decodeReference(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := string(b[1:end]); name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		if name[0] != '#' {
			return 0, 0
		}
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || !isChar(rune(n)) || n > utf8.MaxRune {
			return 0, 0
		}
		return rune(n), end + 1
	}
}

// decodeValue is an attribute's value as the cluster's programs see it: references resolved, a raw line end or tab is a blank.
func decodeValue(raw []byte, latin1 bool) string {
	if !latin1 && !bytes.ContainsAny(raw, "&\t\r\n") {
		return string(raw)
	}
	var b strings.Builder
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '&':
			r, n := decodeReference(raw[i:])
			if n == 0 { // cannot be: the scanner has refused it
				r, n = '&', 1
			}
			b.WriteRune(r)
			i += n
			continue
		case c == '\r' && i+1 < len(raw) && raw[i+1] == '\n':
		case isSpace(c):
			b.WriteByte(' ')
		case latin1:
			b.WriteRune(rune(c))
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String()
}

// toUTF8 gives the document as etree reads it.
func toUTF8(src []byte, latin1 bool) []byte {
	if !latin1 {
		return src
	}
	out := make([]byte, 0, len(src)+len(src)/8)
	for _, b := range src {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

// escapeValue writes a value for between two quotes. A `>` becomes a reference behind `]]` only, where etree wants that.
func escapeValue(v string, quote byte) string {
	var b strings.Builder
	for i, r := range v {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>' && strings.HasSuffix(v[:i], "]]"):
			b.WriteString("&gt;")
		case r == '"' && quote == '"':
			b.WriteString("&quot;")
		case r == '\'' && quote == '\'':
			b.WriteString("&apos;")
		case r == '\t' || r == '\n' || r == '\r':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escapeText writes text for between tags.
func escapeText(v string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;").Replace(v)
}

// encode writes new text in the document's encoding. What Latin-1 does not have becomes a reference.
func encode(text string, latin1 bool) []byte {
	if !latin1 {
		return []byte(text)
	}
	var out []byte
	for _, r := range text {
		if r <= 0xFF {
			out = append(out, byte(r))
		} else {
			out = fmt.Appendf(out, "&#x%X;", r)
		}
	}
	return out
}

// position is the line and the column of an offset.
func position(src []byte, at int, latin1 bool) (line, col int) {
	at = min(at, len(src))
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	line = bytes.Count(src[:start], []byte{'\n'}) + 1
	if latin1 {
		return line, at - start + 1
	}
	return line, utf8.RuneCount(src[start:at]) + 1
}

// decodeText is text between tags as it is meant: references resolved, line ends as \n.
func decodeText(raw []byte, latin1 bool) string {
	s := lineEnds(string(toUTF8(raw, latin1)))
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		b.WriteString(s[:i])
		r, n := decodeReference([]byte(s[i:min(len(s), i+maxReference)]))
		if n == 0 { // cannot be: the scanner has refused it
			r, n = '&', 1
		}
		b.WriteRune(r)
		s = s[i+n:]
	}
	b.WriteString(s)
	return b.String()
}

// maxReference is how long a reference may be: &#x0010FFFF; and some more zeros.
const maxReference = 40
