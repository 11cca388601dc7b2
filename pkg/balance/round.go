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
	in    Input
	set   RailSettings
	rails []Rail
	*cast
	nodes  map[string]*node
	owners []*node       // of View.VMs, in their order; nil where it is no node
	again  bool          // a rule is asked again what it said before anything was given in this pass
	brief  bool          // only whether the VM at hand moves matters, and where, not why
	rule   *Rule         // at hand; nil where nobody asked one
	unit   []*VM         // what a person wishes to go with the VM at hand, and with it only; nil in a pass
	reads  []*Read       // what it read of the owner
	moved  int           // decisions to migrate so far
	over   map[*Rule]int // how many runs of a rule ended at a limit
	late   int           // how many runs of all rules ended at the limit of time
	lines  map[int]*Line
	newest map[string]map[string]time.Time // Pass.Newest
	eval   evaluation                      // used again for each run
	list   []Candidate                     // of the VM at hand
	one    Candidate                       // the first of them
	ends   []*node                         // the nodes of these
	places map[*Placement]*places          // by where MayRun begins
	rows   map[*Rule][]row                 // the rails that may hold the VMs of a rule
	free   []int                           // used again for each VM
}

// node is a Node with what the round knows of it.
type node struct {
	Node
	guests   int
	changed  time.Time // the last arrival or departure
	who      *VM       // came or left, as how says; nil: how has its name
	how      string
	settled  *int   // minutes since then, as relief counts them; nil: not counted yet
	arriving string // the VM that is on its way to it
	leaving  string // the VM that is on its way from it
	coming   []*VM  // the VMs that are on their way to it
	came     []*VM  // those that the manager says came within repeatSpan
	given    int    // how many of them it was given in this pass, the last of coming
	windows  []*window
	silent   []*Rule // rules that say nothing of any VM on it, whatever the target
}

// change tells of the last arrival or departure.
func (n *node) change() string {
	if n.who != nil {
		return n.who.ID() + n.how
	}
	return n.how
}

// window is a piece of a log, read once a pass.
type window struct {
	values []perl.Value
	read   Read
	unseen *float64 // see round.unseen; nil: not reckoned yet
	err    error
}

func newRound(in Input, rails []Rail) *round { return newCast(in).round(in, rails) }

// round begins a pass.
func (c *cast) round(in Input, rails []Rail) *round {
	r := &round{in: in, rails: rails, cast: c, nodes: make(map[string]*node, len(in.View.Nodes)), owners: make([]*node, len(in.View.VMs)), lines: map[int]*Line{},
		newest: map[string]map[string]time.Time{}, over: map[*Rule]int{}, places: map[*Placement]*places{}, rows: map[*Rule][]row{}}
	if in.Config != nil {
		r.set = in.Config.Rails
	}
	r.set = r.set.withDefaults()
	nodes := make([]node, len(in.View.Nodes))
	for i, n := range in.View.Nodes {
		nodes[i].Node = n
		r.nodes[n.Name] = &nodes[i]
	}
	for i := range in.View.VMs {
		r.place(i, &in.View.VMs[i])
	}
	for i := range in.Recent {
		r.recent(&in.Recent[i])
	}
	return r
}

// place notes what a VM's state says of nodes.
func (r *round) place(i int, vm *VM) {
	owner := r.nodes[vm.Owner]
	r.owners[i] = owner
	if owner != nil {
		owner.guests++
		switch {
		case vm.State == Starting:
			owner.arriving = r.id(vm)
		case vm.State.onItsWay():
			owner.leaving = r.id(vm)
		}
	}
	if !vm.Since.IsZero() {
		if owner != nil && vm.LastOwner != "" && vm.LastOwner != vm.Owner && r.in.At.Sub(vm.Since) < repeatSpan {
			owner.came = append(owner.came, vm)
		}
		r.change(owner, vm.Since, vm, " came or changed its state")
		if vm.LastOwner != vm.Owner {
			r.change(r.nodes[vm.LastOwner], vm.Since, vm, " left")
		}
	}
}

func (r *round) change(n *node, at time.Time, who *VM, how string) {
	if n != nil && at.After(n.changed) {
		n.changed, n.who, n.how = at, who, how
	}
}

// recent notes what a move says of nodes and of its VM's group.
func (r *round) recent(m *Move) {
	g := r.of[m.VM]
	if g != nil {
		r.touch(g)
		g.moves = append(g.moves, *m)
	}
	if !m.End.IsZero() {
		from, to := r.nodes[m.From], r.nodes[m.To]
		if m.Owner != m.To || news(from, m.End) || news(to, m.End) {
			left, came := m.VM+" left", m.VM+" came"
			if m.Outcome != OutcomeMoved {
				left = "a move of " + m.VM + " ended as " + string(cmp.Or(m.Outcome, OutcomeUnknown))
				came = left
			}
			r.change(from, m.End, nil, left)
			r.change(to, m.End, nil, came)
			r.change(r.nodes[m.Owner], m.End, nil, came)
		}
		return
	}
	if r.in.At.Sub(m.Begin) >= r.set.InFlight {
		return
	}
	if g != nil {
		g.moving = fmt.Sprintf("%s is on its way from %s to %s since %s", m.VM, m.From, m.To, m.Begin.Format(time.RFC3339))
		if m.By != "" {
			g.moving += ", asked for by " + m.By
		}
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

// news tells whether a change is newer than what a node knows: most moves of a day are not, and need no words.
func news(n *node, at time.Time) bool { return n != nil && at.After(n.changed) }

// goes notes a decision to migrate: later ones must reckon with it.
func (r *round) goes(vm *VM, owner, target *node) {
	r.moved++
	owner.leaving, target.arriving = r.id(vm), r.id(vm)
	for _, x := range append([]*VM{vm}, r.companions(vm)...) {
		target.guests++
		target.coming = append(target.coming, x)
		target.given++
	}
	if g := r.group(vm); g != nil {
		r.touch(g)
		g.moving = fmt.Sprintf("%s moves to %s in this pass", r.id(vm), target.Name)
	}
}

// companions are the other VMs of a VM's service: they go where it goes.
func (r *round) companions(vm *VM) []*VM {
	if !r.crowds {
		return nil
	}
	var out []*VM
	if g := r.group(vm); g != nil {
		for _, x := range g.vms {
			if x != vm && r.id(x) != r.id(vm) {
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
	w.values = make([]perl.Value, len(list))
	sum := 0.0
	for i := range list {
		w.values[i] = perl.Float(list[i].Value)
		sum += list[i].Value
	}
	w.read.Count, w.read.Newest, w.read.Average = len(list), list[0].Value, sum/float64(len(list))
	if r.in.Terse { // of the rest nobody asks
		return w
	}
	numbers := make([]float64, len(list))
	for i := range list {
		numbers[i] = list[i].Value
	}
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
	if r.in.Terse {
		return list, err
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
