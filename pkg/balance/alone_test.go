package balance

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Who asks for one VM is told the same of it as in a pass of all.
func TestAloneIsTheSame(t *testing.T) {
	moved, held, silent, after := 0, 0, 0, 0
	for seed := range int64(3000) {
		in := randomInput(seed)
		if seed%3 > 0 {
			in.Config.Rails.MovesPerPass = 1
		}
		if seed%2 == 0 { // many that want to move, and can
			s := NewMemorySamples(3 * time.Minute)
			for i, n := range in.View.Nodes {
				steady(s, n.Name, "cpu", []float64{0.95, 0.1, 0.8, 0.2}[(seed/2+int64(i))%4], 40)
			}
			in.Samples = s
		}
		if seed%5 == 0 { // where memory holds them at some nodes, or at all
			for i := range in.View.Nodes {
				in.View.Nodes[i].MemTotal, in.View.Nodes[i].MemFree = 64<<30, (seed/5+int64(i))%4*3<<30
			}
			for i := range in.View.VMs {
				in.View.VMs[i].Mem = 4 << 30
			}
		}
		switch seed % 8 / 2 { // where all rules may have a say in the turns, and where not every VM is held by the moves of a pass
		case 1:
			in.Config.Default = &Rule{Name: "default", Program: Relief{}, At: perl.Position{File: "lbvm.conf", Line: 3}}
		case 2:
			in.Config.Rails.Off = []string{movesPerPass}
		case 3:
			for _, r := range in.Config.Rules {
				r.Rails = map[string]bool{movesPerPass: seed%16 > 7}
			}
		}
		all := mustDecide(t, in)
		for _, want := range all.Decisions {
			one := in
			one.Only = func(vm VM) bool { return vm.ID() == want.VM }
			p := mustDecide(t, one)
			if len(p.Decisions) != 1 {
				t.Fatalf("seed %d, %s: %d decisions", seed, want.VM, len(p.Decisions))
			}
			got := p.Decisions[0]
			if a, b := brief(want), brief(got); a != b {
				t.Fatalf("seed %d, %s alone: %s, and in a pass of all: %s", seed, want.VM, b, a)
			}
			switch {
			case got.Verdict == Migrate:
				moved++
			case got.Line != nil:
				held++
				for _, v := range got.Vetoes {
					if v.Rail == movesPerPass {
						after++
					}
				}
			default:
				silent++
			}
		}
	}
	if moved < 100 || held < 100 || silent < 100 || after < 25 {
		t.Errorf("%d moved, %d were held, %d of these because others moved, %d were silent: the test looks at nothing", moved, held, after, silent)
	}
}

// brief is a decision without what only an explanation keeps.
func brief(d Decision) string {
	text := fmt.Sprintf("%s %s %s %s %q %v %+v", d.VM, d.Verdict, d.Target, d.Why, d.Rule, d.Line, d.Vetoes)
	for _, c := range d.Candidates {
		if c.Said != SaidNothing {
			text += fmt.Sprintf(" | %s %s %g %d %d %+v", c.Node, c.Said, c.Weight, c.Guests, c.Rank, c.Vetoes)
		}
	}
	return text
}

// Several may be asked for, and one that the cluster does not have.
func TestAloneByName(t *testing.T) {
	in := world()
	in.Config.Balance = append(in.Config.Balance, "gone")
	for want, only := range map[string]func(VM) bool{
		"[openvz:101 openvz:102]": func(vm VM) bool { return vm.Owner == "n1" },
		"[gone]":                  func(vm VM) bool { return vm.Name == "gone" },
		"[]":                      func(VM) bool { return false },
	} {
		in.Only = only
		names := []string{}
		for _, d := range mustDecide(t, in).Decisions {
			names = append(names, d.VM)
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What the rails said is there for each candidate that the rule wanted, in their order, and for no other.
func TestAnswers(t *testing.T) {
	in := world()
	in.Config.Rails.Off = []string{"settling"}
	in.View.Quorate = false
	d := decisionOf(t, mustDecide(t, in), "openvz:101")
	var names []string
	for _, a := range d.Answers() {
		names = append(names, fmt.Sprintf("%s %v %v", a.Rail, a.Off, a.Text != ""))
	}
	want := []string{"stale-data false false", "not-started false false", "settling true false", "cool-down false false", "one-in-one-out false false", "in-balance false false", "moves-per-pass false false", "no-quorum false true"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	looks := 0
	for _, r := range Rails() {
		if r.target != nil {
			looks++
		}
	}
	if n := len(d.AnswersOn(&d.Candidates[0])); n != looks {
		t.Errorf("%d of %d rails answered of a candidate", n, looks)
	}
	silent := decisionOf(t, mustDecide(t, in), "xen:web")
	if silent.Answers() != nil {
		t.Error("nobody asked the rails of a VM that stays")
	}
}
