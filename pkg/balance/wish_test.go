package balance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// wished is what a wish comes to, in short: "openvz:101 n3", or "openvz:101 - why".
func wished(t *testing.T, in Input, w Wish) []string {
	t.Helper()
	list, err := Grant(context.Background(), in, w)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, d := range list {
		text := d.VM + " " + d.Target
		if d.Verdict != Migrate {
			text = d.VM + " - " + d.Why
		}
		out = append(out, text)
	}
	return out
}

// A person's wish: what keeps guests whole is asked, what tames rules is not.
func TestGrant(t *testing.T) {
	both := Wish{VMs: []string{"101", "102"}}
	one := Wish{VMs: []string{"openvz:101"}}
	for _, c := range []struct {
		name   string
		change func(in *Input)
		wish   Wish
		want   []string // beginnings
	}{
		{"the least loaded node", nil, one, []string{"openvz:101 n3"}},
		{"each counts for those behind it", func(in *Input) {
			in.View.Nodes[0].Cores, in.View.Nodes[1].Cores, in.View.Nodes[2].Cores = 4, 4, 4
			in.View.VMs[0].Cores, in.View.VMs[1].Cores = 1.2, 1.2
		}, both, []string{"openvz:101 n3", "openvz:102 n2"}},
		{"the largest goes first", func(in *Input) { in.View.VMs[1].Mem = 5 << 20 }, both, []string{"openvz:102 n3", "openvz:101 n2"}},
		{"what rests for rules goes", func(in *Input) {
			in.Recent = []Move{{Txn: "a", VM: "openvz:101", From: "n3", To: "n1", Begin: testNow.Add(-2 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeMoved, Owner: "n1"},
				{Txn: "b", VM: "openvz:101", From: "n1", To: "n3", Begin: testNow.Add(-2 * time.Minute), End: testNow.Add(-time.Minute), Outcome: OutcomeFailed, Owner: "n1"}}
		}, one, []string{"openvz:101 n3"}},
		{"also where the target would be the busier one", func(in *Input) {
			s := NewMemorySamples(3 * time.Minute)
			steady(s, "n1", "cpu", 0.1, 10)
			steady(s, "n2", "cpu", 0.8, 10)
			steady(s, "n3", "cpu", 0.9, 10)
			in.Samples = s
		}, one, []string{"openvz:101 n2"}},
		{"preferred", nil, Wish{VMs: []string{"101"}, Prefer: map[string]string{"openvz:101": "n2"}}, []string{"openvz:101 n2"}},
		{"preferred, and it cannot be", func(in *Input) { in.View.Nodes[1].Closed = "closed" }, Wish{VMs: []string{"101"}, Prefer: map[string]string{"openvz:101": "n2"}}, []string{"openvz:101 n3"}},
		{"only there", func(in *Input) { in.View.Nodes[1].Closed = "n2 is closed" }, Wish{VMs: []string{"101"}, Only: map[string]string{"openvz:101": "n2"}}, []string{"openvz:101 - n2 is closed"}},
		{"only there, which is no place for it", nil, Wish{VMs: []string{"101"}, Only: map[string]string{"openvz:101": "n9"}}, []string{"openvz:101 - n9 is not online, or"}},
		{"frozen", func(in *Input) { in.View.VMs[0].Frozen = true }, both, []string{"openvz:101 - it is frozen", "openvz:102 n3"}},
		{"no quorum", func(in *Input) { in.View.Quorate = false }, one, []string{"openvz:101 - the cluster has no quorum"}},
		{"refused there", func(in *Input) { in.Refused = []Refusal{{"openvz:101", "n3", "no disk"}} }, one, []string{"openvz:101 n2"}},
		{"refused everywhere", func(in *Input) {
			in.Refused = []Refusal{{"openvz:101", "n3", "no disk"}, {"openvz:101", "n2", "no bridge"}}
		}, one, []string{"openvz:101 - no bridge; no disk"}},
		{"no memory for both", func(in *Input) {
			in.View.VMs[0].Mem, in.View.VMs[1].Mem = 600<<20, 500<<20
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, both, []string{"openvz:101 n3", "openvz:102 - of 424 MiB that n3 has free it would take 500, and 204 must stay"}},
		{"headroom switched off", func(in *Input) {
			in.View.VMs[0].Mem, in.View.VMs[1].Mem = 600<<20, 500<<20
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
			in.Config.Rails.Off = []string{"memory-headroom"}
		}, both, []string{"openvz:101 n3", "openvz:102 n3"}},
		{"apart", func(in *Input) { in.Config.Apart = [][]string{{"101", "102"}} }, both, []string{"openvz:101 n3", "openvz:102 n2"}},
		{"apart from one that stays", func(in *Input) { in.Config.Apart = [][]string{{"101", "web"}} }, one, []string{"openvz:101 n3"}},
		{"together", func(in *Input) {
			in.Config.Together = [][]string{{"101", "102"}}
			in.View.Nodes[1].Cores, in.View.Nodes[2].Cores = 4, 4
			in.View.VMs[0].Cores, in.View.VMs[1].Cores = 1.2, 1.2
		}, both, []string{"openvz:101 n3", "openvz:102 n3"}},
		{"together, and one does not fit", func(in *Input) {
			in.Config.Together = [][]string{{"101", "102"}}
			in.View.VMs[0].Mem, in.View.VMs[1].Mem = 500<<20, 500<<20
			in.View.Nodes = slices.Delete(in.View.Nodes, 1, 2)
		}, both, []string{"openvz:101 - there is no node for all", "openvz:102 - of 524 MiB"}},
		{"together, and one is frozen", func(in *Input) {
			in.Config.Together = [][]string{{"101", "102"}}
			in.View.VMs[1].Frozen = true
		}, both, []string{"openvz:101 - it goes only together with openvz:102, which stays", "openvz:102 - it is frozen"}},
		{"together with one that was not asked for", func(in *Input) { in.Config.Together = [][]string{{"101", "102"}} }, one, []string{"openvz:101 - openvz:102 is to stay with it, and is on n1; "}},
		{"together with one that has gone", func(in *Input) {
			in.Config.Together = [][]string{{"101", "web"}}
		}, one, []string{"openvz:101 n2"}},
		{"of one service", func(in *Input) { in.View.VMs[1].Service = "service:a"; in.View.VMs[1].MayRun = []Placement{{"n2", 1}} }, both, []string{"openvz:101 n2", "openvz:102 n2"}},
		{"to be started", func(in *Input) {
			in.View.VMs[0].State, in.View.VMs[0].Owner = Disabled, ""
		}, Wish{VMs: []string{"101"}, Start: true}, []string{"openvz:101 n3"}},
		{"down, and not to be started", func(in *Input) { in.View.VMs[0].State, in.View.VMs[0].Owner = Disabled, "" }, one, []string{"openvz:101 - its state is disabled"}},
	} {
		in := world()
		if c.change != nil {
			c.change(&in)
		}
		got := wished(t, in, c.wish)
		ok := len(got) == len(c.want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if _, err := Grant(context.Background(), world(), Wish{VMs: []string{"nobody"}}); err == nil {
		t.Error("a VM that is not there")
	}
	if _, err := Grant(context.Background(), Input{}, one); err == nil {
		t.Error("granted without a configuration")
	}
}

// Whatever is wished of a large cluster: nothing goes where its memory does not fit with all that goes there, apart is kept,
// and what goes together goes whole.
func TestGrantKeepsGuestsWhole(t *testing.T) {
	granted := 0
	for seed := range int64(200) {
		in := randomInput(seed)
		if len(in.View.VMs) < 4 || len(in.View.Nodes) < 2 {
			continue
		}
		for i := range in.View.Nodes {
			in.View.Nodes[i].MemTotal, in.View.Nodes[i].MemFree = 4<<30, 1<<30
		}
		var w Wish
		for i := range in.View.VMs {
			vm := &in.View.VMs[i]
			vm.Mem = int64(100+37*(i%9)) << 20
			w.VMs = append(w.VMs, vm.ID())
		}
		in.Config.Apart, in.Config.Together = [][]string{w.VMs[:2]}, [][]string{w.VMs[2:4]}
		list, err := Grant(context.Background(), in, w)
		if err != nil {
			continue // the random names mean several
		}
		to, free := map[string]string{}, map[string]int64{}
		for _, d := range list {
			if d.Verdict != Migrate {
				continue
			}
			granted++
			to[d.VM] = d.Target
			for _, vm := range in.View.VMs {
				if vm.ID() == d.VM {
					free[d.Target] += vm.Mem
				}
			}
		}
		for node, taken := range free {
			if taken > 1<<30-(4<<30)/memoryMargin {
				t.Errorf("seed %d: %s takes %d MiB", seed, node, taken>>20)
			}
		}
		if a, b := to[w.VMs[0]], to[w.VMs[1]]; a != "" && a == b {
			t.Errorf("seed %d: those that are kept apart go to %s", seed, a)
		}
		if a, b := to[w.VMs[2]], to[w.VMs[3]]; a != b {
			t.Errorf("seed %d: those that go together go to %q and %q", seed, a, b)
		}
		if again, err := Grant(context.Background(), in, w); err != nil || fmt.Sprint(wishedOf(again)) != fmt.Sprint(wishedOf(list)) {
			t.Errorf("seed %d: another answer: %v", seed, err)
		}
	}
	if granted < 100 {
		t.Errorf("only %d moves were granted", granted)
	}
}

func wishedOf(list []Decision) (out []string) {
	for _, d := range list {
		out = append(out, d.VM+" "+d.Target+" "+d.Why)
	}
	return out
}
