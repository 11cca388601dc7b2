package sample

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// factsTimeout bounds all that the hypervisors are asked for the facts.
const factsTimeout = 15 * time.Second

// Facts are what this node can say of itself now. What could not be learned is left out and told in the error,
// which does not make the rest untrue.
func (s Sampler) Facts(ctx context.Context, member string, listers map[string]hypervisor.Lister) (host.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	boot, err := s.Host.BootID()
	if err != nil {
		return host.Facts{}, err
	}
	f := host.Facts{Member: member, Boot: boot, At: s.Clock.Now(), Tools: map[string]string{}}
	var errs []error
	if err := s.machine(ctx, &f); err != nil {
		errs = append(errs, err)
	}
	for _, name := range slices.Sorted(maps.Keys(listers)) {
		if err := ask(ctx, name, listers[name], &f); err != nil {
			errs = append(errs, fmt.Errorf("asking %s: %w", name, err))
		}
	}
	if s.Config != nil {
		if f.Config, err = s.Config(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return f, errors.Join(errs...)
}

func (s Sampler) machine(ctx context.Context, f *host.Facts) error {
	if s.Dom0 != nil {
		m, err := s.Dom0.Machine(ctx)
		f.Cores, f.MemTotal, f.MemFree = m.CPUs, m.Mem, m.Free
		if err == nil {
			f.MemFree = max(f.MemFree, 1) // 0 would be unknown
		}
		return err
	}
	fs, err := s.proc()
	if err != nil {
		return err
	}
	st, err := fs.Stat()
	if err != nil {
		return err
	}
	f.Cores = len(st.CPU)
	m, err := fs.Meminfo()
	if err != nil {
		return err
	}
	if m.MemTotal == nil {
		return errors.New("/proc/meminfo says no MemTotal")
	}
	free, err := available(fs)
	if err != nil {
		return err
	}
	f.MemTotal, f.MemFree = int64(*m.MemTotal)*1024, int64(free)*1024
	return nil
}

func ask(ctx context.Context, typ string, l hypervisor.Lister, f *host.Facts) error {
	// Under a hypervisor of its own, the machine's memory is not what /proc/meminfo of this node says.
	free, err := l.FreeMemory(ctx)
	switch {
	case err != nil:
		f.MemFree = 0
	case free > 0:
		f.MemFree = free
	}
	guests, gerr := l.Guests(ctx)
	if err = errors.Join(err, gerr); err != nil {
		return err
	}
	f.Guests, f.Lists = append(f.Guests, guests...), append(f.Lists, typ)
	tool, version, err := l.Version(ctx)
	if err != nil {
		return err
	}
	f.Tools[tool] = version
	return nil
}
