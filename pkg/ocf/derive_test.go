package ocf

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// derived is a document as a manager reads it.
type derived struct {
	Name    string   `xml:"name,attr"`
	Own     string   `xml:"version,attr"`
	Version string   `xml:"version"`
	Long    []string `xml:"longdesc"`
	Short   []string `xml:"shortdesc"`
	Params  []struct {
		Name    string     `xml:"name,attr"`
		Attrs   []xml.Attr `xml:",any,attr"`
		Long    []string   `xml:"longdesc"`
		Short   []string   `xml:"shortdesc"`
		Content struct {
			Type    string  `xml:"type,attr"`
			Default *string `xml:"default,attr"`
		} `xml:"content"`
	} `xml:"parameters>parameter"`
	Actions []struct {
		Name  string     `xml:"name,attr"`
		Attrs []xml.Attr `xml:",any,attr"`
	} `xml:"actions>action"`
}

func deriveBoth(t *testing.T, source string) (ten, eleven derived) {
	t.Helper()
	for to, from := range map[*derived]func([]byte) ([]byte, error){&ten: PacemakerXML, &eleven: PacemakerXML11} {
		text, err := from([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(text, to); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	return ten, eleven
}

func attrs(all []xml.Attr) string {
	var w []string
	for _, a := range all {
		w = append(w, a.Name.Local+"="+a.Value)
	}
	return strings.Join(w, " ")
}

func (d derived) params() []string {
	var out []string
	for _, p := range d.Params {
		out = append(out, p.Name+" "+attrs(p.Attrs)+" "+p.Content.Type)
	}
	return out
}

func (d derived) actions() []string {
	var out []string
	for _, a := range d.Actions {
		out = append(out, a.Name+" "+attrs(a.Attrs))
	}
	return out
}

// around makes metadata of parameters and actions.
func around(params, actions string) string {
	return `<resource-agent name="x" version="rgmanager 2.0"><version>1.0</version><longdesc lang="en">L</longdesc><shortdesc lang="en">S</shortdesc><parameters>` +
		params + `</parameters><actions>` + actions + `</actions><special tag="rgmanager"><attributes maxinstances="1"/></special></resource-agent>`
}

// TestDeriveActions has one row for each way in which rgmanager's metadata can declare an action.
func TestDeriveActions(t *testing.T) {
	fixed, free := `<parameter name="n" primary="1"/>`, `<parameter name="n" primary="1"/><parameter name="m" reconfig="1"/>`
	meta := "meta-data timeout=5s"
	for _, tt := range []struct {
		what, params, actions string
		ten, eleven           []string
	}{
		{"start and stop", fixed, `<action name="start" timeout="300"/><action name="stop" timeout="1h30m"/>`, []string{"start timeout=300s", "stop timeout=5400s", meta}, nil},
		{"status is monitor", fixed, `<action name="status" timeout="20" interval="30s"/>`, []string{"monitor timeout=20s interval=30s depth=0", meta}, nil},
		{"each depth is one monitor", fixed, `<action name="status" timeout="20" interval="30s"/><action name="status" timeout="40" interval="5m" depth="10"/>`,
			[]string{"monitor timeout=20s interval=30s depth=0", "monitor timeout=40s interval=300s depth=10", meta}, nil},
		{"monitor beside status means the same", fixed, `<action name="status" timeout="20"/><action name="monitor" timeout="30"/>`, []string{"monitor timeout=20s depth=0", meta}, nil},
		{"monitor alone", fixed, `<action name="monitor" timeout="30"/>`, []string{"monitor timeout=30s depth=0", meta}, nil},
		{"migrate is two", fixed, `<action name="migrate" timeout="10m"/>`, []string{"migrate_to timeout=600s", "migrate_from timeout=600s", meta}, nil},
		{"recover without a limit", fixed, `<action name="recover" timeout="0"/>`, []string{"recover timeout=0s", meta}, nil},
		{"what nobody calls", fixed, `<action name="methods" timeout="5"/><action name="verify-all" timeout="5"/><action name="reload" timeout="5"/><action name="restart" timeout="5"/>`, []string{meta}, nil},
		{"validate-all and meta-data", fixed, `<action name="validate-all" timeout="6"/><action name="meta-data" timeout="7"/>`, []string{"validate-all timeout=6s", "meta-data timeout=7s"}, nil},
		{"reconfig without a parameter for it", fixed, `<action name="reconfig" timeout="9"/>`, []string{meta}, nil},
		{"reconfig", free, `<action name="reconfig" timeout="9"/>`, []string{"reload timeout=9s", meta}, []string{"reload-agent timeout=9s", meta}},
		{"a parameter for reconfig without the action", free, `<action name="start" timeout="1"/>`,
			[]string{"start timeout=1s", "reload timeout=20s", meta}, []string{"start timeout=1s", "reload-agent timeout=20s", meta}},
		{"one parameter more, that is not for reconfig", free + `<parameter name="o"/>`, `<action name="start" timeout="1"/>`,
			[]string{"start timeout=1s", meta}, []string{"start timeout=1s", "reload-agent timeout=20s", meta}},
		{"one parameter more, that is unique", free + `<parameter name="o" unique="1"/>`, `<action name="start" timeout="1"/>`,
			[]string{"start timeout=1s", "reload timeout=20s", meta}, []string{"start timeout=1s", "reload-agent timeout=20s", meta}},
		{"only rgmanager's own can be reconfigured", fixed + `<parameter name="recovery" reconfig="1"/>`, `<action name="start" timeout="1"/>`, []string{"start timeout=1s", meta}, nil},
	} {
		ten, eleven := deriveBoth(t, around(tt.params, tt.actions))
		if tt.eleven == nil {
			tt.eleven = tt.ten
		}
		if got := ten.actions(); !slices.Equal(got, tt.ten) {
			t.Errorf("%s, OCF 1.0: %q, want %q", tt.what, got, tt.ten)
		}
		if got := eleven.actions(); !slices.Equal(got, tt.eleven) {
			t.Errorf("%s, OCF 1.1: %q, want %q", tt.what, got, tt.eleven)
		}
	}
}

// TestDeriveParams has one row for each way in which rgmanager's metadata can mark a parameter.
func TestDeriveParams(t *testing.T) {
	for _, tt := range []struct{ what, param, ten, eleven string }{
		{"plain", `<parameter name="p"><content type="string"/></parameter>`, "p unique=0 required=0 string", "p required=0 reloadable=0 string"},
		{"primary", `<parameter name="p" primary="1"><content type="string"/></parameter>`, "p unique=1 required=1 string", "p unique-group=p required=1 reloadable=0 string"},
		{"required", `<parameter name="p" required="1"><content type="integer"/></parameter>`, "p unique=0 required=1 integer", "p required=1 reloadable=0 integer"},
		{"unique", `<parameter name="p" unique="1"><content type="boolean"/></parameter>`, "p unique=1 required=0 boolean", "p unique-group=p required=0 reloadable=0 boolean"},
		{"reconfig", `<parameter name="p" reconfig="1"><content type="string"/></parameter>`, "p unique=0 required=0 string", "p required=0 reloadable=1 string"},
		{"inherit", `<parameter name="p" inherit="fs%dev"><content type="string"/></parameter>`, "p unique=0 required=0 string", "p required=0 reloadable=0 string"},
		{"no content", `<parameter name="p"/>`, "p unique=0 required=0 string", "p required=0 reloadable=0 string"},
		{"a type that OCF does not know", `<parameter name="p"><content type="number"/></parameter>`, "p unique=0 required=0 string", "p required=0 reloadable=0 string"},
	} {
		ten, eleven := deriveBoth(t, around(tt.param, `<action name="start" timeout="1"/>`))
		if a, b := strings.Join(ten.params(), "; "), strings.Join(eleven.params(), "; "); a != tt.ten || b != tt.eleven {
			t.Errorf("%s: %q and %q, want %q and %q", tt.what, a, b, tt.ten, tt.eleven)
		}
	}
	for _, name := range []string{"domain", "autostart", "exclusive", "recovery", "depend", "depend_mode", "max_restarts", "restart_expire_time", "priority"} {
		ten, eleven := deriveBoth(t, around(`<parameter name="n"/><parameter name="`+name+`"/>`, `<action name="start" timeout="1"/>`))
		if len(ten.Params) != 1 || len(eleven.Params) != 1 {
			t.Errorf("%s, which is rgmanager's, is told to Pacemaker", name)
		}
	}
}

// nasty has all that XML can hide in texts and values.
const nasty = `<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<resource-agent name="n&quot;&lt;&amp;" version="rgmanager 2.0">
  <version> 3.2-rc1 </version>
  <longdesc lang="en">
      First &lt;b&gt; &amp; "quotes" &#39;single&#39;.

        Indented, with an &#228; and ]]&gt;.
  </longdesc>
  <longdesc lang="de"><![CDATA[Auf <deutsch> & so]]></longdesc>
  <shortdesc>Short
     text</shortdesc>
  <parameters>
    <parameter name="p" unique="1">
      <longdesc lang="en"></longdesc>
      <shortdesc lang="en">&lt;p&gt;</shortdesc>
      <content type="string" default="a&quot;b&lt;c&amp;d&gt;e&#10;f&#9;g&#13;h'"/>
    </parameter>
    <parameter name="empty"><content type="string" default=""/></parameter>
    <parameter name="none"><longdesc>Long only.</longdesc><content type="string"/></parameter>
  </parameters>
  <actions><action name="start" timeout="5"/><action name="stop" timeout="5"/><action name="status" timeout="5"/></actions>
</resource-agent>
`

func TestDeriveTexts(t *testing.T) {
	ten, eleven := deriveBoth(t, nasty)
	for version, d := range map[string]derived{"1.0": ten, "1.1": eleven} {
		if d.Name != `n"<&` || d.Own != "3.2-rc1" || d.Version != version {
			t.Errorf("%s: named %q, its version %q, OCF %q", version, d.Name, d.Own, d.Version)
		}
		if want := "First <b> & \"quotes\" 'single'.\n\n  Indented, with an \u00e4 and ]]>."; dedent(d.Long[0]) != want || d.Short[0] != "Short text" {
			t.Errorf("%s: %q, %q", version, d.Long, d.Short)
		}
		p := d.Params[0]
		if p.Content.Default == nil || *p.Content.Default != "a\"b<c&d>e\nf\tg\rh'" || p.Long[0] != "<p>" || p.Short[0] != "<p>" {
			t.Errorf("%s: %+v", version, p)
		}
		if e := d.Params[1]; e.Content.Default == nil || *e.Content.Default != "" || e.Long[0] != "empty" {
			t.Errorf("%s: %+v", version, e)
		}
		if n := d.Params[2]; n.Content.Default != nil || n.Long[0] != "Long only." || n.Short[0] != "none" {
			t.Errorf("%s: %+v", version, n)
		}
	}
	// One language is all that the DTD of OCF 1.0 allows of the agent itself.
	if len(ten.Long) != 1 || len(eleven.Long) != 2 || eleven.Long[1] != "Auf <deutsch> & so" {
		t.Errorf("%q and %q", ten.Long, eleven.Long)
	}
}

// TestDeriveValid holds what is derived of the oddest source against the real schemas.
func TestDeriveValid(t *testing.T) {
	xmllint := real.Need(t, "xmllint")
	dtd := real.NeedFile(t, "/usr/share/resource-agents/ra-api-1.dtd")
	schema, err := filepath.Abs("../../metadata/ocf-1.1.rng")
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"toy": testXML, "nasty": strings.Replace(nasty, `name="n&quot;&lt;&amp;"`, `name="n"`, 1), "small": around(`<parameter name="n"/>`, `<action name="start" timeout="1"/>`), "no parameters": around("", `<action name="start" timeout="1"/>`)} {
		for _, x := range []struct {
			derive func([]byte) ([]byte, error)
			args   []string
		}{{PacemakerXML, []string{"--dtdvalid", dtd}}, {PacemakerXML11, []string{"--relaxng", schema}}} {
			text, err := x.derive([]byte(source))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "x.xml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(xmllint, append(x.args, "--noout", file)...).CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v: %s\n%s", name, x.args[0], err, out, text)
			}
		}
	}
}

func TestDeriveRefuses(t *testing.T) {
	for _, source := range []string{"", "<broken", `<resource-agent name="x"/>`, around(`<parameter/>`, `<action name="start" timeout="1"/>`)} {
		for _, derive := range []func([]byte) ([]byte, error){PacemakerXML, PacemakerXML11} {
			if text, err := derive([]byte(source)); err == nil || text != nil {
				t.Errorf("%q became %q", source, text)
			}
		}
	}
}

// TestWhichMetadata has one row for each way in which a manager asks for metadata.
func TestWhichMetadata(t *testing.T) {
	ten, err := PacemakerXML([]byte(testXML))
	if err != nil {
		t.Fatal(err)
	}
	eleven, err := PacemakerXML11([]byte(testXML))
	if err != nil {
		t.Fatal(err)
	}
	given := WithPacemaker([]byte("ten"), []byte("eleven"))
	for _, tt := range []struct {
		who, path, xml string
		env            []string
		options        []Option
		want           string
		code           Code
	}{
		{"rgmanager", "/usr/share/cluster/toy.sh", testXML, nil, []Option{given}, testXML, 0},
		{"rgmanager, with another's variable", "/usr/share/cluster/toy.sh", testXML, []string{"OCF_RA_VERSION_MINOR=1"}, []Option{given}, testXML, 0},
		{"Pacemaker before 2.1", pacemakerToy, testXML, []string{"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0"}, []Option{given}, "ten", 0},
		{"Pacemaker since 2.1", pacemakerToy, testXML, []string{"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1"}, []Option{given}, "eleven", 0},
		{"a later one", pacemakerToy, testXML, []string{"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=2"}, []Option{given}, "eleven", 0},
		{"ocf-tester, a human", pacemakerToy, testXML, nil, []Option{given}, "ten", 0},
		{"a version that is none", pacemakerToy, testXML, []string{"OCF_RA_VERSION_MINOR=x"}, []Option{given}, "ten", 0},
		{"Heartbeat", heartbeatToy, testXML, nil, []Option{given}, "ten", 0},
		{"an agent that brings none", pacemakerToy, testXML, nil, nil, string(ten), 0},
		{"an agent that brings none, since 2.1", pacemakerToy, testXML, []string{"OCF_RA_VERSION_MINOR=1"}, nil, string(eleven), 0},
		{"broken, and what was made when it was built", pacemakerToy, "<broken", nil, []Option{given}, "ten", 0},
		{"broken, and none was made", pacemakerToy, "<broken", nil, nil, "", 1},
	} {
		w, out, errs := world(&testLog{}, "meta-data", tt.env...)
		w.Args[0] = tt.path
		if got := Run(w, []byte(tt.xml), nil, tt.options...); got != tt.code || out.String() != tt.want || errs.Len() > 0 {
			t.Errorf("%s: exit %d, printed %q and %q", tt.who, got, out, errs)
		}
	}
}

// TestDeclaredIsAnswered: Pacemaker is told of exactly the actions that are done, by one document or the other.
func TestDeclaredIsAnswered(t *testing.T) {
	for name, source := range map[string]string{"toy": testXML, "all can be reloaded": onlySize(),
		"cannot migrate": strings.Replace(testXML, `<action name="migrate" timeout="600"/>`, "", 1),
		"no recover":     strings.Replace(testXML, `<action name="recover" timeout="0"/>`, "", 1)} {
		ten, eleven := deriveBoth(t, source)
		for _, action := range []string{"start", "stop", "monitor", "recover", "reload", "reload-agent", "migrate_to", "migrate_from", "validate-all", "meta-data",
			"notify", "promote", "demote", "restart", "methods", "migrate", "reconfig", "verify-all"} {
			declared := slices.ContainsFunc(append(ten.actions(), eleven.actions()...), func(a string) bool { return strings.HasPrefix(a, action+" ") })
			w, _, _ := pacemakerWorld(&testLog{}, action, pacemakerEnv("", "OCF_RESKEY_CRM_meta_migrate_target=node2")...)
			if answered := Run(w, []byte(source), &domain{running: true}) != CodeUnimplemented; answered != declared {
				t.Errorf("%s, %s: declared %t, answered %t", name, action, declared, answered)
			}
		}
	}
}

func FuzzPacemakerXML(f *testing.F) {
	f.Add([]byte(testXML))
	f.Add([]byte(nasty))
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, source []byte) {
		m, err := ParseMetadata(source)
		if err != nil {
			return
		}
		for _, derive := range []func([]byte) ([]byte, error){PacemakerXML, PacemakerXML11} {
			text, err := derive(source)
			if err != nil {
				t.Skip(err) // it has parameters at odd places
			}
			var d derived
			if err := xml.Unmarshal(text, &d); err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			at := 0
			for _, p := range m.Params {
				if policy(p.Name) {
					continue
				}
				q := d.Params[at]
				at++
				if q.Name != p.Name || (q.Content.Default != nil) != p.HasDefault || p.HasDefault && *q.Content.Default != p.Default {
					t.Fatalf("%+v became %+v", p, q)
				}
			}
			if at != len(d.Params) || d.Name != m.Name {
				t.Fatalf("%+v became %+v", m, d)
			}
		}
	})
}
