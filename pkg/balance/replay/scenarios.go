package replay

import (
	"fmt"
	"math"
	"math/rand"
	"time"
)

// Scenario makes worlds: one for each seed.
type Scenario struct {
	Name, Doc string
	make      func(g *generator)
}

// World is the world of a seed.
func (s Scenario) World(seed int64) *World {
	g := newGenerator(s.Name, seed)
	s.make(g)
	return g.finish()
}

// Scenarios are the scenarios of `make bench-balance`. The VMs' means follow what was measured on PlanetLab (of their
// processors 1.6, 6.8, 34 and 74 % at the tenth, the middle, the 90th and the 99th of a hundred) scaled to the load of the
// scenario, their noise is as large as there (half of the VMs vary by more than 5 %), and its memory ranges from PlanetLab's
// (a five-minute mean says almost nothing of the next) to Bitbrains' (0.97). All of it is drawn; no trace is shipped.
func Scenarios() []Scenario {
	return []Scenario{
		{"calm", "30 % of the cluster is used, evenly", func(g *generator) { g.base(0.30) }},
		{"daily wave", "55 % in the mean; half of the VMs follow the day, most of them within an hour of each other", func(g *generator) {
			g.base(0.55)
			g.wave()
		}},
		{"hot spots", "50 %, and every hour or so some VMs of one node want nearly all of their processors for an hour", func(g *generator) {
			g.base(0.50)
			g.bursts(70, 6)
		}},
		{"near saturation", "88 %", func(g *generator) { g.base(0.88) }},
		{"one big guest", "40 %, and one guest that wants up to three quarters of a node", func(g *generator) {
			g.base(0.40)
			g.big()
		}},
		{"unequal nodes", "50 %; every third node has twice the processors and memory, and as many guests", func(g *generator) {
			for i := range g.w.Nodes {
				if i%3 == 0 {
					g.w.Nodes[i].Cores, g.w.Nodes[i].Mem = 2*nodeCores, 2*nodeMem
				}
			}
			g.base(0.50)
			g.bursts(120, 5)
		}},
		{"stale node", "hot spots, and one node that falls silent while it is idle, and is not", func(g *generator) {
			g.base(0.50)
			g.bursts(70, 6)
			g.silent()
		}},
		{"flapping load", "50 %, and a third of the VMs that want all or nothing by turns of ten minutes", func(g *generator) {
			g.base(0.50)
			g.flapping()
		}},
	}
}

// The sizes of all worlds: a day.
const (
	dayMinutes   = 24 * 60
	someNodes    = 8
	guestsOfNode = 10
	nodeCores    = 16
	nodeMem      = 64 << 30
)

type generator struct {
	w   *World
	rnd *rand.Rand
}

func newGenerator(name string, seed int64) *generator {
	mixed := seed
	for _, c := range name {
		mixed = mixed*31 + int64(c)
	}
	g := &generator{w: &World{Name: name, Start: time.Date(2008, 1, 15, 0, 0, 0, 0, time.UTC), Ticks: dayMinutes}, rnd: rand.New(rand.NewSource(mixed))}
	for i := range someNodes {
		g.w.Nodes = append(g.w.Nodes, Node{Name: fmt.Sprintf("node%d", i+1), Cores: nodeCores, Mem: nodeMem})
	}
	for i := range someNodes * guestsOfNode {
		size := 1 << g.rnd.Intn(3) // 1, 2 or 4 processors with 2 GiB each
		g.w.VMs = append(g.w.VMs, VM{Name: fmt.Sprintf("vm%02d", i), Type: "xen", Cores: float64(size), Mem: int64(size) * 2 << 30, Node: i % someNodes})
	}
	return g
}

// base gives each VM its mean, scaled so that the cluster is used by that share, and its noise.
func (g *generator) base(share float64) {
	means, want := make([]float64, len(g.w.VMs)), 0.0
	for _, n := range g.w.Nodes {
		want += share * n.Cores
	}
	for i := range means {
		means[i] = math.Min(0.75, 0.068*math.Exp(1.25*g.rnd.NormFloat64()))
	}
	scale := g.scale(means, want)
	for i := range g.w.VMs {
		v := &g.w.VMs[i]
		mean := math.Min(0.95, means[i]*scale)
		noise := (0.02 + 0.3*mean) * (0.5 + g.rnd.Float64())
		keep := 0.05 + 0.92*g.rnd.Float64()*g.rnd.Float64() // mostly PlanetLab's, some Bitbrains'
		v.Load = make([]float32, g.w.Ticks)
		x := g.rnd.NormFloat64()
		for t := range v.Load {
			if t%5 == 0 {
				x = keep*x + math.Sqrt(1-keep*keep)*g.rnd.NormFloat64()
			}
			v.Load[t] = g.bound(v, (mean+noise*x+0.01*g.rnd.NormFloat64())*v.Cores)
		}
	}
}

// scale is the factor by which bounded means come to what is wanted.
func (g *generator) scale(means []float64, want float64) float64 {
	low, high := 0.0, 100.0
	for range 50 {
		mid, sum := (low+high)/2, 0.0
		for i, m := range means {
			sum += math.Min(0.95, m*mid) * g.w.VMs[i].Cores
		}
		if sum < want {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

func (g *generator) bound(v *VM, load float64) float32 {
	return float32(math.Max(0.005*v.Cores, math.Min(v.Cores, load)))
}

// wave lets half of the VMs follow the day, each up to two hours late.
func (g *generator) wave() {
	for i := range g.w.VMs {
		if g.rnd.Intn(2) == 0 {
			continue
		}
		v, late := &g.w.VMs[i], g.rnd.Float64()*120-60
		for t := range v.Load {
			day := math.Sin(2 * math.Pi * (float64(t) - late - 8*60) / dayMinutes)
			v.Load[t] = g.bound(v, float64(v.Load[t])*(1+0.7*day)+0.1*v.Cores*day)
		}
	}
}

// bursts lets some VMs that begin on one node want nearly everything for an hour or so, again and again.
func (g *generator) bursts(every, vms int) {
	for t := 30 + g.rnd.Intn(60); t < g.w.Ticks; t += every/2 + g.rnd.Intn(every) {
		node := g.rnd.Intn(len(g.w.Nodes))
		for range vms {
			i := node + len(g.w.Nodes)*g.rnd.Intn(guestsOfNode)
			for m := t; m < min(t+40+g.rnd.Intn(50), g.w.Ticks); m++ {
				g.w.VMs[i].Load[m] = g.bound(&g.w.VMs[i], (0.92+0.05*g.rnd.NormFloat64())*g.w.VMs[i].Cores)
			}
		}
	}
}

func (g *generator) big() {
	v := &g.w.VMs[g.rnd.Intn(len(g.w.VMs))]
	v.Cores, v.Mem = 12, 16<<30
	for t := 0; t < g.w.Ticks; {
		want := 0.3 + 0.7*g.rnd.Float64()
		for end := min(t+60+g.rnd.Intn(180), g.w.Ticks); t < end; t++ {
			v.Load[t] = g.bound(v, (want+0.05*g.rnd.NormFloat64())*v.Cores)
		}
	}
}

// silent takes a node that is idle when its lblog dies, for six hours. A quarter of an hour later its own guests want more.
func (g *generator) silent() {
	node, from := g.rnd.Intn(len(g.w.Nodes)), 300+g.rnd.Intn(120)
	for i := range g.w.VMs {
		v := &g.w.VMs[i]
		if v.Node != node {
			continue
		}
		for t := from - 60; t < from+15; t++ {
			v.Load[t] = g.bound(v, 0.1*float64(v.Load[t]))
		}
		for t := from + 15; t < from+360; t++ {
			v.Load[t] = g.bound(v, 1.5*float64(v.Load[t]))
		}
	}
	g.w.Nodes[node].Mute = [][2]int{{from, from + 360}}
}

func (g *generator) flapping() {
	for i := range g.w.VMs {
		if g.rnd.Intn(3) > 0 {
			continue
		}
		v, phase := &g.w.VMs[i], g.rnd.Intn(20)
		for t := range v.Load {
			if (t+phase)/10%2 == 0 {
				v.Load[t] = g.bound(v, (0.9+0.05*g.rnd.NormFloat64())*v.Cores)
			} else {
				v.Load[t] = g.bound(v, 0.05*v.Cores)
			}
		}
	}
}

// finish keeps the guests within their nodes' memory: who does not fit begins on the node that has most room.
func (g *generator) finish() *World {
	used := make([]int64, len(g.w.Nodes))
	for i := range g.w.VMs {
		v := &g.w.VMs[i]
		if used[v.Node]+v.Mem > g.w.Nodes[v.Node].Mem*9/10 {
			for n := range used {
				if g.w.Nodes[n].Mem-used[n] > g.w.Nodes[v.Node].Mem-used[v.Node] {
					v.Node = n
				}
			}
		}
		used[v.Node] += v.Mem
	}
	return g.w
}
