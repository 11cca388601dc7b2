package ccs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/splice"
)

const plainConf = `<?xml version="1.0"?>
<cluster name="lbvm" config_version="42">
  <clusternodes>
    <clusternode name="node1" nodeid="1"/>
    <clusternode name="node2" nodeid="2"/>
  </clusternodes>
  <rm log_level="5">
    <service name="web" domain="east">
      <openvz name="101"/>
    </service>
    <service name="db" depend="service:web"/>
  </rm>
  <fencedevices/>
</cluster>
`

// editKinds are the edits, each with the pairs of old and new text that it makes of plainConf.
func editKinds() []editKind {
	const web, db = "/cluster/rm/service[@name='web']", "/cluster/rm/service[@name='db']"
	xen := Markup("xen", []Attr{{"name", "x"}})
	group := Markup("service", []Attr{{"name", "new"}}, xen, "<!-- two\nlines -->")
	return []editKind{
		{"set", func(f func(string) Element) Edit { return SetAttr{f(web), "domain", "west"} },
			[]string{`domain="east"`, `domain="west"`}},
		{"set with marks", func(f func(string) Element) Edit { return SetAttr{f(web), "domain", "<&>\t"} },
			[]string{`domain="east"`, `domain="&lt;&amp;>&#9;"`}},
		{"set beyond ASCII", func(f func(string) Element) Edit { return SetAttr{f(web), "domain", "\u00f6\u20ac"} },
			[]string{`domain="east"`, "domain=\"\u00f6\u20ac\""}},
		{"add", func(f func(string) Element) Edit { return SetAttr{f(web), "recovery", "relocate"} },
			[]string{`domain="east"`, `domain="east" recovery="relocate"`}},
		{"unset", func(f func(string) Element) Edit { return RemoveAttr{f(web), "domain"} },
			[]string{` domain="east"`, ``}},
		{"before", func(f func(string) Element) Edit { return Insert{f(db), Before, xen} },
			[]string{`    <service name="db"`, "    <xen name=\"x\"/>\n    <service name=\"db\""}},
		{"after", func(f func(string) Element) Edit { return Insert{f("//openvz"), After, xen} },
			[]string{"      <openvz name=\"101\"/>\n", "      <openvz name=\"101\"/>\n      <xen name=\"x\"/>\n"}},
		{"into", func(f func(string) Element) Edit { return Insert{f("/cluster/rm"), Into, xen} },
			[]string{"  </rm>", "    <xen name=\"x\"/>\n  </rm>"}},
		{"into, with children", func(f func(string) Element) Edit { return Insert{f("/cluster/rm"), Into, group} },
			[]string{"  </rm>", "    <service name=\"new\">\n      <xen name=\"x\"/>\n      <!-- two\nlines -->\n    </service>\n  </rm>"}},
		{"open", func(f func(string) Element) Edit { return Insert{f("/cluster/fencedevices"), Into, xen} },
			[]string{"  <fencedevices/>", "  <fencedevices>\n    <xen name=\"x\"/>\n  </fencedevices>"}},
		{"remove a line", func(f func(string) Element) Edit { return RemoveElement{f(db)} },
			[]string{"    <service name=\"db\" depend=\"service:web\"/>\n", ""}},
		{"remove lines", func(f func(string) Element) Edit { return RemoveElement{f("/cluster/clusternodes")} },
			[]string{"  <clusternodes>\n    <clusternode name=\"node1\" nodeid=\"1\"/>\n    <clusternode name=\"node2\" nodeid=\"2\"/>\n  </clusternodes>\n", ""}},
		{"rename", func(f func(string) Element) Edit { return Rename{f(web), "www"} },
			[]string{`name="web"`, `name="www"`, `"service:web"`, `"service:www"`}},
		{"bump", nil, []string{`"42"`, `"43"`}},
	}
}

type editKind struct {
	name  string
	edit  func(find func(path string) Element) Edit // nil: Bump
	pairs []string
}

// format is a way to write a file. text rewrites the document and the pairs alike, doc the document alone, and pairs
// stands instead of those of a kind.
type format struct {
	name  string
	text  func(string) string
	doc   func(string) string
	pairs map[string][]string
}

func replacing(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

func fileFormats() []format {
	crlf := replacing("\n", "\r\n")
	return []format{
		{name: "plain"},
		{name: "CRLF", text: crlf},
		{name: "mixed line ends", doc: func(s string) string { // CRLF within <rm>
			from, to := strings.Index(s, "  <rm"), strings.Index(s, "  <fence")
			return s[:from] + crlf(s[from:to]) + s[to:]
		}, pairs: map[string][]string{
			"before":        {`    <service name="db"`, "    <xen name=\"x\"/>\r\n    <service name=\"db\""},
			"after":         {"<openvz name=\"101\"/>\r\n", "<openvz name=\"101\"/>\r\n      <xen name=\"x\"/>\r\n"},
			"into":          {"  </rm>", "    <xen name=\"x\"/>\r\n  </rm>"},
			"remove a line": {"    <service name=\"db\" depend=\"service:web\"/>\r\n", ""},
			"into, with children": {"  </rm>",
				"    <service name=\"new\">\r\n      <xen name=\"x\"/>\r\n      <!-- two\r\nlines -->\r\n    </service>\r\n  </rm>"},
		}},
		{name: "tabs", text: replacing("      ", "\t\t\t", "    ", "\t\t", "  ", "\t")},
		{name: "single quotes", text: replacing(`"`, `'`)},
		{name: "attributes over several lines", text: replacing(` domain="east"`, "\n             domain = \"east\"", ` domain="west"`, "\n             domain = \"west\""),
			pairs: map[string][]string{
				"set":              {`"east"`, `"west"`},
				"set with marks":   {`"east"`, `"&lt;&amp;>&#9;"`},
				"set beyond ASCII": {`"east"`, "\"\u00f6\u20ac\""},
				"add":              {`"east"`, "\"east\"\n             recovery=\"relocate\""},
				"unset":            {"\n             domain = \"east\"", ""},
			}},
		{name: "comments with markup", doc: replacing("<rm log_level=\"5\">\n", "<rm log_level=\"5\">\n    <!-- <service name=\"off\" domain='none'> </rm> & -->\n",
			"<openvz name=\"101\"/>\n", "<openvz name=\"101\"/> <!-- </service> --> <!-- mine -->\n", "  <fence", "  <!--\n  <rm>\n  -->\n  <fence"),
			pairs: map[string][]string{
				"after": {"<!-- mine -->\n", "<!-- mine -->\n      <xen name=\"x\"/>\n"},
			}},
		{name: "CDATA", doc: replacing("<rm log_level=\"5\">\n", "<rm log_level=\"5\">\n    <![CDATA[ <service name=\"c\" domain='none'> </rm> & ]]>\n",
			"    </service>\n", "      <![CDATA[</service>]]>\n    </service>\n")},
		{name: "processing instructions", doc: replacing("<rm log_level=\"5\">\n", "<rm log_level=\"5\">\n    <?lbvm <service name=\"p\"> </rm> ?>\n", "<cluster ", "<?first?>\n<cluster ",
			"    </service>\n", "      <?x </service>?>\n    </service>\n")},
		{name: "DOCTYPE", doc: replacing("<cluster ", "<!DOCTYPE cluster SYSTEM 'c>.dtd' [\n  <!ELEMENT rm ANY> <!-- > ]> <rm/> -->\n  <!ENTITY e \"<rm/>\">\n]>\n<cluster ")},
		{name: "byte order mark", doc: func(s string) string { return "\ufeff" + s }},
		{name: "Latin-1", doc: replacing(`version="1.0"`, `version="1.0" encoding="ISO-8859-1"`, "<rm ", "<!-- caf\xe9 <rm> --><rm x='\xe4' ", "    </service>\n", "      \xfc\n    </service>\n"),
			pairs: map[string][]string{"set beyond ASCII": {`domain="east"`, "domain=\"\xf6&#x20AC;\""}}},
		{name: "no final newline", doc: func(s string) string { return strings.TrimSuffix(s, "\n") }},
		{name: "empty lines", doc: replacing("    <service", "\n \t\n    <service", "  </rm>", "\n  </rm>\n\n", "    </service>", "\n    </service>")},
		{name: "character references", text: replacing(`"42"`, `"&#52;&#x32;"`),
			doc:   replacing(`"node1"`, `"node&#49;"`, `log_level="5"`, `log_level="&#x35;" x="&lt;&#10;&quot;&apos;&amp;&gt;"`, "    </service>\n", "      &amp;&#65; &#10;\n    </service>\n"),
			pairs: map[string][]string{"remove lines": {"  <clusternodes>\n    <clusternode name=\"node&#49;\" nodeid=\"1\"/>\n    <clusternode name=\"node2\" nodeid=\"2\"/>\n  </clusternodes>\n", ""}}},
		{name: "20,000 lines", doc: func(s string) string {
			var b strings.Builder
			for i := range 20000 {
				fmt.Fprintf(&b, "    <xvm name=\"v%d\"/>\n", i)
			}
			return strings.Replace(s, "    <service name=\"web\"", b.String()+"    <service name=\"web\"", 1)
		}},
		{name: "all on one line", text: replacing("\n", "", "  ", "", "    ", "", "      ", ""), pairs: map[string][]string{
			"before":              {`<service name="db"`, `<xen name="x"/><service name="db"`},
			"after":               {`<openvz name="101"/>`, `<openvz name="101"/><xen name="x"/>`},
			"into":                {`</rm>`, `<xen name="x"/></rm>`},
			"into, with children": {`</rm>`, "<service name=\"new\"><xen name=\"x\"/><!-- two\nlines --></service></rm>"},
			"open":                {`<fencedevices/>`, `<fencedevices><xen name="x"/></fencedevices>`},
			"remove a line":       {`<service name="db" depend="service:web"/>`, ``},
			"remove lines":        {`<clusternodes><clusternode name="node1" nodeid="1"/><clusternode name="node2" nodeid="2"/></clusternodes>`, ``},
		}},
	}
}

// Every kind of edit on every way to write a file changes the bytes that are listed, and no other; taken back it gives
// the file as it was.
func TestEveryEditOnEveryFormat(t *testing.T) {
	cases := 0
	for _, f := range fileFormats() {
		same := func(s string) string { return s }
		if f.text == nil {
			f.text = same
		}
		if f.doc == nil {
			f.doc = same
		}
		src := f.doc(f.text(plainConf))
		for _, k := range editKinds() {
			cases++
			t.Run(f.name+"/"+k.name, func(t *testing.T) {
				want := src
				pairs := f.pairs[k.name]
				if pairs == nil {
					for _, p := range k.pairs {
						pairs = append(pairs, f.text(p))
					}
				}
				for i := 0; i < len(pairs); i += 2 {
					if n := strings.Count(want, pairs[i]); n != 1 {
						t.Fatalf("%q stands %d times in the document", pairs[i], n)
					}
					want = strings.Replace(want, pairs[i], pairs[i+1], 1)
				}
				checkEdit(t, src, want, k)
			})
		}
	}
	t.Logf("%d formats, %d kinds of edits, %d cases", len(fileFormats()), len(editKinds()), cases)
}

func checkEdit(t *testing.T, src, want string, k editKind) {
	t.Helper()
	d := parse(t, src)
	var e Edit
	if k.edit != nil {
		e = k.edit(func(path string) Element { return find(t, d, path) })
	} else {
		var err error
		if e, err = d.Bump(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Apply(e)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.src) != want {
		t.Fatalf("got, against what was wanted:\n%s%q", unified("f", []byte(want), got.src), got.src[:min(len(got.src), 3000)])
	}
	if err := got.reread(); err != nil {
		t.Error(err)
	}
	p, err := d.planAll([]Edit{e})
	if err != nil {
		t.Fatal(err)
	}
	back, err := splice.Invert(d.src, p.splices)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := splice.Apply(got.src, back); err != nil || !bytes.Equal(again, []byte(src)) {
		t.Errorf("taken back: %v\n%s", err, unified("f", []byte(src), again))
	}
}
