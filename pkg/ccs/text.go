package ccs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// declaration reads <?xml ...?> for its encoding and steps over it.
func (s *scanner) declaration() *scanError {
	start := s.pos
	if err := s.until("?>", "XML declaration"); err != nil {
		return err
	}
	name, ok := pseudoAttribute(s.src[start:s.pos], "encoding")
	if !ok {
		return nil
	}
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
		s.latin1 = true
	default:
		return &scanError{start, fmt.Sprintf("encoding %q is not read here, only UTF-8 and ISO-8859-1", name), ErrEncoding}
	}
	return nil
}

func pseudoAttribute(decl []byte, key string) (string, bool) {
	i := bytes.Index(decl, []byte(key))
	if i < 0 {
		return "", false
	}
	rest := bytes.TrimLeft(decl[i+len(key):], " \t\r\n")
	if len(rest) == 0 || rest[0] != '=' {
		return "", false
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) == 0 || (rest[0] != '"' && rest[0] != '\'') {
		return "", false
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return "", false
	}
	return string(rest[1 : 1+end]), true
}

// decodeReference reads the reference at the start of b: its character and its length, 0 if it is none.
func decodeReference(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), 16)], ';')
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

func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
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

// escapeValue writes a value for between two quotes.
func escapeValue(v string, quote byte) string {
	var b strings.Builder
	for _, r := range v {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
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

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func isName(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b == ':', b >= 0x80:
		return true
	case b >= '0' && b <= '9', b == '-', b == '.':
		return !first
	}
	return false
}
