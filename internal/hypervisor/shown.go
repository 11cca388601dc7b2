package hypervisor

import (
	"context"
	"os"
	"strings"
)

// Shower is a driver whose guests the kernel shows, whether their tool answers or not. Xen's only the tool can see.
type Shower interface {
	// Shown tells that vm runs on this node. False says nothing: it may run all the same.
	Shown(ctx context.Context, vm string) bool
}

// Shown looks for the guest's process. One that was started to wait for a guest's memory does not run until libvirtd has seen it run.
func (k *kvm) Shown(ctx context.Context, vm string) bool {
	p, ok, err := k.tools.qemuOf(ctx, vm)
	return err == nil && ok && (p.plain() || ran(k.tools.Host, vm, p.pid))
}

// vzInfo has a line for each container that runs: its number, class, and how many processes it has, then its addresses
// (kernel/ve/vecalls.c: veinfo_seq_show).
const vzInfo = "/proc/vz/veinfo"

// Shown reads the kernel's own list of containers.
func (o *openVZ) Shown(_ context.Context, vm string) bool {
	b, err := os.ReadFile(o.tools.Host.Path(vzInfo))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] == vm {
			return true
		}
	}
	return false
}
