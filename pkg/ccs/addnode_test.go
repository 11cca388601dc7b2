package ccs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func nodesConf(cman string, nodes ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?>\n<cluster name='x' config_version='7'>\n  " + cman + "\n  <clusternodes>\n")
	for i, n := range nodes {
		fmt.Fprintf(&b, "    <clusternode name='%s' nodeid='%d'/>  <!-- %s -->\n", n, i+1, n)
	}
	b.WriteString(`  </clusternodes>
  <fencedevices><fencedevice name="apc1" agent="fence_apc"/></fencedevices>
  <rm>
    <failoverdomains>
      <failoverdomain name="blue"><failoverdomainnode name="n1"/><failoverdomainnode name="n2"/></failoverdomain>
      <failoverdomain name="red"><failoverdomainnode name="N2"/></failoverdomain>
    </failoverdomains>
  </rm>
</cluster>
`)
	return b.String()
}

func mustParse(t *testing.T, text string) *Document {
	t.Helper()
	d, err := Parse("cluster.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// result applies edits and gives what changed: lines of a diff without its head.
func result(t *testing.T, d *Document, edits []Edit) string {
	t.Helper()
	after, err := d.Apply(edits...)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range strings.Split(unified("f", d.src, after.src), "\n") {
		if line != "" && strings.ContainsRune("+-", rune(line[0])) && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestAddNode(t *testing.T) {
	for name, tt := range map[string]struct {
		conf     string
		node     NewNode
		want     string
		warnings string // a part of each, in order
		err      string
	}{
		"next free nodeid": {nodesConf("<cman/>", "n1", "n2", "n3"), NewNode{Name: "n4", Fence: []Attr{{"name", "apc1"}, {"port", "4"}}},
			"+    <clusternode name='n4' nodeid='4'>\n+      <fence>\n+        <method name='1'>\n+          <device name='apc1' port='4'/>\n+        </method>\n+      </fence>\n+    </clusternode>", "", ""},
		"votes and nodeid named, no fence": {nodesConf("<cman/>", "n1", "n2", "n3"), NewNode{Name: "n4", ID: 9, Votes: 2},
			"+    <clusternode name='n4' nodeid='9' votes='2'/>", "no fence device", ""},
		"two_node ends": {nodesConf(`<cman two_node="1" expected_votes="1"/>`, "n1", "n2"), NewNode{Name: "n3", Fence: []Attr{{"name", "apc1"}}},
			`-  <cman two_node="1" expected_votes="1"/>` + "\n" + `+  <cman two_node="0" expected_votes="3"/>`, "two_node is turned off", ""},
		"expected_votes is behind": {nodesConf(`<cman expected_votes="3"/>`, "n1", "n2", "n3"), NewNode{Name: "n4", Fence: []Attr{{"name", "apc1"}}},
			"+    <clusternode name='n4' nodeid='4'>", "expected_votes says 3 and the nodes have 4", ""},
		"no <cman>":   {nodesConf("", "n1", "n2", "n3"), NewNode{Name: "n4", Fence: []Attr{{"name", "apc1"}}}, "+    <clusternode name='n4' nodeid='4'>", "", ""},
		"second node": {nodesConf("<cman/>", "n1"), NewNode{Name: "n2", Fence: []Attr{{"name", "apc1"}}}, "+", "with two nodes", ""},

		"name is there":    {nodesConf("<cman/>", "n1"), NewNode{Name: "N1"}, "", "", "node N1 is there already, in line 5"},
		"nodeid is there":  {nodesConf("<cman/>", "n1"), NewNode{Name: "n2", ID: 1}, "", "", "nodeid 1 belongs to n1"},
		"no such device":   {nodesConf("<cman/>", "n1"), NewNode{Name: "n2", Fence: []Attr{{"name", "apc2"}}}, "", "", `no fence device "apc2"`},
		"no name":          {nodesConf("<cman/>", "n1"), NewNode{}, "", "", "cannot be the name"},
		"name with a &":    {nodesConf("<cman/>", "n1"), NewNode{Name: "a&b"}, "", "", "cannot be the name"},
		"no clusternodes":  {"<cluster config_version='1'/>", NewNode{Name: "n1"}, "", "", "no <clusternodes>"},
		"negative nodeid":  {nodesConf("<cman/>", "n1"), NewNode{Name: "n2", ID: -1}, "", "", "above 0"},
		"name like option": {nodesConf("<cman/>", "n1"), NewNode{Name: "-x"}, "", "", "cannot be the name"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, tt.conf)
			edits, warnings, err := d.AddNode(tt.node)
			if tt.err != "" {
				if want := strings.ReplaceAll(tt.err, "N1", "n1"); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := result(t, d, edits); !strings.Contains(got, tt.want) {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
			if all := strings.Join(warnings, "; "); !strings.Contains(all, tt.warnings) || tt.warnings == "" && all != "" {
				t.Errorf("warnings %q, want %q", all, tt.warnings)
			}
		})
	}
}

func TestDelNode(t *testing.T) {
	d := mustParse(t, nodesConf(`<cman two_node="1" expected_votes="1"/>`, "n1", "n2"))
	edits, warnings, err := d.DelNode("n2")
	if err != nil {
		t.Fatal(err)
	}
	got := result(t, d, edits)
	for _, want := range []string{`-    <clusternode name='n2' nodeid='2'/>`, `+  <cman two_node="0" expected_votes="1"/>`, `+      <failoverdomain name="blue"><failoverdomainnode name="n1"/></failoverdomain>`, `+      <failoverdomain name="red"></failoverdomain>`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if all := strings.Join(warnings, "; "); !strings.Contains(all, "failover domain red is empty then") || strings.Contains(all, "blue") || !strings.Contains(all, "two_node is turned off") {
		t.Errorf("warnings %q", all)
	}
	if _, _, err := d.DelNode("n9"); err == nil || !strings.Contains(err.Error(), `no node "n9"`) {
		t.Error(err)
	}
	three := mustParse(t, nodesConf("<cman/>", "n1", "n2", "n3"))
	if _, warnings, err := three.DelNode("n3"); err != nil || !strings.Contains(strings.Join(warnings, ";"), "with two nodes") {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestAddDomain(t *testing.T) {
	d := mustParse(t, nodesConf("<cman/>", "n1", "n2", "n3"))
	edits, err := d.AddDomain(Domain{Name: "green", Ordered: true, Restricted: true, Nodes: []DomainNode{{"n3", 1}, {"n1", 2}}})
	if err != nil {
		t.Fatal(err)
	}
	after, err := d.Apply(edits...)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := after.Domain("green"); !ok || !got.Ordered || !got.Restricted || got.NoFailback || fmt.Sprint(got.Nodes) != "[{n3 1} {n1 2}]" {
		t.Errorf("%+v", got)
	}
	bare := mustParse(t, "<cluster config_version='1'><clusternodes><clusternode name='n1'/></clusternodes><rm><service name='s'/></rm></cluster>")
	if edits, err = bare.AddDomain(Domain{Name: "d", Nodes: []DomainNode{{Name: "n1"}}}); err != nil {
		t.Fatal(err)
	}
	if after, err = bare.Apply(edits...); err != nil || len(after.Domains()) != 1 || after.rm().Children()[0].Tag() != "failoverdomains" {
		t.Errorf("%s, %v", after.Bytes(), err)
	}
	for want, n := range map[string]Domain{
		"has a name and nodes":          {Name: "x"},
		"is there already, in line":     {Name: "BLUE", Nodes: []DomainNode{{Name: "n1"}}},
		`"n9" is no node`:               {Name: "x", Nodes: []DomainNode{{Name: "n9"}}},
		"the node is called n1":         {Name: "x", Nodes: []DomainNode{{Name: "N1"}}},
		"n1 stands twice":               {Name: "x", Nodes: []DomainNode{{Name: "n1"}, {Name: "n1"}}},
		"counts only in an ordered":     {Name: "x", Nodes: []DomainNode{{Name: "n1", Priority: 3}}},
		"it is 1 to 100, and 1 is best": {Name: "x", Ordered: true, Nodes: []DomainNode{{Name: "n1", Priority: 101}}},
	} {
		if _, err := d.AddDomain(n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestStatusInterval(t *testing.T) {
	d := mustParse(t, `<cluster config_version="1"><rm>
  <resources>
    <xen name="shared"/>
  </resources>
  <service name="a">
    <openvz name="101"/>
    <xen name="web"><action name="status" depth="*" interval="5s"/></xen>
    <xen ref="shared"/>
  </service>
  <service name="b"><openvz name="web"/><xen ref="shared"/></service>
  <openvz name="7"/>
</rm></cluster>`)
	for _, tt := range []struct {
		resource string
		every    time.Duration
		want     string
	}{
		{"101", 90 * time.Second, `+      <action name="status" depth="*" interval="90s"/>`},
		{"xen:web", 2 * time.Minute, `+    <xen name="web"><action name="status" depth="*" interval="2m"/></xen>`},
		{"shared", time.Hour, `+      <action name="status" depth="*" interval="1h"/>`}, // once, in <resources>
		{"openvz:7", 61 * time.Minute, `interval="61m"/>`},
	} {
		e, err := d.Resource(tt.resource)
		if err != nil {
			t.Errorf("%s: %v", tt.resource, err)
			continue
		}
		edit, err := d.StatusInterval(e, tt.every)
		if err != nil {
			t.Errorf("%s: %v", tt.resource, err)
			continue
		}
		if got := result(t, d, []Edit{edit}); strings.Count(got, tt.want) != 1 {
			t.Errorf("%s:\n%s\nwant %s", tt.resource, got, tt.want)
		}
	}
	for name, want := range map[string]string{"web": "may be any of <xen> in line 7, <openvz> in line 10", "nothing": "no resource", "xen:101": "no resource"} {
		if _, err := d.Resource(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for _, bad := range []time.Duration{0, -time.Second, 1500 * time.Millisecond} {
		if _, err := d.StatusInterval(d.Root(), bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	// What is written is what the manager reads.
	e, err := d.Resource("101")
	if err != nil {
		t.Fatal(err)
	}
	edit, err := d.StatusInterval(e, 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	after, err := d.Apply(edit)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	after.ResourceTree(nil).Group("service:a").Walk(func(i *Instance) bool {
		for _, a := range i.Actions {
			if i.ID() == "openvz:101" && a.Name == "status" {
				found = found || a.Interval == 90*time.Second
			}
		}
		return true
	})
	if !found {
		t.Error("the manager does not read the new interval")
	}
}
