package replay

import (
	"context"
	"maps"
	"sort"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// None never moves anything.
type None struct{}

// Name is Policy.Name.
func (None) Name() string { return "no balancing" }

// Serial is Policy.Serial.
func (None) Serial() bool { return true }

// Pass is Policy.Pass.
func (None) Pass(context.Context, *State) ([]Want, error) { return nil, nil }

// Balancer is Decide with a configuration: what lbmonitor does, one move after the other.
type Balancer struct {
	name     string
	config   *balance.Config
	measured bool // VMs are measured one by one; else their footprints are unknown
	moved    map[string]int
	index    *names
	decider  balance.Decider
	recorded balance.Samples
	asked    *asked
}

// NewBalancer is Decide with that configuration. In a world the balance statement names all VMs.
func NewBalancer(name string, c *balance.Config, measured bool) *Balancer {
	return &Balancer{name: name, config: c, measured: measured, moved: map[string]int{}}
}

// Reading lets the rules read what was recorded of resources that the model does not have: of all but the busy share of processors. It
// returns b.
func (b *Balancer) Reading(recorded balance.Samples) *Balancer {
	b.recorded = recorded
	return b
}

// Name is Policy.Name.
func (b *Balancer) Name() string { return b.name }

// Serial is Policy.Serial: a pass waits for its moves.
func (b *Balancer) Serial() bool { return true }

func (b *Balancer) others() (taken, missing []string) { return b.asked.others() }

func (b *Balancer) rails() map[string]int { return maps.Clone(b.moved) }

// Pass is Policy.Pass.
func (b *Balancer) Pass(ctx context.Context, s *State) ([]Want, error) {
	b.prepare(s.World)
	in := b.input(s)
	in.Terse = true
	pass, err := b.decider.Decide(ctx, in)
	if err != nil {
		return nil, err
	}
	for rail, n := range pass.Rails {
		b.moved[rail] += n
	}
	var out []Want
	for _, d := range pass.Moves() {
		out = append(out, Want{VM: b.index.vm[d.VM], To: b.index.node[d.Target]})
	}
	return out, nil
}

// prepare names all VMs where the configuration names none.
func (b *Balancer) prepare(w *World) {
	if b.index != nil {
		return
	}
	b.index, b.asked = namesOf(w), askedOf(b.config, b.recorded)
	if len(b.config.Balance) == 0 {
		c := *b.config
		c.Balance = b.index.all
		b.config = &c
	}
}

func (b *Balancer) input(s *State) balance.Input {
	if !b.measured {
		for i := range s.View.VMs {
			s.View.VMs[i].Cores = 0
		}
	}
	horizon := s.At.Add(-b.config.Rails.Horizon())
	from := sort.Search(len(s.Journal), func(i int) bool { return s.Journal[i].Begin.After(horizon) })
	in := balance.Input{At: s.At, Config: b.config, View: s.View, Samples: s.Samples, Recent: s.Journal[from:]}
	if b.asked != nil {
		b.asked.model = s.Samples
		in.Samples = b.asked
	}
	return in
}

// names finds what a pass calls by name.
type names struct {
	vm, node map[string]int
	all      []string
}

func namesOf(w *World) *names {
	n := &names{vm: map[string]int{}, node: map[string]int{}}
	for i, v := range w.VMs {
		n.vm[v.Type+":"+v.Name] = i
		n.all = append(n.all, v.Type+":"+v.Name)
	}
	for i, x := range w.Nodes {
		n.node[x.Name] = i
	}
	return n
}

// literal is a rule as the manual of 2008 has it: the last values, however old; each VM to the first node of which the rule
// says yes; nobody reckons with the moves of the same pass.
type literal struct {
	Balancer
	most int
}

// NewLiteral is a rule without anything between it and a move. All VMs that it names move in one pass, at once; with
// serial only the first, and the next pass waits for it.
func NewLiteral(name string, c *balance.Config, serial bool) Policy {
	free := *c
	free.Rails.Off = conf.Rails()
	free.Rails.Stale = 1 << 60
	free.Rails.MovesPerPass = 1 << 30
	l := literal{Balancer: Balancer{name: name, config: &free, moved: map[string]int{}}, most: 1 << 30}
	if serial {
		l.most = 1
		return &l
	}
	return wild{&l}
}

// wild is a literal rule whose moves are all begun at once.
type wild struct{ *literal }

// Wild is Wild.Wild.
func (wild) Wild() {}

// Serial is Policy.Serial.
func (wild) Serial() bool { return false }

// Pass is Policy.Pass.
func (l *literal) Pass(ctx context.Context, s *State) ([]Want, error) {
	l.prepare(s.World)
	in := l.input(s)
	in.Samples, in.Recent = s.Newest, nil
	for i := range in.View.VMs {
		in.View.VMs[i].Since = in.At.Add(-1 << 50) // nobody settles
	}
	pass, err := balance.Decide(ctx, in)
	if err != nil {
		return nil, err
	}
	busy := map[string]bool{}
	for _, m := range s.Journal {
		if m.End.IsZero() {
			busy[m.VM] = true // it is on its way already
		}
	}
	var out []Want
	for _, d := range pass.Decisions {
		for _, c := range d.Candidates {
			if c.Said == balance.SaidMigrate && len(out) < l.most && !busy[d.VM] {
				out = append(out, Want{l.index.vm[d.VM], l.index.node[c.Node], d.Why})
				break
			}
		}
	}
	return out, nil
}
