package balance

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	p := mustDecide(t, world())
	if got := moves(p); !slices.Equal(got, []string{"openvz:101 n1->n3"}) {
		t.Fatalf("moves %q", got)
	}
	d := p.Decisions[0]
	if d.Line == nil || d.Line.Line != 12 || d.Line.Text != "migrate();" || d.Line.File != "lbvm.conf" {
		t.Errorf("line %+v", d.Line)
	}
	if len(d.Reads) != 1 || d.Reads[0].Node != "n1" || d.Reads[0].Minutes != 5 || d.Reads[0].Count != 5 || fmt.Sprintf("%.2f", d.Reads[0].Average) != "0.90" {
		t.Errorf("reads of the owner: %+v", d.Reads[0])
	}
	if len(d.Candidates) != 2 || d.Considered != 2 {
		t.Fatalf("candidates %+v", d.Candidates)
	}
	n2, n3 := d.Candidates[0], d.Candidates[1]
	if n3.Rank != 1 || n2.Rank != 2 || n3.Measured == nil || n3.Measured.Node != "n3" || n3.Reads[0].Minutes != 2 || n3.Trace == nil {
		t.Errorf("n2 %+v, n3 %+v", n2, n3)
	}
	if !strings.Contains(d.Why, "lbvm.conf:12 said migrate") {
		t.Errorf("why %q", d.Why)
	}
	held := decisionOf(t, p, "openvz:102")
	if held.Verdict != Stay || held.Target != "" || !strings.Contains(held.Why, "held back by one-in-one-out") || held.Line == nil {
		t.Errorf("102: %+v", held)
	}
	web := decisionOf(t, p, "xen:web")
	if web.Why != "its rule said nothing" || len(web.Candidates) != 0 || web.Considered != 2 || len(web.Reads) != 1 {
		t.Errorf("web, whose rule looked at no target: %+v", web)
	}
	if len(p.Rails) != len(Rails()) || p.Rails["moves-per-pass"] != 1 || p.Rails["settling"] != 0 {
		t.Errorf("rails %v", p.Rails)
	}
}

func TestRank(t *testing.T) {
	c := func(node string, weight float64, score int, mean float64, guests int) Candidate {
		x := Candidate{Node: node, Weight: weight, Score: score, Guests: guests}
		if mean >= 0 {
			x.Measured = &Read{Average: mean}
		}
		return x
	}
	list := []Candidate{
		c("g", 0, 0, -1, 9), c("f", 0, 0, -1, 9), c("e", 0, 0, -1, 1), c("d", 0, 0, 0.5, 9), c("c", 0, 0, 0.2, 99), c("b", 0, 3, 0.9, 99), c("a", 1, 0, 0.9, 99),
	}
	order := []int{0, 1, 2, 3, 4, 5, 6}
	rank(list, order)
	got := ""
	for _, i := range order {
		got += list[i].Node
	}
	if got != "abcdefg" {
		t.Errorf("order %s", got)
	}
}

func TestWeightsAndReports(t *testing.T) {
	in := world()
	in.Config.Default = rule(func(e *evaluation) error {
		if e.target.Name == "n2" {
			e.say(SaidMigrate, 1, saidAt)
			e.say(SaidMigrate, 5, saidAt)
			e.say(SaidReport, 9, saidAt)
		}
		e.askedTarget = true
		e.say(SaidMigrate, 2, saidAt)
		return nil
	})
	if got := moves(mustDecide(t, in)); !slices.Equal(got, []string{"openvz:101 n1->n2"}) {
		t.Errorf("weight: %q", got)
	}
	in.Config.Default = rule(func(e *evaluation) error {
		e.askedTarget = true
		e.say(SaidReport, 0, saidAt)
		return nil
	})
	in.View.Quorate = false // a report moves nothing
	p := mustDecide(t, in)
	if d := p.Decisions[0]; d.Verdict != ReportOnly || d.Target != "n3" || !strings.Contains(d.Why, "said report") {
		t.Errorf("report: %+v", d)
	}
	in.View.Quorate = true
	in.Config.Default = rule(func(e *evaluation) error { // an error cancels both
		e.say(SaidMigrate, 0, saidAt)
		e.say(SaidReport, 0, saidAt)
		return errors.New("division by zero")
	})
	p = mustDecide(t, in)
	if d := p.Decisions[0]; d.Verdict != Stay || d.Err == nil || d.Why != "division by zero" {
		t.Errorf("error: %+v", d)
	}
}

// Of a VM on its way it is told where to, since when and by whom.
func TestOnItsWay(t *testing.T) {
	in := world()
	in.View.VMs[0].State = Stopping
	in.Recent = []Move{flyingMove("openvz:101", "n1", "n3", time.Minute)}
	in.Recent[0].By = "lbm migrate"
	why := mustDecide(t, in).Decisions[0].Why
	if want := "its rule was not asked: it is stopping on n1; openvz:101 is on its way from n1 to n3 since " + ago(time.Minute).Format(time.RFC3339) + ", asked for by lbm migrate"; why != want {
		t.Errorf("%q, want %q", why, want)
	}
}

// A rule that catches the lack of data with eval {} cannot act on it.
func TestCaughtError(t *testing.T) {
	in := world()
	in.Config.Default = rule(func(e *evaluation) error {
		if _, err := e.window("ram", 2, true); err == nil {
			t.Error("there is no ram")
		}
		e.say(SaidMigrate, 0, saidAt)
		return nil
	})
	p := mustDecide(t, in)
	if len(moves(p)) > 0 || p.Decisions[0].Why != "no data for ram on n2 (and 1 more)" || !errors.Is(p.Decisions[0].Candidates[0].Err, ErrNoData) {
		t.Errorf("%q %+v", moves(p), p.Decisions[0])
	}
}

func TestBrokenAndUnknown(t *testing.T) {
	in := world()
	in.Config.Rules["101"] = &Rule{Name: "101", Err: errors.New("lbvm.conf:3:1: syntax error")}
	in.Config.Balance = []string{"nobody", "101", "openvz:102", "102", "service:b"}
	p := mustDecide(t, in)
	if got := moves(p); !slices.Equal(got, []string{"openvz:102 n1->n3"}) {
		t.Errorf("moves %q", got)
	}
	if len(p.Decisions) != 3 || p.Decisions[0].Err == nil || !strings.Contains(p.Decisions[1].Why, "lbvm.conf:3:1") {
		t.Errorf("%+v", p.Decisions)
	}
	in.View.VMs[2].Name = "102"
	in.Config.Balance = []string{"102"}
	if p = mustDecide(t, in); !strings.Contains(p.Decisions[0].Why, "openvz:102 or xen:102") {
		t.Errorf("%+v", p.Decisions)
	}
}

func TestRuleOf(t *testing.T) {
	c := &Config{Default: &Rule{Name: "default"}, Rules: map[string]*Rule{}}
	vm := &VM{Name: "101", Type: "openvz", Service: "service:shop"}
	if got := c.rule(vm, "101"); got != c.Default {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"shop", "service:shop", "101", "openvz:101"} { // each nearer than the one before
		c.Rules[name] = &Rule{Name: name}
		if got := c.rule(vm, "101"); got.Name != name {
			t.Errorf("%v, want %s", got, name)
		}
	}
}

func TestTraceIsAsked(t *testing.T) {
	in := world()
	asked := []string{}
	in.Trace = func(vm string) bool { asked = append(asked, vm); return vm == "xen:web" }
	p := mustDecide(t, in)
	web := decisionOf(t, p, "xen:web")
	if len(web.Candidates) != 2 || web.Candidates[0].Trace == nil || web.Candidates[1].Trace == nil || len(asked) != 3 {
		t.Errorf("%+v, asked %q", web, asked)
	}
}

func TestOnceForAll(t *testing.T) {
	in := world()
	in.Config.Balance = []string{"101"}
	runs := 0
	r := rule(func(e *evaluation) error { runs++; e.say(SaidMigrate, 0, saidAt); return nil })
	in.Config.Default = r
	p := mustDecide(t, in)
	if runs != 2 || len(p.Decisions[0].Candidates) != 2 { // the second is for the trace
		t.Errorf("%d runs, %+v", runs, p.Decisions[0])
	}
	runs = 0
	r.Program = stub{r.Program.(stub).f, false}
	mustDecide(t, in)
	if runs != 2 { // once for each candidate, none for the trace
		t.Errorf("%d runs of a rule that is not deterministic", runs)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := Decide(ctx, world()); !errors.Is(err, context.Canceled) || p != nil {
		t.Errorf("%v %v", p, err)
	}
	if _, err := Decide(context.Background(), Input{}); err == nil {
		t.Error("decided without a configuration")
	}
}

func TestBest(t *testing.T) {
	in := world()
	d, err := Best(context.Background(), in, "101")
	if err != nil || d.Verdict != Migrate || d.Target != "n3" {
		t.Errorf("%+v %v", d, err)
	}
	in.View.VMs[0].Frozen = true
	if d, err = Best(context.Background(), in, "service:a"); err != nil || d.Verdict != Stay || d.Candidates[1].Rank != 1 || len(d.Vetoes) != 1 {
		t.Errorf("frozen: %+v %v", d, err)
	}
	if _, err = Best(context.Background(), in, "nobody"); err == nil {
		t.Error("a VM that is not there")
	}
}

// The same input gives the same pass, and is left as it was.
func TestPure(t *testing.T) {
	for seed := range int64(50) {
		a, b := randomInput(seed), randomInput(seed)
		p, q, again := mustDecide(t, a), mustDecide(t, b), mustDecide(t, a)
		for _, x := range []*Pass{q, again} {
			lp, err1 := EncodePass(p)
			lq, err2 := EncodePass(x)
			if err1 != nil || err2 != nil || string(lp) != string(lq) || !reflect.DeepEqual(p.Decisions, x.Decisions) {
				t.Fatalf("seed %d: two passes over one input differ (go test -run TestPure)", seed)
			}
		}
		if !reflect.DeepEqual(a.View, b.View) || !reflect.DeepEqual(a.Recent, b.Recent) {
			t.Fatalf("seed %d: the input was changed", seed)
		}
	}
}

// randomInput is a cluster in which data are missing, old, in the future or good.
func randomInput(seed int64) Input {
	rnd := rand.New(rand.NewSource(seed))
	s := NewMemorySamples(3 * time.Minute)
	in := Input{At: testNow, Samples: s, View: View{Quorate: true}}
	in.Config = &Config{Default: hot(), Rules: map[string]*Rule{}, Resources: []Resource{{"cpu", "cpu", true, true}}, Rails: RailSettings{MovesPerPass: 1 + rnd.Intn(9)}}
	nodes := 2 + rnd.Intn(6)
	var may []Placement
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		in.View.Nodes = append(in.View.Nodes, Node{Name: name, Online: rnd.Intn(8) > 0})
		may = append(may, Placement{name, rnd.Intn(2)})
		shift := time.Duration(0)
		switch rnd.Intn(5) {
		case 0:
			continue
		case 1:
			shift = time.Duration(rnd.Intn(60)-30) * time.Minute
		}
		value := rnd.Float64()
		for j := range 6 {
			if rnd.Intn(4) > 0 {
				s.Add(name, "cpu", Sample{testNow.Add(shift - time.Duration(j)*time.Minute), value})
			}
		}
	}
	for i := range 1 + rnd.Intn(10) {
		vm := VM{Name: fmt.Sprint(i), Type: "openvz", Owner: fmt.Sprintf("n%d", rnd.Intn(nodes)), State: State(rnd.Intn(2)), MayRun: may}
		if rnd.Intn(4) == 0 {
			vm.Since = testNow.Add(-time.Duration(rnd.Intn(7200)) * time.Second)
		}
		in.View.VMs = append(in.View.VMs, vm)
		in.Config.Balance = append(in.Config.Balance, vm.Name)
		if rnd.Intn(2) == 0 {
			in.Config.Rules[vm.Name] = ownOnly(1 + rnd.Intn(10))
		}
		if rnd.Intn(4) == 0 {
			begin := testNow.Add(-time.Duration(rnd.Intn(7200)) * time.Second)
			m := Move{Txn: fmt.Sprint(i), VM: vm.ID(), From: "n0", To: "n1", Begin: begin}
			if rnd.Intn(2) == 0 {
				m.End, m.Outcome = begin.Add(time.Second), OutcomeMoved
			}
			in.Recent = append(in.Recent, m)
		}
	}
	return in
}

// Whatever a rule says: nothing moves from or to a node that has no fresh sample of what the rule read.
func TestNothingMovesWithoutData(t *testing.T) {
	total := 0
	for seed := range int64(3000) {
		in := randomInput(seed)
		p := mustDecide(t, in)
		out, inn := map[string]bool{}, map[string]bool{}
		for _, d := range p.Moves() {
			total++
			for _, n := range []string{d.Owner, d.Target} {
				list, err := in.Samples.Window(n, "cpu", testNow.Add(-10*time.Minute), testNow)
				if err != nil || len(list) == 0 || testNow.Sub(list[0].At) >= 3*time.Minute || list[0].At.After(testNow) {
					t.Fatalf("seed %d: %s moves %s->%s without data of %s: %v", seed, d.VM, d.Owner, d.Target, n, err)
				}
			}
			if out[d.Owner] || inn[d.Target] || d.Owner == d.Target {
				t.Fatalf("seed %d: two moves from %s or to %s", seed, d.Owner, d.Target)
			}
			out[d.Owner], inn[d.Target] = true, true
		}
		if len(p.Moves()) > in.Config.Rails.MovesPerPass {
			t.Fatalf("seed %d: %d moves", seed, len(p.Moves()))
		}
	}
	if total < 100 {
		t.Errorf("only %d moves in all: the test looks at nothing", total)
	}
}

func big(nodes, vms int, hotShare float64) Input {
	in := Input{At: testNow, View: View{Quorate: true}}
	s := NewMemorySamples(3 * time.Minute)
	in.Samples = s
	in.Config = &Config{Default: hot(), Rules: map[string]*Rule{}, Resources: []Resource{{"cpu", "cpu", true, true}}}
	var may []Placement
	for i := range nodes {
		name := fmt.Sprintf("node%03d", i)
		in.View.Nodes = append(in.View.Nodes, Node{Name: name, Online: true})
		may = append(may, Placement{name, 1})
		load := 0.3
		if float64(i) < hotShare*float64(nodes) {
			load = 0.9
		}
		steady(s, name, "cpu", load, 10)
	}
	for i := range vms {
		name := fmt.Sprint(1000 + i)
		in.View.VMs = append(in.View.VMs, VM{Name: name, Type: "openvz", Owner: fmt.Sprintf("node%03d", i%nodes), State: Started, MayRun: may})
		in.Config.Balance = append(in.Config.Balance, name)
		in.Config.Rules[name] = hot()
	}
	return in
}

func BenchmarkDecide(b *testing.B) {
	for _, share := range []float64{0, 0.1, 1} {
		b.Run(fmt.Sprintf("200x5000/hot=%v", share), func(b *testing.B) {
			in := big(200, 5000, share)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := Decide(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
