package balance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

var testNow = time.Date(2008, 1, 15, 14, 30, 0, 0, time.UTC)

// stub is a rule in Go: the rails are tested without the language.
type stub struct {
	f             func(e *evaluation) error
	deterministic bool
}

func (s stub) Run(_ context.Context, o perl.Options) (perl.Value, error) {
	return perl.Undef(), s.f(o.Host.(*evaluation))
}

func (s stub) Deterministic() bool { return s.deterministic }

func rule(f func(e *evaluation) error) *Rule {
	return &Rule{Name: "default", Program: stub{f, true}, At: perl.Position{File: "lbvm.conf", Line: 10, Col: 16}, Text: "\n if (hot()) {\n  migrate();\n }"}
}

var saidAt = perl.Position{File: "lbvm.conf", Line: 12, Col: 3}

// hot is the manual's example 2.
func hot() *Rule {
	return rule(func(e *evaluation) error {
		own, err := e.window("cpu", 5, false)
		if err != nil {
			return err
		}
		if own.read.Average <= 0.70 {
			return nil
		}
		other, err := e.window("cpu", 2, true)
		if err != nil {
			return err
		}
		if other.read.Average < 0.40 {
			e.say(SaidMigrate, 0, saidAt)
		}
		return nil
	})
}

// ownOnly looks at the owner only.
func ownOnly(minutes int) *Rule {
	return rule(func(e *evaluation) error {
		own, err := e.window("cpu", minutes, false)
		if err == nil && own.read.Average > 0.70 {
			e.say(SaidMigrate, 0, saidAt)
		}
		return err
	})
}

func steady(m *MemorySamples, node, resource string, value float64, n int) {
	for i := range n {
		m.Add(node, resource, Sample{testNow.Add(-time.Duration(i)*time.Minute - 10*time.Second), value})
	}
}

// world is one hot node with two VMs and two cool ones, on which a VM is about to move.
func world() Input {
	s := NewMemorySamples(3 * time.Minute)
	steady(s, "n1", "cpu", 0.9, 10)
	steady(s, "n2", "cpu", 0.3, 10)
	steady(s, "n3", "cpu", 0.1, 10)
	may := []Placement{{"n1", 2}, {"n2", 2}, {"n3", 2}}
	old := testNow.Add(-48 * time.Hour)
	return Input{
		At: testNow,
		Config: &Config{
			Balance: []string{"101", "102", "web"}, Default: hot(), Rules: map[string]*Rule{},
			Resources: []Resource{{"cpu", "cpu", true, true}, {"ram", "ram", false, false}}, Digest: "test",
		},
		View: View{
			Quorate: true,
			Nodes:   []Node{{Name: "n1", Online: true}, {Name: "n2", Online: true}, {Name: "n3", Online: true, Cores: 4, MemFree: 1 << 30, MemTotal: 4 << 30, Seen: testNow}},
			VMs: []VM{
				{Name: "101", Type: "openvz", Service: "service:a", Owner: "n1", LastOwner: "n1", State: Started, MayRun: may, Since: old},
				{Name: "102", Type: "openvz", Service: "service:b", Owner: "n1", State: Started, MayRun: may, Since: old},
				{Name: "web", Type: "xen", Service: "xen:web", Owner: "n2", State: Started, MayRun: may, Since: old},
			},
		},
		Samples: s,
	}
}

func mustDecide(t *testing.T, in Input) *Pass {
	t.Helper()
	return mustDecideWith(t, in, Rails())
}

func mustDecideWith(t *testing.T, in Input, rails []Rail) *Pass {
	t.Helper()
	p, err := decide(context.Background(), in, rails)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func without(name string) []Rail {
	return slices.DeleteFunc(Rails(), func(r Rail) bool { return r.Name == name })
}

// moves is the pass in short: "openvz:101 n1->n3".
func moves(p *Pass) []string {
	out := []string{}
	for _, d := range p.Moves() {
		out = append(out, fmt.Sprintf("%s %s->%s", d.VM, d.Owner, d.Target))
	}
	return out
}

func decisionOf(t *testing.T, p *Pass, vm string) Decision {
	t.Helper()
	for _, d := range p.Decisions {
		if d.VM == vm {
			return d
		}
	}
	t.Fatalf("no decision on %s", vm)
	return Decision{}
}
