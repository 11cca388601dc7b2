package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Cluster is what a trace lacks: equal nodes.
type Cluster struct {
	Nodes    int
	Cores    float64
	Mem      int64
	Interval time.Duration // between two values of the trace
}

// maxTicks bounds a world: 31 days.
const maxTicks = 31 * 24 * 60

// ReadTrace makes a world of a CSV file: a line for each VM, with its name, its processors, its memory in MiB, and then its
// load in each interval, in per cent of its processors. A value holds for its whole interval. The VMs begin on the nodes
// by turns, where their memory has room.
func ReadTrace(name string, in io.Reader, c Cluster) (*World, error) {
	if c.Nodes < 1 || c.Cores <= 0 || c.Mem <= 0 || c.Interval < Tick || c.Interval%Tick != 0 {
		return nil, errors.New("reading a trace: it needs nodes with processors and memory, and an interval of whole minutes")
	}
	w := &World{Name: name, Start: time.Date(2008, 1, 15, 0, 0, 0, 0, time.UTC)}
	for i := range c.Nodes {
		w.Nodes = append(w.Nodes, Node{Name: fmt.Sprintf("node%d", i+1), Cores: c.Cores, Mem: c.Mem})
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment, r.ReuseRecord = -1, true, '#', true
	used := make([]int64, c.Nodes)
	seen := map[string]bool{}
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading a trace: %w", err)
		}
		line, _ := r.FieldPos(0)
		v, err := traced(f, int(c.Interval/Tick))
		if err == nil && seen[v.Name] {
			err = fmt.Errorf("VM %q stands there twice", v.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading a trace: line %d: %w", line, err)
		}
		seen[v.Name] = true
		v.Node = len(w.VMs) % c.Nodes
		for n := range used {
			if used[v.Node]+v.Mem > c.Mem && used[n] < used[v.Node] {
				v.Node = n
			}
		}
		used[v.Node] += v.Mem
		if w.Ticks == 0 || len(v.Load) < w.Ticks {
			w.Ticks = len(v.Load)
		}
		w.VMs = append(w.VMs, v)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("reading a trace: %w", err)
	}
	return w, nil
}

func traced(f []string, minutes int) (VM, error) {
	if len(f) < 4 {
		return VM{}, errors.New("a VM has a name, processors, MiB of memory, and loads")
	}
	number := func(text, what string, most float64) (float64, error) {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || x < 0 || x > most {
			return 0, fmt.Errorf("%q is no %s", text, what)
		}
		return x, nil
	}
	cores, err := number(f[1], "number of processors", 1<<16)
	if err == nil && cores == 0 {
		err = errors.New("a VM has processors")
	}
	mib, memErr := number(f[2], "memory in MiB", 1<<30)
	v := VM{Name: f[0], Type: "vm", Cores: cores, Mem: int64(mib) << 20}
	if err := errors.Join(err, memErr); err != nil {
		return v, err
	}
	if (len(f)-3)*minutes > maxTicks {
		return v, fmt.Errorf("more than %d minutes", maxTicks)
	}
	for _, text := range f[3:] {
		load, err := number(text, "load in per cent", 100)
		if err != nil {
			return v, err
		}
		for range minutes {
			v.Load = append(v.Load, float32(load/100*cores))
		}
	}
	return v, nil
}
