// Package evacuate moves many VMs, as a person wishes: a node is emptied, or what has left it comes home.
//
// Plan says what would go where, by balance.Grant. Runner carries it out, a few moves at a time and one to a node: before
// each move it looks at the cluster again, so that the plan is followed where it still holds, and another node is taken
// where it does not. It keeps nothing on disk: whoever was interrupted or killed plans again, and what was in flight then is
// finished by the hand-off.
package evacuate

import (
	"context"
	"slices"

	"github.com/lbvm/lbvm/pkg/balance"
)

// Trip is one service on its way: all its VMs go together.
type Trip struct {
	Service  string
	VMs      []string // TYPE:NAME; the move is asked for the first
	From     string
	To       string // "" stays
	Why      string // why it stays
	Rails    string // what the rails said, for the journal
	Waits    bool   // it stays only while others have it on its way: a Runner waits for that
	MemBytes int64  // 0 is unknown
}

// Plan says what is to go where; the VMs of w are whole services.
func Plan(ctx context.Context, in balance.Input, w balance.Wish) ([]Trip, error) {
	list, err := balance.Grant(ctx, in, w)
	if err != nil {
		return nil, err
	}
	out := []Trip{}
	for _, d := range list {
		id := d.Service
		if id == "" {
			id = d.VM
		}
		i := slices.IndexFunc(out, func(t Trip) bool { return t.Service == id })
		if i < 0 {
			i = len(out)
			out = append(out, Trip{Service: id, From: d.Owner, To: d.Target, Rails: d.RailsText()})
		}
		t := &out[i]
		t.VMs = append(t.VMs, d.VM)
		t.MemBytes += memory(in.View, d.VM)
		if d.Verdict != balance.Migrate {
			t.To = ""
			if t.Why == "" {
				t.Why = d.Why
			}
		}
	}
	for i := range out {
		out[i].Waits = out[i].To == "" && others(in, out[i])
	}
	return out, nil
}

func memory(v balance.View, id string) int64 {
	for _, vm := range v.VMs {
		if vm.ID() == id {
			return vm.Mem
		}
	}
	return 0
}

// OnNode are the VMs that the manager has on a node.
func OnNode(v balance.View, node string) []string {
	out := []string{}
	for _, vm := range v.VMs {
		if vm.Owner == node {
			out = append(out, vm.ID())
		}
	}
	return out
}

// Home are the nodes to which VMs are to return, by TYPE:NAME: those that left says were theirs, and for the others the node
// that their failover domain prefers to the one that they are on. A VM that is where it belongs is not among them.
func Home(v balance.View, left map[string]string) map[string]string {
	out := map[string]string{}
	for _, vm := range v.VMs {
		home, listed := left[vm.ID()]
		if !listed {
			home = preferred(vm)
		}
		if home != "" && vm.Owner != "" && home != vm.Owner {
			out[vm.ID()] = home
		}
	}
	return out
}

// preferred is the one node that is better for a VM than all others, where the VM is not on as good a one; "" is none.
func preferred(vm balance.VM) string {
	own, known := 0, false
	best, alone := balance.Placement{}, false
	for _, p := range vm.MayRun {
		if p.Node == vm.Owner {
			own, known = p.Score, true
			continue
		}
		switch {
		case best.Node == "" || p.Score > best.Score:
			best, alone = p, true
		case p.Score == best.Score:
			alone = false
		}
	}
	if known && alone && best.Score > own {
		return best.Node
	}
	return ""
}
