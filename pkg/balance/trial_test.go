package balance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// try runs code on n1, for the node target.
func try(t *testing.T, code, target string) Attempt {
	t.Helper()
	c, _ := compile(t, "balance 101; default { algorithm { migrate(); } }")
	p, diags := c.Compile(code, perl.Position{File: "algorithm"})
	if p == nil {
		t.Fatal(diags)
	}
	m := NewMemorySamples(3 * time.Minute)
	for node, base := range map[string]float64{"n1": 0.9, "n2": 0.3} {
		for i := range 10 {
			m.Add(node, "cpu", Sample{At: testNow.Add(-time.Duration(i) * time.Minute), Value: base})
		}
	}
	return c.Try(context.Background(), p, Trial{At: testNow, Owner: "n1", Target: target, Samples: m, Trace: true})
}

func TestTry(t *testing.T) {
	for _, c := range []struct {
		name, code, target string
		values, actions    string
		said               Said
		asked              bool
		err                string
	}{
		{"a value", "average(res('cpu', 5))", "", "[0.9]", "[]", SaidNothing, false, ""},
		{"a list", "res('cpu', 3)", "", "[0.9 0.9 0.9]", "[]", SaidNothing, false, ""},
		{"the target", "migrate(2) if average(res2('cpu', 5)) < 0.5; report(); migrate(1)", "n2", "[1]", "[migrate report migrate]", SaidMigrate, true, ""},
		{"no target", "report(); res2('cpu', 5)", "", "[]", "[report]", SaidNothing, true, "res2 asks for a node"},
		{"no data", "eval { res2('ram', 5) }; migrate()", "n2", "[1]", "[migrate]", SaidNothing, true, "no data for ram on n2"},
		{"an error behind it", "migrate(); die \"stop\\n\"", "", "[]", "[migrate]", SaidNothing, false, "stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := try(t, c.code, c.target)
			got := []string{}
			for _, v := range a.Values {
				got = append(got, v.String())
			}
			if fmt.Sprint(got) != c.values || fmt.Sprint(a.Actions) != c.actions || a.Said != c.said || a.AskedTarget != c.asked {
				t.Errorf("%+v", a)
			}
			if (a.Err == nil) != (c.err == "") || a.Err != nil && !strings.Contains(a.Err.Error(), c.err) {
				t.Errorf("error %v, want %q", a.Err, c.err)
			}
		})
	}
	a := try(t, "average(res('cpu', 5)) > 0.7", "")
	if len(a.Trace.Steps) == 0 || len(a.Reads) != 1 || a.Reads[0].Count != 5 {
		t.Errorf("%+v", a)
	}
	if a := try(t, "res2('cpu', 1)", ""); !errors.Is(a.Err, ErrNoTarget) {
		t.Error(a.Err)
	}
}

// A trial says of the same rule and the same samples what a pass says.
func TestTryAgreesWithDecide(t *testing.T) {
	for _, rule := range []string{
		"migrate(1 - average(res2('cpu', 5))) if average(res('cpu', 5)) > 0.5;", "report() if max(res('cpu', 3)) > 0.8;",
		"migrate() if average(res2('cpu', 2)) < 0.2;", "migrate() if res2('users', 5);", "die 'x';",
	} {
		p, _ := decideRule(t, rule)
		in := world()
		in.Config, _ = compile(t, "balance 101; default { algorithm { migrate(); } }")
		program, diags := in.Config.Compile(rule, perl.Position{})
		if program == nil {
			t.Fatal(diags)
		}
		for _, c := range p.Decisions[0].Candidates {
			a := in.Config.Try(context.Background(), program, Trial{At: in.At, Owner: "n1", Target: c.Node, Samples: in.Samples})
			if a.Said != c.Said || a.Weight != c.Weight || (a.Err == nil) != (c.Err == nil) {
				t.Errorf("%s for %s: tried %v %v %v, decided %v %v %v", rule, c.Node, a.Said, a.Weight, a.Err, c.Said, c.Weight, c.Err)
			}
		}
	}
}

func TestCheckWithoutResources(t *testing.T) {
	f, diags := conf.Examine("lbvm.conf", []byte("balance 1;\nlogdir relative;\ndefault { algorithm { migrate() if res('nosuch', 5) > 1; } }\n1 { algorithm { migrate() if max(res('cpu', 0)) > ; } }\n"))
	if f == nil || !conf.HasErrors(diags) {
		t.Fatalf("%v %v", f, diags)
	}
	var lines []int
	for _, d := range Check(f, nil) {
		if strings.Contains(d.Text, "unknown resource") {
			t.Error(d)
		}
		lines = append(lines, d.Line)
	}
	if !slices.Contains(lines, 3) || !slices.Contains(lines, 4) {
		t.Errorf("lines %v", lines)
	}
	r, _ := conf.ParseResources("r", []byte("resource cpu { builtin cpu; }"))
	if d := Check(f, r); !slices.ContainsFunc(d, func(d conf.Diagnostic) bool { return strings.Contains(d.Text, `unknown resource "nosuch"`) }) {
		t.Error(d)
	}
}

// The error of a limit names the VM and the node, as that of a pass does.
func TestTryLimit(t *testing.T) {
	c, _ := compile(t, "balance 101; default { algorithm { migrate(); } }")
	p, diags := c.Compile("1 while 1", perl.Position{File: "algorithm"})
	if p == nil {
		t.Fatal(diags)
	}
	for _, x := range []struct{ vm, target, want string }{
		{"openvz:101", "n2", "algorithm:1:1: algorithm of VM openvz:101 on node n2: limit: more than 1000000 steps"},
		{"openvz:101", "", "algorithm:1:1: algorithm of VM openvz:101: limit: more than 1000000 steps"},
		{"", "", "algorithm:1:1: limit: more than 1000000 steps"},
	} {
		a := c.Try(context.Background(), p, Trial{At: testNow, VM: x.vm, Owner: "n1", Target: x.target, Samples: NewMemorySamples(time.Minute)})
		if a.Err == nil || a.Err.Error() != x.want {
			t.Errorf("%v, want %s", a.Err, x.want)
		}
	}
}
