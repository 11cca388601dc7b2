package replay

import (
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// What was recorded of a VM's failover domain and of its being frozen holds in the model: the domain's priority ranks before the load.
func TestRecordedPlacements(t *testing.T) {
	start := time.Date(2008, 1, 15, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		n2, n3 int // how much the manager prefers each; n3 is the idle one
		frozen bool
		to     string // "" is nowhere
	}{
		{"no order", 0, 0, false, "n3"},
		{"n2 stands first in the domain", 2, 1, false, "n2"},
		{"frozen", 2, 1, true, ""},
	} {
		samples := balance.NewMemorySamples(3 * time.Minute)
		for i := range 60 {
			for node, load := range map[string]float64{"n1": 0.9, "n2": 0.2, "n3": 0.05} {
				samples.Add(node, "cpu", balance.Sample{At: start.Add(time.Duration(i+1) * Tick), Value: load})
			}
		}
		pass := &balance.Pass{At: start, View: balance.View{Nodes: []balance.Node{{Name: "n1", Cores: 4}, {Name: "n2", Cores: 4}, {Name: "n3", Cores: 4}},
			VMs: []balance.VM{{Name: "a", Type: "xen", Owner: "n1", Cores: 1, Frozen: c.frozen, MayRun: []balance.Placement{{Node: "n1", Score: 3}, {Node: "n2", Score: c.n2}, {Node: "n3", Score: c.n3}}}}}}
		w, err := Recording{Samples: samples, Config: config(t, manual), Passes: func(time.Time) (*balance.Pass, error) { return pass, nil },
			Uses: func(time.Time) ([]balance.VM, error) { return pass.View.VMs, nil }}.World(start, start.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		s := run(t, w, NewBalancer("x", config(t, manual), true), DefaultModel())
		to := ""
		if len(s.Journal) > 0 {
			to = s.Journal[0].To
		}
		if to != c.to {
			t.Errorf("%s: it went to %q, want %q", c.name, to, c.to)
		}
	}
}
