package ccs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lbvm/lbvm/internal/splice"
)

// FuzzParse compares the scanner with encoding/xml: what one takes the other must take and read the same, and what the
// scanner refuses must be unsound.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<16 {
			return
		}
		d, err := Parse("f", src)
		if theirs := wellFormed(src); (err == nil) != (theirs == nil) && !stricter(src, err) {
			t.Fatalf("%q: we say %v, encoding/xml says %v", src, err, theirs)
		}
		if err != nil {
			pointsInto(t, src, err)
			return
		}
		if !bytes.Equal(d.Bytes(), src) {
			t.Fatalf("%q came back as %q", src, d.Bytes())
		}
		readAlike(t, d)
		d.Check(nil)
		d.Services()
		d.Nodes()
		d.Domains()
	})
}

// pointsInto wants an error to point into the text.
func pointsInto(t *testing.T, src []byte, err error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Col < 1 || syntax.Line > bytes.Count(src, []byte("\n"))+1 || syntax.Col > len(src)+1 || len(err.Error()) > 2000 {
		t.Fatalf("%q: %v", src, err)
	}
}

// stricter are refusals of what encoding/xml takes: it does not ask for white space between attributes, looks at no
// comments within a DOCTYPE, makes U+FFFD of half a character, and has no limits.
func stricter(src []byte, err error) bool {
	if err == nil {
		return false
	}
	for _, say := range []string{"white space is missing", "within a comment"} {
		if strings.Contains(err.Error(), say) {
			return true
		}
	}
	if strings.Contains(err.Error(), "not a reference") {
		for _, ref := range regexp.MustCompile(`&#(x[0-9a-fA-F]+|[0-9]+);`).FindAllSubmatch(src, -1) {
			n, perr := strconv.ParseUint("0"+string(ref[1]), 0, 32)
			if ref[1][0] != 'x' {
				n, perr = strconv.ParseUint(string(ref[1]), 10, 32)
			}
			if perr == nil && n >= 0xD800 && n < 0xE000 {
				return true
			}
		}
	}
	return errors.Is(err, ErrTooBig)
}

// readAlike compares the elements, values and texts of a document with those that other readers find in its bytes.
func readAlike(t *testing.T, d *Document) {
	t.Helper()
	if err := d.reread(); err != nil {
		t.Fatalf("%q: %v", d.src, err)
	}
	tree, err := d.Tree()
	if err != nil {
		t.Fatalf("%q: %v", d.src, err)
	}
	if ours, theirs := outlineOurs(d.Root()), outlineOf(tree.Root(), ""); ours != theirs {
		t.Fatalf("%q: we read\n%s\netree reads\n%s", d.src, ours, theirs)
	}
	for _, n := range d.all {
		e := Element{d, n}
		start, end := e.Span()
		if d.src[start] != '<' || d.src[end-1] != '>' {
			t.Fatalf("%q: <%s> is at %d to %d", d.src, n.tag, start, end)
		}
		if line, col := e.Position(); line != bytes.Count(d.src[:start], []byte("\n"))+1 || col < 1 {
			t.Fatalf("%q: <%s> is in line %d", d.src, n.tag, line)
		}
		for _, a := range n.attrs {
			raw := d.src[a.value.start:a.value.end]
			if want := valueByEtree(t, raw, d.latin1); d.value(a) != want {
				t.Fatalf("%q reads %q, want %q", raw, d.value(a), want)
			}
		}
	}
}

// valueByEtree is what a raw value means: etree resolves its references, after its white space was made blanks.
func valueByEtree(t *testing.T, raw []byte, latin1 bool) string {
	t.Helper()
	plain := strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ", `"`, "&quot;").Replace(string(toUTF8(raw, latin1)))
	tree, err := readByEtree([]byte(`<a v="`+plain+`"/>`), false)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return tree.Root().SelectAttrValue("v", "")
}

// outlineOurs writes an element of ours as outlineOf writes one of etree.
func outlineOurs(e Element) string {
	var b strings.Builder
	for _, s := range said(e.content()) {
		b.WriteString(outlineSaying(s))
	}
	return b.String()
}

func outlineSaying(s saying) string {
	switch s.kind {
	case kindText:
		if text := strings.Join(strings.Fields(s.text), " "); text != "" {
			return fmt.Sprintf("text %q\n", text)
		}
		return ""
	case kindComment:
		return fmt.Sprintf("comment %q\n", levelCR(s.text))
	case kindInstruction:
		target := s.text
		if i := strings.IndexAny(target, " \t\r\n"); i >= 0 {
			target = target[:i]
		}
		return fmt.Sprintf("instruction %q %q\n", target, levelCR(strings.TrimLeft(s.text[len(target):], " \t\r\n")))
	}
	head := "<" + s.el.Tag()
	for _, a := range s.el.Attrs() {
		head += fmt.Sprintf(" %s=%q", a.Name, levelled(a.Value))
	}
	return head + ">\n" + strings.ReplaceAll(outlineOurs(s.el), "\n", "\n ") + "</>\n"
}

// levelCR: encoding/xml leaves the line ends of comments and instructions as they are, we make CRLF one.
func levelCR(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// FuzzEdit makes random edits on any document that parses: they must come out as meant, also in the eyes of the oracle.
func FuzzEdit(f *testing.F) {
	f.Fuzz(func(t *testing.T, src []byte, choice int64) {
		if len(src) > 1<<14 {
			return
		}
		d, err := Parse("f", src)
		if err != nil || bytes.Contains(src, []byte("lbvm-id")) {
			return
		}
		g := ugly{Rand: rand.New(rand.NewSource(choice))}
		edits := g.edits(d)
		out, err := d.Apply(edits...)
		if errors.Is(err, splice.ErrOverlap) || errors.Is(err, ErrTooBig) {
			return
		}
		if err != nil {
			t.Fatalf("%q\n%s: %v", src, describe(edits), err)
		}
		o, err := newOracle(src, d.latin1)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		for _, e := range edits {
			if err := o.make(e); err != nil {
				t.Fatal(err)
			}
		}
		if at := o.compare(out.src, d.latin1); at != "" {
			t.Fatalf("%q\nbecame\n%q\nby %s: %s", src, out.src, describe(edits), at)
		}
		if err := out.reread(); err != nil {
			t.Fatalf("%q became %q: %v", src, out.src, err)
		}
	})
}

// FuzzValue writes a value and reads it again, in each kind of quotes and each encoding.
func FuzzValue(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		for _, src := range []string{`<a v=""/>`, `<a v=''/>`, `<?xml version="1.0" encoding="ISO-8859-1"?><a v=''/>`} {
			d := parse(t, src)
			got, err := d.Apply(SetAttr{d.Root(), "v", value})
			sound := utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool { return !legal(r) })
			if (err == nil) != sound {
				t.Fatalf("%q: %v", value, err)
			}
			if err != nil {
				continue
			}
			if v, _ := got.Root().Attr("v"); v != value {
				t.Fatalf("%q came back as %q from %q", value, v, got.src)
			}
			readAlike(t, got)
		}
	})
}

// FuzzInsert puts any text in as an element: it is refused, or the document then holds it.
func FuzzInsert(f *testing.F) {
	f.Fuzz(func(t *testing.T, xml string, where uint8) {
		if len(xml) > 1<<14 {
			return
		}
		for _, src := range []string{"<c>\r\n\t<x a='1'/>\r\n</c>", "<?xml version='1.0' encoding='latin1'?><c><x>\xe9</x></c>", "<c><x/> text <y/></c>"} {
			d := parse(t, src)
			part, perr := Parse("part", []byte(xml))
			got, err := d.Apply(Insert{d.Root().Children()[0], Where(where % 3), xml})
			if err != nil {
				// In Latin-1 a comment or a name cannot hold every character, nor can a declared encoding come along.
				if perr == nil && !d.latin1 && !strings.Contains(err.Error(), "markup beside it") && !errors.Is(err, ErrTooBig) {
					t.Fatalf("%q: %v", xml, err)
				}
				continue
			}
			if perr != nil {
				t.Fatalf("%q was taken: %q", xml, got.src)
			}
			want := outlineSaying(saying{kind: kindElement, el: part.Root()})
			if !strings.Contains(flat(outlineOurs(got.Root())), flat(want)) {
				t.Fatalf("%q became %q", xml, got.src)
			}
			readAlike(t, got)
		}
	})
}

// flat takes the indentation away.
func flat(outline string) string {
	all := strings.Split(outline, "\n")
	for i := range all {
		all[i] = strings.TrimLeft(all[i], " ")
	}
	return strings.Join(all, "\n")
}

// FuzzVersion bumps any version: it is refused, or one more.
func FuzzVersion(f *testing.F) {
	f.Fuzz(func(t *testing.T, version string) {
		d, err := Parse("f", []byte(`<cluster config_version="`+version+`"/>`))
		if err != nil || len(d.Root().Attrs()) != 1 || !d.root.empty() {
			return
		}
		text, _ := d.Root().Attr("config_version")
		digits := text != "" && strings.Trim(text, "0123456789") == ""
		bump, err := d.Bump()
		if err != nil {
			if !errors.Is(err, ErrVersion) || digits && len(strings.TrimLeft(text, "0")) < 10 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		next, err := d.Apply(bump)
		if err != nil || !digits {
			t.Fatalf("%q: %v", text, err)
		}
		before, _ := d.Version()
		after, err := next.Version()
		if raised, _ := next.Root().Attr("config_version"); err != nil || after != before+1 || len(raised) < len(text) {
			t.Fatalf("%q became %q: %v", text, raised, err)
		}
	})
}

// FuzzDiff makes the new text of the old one and the difference.
func FuzzDiff(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 1<<12 {
			return
		}
		diff := unified("f", []byte(a), []byte(b))
		if got, err := patched(a, diff); err != nil || got != b {
			t.Fatalf("%q -> %q: %q, %v\n%s", a, b, got, err, diff)
		}
	})
}
