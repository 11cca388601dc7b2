package story

import (
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// TestNodeDies cuts the power of a node: its guests boot elsewhere, once, and not before it was fenced. Then it comes
// back, and disturbs nobody.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Scale: 10})
	const victim = "node2"
	lost := []service{{"centos2", "openvz", "102"}, {"db1", "xen", "db1"}}
	kept := []service{{"centos1", "openvz", "101"}, {"centos3", "openvz", "103"}, {"web1", "xen", "web1"}, {"mail1", "xen", "mail1"}}

	w.must("node", "kill", victim)
	dead := time.Now()
	w.until("the guests of the dead node run elsewhere", limit, func() bool {
		st := w.status()
		for _, s := range lost {
			if state, owner := st.service(s.name); state != "started" || owner == victim || len(st.on(s.guest())) != 1 {
				return false
			}
		}
		return true
	})
	t.Logf("%s after the power went", time.Since(dead).Round(time.Millisecond))
	for _, s := range lost {
		w.awaitTick(s.guest(), "")
	}
	w.must("node", "start", victim)
	w.until("the node has come back", limit, func() bool {
		st := w.status()
		return st.Settled && !slices.ContainsFunc(st.Nodes, func(n rgNode) bool { return !n.Member || !n.Manager })
	})
	log := w.manager()
	for _, s := range lost {
		w.bootedOnceAfterFencing(log, s, victim)
		if n := incarnations(w.witness(s.guest())); n != 2 {
			t.Errorf("guest %s has booted %d times: at first and after its node had died", s.guest(), n)
		}
	}
	// The node is as good as before: it takes its guests back, with their memory.
	for _, s := range lost {
		w.on("node1", "clusvcadm", "-r", s.name, "-m", victim)
		w.awaitTick(s.guest(), victim)
		if n := incarnations(w.witness(s.guest())); n != 2 {
			t.Errorf("guest %s has lost its memory on its way back", s.guest())
		}
	}
	for _, s := range kept {
		if n := incarnations(w.witness(s.guest())); n != 1 {
			t.Errorf("guest %s was on no node that died, and has booted %d times", s.guest(), n)
		}
	}
	w.silent(1)
}

// bootedOnceAfterFencing reads the cluster manager's log: which starts came after the power went?
func (w *world) bootedOnceAfterFencing(log []record, s service, victim string) {
	w.t.Helper()
	off, fenced, starts := false, false, 0
	for _, r := range log {
		switch {
		case r.Get("event") == "node" && r.Get("node") == victim && r.Get("is") == "off":
			off = true
		case r.Get("event") == "fence" && r.Get("node") == victim:
			fenced = true
		case off && r.Get("event") == "action" && r.Get("resource") == s.guest() && r.Get("action") == "start":
			starts++
			if !fenced {
				w.t.Errorf("%s was started before %s was fenced", s.guest(), victim)
			}
			if code := r.Get("code"); code != "0" {
				w.t.Errorf("the start of %s on %s ended with %s", s.guest(), r.Get("node"), code)
			}
		}
	}
	if !off || !fenced || starts != 1 {
		w.t.Errorf("node off: %v, fenced: %v, starts of %s since: %d, not 1", off, fenced, s.guest(), starts)
	}
}

// TestAgentsDie kills agents with SIGKILL in the middle of stop and start. What an administrator does then
// (clusvcadm -d, -e) always leads back to one guest that runs, and a kill costs one boot at most.
func TestAgentsDie(t *testing.T) {
	t.Parallel()
	const kills = 4 // of each technology and action
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	w := newWorld(t, pair(0))
	t.Run("agent", func(t *testing.T) {
		for i, s := range two() {
			t.Run(s.typ, func(t *testing.T) {
				t.Parallel()
				w, r := w.with(t), rand.New(rand.NewSource(seed+int64(i)))
				done := 0
				for try := 0; done < 2*kills; try++ {
					if try == 10*kills {
						t.Fatalf("of %d agents only %d were killed in time", try, done)
					}
					action := [...]string{"stop", "start"}[done%2]
					if w.killInTheMiddle(s, action, time.Duration(r.Int63n(int64(90*time.Millisecond)))) {
						done++
					}
					w.cure(s)
				}
				lost := incarnations(w.witness(s.guest())) - 1
				t.Logf("%d agents of %s were killed; it has lost its memory %d times", done, s.guest(), lost)
				if lost > done {
					t.Errorf("guest %s has lost its memory %d times by %d kills", s.guest(), lost, done)
				}
			})
		}
	})
	w.silent(2 * kills)
}

// killInTheMiddle relocates the service and kills the agent that does one action of it, some time after it was seen
// first. It tells whether the cluster manager has seen it die.
func (w *world) killInTheMiddle(s service, action string, after time.Duration) bool {
	w.t.Helper()
	_, owner := w.status().service(s.name)
	target := map[string]string{"node1": "node2", "node2": "node1"}[owner]
	deaths := func() int {
		return count(w.manager(), "event", "action", "resource", s.guest(), "action", action, "code", "-14")
	}
	before := deaths()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.tryOn("node1", "clusvcadm", "-r", s.name, "-m", target) // how it ends is for cure to see
	}()
	for {
		found := processes(func(p process) bool {
			return strings.HasPrefix(p.root, w.l.Dir+"/") && filepath.Base(p.argv[0]) == s.typ+".sh" && len(p.argv) == 2 && p.argv[1] == action &&
				slices.Contains(p.env, "OCF_RESOURCE_INSTANCE="+s.guest())
		})
		if len(found) > 0 {
			select {
			case <-ended:
			case <-time.After(after): // anywhere in its work
			}
			if err := syscall.Kill(found[0].pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
				w.t.Fatal(err)
			}
			break
		}
		select {
		case <-ended:
			return false // it was too quick to be seen
		default:
		}
	}
	<-ended
	return deaths() > before
}

// cure is what an administrator does with a service that is in trouble.
func (w *world) cure(s service) {
	w.t.Helper()
	w.until("the cluster manager has come to an end with "+s.name, limit, func() bool {
		state, _ := w.status().service(s.name)
		return state == "started" || state == "stopped" || state == "failed" || state == "disabled"
	})
	if state, _ := w.status().service(s.name); state != "started" {
		w.on("node1", "clusvcadm", "-d", s.name)
		w.on("node1", "clusvcadm", "-e", s.name, "-m", "node1")
	}
	st := w.status()
	state, owner := st.service(s.name)
	if on := st.on(s.guest()); state != "started" || !slices.Equal(on, []string{owner}) {
		w.t.Fatalf("after the cure service %s is %s on %q and its guest on %q", s.name, state, owner, on)
	}
	w.awaitTick(s.guest(), owner)
}
