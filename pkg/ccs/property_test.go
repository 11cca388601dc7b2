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

var (
	seed  = flag.Int64("ccs.seed", 0, "repeat the property test's case of this seed")
	cases = flag.Int("ccs.cases", 4000, "how many cases the property test makes")
)

// Random edits on random ugly documents: all bytes outside the edited spans are the same, what the new bytes say is
// what another implementation of the edits (the oracle) makes of the tree, and the edits are taken back.
func TestRandomEdits(t *testing.T) {
	n, first := *cases, time.Now().UnixNano()
	if *seed != 0 {
		n, first = 1, *seed
	}
	t.Logf("seeds %d to %d", first, first+int64(n)-1)
	kinds := map[string]int{}
	edited, refused := 0, 0
	for i := range n {
		if randomCase(t, first+int64(i), kinds) {
			edited++
		} else {
			refused++
		}
	}
	if edited < n/2 {
		t.Errorf("only %d of %d cases were edited, %d refused", edited, n, refused)
	}
	t.Logf("%d cases: %d edited, %d refused since two edits overlap; %v", n, edited, refused, kinds)
}

// randomCase makes the case of a seed; false says that its edits were refused, as two of them overlap.
func randomCase(t *testing.T, s int64, kinds map[string]int) bool {
	t.Helper()
	again := fmt.Sprintf("repeat with: go test ./pkg/ccs -run TestRandomEdits -ccs.seed %d\n", s)
	g := ugly{Rand: rand.New(rand.NewSource(s))}
	src := g.document()
	d, err := Parse("ugly", src)
	if err != nil {
		t.Fatalf("%s%q: %v", again, src, err)
	}
	edits := g.edits(d)
	out, err := d.Apply(edits...)
	if errors.Is(err, splice.ErrOverlap) {
		return false
	}
	if err != nil {
		t.Fatalf("%s%q\n%s: %v", again, src, describe(edits), err)
	}
	p, err := d.planAll(edits)
	if err != nil {
		t.Fatal(again, err)
	}
	back, err := splice.Invert(src, p.splices)
	if err != nil {
		t.Fatal(again, err)
	}
	if undone, err := splice.Apply(out.src, back); err != nil || !bytes.Equal(undone, src) {
		t.Fatalf("%s%q came back as %q, %v", again, src, undone, err)
	}
	outside(t, again, src, out.src, p.splices, back)
	if err := out.reread(); err != nil {
		t.Fatalf("%s%q became %q, which is read in two ways: %v", again, src, out.src, err)
	}
	o, err := newOracle(src, d.latin1)
	if err != nil {
		t.Fatalf("%s%q: %v", again, src, err)
	}
	for _, e := range edits {
		kinds[strings.TrimPrefix(fmt.Sprintf("%T", e), "ccs.")]++
		if err := o.make(e); err != nil {
			t.Fatal(again, err)
		}
	}
	if at := o.compare(out.src, d.latin1); at != "" {
		t.Fatalf("%s%q\nbecame\n%q\nby %s: %s", again, src, out.src, describe(edits), at)
	}
	if !g.mixed && g.eol == "\r\n" && bytes.Contains(src, []byte("\n")) && bytes.Count(out.src, []byte("\r\n")) != bytes.Count(out.src, []byte("\n")) {
		t.Fatalf("%s%q: a line end of another kind", again, out.src)
	}
	return true
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
		case Rename:
			fmt.Fprintf(&b, "rename %s@%d %q; ", e.Element.Tag(), e.Element.n.open.start, e.Name)
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
	if g.Intn(3) == 0 {
		g.cluster()
	} else {
		g.element(0)
	}
	g.b.WriteString(g.pick("", g.nl(), g.nl()+"<!-- end -->"+g.nl(), "<?pi?>"))
	if g.latin1 {
		return encode(g.b.String(), true)
	}
	return []byte(g.b.String())
}

// cluster writes a document with services that refer to each other.
func (g *ugly) cluster() {
	g.b.WriteString("<cluster" + g.blank() + "config_version" + g.pick("=", " =", "= ") + g.pick("'7'", `"009"`, `"&#49;2"`) + "><rm>")
	for i := range 1 + g.Intn(4) {
		q, tag := g.pick(`"`, `'`), g.pick("service", "vm")
		fmt.Fprintf(&g.b, "%s<%s%sname=%s%d%s%sdepend=%sservice:%d%s>", g.gap(), tag, g.blank(), q, i, q, g.blank(), q, g.Intn(4), q)
		g.b.WriteString(g.gap() + g.pick("", "<script ref='0'/>", "<x service_name='0'/>"))
		g.element(4)
		g.b.WriteString("</" + tag + ">")
	}
	g.b.WriteString(g.gap() + "</rm>" + g.gap() + "</cluster>")
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
	set := map[string]bool{} // one attribute twice is a caller's mistake
	gone := map[*node]bool{}
	once := func(e Element, name string) bool {
		key := fmt.Sprint(e.n.index, name)
		again := set[key]
		set[key] = true
		return !again
	}
	for id := range 1 + g.Intn(4) {
		e := Element{d, d.all[g.Intn(len(d.all))]}
		switch g.Intn(7) {
		case 0, 1:
			if name := g.pick("name", "a", "new", "xml:id"); once(e, name) {
				out = append(out, SetAttr{e, name, g.pick("", "1", `"`, `'`, "<&>", "\u00e9\u20ac", "a\nb", " x ")})
			}
		case 2:
			if len(e.n.attrs) > 0 {
				if name := e.n.attrs[g.Intn(len(e.n.attrs))].name; once(e, name) {
					out = append(out, RemoveAttr{e, name})
				}
			}
		case 3:
			if e.n.parent != nil && !gone[e.n] && g.Intn(2) == 0 {
				gone[e.n] = true
				out = append(out, RemoveElement{e})
			}
		case 4:
			if x := g.rename(d); x != nil && len(out) == 0 { // it stands alone: it touches many attributes
				return []Edit{x}
			}
			if bump, err := d.Bump(); err == nil && once(d.Root(), "config_version") {
				out = append(out, bump)
			}
		default:
			where := Where(g.Intn(3))
			if e.n.parent == nil {
				where = Into
			}
			xml := g.pick("<new/>", "<new a='1' b=\"'\"/>", "<new><deep x='\u20ac'/><!-- c --></new>", "<new>te<b/>xt</new>", "<new>\n  <x/>\n</new>\n", "<new>&lt;<![CDATA[<&]]>\r\n<?p i?></new>")
			out = append(out, Insert{e, where, strings.Replace(xml, "<new", fmt.Sprintf("<new lbvm-id='%d'", id), 1)})
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

func (g *ugly) rename(d *Document) Edit {
	all := d.rm().Children()
	if len(all) == 0 {
		return nil
	}
	x := Rename{all[g.Intn(len(all))], g.pick("n", "it's", "<\u00e4>")}
	if _, err := x.Mentions(); err != nil {
		return nil
	}
	return x
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
