package ccs

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// refusal is a document that is refused, where, what is said, and the sentinel if there is one.
type refusal struct {
	src, at, say string
	is           error
}

func refusals() []refusal {
	return []refusal{
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
		{"<!DOCTYPE a><!DOCTYPE a><a/>", "1:13", "a second DOCTYPE", nil},
		{"<!DOCTYPE><a/>", "1:1", "without a name", nil},
		{"<!DOCTYPEa><a/>", "1:1", "without a name", nil},
		{"<!DOCTYPE a 'x><a/>", "1:13", "quote is not closed", nil},
		{"<!DOCTYPE a [<!-- -- -->]><a/>", "1:19", "--", nil},
		{"<!DOCTYPE a:b:c><a/>", "1:11", "cannot be a name", nil},
		{"<a><?x/y?></a>", "1:4", "white space is missing in the processing instruction", nil},
		{"<a><? x?></a>", "1:4", "without a name", nil},
		{"<a><?xMl x?></a>", "1:4", "XML declaration", nil},
		{"<a:b:c/>", "1:2", "cannot be a name", nil},
		{"<a></a:b:c>", "1:4", "where </a> is due", nil},
		{"<a x=']]>'/>", "1:7", "]]&gt;", nil},
		{"<a a:b:c='1'/>", "1:4", "cannot be a name", nil},
		{"<\u00d7/>", "1:2", "cannot be a name", nil},
		{"<?xml version='1.0' encoding='latin1'?><\xd7/>", "1:41", "cannot be a name", nil},
		{"<" + strings.Repeat("a", maxName+1) + "/>", "1:2", "a name of more than", ErrTooBig},
		{"<a>\ufffe</a>", "1:4", "U+FFFE", nil},
		{"<a></a", "1:4", "</a is not closed", nil},
		{"<a></>", "1:4", "</> where </a> is due", nil},
		{"<a x", "1:4", "no value", nil},
		{"<a x=", "1:6", "not in quotes", nil},
		{"<a x='1'/", "1:9", "white space", nil},
		{"<a !/>", "1:4", "has no name", nil},
		{"<?xml version='1.1'?><a/>", "1:1", "version \"1.1\"", nil},
		{"<?xml version=\"1.0\"", "1:1", "?> is missing", nil},
		{"<?xml version='1.0' version='1.0'?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml version='1.0' color='red'?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml version=1.0?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml version='1.0?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml version='1.0' standalone='maybe'?><a/>", "1:1", "standalone", nil},
		{"<?xml version='1.0' \xa8?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml encoding='utf-8\xff'?><a/>", "1:1", "encoding", ErrEncoding},
		{"<?xml version?><a/>", "1:1", "not an XML declaration", nil},
		{"<?xml version='1.0'encoding='utf-8'?><a/>", "1:1", "not an XML declaration", nil},
		{"\ufeff<?xml version='1.0' encoding='latin1'?><a/>", "1:2", "byte order mark", ErrEncoding},
		{"<![CDATA[x]]><a/>", "1:1", "outside the root", nil},
		{"<a/><![CDATA[]]>", "1:5", "outside the root", nil},
		{"<a><!ELEMENT></a>", "1:4", "unknown markup", nil},
		{"<a>< b/></a>", "1:4", "write &lt;", nil},
		{"<a", "1:1", "is not closed", nil},
		{"<root>\x00</root>", "1:7", "0x00", nil},
		{"<a>\xff</a>", "1:4", "not UTF-8", nil},
		{"\x7fELF\x02\x01\x01\x00", "1:5", "0x02", nil},
		{"\xff\xfe<\x00a\x00", "1:1", "UTF-16", ErrEncoding},
		{"<\x00a\x00/\x00>\x00", "1:1", "binary", ErrEncoding},
		{"<?xml version='1.0' encoding='EBCDIC'?><a/>", "1:1", "EBCDIC", ErrEncoding},
		{strings.Repeat("<a>", MaxDepth+1), "1:751", "nested", ErrTooBig},
		{"<a " + manyAttrs(maxAttrs+1) + "/>", "1:", "attributes", ErrTooBig},
		{"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "1:34", "not a reference", nil},
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refusals() {
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

func accepted() []string {
	return []string{
		"\ufeff<a/>", "<a/>\r\n", "<a\r\n\tx = '1'\r\n/>", "<a></a >", "<a><!-- <b> --></a>", "<a><![CDATA[ </a> & ]]></a>", "<?xml version='1.0' standalone='yes' ?><a/>",
		"<!DOCTYPE a SYSTEM 'x>y' [ <!ENTITY q \">\"> <!-- ' --> ]><a/>", "<a b:c='1' b='2'/>", "<?x?><a/><?y z?><!-- end -->", "<a x='>'/>", "<a x='&#10;&quot;&apos;&amp;&lt;&gt;&#xE9;'/>",
		strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth), "<a>\r</a>", "<a><?a:b:c?></a>", "<a x=']]&gt;' y='>'/>", "<\u00e9 \u00fc='1'/>",
	}
}

func TestParseReadsUglyFiles(t *testing.T) {
	for _, src := range accepted() {
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

func TestZeroElement(t *testing.T) {
	var e Element
	_, has := e.Attr("a")
	start, end := e.Span()
	line, col := e.Position()
	if !e.IsZero() || e.Tag() != "" || has || e.Attrs() != nil || e.Children() != nil || !e.Parent().IsZero() || start+end+line+col != 0 {
		t.Error("the zero Element is something")
	}
	d := parse(t, "<a><b/></a>")
	if !d.Root().Parent().IsZero() || d.Root().Children()[0].Parent() != d.Root() {
		t.Error("parents")
	}
}

// Many may ask one document at once, also for what it makes at the first question.
func TestManyReadersOfOneDocument(t *testing.T) {
	d := parse(t, string(big(200)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			found, err := d.Find("//openvz[@name='150']")
			if err != nil || len(found) != 1 {
				t.Errorf("%d elements, %v", len(found), err)
				return
			}
			if line, _ := found[0].Position(); line != 3+150*3+2 {
				t.Errorf("line %d", line)
			}
		}()
	}
	wg.Wait()
}
