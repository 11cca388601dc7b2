package replay

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// The processors' share is the model's whatever lbresources.conf calls it; all else is what was recorded, and what was not is told.
func TestOtherResources(t *testing.T) {
	io := func(value float64) *balance.MemorySamples {
		s := balance.NewMemorySamples(3 * time.Minute)
		for i := range 120 {
			for _, node := range []string{"n1", "n2"} {
				s.Add(node, "io", balance.Sample{At: flat(1).Start.Add(time.Duration(i+1) * Tick), Value: value})
			}
		}
		return s
	}
	const hot = "average(res('busy', 5)) > 0.70 && average(res2('busy', 2)) < 0.40"
	for _, c := range []struct {
		name, rule     string
		recorded       balance.Samples
		moves          bool
		taken, missing []string
	}{
		{"another name", hot, nil, true, nil, nil},
		{"relief under another name", "", nil, true, nil, nil},
		{"a quiet disk", hot + " && max(res2('io', 5)) < 0.2", io(0.1), true, []string{"io"}, nil},
		{"a busy disk", hot + " && max(res2('io', 5)) < 0.2", io(0.5), false, []string{"io"}, nil},
		{"a disk of which nothing is recorded", hot + " && max(res2('io', 5)) < 0.2", balance.NewMemorySamples(3 * time.Minute), false, nil, []string{"io"}},
		{"a trace", hot + " && max(res2('io', 5)) < 0.2", nil, false, nil, []string{"io"}},
	} {
		algorithm := "algorithm { migrate() if " + c.rule + "; }"
		if c.rule == "" {
			algorithm = "algorithm relief;"
		}
		f, diags := conf.Parse("lbvm.conf", []byte("balance ; default { "+algorithm+" }"))
		r, more := conf.ParseResources("lbresources.conf", []byte("resource io { cmd x; }\nresource busy { builtin cpu; }"))
		if f == nil || r == nil {
			t.Fatal(diags, more)
		}
		cfg, _ := balance.NewConfig(f, r)
		b := NewBalancer("x", cfg, true)
		if c.recorded != nil {
			b.Reading(c.recorded)
		}
		s := run(t, flat(1.9, 1.9), b, DefaultModel())
		if (s.Moves > 0) != c.moves || !slices.Equal(s.Taken, c.taken) || !slices.Equal(s.Missing, c.missing) {
			t.Errorf("%s: %d moves, taken %q, missing %q", c.name, s.Moves, s.Taken, s.Missing)
		}
	}
}

// The VMs of a service go as one, whichever of them spoke, and cost what all of them have to copy.
func TestAServiceGoesAsOne(t *testing.T) {
	w := flat(1.4, 1.4, 0.9)
	w.VMs[0].Service, w.VMs[1].Service, w.VMs[2].Service = "service:twins", "service:twins", "service:other"
	s := run(t, w, NewBalancer("x", config(t, "algorithm { migrate() if average(res('cpu', 5)) > 0.90 && average(res2('cpu', 2)) < 0.40; }"), true), DefaultModel())
	if s.Moves != 1 || s.Journal[0].VM != "xen:a" || s.GiB != 2 {
		t.Fatalf("%+v", s)
	}
	if got, want := s.Hours[len(s.Hours)-1], (2.8-0.9)/4/2; math.Abs(got-want) > 0.001 { // of 4 processors
		t.Errorf("after the move the imbalance is %.3f, want %.3f", got, want)
	}
	if took, want := s.Journal[0].End.Sub(s.Journal[0].Begin), DefaultModel().Took(2<<30); (took - want).Abs() > time.Second {
		t.Errorf("it took %s, want %s", took, want)
	}
}
