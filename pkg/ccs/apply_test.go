package ccs

import (
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/splice"
)

func parse(t testing.TB, src string) *Document {
	t.Helper()
	d, err := Parse("cluster.conf", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func find(t testing.TB, d *Document, path string) Element {
	t.Helper()
	all, err := d.Find(path)
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d elements, %v", path, len(all), err)
	}
	return all[0]
}

func TestApply(t *testing.T) {
	vz := Markup("openvz", []Attr{{"name", "101"}})
	deep := `<service name="centos"><openvz name="101"/><!-- x --></service>`
	for _, c := range []struct {
		name, src, want string
		edit            func(d *Document) []Edit
	}{
		{"set keeps the quote", "<c a='1'  b = \"2\"/>", "<c a='it&apos;s \"3\"'  b = \"2\"/>",
			func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "a", `it's "3"`}} }},
		{"add behind the others", "<c a='1' />", "<c a='1' z='<' />",
			func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "z", "&lt;"}} }},
		{"add on a line of its own", "<c a='1'\n   b='2'/>", "<c a='1'\n   b='2'\n   z='3'/>",
			func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "z", "3"}} }},
		{"remove", "<c  a='1'   b='2' />", "<c   b='2' />",
			func(d *Document) []Edit { return []Edit{RemoveAttr{d.Root(), "a"}} }},
		{"rm opens", "<c>\r\n  <rm />\r\n</c>\r\n", "<c>\r\n  <rm>\r\n    <openvz name=\"101\"/>\r\n  </rm>\r\n</c>\r\n",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/rm"), Into, vz}} }},
		{"rm opens for two and gets an attribute", "<c>\n\t<rm/>\n</c>", "<c>\n\t<rm x=\"1\">\n\t\t<a/>\n\t\t<b/>\n\t</rm>\n</c>",
			func(d *Document) []Edit {
				rm := find(t, d, "/c/rm")
				return []Edit{Insert{rm, Into, "<a/>"}, SetAttr{rm, "x", "1"}, Insert{rm, Into, "<b/>"}}
			}},
		{"into, as the last child looks", "<c>\n  <rm>\n      <x a='1'/>\n  </rm></c>", "<c>\n  <rm>\n      <x a='1'/>\n      <openvz name='101'/>\n  </rm></c>",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/rm"), Into, vz}} }},
		{"into an empty pair", "<c>\n    <rm></rm>\n</c>", "<c>\n    <rm>\n        <openvz name=\"101\"/>\n    </rm>\n</c>",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/rm"), Into, vz}} }},
		{"into one line", "<c><rm><x/> <y/></rm></c>", "<c><rm><x/> <y/> <openvz name=\"101\"/></rm></c>",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/rm"), Into, vz}} }},
		{"into, closing tag glued on", "<c>\n <x a='1'/></c>", "<c>\n <x a='1'/>\n <openvz name='101'/></c>",
			func(d *Document) []Edit { return []Edit{Insert{d.Root(), Into, vz}} }},
		{"before", "<c>\n\t<x a='1'/>\n</c>", "<c>\n\t<openvz name='101'/>\n\t<x a='1'/>\n</c>",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/x"), Before, vz}} }},
		{"after, behind the comment of the line", "<c>\n\t<x/> <!-- mine -->\n</c>", "<c>\n\t<x/> <!-- mine -->\n\t<openvz name=\"101\"/>\n\t<b/>\n</c>",
			func(d *Document) []Edit {
				return []Edit{Insert{find(t, d, "/c/x"), After, vz}, Insert{find(t, d, "/c/x"), After, "<b/>"}}
			}},
		{"with children", "<c>\n  <rm>\n    <x/>\n  </rm>\n</c>", "<c>\n  <rm>\n    <x/>\n    <service name=\"centos\">\n      <openvz name=\"101\"/>\n      <!-- x -->\n    </service>\n  </rm>\n</c>",
			func(d *Document) []Edit { return []Edit{Insert{find(t, d, "/c/rm"), Into, deep}} }},
		{"remove with its line", "<c>\r\n  <x/>\r\n  <y>\r\n    <z/></y>  \r\n  <w/>\r\n</c>", "<c>\r\n  <x/>\r\n  <w/>\r\n</c>",
			func(d *Document) []Edit { return []Edit{RemoveElement{find(t, d, "/c/y")}} }},
		{"remove beside a comment", "<c>\n  <x/> <!-- y -->\n</c>", "<c>\n  <!-- y -->\n</c>",
			func(d *Document) []Edit { return []Edit{RemoveElement{find(t, d, "/c/x")}} }},
		{"remove the first of a line", "<c>\n  <x/>  <y/>\n</c>", "<c>\n  <y/>\n</c>",
			func(d *Document) []Edit { return []Edit{RemoveElement{find(t, d, "/c/x")}} }},
		{"remove before the end tag", "<c>\n  <x/> </c>", "<c>\n  </c>",
			func(d *Document) []Edit { return []Edit{RemoveElement{find(t, d, "/c/x")}} }},
		{"remove both of a line", "<c>\n  <x/> <y/>\n</c>", "<c>\n  \n</c>",
			func(d *Document) []Edit {
				return []Edit{RemoveElement{find(t, d, "/c/x")}, RemoveElement{find(t, d, "/c/y")}}
			}},
		{"remove both of a line, the last first", "<c>\n  <x/> <y/>\n</c>", "<c>\n  \n</c>",
			func(d *Document) []Edit {
				return []Edit{RemoveElement{find(t, d, "/c/y")}, RemoveElement{find(t, d, "/c/x")}}
			}},
		{"remove within a line", "<c><x/> <y/><z/></c>", "<c><x/><z/></c>",
			func(d *Document) []Edit { return []Edit{RemoveElement{find(t, d, "/c/y")}} }},
		{"what looks like markup", "<c><!-- <x a='1'/> --><![CDATA[<x a='1'>]]><?p <x?><x a='1'/></c>", "<c><!-- <x a='1'/> --><![CDATA[<x a='1'>]]><?p <x?><x a='2'/></c>",
			func(d *Document) []Edit { return []Edit{SetAttr{find(t, d, "/c/x"), "a", "2"}} }},
		{"Latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><c a='\xe9'/>", "<?xml version='1.0' encoding='ISO-8859-1'?><c a='\xe9' b='\xe4&#x20AC;'/>",
			func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "b", "\u00e4\u20ac"}} }},
		{"BOM and DOCTYPE", "\ufeff<!DOCTYPE c [ <!ELEMENT c ANY> <!-- > --> ]>\n<c a='1'/>", "\ufeff<!DOCTYPE c [ <!ELEMENT c ANY> <!-- > --> ]>\n<c a='2'/>",
			func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "a", "2"}} }},
		{"the same value", "<c a='1'/>", "<c a='1'/>", func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "a", "1"}} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.src)
			want := strings.ReplaceAll(c.want, "z='<'", "z='&amp;lt;'")
			got, err := d.Apply(c.edit(d)...)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.src) != want {
				t.Errorf("got  %q\nwant %q", got.src, want)
			}
			p, err := d.planAll(c.edit(d))
			if err != nil {
				t.Fatal(err)
			}
			back, err := splice.Invert(d.src, p.splices)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := splice.Apply(got.src, back); err != nil || string(again) != c.src {
				t.Errorf("undone: %q, %v; want %q", again, err, c.src)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	src := "<c a='1'>\n <x/>\n</c>"
	other := parse(t, src)
	for _, c := range []struct {
		name string
		want error // nil: any
		edit func(d *Document) []Edit
	}{
		{"another document's element", ErrForeign, func(d *Document) []Edit { return []Edit{SetAttr{other.Root(), "a", "2"}} }},
		{"no element", ErrForeign, func(d *Document) []Edit { return []Edit{SetAttr{Element{}, "a", "2"}} }},
		{"an attribute that is not there", ErrNoAttr, func(d *Document) []Edit { return []Edit{RemoveAttr{d.Root(), "b"}} }},
		{"one attribute twice", splice.ErrOverlap, func(d *Document) []Edit {
			return []Edit{SetAttr{d.Root(), "a", "2"}, SetAttr{d.Root(), "a", "3"}}
		}},
		{"one new attribute twice", ErrDiffers, func(d *Document) []Edit {
			return []Edit{SetAttr{d.Root(), "b", "2"}, SetAttr{d.Root(), "b", "3"}}
		}},
		{"the root", nil, func(d *Document) []Edit { return []Edit{RemoveElement{d.Root()}} }},
		{"beside the root", nil, func(d *Document) []Edit { return []Edit{Insert{d.Root(), After, "<y/>"}} }},
		{"a bad name", nil, func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "a b", "2"}} }},
		{"a bad character", nil, func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "b", "\x01"}} }},
		{"bytes that are no text", nil, func(d *Document) []Edit { return []Edit{SetAttr{d.Root(), "b", "\xff"}} }},
		{"two elements", nil, func(d *Document) []Edit { return []Edit{Insert{d.Root(), Into, "<y/><z/>"}} }},
		{"half an element", nil, func(d *Document) []Edit { return []Edit{Insert{d.Root(), Into, "<y>"}} }},
		{"within what goes", splice.ErrOverlap, func(d *Document) []Edit {
			x := find(t, d, "/c/x")
			return []Edit{RemoveElement{x}, SetAttr{x, "a", "1"}}
		}},
		{"removed twice", nil, func(d *Document) []Edit {
			x := find(t, d, "/c/x")
			return []Edit{RemoveElement{x}, RemoveElement{x}}
		}},
	} {
		d := parse(t, src)
		got, err := d.Apply(c.edit(d)...)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if got != nil || string(d.src) != src {
			t.Errorf("%s: something came of it", c.name)
		}
	}
}

func TestDifferenceFindsEverything(t *testing.T) {
	base := `<c a="1"><x/>text<!-- c --><?p i?></c>`
	for _, other := range []string{
		`<d a="1"><x/>text<!-- c --><?p i?></d>`, `<c a="2"><x/>text<!-- c --><?p i?></c>`, `<c b="1"><x/>text<!-- c --><?p i?></c>`,
		`<c a="1" b="1"><x/>text<!-- c --><?p i?></c>`, `<c a="1"><y/>text<!-- c --><?p i?></c>`, `<c a="1"><x/>test<!-- c --><?p i?></c>`,
		`<c a="1"><x/>text<!-- d --><?p i?></c>`, `<c a="1"><x/>text<!-- c --><?p j?></c>`, `<c a="1"><x/>text<!-- c --></c>`,
		`<c a="1">text<x/><!-- c --><?p i?></c>`, `<c a="1"><x/>text<!-- c --><?p i?><x/></c>`,
	} {
		if newIntent(parse(t, base)).difference(parse(t, other)) == "" {
			t.Errorf("no difference found to %s", other)
		}
	}
	if at := newIntent(parse(t, base)).difference(parse(t, "<c  a='1'>\n<x></x> text <!-- c -->\n<?p i?></c>")); at != "" {
		t.Errorf("white space counts: %s", at)
	}
}
