package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/lbvm/lbvm/internal/host"
)

// In a Xen dom0 /proc speaks of dom0 alone, which is a guest of the hypervisor like the others: its processors, their time
// and its memory, whatever the other domains do (Linux under Xen; xentop and `xm list` ask the hypervisor for that
// reason). What the whole machine has and does, the hypervisor tells.

// Machine is the computer below a hypervisor.
type Machine struct {
	CPUs int   // processors
	Mem  int64 // bytes
	Free int64 // bytes that no domain has
}

// Dom0 asks the hypervisor below this node's own system.
type Dom0 struct {
	x       *xen
	doubt   error
	mu      sync.Mutex
	machine *Machine // once it was told: it is asked once for each Dom0
}

// FindDom0 is nil where the kernel of this node has the machine for itself, or is a guest (domU) itself. Where it cannot be
// known whether this is a dom0, each question to it fails.
func FindDom0(t Tools) *Dom0 {
	x := &xen{tools: t}
	_, haveXL := t.Host.Has(xl)
	_, haveXM := t.Host.Has(xm)
	switch is, err := controls(t.Host); {
	case is == yes:
		return &Dom0{x: x}
	case is == maybe && (haveXL || haveXM):
		return &Dom0{x: x}
	case err != nil:
		return &Dom0{x: x, doubt: err}
	}
	return nil // without a tool nobody starts a domain here
}

type answer int

const (
	no answer = iota
	maybe
	yes
)

// controls: a dom0's /proc/xen/capabilities say "control_d", a domU's do not. Where that file system is not mounted, the
// mount point and /sys/hypervisor/type still say that it is Xen.
func controls(h host.Host) (answer, error) {
	b, err := os.ReadFile(h.Path("/proc/xen/capabilities"))
	if err == nil {
		if strings.Contains(string(b), "control_d") {
			return yes, nil
		}
		return no, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return maybe, fmt.Errorf("asking whether this node is a dom0: %w", err)
	}
	_, proc := os.Stat(h.Path("/proc/xen"))
	typ, err := os.ReadFile(h.Path("/sys/hypervisor/type"))
	if proc == nil || err == nil && strings.TrimSpace(string(typ)) == "xen" {
		return maybe, nil
	}
	return no, nil
}

// Machine asks `xm info` or `xl info`.
func (d *Dom0) Machine(ctx context.Context) (Machine, error) {
	if d.doubt != nil {
		return Machine{}, d.doubt
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.machine != nil {
		return *d.machine, nil
	}
	info, err := d.x.info(ctx)
	if err == nil && (info.cpus == 0 || info.totalMem == 0) {
		err = fmt.Errorf("%w: %s info says no nr_cpus or no total_memory", ErrAnswer, d.x.tool())
	}
	if err != nil {
		return Machine{}, fmt.Errorf("this node is a dom0, and its hypervisor is not heard: %w", err)
	}
	d.machine = &Machine{CPUs: info.cpus, Mem: info.totalMem << 20, Free: info.freeMem << 20}
	return *d.machine, nil
}

// Domains is how long each domain has kept processors busy, dom0 among them, by its number in Run: what runs here under
// whatever name. A domain that comes, by a start or a move, has a new number and counts from 0. If one of them is not to be
// told the whole answer is an error.
func (d *Dom0) Domains(ctx context.Context) ([]Busy, error) {
	if d.doubt != nil {
		return nil, d.doubt
	}
	rows, err := d.x.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("this node is a dom0, and its domains are not to be had: %w", err)
	}
	return allDomains(rows)
}

func allDomains(rows []xenRow) ([]Busy, error) {
	var out []Busy
	seen := map[int]bool{}
	for _, r := range rows {
		if r.id < 0 && !r.unclear { // xend only knows its configuration
			continue
		}
		if r.id < 0 || seen[r.id] {
			return nil, fmt.Errorf("%w: which domain is meant by %s", ErrAnswer, quoteStart([]byte(r.line)))
		}
		seen[r.id] = true
		out = append(out, Busy{Name: r.name, Run: strconv.Itoa(r.id), Time: r.time})
	}
	return out, nil
}
