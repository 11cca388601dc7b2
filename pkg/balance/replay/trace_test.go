package replay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

func TestReadTrace(t *testing.T) {
	c := Cluster{Nodes: 2, Cores: 8, Mem: 4 << 30, Interval: 5 * time.Minute}
	w, err := ReadTrace("t", strings.NewReader("# vm, cores, MiB, per cent\na, 2, 1024, 50, 100\nb, 4, 2048, 0, 25.5\nc, 1, 3072, 1, 2, 3\n"), c)
	if err != nil || w.Ticks != 10 || len(w.VMs) != 3 || len(w.Nodes) != 2 {
		t.Fatalf("%+v %v", w, err)
	}
	a, b := w.VMs[0], w.VMs[1]
	if a.Load[4] != 1 || a.Load[5] != 2 || math.Abs(float64(b.Load[9])-1.02) > 1e-6 || a.Mem != 1<<30 || a.Node != 0 || b.Node != 1 || w.VMs[2].Node != 0 {
		t.Errorf("%+v", w.VMs)
	}
	for text, want := range map[string]string{
		"": "nodes and time", "a,2,1024\n": "line 1: a VM has a name", "a,x,1,1\n": "number of processors", "a,1,1,101\n": "load in per cent", "a,1,1,1\na,1,1,1\n": "line 2: VM \"a\" stands there twice",
		"a,0,1,1\n": "a VM has processors", "a,1,-1,1\n": "memory in MiB", "\"a,1\n": "trace",
	} {
		if _, err := ReadTrace("t", strings.NewReader(text), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c.Interval = time.Second
	if _, err := ReadTrace("t", strings.NewReader("a,1,1,1\n"), c); err == nil {
		t.Error("an interval of a second")
	}
}

// A world that was recorded is the one that the logs and passes tell of.
func TestRecorded(t *testing.T) {
	start := time.Date(2008, 1, 15, 14, 0, 0, 0, time.UTC)
	samples := balance.NewMemorySamples(3 * time.Minute)
	for i := range 120 {
		if i < 30 || i > 40 {
			samples.Add("n1", "cpu", balance.Sample{At: start.Add(time.Duration(i+1) * Tick), Value: 0.5})
		}
		samples.Add("n2", "cpu", balance.Sample{At: start.Add(time.Duration(i+1) * Tick), Value: 0.25})
	}
	pass := func(at time.Time) (*balance.Pass, error) {
		if at.Before(start.Add(3 * Tick)) {
			return nil, fmt.Errorf("%w", balance.ErrNoPass)
		}
		p := &balance.Pass{At: at, View: balance.View{Nodes: []balance.Node{{Name: "n1", Cores: 8, MemTotal: 8 << 30}, {Name: "n2", Cores: 4, MemTotal: 8 << 30}},
			VMs: []balance.VM{{Name: "a", Type: "xen", Owner: "n1", Cores: 1, Mem: 1 << 30, MayRun: []balance.Placement{{Node: "n2"}}}, {Name: "b", Type: "xen", Owner: "n1"}, {Name: "c", Type: "xen", Owner: "n2", Cores: 0.5}, {Name: "d", Type: "xen"}}}}
		if at.After(start.Add(time.Hour)) { // a moved by itself
			p.View.VMs[0].Owner = "n2"
		}
		return p, nil
	}
	uses := func(at time.Time) ([]balance.VM, error) {
		p, err := pass(at)
		if err != nil {
			return nil, err
		}
		return p.View.VMs, nil
	}
	cfg := config(t, "algorithm relief;")
	w, err := Recording{Passes: pass, Uses: uses, Samples: samples, Config: cfg}.World(start, start.Add(2*time.Hour))
	if err != nil || len(w.VMs) != 3 || w.Ticks != 120 || w.VMs[0].Node != 0 || len(w.VMs[0].MayRun) != 2 {
		t.Fatalf("%+v %v", w, err)
	}
	for minute, want := range map[int][5]float32{10: {1, 3, 0.5, 0, 0.5}, 35: {0, 0, 0.5, 0, 0.5}, 100: {0.5, 4, 0.5, 0, 0}} { // a, b, c, and the nodes' own
		got := [5]float32{w.VMs[0].Load[minute], w.VMs[1].Load[minute], w.VMs[2].Load[minute], w.Nodes[0].Base[minute], w.Nodes[1].Base[minute]}
		if minute == 100 {
			want[0] = 1
			want[2] = 0
			got[2], got[4] = 0, 0
		}
		if got != want {
			t.Errorf("minute %d: %v, want %v", minute, got, want)
		}
	}
	run(t, w, NewBalancer("x", cfg, true), DefaultModel())
	if _, err := (Recording{Passes: pass, Uses: uses, Samples: samples, Config: cfg}).World(start.Add(-2*time.Hour), start.Add(-time.Hour)); err == nil {
		t.Error("before anything was recorded")
	}
}

// VMs that come later are named, and a time in which none is there yet is refused by the time at which one is.
func TestRecordedLatecomers(t *testing.T) {
	start := time.Date(2008, 1, 15, 14, 0, 0, 0, time.UTC)
	samples := balance.NewMemorySamples(3 * time.Minute)
	there := func(at time.Time) *balance.Pass {
		p := &balance.Pass{At: at, View: balance.View{Nodes: []balance.Node{{Name: "n1", Cores: 8}}, VMs: []balance.VM{{Name: "a", Type: "xen"}, {Name: "b", Type: "xen"}}}}
		if !at.Before(start.Add(30 * Tick)) {
			p.View.VMs[0].Owner = "n1"
		}
		if !at.Before(start.Add(60 * Tick)) {
			p.View.VMs[1].Owner = "n1"
		}
		return p
	}
	r := Recording{Samples: samples, Config: config(t, "algorithm relief;"), Passes: func(at time.Time) (*balance.Pass, error) { return there(at), nil },
		Uses: func(at time.Time) ([]balance.VM, error) { return there(at).View.VMs, nil }}
	if w, err := r.World(start.Add(40*Tick), start.Add(2*time.Hour)); err != nil || len(w.VMs) != 1 || !slices.Equal(w.LeftOut, []string{"xen:b"}) {
		t.Errorf("%+v %v", w, err)
	}
	if _, err := r.World(start, start.Add(2*time.Hour)); !errors.Is(err, ErrNoVMs) || !strings.HasSuffix(err.Error(), "the first was there at 2008-01-15T14:30:00Z: begin then") {
		t.Errorf("none yet: %v", err)
	}
	if _, err := r.World(start, start.Add(20*Tick)); !errors.Is(err, ErrNoVMs) || !strings.HasSuffix(err.Error(), ", nor later") {
		t.Errorf("none at all: %v", err)
	}
}
