package vm

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// walk is a random life of a cluster: a manager that behaves as rgmanager does, and faults one after the other.
type walk struct {
	*world
	r     *rand.Rand
	owner string // "" while the group is not started
	bad   bool   // the group is failed
	story []string

	pacemaker bool // the manager: it fences a node whose stop failed, and moves in three steps
	fenced    int  // how often it did
}

func (w *walk) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...)+"  -> "+w.picture())
}

func (w *walk) picture() string {
	var b strings.Builder
	fmt.Fprint(&b, stateText(w.state()))
	for _, name := range w.order {
		n := w.nodes[name]
		if g := n.g; g.state != hypervisor.Unknown || g.mounted || !n.online {
			fmt.Fprintf(&b, " | %s %s", name, g.state)
			if g.frozen {
				b.WriteString(" frozen")
			}
			if !n.online {
				b.WriteString(" away")
			}
		}
	}
	return b.String()
}

func (w *walk) pick(online bool) *node {
	var names []string
	for _, name := range w.order {
		if w.nodes[name].online == online {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return w.nodes[names[w.r.Intn(len(names))]]
}

func (w *walk) run(n *node, action string) error {
	err := n.do(action)
	w.tell("%s on %s: %v", action, n.name, err)
	return err
}

// stopOn is rgmanager's stop: what fails gives the group up.
func (w *walk) stopOn(n *node) bool {
	w.owner = ""
	if err := w.run(n, "stop"); err != nil {
		if w.pacemaker {
			w.fence(n)
			return true
		}
		w.bad = true
		return false
	}
	return true
}

// startOn is rgmanager's start: after a failure it stops, and tries the others.
func (w *walk) startOn(n *node) {
	if n != nil && !n.online { // fenced meanwhile
		n = w.pick(true)
	}
	tried := map[*node]bool{}
	for n != nil && !w.bad {
		tried[n] = true
		if w.run(n, "start") == nil {
			w.owner = n.name
			return
		}
		if !n.online || !w.stopOn(n) {
			return
		}
		n = nil

		for _, name := range w.order {
			if o := w.nodes[name]; o.online && !tried[o] {
				n = o
			}
		}
	}
}

func (w *walk) request() {
	if w.bad { // an administrator disables it: stop may run anywhere, or nowhere
		if n := w.pick(true); n != nil && w.r.Intn(3) > 0 {
			if w.run(n, "stop") != nil {
				return
			}
		}
		w.bad, w.owner = false, ""
		return
	}
	o := w.nodes[w.owner]
	if o == nil {
		w.startOn(w.pick(true))
		return
	}
	if !o.online {
		if o.fenced { // started elsewhere only after the fencing
			w.owner = ""
			w.startOn(w.pick(true))
		}
		return
	}
	to := w.pick(true)
	switch w.r.Intn(6) {
	case 0, 1: // relocated, by hand or by us
		var i *handoff.Issued
		if st := w.state(); st.Phase == handoff.Running && st.Node == o.name && w.r.Intn(2) == 0 {
			kind := []handoff.Kind{handoff.Live, handoff.Live, handoff.Image, handoff.Cold}[w.r.Intn(4)]
			if to != o || kind == handoff.Cold {
				i = w.ticket(kind, o, to)
				w.tell("ticket %s to %s", kind, to.name)
			}
		}
		if w.r.Intn(4) == 0 && i != nil { // the relocator dies before or after the stop
			w.must(i.Withdraw())
			i = nil
		}
		if w.stopOn(o) {
			w.startOn(to)
		}
		if i != nil {
			w.must(i.Withdraw())
		}
	case 2:
		if w.stopOn(o) && w.r.Intn(2) == 0 {
			w.startOn(to)
		}
	case 3:
		if w.typ == "xen" && to != o && w.pacemaker {
			w.migration(o, to)
		} else if w.typ == "xen" && to != o {
			switch err := w.run(o, "migrate "+to.name); {
			case err == nil:
				w.owner = to.name
			case !strings.Contains(err.Error(), "still runs here") && !strings.Contains(err.Error(), "nothing was changed"):
				w.bad, w.owner = true, ""
			}
		}
	case 4:
		if w.run(o, "status") != nil && w.stopOn(o) {
			w.startOn(w.pick(true))
		}
	case 5: // a node's rgmanager starts, or a group is new: stop runs where nothing is to be stopped
		if to != o {
			w.run(to, "stop")
		}
	}
}

// fence is what Pacemaker does to a node whose stop failed.
func (w *walk) fence(n *node) {
	w.fenced++
	n.dies()
	w.tell("%s is fenced for it", n.name)
}

// migration is Pacemaker's: after a failure of either half both nodes stop, at once and in any order.
func (w *walk) migration(o, to *node) {
	if w.run(o, "migrate "+to.name) == nil && w.run(to, "migrate_from") == nil {
		if w.owner = to.name; w.run(o, "stop") != nil {
			w.fence(o)
		}
		return
	}
	first, second := o, to
	if w.r.Intn(2) == 0 {
		first, second = to, o
	}
	w.owner = ""
	done := false
	w.clock.onSleep = func() { // the first one waits
		w.clock.onSleep, done = nil, true
		w.stopOn(second)
	}
	w.stopOn(first)
	if w.clock.onSleep = nil; !done {
		w.stopOn(second)
	}
	w.startOn(w.pick(true))
}

// fault brings one misfortune.
func (w *walk) fault() {
	n := w.pick(true)
	if n == nil {
		return
	}
	switch w.r.Intn(10) {
	case 0, 1, 2:
		k := 1 + w.r.Intn(40)
		w.tell("an agent will be killed at its point %d", k)
		w.killAt(k)
	case 3:
		tools := []string{"suspend", "dump", "kill", "unmount", "thaw", "save", "restore", "start", "shutdown"}
		tool := tools[w.r.Intn(len(tools))]
		n.fails[tool] = failure{times: 1}
		w.tell("%s will fail on %s", tool, n.name)
	case 4:
		how := w.r.Intn(4)
		n.fails["migrate"] = failure{times: 1, effect: func(n *node) {
			g, to := n.g, w.nodes[n.target]
			if to.g != (guest{}) || !to.online {
				return
			}
			switch how {
			case 0: // it stays
			case 1: // the end is undefined, and a copy arrives
				n.g = guest{state: hypervisor.Remains}
				to.g = g
				to.g.state = hypervisor.Arriving
			case 2: // the end is undefined, and nothing arrives
				n.g = guest{state: hypervisor.Remains}
			case 3:
				n.g = guest{}
			}
		}}
		w.tell("migrate will fail on %s, kind %d", n.name, how)
	case 5: // lost, with its guest going on; fenced later
		if n.g.state == hypervisor.Migrating {
			return
		}
		n.online, n.fenced = false, false
		w.tell("%s is lost", n.name)
	case 6:
		n.reboot()
		if w.owner == n.name {
			w.owner = ""
		}
		if w.r.Intn(2) == 0 {
			w.publishBoot(n.name)
		}
		w.tell("%s reboots", n.name)
		w.run(n, "stop")
	case 7:
		if n.g.state == hypervisor.Running && !n.g.frozen {
			n.g = guest{mounted: w.typ == "openvz" && w.r.Intn(2) == 0}
			w.tell("the guest crashes on %s", n.name)
		}
	case 9:
		points := []string{"part", "note", "meta", "publish", "state:held", "state:suspended", "state:down", "state:sent", "state:running", "claim", "discarded", "failed", "refresh"}
		p := points[w.r.Intn(len(points))]
		w.failAt = map[string]error{p: syscall.ENOSPC}
		w.tell("no room from now on for %s", p)
	case 8: // booted and halted by hand while nobody has it
		for _, o := range w.nodes {
			if o.g != (guest{}) {
				return
			}
		}
		if w.owner == "" && w.state().Phase != handoff.Sending && w.state().Phase != handoff.Sent {
			n.byHand()
			w.tell("booted and halted by hand on %s", n.name)
		}
	}
}

// elapse lets time do its work: what arrives, arrives or is lost; what is lost is fenced, and comes back.
func (w *walk) elapse() {
	for _, name := range w.order {
		n := w.nodes[name]
		if n.g.state == hypervisor.Arriving && n.online && w.r.Intn(2) == 0 {
			if w.r.Intn(4) == 0 {
				n.g = guest{}
			} else {
				n.runs()
			}
		}
		if !n.online && w.r.Intn(2) == 0 {
			if !n.fenced {
				n.dies()
				w.tell("%s is fenced", n.name)
			} else {
				n.reboot()
				n.online, n.fenced = true, false
				w.tell("%s comes back", n.name)
				w.run(n, "stop")
			}
		}
		if n.online && n.g.state == hypervisor.Running && !n.g.frozen {
			n.touch()
		}
	}
}

// heal ends all misfortune, and sees to it that the manager and a patient administrator get the VM back.
func (w *walk) heal() error {
	w.at = nil
	clear(w.failAt)
	for _, name := range w.order {
		n := w.nodes[name]
		clear(n.fails)
		if !n.online {
			if !n.fenced {
				n.dies()
			}
			n.reboot()
			n.online, n.fenced = true, false
			w.run(n, "stop")
		}
		if n.g.state == hypervisor.Arriving {
			n.runs()
		}
	}
	w.bad = false
	return w.recover()
}

func (w *walk) live(steps int) error {
	w.startOn(w.nodes["node1"])
	for i := 0; i < steps && len(w.violations) == 0; i++ {
		if w.r.Intn(3) == 0 {
			w.fault()
		}
		w.request()
		w.elapse()
		if w.r.Intn(3) == 0 {
			clear(w.failAt)
		}
	}
	if len(w.violations) > 0 {
		return errors.New(strings.Join(w.violations, "; "))
	}
	if err := w.heal(); err != nil {
		return err
	}
	if len(w.violations) > 0 {
		return errors.New(strings.Join(w.violations, "; "))
	}
	return nil
}

// Random lives: no rule is ever broken, and the VM always comes back. LBVM_WALKS says how many, LBVM_WALK which one.
func TestRandomLives(t *testing.T) {
	first, lives, fenced := int64(1), 60, 0
	if v, err := strconv.Atoi(os.Getenv("LBVM_WALKS")); err == nil {
		lives = v
	}
	if v, err := strconv.ParseInt(os.Getenv("LBVM_WALK"), 10, 64); err == nil {
		first, lives = v, 1
	}
	for seed := first; seed < first+int64(lives); seed++ {
		for _, typ := range append(slices.Clone(types), "xen under pacemaker") {
			typ, pacemaker := strings.CutSuffix(typ, " under pacemaker")
			w := &walk{world: newWorld(t, typ, "node1", "node2", "node3"), r: rand.New(rand.NewSource(seed)), pacemaker: pacemaker}
			err := w.live(40)
			fenced += w.fenced
			if err != nil {
				t.Fatalf("%s, seed %d: %v\nrepeat with LBVM_WALK=%d go test -run TestRandomLives\n%s", typ, seed, err, seed, strings.Join(w.story, "\n"))
			}
			os.RemoveAll(w.shared)
		}
	}
	t.Logf("pacemaker fenced %d times for a stop that failed", fenced)
}
