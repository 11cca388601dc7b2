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
	stop          []bool // of before's resources: gone or changed
	start         []need // of after's
	stopNode      []bool // of before's instances
	startNode     []bool // of after's: to be started or, where start says so, reconfigured
	matched       []bool // of after's: its like was found in its place
	initial       bool   // a group of after is to be initialised, and all are looked at then
	seed          maphash.Seed

	// only Changes needs these
	places  [2]map[string][]string // of before and after: resource id -> groups
	byPlace [2]map[place]*Instance
	changes []Change
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
//
// Steps and Replaced may be called by many goroutines, Changes by one.
func Compare(before, after *Tree) *Comparison {
	d := &Comparison{before: before, after: after, seed: maphash.MakeSeed(),
		stop: make([]bool, len(before.resources)), start: make([]need, len(after.resources)), stopNode: make([]bool, before.instances),
		startNode: make([]bool, after.instances), matched: make([]bool, after.instances)}
	d.compareResources()
	d.compareNodes(before.Groups, after.Groups)
	for _, g := range after.Groups {
		d.initial = d.initial || d.start[g.res.n] == mustStart
	}
	return d
}

// index finds out where everything stands.
func (d *Comparison) index() {
	if d.byPlace[0] != nil {
		return
	}
	for n, t := range []*Tree{d.before, d.after} {
		d.byPlace[n] = make(map[place]*Instance, t.instances)
		d.places[n] = make(map[string][]string, t.instances)
		for _, g := range t.Groups {
			for i := range g.Walk {
				id := i.ID()
				d.places[n][id] = append(d.places[n][id], g.ID())
				if p := (place{g.ID(), id}); d.byPlace[n][p] == nil {
					d.byPlace[n][p] = i
				}
			}
		}
	}
}

func (d *Comparison) isOld(i *Instance) bool { return i.tree == d.before }

// partner is the instance of the same resource in the same group of the other tree.
func (d *Comparison) partner(i *Instance) (*Instance, bool) {
	d.index()
	other := 0
	if d.isOld(i) {
		other = 1
	}
	p, ok := d.byPlace[other][place{i.Group().ID(), i.ID()}]
	return p, ok
}

// compareResources marks the resources whose namesake is gone, new or other.
func (d *Comparison) compareResources() {
	common := make([]bool, len(d.after.resources))
	for _, l := range d.before.resources {
		r := d.after.byRef[refKey{l.typ.Name, l.values[0].value}]
		if r == nil { // so it is, always, where the type has no primary parameter
			d.stop[l.n] = true
			continue
		}
		common[r.n] = true
		switch compareValues(l, r) {
		case same:
		case reconfigurable:
			d.start[r.n] = mustReconfigure
		default:
			d.stop[l.n] = true
			d.start[r.n] = mustStart
		}
	}
	for _, r := range d.after.resources {
		if !common[r.n] {
			d.start[r.n] = mustStart
		}
	}
}

// compareNodes marks what stands in one list of siblings and has no like in the other, and goes down where it has.
func (d *Comparison) compareNodes(left, right []*Instance) {
	like := make(map[uint64][]int, len(right)) // -> places in right
	for n, r := range right {
		h := d.hash(r.res)
		like[h] = append(like[h], n)
	}
	matched := make([]bool, len(right))
	for _, l := range left {
		if d.stop[l.res.n] {
			d.stopNode[l.n] = true
			continue
		}
		found := false
		for _, n := range like[d.hash(l.res)] { // each of them, as the manager does
			r := right[n]
			if d.start[r.res.n] == mustStart || compareValues(l.res, r.res) == different {
				continue
			}
			found, matched[n], d.matched[r.n] = true, true, true
			d.compareNodes(l.Children, r.Children)
		}
		if !found {
			d.stopNode[l.n] = true
		}
	}
	for n, r := range right {
		if !matched[n] || d.start[r.res.n] == mustReconfigure {
			d.startNode[r.n] = true
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
