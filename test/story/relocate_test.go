package story

import (
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lab"
)

// service is one service of a lab with its guest.
type service struct{ name, typ, vm string }

func (s service) guest() string { return s.typ + ":" + s.vm }

// six are the services of lab.DefaultVMs.
func six() []service {
	return []service{{"centos1", "openvz", "101"}, {"centos2", "openvz", "102"}, {"centos3", "openvz", "103"},
		{"web1", "xen", "web1"}, {"db1", "xen", "db1"}, {"mail1", "xen", "mail1"}}
}

// moved is one relocation that came to its end.
type moved struct {
	typ, by string
	took    time.Duration
}

// TestTwoHundredRelocations sends six guests back and forth, several at a time, by the cluster manager's own command
// and by lbm, while loads change, and wants every counter to have gone on.
func TestTwoHundredRelocations(t *testing.T) {
	const total = 200
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	w := newWorld(t, lab.Options{Scale: 30})
	w.setUp("node1", "node2", "node3")

	stop := w.changeLoads(seed)
	var mu sync.Mutex
	var all []moved
	end := map[string]string{}
	lives := map[string]int{}
	first := w.status()
	var wg sync.WaitGroup
	for i, s := range six() {
		_, home := first.service(s.name)
		n := total / 6
		if i < total%6 {
			n++
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			moves, node := w.backAndForth(s, home, n, rand.New(rand.NewSource(seed+int64(i))))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, moves...)
			end[s.name], lives[s.name] = node, len(moves)+1
		}()
	}
	wg.Wait()
	if changes := stop(); changes == 0 {
		t.Error("no load changed meanwhile")
	}
	if len(all) != total {
		t.Errorf("%d relocations came to their end, not %d", len(all), total)
	}
	for _, line := range times(all) {
		t.Log(line)
	}
	live := 0
	for _, m := range all {
		if m.typ == "xen" && m.by == "lbm" {
			live++
		}
	}
	if n := count(w.journal(), "event", "agent", "outcome", "sent"); n != live || live == 0 {
		t.Errorf("%d guests were pushed live, and lbm has moved %d that can be", n, live)
	}
	if n := count(w.journal(), "event", "agent", "outcome", "suspended"); n != total-live {
		t.Errorf("%d guests passed by image, not %d", n, total-live)
	}

	for _, s := range six() {
		w.awaitTick(s.guest(), end[s.name])
	}
	w.silent(0)
	st := w.status()
	for _, s := range six() {
		if state, owner := st.service(s.name); state != "started" || owner != end[s.name] {
			t.Errorf("service %s is %s on %q and was sent to %s", s.name, state, owner, end[s.name])
		}
		if on := st.on(s.guest()); !slices.Equal(on, []string{end[s.name]}) {
			t.Errorf("guest %s is on %q and was sent to %s", s.guest(), on, end[s.name])
		}
		w.wentOn(s, lives[s.name])
		if left, want := w.handoff(s.typ, s.vm), []string{"lock", "state", "ticket.lock"}; !slices.Equal(left, want) {
			t.Errorf("the hand-off folder of %s holds %q, not only %q", s.guest(), left, want)
		}
	}
	w.loadTravels(six()[0], end["centos1"])
	w.loadTravels(six()[3], end["web1"])
	w.silent(0)
}

// setUp makes the nodes ready for lbm.
func (w *world) setUp(nodes ...string) {
	w.t.Helper()
	for i, n := range nodes {
		argv := []string{"lbm", "init", "--shared", lab.SharedMount, "--no-service"}
		if i > 0 {
			argv = append(argv, "--join")
		}
		w.on(n, argv...)
	}
}

// backAndForth moves one service n times from the node that it is on, and gives the one on which it has ended.
func (w *world) backAndForth(s service, node string, n int, r *rand.Rand) (done []moved, end string) {
	for i := 0; i < n; i++ {
		var others []string
		for _, x := range []string{"node1", "node2", "node3"} {
			if x != node {
				others = append(others, x)
			}
		}
		by, target := "clusvcadm", others[r.Intn(2)]
		began := time.Now()
		var out string
		var code int
		if i%3 == 2 {
			by = "lbm"
			out, code, began = w.migrate(s, others[0], target)
		} else {
			out, code = w.tryOn(others[0], "clusvcadm", "-r", s.name, "-m", target)
		}
		if code != 0 {
			w.t.Errorf("%s, %s to %s: exit %d: %s", by, s.guest(), target, code, out)
			return done, node
		}
		if !poll(limit, func() bool { return w.last(s.guest()).Node == target }) {
			w.t.Errorf("%s, %s to %s: the guest does not write there", by, s.guest(), target)
			return done, node
		}
		done = append(done, moved{s.typ, by, time.Since(began)})
		node = target
	}
	return done, node
}

// migrate asks lbm to move a VM until it does not refuse: the facts of the target may be of a minute in which the VM
// was there, and what is refused has changed nothing. It tells when it asked last.
func (w *world) migrate(s service, from, target string) (out string, code int, asked time.Time) {
	poll(limit, func() bool {
		asked = time.Now()
		out, code = w.tryOn(from, "lbm", "migrate", "--yes", s.guest(), target)
		return code != refused
	})
	return out, code, asked
}

// refused is lbm's exit code for what it did not begin.
const refused = 3

// changeLoads changes the loads of guests and nodes until it is told to stop; it gives how often.
func (w *world) changeLoads(seed int64) (stop func() int) {
	r := rand.New(rand.NewSource(seed))
	targets := []string{"node1", "node2", "node3"}
	for _, s := range six() {
		targets = append(targets, s.guest())
	}
	end, changes := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { changes <- n }()
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			target := targets[r.Intn(len(targets))]
			out, code := w.try("load", target, strconv.FormatFloat(r.Float64()/2, 'f', 2, 64))
			switch {
			case code == 0:
				n++
			case strings.Contains(target, ":"): // it is between two nodes just now
			default:
				w.t.Errorf("changing the load of %s: exit %d: %s", target, code, out)
			}
		}
	}()
	return func() int { close(end); return <-changes }
}

// wentOn wants one memory from the first word to the last, and a process for each life.
func (w *world) wentOn(s service, want int) {
	w.t.Helper()
	lines := w.witness(s.guest())
	if n := incarnations(lines); n != 1 {
		w.t.Errorf("guest %s has booted %d times", s.guest(), n)
	}
	first, last := lines[0], lines[len(lines)-1]
	if first.N != 1 || last.N != uint64(len(lines)) {
		w.t.Errorf("guest %s has counted from %d to %d and written %d lines", s.guest(), first.N, last.N, len(lines))
	}
	if n := lives(lines); n != want {
		w.t.Errorf("guest %s has had %d processes, not %d: one for each relocation and the first", s.guest(), n, want)
	}
	st, err := handoff.ReadState(w.l.Shared(), s.typ, s.vm)
	if err != nil || st.Phase != handoff.Running || st.Node != last.Node || st.Image != "" {
		w.t.Errorf("the record of %s is %+v (%v); it runs on %s", s.guest(), st, err, last.Node)
	}
}

// loadTravels relocates once more and looks whether what the guest was at came along: it is part of its memory.
func (w *world) loadTravels(s service, from string) {
	w.t.Helper()
	target := "node1"
	if from == target {
		target = "node2"
	}
	w.must("load", s.guest(), "0.37")
	w.on("node1", "clusvcadm", "-r", s.name, "-m", target)
	for _, g := range w.status().Guests[target] {
		if g.Type+":"+g.VM == s.guest() && g.Load == 0.37 {
			return
		}
	}
	w.t.Errorf("guest %s was at load 0.37 on %s and is not on %s", s.guest(), from, target)
}

// times says how long relocations took, by technology and by who asked.
func times(all []moved) []string {
	took := map[string][]time.Duration{}
	for _, m := range all {
		key := m.typ + " by " + m.by
		took[key] = append(took[key], m.took)
	}
	var out []string
	for key, list := range took {
		slices.Sort(list)
		out = append(out, fmt.Sprintf("%-20s %3d relocations, median %4d ms, max %4d ms", key, len(list),
			list[len(list)/2].Milliseconds(), list[len(list)-1].Milliseconds()))
	}
	slices.Sort(out)
	return out
}
