package hypervisor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// element is a node of a domain's XML. libvirt writes no DTD and no namespace that matters here; a reader of our own
// keeps the agents small, since each status check pays for their size.
type element struct {
	name  string
	attrs map[string]string
	text  string // of its own, without that of its children
	kids  []*element
}

// Bounds of a document that a person writes.
const (
	xmlMost = 1 << 20
	xmlDeep = 64
)

// child is the first child of that name, or an empty element.
func (e *element) child(name string) *element {
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return &element{}
}

func (e *element) has(name string) bool { return e.child(name).name != "" }

func (e *element) value() string { return strings.TrimSpace(e.text) }

// all are the elements below e on a path of names.
func (e *element) all(path ...string) []*element {
	at := []*element{e}
	for _, name := range path {
		var next []*element
		for _, x := range at {
			for _, k := range x.kids {
				if k.name == name {
					next = append(next, k)
				}
			}
		}
		at = next
	}
	return at
}

// xmlReader reads a whole document. Its errors name the line.
type xmlReader struct {
	src string
	at  int
}

func (r *xmlReader) fail(format string, args ...any) error {
	at := min(r.at, len(r.src))
	return fmt.Errorf("line %d: %s", 1+strings.Count(r.src[:at], "\n"), fmt.Sprintf(format, args...))
}

// parseXML gives the root of a document. What it does not know, as a DOCTYPE, is an error.
func parseXML(src []byte) (*element, error) {
	if len(src) > xmlMost {
		return nil, fmt.Errorf("it has %d bytes, and may have %d", len(src), xmlMost)
	}
	if !utf8.Valid(src) {
		return nil, errors.New("it is not UTF-8")
	}
	r := &xmlReader{src: strings.TrimPrefix(string(src), "\ufeff")}
	var root *element
	var open []*element
	for r.at < len(r.src) {
		next := strings.IndexByte(r.src[r.at:], '<')
		if next < 0 {
			next = len(r.src) - r.at
		}
		text, err := r.unescape(r.src[r.at : r.at+next])
		if err != nil {
			return nil, err
		}
		if len(open) > 0 {
			open[len(open)-1].text += text
		} else if strings.TrimSpace(text) != "" {
			return nil, r.fail("text outside of all elements")
		}
		if r.at += next; r.at == len(r.src) {
			break
		}
		rest := r.src[r.at:]
		switch {
		case strings.HasPrefix(rest, "<!--"):
			err = r.skip("<!--", "-->")
		case strings.HasPrefix(rest, "<?"):
			err = r.skip("<?", "?>")
		case strings.HasPrefix(rest, "<![CDATA[") && len(open) > 0:
			from := r.at + len("<![CDATA[")
			if err = r.skip("<![CDATA[", "]]>"); err == nil {
				open[len(open)-1].text += r.src[from : r.at-len("]]>")]
			}
		case strings.HasPrefix(rest, "<!"):
			err = r.fail("%.12q is not for a domain", rest)
		case strings.HasPrefix(rest, "</"):
			r.at += 2
			name := r.name()
			r.blank()
			if len(open) == 0 || open[len(open)-1].name != name || !r.take(">") {
				return nil, r.fail("</%s> closes nothing that is open", name)
			}
			open = open[:len(open)-1]
		default:
			var e *element
			var empty bool
			if e, empty, err = r.start(); err != nil {
				break
			}
			switch {
			case len(open) > 0:
				open[len(open)-1].kids = append(open[len(open)-1].kids, e)
			case root != nil:
				return nil, r.fail("a second element beside <%s>", root.name)
			default:
				root = e
			}
			if !empty {
				open = append(open, e)
			}
			if len(open) > xmlDeep {
				return nil, r.fail("more than %d elements in each other", xmlDeep)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(open) > 0:
		return nil, r.fail("<%s> is not closed", open[len(open)-1].name)
	case root == nil:
		return nil, errors.New("there is no element")
	}
	return root, nil
}

func (r *xmlReader) skip(begin, end string) error {
	i := strings.Index(r.src[r.at+len(begin):], end)
	if i < 0 {
		return r.fail("%s without %s", begin, end)
	}
	r.at += len(begin) + i + len(end)
	return nil
}

func (r *xmlReader) take(s string) bool {
	if strings.HasPrefix(r.src[r.at:], s) {
		r.at += len(s)
		return true
	}
	return false
}

func (r *xmlReader) blank() {
	r.at = len(r.src) - len(strings.TrimLeft(r.src[r.at:], " \t\r\n"))
}

func (r *xmlReader) name() string {
	from := r.at
	for r.at < len(r.src) {
		c := r.src[r.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.:", c) >= 0 || c >= 0x80 {
			r.at++
			continue
		}
		break
	}
	return r.src[from:r.at]
}

// start reads <NAME A="B">, or <NAME/> which is empty.
func (r *xmlReader) start() (e *element, empty bool, err error) {
	r.at++
	e = &element{name: r.name(), attrs: map[string]string{}}
	if e.name == "" {
		return nil, false, r.fail("a < that begins no element")
	}
	for {
		before := r.at
		r.blank()
		switch {
		case r.take("/>"):
			return e, true, nil
		case r.take(">"):
			return e, false, nil
		}
		name := r.name()
		if name == "" || before == r.at-len(name) {
			return nil, false, r.fail("<%s> is not written as an element", e.name)
		}
		r.blank()
		ok := r.take("=")
		r.blank()
		if !ok || r.at >= len(r.src) || r.src[r.at] != '"' && r.src[r.at] != '\'' {
			return nil, false, r.fail("attribute %s has no value in quotation marks", name)
		}
		quote := r.src[r.at]
		r.at++
		end := strings.IndexByte(r.src[r.at:], quote)
		if end < 0 || strings.IndexByte(r.src[r.at:r.at+end], '<') >= 0 {
			return nil, false, r.fail("the value of attribute %s does not end", name)
		}
		value, err := r.unescape(r.src[r.at : r.at+end])
		if err != nil {
			return nil, false, err
		}
		if _, twice := e.attrs[name]; twice {
			return nil, false, r.fail("attribute %s stands twice", name)
		}
		e.attrs[name] = value
		r.at += end + 1
	}
}

// unescape puts characters in the place of entities.
func (r *xmlReader) unescape(s string) (string, error) {
	if strings.IndexByte(s, '&') < 0 {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		name, rest, ok := strings.Cut(s[i+1:], ";")
		c, known := map[string]rune{"lt": '<', "gt": '>', "amp": '&', "apos": '\'', "quot": '"'}[name]
		if digits, numeric := strings.CutPrefix(name, "#"); !known && numeric {
			base := 10
			if hex, is := strings.CutPrefix(digits, "x"); is {
				digits, base = hex, 16
			}
			n, err := strconv.ParseUint(digits, base, 21)
			c, known = rune(n), err == nil && n != 0 && utf8.ValidRune(rune(n))
		}
		if !ok || !known {
			return "", r.fail("an entity that is not known: %.12q", s[i:])
		}
		b.WriteRune(c)
		s = rest
	}
}
