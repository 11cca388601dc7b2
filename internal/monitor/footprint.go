package monitor

import (
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// smoothing is the weight of the last minute in what a VM is said to use: one third makes it a mean of about five
// minutes. lblog measures a minute, and that alone says little of the next.
const smoothing = 1.0 / 3

// smooth follows what the VMs use from pass to pass, which passes.log keeps. passes are in order. Of a VM that has come to its
// node since, or of which the last pass is older than stale, the last minute counts.
func smooth(v *balance.View, at time.Time, stale time.Duration, passes []*balance.Pass) {
	for len(passes) > 0 && !passes[len(passes)-1].At.Before(at) {
		passes = passes[:len(passes)-1]
	}
	if len(passes) == 0 || at.Sub(passes[len(passes)-1].At) >= stale {
		return
	}
	before := map[string]balance.VM{}
	for _, vm := range passes[len(passes)-1].View.VMs {
		before[vm.ID()] = vm
	}
	for i := range v.VMs {
		vm := &v.VMs[i]
		if old := before[vm.ID()]; vm.Cores > 0 && old.Cores > 0 && old.Owner == vm.Owner {
			vm.Cores = old.Cores + smoothing*(vm.Cores-old.Cores)
		}
	}
}
