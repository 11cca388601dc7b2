package story

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

// roundsVariable says how many rounds TestEvacuations plays; without it there is none.
const roundsVariable = "LBVM_EVACUATIONS"

// TestEvacuations empties a node of a cluster with 30 guests of three technologies, and shuts another one down with time enough
// and with too little, again and again, while lblog and the status checks of all agents run and other VMs are sent back and forth by
// clusvcadm. It tells how long each took. No guest is lost, none runs twice, none loses its memory.
func TestEvacuations(t *testing.T) {
	text, ok := os.LookupEnv(roundsVariable)
	if !ok {
		t.Skipf("skipped: it takes minutes; %s=3 plays three rounds, as make evacuations does", roundsVariable)
	}
	rounds, err := strconv.Atoi(text)
	if err != nil || rounds < 1 {
		t.Fatalf("%s=%s is not a number of 1 or more", roundsVariable, text)
	}
	n := 30
	if text, ok := os.LookupEnv(vmsVariable); ok {
		if n, err = strconv.Atoi(text); err != nil || n < 12 {
			t.Fatalf("%s=%s is not a number of 12 or more", vmsVariable, text)
		}
	}
	e := newEvacuation(t, 6, n, "openvz", "xen", "kvm")
	t.Cleanup(func() {
		if t.Failed() {
			e.w.tell("nodes/node3/var/log/evacuate", 60)
		}
	})
	var rows []string
	for round := 1; round <= rounds; round++ {
		ok := t.Run(fmt.Sprintf("round %d", round), func(t *testing.T) {
			e := e.with(t)
			rows = append(rows, e.emptied("node1"))
			rows = append(rows, e.filled("node1"))
			rows = append(rows, e.shutDown("node3", 100))
			rows = append(rows, e.shutDown("node3", 3))
		})
		if !ok {
			break
		}
	}
	t.Logf("%d VMs; seconds are real ones\n%s", n, strings.Join(rows, "\n"))
}

// emptied evacuates a node under load.
func (e *evacuation) emptied(node string) string {
	e.w.t.Helper()
	e.measured()
	were := e.guestsOn(node)
	stop := e.toAndFro("node2", "node3")
	begun, mark := time.Now(), len(e.w.journal())
	out, code := e.w.tryOn("node2", "lbm", "evacuate", "--yes", "--parallel", "3", node)
	took := time.Since(begun)
	others := stop()
	if code != 0 {
		e.w.t.Fatalf("lbm evacuate: exit %d: %s", code, out)
	}
	e.empty(node)
	e.whole()
	return fmt.Sprintf("lbm evacuate: %d of %d left in %.1f s, %d at a time; %d moves by clusvcadm beside it", len(were), len(were), took.Seconds(), e.atATime(mark), others)
}

// filled lets what left a node come home.
func (e *evacuation) filled(node string) string {
	e.w.t.Helper()
	e.measured()
	stop := e.toAndFro("node2", "node3")
	begun, mark := time.Now(), len(e.w.journal())
	out, code := e.w.tryOn("node3", "lbm", "failback", "--yes", node)
	took := time.Since(begun)
	others := stop()
	if code != 0 {
		e.w.t.Fatalf("lbm failback: exit %d: %s", code, out)
	}
	e.whole()
	return fmt.Sprintf("lbm failback: %d came home in %.1f s, %d at a time; %d moves by clusvcadm beside it", len(e.guestsOn(node)), took.Seconds(), e.atATime(mark), others)
}

// shutDown shuts a node down with a budget in seconds, boots it, and waits until what was evacuated is home.
func (e *evacuation) shutDown(node string, budget int) string {
	e.w.t.Helper()
	e.measured()
	were := e.guestsOn(node)
	stop := e.toAndFro("node1", "node2")
	begun, mark := time.Now(), len(e.w.journal())
	out := e.initScript(node, "stop", fmt.Sprintf("LBVM_EVACUATE_SECONDS=%d", budget))
	took, left, atATime := time.Since(begun), e.guestsOn(node), e.atATime(mark)
	if len(left) > 0 && !strings.Contains(out, "still on "+node+": ") {
		e.w.t.Errorf("what is left is not told: %s", out)
	}
	e.w.must("node", "leave", node)
	others := stop()
	e.w.until("all run elsewhere", limit, func() bool { return e.allRun() && len(e.guestsOn(node)) == 0 })
	whole := time.Since(begun)
	e.whole()
	row := fmt.Sprintf("shutdown with %d s: %d of %d left in %.1f s, %d at a time, rgmanager took the rest; all ran elsewhere after %.1f s; %d moves by clusvcadm beside it",
		budget, len(were)-len(left), len(were), took.Seconds(), atATime, whole.Seconds(), others)
	e.w.must("node", "start", node)
	e.w.until("the note that it leaves is taken back", limit, func() bool {
		_, code := e.w.tryOn(node, "lbm", "mark-left", "--back")
		return code == 0
	})
	e.initScript(node, "start", "LBVM_FAILBACK=yes\nLBVM_FAILBACK_WAIT=4m")
	e.w.until("what was evacuated has come home", 2*limit, func() bool {
		_, there, err := host.ReadEvacuation(e.w.l.Shared(), node)
		return !there && err == nil
	})
	e.home()
	e.whole()
	return row
}

// home brings each service to the node where its story begins.
func (e *evacuation) home() {
	e.w.t.Helper()
	e.w.until("all run", limit, e.allRun)
	st := e.w.status()
	for i, s := range e.all {
		home := fmt.Sprintf("node%d", i/2%3+1)
		if _, owner := st.service(s.name); owner != home {
			e.w.on(home, "clusvcadm", "-r", s.name, "-m", home)
		}
	}
	e.w.until("all run", limit, e.allRun)
}

// toAndFro sends two services of node2 back and forth between two nodes, each by its own clusvcadm, until it is told to stop: then
// they are sent home. It tells how many moves it made.
func (e *evacuation) toAndFro(a, b string) (stop func() int) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	moves := 0
	for _, s := range []service{e.all[len(e.all)-4], e.all[len(e.all)-3]} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for at := "node2"; ; {
				select {
				case <-end:
					if at != "node2" {
						e.relocate(s, "node2")
					}
					return
				default:
				}
				at = map[string]string{a: b, b: a}[at]
				e.relocate(s, at)
				mu.Lock()
				moves++
				mu.Unlock()
			}
		}()
	}
	return func() int { close(end); wg.Wait(); return moves }
}

func (e *evacuation) relocate(s service, node string) {
	e.w.t.Helper()
	out, code := e.w.tryOn(node, "clusvcadm", "-r", s.name, "-m", node)
	if code != 0 || !strings.Contains(out, "is now running on "+node) || slices.Contains(strings.Fields(out), "Warning:") {
		e.w.t.Errorf("clusvcadm -r %s -m %s: exit %d: %s", s.name, node, code, out)
	}
}
