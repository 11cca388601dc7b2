package monitor

import (
	"time"

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
		if old := before[vm.ID()]; vm.Cores > 0 && old.Cores > 0 && old.Owner == vm.Owner {
			vm.Cores = old.Cores + smoothing*(vm.Cores-old.Cores)
		}
	}
}
