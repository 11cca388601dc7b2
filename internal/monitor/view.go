package monitor

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// facts reads what a member has published.
type facts func(member string) (host.Facts, error)

// closed tells why nothing may be sent to a member; "" is nothing.
type closed func(member string) (why string, err error)

// view is the cluster as the balancer sees it. The second value tells what could not be learned: unknown moves nothing.
func view(st cluster.Status, read facts, isClosed closed) (balance.View, []string) {
	v, warnings := wholeView(st, read, isClosed)
	boots := map[string]string{}
	for _, s := range st.Services {
		if s.VMType == stockVM && !s.Live {
			boots[s.ID] = s.VMType + ":" + s.VM
		}
	}
	for i := range v.VMs {
		if boots[v.VMs[i].Service] != "" { // a person may want that; nothing does it unasked
			v.VMs[i].MayRun = []balance.Placement{}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(boots)) {
		warnings = append(warnings, "service "+id+" is not balanced: vm.sh would shut "+boots[id]+" down and boot it anew; below <rm>, alone, it moves live")
	}
	return v, warnings
}

// wholeView is view with what would boot anew, and with a VM's owner among where it may run.
func wholeView(st cluster.Status, read facts, isClosed closed) (balance.View, []string) {
	v := balance.View{Quorate: st.Quorate, Nodes: []balance.Node{}, VMs: []balance.VM{}}
	var warnings []string
	can := map[string]bool{}
	guests := footprints{}
	for _, x := range st.Members {
		n := balance.Node{Name: x.Name, Online: x.Online && x.Manager && !x.Estranged}
		can[n.Name] = n.Online
		f, err := read(x.Name)
		switch {
		case err == nil:
			n.Cores, n.MemFree, n.MemTotal, n.Seen = float64(f.Cores), f.MemFree, f.MemTotal, f.At
			for _, g := range f.Guests {
				guests[x.Name+" "+g.Type+":"+g.Name] = footprint{g, float64(f.Cores)}
			}
		case n.Online && errors.Is(err, fs.ErrNotExist):
			warnings = append(warnings, "lblog has not run on node "+x.Name+" yet: does cron run it there?")
		case n.Online:
			warnings = append(warnings, err.Error())
		}
		if n.Closed, err = isClosed(x.Name); err != nil { // nobody knows
			n.Closed = err.Error()
			warnings = append(warnings, n.Closed)
		}
		v.Nodes = append(v.Nodes, n)
	}
	lists := map[*cluster.Placement][]balance.Placement{} // of thousands of VMs most may run on the same nodes
	for _, s := range st.Services {
		if s.VM == "" {
			continue
		}
		vm := balance.VM{Name: s.VM, Type: s.VMType, Service: s.ID, Owner: s.Owner, LastOwner: s.LastOwner,
			State: state(s), Frozen: s.Frozen, Since: s.Since, MayRun: []balance.Placement{}}
		if len(s.MayRun) > 0 {
			may, ok := lists[&s.MayRun[0]]
			if !ok {
				may = placements(s.MayRun, can)
				lists[&s.MayRun[0]] = may
			}
			vm.MayRun = may
		}
		guests.of(&vm)
		v.VMs = append(v.VMs, vm)
	}
	return v, warnings
}

// placements are those of the manager on nodes that can take a VM.
func placements(list []cluster.Placement, can map[string]bool) []balance.Placement {
	out := []balance.Placement{}
	for _, p := range list {
		if can[p.Node] {
			out = append(out, balance.Placement{Node: p.Node, Score: p.Score})
		}
	}
	return out
}

// state translates the manager's word. Of a service of which a part is stopped nobody knows whether the VM runs.
func state(s cluster.Service) balance.State {
	if s.Partial && s.State == cluster.Started {
		return balance.Unknown
	}
	var out balance.State
	if err := out.UnmarshalText([]byte(s.State.String())); err != nil { // it takes what it does not know for Unknown
		return balance.Unknown
	}
	return out
}
