package ccs

import (
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

const bom = "\xef\xbb\xbf"

// characters refuses bytes that no XML document may hold, from a place on.
func (s *scanner) characters(start int) *scanError {
	for i := start; i < len(s.src); {
		if len(s.src)-i >= 8 && plainWord(binary.LittleEndian.Uint64(s.src[i:])) {
			i += 8
			continue
		}
		b := s.src[i]
		if b < utf8.RuneSelf || s.latin1 {
			if b < ' ' && !isSpace(b) {
				return s.fail(i, "byte 0x%02x may not stand in an XML document", b)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(s.src[i:])
		if r == utf8.RuneError && n == 1 {
			return s.fail(i, "byte 0x%02x is not UTF-8; a file in another encoding must declare it", b)
		}
		if !isChar(r) {
			return s.fail(i, "the character %U may not stand in an XML document", r)
		}
		i += n
	}
	return nil
}

// plainWord tells whether eight bytes are printable ASCII. It may say no where they are.
func plainWord(w uint64) bool {
	const ones = 0x0101010101010101
	const high = ones << 7
	return (w|(w-ones*' ')&^w)&high == 0
}

// readName reads a name, "" if there is none.
func (s *scanner) readName() (string, *scanError) {
	start, strange := s.pos, false
	for s.pos < len(s.src) && isName(s.src[s.pos], s.pos == start) {
		if s.src[s.pos] >= utf8.RuneSelf {
			strange = true
		}
		s.pos++
	}
	if s.pos-start > maxName {
		return "", &scanError{start, fmt.Sprintf("a name of more than %d bytes", maxName), ErrTooBig}
	}
	name := s.intern(s.src[start:s.pos])
	if strange && s.latin1 {
		name = string(toUTF8([]byte(name), true))
	}
	if strange && name != s.sound && !soundName(name) {
		return "", s.fail(start, "%q cannot be a name", name)
	}
	if strange {
		s.sound = name
	}
	return name, nil
}

// readTagName reads the name of an element or attribute, which may have one prefix.
func (s *scanner) readTagName() (string, *scanError) {
	start := s.pos
	name, err := s.readName()
	if err == nil && strings.Count(name, ":") > 1 {
		return "", s.fail(start, "%q cannot be a name", name)
	}
	return name, err
}

// maxName bounds what a message has to print.
const maxName = 1000

// soundName judges a name with letters beyond ASCII, of which XML has long tables: encoding/xml knows them.
func soundName(name string) bool {
	d := xml.NewDecoder(strings.NewReader("<" + name + "/>"))
	_, err := d.RawToken()
	return err == nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// isName tells whether a byte can be part of a name; all beyond ASCII can until soundName says otherwise.
func isName(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b == ':', b >= utf8.RuneSelf:
		return true
	case b >= '0' && b <= '9', b == '-', b == '.':
		return !first
	}
	return false
}

func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
