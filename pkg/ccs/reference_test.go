package ccs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// legal tells which characters XML allows, by the table of its specification (2.2).
func legal(r rune) bool {
	switch {
	case r == 0x9, r == 0xA, r == 0xD:
		return true
	case r < 0x20, r >= 0xD800 && r < 0xE000, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= 0x10FFFF
}

// wellFormed judges a document with encoding/xml and, where that lets things pass, by the specification.
func wellFormed(src []byte) error {
	text, err := decoded(src)
	if err != nil {
		return err
	}
	for _, r := range text {
		if !legal(r) {
			return fmt.Errorf("character %U", r)
		}
	}
	w := judge{src: text}
	w.dec = xml.NewDecoder(strings.NewReader(text))
	w.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		start := w.dec.InputOffset()
		token, err := w.dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.token(token, start); err != nil {
			return err
		}
	}
	if !w.rooted || len(w.open) > 0 {
		return errors.New("no root, or it is not closed")
	}
	return nil
}

// decoded gives the text of a document in one of the two encodings, without its mark.
func decoded(src []byte) (string, error) {
	rest, marked := bytes.CutPrefix(src, []byte("\xef\xbb\xbf"))
	decl, _, _ := bytes.Cut(rest, []byte("?>"))
	if len(decl) > 5 && bytes.HasPrefix(decl, []byte("<?xml")) && strings.ContainsRune(" \t\r\n", rune(decl[5])) {
		says, ok := pseudoAttributes(decl[5:])
		v, has := says["version"]
		alone, hasAlone := says["standalone"]
		if !ok || has && v != "1.0" || hasAlone && alone != "yes" && alone != "no" {
			return "", errors.New("declaration")
		}
		switch enc, has := says["encoding"]; strings.ToLower(enc) {
		case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
			if marked {
				return "", errors.New("two encodings")
			}
			var b strings.Builder
			for _, c := range rest {
				b.WriteRune(rune(c))
			}
			return b.String(), nil
		case "utf-8", "utf8", "us-ascii", "ascii":
		default:
			if has {
				return "", errors.New("encoding")
			}
		}
	}
	if !utf8.Valid(rest) {
		return "", errors.New("not UTF-8")
	}
	return string(rest), nil
}

type judge struct {
	dec     *xml.Decoder
	src     string
	open    []xml.Name
	rooted  bool
	doctype bool
}

func (w *judge) token(token xml.Token, start int64) error {
	switch t := token.(type) {
	case xml.StartElement:
		if len(w.open) == 0 && w.rooted {
			return errors.New("second root")
		}
		seen := map[xml.Name]bool{}
		for _, a := range t.Attr {
			if seen[a.Name] {
				return errors.New("attribute twice")
			}
			seen[a.Name] = true
		}
		w.rooted, w.open = true, append(w.open, t.Name)
	case xml.EndElement:
		if len(w.open) == 0 || w.open[len(w.open)-1] != t.Name {
			return errors.New("end tag")
		}
		w.open = w.open[:len(w.open)-1]
	case xml.CharData:
		raw := w.src[start:w.dec.InputOffset()]
		if len(w.open) == 0 && strings.Trim(raw, " \t\r\n") != "" {
			return errors.New("text outside the root")
		}
	case xml.ProcInst:
		if strings.EqualFold(t.Target, "xml") && (start > 0 || t.Target != "xml" || !strings.ContainsRune(" \t\r\n", rune(w.src[len("<?xml")]))) {
			return errors.New("declaration in the middle")
		}
	case xml.Directive:
		name, ok := strings.CutPrefix(w.src[start:], "<!DOCTYPE")
		fields := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
		if !ok || w.rooted || w.doctype || name == strings.TrimLeft(name, " \t\r\n") || len(fields) == 0 || !startsName(fields[0]) {
			return errors.New("directive")
		}
		w.doctype = true
	}
	return nil
}

// startsName tells whether a text begins with a name.
func startsName(s string) bool {
	end := strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf && !isName(byte(r), false) })
	if end < 0 {
		end = len(s)
	}
	_, err := xml.NewDecoder(strings.NewReader("<" + s[:end] + "/>")).RawToken()
	return end > 0 && err == nil
}

// patched applies a unified difference strictly.
func patched(text, diff string) (string, error) {
	if diff == "" {
		return text, nil
	}
	old := strings.SplitAfter(text, "\n")
	var out []string
	at, bare := 0, false
	for i, line := range strings.SplitAfter(strings.TrimSuffix(diff, "\n"), "\n") {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case i < 2:
		case strings.HasPrefix(line, "@@ "):
			var from, n int
			if k, err := fmt.Sscanf(line, "@@ -%d,%d ", &from, &n); k < 2 || err != nil {
				if _, err := fmt.Sscanf(line, "@@ -%d ", &from); err != nil {
					return "", err
				}
				n = 1
			}
			if n > 0 {
				from--
			}
			out = append(out, old[at:from]...)
			at = from
		case line == `\ No newline at end of file`:
			if bare {
				out[len(out)-1] = strings.TrimSuffix(out[len(out)-1], "\n")
			}
		case line == "":
			return "", errors.New("empty line")
		default:
			if bare = line[0] != '-'; bare {
				out = append(out, line[1:]+"\n")
			}
			if line[0] != '+' {
				if at >= len(old) || strings.TrimSuffix(old[at], "\n") != line[1:] {
					return "", fmt.Errorf("line %d is not %q", at+1, line[1:])
				}
				at++
			}
		}
	}
	return strings.Join(append(out, old[at:]...), ""), nil
}
