package sample

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// On a Xen dom0 the node's processors are not those of /proc, which are dom0's own, and most of its load is none of
// dom0's. What is measured there comes from the hypervisor, or is not measured.

// errDom0 says that only the kernel could tell, and that it speaks of dom0 alone.
var errDom0 = errors.New("this node is a Xen dom0: its kernel counts dom0 alone, and leaves the guests out")

// looksOff is how far two looks at the domains may be from where they are thought to be in time, and the tenths of a
// second in which the tool counts.
const looksOff = time.Second

// busyOnce is busyProcessors, asked once for all samplers of a run.
type busyOnce struct {
	once sync.Once
	n    float64
	err  error
}

func (b *busyOnce) processors(ctx context.Context, s Sampler) (float64, error) {
	b.once.Do(func() { b.n, b.err = s.busyProcessors(ctx) })
	return b.n, b.err
}

// busyProcessors is how many processors all domains together, dom0 among them, kept busy since the last run: the growth of
// their processor seconds over the time that passed. What a domain used that has ended meanwhile is not in it.
func (s Sampler) busyProcessors(ctx context.Context) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	machine, err := s.Dom0.Machine(ctx)
	if err != nil {
		return 0, err
	}
	d, err := s.delta(ctx, "domains", time.Second, func() (counters, error) {
		list, err := s.Dom0.Domains(ctx)
		if err != nil {
			return nil, err
		}
		c := counters{}
		for _, b := range list {
			c[b.Run] = b.Time
		}
		return c, nil
	})
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for id, seconds := range d.now {
		grew := seconds - d.before[id] // one that has come since counts from 0
		if grew < 0 {
			return 0, fmt.Errorf("the processor time of domain %s went back from %.1f to %.1f seconds", id, d.before[id], seconds)
		}
		sum += grew
	}
	busy, all := sum/d.elapsed.Seconds(), float64(machine.CPUs)
	if sum > all*(d.elapsed+looksOff).Seconds()*1.1 { // the clock was set, or the tool tells nonsense
		return 0, fmt.Errorf("the domains used %.1f processor seconds in %s, which %d processors do not have", sum, d.elapsed.Round(time.Second/10), machine.CPUs)
	}
	return min(busy, all), nil
}

func (s Sampler) domainsCPU(ctx context.Context) (string, error) {
	n, err := s.domains.processors(ctx, s)
	if err != nil {
		return "", err
	}
	machine, err := s.Dom0.Machine(ctx) // it has told by now
	if err != nil {
		return "", err
	}
	return ratio(n, float64(machine.CPUs)), nil
}

func (s Sampler) domainsLoad(ctx context.Context) (string, error) {
	n, err := s.domains.processors(ctx, s)
	if err != nil {
		return "", err
	}
	return strconv.FormatFloat(n, 'f', 2, 64), nil
}
