package model

import "fmt"

// Result is what a search has found.
type Result struct {
	States, Steps int
	Whole         bool // every state within the bounds was seen
	Violations    []Finding
	DeadEnds      int // states from which no path without faults leads to a service that runs
	DeadEnd       []Finding
	Fired         map[string]int // how often each step was taken
}

// Finding is one kind of violation with a shortest way to it.
type Finding struct {
	What  string
	Count int
	Trace []string
}

// successors are all steps from s.
func (w *world) successors(s State) []next {
	w.out = w.out[:0]
	for n := 0; n < nodes; n++ {
		w.tools(s, n)
		w.nodeEvents(s, n)
		nd := &s.N[n]
		if w.on[Keeper] {
			w.killKeeper(s, n)
		}
		if nd.A.Kind != aNone && (nd.Life == up || nd.Life == joining || nd.Life == unfenced && w.on[Zombie]) {
			w.agent(s, n)
			if w.on[Kill] {
				w.kill(s, n)
			}
		}
	}
	w.manager(s)
	if w.on[Relocate] && (!w.OpenVZ || w.on[InPlace]) {
		w.relocator(s, 0)
		if w.on[TwoMovers] {
			w.relocator(s, 1)
		}
	}
	w.people(s)
	return w.out
}

// store keeps states in blocks, so that to grow never copies gigabytes.
type store struct{ blocks [][]State }

const block = 1 << 16

func (t *store) len() int {
	if len(t.blocks) == 0 {
		return 0
	}
	return (len(t.blocks)-1)*block + len(t.blocks[len(t.blocks)-1])
}

func (t *store) at(i uint32) *State { return &t.blocks[i/block][i%block] }

func (t *store) add(s State) {
	if t.len()%block == 0 {
		t.blocks = append(t.blocks, make([]State, 0, block))
	}
	last := &t.blocks[len(t.blocks)-1]
	*last = append(*last, s)
}

type search struct {
	*world
	states     store
	parent     []uint32
	from, into []uint32 // steps without fault
}

// Search walks through every state within the bounds, breadth first, so that the first way to a violation is a
// shortest one. Nothing behind a broken rule of safety is looked at.
func (o Options) Search() Result {
	x := &search{world: o.world()}
	if x.Max == 0 {
		x.Max = 100_000_000
	}
	seen := map[key]uint32{}
	first := o.initial()
	k, s := canon(&first)
	seen[k] = 0
	x.states.add(s)
	x.parent = append(x.parent, 0)
	type bad struct {
		from  uint32
		count int
	}
	found := map[string]*bad{}
	r := Result{Fired: map[string]int{}, Whole: true}
	for i := 0; i < x.states.len() && r.Whole; i++ {
		if x.states.len() > x.Max {
			r.Whole = false
			break
		}
		for _, c := range x.successors(*x.states.at(uint32(i))) {
			r.Steps++
			r.Fired[c.Text]++
			if c.Violation != "" {
				b := found[c.Violation]
				if b == nil {
					b = &bad{from: uint32(i)}
					found[c.Violation] = b
				}
				b.count++
				if c.Violation == x.Until {
					r.Whole = false
				}
				if c.Violation[0] == 'I' && c.Violation[1] != '7' || c.Violation[:3] == "MOD" {
					continue
				}
			}
			k, s := canon(&c.S)
			j, ok := seen[k]
			if !ok {
				j = uint32(x.states.len())
				seen[k] = j
				x.states.add(s)
				x.parent = append(x.parent, uint32(i))
			}
			if !c.Fault && int(j) != i {
				x.from, x.into = append(x.from, uint32(i)), append(x.into, j)
			}
		}
	}
	r.States = x.states.len()
	seen = nil
	for _, what := range sorted(found) {
		r.Violations = append(r.Violations, Finding{what, found[what].count, x.trace(found[what].from, what)})
	}
	if r.Whole {
		x.deadEnds(&r)
	}
	return r
}

// Text is the result in a line.
func (r Result) Text() string {
	text := fmt.Sprintf("%d states, %d steps", r.States, r.Steps)
	if !r.Whole {
		text += ", given up"
	} else {
		text += fmt.Sprintf(", exhausted, %d dead ends", r.DeadEnds)
	}
	for _, v := range r.Violations {
		text += fmt.Sprintf(", %s (%d)", v.What, v.Count)
	}
	if len(r.Violations) == 0 {
		text += ", no violation"
	}
	return text
}
