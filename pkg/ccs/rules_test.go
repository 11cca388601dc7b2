package ccs

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lbvm/lbvm/metadata"
)

// agentXML is the metadata of a small agent; the parts go where their names say.
func agentXML(name, special, params, actions string) string {
	return `<?xml version="1.0"?>
<resource-agent name="` + name + `" version="rgmanager 2.0">
<parameters><parameter name="name" primary="1" unique="1" required="1"><content type="string"/></parameter>` + params + `</parameters>
<actions><action name="start" timeout="20"/><action name="status" timeout="10" interval="30s"/>` + actions + `</actions>
<special tag="other"><attributes maxinstances="9"/><child type="never"/></special>
<special tag="rgmanager">` + special + `</special>
</resource-agent>`
}

func TestParseMetadata(t *testing.T) {
	one := Param{Name: "name", Primary: true, Unique: true, Required: true}
	for _, c := range []struct {
		name, special, params, actions string
		want                           func(*Type)
		said                           []string
	}{
		{name: "plain", want: func(*Type) {}},
		{name: "flags are numbers or begin with y", params: `<parameter name="a" required="true" unique="yes" reconfig="2"/><parameter name="b" required="y" reconfig="Yes" unique="0"/>`,
			want: func(w *Type) {
				w.Params = append(w.Params, Param{Name: "a", Unique: true, Reconfig: true}, Param{Name: "b", Required: true})
			}},
		{name: "an empty default is one", params: `<parameter name="a"><content default=""/></parameter><parameter name="b"><content/></parameter>`,
			want: func(w *Type) { w.Params = append(w.Params, Param{Name: "a", HasDefault: true}, Param{Name: "b"}) }},
		{name: "inherit goes before the default", params: `<parameter name="a" inherit="service%name" reconfig="1"><content default="x"/></parameter>`,
			want: func(w *Type) {
				w.Params = append(w.Params, Param{Name: "a", Inherit: "service%name", Reconfig: true})
			}},
		{name: "a parameter without a name ends the list", params: `<parameter name="a"/><parameter/><parameter name="b"/>`,
			want: func(w *Type) { w.Params = append(w.Params, Param{Name: "a"}) }},
		{name: "an action without a name ends the list", actions: `<action name="stop" timeout="1m"/><action/><action name="migrate"/>`,
			want: func(w *Type) { w.Actions = append(w.Actions, Action{Name: "stop", Timeout: time.Minute}) }},
		{name: "an interval below a second is one, depth is read for checks only", actions: `<action name="monitor" interval="x" depth="-3"/><action name="stop" depth="7"/>`,
			want: func(w *Type) {
				w.Actions = append(w.Actions, Action{Name: "monitor", Interval: time.Second}, Action{Name: "stop"})
			}},
		{name: "a second action of the same depth replaces the first", actions: `<action name="status" timeout="20" interval="60"/>`,
			want: func(w *Type) { w.Actions[1] = Action{"status", 20 * time.Second, time.Minute, 0} },
			said: []string{"Replacing action 'status' depth 0: timeout: 10->20 interval: 30->60"}},
		{name: "attributes", special: `<attributes maxinstances="3" init_on_add="0" destroy_on_delete="no"/>`,
			want: func(w *Type) { w.MaxInstances, w.InitOnAdd, w.DestroyOnDelete = 3, false, false }},
		{name: "fewer than no instances is any number", special: `<attributes maxinstances="-1" init_on_add="1"/>`, want: func(*Type) {}},
		{name: "children", special: `<child type="fs" start="2" stop="8"/><child type="ip" forbid="1"/><child type="x"/><child start="1"/><child type="y"/>`,
			want: func(w *Type) {
				w.Children = []Child{{Type: "fs", Start: 2, Stop: 8}, {Type: "ip", Forbid: true}, {Type: "x"}}
			}},
		{name: "levels that are never run", special: `<child type="fs" start="2"/><child type="ip" start="101" stop="1"/>`,
			want: func(w *Type) {
				w.Children = []Child{{Type: "fs", Start: 2}, {Type: "ip", Start: 101, Stop: 1}}
			},
			said: []string{`children of type "fs" with start level 2 and stop level 0: only 1 to 100 are ever run`, `children of type "ip" with start level 101 and stop level 1: only 1 to 100 are ever run`}},
	} {
		want := &Type{Name: "x", InitOnAdd: true, DestroyOnDelete: true, Params: []Param{one},
			Actions: []Action{{Name: "start", Timeout: 20 * time.Second}, {Name: "status", Timeout: 10 * time.Second, Interval: 30 * time.Second}}}
		c.want(want)
		got, said, err := ParseMetadata([]byte(agentXML("x", c.special, c.params, c.actions)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if diff := cmp.Diff(c.said, said); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	// The primary parameter and the first one change places.
	got, _, err := ParseMetadata([]byte(`<resource-agent name="x"><parameters><parameter name="a"/><parameter name="b"/><parameter name="p" primary="1"/><parameter name="c"/></parameters>
		<actions><action name="start"/></actions></resource-agent>`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range got.Params {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"p", "b", "a", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataThatIsIgnored(t *testing.T) {
	plain := agentXML("x", "", "", "")
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "prints nothing"},
		{"a byte before it", "x" + plain, "1:1"},
		{"a blank before it", " " + plain, "1:2"},
		{"a byte behind it", plain + "x", ":"},
		{"cut short", plain[:300], ":"},
		{"another root", `<cluster/>`, "not a plain <resource-agent>"},
		{"a name space", strings.Replace(plain, " name", ` xmlns="urn:x" name`, 1), "not a plain <resource-agent>"},
		{"a prefix", `<a:resource-agent xmlns:a="urn:x" name="x"/>`, "not a plain <resource-agent>"},
		{"no name", strings.Replace(plain, `name="x"`, "", 1), "no name"},
		{"the reserved name", agentXML("Action", "", "", ""), "reserved"},
		{"two primaries", agentXML("x", "", `<parameter name="b" primary="1"/>`, ""), `"name" and "b" are both primary`},
		{"inherit and required", agentXML("x", "", `<parameter name="b" required="1" inherit="a"/>`, ""), "cannot inherit"},
		{"inherit and unique", agentXML("x", "", `<parameter name="b" unique="1" inherit="a"/>`, ""), "cannot inherit"},
	} {
		typ, _, err := ParseMetadata([]byte(c.text))
		if err == nil {
			t.Errorf("%s: read as %+v", c.name, typ)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q does not say %q", c.name, err, c.want)
		}
	}
	// What is odd, but harmless.
	for name, text := range map[string]string{
		"a comment and white space behind it": plain + "\n<!-- x -->\n", "DOCTYPE": strings.Replace(plain, "?>", "?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1-modified.dtd\">", 1),
		"Latin-1": strings.Replace(strings.Replace(plain, `"1.0"?`, `"1.0" encoding="ISO-8859-1" ?`, 1), "<actions>", "<!-- \xe9 --><actions>", 1),
	} {
		if _, _, err := ParseMetadata([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadRules(t *testing.T) {
	bare := `<resource-agent name="bare"><parameters><parameter name="a"/></parameters><actions/></resource-agent>`
	r, notes := LoadRules(append(Agents(map[string][]byte{
		"b.sh": []byte(agentXML("x", "", `<parameter name="second"/>`, "")), "a.sh": []byte(agentXML("X", "", "", "")), "bare.sh": []byte(bare),
		"old.sh~": []byte(agentXML("y", "", "", "")), "old.rpmsave": []byte(agentXML("y", "", "", "")), "svclib_nfslock": nil,
	}), Agent{"z/../z.sh.RPMnew.x", []byte(agentXML("z", "", "", ""))}))
	var got []string
	for _, n := range notes {
		got = append(got, n.String())
	}
	want := []string{
		`b.sh: ignored: the type "x" is that of a.sh already`,
		"bare.sh: no parameter is primary: references to this type are not found, and it is restarted at every new configuration",
		"bare.sh: it declares no action: rgmanager crashes when cluster.conf has a resource of this type",
		"old.rpmsave: ignored: bad extension .rpmsave", "old.sh~: ignored: a name that ends in ~", "svclib_nfslock: ignored: it prints nothing for meta-data",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(r) != 3 || r["X"] == nil || r["X"].Agent != "a.sh" || r["z"] == nil || r["bare"] == nil {
		t.Errorf("rules %v", r)
	}
	if typ, ok := r.Find("x"); !ok || typ.Name != "X" {
		t.Error("the case of a type's name counts")
	}
	if _, ok := r.Find("y"); ok {
		t.Error("y was read from a file that is not run")
	}
	if notes[0].Type != "x" || !notes[0].Ignored || notes[1].Ignored {
		t.Errorf("%+v", notes[:2])
	}
}

func TestRunsAsAgent(t *testing.T) {
	for _, c := range []struct {
		name string
		mode fs.FileMode
		runs bool
	}{
		{"vm.sh", 0o755, true}, {"vm", 0o001, true}, {".hidden", 0o100, true}, {"/usr/share/cluster/vm.sh", 0o755, true}, {"vm.sh.bak", 0o755, true}, {"vm.rp", 0o755, true}, {"rpm", 0o755, true},
		{"vm.sh", 0o644, false}, {"vm.sh~", 0o755, false}, {"vm.rpmnew", 0o755, false}, {"vm.sh.RPMSAVE", 0o755, false}, {".rpm", 0o755, false}, {"utils", fs.ModeDir | 0o755, false},
	} {
		runs, why := RunsAsAgent(c.name, c.mode)
		if runs != c.runs || runs != (why == "") {
			t.Errorf("%s %s: %v %q", c.name, c.mode, runs, why)
		}
	}
}

// TestDefaultRulesAreOurMetadata holds our agents' types against what our agents print.
func TestDefaultRulesAreOurMetadata(t *testing.T) {
	rules := DefaultRules()
	for name, text := range map[string][]byte{"openvz": metadata.OpenVZ(), "xen": metadata.Xen(), "kvm": metadata.KVM(), "lbvm": metadata.LBVM()} {
		want, said, err := ParseMetadata(text)
		if err != nil || len(said) > 0 {
			t.Fatal(said, err)
		}
		if diff := cmp.Diff(want, rules[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, typ := range rules {
		if name != typ.Name || typ.Primary() == "" || !typ.Declares("start") || !typ.Declares("stop") {
			t.Errorf("%s: %+v", name, typ)
		}
		for _, p := range typ.Params {
			if p.Name == "" || p.Inherit != "" && (p.Primary || p.Required || p.Unique) {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	for _, name := range []string{"service", "vm", "ip", "fs", "clusterfs", "netfs", "nfsexport", "nfsclient", "lvm", "script", "smb", "samba", "apache", "openvz", "xen", "kvm", "vmexec", "lbvm"} {
		if rules[name] == nil {
			t.Errorf("%s is not among them", name)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(agentXML("x", `<attributes maxinstances="1"/><child type="a" start="1"/>`, `<parameter name="b" inherit="a%b"/>`, `<action name="status" depth="10" interval="1h"/>`)))
	f.Add([]byte(`<resource-agent name="x"/>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		typ, _, err := ParseMetadata(text)
		if (typ == nil) != (err != nil) {
			t.Fatal(typ, err)
		}
		if err == nil && (typ.Name == "" || strings.EqualFold(typ.Name, "action") || typ.MaxInstances < 0) {
			t.Errorf("read %+v", typ)
		}
	})
}
