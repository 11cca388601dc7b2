package cluster

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func captured(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/captured/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParseClustat(t *testing.T) {
	r, err := parseClustat(captured(t, "clustat-x.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if !r.quorate || !r.managed || r.note != "" || !r.hasGroup {
		t.Errorf("%+v", r)
	}
	members := []Member{{Name: "node1", Online: true, Local: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3"}}
	if diff := cmp.Diff(members, r.members); diff != "" {
		t.Error(diff)
	}
	at := func(s int64) time.Time { return time.Unix(1290000000+s, 0) }
	groups := []group{
		{id: "openvz:101", state: Disabled, lastOwner: "node1", since: at(200)},
		{id: "openvz:102", state: Failed, lastOwner: "node2", since: at(300)},
		{id: "service:part", state: Started, frozen: true, partial: true, owner: "node1", since: at(400)},
		{id: "service:svc1", state: Started, owner: "node1", since: at(0)},
		{id: "service:web", state: Stopped, lastOwner: "node1"},
		{id: "vm:guest1", state: Started, frozen: true, owner: "node2", lastOwner: "node1", since: at(100)},
		{id: "vm:rec", state: Recovering, lastOwner: "node2", since: at(500)},
	}
	if diff := cmp.Diff(groups, r.groups, cmp.AllowUnexported(group{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseClustatOdd(t *testing.T) {
	base := captured(t, "clustat-x.xml")
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	start, end := strings.Index(base, "  <groups>"), strings.Index(base, "</clustat>")
	for _, c := range []struct {
		name, text string
		check      func(report) bool
	}{
		{"text in front", "Service states unavailable: Temporary failure; try again\n" + base, func(r report) bool {
			return strings.HasPrefix(r.note, "Service states unavailable") && len(r.members) == 3
		}},
		{"no groups", base[:start] + base[end:], func(r report) bool { return !r.hasGroup && len(r.groups) == 0 }},
		{"a newline within quorum", edit(`quorate="1" groupmember="1"/>`, "quorate=\"0\"\n groupmember=\"0\"/>"), func(r report) bool { return !r.quorate && !r.managed }},
		{"names with markup", edit(`"service:web"`, `"service:a&b<c>"d""`), func(r report) bool { return r.groups[4].id == `service:a&b<c>"d"` }},
		{"an entity is text", edit(`"service:web"`, `"service:a&amp;b"`), func(r report) bool { return r.groups[4].id == `service:a&amp;b` }},
		{"an unknown state", edit(`state="112" state_str="started"`, `state="125" state_str="started"`), func(r report) bool { return r.groups[2].state == Unknown }},
		{"a word that is not the number's", edit(`state="112" state_str="started"`, `state="112" state_str="stopped"`), func(r report) bool { return r.groups[2].state == Unknown }},
		{"uninitialized", edit(`state="110" state_str="stopped"`, `state="115" state_str="uninitialized"`), func(r report) bool { return r.groups[4].state == Unknown }},
		{"an owner in no list", edit(`owner="node2" last`, `owner="unknown" last`), func(r report) bool { return r.groups[5].state == Unknown && r.groups[5].owner == "" }},
		{"a quorum disk", edit("  </nodes>", `    <node name="/dev/sdb" state="1" local="0" estranged="0" rgmanager="0" rgmanager_master="0" qdisk="1" nodeid="0x00000000"/>`+"\n  </nodes>"), func(r report) bool { return len(r.members) == 3 }},
		{"an older clustat", edit(` rgmanager_master="0"`, "", ` version="4.1.1"`, ""), func(r report) bool { return len(r.members) == 3 && r.members[0].Manager }},
		{"estranged", edit(`estranged="0" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x00000002"`, `estranged="1" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x00000002"`), func(r report) bool { return r.members[1].Estranged }},
	} {
		r, err := parseClustat(c.text)
		if err != nil || !c.check(r) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}

func TestParseClustatRefuses(t *testing.T) {
	base := captured(t, "clustat-x.xml")
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	for name, text := range map[string]string{
		"nothing": "", "text": "Could not connect", "cut off": base[:len(base)/2], "cut off between lines": base[:strings.Index(base, "    <group name=\"service:web")],
		"no end": strings.Replace(base, "</clustat>", "", 1), "no quorum": strings.Replace(base, `  <quorum quorate="1" groupmember="1"/>`, "", 1),
		"a node's state":    edit(`state="0" local`, `state="2" local`),
		"a node's manager":  edit(`rgmanager="0"`, `rgmanager=""`),
		"a node twice":      edit(`"node2" state`, `"node1" state`),
		"a group twice":     edit(`"openvz:102"`, `"openvz:101"`),
		"a group's flags":   edit(`flags="3"`, `flags="x"`),
		"a group's name":    edit(`"openvz:102"`, `"openvz"`),
		"a group's owner":   edit(`owner="node2" last_owner="node1"`, `last_owner="node1"`),
		"a node's number":   edit(`0x00000003`, `three`),
		"a name over lines": edit(`"openvz:102"`, "\"openvz:\n102\""),
	} {
		if _, err := parseClustat(text); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzClustat(f *testing.F) {
	f.Add(captured(f, "clustat-x.xml"))
	f.Add("x\n<?xml?><clustat><quorum quorate=\"1\"\n groupmember=\"0\"/><nodes></nodes></clustat>")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseClustat(text)
		if err != nil {
			return
		}
		for _, g := range r.groups {
			if g.state != Unknown && !strings.Contains(text, `state_str="`+g.state.String()+`"`) {
				t.Errorf("%v of nothing: %q", g.state, text)
			}
		}
	})
}
