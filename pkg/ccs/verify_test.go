package ccs

import (
	"errors"
	"strings"
	"testing"
)

// lie is an edit whose bytes do not say what it means.
type lie struct {
	from, to string
	means    func(p *plan)
}

func (l lie) plan(p *plan) error {
	at := strings.Index(string(p.d.src), l.from)
	p.replace(span{at, at + len(l.from)}, l.to)
	if l.means != nil {
		l.means(p)
	}
	return nil
}

// Whatever an edit does to the bytes beside what it means, Apply notices, be it inside or outside of what it touches.
func TestApplyNoticesALie(t *testing.T) {
	const src = "<?xml version='1.0'?><!-- a --><c a='1'><x b='2'>text</x><!-- c --><y/><?p i?><![CDATA[d]]></c><!-- z -->"
	set := func(p *plan) { p.want.of(p.d.root).set("a", "2") }
	for _, l := range []lie{
		{"a='1'", "a='2'", nil}, {"a='1'", "a='3'", set}, {"a='1'", "b='2'", set}, {"a='1'", "a='2' z='1'", set}, {"a='1'", "", nil},
		{"<x b='2'", "<x b='3'", set}, {"<x b", "<x c", nil}, {"<y/>", "", nil}, {"<y/>", "<y/><y/>", nil}, {"<y/>", "<w/>", nil}, {"<y/>", "<y><w/></y>", nil},
		{"text", "test", nil}, {"text", "", nil}, {"<!-- c -->", "<!-- d -->", nil}, {"<!-- c -->", "", nil}, {"<!-- c --><y/>", "<y/><!-- c -->", nil},
		{"<?p i?>", "<?p j?>", nil}, {"[d]", "[e]", nil}, {"<!-- a -->", "<!-- b -->", nil}, {"<!-- z -->", "", nil}, {"'1.0'", "\"1.0\"", nil},
		{"<x b='2'>text</x>", "<!-- <x b='2'>text</x> -->", nil}, {"<y/>", "<y>", nil}, {"</c>", "", nil}, {"text", "te\x00xt", nil},
		{"a='1'", "a='1'", set},
	} {
		d := parse(t, src)
		got, err := d.Apply(l)
		if !errors.Is(err, ErrDiffers) || got != nil {
			t.Errorf("%s for %s: %v", l.to, l.from, err)
		}
	}
	if _, err := parse(t, src).Apply(lie{"a='1'", "a = \"2\"", set}); err != nil {
		t.Errorf("no lie: %v", err)
	}
}

// The second reader notices whatever the scanner could have misread.
func TestRereadNoticesEverything(t *testing.T) {
	const src = "<c a='1' b='2'>\n <x><z/></x>\n <y/>\n</c>\n"
	for _, c := range []struct {
		name   string
		misses func(d *Document)
	}{
		{"a tag", func(d *Document) { d.all[1].tag = "w" }},
		{"the name of an attribute", func(d *Document) { d.root.attrs[0].name = "c" }},
		{"the place of a value", func(d *Document) { d.root.attrs[0].value = d.root.attrs[1].value }},
		{"an attribute", func(d *Document) { d.root.attrs = d.root.attrs[:1] }},
		{"an element", func(d *Document) { d.all = append(d.all[:2], d.all[3:]...) }},
		{"the last element", func(d *Document) { d.all = d.all[:len(d.all)-1] }},
		{"one too many", func(d *Document) { d.all = append(d.all, d.all[1]) }},
		{"a parent", func(d *Document) { d.all[3].parent = d.all[1] }},
		{"the end of a start tag", func(d *Document) { d.all[1].open.end-- }},
		{"the end of an element", func(d *Document) { d.all[1].close.end++ }},
		{"the end of an empty element", func(d *Document) { d.all[3].open.end++ }},
	} {
		d := parse(t, src)
		if err := d.reread(); err != nil {
			t.Fatal(err)
		}
		c.misses(d)
		var syntax *SyntaxError
		if err := d.reread(); !errors.As(err, &syntax) {
			t.Errorf("%s: %v", c.name, err)
		}
		tr := transaction{path: "f", r: Result{After: d}}
		if err := tr.check(); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: a transaction would write it: %v", c.name, err)
		}
	}
}
