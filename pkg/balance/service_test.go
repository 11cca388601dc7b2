package balance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// twins are 101 and 102 in one service, alone on n1, which has other work besides.
func twins() Input {
	in := world()
	cores(&in, 4)
	in.View.VMs[0].Cores, in.View.VMs[1].Cores = 1, 0.8
	in.View.VMs[0].Service, in.View.VMs[1].Service = "service:twins", "service:twins"
	return in
}

func ago(d time.Duration) time.Time { return testNow.Add(-d) }

func doneMove(vm, from, to string, age time.Duration) Move {
	return Move{Txn: vm + age.String(), VM: vm, From: from, To: to, Begin: ago(age + time.Minute), End: ago(age), Outcome: OutcomeMoved, Owner: to}
}

func flyingMove(vm, from, to string, age time.Duration) Move {
	return Move{Txn: vm, VM: vm, From: from, To: to, Begin: ago(age)}
}

// The VMs of one service are judged and moved as one.
func TestServiceOfSeveralVMs(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *Input)
		want   []string
		why    string // of 101, with the vetoes of its candidates
	}{
		{"they go together: one move", func(*Input) {}, []string{"openvz:101 n1->n3"}, ""},
		{"one that says nothing does not hold the others", func(in *Input) {
			in.Config.Rules = map[string]*Rule{"102": rule(func(*evaluation) error { return nil })}
		}, []string{"openvz:101 n1->n3"}, ""},
		{"the second alone asks", func(in *Input) {
			in.Config.Rules = map[string]*Rule{"101": rule(func(*evaluation) error { return nil })}
		}, []string{"openvz:102 n1->n3"}, "its rule said nothing"},
		{"one is not in balance", func(in *Input) { in.Config.Balance = []string{"101", "web"} }, nil, "in-balance: openvz:102 of its service would go as well, and is not in balance"},
		{"one is named by another word", func(in *Input) { in.Config.Balance = []string{"101", "openvz:102"} }, []string{"openvz:101 n1->n3"}, ""},
		{"the memory of both", func(in *Input) {
			in.View.VMs[0].Mem, in.View.VMs[1].Mem = 400<<20, 500<<20
		}, []string{"openvz:101 n1->n2"}, "memory-headroom: of 1024 MiB that n3 has free it would take 900"},
		{"the memory of the other", func(in *Input) { in.View.VMs[1].Mem = 900 << 20 }, []string{"openvz:101 n1->n2"}, "it would take 900"},
		{"the load of both", func(in *Input) {
			in.View.VMs[0].Cores, in.View.VMs[1].Cores = 1.5, 1.6 // 0.1 + 3.1/4 is 0.875
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, nil, "projected-load: cpu of n3 would be 0.875 with it and 1 more of its service (measured), and is 0.9 on n1 now"},
		{"apart from a guest of the other", func(in *Input) {
			in.Config.Apart = [][]string{{"102", "web"}}
			in.View.VMs[2].Owner = "n3"
		}, []string{"openvz:101 n1->n2"}, "keep-apart: xen:web is to stay apart from it"},
		{"a node that was refused for the other", func(in *Input) { in.Refused = []Refusal{{"openvz:102", "n3", "too small"}} }, []string{"openvz:101 n1->n2"}, "preflight: too small"},
		{"the other was moved lately", func(in *Input) { in.Recent = []Move{doneMove("openvz:102", "n2", "n1", 20*time.Minute)} }, nil, "cool-down"},
		{"the other is on its way", func(in *Input) { in.Recent = []Move{flyingMove("openvz:102", "n1", "n3", time.Minute)} }, nil, "not-started: openvz:102 is on its way"},
		{"nobody knows where the other is", func(in *Input) { in.View.VMs[1].State, in.View.VMs[1].Owner = Unknown, "" }, nil, "not-started: openvz:102 of its service is unknown on no node"},
		{"the other is on another node", func(in *Input) { in.View.VMs[1].Owner = "n2" }, nil, "not-started: openvz:102 of its service is started on n2"},
		{"the other is frozen", func(in *Input) { in.View.VMs[1].Frozen = true }, nil, "not-started: openvz:102 of its service is frozen"},
	} {
		in := twins()
		c.change(&in)
		p := mustDecide(t, in)
		if got := moves(p); !slices.Equal(got, append([]string{}, c.want...)) {
			t.Errorf("%s: moves %q, want %q", c.name, got, c.want)
		}
		d := decisionOf(t, p, "openvz:101")
		text := d.Why
		for _, v := range d.Vetoes {
			text += "\n" + v.Rail + ": " + v.Text
		}
		for _, x := range d.Candidates {
			for _, v := range x.Vetoes {
				text += "\n" + v.Rail + ": " + v.Text
			}
		}
		if !strings.Contains(text, c.why) {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}

// All VMs of a service that is on its way count for the node that it goes to, in this pass and in flight.
func TestServiceOfSeveralVMsCounts(t *testing.T) {
	in := twins()
	in.View.VMs[0].Mem, in.View.VMs[1].Mem, in.View.VMs[2].Mem = 300<<20, 300<<20, 300<<20
	in.Config.Rails.MovesPerPass = 2
	in.Config.Rails.Off = []string{"one-in-one-out", "projected-load", "settling"}
	in.View.Nodes[1].Name, in.View.Nodes[1].Online = "n2", true
	steady(in.Samples.(*MemorySamples), "n2", "cpu", 0.8, 10)
	in.View.VMs[2].MayRun = []Placement{{"n3", 1}}
	held := func(want string) {
		t.Helper()
		d := decisionOf(t, mustDecide(t, in), "xen:web")
		if !strings.Contains(d.Why, want) {
			t.Errorf("web: %s", d.Why)
		}
	}
	held("memory-headroom: of 424 MiB that n3 has free it would take 300") // 1024 - 600
	in.Recent = []Move{flyingMove("openvz:102", "n1", "n3", time.Minute)}
	held("memory-headroom: of 424 MiB that n3 has free it would take 300")
}

// A restart in place is no move.
func TestRestartInPlaceIsNoMove(t *testing.T) {
	in := world()
	in.Config.Balance = []string{"101"}
	in.Recent = []Move{doneMove("openvz:101", "n1", "n1", 20*time.Minute)}
	in.View.VMs[0].Since, in.View.VMs[0].LastOwner = ago(20*time.Minute), "n1"
	if got := moves(mustDecide(t, in)); len(got) != 1 {
		t.Errorf("moves %q", got)
	}
	in.Recent[0].From = "n9"
	if got := moves(mustDecide(t, in)); len(got) != 0 {
		t.Errorf("behind a move: %q", got)
	}
}

// Each VM of a service has its own switch: what one has switched off gives no other one away.
func TestKeepApartIsEachVMsOwn(t *testing.T) {
	off := func(of ...string) map[string]*Rule {
		rules := map[string]*Rule{}
		for _, name := range of {
			r := hot()
			r.Name, r.Rails = name, map[string]bool{keepApart: false}
			rules[name] = r
		}
		return rules
	}
	for _, c := range []struct {
		name   string
		change func(*Input)
		want   []string
	}{
		{"switched off, with a companion that is not in balance", func(in *Input) {
			in.Config.Rules, in.Config.Balance = off("101"), []string{"101", "web"}
		}, nil},
		{"switched off for all, with a companion that is not in balance", func(in *Input) {
			in.Config.Rails.Off, in.Config.Balance = []string{keepApart}, []string{"101", "web"}
		}, nil},
		{"its own neighbour, switched off", func(in *Input) {
			in.Config.Rules, in.Config.Apart = off("101"), [][]string{{"101", "web"}}
		}, []string{"openvz:101 n1->n3"}},
		{"the companion's neighbour, which did not", func(in *Input) {
			in.Config.Rules, in.Config.Apart = off("101"), [][]string{{"102", "web"}}
		}, []string{"openvz:101 n1->n2"}},
		{"the neighbour of both", func(in *Input) {
			in.Config.Rules, in.Config.Apart = off("101"), [][]string{{"101", "102", "web"}}
		}, []string{"openvz:101 n1->n2"}},
		{"both have switched it off", func(in *Input) {
			in.Config.Rules, in.Config.Apart = off("101", "102"), [][]string{{"101", "102", "web"}}
		}, []string{"openvz:101 n1->n3"}},
		{"the neighbour has switched it off, and is no mover", func(in *Input) {
			in.Config.Rules, in.Config.Apart = off("web"), [][]string{{"101", "web"}}
		}, []string{"openvz:101 n1->n2"}},
		{"a neighbour that is not in balance", func(in *Input) {
			in.Config.Apart, in.Config.Balance = [][]string{{"102", "web"}}, []string{"101", "102"}
		}, []string{"openvz:101 n1->n2"}},
		{"together with one elsewhere, which the companion keeps to", func(in *Input) {
			in.Config.Rules, in.Config.Together = off("101"), [][]string{{"102", "web"}}
			in.View.VMs[2].Owner = "n2"
		}, []string{"openvz:101 n1->n2"}},
	} {
		in := twins()
		in.View.VMs[2].Owner = "n3"
		c.change(&in)
		p := mustDecide(t, in)
		if got := moves(p); !slices.Equal(got, append([]string{}, c.want...)) {
			t.Errorf("%s: moves %q, want %q: %s", c.name, got, c.want, decisionOf(t, p, "openvz:101").Why)
		}
		if c.want == nil && (p.Rails["in-balance"] == 0 || p.Rails[keepApart] > 0) {
			t.Errorf("%s: it is counted as %v", c.name, p.Rails)
		}
	}
}

// So it is with what a person wishes: of a unit each is held by its own neighbours.
func TestKeepApartOfAWish(t *testing.T) {
	for _, c := range []struct {
		off  string
		want string
	}{{"", "n2"}, {"101", "n3"}, {"102", "n2"}} {
		in := twins()
		in.View.VMs[2].Owner = "n3"
		in.Config.Apart = [][]string{{"101", "web"}}
		if c.off != "" {
			r := hot()
			r.Rails = map[string]bool{keepApart: false}
			in.Config.Rules = map[string]*Rule{c.off: r}
		}
		list, err := Grant(context.Background(), in, Wish{VMs: []string{"101", "102"}, Prefer: map[string]string{"openvz:101": "n3", "openvz:102": "n3"}})
		if err != nil || len(list) != 2 || list[0].Target != c.want || list[1].Target != c.want {
			t.Errorf("off for %q: %+v, %v; want %s", c.off, list, err, c.want)
		}
	}
}
