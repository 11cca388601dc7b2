package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"
)

// Builtins are the samplers that need no command, with what they measure.
func Builtins() map[string]string {
	out := map[string]string{}
	for name, b := range builtins() {
		out[name] = b.doc
	}
	return out
}

type builtin struct {
	doc   string
	value func(s Sampler, ctx context.Context, args []string) (string, error)
}

func builtins() map[string]builtin {
	return map[string]builtin{
		"cpu":  {"busy share of all processors since the last run, 0 to 1; under Xen of the machine's, by all domains", Sampler.cpu},
		"ram":  {"memory that programs could have, in MiB; under Xen what no domain has", Sampler.ram},
		"load": {"load average of the last minute; under Xen how many processors were busy since the last run", Sampler.load},
		"io":   {"busy share of the busiest disk since the last run, 0 to 1", Sampler.io},
		"net":  {"bytes in and out in a second over all physical interfaces since the last run", Sampler.net},
		"psi":  {"share of the last minute in which some task waited for cpu (or: psi memory, psi io), 0 to 1; not under Xen", Sampler.psi},
	}
}

// ErrBuiltin says that there is no such built-in sampler.
var ErrBuiltin = errors.New("no such built-in sampler")

func (s Sampler) builtin(ctx context.Context, text string) (string, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return "", ErrBuiltin
	}
	b, ok := builtins()[words[0]]
	if !ok {
		return "", fmt.Errorf("%w: %q", ErrBuiltin, words[0])
	}
	return b.value(s, ctx, words[1:])
}

func (s Sampler) proc() (procfs.FS, error) { return procfs.NewFS(s.Host.Path("/proc")) }

func ratio(part, whole float64) string {
	return strconv.FormatFloat(min(max(part/whole, 0), 1), 'f', 4, 64)
}

func (s Sampler) cpu(ctx context.Context, _ []string) (string, error) {
	if s.Dom0 != nil {
		return s.domainsCPU(ctx)
	}
	// The kernel's units cancel out: all that matters is busy against all.
	d, err := s.delta(ctx, "cpu", time.Second, func() (counters, error) {
		fs, err := s.proc()
		if err != nil {
			return nil, err
		}
		st, err := fs.Stat()
		if err != nil {
			return nil, err
		}
		t := st.CPUTotal // guest time is inside user's
		idle := t.Idle + t.Iowait
		busy := t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ + t.Steal
		return counters{"busy": busy, "all": busy + idle}, nil
	})
	if err != nil {
		return "", err
	}
	if d.of("all") <= 0 {
		return "", errStill
	}
	return ratio(d.of("busy"), d.of("all")), nil
}

func (s Sampler) ram(ctx context.Context, _ []string) (string, error) {
	if s.Dom0 != nil {
		m, err := s.Dom0.Machine(ctx)
		if err != nil {
			return "", err
		}
		return strconv.FormatInt(m.Free>>20, 10), nil
	}
	fs, err := s.proc()
	if err != nil {
		return "", err
	}
	kib, err := available(fs)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(kib/1024, 10), nil
}

// available is MemAvailable, or what stood for it before Linux 3.14, in KiB.
func available(fs procfs.FS) (uint64, error) {
	m, err := fs.Meminfo()
	if err != nil {
		return 0, err
	}
	if m.MemAvailable != nil {
		return *m.MemAvailable, nil
	}
	if m.MemFree == nil || m.Buffers == nil || m.Cached == nil {
		return 0, errors.New("/proc/meminfo says neither MemAvailable nor MemFree, Buffers and Cached")
	}
	return *m.MemFree + *m.Buffers + *m.Cached, nil
}

func (s Sampler) load(ctx context.Context, _ []string) (string, error) {
	if s.Dom0 != nil {
		return s.domainsLoad(ctx)
	}
	fs, err := s.proc()
	if err != nil {
		return "", err
	}
	l, err := fs.LoadAvg()
	if err != nil {
		return "", err
	}
	return strconv.FormatFloat(l.Load1, 'f', 2, 64), nil
}

func (s Sampler) io(ctx context.Context, _ []string) (string, error) {
	d, err := s.delta(ctx, "io", time.Second, func() (counters, error) {
		fs, err := blockdevice.NewFS(s.Host.Path("/proc"), s.Host.Path("/sys"))
		if err != nil {
			return nil, err
		}
		stats, err := fs.ProcDiskstats()
		if err != nil {
			return nil, err
		}
		c := counters{}
		for _, st := range stats {
			if !skipped(st.DeviceName, "loop", "ram", "dm-", "md", "sr", "fd") {
				c[st.DeviceName] = float64(st.IOsTotalTicks) // milliseconds busy
			}
		}
		return c, nil
	})
	if err != nil {
		return "", err
	}
	busiest := 0.0
	for name := range d.now {
		busiest = max(busiest, d.of(name))
	}
	return ratio(busiest/1000, d.elapsed.Seconds()), nil
}

func (s Sampler) net(ctx context.Context, _ []string) (string, error) {
	d, err := s.delta(ctx, "net", time.Second, func() (counters, error) {
		fs, err := s.proc()
		if err != nil {
			return nil, err
		}
		dev, err := fs.NetDev()
		if err != nil {
			return nil, err
		}
		c := counters{}
		for name, line := range dev {
			if !skipped(name, "lo", "vif", "veth", "venet", "tap", "vnet", "virbr", "br", "bond", "dummy") {
				c[name+".rx"], c[name+".tx"] = float64(line.RxBytes), float64(line.TxBytes)
			}
		}
		return c, nil
	})
	if err != nil {
		return "", err
	}
	sum := 0.0
	for name := range d.now {
		sum += max(d.of(name), 0) // a counter that wrapped at 32 bit on an old kernel
	}
	return strconv.FormatFloat(sum/d.elapsed.Seconds(), 'f', 0, 64), nil
}

func skipped(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func (s Sampler) psi(_ context.Context, args []string) (string, error) {
	what := "cpu"
	if len(args) > 0 {
		what = args[0]
	}
	if !slices.Contains([]string{"cpu", "memory", "io"}, what) {
		return "", fmt.Errorf("%w: psi knows cpu, memory and io, not %q", ErrBuiltin, what)
	}
	if s.Dom0 != nil {
		return "", errDom0
	}
	fs, err := s.proc()
	if err != nil {
		return "", err
	}
	p, err := fs.PSIStatsForResource(what)
	if err != nil {
		return "", fmt.Errorf("%w (kernels before 4.20 have no pressure figures)", err)
	}
	if p.Some == nil {
		return "", errors.New("the kernel gives no figure")
	}
	return ratio(p.Some.Avg60, 100), nil
}
