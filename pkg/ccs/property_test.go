package ccs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/splice"
)

var seed = flag.Int64("ccs.seed", 0, "repeat the property test's case of this seed")

// Random edits on random ugly documents: all bytes outside the spans stay, the result reads as intended (Apply
// refuses otherwise), and the edits are taken back.
func TestRandomEdits(t *testing.T) {
	cases := 4000
	first := time.Now().UnixNano()
	if *seed != 0 {
		cases, first = 1, *seed
	}
	refused, done := 0, 0
	for i := range cases {
		s := first + int64(i)
		again := fmt.Sprintf("go test ./pkg/ccs -run TestRandomEdits -ccs.seed %d", s)
		g := ugly{Rand: rand.New(rand.NewSource(s))}
		src := g.document()
		d, err := Parse("ugly", src)
		if err != nil {
			t.Fatalf("%s\n%q: %v", again, src, err)
		}
		edits := g.edits(d)
		out, err := d.Apply(edits...)
		if err != nil {
			if !errors.Is(err, splice.ErrOverlap) {
				t.Fatalf("%s\n%q\n%+v: %v", again, src, describe(edits), err)
			}
			refused++
			continue
		}
		done++
		p, err := d.planAll(edits)
		if err != nil {
			t.Fatal(again, err)
		}
		back, err := splice.Invert(src, p.splices)
		if err != nil {
			t.Fatal(again, err)
		}
		if undone, err := splice.Apply(out.src, back); err != nil || !bytes.Equal(undone, src) {
			t.Fatalf("%s\n%q came back as %q, %v", again, src, undone, err)
		}
		outside(t, again, src, out.src, p.splices, back)
		eol := bytes.Count(out.src, []byte("\r\n")) == bytes.Count(out.src, []byte("\n"))
		if bytes.Contains(src, []byte("\n")) && g.eol == "\r\n" && !g.mixed && !eol {
			t.Fatalf("%s\n%q: a line end of another kind", again, out.src)
		}
	}
	if done < cases/2 {
		t.Errorf("only %d of %d cases were edited, %d refused", done, cases, refused)
	}
}

// outside compares what lies between the edits on both sides.
func outside(t *testing.T, again string, src, out []byte, edits, back []splice.Edit) {
	t.Helper()
	cut := func(b []byte, spans []splice.Edit) []byte {
		gone := make([]splice.Edit, 0, len(spans))
		for _, s := range spans {
			gone = append(gone, splice.Edit{Start: s.Start, End: s.End})
		}
		rest, err := splice.Apply(b, gone)
		if err != nil {
			t.Fatal(again, err)
		}
		return rest
	}
	if a, b := cut(src, edits), cut(out, back); !bytes.Equal(a, b) {
		t.Fatalf("%s\nbytes outside the edits changed: %q, %q", again, a, b)
	}
}

func describe(edits []Edit) string {
	var b strings.Builder
	for _, e := range edits {
		switch e := e.(type) {
		case SetAttr:
			fmt.Fprintf(&b, "set %s@%d %s=%q; ", e.Element.Tag(), e.Element.n.open.start, e.Name, e.Value)
		case RemoveAttr:
			fmt.Fprintf(&b, "unset %s@%d %s; ", e.Element.Tag(), e.Element.n.open.start, e.Name)
		case Insert:
			fmt.Fprintf(&b, "insert %s@%d %d %s; ", e.At.Tag(), e.At.n.open.start, e.Where, e.XML)
		case RemoveElement:
			fmt.Fprintf(&b, "remove %s@%d; ", e.Element.Tag(), e.Element.n.open.start)
		}
	}
	return b.String()
}

type ugly struct {
	*rand.Rand
	eol    string
	mixed  bool // line ends of both kinds
	latin1 bool
	b      strings.Builder
}

func (g *ugly) pick(of ...string) string { return of[g.Intn(len(of))] }

func (g *ugly) nl() string {
	if g.mixed {
		return g.pick("\n", "\r\n")
	}
	return g.eol
}

func (g *ugly) gap() string {
	return g.pick("", "", " ", "\t", g.nl(), g.nl()+"  ", g.nl()+g.nl()+"\t", "  "+g.nl()+" ")
}

func (g *ugly) blank() string { return g.pick(" ", "  ", "\t", g.nl()+"    ") }

func (g *ugly) document() []byte {
	g.eol, g.mixed, g.latin1 = g.pick("\n", "\r\n"), g.Intn(5) == 0, g.Intn(6) == 0
	if g.latin1 {
		g.b.WriteString("<?xml version=\"1.0\" encoding='ISO-8859-1' ?>" + g.nl())
	} else {
		g.b.WriteString(g.pick("", "\ufeff", "<?xml version='1.0'?>"+g.nl(), "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))
	}
	g.b.WriteString(g.pick("", "<!-- <cluster> -->", "<!DOCTYPE cluster [ <!ELEMENT rm ANY> ]>"+g.nl(), "<?pi <x ?>"+g.nl()))
	g.element(0)
	g.b.WriteString(g.pick("", g.nl(), g.nl()+"<!-- end -->"+g.nl(), "<?pi?>"))
	if g.latin1 {
		return encode(g.b.String(), true)
	}
	return []byte(g.b.String())
}

func (g *ugly) element(depth int) {
	tag := g.pick("cluster", "rm", "service", "openvz", "a", "x-y", "n:s")
	g.b.WriteString("<" + tag)
	names := []string{"name", "ref", "a", "b", "xml:lang", "A"}
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:g.Intn(4)] {
		q := g.pick(`"`, `'`)
		v := g.pick("", "1", "&amp;", "&#10;", "&lt;x&gt;", "it"+map[string]string{`"`: "'", `'`: `"`}[q]+"s", "a"+g.nl()+"b", "/>", "\u00e9", "--")
		g.b.WriteString(g.blank() + name + g.pick("", " ", g.nl()) + "=" + g.pick("", " ") + q + v + q)
	}
	g.b.WriteString(g.pick("", " ", "", g.nl()))
	if depth > 4 || g.Intn(4) == 0 {
		g.b.WriteString("/>")
		return
	}
	g.b.WriteString(">")
	for range g.Intn(5) {
		g.b.WriteString(g.gap())
		switch g.Intn(8) {
		case 0:
			g.b.WriteString(g.pick("<!-- <a b='1'/> -->", "<!---->", "<!-- "+g.nl()+" -->"))
		case 1:
			g.b.WriteString(g.pick("text", "&amp;", "\u00fc &#65;", "> ' \""))
		case 2:
			g.b.WriteString(g.pick("<![CDATA[</a> & ]]>", "<![CDATA[]]>", "<?p <a?>"))
		default:
			g.element(depth + 1)
		}
	}
	g.b.WriteString(g.gap() + "</" + tag + g.pick("", " ", g.nl()) + ">")
}

func (g *ugly) edits(d *Document) []Edit {
	var out []Edit
	set := map[string]bool{} // one new attribute twice is a caller's mistake
	gone := map[*node]bool{}
	for range 1 + g.Intn(4) {
		e := Element{d, d.all[g.Intn(len(d.all))]}
		switch g.Intn(5) {
		case 0:
			name := g.pick("name", "a", "new", "xml:id")
			key := fmt.Sprint(e.n.index, name)
			if set[key] {
				continue
			}
			set[key] = true
			out = append(out, SetAttr{e, name, g.pick("", "1", `"`, `'`, "<&>", "\u00e9\u20ac", "a\nb", " x ")})
		case 1:
			if len(e.n.attrs) == 0 {
				continue
			}
			name := e.n.attrs[g.Intn(len(e.n.attrs))].name
			key := fmt.Sprint(e.n.index, name)
			if set[key] {
				continue
			}
			set[key] = true
			out = append(out, RemoveAttr{e, name})
		case 2:
			if e.n.parent == nil || gone[e.n] || g.Intn(2) == 0 {
				continue
			}
			gone[e.n] = true
			out = append(out, RemoveElement{e})
		default:
			where := Where(g.Intn(3))
			if e.n.parent == nil {
				where = Into
			}
			out = append(out, Insert{e, where, g.pick("<new/>", "<new a='1' b=\"'\"/>", "<new><deep x='\u20ac'/><!-- c --></new>", "<new>te<b/>xt</new>", "<new>\n  <x/>\n</new>\n")})
		}
	}
	// What is removed takes no part in other edits.
	kept := out[:0]
	for _, e := range out {
		if !inGone(e, gone) {
			kept = append(kept, e)
		}
	}
	return kept
}

func inGone(e Edit, gone map[*node]bool) bool {
	var n *node
	switch e := e.(type) {
	case SetAttr:
		n = e.Element.n
	case RemoveAttr:
		n = e.Element.n
	case Insert:
		n = e.At.n
	case RemoveElement:
		n = e.Element.n.parent
	}
	for ; n != nil; n = n.parent {
		if gone[n] {
			return true
		}
	}
	return false
}
