package vmexec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Node is all technologies of a node at once, for who knows the VMs of the cluster with their parameters: what measures,
// and what notes which VMs stay.
type Node struct {
	Tools hypervisor.Tools
	VMs   map[string]map[string]string // the agent's parameters by the VM's name
}

var (
	_ hypervisor.Lister = Node{}
	_ hypervisor.Needer = Node{}
)

// of is the driver of a VM.
func (n Node) of(params map[string]string) hypervisor.Driver {
	t := n.Tools
	t.Param = func(name string) string { return params[name] }
	return Of(params["type"], t)
}

// State asks the program of the VM's technology. A VM that is not known is Unknown.
func (n Node) State(ctx context.Context, vm string) (hypervisor.State, error) {
	params, ok := n.VMs[vm]
	if !ok {
		return hypervisor.Unknown, fmt.Errorf("nobody knows of which technology %s is", vm)
	}
	return n.of(params).State(ctx, vm)
}

// Guests are the VMs that are here, and those of which it is not known whether they are: their state is unknown.
func (n Node) Guests(ctx context.Context) ([]host.GuestFact, error) {
	var out []host.GuestFact
	for _, vm := range slices.Sorted(maps.Keys(n.VMs)) {
		s, err := n.State(ctx, vm)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err == nil && s.Clean() {
			continue
		}
		g := host.GuestFact{Type: Type, Name: vm, State: s.String(), CPU: -1}
		if x, err := n.of(n.VMs[vm]).Guest(ctx, vm, n.VMs[vm]); err == nil {
			g.Mem = x.Mem
		}
		out = append(out, g)
	}
	return out, nil
}

// Version is that of our agents: a technology's own is its definition's.
func (n Node) Version(context.Context) (tool, version string, err error) {
	return Type, host.Version(), nil
}

// FreeMemory is not known.
func (n Node) FreeMemory(context.Context) (int64, error) { return 0, nil }

// Needs are what the VM's technology needs.
func (n Node) Needs(ctx context.Context, vm string, params map[string]string) (hypervisor.Needs, error) {
	x, ok := n.of(params).(hypervisor.Needer)
	if !ok {
		return hypervisor.Needs{}, fmt.Errorf("nobody knows what %s needs", vm)
	}
	return x.Needs(ctx, vm, params)
}

// Technologies are those whose definition can be used here. The error tells of the others.
func Technologies(h host.Host) (map[string]host.Technology, error) {
	names, err := Defined(h)
	errs := []error{err}
	var out map[string]host.Technology
	for _, name := range names {
		d, err := Load(h, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if out == nil {
			out = map[string]host.Technology{}
		}
		out[name] = host.Technology{Digest: d.Digest, Saves: d.Saves(), Migrates: d.Migrates()}
	}
	return out, errors.Join(errs...)
}
