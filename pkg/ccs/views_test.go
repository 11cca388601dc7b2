package ccs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `<?xml version="1.0"?>
<cluster name="lbvm" config_version="42">
  <clusternodes>
    <clusternode name="node1" nodeid="1" votes="1"><fence/></clusternode>
    <clusternode name="node2"/>
  </clusternodes>
  <rm status_poll_interval='5' log_level="7">
    <failoverdomains><failoverdomain name="all"/></failoverdomains>
    <resources>
      <xen name="db" path="/etc/xen" autostart="0"/>
      <ip address="10.0.0.1"/>
    </resources>
    <openvz name="101" domain="all"/>
    <service name="centos" autostart="1">
      <ip ref="10.0.0.1"><action name="status" depth="*" interval="5s"/><openvz name="102"/></ip>
      <xen ref="db" path="ignored" __independent_subtree="1"/>
      <xen ref="gone"/>
    </service>
    <events/>
    <!-- <openvz name="commented"/> -->
  </rm>
</cluster>
`

func TestViews(t *testing.T) {
	d := parse(t, sample)
	if d.ClusterName() != "lbvm" {
		t.Error(d.ClusterName())
	}
	if v, err := d.Version(); v != 42 || err != nil {
		t.Error(v, err)
	}
	if diff := cmp.Diff([]Node{{Name: "node1", ID: 1, Votes: 1, Line: 4}, {Name: "node2", Votes: 1, Line: 5}}, d.Nodes()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"status_poll_interval": "5", "log_level": "7"}, d.RM()); diff != "" {
		t.Error(diff)
	}
	want := []Service{
		{Type: "openvz", Name: "101", Attrs: map[string]string{"name": "101", "domain": "all"}, Line: 13},
		{Type: "service", Name: "centos", Attrs: map[string]string{"name": "centos", "autostart": "1"}, Line: 14, Children: []Resource{
			{Type: "ip", Name: "10.0.0.1", Ref: "10.0.0.1", Attrs: map[string]string{"address": "10.0.0.1"}, Line: 15,
				Children: []Resource{{Type: "openvz", Name: "102", Attrs: map[string]string{"name": "102"}, Line: 15}}},
			{Type: "xen", Name: "db", Ref: "db", Attrs: map[string]string{"name": "db", "path": "/etc/xen", "autostart": "0", "__independent_subtree": "1"}, Line: 16},
			{Type: "xen", Name: "gone", Ref: "gone", Attrs: map[string]string{"ref": "gone"}, Line: 17},
		}},
	}
	got := d.Services()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var vms []string
	for _, s := range got {
		for _, v := range s.VMs("openvz", "xen") {
			vms = append(vms, s.ID()+"/"+v.Type+":"+v.Name)
		}
	}
	if diff := cmp.Diff([]string{"openvz:101/openvz:101", "service:centos/openvz:102", "service:centos/xen:db", "service:centos/xen:gone"}, vms); diff != "" {
		t.Error(diff)
	}
	if s, ok := d.Service("openvz:101"); !ok || s.Domain() != "all" {
		t.Error(s, ok)
	}
	empty := parse(t, "<cluster/>")
	if len(empty.Services())+len(empty.Domains())+len(empty.Nodes())+len(empty.RM()) != 0 {
		t.Error("an empty cluster holds something")
	}
}

func TestVersionAndBump(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<cluster config_version = '3' />`, `<cluster config_version = '4' />`},
		{`<cluster config_version="009"/>`, `<cluster config_version="010"/>`},
		{`<cluster config_version="99"/>`, `<cluster config_version="100"/>`},
		{`<cluster config_version="&#51;"/>`, `<cluster config_version="4"/>`},
	} {
		d := parse(t, c.in)
		e, err := d.Bump()
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Apply(e)
		if err != nil || string(got.src) != c.want {
			t.Errorf("%s: %s, %v", c.in, got.src, err)
		}
	}
	for _, in := range []string{`<cluster/>`, `<cluster config_version=""/>`, `<cluster config_version="1.2"/>`, `<cluster config_version=" 1"/>`,
		`<cluster config_version="-1"/>`, `<cluster config_version="99999999999999999999"/>`, `<cluster config_version="2147483647"/>`, `<cluster config_version="0x1"/>`} {
		if e, err := parse(t, in).Bump(); !errors.Is(err, ErrVersion) || e != nil || !strings.Contains(err.Error(), "cluster.conf:1:1") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestCaptured(t *testing.T) {
	before, err := Load("testdata/captured/ccs_tool-before.conf")
	if err != nil {
		t.Fatal(err)
	}
	after, err := Load("testdata/captured/ccs_tool-after.conf")
	if err != nil {
		t.Fatal(err)
	}
	// The same edit, with only the intended bytes changed.
	nodes := find(t, before, "/cluster/clusternodes")
	bump, err := before.Bump()
	if err != nil {
		t.Fatal(err)
	}
	got, err := before.Apply(Insert{nodes, Into, Markup("clusternode", []Attr{{"name", "node2"}, {"votes", "1"}, {"nodeid", "2"}})}, bump)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(before.src), "'3'", "'4'", 1)
	want = strings.Replace(want, `votes="1"/>`+"\n", `votes="1"/>`+"\n      <clusternode name=\"node2\" votes=\"1\" nodeid=\"2\"/>\n", 1)
	if string(got.src) != want {
		t.Errorf("got %s", got.src)
	}
	// ccs_tool's result says the same but for the lines.
	names := func(d *Document) (out []string) {
		for _, n := range d.Nodes() {
			out = append(out, n.Name)
		}
		for _, s := range d.Services() {
			out = append(out, s.ID())
		}
		return out
	}
	if diff := cmp.Diff(names(after), names(got)); diff != "" {
		t.Error(diff)
	}
	v1, err1 := after.Version()
	v2, err2 := got.Version()
	if v1 != 4 || v2 != 4 || err1 != nil || err2 != nil {
		t.Error(v1, v2, err1, err2)
	}
	if b, err := os.ReadFile("testdata/captured/ccs_tool-before.conf"); err != nil || string(b) != string(before.Bytes()) {
		t.Error("the bytes of a document are not the file's", err)
	}
}
