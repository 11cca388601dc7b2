package story

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/pkg/balance"
)

// handedOver wants both VMs off a hot node. The rails that remember are off: what keeps a VM from being moved twice, and a
// second one from leaving beside it, is the journal alone.
const handedOver = `sharedstorage /shared;
resources /shared/lbresources.conf;
logdir /shared/lbvm/log;
interval 10m;
rail settling off; rail cool-down off; rail cycle-guard off; rail back-off off; rail projected-load off;
balance 101, 102;
`

// hotAndCool is shedding over so long a time that it speaks of the samples that the story has written, whenever it is asked.
const hotAndCool = `default {
    algorithm {
        migrate() if average(res('cpu', 30)) > 0.70 && average(res2('cpu', 30)) < 0.40;
    }
}
`

// heldHere holds the freezing of a container until the story lets it go on.
const heldHere = `case "$*" in *--suspend*) [ ! -e "$LBVM_ROOT/tmp/hold" ] || { : >"$LBVM_ROOT/tmp/held"; read word <"$LBVM_ROOT/tmp/gate"; };; esac; exec "$REAL" "$@"`

// TestTheBalancerChangesNodes hands the service of the balancer over, by order, by SIGKILL and by a power cut, while a move
// that it has begun is in flight. Each time the next monitor counts that move, the move ends once, and nothing is moved twice.
func TestTheBalancerChangesNodes(t *testing.T) {
	t.Parallel()
	h := newHandover(t)
	for _, c := range []struct {
		name       string
		on         string // the node of the balancer when the move begins
		happens    func(h *handover)
		then       string // the node of the balancer afterwards; "" is any
		dead       string // the node whose power goes; "" is none
		outcome    balance.Outcome
		memory     balance.Memory
		kept, left bool // the move was ended by the monitor that began it; 102 leaves node1, too
	}{
		{name: "by order", on: "node2", happens: (*handover).relocated, then: "node3", outcome: balance.OutcomeMoved, memory: balance.MemoryKept, kept: true, left: true},
		{name: "the monitor is killed", on: "node3", happens: (*handover).monitorKilled, then: "node3", outcome: balance.OutcomeMoved, memory: balance.MemoryKept, left: true},
		{name: "the power of its node goes", on: "node3", dead: "node3", outcome: balance.OutcomeMoved, memory: balance.MemoryKept, left: true},
		{name: "the power of the target goes", on: "node2", dead: "node2", outcome: balance.OutcomeElsewhere, memory: balance.MemoryKept, left: true},
		{name: "the power of the source goes", on: "node1", dead: "node1", memory: balance.MemoryLost},
	} {
		if !t.Run(c.name, func(t *testing.T) {
			h := &handover{h.world.with(t), h.gate}
			mark, since := h.begin(c.on)
			first := h.monitorOn(c.on)
			if c.happens != nil {
				c.happens(h)
			} else {
				h.must("node", "kill", c.dead)
			}
			var now string
			h.until("the balancer's service is started again", limit, func() bool {
				state, owner := h.status().service("monitoring")
				now = owner
				return state == "started" && owner != c.dead && (c.then == "" || owner == c.then)
			})
			if c.dead != "node1" { // else the move is over already
				h.counts(now, mark, first, c.kept)
				h.release()
			}
			end := h.ended(mark)
			if end.Get("outcome") != string(c.outcome) && c.outcome != "" || end.Get("memory") != string(c.memory) ||
				c.kept == strings.Contains(end.Get("why"), "its relocator died") {
				t.Errorf("the move has ended so: %v", end)
			}
			h.once(now, mark, end, c.left)
			h.again(now, since)
			if c.dead != "node1" { // there is no story after it
				h.back(c.dead)
			}
		}) {
			h.tell("shared/lbvm/log/passes.log", 2)
			break
		}
	}
	h.silent(1)
}

type handover struct {
	*world
	gate *os.File // what is written there lets a held tool go on
}

func newHandover(t *testing.T) *handover {
	t.Helper()
	vms := []lab.VM{{Type: "openvz", Name: "101", Service: "centos1"}, {Type: "openvz", Name: "102", Service: "centos2"}}
	w := newWorld(t, lab.Options{Scale: 10, VMs: vms}, func(l lab.Layout) {
		for _, n := range []string{"node1", "node2", "node3"} {
			if err := os.Rename(l.Root(n)+lblog, l.Root(n)+lblogAside); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(l.Root(n), "tmp/gate"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	for i, n := range []string{"node1", "node2", "node3"} {
		argv := []string{"lbm", "init", "--shared", lab.SharedMount}
		if i > 0 {
			argv = append(argv, "--join")
		}
		w.on(n, argv...)
	}
	w.configure(handedOver)
	w.on("node1", "lbm", "ccs", "interval", "monitoring", "10s")
	w.on("node1", "ccs_tool", "update", "/etc/cluster/cluster.conf")
	w.until("the balancer's service is started", limit, func() bool {
		state, _ := w.status().service("monitoring")
		return state == "started"
	})
	gate, err := os.OpenFile(filepath.Join(w.l.Root("node1"), "tmp/gate"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
	return &handover{w, gate}
}

// begin puts all where a story begins, and waits until the balancer's move of 101 to node2 is held on node1. It gives how long the
// journal was before, and since when the rule holds.
func (h *handover) begin(balancer string) (mark int, since time.Time) {
	h.t.Helper()
	h.configure(handedOver)
	for _, s := range []string{"centos1", "centos2"} {
		h.sent(s, "node1")
	}
	h.sent("monitoring", balancer)
	h.heat()
	mark = len(h.journal())
	h.hold(heldHere)
	now, err := clock.FromRoot(h.l.Root("node1"))
	if err != nil {
		h.t.Fatal(err)
	}
	since = now.Now()
	h.configure(handedOver + hotAndCool)
	h.held()
	if j := h.journal()[mark:]; len(j) != 1 || j[0].Get("vm") != "openvz:101" || j[0].Get("to") != "node2" || j[0].Get("by") != "lbmonitor" {
		h.t.Fatalf("what was begun: %v", j)
	}
	return mark, since
}

// sent brings a service to a node.
func (h *handover) sent(service, node string) {
	h.t.Helper()
	if _, owner := h.status().service(service); owner != node {
		h.on(node, "clusvcadm", "-r", service, "-m", node)
	}
	h.until(service+" is on "+node, limit, func() bool {
		state, owner := h.status().service(service)
		return state == "started" && owner == node
	})
}

// release lets the held tool go on, and all that come after it.
func (h *handover) release() {
	h.t.Helper()
	if err := os.Remove(h.note("hold")); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.gate.WriteString("on\n"); err != nil {
		h.t.Fatal(err)
	}
}

// note is a file by which the story and the held tool speak.
func (h *handover) note(name string) string { return filepath.Join(h.l.Root("node1"), "tmp", name) }

// monitorOn is the process of lbmonitor on a node.
func (h *handover) monitorOn(node string) int {
	h.t.Helper()
	var found []process
	h.until("lbmonitor runs on "+node, limit, func() bool {
		found = processes(func(p process) bool { return p.root == h.l.Root(node) && filepath.Base(p.argv[0]) == "lbmonitor" })
		return len(found) == 1
	})
	return found[0].pid
}

// relocated: beside the monitor that watches its move, on another node, nobody makes a pass.
func (h *handover) relocated() {
	h.t.Helper()
	holder := fmt.Sprintf("lbmonitor on node2, pid %d", h.monitorOn("node2"))
	before := len(h.journal())
	if out, code := h.tryOn("node3", lbmonitor); code != 0 || !strings.Contains(out, "another pass runs") || !strings.Contains(out, holder) {
		h.t.Errorf("the second monitor, on another node: exit %d, which lacks %q: %s", code, holder, out)
	}
	if j := h.journal(); len(j) != before {
		h.t.Errorf("the second monitor has written %v", j[before:])
	}
	h.on("node1", "clusvcadm", "-r", "monitoring", "-m", "node3")
	h.until("the new monitor finds the lock", limit, func() bool {
		b, err := os.ReadFile(h.l.Root("node3") + lbvmagent.RecordFile)
		if err != nil {
			return false
		}
		r, err := lbvmagent.ParseRecord(b)
		return err == nil && r.Outcome == lbvmagent.Locked && strings.Contains(r.Why, holder)
	})
}

func (h *handover) monitorKilled() {
	h.t.Helper()
	h.end(h.monitorOn("node3"))
}

// counts: whoever decides now sees the move in flight. 102 does not leave beside it, and 101 is on its way.
func (h *handover) counts(node string, mark, first int, lives bool) {
	h.t.Helper()
	if !lives { // nobody holds the lock: the new monitor makes its passes
		passes := h.passes()
		h.until("the new monitor makes passes", limit, func() bool { return h.passes() >= passes+2 })
	} else if err := syscall.Kill(first, 0); err != nil {
		h.t.Errorf("the monitor that watches its move is gone: %v", err)
	}
	for vm, want := range map[string]string{"101": "not-started", "102": "one-in-one-out"} {
		out, code := h.tryOn(node, "lbm", "explain", vm)
		if code != 0 || !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool { return strings.Contains(line, want) && strings.Contains(line, "no") }) {
			h.t.Errorf("lbm explain %s: exit %d, and rail %s does not say no: %s", vm, code, want, out)
		}
	}
	if j := h.journal()[mark:]; len(j) != 1 {
		h.t.Errorf("with the move in flight the journal says %v", j)
	}
}

// ended waits for the end of the move that was in flight.
func (h *handover) ended(mark int) (end record) {
	h.t.Helper()
	h.until("the move has ended", limit, func() bool {
		for _, r := range h.journal()[mark:] {
			if r.Get("event") == "end" {
				end = r
				return true
			}
		}
		return false
	})
	return end
}

// once wants that move to have been begun and ended once, and no other of that VM. second says that 102 is then to be moved, once.
func (h *handover) once(node string, mark int, end record, second bool) {
	h.t.Helper()
	if second {
		h.until("102 has moved, too", limit, func() bool { return count(h.journal()[mark:], "event", "end", "vm", "openvz:102") > 0 })
	}
	passes := h.passes()
	h.until("some passes more were made", limit, func() bool { return h.passes() >= passes+3 })
	j := h.journal()[mark:]
	want := 0
	if second {
		want = 1
	}
	if n := count(j, "event", "begin", "vm", "openvz:101"); n != 1 || count(j, "event", "end", "txn", end.Get("txn")) != 1 {
		h.t.Errorf("101 was moved %d times: %v", n, j)
	}
	if n := count(j, "event", "begin", "vm", "openvz:102"); n != want || count(j, "event", "end", "vm", "openvz:102", "outcome", "moved") != want {
		h.t.Errorf("102 was moved %d times, want %d: %v", n, want, j)
	}
	seen := false
	for _, r := range j {
		seen = seen || r.Get("event") == "end" && r.Get("vm") == "openvz:101"
		if r.Get("event") == "begin" && r.Get("vm") == "openvz:102" && !seen {
			h.t.Errorf("102 was moved beside 101: %v", j)
		}
	}
	st := h.status()
	for _, s := range []service{{"centos1", "openvz", "101"}, {"centos2", "openvz", "102"}} {
		if state, owner := st.service(s.name); state != "started" || !slices.Equal(st.on(s.guest()), []string{owner}) {
			h.t.Errorf("%s is %s on %s, its guest on %q", s.name, state, owner, st.on(s.guest()))
		}
	}
	if on := st.on("openvz:101"); !slices.Equal(on, []string{end.Get("owner")}) {
		h.t.Errorf("101 is on %q, and the journal says %v", on, end)
	}
}

// back starts a node that died.
func (h *handover) back(node string) {
	h.t.Helper()
	h.configure(handedOver)
	if node == "" {
		return
	}
	h.must("node", "start", node)
	h.until(node+" is back", limit, func() bool {
		st := h.status()
		return st.Settled && !slices.ContainsFunc(st.Nodes, func(n rgNode) bool { return !n.Member || !n.Manager })
	})
}
