package balance

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// A terse pass, and one of a Decider that has made others, moves what Decide moves, and the same rails hold as many. Between the passes VMs come
// and go, change their state and their loads, and the nodes too.
func TestTerseIsTheSame(t *testing.T) {
	moved, held, reported := 0, 0, 0
	for seed := range int64(1000) {
		in := randomInput(seed)
		rnd := rand.New(rand.NewSource(seed))
		switch seed % 4 {
		case 1:
			in.Config.Default = &Rule{Name: "default", Program: Relief{}, At: perl.Position{File: "lbvm.conf", Line: 3}}
		case 2:
			in.Config.Rails.Off = []string{movesPerPass, "settling"}
		case 3:
			for _, r := range in.Config.Rules {
				r.Rails = map[string]bool{"cool-down": seed%8 > 3, "projected-load": false}
			}
			in.Config.Default = rule(func(e *evaluation) error { e.say(SaidReport, 0, saidAt); return nil })
		}
		terse := new(Decider)
		for pass := range 6 {
			in.At = testNow.Add(time.Duration(pass) * time.Minute)
			s := NewMemorySamples(3 * time.Minute)
			for i := range in.View.Nodes {
				n := &in.View.Nodes[i]
				n.Online, n.Cores, n.MemTotal, n.MemFree = rnd.Intn(8) > 0, 8, 8<<30, int64(rnd.Intn(8))<<30
				for j := range 40 {
					if rnd.Intn(30) > 0 {
						s.Add(n.Name, "cpu", Sample{in.At.Add(-time.Duration(j)*time.Minute - 10*time.Second), float64(i%3)/3 + rnd.Float64()*0.4})
					}
				}
			}
			in.Samples = s
			for i := range in.View.VMs {
				vm := &in.View.VMs[i]
				vm.Cores, vm.Mem = rnd.Float64()*2, int64(rnd.Intn(3))<<30
				if rnd.Intn(5) == 0 {
					vm.LastOwner, vm.Owner, vm.Since = vm.Owner, in.View.Nodes[rnd.Intn(len(in.View.Nodes))].Name, in.At.Add(-time.Duration(rnd.Intn(200))*time.Minute)
				}
				if rnd.Intn(6) == 0 {
					vm.State = State(rnd.Intn(3))
				}
			}
			if rnd.Intn(6) == 0 && len(in.View.VMs) > 1 { // another cluster: nothing that is kept may be used
				in.View.VMs[0].Name = fmt.Sprintf("x%d", pass)
				if rnd.Intn(2) == 0 {
					c := *in.Config
					c.Balance = slices.Clone(c.Balance)
					c.Balance[0] = in.View.VMs[0].Name
					in.Config = &c
				}
			}
			plain := in
			plain.View.VMs = slices.Clone(in.View.VMs)
			want := mustDecide(t, plain)
			short := in
			short.Terse = true
			got, err := terse.Decide(context.Background(), short)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := moves(want), moves(got); !reflect.DeepEqual(a, b) || !reflect.DeepEqual(want.Rails, got.Rails) {
				t.Fatalf("seed %d, pass %d: %v %v, and decided alone %v %v", seed, pass, b, got.Rails, a, want.Rails)
			}
			moved += len(want.Moves())
			for _, n := range want.Rails {
				held += n
			}
			verdicts := map[string]Verdict{}
			for _, d := range got.Decisions {
				verdicts[d.VM] = d.Verdict
			}
			for _, d := range want.Decisions {
				if d.Verdict != verdicts[d.VM] {
					t.Fatalf("seed %d, pass %d: %s: %s, and decided alone %s", seed, pass, d.VM, verdicts[d.VM], d.Verdict)
				}
				if d.Verdict == ReportOnly {
					reported++
				}
			}
			if long, err := terse.Decide(context.Background(), in); err != nil || !reflect.DeepEqual(long.Rails, want.Rails) || fmt.Sprint(briefs(long)) != fmt.Sprint(briefs(want)) {
				t.Fatalf("seed %d, pass %d: not terse: %v %v", seed, pass, briefs(long), err)
			}
		}
	}
	if moved < 200 || held < 200 || reported < 200 {
		t.Errorf("%d moved, rails held %d times, %d reports: the test looks at nothing", moved, held, reported)
	}
}

func briefs(p *Pass) (out []string) {
	for _, d := range p.Decisions {
		out = append(out, brief(d))
	}
	return out
}
