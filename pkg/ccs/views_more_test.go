package ccs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFencingViews(t *testing.T) {
	d := parse(t, `<cluster>
<cman two_node="1" expected_votes="1"/>
<clusternodes>
<clusternode name="a" nodeid="1" votes="2">
<fence>
<method name="first">
<device name="ipmi" port="1"/><device name="pdu" action="off"/>
</method>
<method><device/></method>
</fence>
</clusternode>
<clusternode name="b"/>
</clusternodes>
<fencedevices>
<fencedevice name="ipmi" agent="fence_ipmilan" ipaddr="10.0.0.1" passwd="x&amp;y"/>
<fencedevice/>
</fencedevices>
</cluster>`)
	use := func(name string, line int, attrs map[string]string) FenceUse { return FenceUse{name, attrs, line} }
	none := map[string]string{}
	want := []Node{{Name: "a", ID: 1, Votes: 2, Line: 4, Fence: []FenceMethod{
		{"first", []FenceUse{use("ipmi", 7, map[string]string{"port": "1"}), use("pdu", 7, map[string]string{"action": "off"})}, 6},
		{"", []FenceUse{use("", 9, none)}, 9},
	}}, {Name: "b", Votes: 1, Line: 12}}
	if diff := cmp.Diff(want, d.Nodes()); diff != "" {
		t.Error(diff)
	}
	devices := []FenceDevice{{"ipmi", "fence_ipmilan", map[string]string{"ipaddr": "10.0.0.1", "passwd": "x&y"}, 15}, {"", "", none, 16}}
	if diff := cmp.Diff(devices, d.FenceDevices()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"two_node": "1", "expected_votes": "1"}, d.CMAN()); diff != "" {
		t.Error(diff)
	}
}

func TestDefinitions(t *testing.T) {
	d := parse(t, `<cluster><rm>
<resources>
<ip address="10.0.0.1"/>
<xen name="db" path="/x"/>
</resources>
<service name="a"><ip ref="10.0.0.1"><xen ref="db"/></ip><xen name="own"/></service>
<service name="b"><ip ref="10.0.0.1"/></service>
<xen ref="db"/>
<kvm name="k"/>
</rm></cluster>`)
	want := []Resource{
		{Type: "ip", Name: "10.0.0.1", Attrs: map[string]string{"address": "10.0.0.1"}, Line: 3},
		{Type: "xen", Name: "db", Attrs: map[string]string{"name": "db", "path": "/x"}, Line: 4},
	}
	if diff := cmp.Diff(want, d.Definitions()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		typ, name string
		want      []string
	}{
		{"ip", "10.0.0.1", []string{"service:a", "service:b"}}, {"xen", "db", []string{"service:a", "xen:db"}},
		{"xen", "own", nil}, {"ip", "", nil}, {"kvm", "k", nil},
	} {
		if diff := cmp.Diff(c.want, d.References(c.typ, c.name)); diff != "" {
			t.Errorf("%s:%s: %s", c.typ, c.name, diff)
		}
	}
}
