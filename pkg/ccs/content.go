package ccs

import (
	"bytes"
	"strings"
)

type kind uint8

const (
	kindElement kind = iota
	kindText
	kindCDATA
	kindComment
	kindInstruction
)

// item is one thing that an element holds.
type item struct {
	kind   kind
	latin1 bool
	raw    []byte  // what stands between the marks; of an element nothing
	el     Element // of an element
	at     int     // of an element that a plan puts in: where its text goes; else -1
}

// content lists what an element holds, in its order.
func (e Element) content() []item {
	n := e.n
	if n.empty() {
		return nil
	}
	out := make([]item, 0, 2*len(n.children)+4)
	at := n.open.end
	for _, c := range n.children {
		out = e.d.between(out, at, c.open.start)
		out = append(out, item{kind: kindElement, el: Element{e.d, c}, at: -1})
		at = c.end()
	}
	return e.d.between(out, at, n.close.start)
}

// between adds what stands in a stretch without elements. The scanner has found its markup sound.
func (d *Document) between(out []item, at, end int) []item {
	for at < end {
		b := d.src[at:end]
		i := item{kind: kindText, latin1: d.latin1, raw: b, at: -1}
		switch {
		case b[0] != '<':
			if n := bytes.IndexByte(b, '<'); n >= 0 {
				i.raw = b[:n]
			}
			at += len(i.raw)
		case bytes.HasPrefix(b, []byte("<!--")):
			at += i.cut(kindComment, "<!--", "-->")
		case bytes.HasPrefix(b, []byte("<?")):
			at += i.cut(kindInstruction, "<?", "?>")
		default:
			at += i.cut(kindCDATA, "<![CDATA[", "]]>")
		}
		out = append(out, i)
	}
	return out
}

// cut leaves in raw what stands between two marks and gives the length of all three.
func (i *item) cut(k kind, open, end string) int {
	n := bytes.Index(i.raw[len(open):], []byte(end))
	i.kind, i.raw = k, i.raw[len(open):len(open)+n]
	return len(open) + n + len(end)
}

func (i item) isText() bool { return i.kind == kindText || i.kind == kindCDATA }

// text is what is meant: references resolved, line ends as \n.
func (i item) text() string {
	if i.kind == kindText {
		return decodeText(i.raw, i.latin1)
	}
	return lineEnds(string(toUTF8(i.raw, i.latin1)))
}

func lineEnds(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func (i item) blank() bool { return i.isText() && isBlank(i.raw) }

func hasText(items []item) bool {
	for _, i := range items {
		if i.isText() && !i.blank() {
			return true
		}
	}
	return false
}

// saying is what an element or another item says.
type saying struct {
	kind kind
	text string
	el   Element
}

// said gives what items say: pieces of text that touch are one, and its white space is levelled; white space alone
// says nothing.
func said(items []item) []saying {
	out := make([]saying, 0, len(items)/2+1)
	var run strings.Builder
	flush := func() {
		if run.Len() == 0 {
			return
		}
		if s := strings.Join(strings.FieldsFunc(run.String(), func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }), " "); s != "" {
			out = append(out, saying{kind: kindText, text: s})
		}
		run.Reset()
	}
	for _, i := range items {
		switch {
		case i.blank():
			if run.Len() > 0 && len(i.raw) > 0 {
				run.WriteByte(' ')
			}
		case i.isText():
			run.WriteString(i.text())
		case i.kind == kindElement:
			flush()
			out = append(out, saying{kind: kindElement, el: i.el})
		default:
			flush()
			out = append(out, saying{kind: i.kind, text: i.text()})
		}
	}
	flush()
	return out
}
