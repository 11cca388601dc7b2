package balance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Wish is what a person wants of some VMs: that they leave their nodes, or that they are started.
type Wish struct {
	VMs    []string          // TYPE:NAME, or another name that means one VM
	Start  bool              // they are down and are to be started; else they run and are to go
	Only   map[string]string // by TYPE:NAME: the one node that is wanted
	Prefer map[string]string // by TYPE:NAME: the node that comes first, if nothing speaks against it
}

// Grant says where the VMs of a wish would go, with Decide's candidates, rank and projection, and without a rule. Of the
// rails those hold that keep guests whole: no target without memory, that is closed, was refused, or breaks apart and
// together. Those that tame rules do not, for a person wants it so: nothing rests, and the load must go somewhere.
//
// VMs of one service, and those that together names, go to one node or all stay. The largest go first, and each counts
// for those behind it. The decisions come in that order, and say Migrate or Stay.
func Grant(ctx context.Context, in Input, w Wish) ([]Decision, error) {
	if in.Config == nil || in.At.IsZero() {
		return nil, errors.New("looking for nodes: a configuration and an instant are needed")
	}
	r := newRound(in, wishRails(w))
	var vms []*VM
	for _, name := range w.VMs {
		vm, err := r.index.find(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(vms, vm) {
			vms = append(vms, vm)
		}
	}
	out := []Decision{}
	for _, unit := range r.units(vms) {
		out = append(out, r.grant(unit, w)...)
	}
	return out, ctx.Err()
}

// wishRails are the rails that hold for a wish. What is to be started is not started.
func wishRails(w Wish) []Rail {
	return slices.DeleteFunc(Rails(), func(x Rail) bool { return !x.wish || w.Start && x.Name == "not-started" })
}

// units are the VMs that can go only together, the largest unit first, and in it the largest VM.
func (r *round) units(vms []*VM) [][]*VM {
	unit := map[*VM]int{}
	for i, vm := range vms {
		unit[vm] = i
	}
	join := func(a, b *VM) {
		from, to := unit[b], unit[a]
		for _, vm := range vms {
			if unit[vm] == from {
				unit[vm] = to
			}
		}
	}
	for i, a := range vms {
		for _, b := range vms[i+1:] {
			if r.group(a) == r.group(b) {
				join(a, b)
			}
		}
	}
	for _, names := range r.in.Config.Together {
		var first *VM
		for _, name := range names {
			vm, err := r.index.find(name)
			if _, in := unit[vm]; err != nil || !in || !r.keeps(vm) {
				continue
			}
			if first != nil {
				join(first, vm)
			} else {
				first = vm
			}
		}
	}
	lists := map[int][]*VM{}
	for _, vm := range vms {
		lists[unit[vm]] = append(lists[unit[vm]], vm)
	}
	var out [][]*VM
	for _, list := range lists {
		slices.SortFunc(list, func(a, b *VM) int { return cmp.Or(cmp.Compare(b.Mem, a.Mem), strings.Compare(a.ID(), b.ID())) })
		out = append(out, list)
	}
	slices.SortFunc(out, func(a, b []*VM) int {
		return cmp.Or(cmp.Compare(memory(b), memory(a)), strings.Compare(a[0].ID(), b[0].ID()))
	})
	return out
}

func memory(vms []*VM) (sum int64) {
	for _, vm := range vms {
		sum += vm.Mem
	}
	return sum
}

// grant decides on one unit.
func (r *round) grant(unit []*VM, w Wish) []Decision {
	out := make([]Decision, len(unit))
	r.unit = unit
	defer func() { r.unit = nil }()
	stays := ""
	for i, vm := range unit {
		d := &out[i]
		*d = Decision{VM: vm.ID(), Service: vm.Service, Owner: vm.Owner}
		r.rule = r.in.Config.rule(vm, vm.Name)
		d.Vetoes, d.asked, d.wish, d.off = r.vetoes(vm), true, true, r.switchedOff(vm)
		if len(d.Vetoes) > 0 && stays == "" {
			stays = vm.ID()
		}
		list, _ := r.candidates(vm)
		d.Candidates = slices.Clone(list)
		d.Considered = len(d.Candidates)
		if only := w.Only[vm.ID()]; only != "" {
			d.Candidates = slices.DeleteFunc(d.Candidates, func(c Candidate) bool { return c.Node != only })
		}
		for j := range d.Candidates {
			c := &d.Candidates[j]
			c.Said = SaidMigrate
			if c.Node == w.Prefer[vm.ID()] {
				c.Weight = 1
			}
		}
		r.compare(vm, d.Candidates)
	}
	best := r.common(unit, out)
	for i, vm := range unit {
		d := &out[i]
		switch {
		case len(d.Vetoes) > 0:
			d.Why = d.Vetoes[0].Text
		case stays != "":
			d.Why = fmt.Sprintf("it goes only together with %s, which stays", stays)
		case best != "":
			d.Verdict, d.Target = Migrate, best
			n := r.nodes[best]
			n.guests++
			n.coming = append(n.coming, vm)
		default:
			d.Why = nowhere(d, w.Only[vm.ID()], len(unit) > 1)
		}
	}
	return out
}

// compare measures candidates by the first load that there is.
func (r *round) compare(vm *VM, list []Candidate) {
	for _, x := range r.in.Config.Resources {
		if x.Load {
			r.reads = []*Read{{Resource: x.Name, Minutes: bestMinutes}}
			break
		}
	}
	r.measure(vm, list, said(list, SaidMigrate))
	r.reads = nil
}

// common asks the rails for each node that all VMs of the unit could go to, as if those before were on their way, and gives
// the best that none speaks against; "" is none. The candidates of the first, which is the largest, tell the rank.
func (r *round) common(unit []*VM, out []Decision) string {
	var free []int
	first := out[0].Candidates
	for i := range first {
		n := r.nodes[first[i].Node]
		before, fits := len(n.coming), true
		for j, vm := range unit {
			k := slices.IndexFunc(out[j].Candidates, func(c Candidate) bool { return c.Node == n.Name })
			if k < 0 {
				fits = false
				continue
			}
			c := &out[j].Candidates[k]
			r.rule = r.in.Config.rule(vm, vm.Name)
			for _, rail := range r.rails {
				if rail.target == nil || !rail.asked && !r.on(rail.Name) {
					continue
				}
				if text := rail.target(r, vm, c); text != "" {
					c.Vetoes = append(c.Vetoes, Veto{rail.Name, text})
					fits = false
				}
			}
			n.coming = append(n.coming, vm)
		}
		n.coming = n.coming[:before]
		if fits {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return ""
	}
	rank(first, free)
	return first[free[0]].Node
}

// nowhere says why there is no node for a VM.
func nowhere(d *Decision, only string, together bool) string {
	var why []string
	for _, c := range d.Candidates {
		if len(c.Vetoes) > 0 {
			why = append(why, c.Vetoes[0].Text)
		}
	}
	switch {
	case len(why) > 0:
		return strings.Join(why, "; ")
	case only != "" && len(d.Candidates) == 0:
		return fmt.Sprintf("%s is not online, or its failover domain does not allow it", only)
	case together && len(d.Candidates) > 0:
		return "there is no node for all that go only together with it"
	}
	return "there is no other node that could take it"
}
