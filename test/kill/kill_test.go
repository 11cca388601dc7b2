package kill

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// defaultKills is how many agents `make test` kills; CI kills more.
const defaultKills = 150

// TestKilledAgents kills agents of every kind at random moments of every changing action. The next action must answer what
// HANDOFF.md says, the VM must come back by what a cluster manager and an administrator may ask for, and its memory
// may be lost only where the table says so.
func TestKilledAgents(t *testing.T) {
	t.Parallel()
	kills := number(t, killsVariable, defaultKills)
	seed := number(t, seedVariable, time.Now().UnixNano()%1_000_000_000)
	only := number(t, episodeVariable, -1)
	t.Logf("seed %d", seed)
	counts := map[string]int{"openvz": 8, "xen": 9, "kvm": 6, "vmexec": 4}
	all := kinds()
	if typ := os.Getenv(typeVariable); typ != "" {
		counts = map[string]int{typ: 20}
		all = slices.DeleteFunc(all, func(k kind) bool { return k.typ != typ })
	}
	camp := newCampaign(seed, deck(all))
	var numbers []int64
	for i := range kills {
		numbers = append(numbers, i)
	}
	if only >= 0 {
		numbers = slices.Repeat([]int64{only}, 20) // time is never the same twice
	}
	c := newCluster(t, bin(t), seed, counts)
	camp.run(t, c, numbers, func(t *testing.T, e *episode, finding string) {
		t.Errorf("%s", finding)
		if e != nil {
			t.Logf("%s\nrepeat with %s=%d %s=%d go test -count=1 -v -run TestKilledAgents ./test/kill", e, seedVariable, seed, episodeVariable, e.number)
		}
	})
	t.Logf("%d agents killed in %s\n%s", len(camp.tallies), time.Since(camp.started).Round(time.Second), camp.table())
	if only >= 0 || t.Failed() {
		return
	}
	if n := len(camp.tallies); n < int(kills) {
		t.Errorf("only %d of %d agents were killed", n, kills)
	}
	// Three of five, as many more are expected; of few kills chance may take more away.
	least := kills * 3 / 5
	if kills < 500 {
		least = kills * 2 / 5
	}
	written := camp.sum(func(t tally) bool { return t.written }) + camp.total(func(t tally) int { return t.againWritten })
	if int64(written) < least {
		t.Errorf("only %d of %d kills and more came after the first write of the record", written, kills)
	}
	for _, k := range all {
		if int(kills) >= len(camp.deck) && camp.sum(func(t tally) bool { return t.kind.String() == k.String() }) == 0 {
			t.Errorf("no %s was killed", k)
		}
	}
}

// run plays episodes on all VMs of a cluster at a time, each VM one after the other. A VM of which something was found
// is left as it is. found may end the campaign by end.
func (c *campaign) run(t *testing.T, cl *cluster, numbers []int64, found func(t *testing.T, e *episode, finding string)) {
	t.Helper()
	queues := map[string]chan int64{}
	for _, typ := range agents {
		queues[typ] = make(chan int64, len(numbers))
	}
	for _, n := range numbers {
		queues[c.kind(n).typ] <- n
	}
	for _, q := range queues {
		close(q)
	}
	t.Run("of", func(t *testing.T) {
		for id, v := range cl.vms {
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				v.t = t
				c.work(t, v, queues[v.typ], found)
			})
		}
		b := newVM(cl, "lbvm", "", "lbvm1")
		t.Run("lbvm:lbvm1", func(t *testing.T) {
			t.Parallel()
			b.t = t
			c.work(t, b, queues["lbvm"], found)
		})
	})
}

func (c *campaign) work(t *testing.T, v *vm, queue chan int64, found func(t *testing.T, e *episode, finding string)) {
	t.Helper()
	ok := true
	for n := range queue {
		if !ok || c.ended.Load() {
			break
		}
		e := c.episode(v, n)
		if killed := e.play(); !killed && len(e.findings) == 0 {
			e.find("no agent could be killed before it ended")
		}
		for _, f := range e.findings {
			ok = false
			found(t, e, f)
		}
		ok = ok && !t.Failed()
	}
	for _, f := range v.witness() {
		found(t, nil, fmt.Sprintf("the lab's checker: %s  %s\n  %s", f.Kind, f.VM, strings.Join(f.Evidence, "\n  ")))
	}
}
