package replay

import (
	"context"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func config(t testing.TB, rule string) *balance.Config {
	t.Helper()
	f, diags := conf.Parse("lbvm.conf", []byte("balance ; default { "+rule+" }"))
	r, more := conf.ParseResources("lbresources.conf", []byte("resource cpu { builtin cpu; }"))
	if f == nil || r == nil {
		t.Fatal(diags, more)
	}
	c, diags := balance.NewConfig(f, r)
	if conf.HasErrors(diags) {
		t.Fatal(diags)
	}
	return c
}

const manual = "algorithm { migrate() if average(res('cpu', 5)) > 0.70 && average(res2('cpu', 2)) < 0.40; }"

// flat is a world of two nodes of 4 processors for two hours.
func flat(loads ...float32) *World {
	w := &World{Name: "flat", Start: time.Date(2008, 1, 15, 0, 0, 0, 0, time.UTC), Ticks: 120,
		Nodes: []Node{{Name: "n1", Cores: 4, Mem: 16 << 30}, {Name: "n2", Cores: 4, Mem: 16 << 30}}}
	for i, load := range loads {
		v := VM{Name: string(rune('a' + i)), Type: "xen", Cores: 4, Mem: 1 << 30, Load: make([]float32, w.Ticks)}
		for t := range v.Load {
			v.Load[t] = load
		}
		w.VMs = append(w.VMs, v)
	}
	return w
}

func run(t *testing.T, w *World, p Policy, m Model) *Score {
	t.Helper()
	s, err := Run(context.Background(), w, p, m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// script asks for moves at given minutes.
type script struct {
	wants  map[int][]Want
	serial bool
	asked  []int
}

func (s *script) Name() string { return "script" }
func (s *script) Serial() bool { return s.serial }
func (s *script) Pass(_ context.Context, st *State) ([]Want, error) {
	s.asked = append(s.asked, st.Tick)
	return s.wants[st.Tick], nil
}

func TestScore(t *testing.T) {
	free := Model{Bandwidth: 1 << 40, Dirty: 1, Full: 0.95}
	s := run(t, flat(3, 3, 1), None{}, free)
	// 7 of 4 processors are asked for in each of 120 minutes; the loads are 1 and 0.
	if s.Overload != 120 || math.Abs(s.Unserved-3.0/7) > 1e-6 || s.Moves != 0 || math.Abs(s.Imbalance-0.5) > 1e-9 || s.Tight != 0 || len(s.Hours) != 2 {
		t.Errorf("%+v", s)
	}
	// One leaves at the end of minute 9, in no time: ten minutes are too much.
	s = run(t, flat(3, 3), &script{wants: map[int][]Want{9: {{VM: 1, To: 1}}}}, free)
	if s.Overload != 10 || s.Moves != 1 || s.PingPongs != 0 || s.Inflow != 1 || s.GiB != 1 {
		t.Errorf("%+v", s)
	}
	// There and back: within two hours, and later.
	s = run(t, flat(1, 1), &script{wants: map[int][]Want{9: {{VM: 1, To: 1}}, 60: {{VM: 1, To: 0}}, 70: {{VM: 0, To: 1}}}}, free)
	if s.Moves != 3 || s.PingPongs != 1 || s.PingPongsDay != 1 {
		t.Errorf("%+v", s)
	}
	w := flat(1, 1)
	w.VMs[0].Mem, w.VMs[1].Mem = 9<<30, 9<<30
	if s = run(t, w, None{}, free); s.Tight != 120 {
		t.Errorf("%d minutes of too little memory", s.Tight)
	}
}

// A move takes its time and costs a processor on both ends; who is serial makes no pass meanwhile.
func TestModel(t *testing.T) {
	m := Model{Overhead: 30 * time.Second, Bandwidth: 1 << 30, Dirty: 2, Cores: 1, Full: 0.95}
	w := flat(0, 0)
	w.VMs[0].Mem = 60 << 30 // 30 s + 120 s = 2.5 minutes
	w.Nodes[0].Mem, w.Nodes[1].Mem = 100<<30, 100<<30
	if took := m.Took(w.VMs[0].Mem); took != 150*time.Second {
		t.Fatalf("it takes %s", took)
	}
	for _, serial := range []bool{true, false} {
		p := &script{wants: map[int][]Want{9: {{VM: 0, To: 1}, {VM: 1, To: 1}}}, serial: serial}
		s := run(t, w, p, m)
		first, second := s.Journal[0], s.Journal[1]
		if first.End.Sub(first.Begin) != 150*time.Second || second.Begin.Before(first.End) || s.Inflow != 2 {
			t.Errorf("two to one node: %+v", s.Journal)
		}
		if next := p.asked[10]; (serial && next < 13) || (!serial && next < 12) {
			t.Errorf("serial %v: the next pass is at %d", serial, next)
		}
		// 150 s and 30 s + 2 s of a processor on both ends, and nothing else is used.
		if want := 2 * (150 + 32) / 60.0; math.Abs(s.asked-want) > 1e-6 {
			t.Errorf("moves cost %v processor minutes, want %v", s.asked, want)
		}
	}
}

// A policy sees nothing of what is to come: a world that differs from minute 60 on is the same before.
func TestNoForesight(t *testing.T) {
	a, b := Scenarios()[2].World(1), Scenarios()[2].World(1)
	a.Ticks, b.Ticks = 180, 180
	for i := range b.VMs {
		for m := 150; m < 180; m++ {
			b.VMs[i].Load[m] = 0
		}
	}
	for _, rule := range []string{manual, "algorithm relief;"} {
		x, y := run(t, a, NewBalancer("x", config(t, rule), true), DefaultModel()), run(t, b, NewBalancer("x", config(t, rule), true), DefaultModel())
		for i, m := range x.Journal {
			if m.Begin.Before(a.Start.Add(150*time.Minute)) && (i >= len(y.Journal) || y.Journal[i].VM != m.VM || y.Journal[i].To != m.To || !y.Journal[i].Begin.Equal(m.Begin)) {
				t.Errorf("%s: move %d differs before the worlds do", rule, i)
			}
		}
		if len(x.Journal) == 0 {
			t.Errorf("%s: nothing moved", rule)
		}
	}
}

func TestDeterministic(t *testing.T) {
	for _, s := range Scenarios() {
		w := s.World(7)
		if !reflect.DeepEqual(w, s.World(7)) || reflect.DeepEqual(w.VMs, s.World(8).VMs) {
			t.Errorf("%s: a seed does not make one world", s.Name)
		}
	}
	w := Scenarios()[2].World(7)
	w.Ticks = 200
	a, b := run(t, w, NewBalancer("x", config(t, "algorithm relief;"), true), DefaultModel()), run(t, w, NewBalancer("x", config(t, "algorithm relief;"), true), DefaultModel())
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs of one world differ")
	}
}

// The scenarios are loaded as they say, and every guest fits into its node's memory.
func TestScenarios(t *testing.T) {
	want := map[string][2]float64{"calm": {0.28, 0.33}, "daily wave": {0.45, 0.65}, "hot spots": {0.48, 0.62}, "near saturation": {0.82, 0.9}, "one big guest": {0.38, 0.5},
		"unequal nodes": {0.45, 0.6}, "stale node": {0.48, 0.62}, "flapping load": {0.45, 0.65}}
	for _, s := range Scenarios() {
		w := s.World(1)
		if err := w.check(); err != nil {
			t.Error(err)
		}
		all, cores := 0.0, 0.0
		mem := make([]int64, len(w.Nodes))
		for _, n := range w.Nodes {
			cores += n.Cores
		}
		for _, v := range w.VMs {
			mem[v.Node] += v.Mem
			for _, x := range v.Load {
				all += float64(x) / float64(w.Ticks)
				if x < 0 || float64(x) > v.Cores {
					t.Fatalf("%s: %s wants %v of %v processors", s.Name, v.Name, x, v.Cores)
				}
			}
		}
		share, in := all/cores, want[s.Name]
		if share < in[0] || share > in[1] {
			t.Errorf("%s: %.3f of it is used, want %v", s.Name, share, in)
		}
		for n, m := range mem {
			if m > w.Nodes[n].Mem {
				t.Errorf("%s: the guests of %s have %d MiB", s.Name, w.Nodes[n].Name, m>>20)
			}
		}
	}
}

// What the rails promise, on a short world that would break it: no ping-pong, one inflow a pass, nothing to a node that is
// silent.
func TestRailsHold(t *testing.T) {
	w := Scenarios()[6].World(3)
	w.Ticks = 600
	mute := w.Nodes[0].Name
	for _, n := range w.Nodes {
		if n.Mute != nil {
			mute = n.Name
			w.Ticks = n.Mute[0][0] + 90
		}
	}
	for _, rule := range []string{manual, "algorithm relief;"} {
		s := run(t, w, NewBalancer("x", config(t, rule), true), DefaultModel())
		if s.PingPongs > 0 || s.Inflow > 1 || s.Moves == 0 {
			t.Errorf("%s: %+v", rule, s.Row())
		}
		for _, m := range s.Journal {
			silent := m.Begin.Sub(w.Start) > time.Duration(w.Ticks-90+4)*time.Minute
			if silent && (m.To == mute || m.From == mute) {
				t.Errorf("%s: a move from or to a silent node: %+v", rule, m)
			}
		}
		if s.Rails["stale-data"] == 0 && rule == manual {
			t.Logf("%s: stale-data held nothing: %v", rule, s.Rails)
		}
	}
	s := run(t, w, NewLiteral("literal", config(t, manual), true), DefaultModel())
	if s.Moves == 0 {
		t.Error("the literal rule moves nothing")
	}
}

func TestSenselessWorlds(t *testing.T) {
	for name, change := range map[string]func(w *World){
		"no time": func(w *World) { w.Ticks = 0 }, "no nodes": func(w *World) { w.Nodes = nil }, "twins": func(w *World) { w.Nodes[1].Name = "n1" },
		"a node without processors": func(w *World) { w.Nodes[0].Cores = 0 }, "a VM without load": func(w *World) { w.VMs[0].Load = nil }, "a VM on no node": func(w *World) { w.VMs[0].Node = 2 },
	} {
		w := flat(1)
		change(w)
		if _, err := Run(context.Background(), w, None{}, DefaultModel()); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, flat(1), None{}, DefaultModel()); err == nil {
		t.Error("it ran though it was told to end")
	}
}

// asker notes what it is told of VM 0.
type asker struct {
	script
	told  map[int]float64
	cores map[int]float64
}

func (a *asker) Pass(ctx context.Context, s *State) ([]Want, error) {
	a.told[s.Tick], a.cores[s.Tick] = s.Usage(0, 10), s.View.VMs[0].Cores
	return a.script.Pass(ctx, s)
}

// Of a VM on a mute node everybody knows what was recorded, and nobody what was not.
func TestNobodyKnowsWhatWasNotRecorded(t *testing.T) {
	w := flat(0)
	for m := range w.VMs[0].Load {
		w.VMs[0].Load[m] = float32(m) / 100
	}
	w.Nodes[0].Mute = [][2]int{{20, 60}}
	a := &asker{script{wants: map[int][]Want{69: {{VM: 0, To: 1}}}}, map[int]float64{}, map[int]float64{}}
	run(t, w, a, Model{Bandwidth: 1 << 40, Dirty: 1, Full: 0.95})
	for _, c := range []struct {
		tick        int
		told, cores float64
	}{
		{4, 0.02, 0.02}, {19, 0.145, 0.17}, // minutes 10 to 19, and 15 to 19
		{22, 0.16, 0.185}, // 13 to 19, and 18 and 19
		{24, 0.17, 0}, {28, 0.19, 0}, {29, 0.145, 0}, {59, 0.145, 0},
		{60, 0.60, 0.60}, {62, 0.61, 0.61}, {69, 0.645, 0.67}, {75, 0.705, 0.73},
	} {
		if math.Abs(a.told[c.tick]-c.told) > 1e-6 || math.Abs(a.cores[c.tick]-c.cores) > 1e-6 {
			t.Errorf("behind minute %d: %g and %g, want %g and %g", c.tick, a.told[c.tick], a.cores[c.tick], c.told, c.cores)
		}
	}
}
