package balance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// reliefWorld is n1 hot with three guests of 1, 4 and 2 processors of 16, beside n2 and n3.
func reliefWorld(n1, n2, n3 float64) Input {
	s := NewMemorySamples(3 * time.Minute)
	for node, load := range map[string]float64{"n1": n1, "n2": n2, "n3": n3} {
		steady(s, node, "cpu", load, 40)
	}
	in := world()
	in.Samples = s
	cores(&in, 16)
	in.Config.Default = &Rule{Name: "default", Program: Relief{}, At: saidAt, Text: "relief"}
	in.View.VMs[2].Owner, in.View.Nodes[2].MemTotal = "n1", 0
	for i, n := range []float64{1, 4, 2} {
		in.View.VMs[i].Cores, in.View.VMs[i].Mem = n, 1<<30
	}
	return in
}

// lately gives n1 these values in the last minutes, the newest first.
func lately(loads ...float64) func(*Input) {
	return func(in *Input) {
		for i, load := range loads {
			in.Samples.(*MemorySamples).Add("n1", "cpu", Sample{testNow.Add(-time.Duration(i)*time.Minute - 10*time.Second), load})
		}
	}
}

// changed lets a VM that is not balanced have come to a node so many minutes ago.
func changed(node string, minutes int) func(*Input) {
	return func(in *Input) {
		in.View.VMs = append(in.View.VMs, VM{Name: "other-" + node, Type: "xen", Owner: node, LastOwner: "n9", State: Started, Cores: 0.1,
			Since: testNow.Add(-time.Duration(minutes) * time.Minute)})
	}
}

func TestRelief(t *testing.T) {
	for _, c := range []struct {
		name       string
		n1, n2, n3 float64
		change     func(in *Input)
		want       []string
	}{
		{"the VM that takes most of what is too much, to where there is most room", 0.85, 0.3, 0.1, nil, []string{"openvz:102 n1->n3"}},
		{"of two that are enough the smaller copy", 0.75, 0.3, 0.1, func(in *Input) { in.View.VMs[1].Mem = 16 << 30 }, []string{"xen:web n1->n3"}},
		{"nobody is hot, nobody has long been busier", 0.49, 0.1, 0.1, nil, []string{}},
		{"busier than others for half an hour", 0.65, 0.5, 0.3, nil, []string{"xen:web n1->n3"}},
		{"not by as much", 0.65, 0.55, 0.51, nil, []string{}},
		{"somebody left it just now: half an hour speaks of before", 0.65, 0.5, 0.3, changed("n1", 19), []string{}},
		{"or came to the other", 0.65, 0.64, 0.3, changed("n3", 19), []string{}},
		{"it is only that one", 0.65, 0.1, 0.25, changed("n2", 19), []string{"openvz:102 n1->n3"}},
		{"a while ago", 0.64, 0.5, 0.3, func(in *Input) {
			changed("n1", 21)(in)
			changed("n3", 24)(in)
		}, []string{"xen:web n1->n3"}},
		{"and what room there is since", 0.64, 0.63, 0.3, func(in *Input) {
			changed("n3", 21)(in)
			for i := range 20 {
				in.Samples.(*MemorySamples).Add("n3", "cpu", Sample{testNow.Add(-time.Duration(i)*time.Minute - 10*time.Second), 0.44})
			}
		}, []string{"openvz:101 n1->n3"}},
		{"only what was measured since counts", 0.65, 0.64, 0.3, func(in *Input) {
			changed("n1", 21)(in)
			lately(slices.Repeat([]float64{0.55}, 20)...)(in)
			for i := range 20 {
				in.Samples.(*MemorySamples).Add("n3", "cpu", Sample{testNow.Add(-time.Duration(i)*time.Minute - 10*time.Second), 0.41})
			}
		}, []string{}},
		{"where it would be as bad there", 0.75, 0.64, 0.64, nil, []string{}},
		{"an overloaded node: the lesser evil", 1, 0.7, 0.72, nil, []string{"xen:web n1->n2"}},
		{"hot, and nobody would stay cool with it: it waits", 0.80, 0.62, 0.62, nil, []string{}},
		{"half way to full: below the owner by a tenth, and not hot", 0.85, 0.62, 0.62, nil, []string{"xen:web n1->n2"}},
		{"half way to full: never a second hot node", 0.88, 0.70, 0.70, nil, []string{}},
		{"one large guest: the busier of the two is less busy than now", 0.70, 0.5, 0.2, func(in *Input) {
			in.View.VMs[0].Cores, in.View.VMs[1].Cores, in.View.VMs[2].Cores = 0.1, 6, 0.1
			in.View.VMs[0].Mem, in.View.VMs[2].Mem = 60<<30, 60<<30
		}, []string{"openvz:102 n1->n3"}},
		{"a domain's priority before the load", 0.85, 0.3, 0.1, func(in *Input) {
			for i := range in.View.VMs {
				in.View.VMs[i].MayRun = []Placement{{"n2", 3}, {"n3", 2}}
			}
		}, []string{"openvz:102 n1->n2"}},
		{"even shares where nobody was measured", 0.92, 0.3, 0.1, func(in *Input) {
			for i := range in.View.VMs {
				in.View.VMs[i].Cores = 0
			}
		}, []string{"openvz:101 n1->n3"}},
		{"a small part is not worth a copy", 0.85, 0.3, 0.1, func(in *Input) {
			for i := range in.View.VMs {
				in.View.VMs[i].Cores = 0.4
			}
		}, []string{}},
		{"where all are small, an even share is", 0.85, 0.3, 0.1, func(in *Input) {
			for i := range in.View.VMs {
				in.View.VMs[i].Cores = 0.4
			}
			for i := range 100 {
				in.View.VMs = append(in.View.VMs, VM{Name: fmt.Sprint(i), Type: "xen", Owner: "n1", State: Started})
			}
		}, []string{"openvz:101 n1->n3"}},
		{"no room for the copying: it waits", 0.6, 0.3, 0.1, lately(0.89, 0.89, 0.89, 0.89, 0.89), []string{}},
		{"a smaller node's copying takes more of it", 0.6, 0.3, 0.1, func(in *Input) {
			lately(0.84, 0.84, 0.84, 0.84, 0.84)(in)
			cores(in, 8)
		}, []string{}},
		{"room for it", 0.6, 0.3, 0.1, lately(0.84, 0.84, 0.84, 0.84, 0.84), []string{"openvz:102 n1->n3"}},
		{"it does not wait for half an hour", 0.91, 0.3, 0.1, nil, []string{"openvz:102 n1->n3"}},
		{"nor where it is short of processors: a minute is enough", 0.45, 0.3, 0.1, lately(0.96), []string{"openvz:102 n1->n3"}},
		{"which one below it is not", 0.45, 0.3, 0.1, lately(0.94), []string{}},
		{"two of five minutes", 0.1, 0.1, 0.1, func(in *Input) {
			for i := range 2 {
				in.Samples.(*MemorySamples).Add("n1", "cpu", Sample{testNow.Add(-time.Duration(i)*time.Minute - 10*time.Second), 0.85})
			}
		}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := reliefWorld(c.n1, c.n2, c.n3)
			if c.change != nil {
				c.change(&in)
			}
			p := mustDecide(t, in)
			if got := moves(p); !slices.Equal(got, c.want) {
				t.Errorf("moves %q, want %q: %+v", got, c.want, p.Decisions)
			}
			for _, d := range p.Moves() {
				if d.Line == nil || d.Line.Line != saidAt.Line || !strings.Contains(d.Why, "said migrate as") || d.chosen().Projected == nil {
					t.Errorf("not explained: %+v", d)
				}
			}
		})
	}
}

// The node that is short of processors comes before the one that is only hot, though the move is dearer.
func TestReliefOfTheWorstNodeFirst(t *testing.T) {
	in := reliefWorld(0.85, 0.99, 0.1)
	in.View.VMs[1].Owner, in.View.VMs[1].Mem = "n2", 32<<30
	p := mustDecide(t, in)
	if got := moves(p); !slices.Equal(got, []string{"openvz:102 n2->n3"}) {
		t.Errorf("moves %q: %+v", got, p.Decisions)
	}
}

func TestReliefNeedsTheProcessors(t *testing.T) {
	in := reliefWorld(0.9, 0.1, 0.1)
	in.Config.Resources = []Resource{{"ram", "ram", false, false}}
	if d := mustDecide(t, in).Decisions[0]; d.Err == nil || d.Verdict != Stay || !strings.Contains(d.Why, "builtin cpu") {
		t.Errorf("%+v", d)
	}
}

// A rule of one's own keeps its turn; built-in ones share theirs.
func TestTurns(t *testing.T) {
	a := func(i int, gain float64) ask { return ask{index: i, gain: gain} }
	got := []int{}
	for _, x := range inTurn([]ask{a(0, 1), a(1, 0), a(2, 3), a(3, 0), a(4, 2)}) {
		got = append(got, x.index)
	}
	if !slices.Equal(got, []int{2, 1, 4, 3, 0}) {
		t.Errorf("%v", got)
	}
}
