package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// TestPlacements: where a service would go is asked of the nodes that its owner leaves, as rgmanager does after the stop.
func TestPlacements(t *testing.T) {
	online := []string{"node1", "node2", "node3", "node4"}
	three := []ccs.DomainNode{{Name: "node1", Priority: 1}, {Name: "node2", Priority: 2}, {Name: "node3", Priority: 3}}
	for _, x := range []struct {
		name   string
		domain ccs.Domain
		group  group
		want   []Placement
	}{
		{"the second is best when the first leaves", ccs.Domain{Name: "d", Ordered: true, Restricted: true, Nodes: three}, group{owner: "node1", state: Started},
			[]Placement{{"node1", 3}, {"node2", 3}, {"node3", 2}}},
		{"nofailback: its owner is as good as the first, which stays better than the third", ccs.Domain{Name: "d", Ordered: true, Restricted: true, NoFailback: true, Nodes: three},
			group{owner: "node2", state: Started}, []Placement{{"node1", 3}, {"node2", 3}, {"node3", 2}}},
		{"failback: its owner is less than the first", ccs.Domain{Name: "d", Ordered: true, Restricted: true, Nodes: three}, group{owner: "node2", state: Started},
			[]Placement{{"node1", 3}, {"node2", 2}, {"node3", 2}}},
		{"a node outside counts where no other member is left", ccs.Domain{Name: "d", Nodes: three[:1]}, group{owner: "node1", state: Started},
			[]Placement{{"node1", 3}, {"node2", 3}, {"node3", 3}, {"node4", 3}}},
		{"nobody leaves", ccs.Domain{Name: "d", Ordered: true, Nodes: three}, group{state: Disabled},
			[]Placement{{"node1", 3}, {"node2", 2}, {"node3", 2}, {"node4", 1}}},
	} {
		if diff := cmp.Diff(x.want, placements(x.domain, online, x.group)); diff != "" {
			t.Errorf("%s:\n%s", x.name, diff)
		}
	}
}
