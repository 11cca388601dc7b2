package ccs

import (
	"bytes"
	"fmt"
	"strings"
)

// declaration reads <?xml ...?> for its encoding and steps over it.
func (s *scanner) declaration() *scanError {
	start := s.pos
	if err := s.until("?>", "XML declaration"); err != nil {
		return err
	}
	says, ok := pseudoAttributes(s.src[start+len("<?xml") : s.pos-len("?>")])
	if !ok {
		return s.fail(start, `not an XML declaration: it reads <?xml version="1.0" encoding="..."?>`)
	}
	if v, ok := says["version"]; ok && v != "1.0" {
		return s.fail(start, "version %.20q of XML is not read here, only 1.0", v)
	}
	if v, ok := says["standalone"]; ok && v != "yes" && v != "no" {
		return s.fail(start, "standalone is yes or no, not %.20q", v)
	}
	name, ok := says["encoding"]
	if !ok {
		return nil
	}
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
		if start > 0 {
			return &scanError{start, "the file begins with the byte order mark of UTF-8 and says that it is " + name, ErrEncoding}
		}
		s.latin1 = true
	default:
		return &scanError{start, fmt.Sprintf("encoding %.40q is not read here, only UTF-8 and ISO-8859-1", name), ErrEncoding}
	}
	return nil
}

// pseudoAttributes reads what an XML declaration says: version, encoding and standalone, each once, in whatever order.
func pseudoAttributes(decl []byte) (map[string]string, bool) {
	out := map[string]string{}
	for {
		rest := bytes.TrimLeft(decl, " \t\r\n")
		if len(rest) == 0 {
			return out, true
		}
		key, value, ok := bytes.Cut(rest, []byte("="))
		name := string(bytes.TrimRight(key, " \t\r\n"))
		value = bytes.TrimLeft(value, " \t\r\n")
		_, again := out[name]
		known := name == "version" || name == "encoding" || name == "standalone"
		if !ok || again || !known || len(rest) == len(decl) || len(value) == 0 || value[0] != '"' && value[0] != '\'' {
			return nil, false
		}
		end := bytes.IndexByte(value[1:], value[0])
		if end < 0 {
			return nil, false
		}
		out[name] = string(value[1 : 1+end])
		decl = value[1+end+1:]
	}
}
