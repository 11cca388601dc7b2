package balance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// badAlgorithms never end, or would take all memory; by the limit that stops each.
func badAlgorithms() map[string][]string {
	return map[string][]string{
		"steps":         {"while (1) { }", "my $i = 0; until ($i < 0) { $i++ } migrate();", "eval { while (1) { } } while 1; migrate();"},
		"depth":         {"sub again { again(); } again(); migrate();", "my $f; $f = sub { eval { $f->() } }; $f->(); migrate();"},
		"bytes":         {"my $s = 'x'; $s .= $s while 1;", "my $s = 'x' x 1e9; migrate();"},
		"memory":        {"my @l; push @l, 'x' x 100000 while 1;"},
		"elements":      {"my @l = (1, 2); @l = (@l, @l) while 1;", "my @l = 1 .. 1e9; migrate();"},
		"output":        {"print 'x' x 1000 while 1; migrate();"},
		"steps or time": {"my $s = 'a' x 10000; 1 while $s !~ /(a*)*(b*)*(c?a?)*d/;"}, // whichever comes first
		"time":          {"my $s = '1' x 900000; 1 while $s + 1;"},
	}
}

// TestBadAlgorithms: one VM has each of them, before, between and behind VMs whose rules are good. The pass decides on all
// others as if the bad ones were not there, and says of each bad one which VM, which node and which limit it was.
func TestBadAlgorithms(t *testing.T) {
	in := world()
	may := []Placement{{"n1", 2}, {"n2", 2}, {"n3", 2}}
	var src strings.Builder
	limits := map[string]string{}
	for limit, codes := range badAlgorithms() {
		for i, code := range codes {
			for _, asks := range []bool{false, true} { // once for all nodes, or for each anew
				name := fmt.Sprintf("%s%d-%v", strings.ReplaceAll(limit, " ", "-"), i, asks)
				if limits["xen:"+name] = limit; asks {
					code = "my @other = res2('cpu', 1); " + code
				}
				in.View.VMs = append(in.View.VMs, VM{Name: name, Type: "xen", Service: "xen:" + name, Owner: "n1", State: Started, MayRun: may, Since: testNow.Add(-48 * time.Hour)})
				fmt.Fprintf(&src, "%s { algorithm { %s } }\n", name, code)
			}
		}
	}
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, strings.TrimPrefix(name, "xen:"))
	}
	slices.Sort(names)
	half := len(names) / 2
	order := slices.Concat([]string{"web"}, names[:half], []string{"102"}, names[half:], []string{"101"})
	text := "balance " + strings.Join(order, ", ") + ";\nweb { algorithm { report(); } }\n102 { algorithm { report() if res2('cpu', 1) < 0.2; } }\n" +
		"101 { algorithm { migrate() if average(res('cpu', 5)) > 0.7 && average(res2('cpu', 5)) < 0.2; } }\n" + src.String()
	var diags []conf.Diagnostic
	if in.Config, diags = compile(t, text); conf.HasErrors(diags) {
		t.Fatal(diags)
	}
	begun := processorTime(t)
	p := mustDecide(t, in)
	if took := processorTime(t) - begun; took > 20*time.Second { // of the 45 that the monitor waits
		t.Errorf("the pass took %v of the processor", took)
	}
	if got := moves(p); !slices.Equal(got, []string{"openvz:101 n1->n3"}) {
		t.Errorf("moves %q", got)
	}
	for vm, target := range map[string]string{"xen:web": "n3", "openvz:102": "n3"} {
		if d := decisionOf(t, p, vm); d.Verdict != ReportOnly || d.Target != target {
			t.Errorf("%s: %v to %s, %s", vm, d.Verdict, d.Target, d.Why)
		}
	}
	for vm, limit := range limits {
		d := decisionOf(t, p, vm)
		node := "n2" // the first that it could go to
		err := d.Err
		for i, c := range d.Candidates {
			if i == 0 {
				err = c.Err
			} else if c.Err == nil || !strings.Contains(c.Err.Error(), vm) || !strings.Contains(c.Err.Error(), "on node "+c.Node) {
				t.Errorf("%s, to %s: %v", vm, c.Node, c.Err)
			}
		}
		var re *perl.RuntimeError
		if !errors.As(err, &re) || re.Limit == "" || !strings.Contains(limit, re.Limit) || re.VM != vm || re.Node != node {
			t.Errorf("%s: %v, want the limit of %s", vm, err, limit)
		}
		if d.Verdict != Stay || !strings.Contains(d.Why, "algorithm of VM "+vm+" on node "+node+": limit: ") || !strings.Contains(d.Why, "lbvm.conf:") {
			t.Errorf("%s: %v, %q", vm, d.Verdict, d.Why)
		}
	}
}

// processorTime is what the tests have used so far. The clock on the wall would count what others use.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestManyLateRules: when rules have taken all their time often enough, the others get less, so that the pass ends.
func TestManyLateRules(t *testing.T) {
	in := world()
	in.Config.Balance, in.Config.Rules = nil, map[string]*Rule{}
	may := []Placement{{"n1", 2}, {"n2", 2}, {"n3", 2}}
	var times []time.Duration
	for i := range maxLate + 5 {
		name := fmt.Sprint("late", i)
		in.View.VMs = append(in.View.VMs, VM{Name: name, Type: "xen", Service: "xen:" + name, Owner: "n1", State: Started, MayRun: may, Since: testNow.Add(-48 * time.Hour)})
		in.Config.Balance = append(in.Config.Balance, name)
		in.Config.Rules[name] = &Rule{Name: name, Program: timed{&times}, At: perl.Position{File: "lbvm.conf", Line: i + 1, Col: 1}}
	}
	mustDecide(t, in)
	if len(times) != maxLate+5 {
		t.Fatalf("%d runs", len(times))
	}
	for i, limit := range times {
		if want := i >= maxLate; (limit == hurryTime) != want || !want && limit != 0 {
			t.Errorf("run %d had %v", i, limit)
		}
	}
}

// timed is a rule that takes all its time.
type timed struct{ times *[]time.Duration }

func (r timed) Run(_ context.Context, o perl.Options) (perl.Value, error) {
	*r.times = append(*r.times, o.Limits.Time)
	return perl.Undef(), &perl.RuntimeError{Limit: "time", Text: "limit: out of time\n", VM: o.VM, Node: o.Node}
}

func (timed) Deterministic() bool { return true }
