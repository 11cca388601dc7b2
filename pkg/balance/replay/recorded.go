package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// Recording is where a world was recorded.
type Recording struct {
	Passes  func(at time.Time) (*balance.Pass, error) // the pass at an instant, or shortly before it; balance.ErrNoPass if there is none
	Uses    func(at time.Time) ([]balance.VM, error)  // what its VMs are called, where they are and what they use; asked in order of time
	Samples balance.Samples
	Config  *balance.Config // names the resource: the first that is the busy share of all processors
}

// looks is how many recorded passes are read at most: of a month one in half an hour.
const looks = 1500

// World is what was recorded between two instants. A node's load is its log's; what of it is whose, the passes tell: a VM's
// own measured use, or an even share of the node's. What is left is the node's own, and does not move. Where samples are
// missing the last one holds for two minutes; then the node counts as idle. A VM that the first pass does not show on a node is left out:
// World.LeftOut names those that came later. ErrNoVMs says that there are no others.
func (r Recording) World(from, to time.Time) (*World, error) {
	w := &World{Name: "recorded", Start: from.Truncate(Tick), Ticks: int(to.Sub(from) / Tick)}
	name := ""
	for _, x := range r.Config.Resources {
		if x.CPU && name == "" {
			name = x.Name
		}
	}
	switch {
	case name == "":
		return nil, errors.New("replaying what was recorded: no resource of lbresources.conf is the busy share of all processors (builtin cpu)")
	case w.Ticks < 1 || w.Ticks > maxTicks:
		return nil, errors.New("replaying what was recorded: between a minute and 31 days")
	}
	first, err := r.first(from, to)
	if err != nil {
		return nil, fmt.Errorf("replaying what was recorded: %w", err)
	}
	node, vm := map[string]int{}, map[string]int{}
	loads := make([][]float64, len(first.View.Nodes))
	for i, n := range first.View.Nodes {
		node[n.Name] = i
		if n.Cores <= 0 {
			n.Cores = 1 // unknown: loads are shares then
		}
		w.Nodes = append(w.Nodes, Node{Name: n.Name, Cores: n.Cores, Mem: n.MemTotal, Base: make([]float32, w.Ticks)})
		loads[i] = r.loads(w, n.Name, name)
	}
	for _, v := range first.View.VMs {
		at, ok := node[v.Owner]
		if !ok {
			continue
		}
		x := VM{Name: v.Name, Type: v.Type, Service: v.Service, Cores: w.Nodes[at].Cores, Mem: v.Mem, Node: at, Load: make([]float32, w.Ticks), MayRun: []int{at}, Scores: []int{0}, Frozen: v.Frozen}
		for _, p := range v.MayRun {
			switch n, ok := node[p.Node]; {
			case ok && n == at:
				x.Scores[0] = p.Score
			case ok:
				x.MayRun, x.Scores = append(x.MayRun, n), append(x.Scores, p.Score)
			}
		}
		vm[v.ID()] = len(w.VMs)
		w.VMs = append(w.VMs, x)
	}
	step := max(1, (w.Ticks+looks-1)/looks)
	uses := usesOf(first.View.VMs, node, vm)
	late := &latecomers{seen: map[string]bool{}}
	late.look(first.View.VMs, node, vm, first.At)
	for t := 0; t < w.Ticks; t += step {
		got, err := r.Uses(w.Start.Add(time.Duration(t+step) * Tick))
		if err == nil {
			if uses = usesOf(got, node, vm); len(uses) < len(got) {
				late.look(got, node, vm, w.Start.Add(time.Duration(t+step)*Tick))
			}
		} else if !errors.Is(err, balance.ErrNoPass) {
			return nil, fmt.Errorf("replaying what was recorded: %w", err)
		}
		for m := t; m < min(t+step, w.Ticks); m++ {
			part(w, uses, loads, m)
		}
	}
	if w.LeftOut = late.list; len(w.VMs) == 0 {
		return nil, fmt.Errorf("replaying what was recorded: %w in the pass of %s%s", ErrNoVMs, first.At.Format(time.RFC3339), late.since())
	}
	return w, w.check()
}

// ErrNoVMs says that there is nothing to be moved in a world.
var ErrNoVMs = errors.New("no VM was on a node")

// latecomers are the VMs that the first pass did not show on a node.
type latecomers struct {
	list  []string // in the order in which they came
	seen  map[string]bool
	first time.Time // when one was seen first
}

func (l *latecomers) look(vms []balance.VM, node, vm map[string]int, at time.Time) {
	for i := range vms {
		v := &vms[i]
		if _, on := node[v.Owner]; !on {
			continue
		}
		if _, known := vm[v.ID()]; known || l.seen[v.ID()] {
			continue
		}
		if len(l.list) == 0 {
			l.first = at
		}
		l.seen[v.ID()] = true
		l.list = append(l.list, v.ID())
	}
}

func (l *latecomers) since() string {
	if len(l.list) == 0 {
		return ", nor later"
	}
	return fmt.Sprintf("; the first was there at %s: begin then", l.first.Format(time.RFC3339))
}

// first is the first pass: before the time, or the first quarter of an hour in it.
func (r Recording) first(from, to time.Time) (*balance.Pass, error) {
	for at := from; !at.After(to) && at.Before(from.Add(15*time.Minute)); at = at.Add(Tick) {
		p, err := r.Passes(at)
		if err == nil || !errors.Is(err, balance.ErrNoPass) {
			return p, err
		}
	}
	return nil, balance.ErrNoPass
}

// fresh is for how many minutes behind a sample its value holds where others are missing.
const fresh = 2

// loads are a node's loads by minute; where there is no sample that of the last one while it is fresh, then 0.
func (r Recording) loads(w *World, node, resource string) []float64 {
	out, measured := make([]float64, w.Ticks), make([]bool, w.Ticks)
	for end := w.Ticks; end > 0; end -= 60 { // hour by hour: a silent one does not hide the others
		begin := max(0, end-60)
		list, err := r.Samples.Window(node, resource, w.Start.Add(time.Duration(begin)*Tick), w.Start.Add(time.Duration(end)*Tick))
		if err != nil {
			continue
		}
		for _, s := range list {
			if m := int((s.At.Sub(w.Start) - 1) / Tick); m >= begin && m < end {
				out[m], measured[m] = s.Value, true
			}
		}
	}
	last, since := 0.0, fresh
	if list, err := r.Samples.Window(node, resource, w.Start.Add(-fresh*Tick), w.Start); err == nil {
		last, since = list[0].Value, int(w.Start.Sub(list[0].At)/Tick)
	}
	for m := range out {
		if since++; measured[m] {
			last, since = out[m], 0
		} else if since <= fresh {
			out[m] = last
		}
	}
	return out
}

// use is what a VM of the world used on a node; 0 processors are unknown.
type use struct {
	vm, node int
	cores    float64
}

func usesOf(vms []balance.VM, node, vm map[string]int) []use {
	out := make([]use, 0, len(vms))
	for i := range vms {
		v := &vms[i]
		at, on := node[v.Owner]
		k, known := vm[v.ID()]
		if on && known {
			out = append(out, use{k, at, v.Cores})
		}
	}
	return out
}

// part says whose a minute's load is.
func part(w *World, uses []use, loads [][]float64, minute int) {
	left := make([]float64, len(w.Nodes))
	unknown := make([]int, len(w.Nodes))
	for n := range left {
		left[n] = loads[n][minute] * w.Nodes[n].Cores
	}
	for _, u := range uses {
		if u.cores <= 0 {
			unknown[u.node]++
			continue
		}
		cores := min(u.cores, left[u.node])
		w.VMs[u.vm].Load[minute] = float32(cores)
		left[u.node] -= cores
	}
	even := make([]float64, len(w.Nodes))
	for n := range even {
		if unknown[n] > 0 {
			even[n], left[n] = left[n]/float64(unknown[n]), 0
		}
		w.Nodes[n].Base[minute] = float32(left[n])
	}
	for _, u := range uses {
		if u.cores <= 0 {
			w.VMs[u.vm].Load[minute] = float32(even[u.node])
		}
	}
}
