package replay

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"github.com/lbvm/lbvm/pkg/balance"
)

// plain is Balancer the plain way: each pass is decided as if there were no other, with all that a Pass tells.
type plain struct{ *Balancer }

// Pass is Policy.Pass.
func (p plain) Pass(ctx context.Context, s *State) ([]Want, error) {
	p.prepare(s.World)
	in := p.input(s)
	in.View.VMs, in.View.Nodes = slices.Clone(in.View.VMs), slices.Clone(in.View.Nodes)
	for i := range in.View.VMs {
		in.View.VMs[i].MayRun = slices.Clone(in.View.VMs[i].MayRun)
	}
	pass, err := balance.Decide(ctx, in)
	if err != nil {
		return nil, err
	}
	for rail, n := range pass.Rails {
		p.moved[rail] += n
	}
	var out []Want
	for _, d := range pass.Moves() {
		out = append(out, Want{VM: p.index.vm[d.VM], To: p.index.node[d.Target]})
	}
	return out, nil
}

// A replay comes to the same, move by move, as one that decides each pass by itself.
func TestTheSameAsPassByPass(t *testing.T) {
	rules := []string{"algorithm relief;", manual, "algorithm { migrate(1 - average(res2('cpu', 3))) if average(res('cpu', 5)) > 0.6; }",
		"algorithm { migrate() if max(res('cpu', 3)) > 0.8 && (localtime(time))[2] % 2; }"}
	total := 0
	for seed := range int64(12) {
		rnd := rand.New(rand.NewSource(seed))
		all := Scenarios()
		w := all[rnd.Intn(len(all))].World(seed)
		w.Ticks = 150
		for i := range w.VMs {
			if rnd.Intn(4) == 0 { // not everywhere
				w.VMs[i].MayRun = []int{w.VMs[i].Node}
				for n := range w.Nodes {
					if n != w.VMs[i].Node && rnd.Intn(2) == 0 {
						w.VMs[i].MayRun = append(w.VMs[i].MayRun, n)
					}
				}
			}
			if i > 0 && rnd.Intn(20) == 0 && w.VMs[i].Node == w.VMs[i-1].Node {
				w.VMs[i-1].Service, w.VMs[i].Service = fmt.Sprintf("service:s%d", i), fmt.Sprintf("service:s%d", i)
			}
			for m := range w.VMs[i].Load {
				w.VMs[i].Load[m] *= 1 + float32(seed%3)/4
			}
		}
		rule := rules[seed%4]
		want := run(t, w, plain{NewBalancer("x", config(t, rule), seed%5 > 0)}, DefaultModel())
		got := run(t, w, NewBalancer("x", config(t, rule), seed%5 > 0), DefaultModel())
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("seed %d, %s: %d moves, and %d pass by pass; rails %v and %v", seed, w.Name, got.Moves, want.Moves, got.Rails, want.Rails)
		}
		total += got.Moves
	}
	if total < 100 {
		t.Errorf("%d moves in all: the test looks at nothing", total)
	}
}
