package balance

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// round is the state of one pass while it is made.
type round struct {
	in     Input
	set    RailSettings
	rails  []Rail
	index  *index
	nodes  map[string]*node
	again  bool              // a rule is asked again what it said before anything was given in this pass
	brief  bool              // only whether the VM at hand moves matters, and where, not why
	rule   *Rule             // at hand; nil where nobody asked one
	unit   []*VM             // what a person wishes to go with the VM at hand, and with it only; nil in a pass
	reads  []*Read           // what it read of the owner
	groups map[string]*group // by service, or by the VM's ID
	of     map[string]*group // by the VM's ID
	crowds bool              // some service holds several VMs
	moved  int               // decisions to migrate so far
	over   map[*Rule]int     // how many runs of a rule ended at a limit
	late   int               // how many runs of all rules ended at the limit of time
	lines  map[int]*Line
	newest map[string]map[string]time.Time // Pass.Newest
	eval   evaluation                      // used again for each run
	list   []Candidate                     // of the VM at hand
	ends   []*node                         // the nodes of these
}

// node is a Node with what the round knows of it.
type node struct {
	Node
	guests   int
	changed  time.Time // the last arrival or departure
	change   string    // which
	arriving string    // the VM that is on its way to it
	leaving  string    // the VM that is on its way from it
	coming   []*VM     // the VMs that are on their way to it
	given    int       // how many of them it was given in this pass, the last of coming
	windows  []*window
}

// window is a piece of a log, read once a pass.
type window struct {
	values []perl.Value
	read   Read
	err    error
}

// group is a service with all its VMs: it moves as one.
type group struct {
	id     string
	vms    []*VM
	moves  []Move // of any of its VMs, in the order of their begin
	moving string // why it is on its way, or ""
}

func newRound(in Input, rails []Rail) *round {
	r := &round{in: in, rails: rails, index: newIndex(&in.View), nodes: map[string]*node{}, groups: map[string]*group{}, of: map[string]*group{}, lines: map[int]*Line{}, newest: map[string]map[string]time.Time{}, over: map[*Rule]int{}}
	if in.Config != nil {
		r.set = in.Config.Rails
	}
	r.set = r.set.withDefaults()
	for _, n := range in.View.Nodes {
		r.nodes[n.Name] = &node{Node: n}
	}
	for i := range in.View.VMs {
		r.place(&in.View.VMs[i])
	}
	for i := range in.Recent {
		r.recent(in.Recent[i])
	}
	return r
}

// place notes what a VM's state says of nodes.
func (r *round) place(vm *VM) {
	id := vm.Service
	if id == "" {
		id = vm.ID()
	}
	g := r.groups[id]
	if g == nil {
		g = &group{id: id}
		r.groups[id] = g
	}
	r.of[vm.ID()] = g
	g.vms = append(g.vms, vm)
	r.crowds = r.crowds || len(g.vms) > 1
	owner := r.nodes[vm.Owner]
	if owner != nil {
		owner.guests++
		switch {
		case vm.State == Starting:
			owner.arriving = vm.ID()
		case vm.State.onItsWay():
			owner.leaving = vm.ID()
		}
	}
	if !vm.Since.IsZero() {
		r.change(vm.Owner, vm.Since, vm.ID()+" came or changed its state")
		if vm.LastOwner != vm.Owner {
			r.change(vm.LastOwner, vm.Since, vm.ID()+" left")
		}
	}
}

func (r *round) change(name string, at time.Time, text string) {
	if n := r.nodes[name]; n != nil && at.After(n.changed) {
		n.changed, n.change = at, text
	}
}

// recent notes what a move says of nodes and of its VM's group.
func (r *round) recent(m Move) {
	g := r.of[m.VM]
	if g != nil {
		g.moves = append(g.moves, m)
	}
	if !m.End.IsZero() {
		left, came := m.VM+" left", m.VM+" came"
		if m.Outcome != OutcomeMoved {
			left = "a move of " + m.VM + " ended as " + string(cmp.Or(m.Outcome, OutcomeUnknown))
			came = left
		}
		r.change(m.From, m.End, left)
		r.change(m.To, m.End, came)
		r.change(m.Owner, m.End, came)
		return
	}
	if r.in.At.Sub(m.Begin) >= r.set.InFlight {
		return
	}
	if g != nil {
		g.moving = fmt.Sprintf("%s is on its way from %s to %s since %s", m.VM, m.From, m.To, m.Begin.Format(time.RFC3339))
	}
	if n := r.nodes[m.From]; n != nil {
		n.leaving = m.VM
	}
	if n := r.nodes[m.To]; n != nil {
		n.arriving = m.VM
		vm, err := r.index.find(m.VM)
		if err != nil {
			n.guests++
			return
		}
		for _, x := range append([]*VM{vm}, r.companions(vm)...) {
			if x.Owner != m.To {
				n.guests++
				n.coming = append(n.coming, x)
			}
		}
	}
}

// goes notes a decision to migrate: later ones must reckon with it.
func (r *round) goes(vm *VM, owner, target *node) {
	r.moved++
	owner.leaving, target.arriving = vm.ID(), vm.ID()
	for _, x := range append([]*VM{vm}, r.companions(vm)...) {
		target.guests++
		target.coming = append(target.coming, x)
		target.given++
	}
	if g := r.of[vm.ID()]; g != nil {
		g.moving = fmt.Sprintf("%s moves to %s in this pass", vm.ID(), target.Name)
	}
}

// companions are the other VMs of a VM's service: they go where it goes.
func (r *round) companions(vm *VM) []*VM {
	if !r.crowds {
		return nil
	}
	var out []*VM
	if g := r.of[vm.ID()]; g != nil {
		for _, x := range g.vms {
			if x != vm && x.ID() != vm.ID() {
				out = append(out, x)
			}
		}
	}
	return out
}

// along are the companions that count with a VM as it is looked at now: a wish looks at each for itself.
func (r *round) along(vm *VM) []*VM {
	if r.unit != nil {
		return nil
	}
	return r.companions(vm)
}

// window reads the last minutes of a resource once.
func (r *round) window(n *node, resource string, minutes int) *window {
	for _, w := range n.windows {
		if w.read.Minutes == minutes && w.read.Resource == resource {
			return w
		}
	}
	w := &window{read: Read{Resource: resource, Node: n.Name, Minutes: minutes}}
	n.windows = append(n.windows, w)
	list, err := r.samples(n.Name, resource, minutes)
	if err != nil {
		w.err, w.read.Err = err, err.Error()
		return w
	}
	numbers := make([]float64, len(list))
	w.values = make([]perl.Value, len(list))
	for i, s := range list {
		numbers[i], w.values[i] = s.Value, perl.Float(s.Value)
	}
	w.read.Count, w.read.Newest, w.read.Average = len(list), numbers[0], average(numbers)
	w.read.Meridian = median(numbers)
	w.read.Min, w.read.Max = numbers[0], numbers[len(numbers)-1]
	return w
}

func (r *round) samples(node, resource string, minutes int) ([]Sample, error) {
	if r.in.Config != nil {
		if _, known := r.in.Config.resource(resource); !known {
			return nil, fmt.Errorf("%s", unknownResource(r.in.Config, resource))
		}
	}
	if r.in.Samples == nil {
		return nil, &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	at := r.in.At
	list, err := r.in.Samples.Window(node, resource, at.Add(-time.Duration(minutes)*time.Minute), at)
	if err == nil && len(list) == 0 {
		err = &DataError{Node: node, Resource: resource, Err: ErrNoData}
	}
	of := r.newest[node]
	if of == nil {
		of = map[string]time.Time{}
		r.newest[node] = of
	}
	var data *DataError
	switch {
	case err == nil:
		of[resource] = list[0].At
	case errors.As(err, &data) && errors.Is(data.Err, ErrStale):
		of[resource] = at.Add(-data.Age)
	case of[resource].IsZero(): // a longer window may have shown something
		of[resource] = time.Time{}
	}
	return list, err
}

// line is the text of a line that said something. Rules lie in one file.
func (r *round) line(at perl.Position, rule *Rule) *Line {
	if l, ok := r.lines[at.Line]; ok {
		return l
	}
	text := conf.Line([]byte(rule.Text), at.Line-rule.At.Line+1)
	l := &Line{File: at.File, Line: at.Line, Text: strings.TrimSpace(text)}
	r.lines[at.Line] = l
	return l
}
