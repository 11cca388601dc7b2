package ocf

import (
	"encoding/xml"
	"reflect"
	"strings"
	"testing"
)

// stdElement is an element as encoding/xml sees it.
type stdElement struct {
	XMLName  xml.Name
	Attrs    []xml.Attr   `xml:",any,attr"`
	Text     string       `xml:",chardata"`
	Children []stdElement `xml:",any"`
}

// same compares an element of ours with that of encoding/xml, which takes prefixes away.
func same(e *element, n stdElement) bool {
	if bare(e.name) != n.XMLName.Local || e.text != n.Text || e.count() != len(n.Children) || len(e.attrs) != len(n.Attrs) {
		return false
	}
	for i, a := range e.attrs {
		if bare(a.name) != n.Attrs[i].Name.Local || a.value != n.Attrs[i].Value {
			return false
		}
	}
	i := 0
	for c := e.kids; c != nil; c = c.next {
		if !same(c, n.Children[i]) {
			return false
		}
		i++
	}
	return true
}

func bare(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

func TestReadXML(t *testing.T) {
	for _, text := range []string{
		testXML, small, `<a/>`, "\n<a b='c'/>\n", `<a b = "c"	d='"'/>`, `<a>x<b/>y<!-- <z> -->z<![CDATA[<&]]></a>`, `<?xml version="1.0" encoding="UTF-8"?><?p q?><!-- c --><a/><!-- d --><?r?>`,
		`<!DOCTYPE a SYSTEM "x>y.dtd" [<!ENTITY e "]>">]><a/>`, `<a b="&lt;&gt;&amp;&apos;&quot;&#65;&#x42;">&lt;&#10;</a>`, "<a>1\r\n2\r3</a>", `<a><b><c d="e"/></b></a >`,
	} {
		e, err := readXML([]byte(text), true)
		var n stdElement
		if other := xml.Unmarshal([]byte(text), &n); err != nil || other != nil || !same(e, n) {
			t.Errorf("%s: %+v, %v; encoding/xml: %+v, %v", text, e, err, n, other)
		}
	}
	for _, text := range []string{
		``, ` `, `a`, `<`, `<a`, `<a>`, `<a></b>`, `<a></a`, `</a>`, `<a b></a>`, `<a b=c/>`, `<a b="c/>`, `<a b="c"d="e"/>`, `<a b="c" b="d"/>`, `<a b="<"/>`, `<a>&x;</a>`,
		`<a>&</a>`, `<a>&#0;</a>`, `<a>&#xD800;</a>`, `<a>&#99999999999;</a>`, `<a/><b/>`, `<a/>x`, `<a/><!DOCTYPE a>`, `<!DOCTYPE a`, `<!DOCTYPE "`, `<!-- <a/>`, `<!-- -- --><a/>`, `<?xml <a/>`,
		`<?xml version="1.0" encoding="latin1"?><a/>`, "<a>\xff</a>", "<a>\x06</a>", "<a b='\x00'/>", "<a>\uffff</a>", `<a>&#6;</a>`, `<a>&#xFFFE;</a>`, `<a><![CDATA[</a>`, `<1a/>`, `<a><b></a></b>`, strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200),
	} {
		if e, err := readXML([]byte(text), true); err == nil {
			t.Errorf("%q was read as %+v", text, e)
		}
	}
	if _, err := readXML([]byte("<a>\n\n<b></a>"), true); err == nil || !strings.Contains(err.Error(), "line 3: <b> ends with </a") {
		t.Error(err)
	}
}

func FuzzReadXML(f *testing.F) {
	for _, text := range []string{testXML, small, `<!DOCTYPE a [<!-- > -->]><a b='&#65;'>x<!-- y --><![CDATA[z]]></a>`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := readXML(text, true)
		if err != nil {
			return
		}
		again, err := readXML(text, true)
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("read twice: %+v and %+v, %v", e, again, err)
		}
		var n stdElement
		if xml.Unmarshal(text, &n) == nil && !strings.ContainsAny(string(text), "\r:") && !same(e, n) {
			t.Fatalf("%+v; encoding/xml: %+v", e, n)
		}
	})
}

func BenchmarkParseMetadata(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := ParseMetadata([]byte(testXML)); err != nil {
			b.Fatal(err)
		}
	}
}
