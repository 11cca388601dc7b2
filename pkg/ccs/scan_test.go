package ccs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		src, at, say string
		is           error
	}{
		{"", "1:1", "no element", nil},
		{"<!-- x -->\n", "2:1", "no element", nil},
		{"<a>", "1:1", "<a> is not closed", nil},
		{"<a>\n <b>\n</a>", "3:1", "</b> is due (opened in line 2)", nil},
		{"<a/>\n<b/>", "2:1", "second root", nil},
		{"<a/>text", "1:5", "outside the root", nil},
		{"</a>", "1:1", "closes nothing", nil},
		{"<a x='1'\n y='2' x='3'/>", "2:8", "attribute x twice", nil},
		{"<a x=1/>", "1:6", "not in quotes", nil},
		{"<a x/>", "1:4", "no value", nil},
		{"<a x='1/>", "1:6", "quote of x is not closed", nil},
		{"<a x='1'y='2'/>", "1:9", "white space is missing", nil},
		{"<a x='\n<b y='2'/>", "2:1", "is its quote closed", nil},
		{"<a x='&'/>", "1:7", "write &amp;", nil},
		{"<a>\u00e9 &foo;</a>", "1:6", "write &amp;", nil},
		{"<a>&#0;</a>", "1:4", "not a reference", nil},
		{"<a>&#xD800;</a>", "1:4", "not a reference", nil},
		{"<a>&#4294967361;</a>", "1:4", "not a reference", nil},
		{"<a>]]></a>", "1:4", "]]>", nil},
		{"<a><!-- x -- y --></a>", "1:11", "--", nil},
		{"<a><!-- x </a>", "1:4", "comment is not closed", nil},
		{"<a><![CDATA[ x </a>", "1:4", "CDATA section is not closed", nil},
		{"<a><?x </a>", "1:4", "processing instruction is not closed", nil},
		{" <?xml version='1.0'?><a/>", "1:2", "XML declaration", nil},
		{"<a/><!DOCTYPE a>", "1:5", "DOCTYPE must", nil},
		{"<!DOCTYPE a [", "1:1", "DOCTYPE is not closed", nil},
		{"<a><!ELEMENT></a>", "1:4", "unknown markup", nil},
		{"<a>< b/></a>", "1:4", "write &lt;", nil},
		{"<a", "1:1", "is not closed", nil},
		{"<root>\x00</root>", "1:7", "0x00", nil},
		{"<a>\xff</a>", "1:4", "not UTF-8", nil},
		{"\x7fELF\x02\x01\x01\x00", "1:5", "0x02", nil},
		{"\xff\xfe<\x00a\x00", "1:1", "UTF-16", ErrEncoding},
		{"<\x00a\x00/\x00>\x00", "1:1", "binary", ErrEncoding},
		{"<?xml version='1.0' encoding='EBCDIC'?><a/>", "1:1", "EBCDIC", ErrEncoding},
		{strings.Repeat("<a>", MaxDepth+1), "1:3001", "nested", ErrTooBig},
		{"<a " + manyAttrs(maxAttrs+1) + "/>", "1:", "attributes", ErrTooBig},
		{"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "1:34", "not a reference", nil},
	} {
		_, err := Parse("f", []byte(c.src))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), "f:"+c.at) || !strings.Contains(err.Error(), c.say) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%.60q: %v, want f:%s ... %s", c.src, err, c.at, c.say)
		}
	}
	if _, err := Parse("f", make([]byte, MaxBytes+1)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
}

func manyAttrs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d='' ", i)
	}
	return b.String()
}

func TestParseReadsUglyFiles(t *testing.T) {
	for _, src := range []string{
		"\ufeff<a/>", "<a/>\r\n", "<a\r\n\tx = '1'\r\n/>", "<a></a >", "<a><!-- <b> --></a>", "<a><![CDATA[ </a> & ]]></a>", "<?xml version='1.0' standalone='yes' ?><a/>",
		"<!DOCTYPE a SYSTEM 'x>y' [ <!ENTITY q \">\"> <!-- ' --> ]><a/>", "<a b:c='1' b='2'/>", "<?x?><a/><?y z?><!-- end -->", "<a x='>'/>", "<a x='&#10;&quot;&apos;&amp;&lt;&gt;&#xE9;'/>",
		strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth), "<a>\r</a>", "<\u00e9 \u00fc='1'/>",
	} {
		d, err := Parse("f", []byte(src))
		if err != nil {
			t.Errorf("%.60q: %v", src, err)
			continue
		}
		if start, end := d.Root().Span(); src[start] != '<' || src[end-1] != '>' {
			t.Errorf("%.60q: span %d %d", src, start, end)
		}
	}
}

func TestAttrValues(t *testing.T) {
	d := parse(t, "<a one='x\r\n\ty' two=\"&#9;&lt;'\" three=''/>")
	want := []Attr{{"one", "x  y"}, {"two", "\t<'"}, {"three", ""}}
	for i, a := range d.Root().Attrs() {
		if a != want[i] {
			t.Errorf("%q, want %q", a, want[i])
		}
	}
	latin := parse(t, "<?xml version='1.0' encoding=\"latin1\"?><a x='\xe9&#x20AC;'/>")
	if v, ok := latin.Root().Attr("x"); !ok || v != "\u00e9\u20ac" {
		t.Errorf("%q", v)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("\ufeff<!DOCTYPE a [<!-- > -->]><a x='1'\r\n y=\"&#65;\"><![CDATA[<]]>t<?p i?><b/></a >"))
	f.Add([]byte("<?xml version='1.0' encoding='ISO-8859-1'?><c a='\xe9'/>"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<16 {
			return
		}
		d, err := Parse("f", src)
		if err != nil {
			return
		}
		// Whatever passes can be looked at and edited, and only the new bytes differ.
		d.Check(nil)
		d.Services()
		root := d.Root()
		if root.n.empty() || len(root.n.children) > 0 {
			next, err := d.Apply(Insert{root, Into, "<lbvm-new/>"}, SetAttr{root, "lbvm-attr", "1"})
			if err != nil {
				t.Fatalf("%q: %v", src, err)
			}
			if len(next.src) <= len(d.src) {
				t.Fatalf("%q became %q", src, next.src)
			}
		}
		if err := d.reread(); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
	})
}
