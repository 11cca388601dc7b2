package cluster

import (
	"slices"
	"testing"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// An exclusive service goes only where no other is, and no other goes where one is.
func TestPlacementsBesideExclusiveServices(t *testing.T) {
	d, err := ccs.Parse("cluster.conf", []byte(`<cluster name="c" config_version="1"><clusternodes/><rm>
<service name="alone" exclusive="1"><xen name="a"/></service>
<service name="yes" exclusive="yes"><xen name="y"/></service>
<service name="plain" exclusive="0"><xen name="p"/></service>
<service name="web"><script name="s"/></service>
<xen name="top" exclusive="1"/>
</rm></cluster>`))
	if err != nil {
		t.Fatal(err)
	}
	nodes := func(id string, groups ...group) []string {
		var members []Member
		for _, n := range []string{"n1", "n2", "n3"} {
			members = append(members, Member{Name: n, Online: true, Manager: true})
		}
		for _, s := range services(d, report{members: members, groups: groups}) {
			if s.ID == id {
				out := []string{}
				for _, p := range s.MayRun {
					out = append(out, p.Node)
				}
				return out
			}
		}
		t.Fatalf("no service %s", id)
		return nil
	}
	on := func(id, node string, s State) group { return group{id: id, owner: node, state: s} }
	for _, c := range []struct {
		name, id string
		groups   []group
		want     []string
	}{
		{"nobody is anywhere", "service:alone", nil, []string{"n1", "n2", "n3"}},
		{"another service, without a VM", "service:alone", []group{on("service:alone", "n1", Started), on("service:web", "n2", Started)}, []string{"n1", "n3"}},
		{"one that is just starting, or of which nobody knows", "service:yes", []group{on("service:plain", "n2", Starting), on("service:web", "n3", Unknown)}, []string{"n1"}},
		{"one that is down", "service:yes", []group{on("service:plain", "n2", Disabled), on("service:web", "n3", Failed)}, []string{"n1", "n2", "n3"}},
		{"not where an exclusive one is", "service:plain", []group{on("service:alone", "N2", Started), on("xen:top", "n3", Started)}, []string{"n1"}},
		{"beside any other", "service:plain", []group{on("service:web", "n2", Started)}, []string{"n1", "n2", "n3"}},
		{"where it is it stays", "service:alone", []group{on("service:alone", "n1", Started), on("service:web", "n1", Started), on("service:plain", "n2", Started)}, []string{"n1", "n3"}},
		{"directly below rm", "xen:top", []group{on("service:web", "n1", Started)}, []string{"n2", "n3"}},
	} {
		if got := nodes(c.id, c.groups...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
