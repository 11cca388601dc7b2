package balance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Each row holds a move back by one rail; without that rail the move is made. want is what is left of the moves with
// the rail, free what comes without it.
func TestRails(t *testing.T) {
	ago := func(d time.Duration) time.Time { return testNow.Add(-d) }
	done := func(vm, from, to string, age time.Duration) Move {
		return Move{Txn: vm + age.String(), VM: vm, From: from, To: to, Begin: ago(age + time.Minute), End: ago(age), Outcome: OutcomeMoved, Owner: to}
	}
	flying := func(vm, from, to string, age time.Duration) Move {
		return Move{Txn: vm, VM: vm, From: from, To: to, Begin: ago(age)}
	}
	first := []string{"openvz:101 n1->n3"}
	for _, c := range []struct {
		name, rail string
		change     func(in *Input)
		want, free []string
		text       string // in a veto of the rail
	}{
		{"a target whose samples are old", "stale-data", func(in *Input) {
			in.Config.Default = ownOnly(5)
			s := NewMemorySamples(3 * time.Minute)
			steady(s, "n1", "cpu", 0.9, 10)
			s.Add("n2", "cpu", Sample{ago(4 * time.Minute), 0.1})
			in.Samples = s
			in.View.Nodes = in.View.Nodes[:2]
		}, nil, []string{"openvz:101 n1->n2"}, "no fresh data for cpu on n2: the newest is 4m0s old"},
		{"a target without samples", "stale-data", func(in *Input) {
			in.Config.Default = ownOnly(5)
			s := NewMemorySamples(3 * time.Minute)
			steady(s, "n1", "cpu", 0.9, 10)
			in.Samples = s
			in.View.Nodes = in.View.Nodes[:2]
		}, nil, []string{"openvz:101 n1->n2"}, "no data for cpu on n2"},
		{"the owner's clock is ahead", "stale-data", func(in *Input) {
			in.View.Nodes[0].Seen = testNow.Add(3 * time.Minute)
			in.Config.Balance = []string{"101"}
		}, nil, first, "n1 says that it measured at 2008-01-15T14:33:00Z"},
		{"a target's clock is ahead", "stale-data", func(in *Input) {
			in.View.Nodes[2].Seen = testNow.Add(10 * time.Minute)
		}, []string{"openvz:101 n1->n2"}, first, "n3 says that it measured at"},
		{"frozen", "not-started", func(in *Input) { in.View.VMs[0].Frozen = true; in.Config.Balance = []string{"101"} }, nil, first, "it is frozen"},
		{"its own move in flight", "not-started", func(in *Input) {
			in.Config.Balance = []string{"101"}
			in.Recent = []Move{flying("openvz:101", "n3", "n1", 59*time.Minute)}
			in.Config.Rails.Cooldown = time.Minute
		}, nil, first, "is on its way from n3 to n1"},
		{"a brother in its service moves", "not-started", func(in *Input) {
			in.View.VMs[1].Service = "service:a"
			in.Config.Rails.MovesPerPass = 9
			in.View.VMs[1].Owner, in.View.VMs[1].MayRun = "n1", []Placement{{"n2", 1}}
		}, first, nil, "openvz:101 moves to n3 in this pass"},
		{"a target that is evacuated", "evacuated", func(in *Input) {
			in.View.Nodes[2].Closed = "node n3 is evacuated"
		}, []string{"openvz:101 n1->n2"}, first, "node n3 is evacuated"},
		{"the owner settles after a departure", "settling", func(in *Input) {
			in.Recent = []Move{done("openvz:900", "n1", "n2", time.Minute)}
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, nil, first, "n1: openvz:900 left 1m0s ago"},
		{"a target settles after a move to it that failed", "settling", func(in *Input) {
			m := done("openvz:900", "n2", "n3", time.Minute)
			m.Outcome, m.Owner = OutcomeFailed, "n2"
			in.Recent = []Move{m}
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, nil, first, "n3: a move of openvz:900 ended as failed 1m0s ago"},
		{"the owner settles after an arrival that others caused", "settling", func(in *Input) {
			in.View.VMs[1].Since = ago(119 * time.Second)
		}, nil, first, "n1: openvz:102 came or changed its state 1m59s ago"},
		{"the owner settles after a departure that others caused", "settling", func(in *Input) {
			in.View.VMs[2].Since, in.View.VMs[2].LastOwner = ago(time.Minute), "n1"
		}, nil, first, "n1: xen:web left 1m0s ago"},
		{"the targets settle after failed moves", "settling", func(in *Input) {
			for _, n := range []string{"n2", "n3"} {
				m := done("xen:x", "n9", n, time.Minute)
				m.Outcome = OutcomeFailed
				in.Recent = append(in.Recent, m)
			}
		}, nil, first, "n3: a move of xen:x ended as failed 1m0s ago"},
		{"a change in the future", "settling", func(in *Input) { in.View.VMs[1].Since = ago(-time.Hour) }, nil, first, "do the clocks agree?"},
		{"cool-down", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101"}
			in.Recent = []Move{done("openvz:101", "n2", "n1", 29*time.Minute)}
		}, nil, first, "it moved 29m0s ago and rests for 30m0s"},
		{"cool-down after a failed move", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101"}
			in.Recent = []Move{done("openvz:101", "n1", "n2", 29*time.Minute)}
			in.Recent[0].Outcome = OutcomeFailed
		}, nil, first, "rests for 30m0s"},
		{"cool-down doubles", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101"}
			in.Recent = []Move{done("openvz:101", "n1", "n2", 20*time.Hour), done("openvz:101", "n2", "n1", 59*time.Minute)}
		}, nil, first, "it moved 59m0s ago and rests for 1h0m0s (2 in 24 hours)"},
		{"a fixed cool-down does not double", "cool-down", func(in *Input) {
			in.Config.Balance, in.Config.Rails.Fixed = []string{"101"}, true
			in.Recent = []Move{done("openvz:101", "n1", "n2", 20*time.Hour), done("openvz:101", "n2", "n1", 29*time.Minute)}
		}, nil, first, "it moved 29m0s ago and rests for 30m0s (2 in 24 hours)"},
		{"cool-down ends at eight times", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101"}
			for i := range 9 {
				in.Recent = append(in.Recent, done("openvz:101", "n2", "n1", 239*time.Minute+time.Duration(i)*time.Hour))
			}
		}, nil, first, "it moved 3h59m0s ago and rests for 4h0m0s (9 in 24 hours)"},
		{"cool-down after somebody else's move", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101"}
			in.View.VMs[0].Since, in.View.VMs[0].LastOwner = ago(20*time.Minute), "n2"
		}, nil, first, "it moved 20m0s ago"},
		{"cool-down of a brother in its service", "cool-down", func(in *Input) {
			in.Config.Balance = []string{"101", "102"}
			in.View.VMs[1].Service = "service:a"
			in.Recent = []Move{done("openvz:102", "n2", "n1", 20*time.Minute)}
		}, nil, first, "it moved 20m0s ago"},
		{"refused by the mover", "preflight", func(in *Input) {
			in.Refused = []Refusal{{"openvz:101", "n3", "node n3 has 1 MiB free"}, {"openvz:102", "n1", "not asked"}}
		}, []string{"openvz:101 n1->n2"}, first, "node n3 has 1 MiB free"},
		{"one out in a pass", "one-in-one-out", func(in *Input) { in.Config.Rails.MovesPerPass = 9 },
			first, []string{"openvz:101 n1->n3", "openvz:102 n1->n2"}, "n1 gives openvz:101 just now"},
		{"one in in a pass", "one-in-one-out", func(in *Input) {
			in.Config.Rails.MovesPerPass = 9
			in.Config.Balance = []string{"101", "102"}
			in.View.VMs[1].Owner, in.View.VMs[1].MayRun = "n2", []Placement{{"n3", 1}}
			steady(in.Samples.(*MemorySamples), "n2", "cpu", 0.8, 10)
		}, first, []string{"openvz:101 n1->n3", "openvz:102 n2->n3"}, "n3 takes openvz:101 just now"},
		{"one out, a move in flight", "one-in-one-out", func(in *Input) { in.Recent = []Move{flying("xen:x", "n1", "n9", 59*time.Minute)} }, nil, first, "n1 gives xen:x just now"},
		{"one in, moves in flight", "one-in-one-out", func(in *Input) {
			in.Recent = []Move{flying("xen:x", "n9", "n3", time.Minute), flying("xen:y", "n9", "n2", time.Minute)}
		}, nil, []string{"openvz:101 n1->n3"}, "n3 takes xen:x just now"},
		{"one out, seen by the manager", "one-in-one-out", func(in *Input) { in.View.VMs[1].State = Stopping }, nil, first, "n1 gives openvz:102 just now"},
		{"one in, seen by the manager", "one-in-one-out", func(in *Input) {
			in.View.VMs[2].Owner, in.View.VMs[2].State = "n3", Starting
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, nil, first, "n3 takes xen:web just now"},
		{"one move a pass", "moves-per-pass", func(in *Input) {
			in.View.VMs[1].Owner, in.View.VMs[1].MayRun = "n4", []Placement{{"n2", 1}}
			in.View.Nodes = append(in.View.Nodes, Node{Name: "n4", Online: true})
			steady(in.Samples.(*MemorySamples), "n4", "cpu", 0.9, 10)
		}, first, []string{"openvz:101 n1->n3", "openvz:102 n4->n2"}, "1 of 1 moves of this pass are given"},
		{"no quorum", "no-quorum", func(in *Input) { in.View.Quorate = false }, nil, first, "no quorum"},
		{"the load would change places", "projected-load", func(in *Input) {
			in.View.VMs[1].Owner = "n2" // alone on its node
		}, nil, first, "cpu of n3 would be 1 with it (an even share), and is 0.9 on n1 now"},
		{"the load would change places, measured", "projected-load", func(in *Input) {
			cores(in, 4)
			in.View.VMs[0].Cores = 3
		}, []string{"openvz:102 n1->n3"}, first, "cpu of n3 would be 0.85 with it (measured), and is 0.9 on n1 now"},
		{"a move in flight counts", "projected-load", func(in *Input) {
			cores(in, 4)
			in.Config.Balance, in.Config.Rails.Off = []string{"102"}, []string{"one-in-one-out", "settling"}
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
			in.View.VMs[2].Cores, in.View.VMs[1].Cores = 2, 1.5
			in.Recent = []Move{flying("xen:web", "n2", "n3", time.Minute)}
		}, nil, []string{"openvz:102 n1->n3"}, "cpu of n3 would be 0.975 with it (measured)"},
		{"a smaller target", "projected-load", func(in *Input) {
			cores(in, 8)
			in.View.Nodes[2].Cores, in.View.VMs[0].Cores = 2, 1.6
			in.Config.Balance = []string{"101"}
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, nil, first, "cpu of n3 would be 0.9 with it"},
		{"too little memory", "memory-headroom", func(in *Input) {
			in.View.VMs[0].Mem = 1<<30 - 4<<30/20 + 1
		}, []string{"openvz:101 n1->n2"}, first, "of 1024 MiB that n3 has free it would take"},
		{"back to where it was", "cycle-guard", func(in *Input) {
			in.Recent = []Move{done("openvz:101", "n3", "n1", 2*time.Hour)}
		}, []string{"openvz:101 n1->n2"}, first, "it left n3 2h0m0s ago, and does not go back"},
		{"back to where somebody else took it from", "cycle-guard", func(in *Input) {
			in.View.VMs[0].LastOwner, in.View.VMs[0].Since = "n3", ago(time.Hour)
		}, []string{"openvz:101 n1->n2"}, first, "it left n3 1h0m0s ago"},
		{"where it failed", "back-off", func(in *Input) {
			in.Recent = []Move{{Txn: "1", VM: "openvz:101", From: "n1", To: "n3", Begin: ago(time.Hour), End: ago(59 * time.Minute), Outcome: OutcomeFailed, Owner: "n1"}}
		}, []string{"openvz:101 n1->n2"}, first, "its move to n3 ended as failed 59m0s ago"},
		{"where it failed twice", "back-off", func(in *Input) {
			for i := range 2 {
				end := ago(time.Duration(2-i)*time.Hour - time.Minute + time.Hour*time.Duration(i)*59/60)
				in.Recent = append(in.Recent, Move{Txn: end.String(), VM: "openvz:101", From: "n1", To: "n3", Begin: end, End: end, Outcome: OutcomeFailed, Owner: "n1"})
			}
		}, []string{"openvz:101 n1->n2"}, first, "is not tried again for 2h0m0s (2 in 24 hours)"},
		{"apart", "keep-apart", func(in *Input) {
			in.Config.Apart = [][]string{{"nobody", "101", "web"}}
			in.View.VMs[2].Owner = "n3"
		}, []string{"openvz:101 n1->n2"}, first, "xen:web is to stay apart from it, and is on n3"},
		{"apart from one on its way", "keep-apart", func(in *Input) {
			in.Config.Apart = [][]string{{"service:a", "xen:web"}}
			in.Config.Rails.Off = append(in.Config.Rails.Off, "one-in-one-out", "settling")
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
			in.Recent = []Move{flying("xen:web", "n2", "n3", time.Minute)}
		}, []string{"openvz:102 n1->n3"}, first, "on its way there"},
		{"together", "keep-apart", func(in *Input) {
			in.Config.Together = [][]string{{"101", "102"}}
			in.Config.Balance = []string{"101"}
		}, nil, first, "openvz:102 is to stay with it, and is on n1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := world()
			if c.rail != "projected-load" { // a node of which one guest is all the load
				in.Config.Rails.Off = []string{"projected-load"}
			}
			c.change(&in)
			p := mustDecide(t, in)
			if got := moves(p); !slices.Equal(got, c.want) {
				t.Errorf("moves %q, want %q", got, c.want)
			}
			if p.Rails[c.rail] == 0 {
				t.Errorf("the rail %s was not counted: %v", c.rail, p.Rails)
			}
			seen := false
			for _, d := range p.Decisions {
				all := d.Vetoes
				for _, x := range d.Candidates {
					all = append(all, x.Vetoes...)
				}
				for _, v := range all {
					seen = seen || v.Rail == c.rail && strings.Contains(v.Text, c.text)
				}
			}
			if !seen {
				t.Errorf("no veto of %s says %q: %+v", c.rail, c.text, p.Decisions)
			}
			free := c.free
			if got := moves(mustDecideWith(t, in, without(c.rail))); free != nil && !slices.Equal(got, free) {
				t.Errorf("without the rail %q, want %q", got, free)
			}
		})
	}
}

// What lies just outside of a rail lets pass.
func TestRailsLetPass(t *testing.T) {
	ago := func(d time.Duration) time.Time { return testNow.Add(-d) }
	for _, c := range []struct {
		name   string
		change func(in *Input)
	}{
		{"nothing", func(in *Input) {}},
		{"settled", func(in *Input) { in.View.VMs[1].Since, in.View.VMs[1].LastOwner = ago(2*time.Minute), "n3" }},
		{"cooled down", func(in *Input) {
			in.Recent = []Move{{Txn: "1", VM: "openvz:101", From: "n2", To: "n1", Begin: ago(31 * time.Minute), End: ago(30 * time.Minute), Outcome: OutcomeMoved}}
		}},
		{"a move of yesterday does not double", func(in *Input) {
			in.Recent = []Move{
				{Txn: "1", VM: "openvz:101", From: "n2", To: "n1", Begin: ago(26 * time.Hour), End: ago(25 * time.Hour), Outcome: OutcomeMoved},
				{Txn: "2", VM: "openvz:101", From: "n2", To: "n1", Begin: ago(31 * time.Minute), End: ago(30 * time.Minute), Outcome: OutcomeMoved},
			}
		}},
		{"its own arrival by our move is counted once", func(in *Input) {
			in.Recent = []Move{{Txn: "1", VM: "openvz:101", From: "n2", To: "n1", Begin: ago(32 * time.Minute), End: ago(30 * time.Minute), Outcome: OutcomeMoved}}
			in.View.VMs[0].Since, in.View.VMs[0].LastOwner = ago(31*time.Minute), "n2"
		}},
		{"a move that was begun long ago", func(in *Input) {
			in.Recent = []Move{{Txn: "1", VM: "xen:x", From: "n1", To: "n3", Begin: ago(time.Hour)}}
		}},
		{"unknown time of arrival", func(in *Input) { in.View.VMs[0].Since = time.Time{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := world()
			c.change(&in)
			p := mustDecide(t, in)
			if got := moves(p); !slices.Equal(got, []string{"openvz:101 n1->n3"}) {
				t.Errorf("moves %q: %+v", got, p.Decisions[0])
			}
		})
	}
}

// What is zero is unknown, and stays.
func TestZeroStays(t *testing.T) {
	for name, change := range map[string]func(in *Input){
		"state":         func(in *Input) { in.View.VMs[0].State = Unknown },
		"view":          func(in *Input) { in.View = View{} },
		"quorum":        func(in *Input) { in.View.Quorate = false },
		"samples":       func(in *Input) { in.Samples = nil },
		"owner":         func(in *Input) { in.View.VMs[0].Owner = "" },
		"owner offline": func(in *Input) { in.View.Nodes[0].Online = false },
		"placements":    func(in *Input) { in.View.VMs[0].MayRun = nil },
		"rule":          func(in *Input) { in.Config.Default = nil },
		"program":       func(in *Input) { in.Config.Default = &Rule{} },
		"online":        func(in *Input) { in.View.Nodes[1].Online, in.View.Nodes[2].Online = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			in := world()
			in.Config.Balance = []string{"101"}
			change(&in)
			p := mustDecide(t, in)
			if got := moves(p); len(got) > 0 {
				t.Errorf("moves %q", got)
			}
			if d := p.Decisions[0]; d.Why == "" || d.Verdict != Stay {
				t.Errorf("%+v", d)
			}
		})
	}
	if (Decision{}).Verdict != Stay || (VM{}).State != Unknown || (Candidate{}).Said != SaidNothing {
		t.Error("a zero value is not the safe one")
	}
}

func TestRailsAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rails() {
		if r.Name == "" || seen[r.Name] || !strings.HasSuffix(r.Doc, ".") || r.Default == "" || (r.vm == nil && r.target == nil) {
			t.Errorf("incomplete rail %+v", r)
		}
		seen[r.Name] = true
	}
}

// cores gives each node as many.
func cores(in *Input, n float64) {
	for i := range in.View.Nodes {
		in.View.Nodes[i].Cores = n
	}
}

// A rail that is switched off, for all VMs or by the block of one, stands in nobody's way; on in a block counts more
// than off for all.
func TestRailSwitches(t *testing.T) {
	for _, c := range []struct {
		name  string
		off   []string
		block map[string]bool
		want  int
	}{
		{"on", nil, nil, 0}, {"off", []string{"cycle-guard"}, nil, 1}, {"off in its block", nil, map[string]bool{"cycle-guard": false}, 1},
		{"on in its block", []string{"cycle-guard"}, map[string]bool{"cycle-guard": true}, 0}, {"another", []string{"back-off"}, map[string]bool{"settling": false}, 0},
	} {
		in := world()
		in.Config.Balance = []string{"101"}
		in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		in.View.VMs[0].LastOwner, in.View.VMs[0].Since = "n3", testNow.Add(-time.Hour)
		in.Config.Default.Rails, in.Config.Rails.Off = c.block, c.off
		p := mustDecide(t, in)
		if len(p.Moves()) != c.want || (p.Rails["cycle-guard"] == 0) != (c.want == 1) {
			t.Errorf("%s: %q %v", c.name, moves(p), p.Rails)
		}
		d, err := Best(context.Background(), in, "101")
		if err != nil || (d.Verdict == Migrate) != (c.want == 1) {
			t.Errorf("%s: Best says %+v %v", c.name, d, err)
		}
	}
}

// conf knows the rails by their names only.
func TestConfKnowsTheRails(t *testing.T) {
	var have []string
	for _, r := range Rails() {
		have = append(have, r.Name)
	}
	want := slices.Concat(conf.Rails(), conf.FixedRails())
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("rails %q, conf has %q", have, want)
	}
}
