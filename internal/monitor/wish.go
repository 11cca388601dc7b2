package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/pkg/balance"
)

// Input is what the wish of a person is decided on (balance.Grant), at this instant: as for a pass, but with services
// that hold several VMs, and also where there is no lbvm.conf yet or no shared storage: then no load is known. The
// warnings tell what could not be learned.
func (m Monitor) Input(ctx context.Context, tell Tell) (balance.Input, []string, error) {
	type answer struct {
		in       balance.Input
		warnings []string
	}
	a, err := within(ctx, m.Wait, lookLimit, func(ctx context.Context) (answer, error) {
		in, warnings, err := m.input(ctx, tell)
		return answer{in, warnings}, err
	}, nil)
	return a.in, a.warnings, err
}

func (m Monitor) input(ctx context.Context, tell Tell) (balance.Input, []string, error) {
	o, err := m.openUnlocked()
	if errors.Is(err, host.ErrNotShared) {
		return m.bare(ctx)
	}
	if err != nil {
		return balance.Input{}, nil, err
	}
	o.config, err = m.configuration(o, tell)
	if errors.Is(err, fs.ErrNotExist) {
		o.warnings = append(o.warnings, fmt.Sprintf("there is no %s: no load is known, and nothing is kept apart", host.ConfFile))
		o.config, err = &balance.Config{}, nil
	}
	if err != nil {
		return balance.Input{}, o.warnings, err
	}
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return balance.Input{}, o.warnings, interrupted(ctx, fail(causeOf(err), err))
	}
	at := m.Clock.Now()
	v, warnings := wholeView(st, o.facts, o.closed)
	newcomers(&v, st, func(member string) (host.Facts, error) { return host.ReadFacts(o.shared, member) })
	recent, err := o.journal.Since(at.Add(-o.config.Rails.Horizon()))
	if err != nil {
		return balance.Input{}, o.warnings, fail(lbvmagent.CauseNode, err)
	}
	seen, before, err := balance.LastView(m.log(o, balance.PassesName), at)
	if err != nil {
		return balance.Input{}, o.warnings, fail(lbvmagent.CauseNode, err)
	}
	smooth(&v, at, o.config.Rails.Stale, seen, before)
	return balance.Input{At: at, Config: o.config, View: v, Samples: o.config.Logs(m.Host.Path(o.id.LogDir)).At(at), Recent: recent},
		append(o.warnings, warnings...), nil
}

// bare is Input without shared storage.
func (m Monitor) bare(ctx context.Context) (balance.Input, []string, error) {
	st, err := m.Manager.Status(ctx)
	if err != nil {
		return balance.Input{}, nil, interrupted(ctx, err)
	}
	v, _ := wholeView(st, func(member string) (host.Facts, error) { return host.Facts{}, fs.ErrNotExist },
		func(string) (string, error) { return "", nil })
	return balance.Input{At: m.Clock.Now(), Config: &balance.Config{}, View: v, Samples: balance.NewMemorySamples(0)},
		[]string{"there is no shared storage: no load is known, and no memory"}, nil
}

// newcomers takes from a node's free memory what has come since the node was measured, and gives VMs that nobody has
// measured where they are what they had before, or what they are configured to have.
func newcomers(v *balance.View, st cluster.Status, read facts) {
	all := map[string]host.Facts{}
	for _, x := range st.Members {
		if f, err := read(x.Name); err == nil {
			all[x.Name] = f
		}
	}
	for i := range v.VMs {
		vm := &v.VMs[i]
		if vm.Mem > 0 {
			continue
		}
		for _, f := range all {
			for _, x := range f.VMs {
				if x.Type == vm.Type && x.Name == vm.Name {
					vm.Mem = max(vm.Mem, x.Mem)
				}
			}
			for _, g := range f.Guests {
				if g.Type == vm.Type && g.Name == vm.Name {
					vm.Mem = max(vm.Mem, g.Mem)
				}
			}
		}
		for j := range v.Nodes {
			n := &v.Nodes[j]
			if n.Name == vm.Owner && n.MemTotal > 0 && !vm.Since.Before(n.Seen) {
				n.MemFree = max(n.MemFree-vm.Mem, 0)
			}
		}
	}
}
