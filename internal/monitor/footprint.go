package monitor

import (
	"maps"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// smoothing is the weight of the last minute in what a VM is said to use: one third makes it a mean of about five
// minutes. lblog measures a minute, and that alone says little of the next.
const smoothing = 1.0 / 3

// smooth follows what the VMs use from pass to pass, which passes.log keeps: last are those of the pass before, made at seen. Of
// a VM that has come to its node since, or where that pass is older than stale, the last minute counts.
func smooth(v *balance.View, at time.Time, stale time.Duration, seen time.Time, last []balance.VM) {
	if at.Sub(seen) >= stale {
		return
	}
	before := map[string]balance.VM{}
	for _, vm := range last {
		before[vm.ID()] = vm
	}
	for i := range v.VMs {
		vm := &v.VMs[i]
		old := before[vm.ID()]
		if old.Owner != vm.Owner {
			continue
		}
		if vm.Cores > 0 && old.Cores > 0 {
			vm.Cores = old.Cores + smoothing*(vm.Cores-old.Cores)
		}
		for name, now := range vm.Uses {
			if was, ok := old.Uses[name]; ok {
				vm.Uses[name] = was + smoothing*(now-was)
			}
		}
	}
}

// footprint is what a node has said of a guest.
type footprint struct {
	host.GuestFact
	cores float64 // of its node
}

// footprints are found by NODE TYPE:NAME.
type footprints map[string]footprint

// idle is what a guest counts for that was measured to do nothing: to the balancer 0 is unknown.
const idle = 0.001

// of fills in what a VM adds to a node that takes it. Facts call a guest by the type of its tool: that of the cluster suite's
// own <vm> is xen or kvm.
func (list footprints) of(vm *balance.VM) {
	types := []string{vm.Type}
	if vm.Type == stockVM {
		types = []string{"xen", "kvm"}
	}
	var found []footprint
	for _, typ := range types {
		if f, ok := list[vm.Owner+" "+typ+":"+vm.Name]; ok {
			found = append(found, f)
		}
	}
	if len(found) != 1 { // of two of that name nobody knows which it is
		return
	}
	f := found[0]
	if vm.Mem = f.Mem; f.CPU >= 0 && f.cores > 0 {
		vm.Cores = max(f.CPU*f.cores, idle)
	}
	vm.Uses = maps.Clone(f.Uses)
}

// stockVM is the type of the cluster suite's own agent for virtual machines, vm.sh.
const stockVM = "vm"

// forgetOld takes what facts say of guests' use out of those that are so old that nobody knows what holds now.
func forgetOld(f *host.Facts, at time.Time, stale time.Duration) {
	if at.Sub(f.At) < stale {
		return
	}
	for i := range f.Guests {
		f.Guests[i].CPU, f.Guests[i].Uses = -1, nil
	}
}
