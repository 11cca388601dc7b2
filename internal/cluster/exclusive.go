package cluster

import (
	"slices"
	"strings"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// exclusion tells where exclusive services are in the way: rgmanager starts one only where no other service is, and no other
// where one is. The zero value knows of none.
type exclusion struct {
	on        map[string][]string // the groups that hold a node, by its name in small letters
	exclusive map[string]bool     // by group
}

func newExclusion(d *ccs.Document, r report) exclusion {
	x := exclusion{exclusive: map[string]bool{}}
	for _, s := range d.Services() {
		if s.Exclusive() {
			x.exclusive[s.ID()] = true
		}
	}
	if len(x.exclusive) == 0 {
		return exclusion{}
	}
	x.on = map[string][]string{}
	for _, g := range r.groups {
		if g.owner != "" && !slices.Contains([]State{Stopped, Disabled, Failed}, g.state) {
			node := strings.ToLower(g.owner)
			x.on[node] = append(x.on[node], g.id)
		}
	}
	return x
}

// without takes out of a service's placements the nodes on which an exclusive service is in the way. Its owner stays.
func (x exclusion) without(list []Placement, s ccs.Service, g group) []Placement {
	if x.on == nil {
		return list
	}
	out := []Placement{}
	for _, p := range list {
		if strings.EqualFold(p.Node, g.owner) || !x.inTheWay(s.ID(), p.Node) {
			out = append(out, p)
		}
	}
	return out
}

func (x exclusion) inTheWay(id, node string) bool {
	return slices.ContainsFunc(x.on[strings.ToLower(node)], func(other string) bool {
		return x.exclusive[id] || x.exclusive[other]
	})
}
