package ccs

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// Comparison holds the marks that the cluster manager's two comparisons leave: that of the resources, each with its
// namesake, and that of the trees.
type Comparison struct {
	before, after *Tree
	stop          map[*resource]bool // of before: gone or changed
	start         map[*resource]need // of after
	stopNode      map[*Instance]bool
	startNode     map[*Instance]bool // to be started or, where start says so, reconfigured
	matched       map[*Instance]bool // of after: its like was found in its place
	isOld         map[*Instance]bool
	places        map[*Tree]map[string][]string // resource id -> groups
	initial       bool                          // a group of after is to be initialised, and all are looked at then
	byPlace       [2]map[place]*Instance
	seed          maphash.Seed
	changes       []Change
}

type need int

const (
	nothing need = iota
	mustStart
	mustReconfigure
)

// place is where an instance stands: two trees have the same resource in the same group.
type place struct{ group, id string }

// Compare compares two configurations as the cluster manager does when it is given the second while it runs with
// the first.
func Compare(before, after *Tree) *Comparison {
	d := &Comparison{before: before, after: after, seed: maphash.MakeSeed(),
		stop: map[*resource]bool{}, start: map[*resource]need{}, stopNode: map[*Instance]bool{}, startNode: map[*Instance]bool{},
		matched: map[*Instance]bool{}, isOld: map[*Instance]bool{}, places: map[*Tree]map[string][]string{}}
	d.compareResources()
	d.compareNodes(before.Groups, after.Groups)
	for _, g := range after.Groups {
		d.initial = d.initial || d.start[g.res] == mustStart
	}
	for n, t := range []*Tree{before, after} {
		d.byPlace[n] = map[place]*Instance{}
		d.places[t] = map[string][]string{}
		for _, g := range t.Groups {
			for i := range g.Walk {
				if t == before {
					d.isOld[i] = true
				}
				id := i.ID()
				d.places[t][id] = append(d.places[t][id], g.ID())
				if p := (place{g.ID(), id}); d.byPlace[n][p] == nil {
					d.byPlace[n][p] = i
				}
			}
		}
	}
	return d
}

// partner is the instance of the same resource in the same group of the other tree.
func (d *Comparison) partner(i *Instance) (*Instance, bool) {
	other := 0
	if d.isOld[i] {
		other = 1
	}
	p, ok := d.byPlace[other][place{i.Group().ID(), i.ID()}]
	return p, ok
}

// group finds a group of before (0) or after (1).
func (d *Comparison) group(in int, id string) *Instance {
	if g := d.byPlace[in][place{id, id}]; g != nil && g.Parent == nil {
		return g
	}
	return nil
}

// compareResources marks the resources whose namesake is gone, new or other.
func (d *Comparison) compareResources() {
	common := map[*resource]bool{}
	for _, l := range d.before.resources {
		r := d.after.byRef[refKey{l.typ.Name, l.values[0].value}]
		if r == nil { // so it is, always, where the type has no primary parameter
			d.stop[l] = true
			continue
		}
		common[r] = true
		switch compareValues(l, r) {
		case same:
		case reconfigurable:
			d.start[r] = mustReconfigure
		default:
			d.stop[l] = true
			d.start[r] = mustStart
		}
	}
	for _, r := range d.after.resources {
		if !common[r] {
			d.start[r] = mustStart
		}
	}
}

// compareNodes marks what stands in one list of siblings and has no like in the other, and goes down where it has.
func (d *Comparison) compareNodes(left, right []*Instance) {
	like := make(map[uint64][]*Instance, len(right))
	for _, r := range right {
		h := d.hash(r.res)
		like[h] = append(like[h], r)
	}
	matched := make(map[*Instance]bool, len(right))
	for _, l := range left {
		if d.stop[l.res] {
			d.stopNode[l] = true
			continue
		}
		found := false
		for _, r := range like[d.hash(l.res)] {
			if d.start[r.res] == mustStart || compareValues(l.res, r.res) == different {
				continue
			}
			found, matched[r] = true, true
			d.compareNodes(l.Children, r.Children)
		}
		if !found {
			d.stopNode[l] = true
		}
	}
	for _, r := range right {
		if matched[r] {
			d.matched[r] = true
		}
		if !matched[r] || d.start[r.res] == mustReconfigure {
			d.startNode[r] = true
		}
	}
}

type verdict int

const (
	same verdict = iota
	reconfigurable
	different
)

// compareValues compares two resources by their own values, before inheritance. A value that only one of them has
// makes them different, whatever the metadata says of reconfig.
func compareValues(l, r *resource) verdict {
	if l.typ.Name != r.typ.Name || len(l.values) != len(r.values) {
		return different
	}
	out := same
	for n, x := range l.values {
		y := r.values[n]
		if y.param.Name != x.param.Name { // the agent's metadata or its order has changed
			var ok bool
			if y, ok = r.setting(x.param.Name); !ok {
				return different
			}
		}
		if !sameFlags(x, y) {
			return different
		}
		if x.value != y.value {
			if !x.param.Reconfig {
				return different
			}
			out = reconfigurable
		}
	}
	return out
}

func sameFlags(x, y setting) bool {
	p, q := x.param, y.param
	return x.inherit == y.inherit && p.Primary == q.Primary && p.Required == q.Required && p.Unique == q.Unique && p.Reconfig == q.Reconfig
}

func (r *resource) setting(name string) (setting, bool) {
	for _, s := range r.values {
		if s.param.Name == name {
			return s, true
		}
	}
	return setting{}, false
}

// hash is the same for resources that compareValues does not call different.
func (d *Comparison) hash(r *resource) uint64 {
	sum := maphash.String(d.seed, r.typ.Name)
	var h maphash.Hash
	h.SetSeed(d.seed)
	for _, s := range r.values {
		h.Reset()
		h.WriteString(s.param.Name) // a Hash never fails to write
		if !s.param.Reconfig {
			h.WriteByte('=')
			h.WriteString(s.value)
		}
		sum += h.Sum64() // whatever their order
	}
	return sum
}

// changed tells in words in which values two resources differ, "" if in none.
func changed(l, r *resource) string {
	var out []string
	restartForNothing := true
	for _, x := range l.values {
		y, ok := r.setting(x.param.Name)
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%s=%q is gone", x.param.Name, x.value))
		case x.value != y.value || x.inherit != y.inherit:
			out = append(out, fmt.Sprintf("%s=%q becomes %q", x.param.Name, x.value, y.value))
			restartForNothing = restartForNothing && x.param.Reconfig
		case !sameFlags(x, y):
			out = append(out, fmt.Sprintf("the agent's metadata says something else of %s", x.param.Name))
		}
		restartForNothing = restartForNothing && (ok || x.param.Reconfig)
	}
	added := false
	for _, y := range r.values {
		if _, ok := l.setting(y.param.Name); !ok {
			out = append(out, fmt.Sprintf("%s=%q is added", y.param.Name, y.value))
			added = true
			restartForNothing = restartForNothing && y.param.Reconfig
		}
	}
	text := strings.Join(out, ", ")
	if restartForNothing && (added || len(l.values) != len(r.values)) && text != "" {
		text += " (a value that comes or goes is no reconfiguration to the manager)"
	}
	return text
}
