package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// rowCase is one row of a table: what node1 finds, and what comes of it.
type rowCase struct {
	row   string // that fits at first
	name  string
	typ   string // "" is openvz
	phase handoff.Phase
	node  string // that the record names; to is the target
	to    string
	guest func(n *node)
	setup func(w *world)
	gone  []string
	param string // on_stop

	calls string
	state string // phase, node and target afterwards
	fails string // what the error says; "" is exit 0
	loud  string // the outcome in the journal
}

// What the guest may be.
var (
	isRunning = func(n *node) {
		n.g = guest{state: hypervisor.Running, mounted: n.w.typ == "openvz", incarnation: 77, counter: 5}
	}
	isFrozen = func(n *node) { isRunning(n); n.g.frozen = true }                               // as by OpenVZ: nobody sees it
	isPaused = func(n *node) { isRunning(n); n.g.state, n.g.frozen = hypervisor.Paused, true } // where it can be seen
	isIn     = func(s hypervisor.State) func(*node) { return func(n *node) { n.g.state = s } } // half of a guest
	isHalf   = func(n *node) { n.g.state, n.g.suspended, n.g.handed = hypervisor.Migrating, false, true }

	isHalfOrTorso = func(n *node) { isHalf(n); n.g.state = hypervisor.Torso } // libvirt cannot tell them apart
	comesBack     = func(w *world) {
		n, t := w.nodes["node1"], 0
		w.clock.onSleep = func() {
			if t++; t == 20 {
				isRunning(n)
			}
		}
	}
	arrives = func(w *world) { // after 20 s
		n, t := w.nodes["node1"], 0
		w.clock.onSleep = func() {
			if t++; t == 20 {
				isRunning(n)
				n.runs()
			}
		}
	}
	published = func(w *world) {
		w.locked(func(l *handoff.Locked) {
			w.must(l.Publish(txn, handoff.Meta{Fingerprint: w.fingerprint()}))
		})
	}
	noted  = func(w *world) { w.locked(func(l *handoff.Locked) { w.must(l.Note(txn)) }) }
	leaves = func(w *world) { // node2 left the cluster in order with the VM on it
		w.locked(func(l *handoff.Locked) {
			st, err := l.Read()
			w.must(err)
			_, err = l.Leave("node2", st.Boot, "it leaves", "test")
			w.must(err)
		})
	}
	imageLost = func(w *world) { w.locked(func(l *handoff.Locked) { w.must(l.Discard()) }) }
	sick      = func(w *world) {
		dir := filepath.Join(w.nodes["node1"].root, "var/run/lbvm")
		w.must(os.MkdirAll(dir, 0o755))
		w.must(os.WriteFile(filepath.Join(dir, w.typ+"-101.sick"), nil, 0o644))
	}
)

func fail(tools ...string) func(w *world) {
	return func(w *world) {
		for _, t := range tools {
			w.nodes["node1"].fails[t] = failure{}
		}
	}
}

func both(fs ...func(w *world)) func(w *world) {
	return func(w *world) {
		for _, f := range fs {
			f(w)
		}
	}
}

const (
	byImage = "[suspend dump kill unmount]"
	thawed  = "[thaw suspend dump kill unmount]"
)

func stopCases() []rowCase {
	return []rowCase{
		{row: "arriving, sent here", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), setup: arrives, calls: "[save]", state: "suspended"},
		{row: "arriving, sent here", name: "it hangs", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), calls: "[destroy]", state: "down", loud: "memory lost"},
		{row: "arriving, sent here", name: "a row without letters", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1",
			guest: func(n *node) { isRunning(n); n.g.never = true }, setup: arrives, calls: "[save]", state: "suspended"},
		{row: "remains", name: "a start of ours was cut off", typ: "xen", phase: handoff.Resuming, node: "node1", guest: isIn(hypervisor.Arriving), calls: "[destroy]", state: "down"},
		{row: "leaving", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Migrating), calls: "[destroy]", state: "sent node2", loud: "half copy destroyed"},
		{row: "leaving", name: "it came back", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Migrating), setup: func(w *world) {
			w.clock.onSleep = func() { isRunning(w.nodes["node1"]); w.clock.onSleep = nil }
		}, calls: "[save]", state: "suspended"},
		{row: "leaving", name: "half a copy, and another has it", typ: "xen", phase: handoff.Running, node: "node2", guest: isHalf, calls: "[destroy]", state: "running node2", loud: "half copy destroyed"},
		{row: "leaving", name: "half a copy of a save", typ: "xen", phase: handoff.Suspending, node: "node1", guest: isHalf, calls: "[destroy]", state: "down", loud: "memory lost"},
		{row: "leaving", name: "half a copy, its target written down", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isHalf, calls: "[destroy]", state: "sent node2", loud: "half copy destroyed"},
		{row: "leaving", name: "suspended under its own name", typ: "xen", phase: handoff.Running, node: "node1", guest: func(n *node) { isHalf(n); n.g.handed = false }, calls: "[destroy]", state: "down", loud: "half copy destroyed"},
		{row: "leaving", name: "by hand, and it runs here", typ: "xen", phase: handoff.Running, node: "node1", guest: isIn(hypervisor.Migrating), calls: "[destroy]", state: "down", loud: "half copy destroyed"},
		{row: "leaving", name: "by hand, and it comes to the end while it is waited for", typ: "xen", phase: handoff.Running, node: "node1", guest: isIn(hypervisor.Migrating), setup: func(w *world) {
			n, k := w.nodes["node1"], 0
			w.clock.onSleep = func() {
				if k++; k == 20 {
					isHalf(n)
				}
			}
		}, state: "running node1", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving by hand", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalf, state: "running node1", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving by hand", name: "its process was made by a move", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalfOrTorso, state: "running node1", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "remains", name: "a start of ours was cut off, or half a copy", typ: "xen", phase: handoff.Resuming, node: "node1", guest: isHalfOrTorso, calls: "[destroy]", state: "down"},
		{row: "leaving by hand", name: "it came back", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalf, setup: comesBack, calls: "[save]", state: "suspended"},
		{row: "leaving by hand", name: "no record", typ: "xen", phase: handoff.NoRecord, guest: isHalf, state: "none", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving", name: "half a copy of a move that is over", typ: "xen", phase: handoff.Down, node: "node2", guest: isHalf, calls: "[destroy]", state: "down", loud: "half copy destroyed"},
		{row: "here, another has it", name: "another has it", typ: "xen", phase: handoff.Running, node: "node2", guest: isIn(hypervisor.Migrating), state: "running node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)", loud: "double run"},
		{row: "remains", phase: handoff.Running, node: "node1", guest: isIn(hypervisor.Remains), calls: "[destroy]", state: "down"},
		{row: "remains", name: "umount was busy", phase: handoff.Held, node: "node1", guest: isIn(hypervisor.Remains), calls: "[destroy]", state: "suspended"},
		{row: "remains", name: "half copy", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Remains), calls: "[destroy]", state: "sent node2"},

		{row: "absent, had it", phase: handoff.Starting, node: "node1", calls: "[]", state: "down"},
		{row: "absent, had it", phase: handoff.Running, node: "node1", calls: "[]", state: "down"},
		{row: "absent, had it", phase: handoff.Resuming, node: "node1", calls: "[]", state: "down", loud: "memory lost"},
		{row: "absent, sent here", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", state: "down", loud: "memory lost"},
		{row: "absent, sending", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", state: "sent node2"},
		{row: "absent, suspending, image published", phase: handoff.Suspending, node: "node1", setup: published, state: "suspended"},
		{row: "absent, suspending, dump whole", phase: handoff.Suspending, node: "node1", setup: noted, state: "suspended"},
		{row: "absent, suspending, dump whole", name: "booted by hand since", phase: handoff.Suspending, node: "node1", setup: both(noted, func(w *world) {
			later := time.Now().Add(time.Second)
			w.must(os.Chtimes(filepath.Join(w.nodes["node1"].root, "shared/disk/root"), later, later))
		}), state: "down", loud: "memory lost"},
		{row: "absent, suspending", phase: handoff.Suspending, node: "node1", state: "down", loud: "memory lost"},
		{row: "absent, suspending", name: "noted in another boot", phase: handoff.Suspending, node: "node1", setup: both(noted, func(w *world) { w.nodes["node1"].reboot() }), state: "down"},
		{row: "absent, suspending", name: "Xen proves nothing", typ: "xen", phase: handoff.Suspending, node: "node1", setup: noted, state: "down"},
		{row: "absent, held", phase: handoff.Held, node: "node1", state: "suspended"},
		{row: "absent, held, image lost", phase: handoff.Held, node: "node1", setup: imageLost, state: "down", loud: "memory lost"},

		{row: "here, another has it", phase: handoff.Running, node: "node2", guest: isRunning, state: "running node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)", loud: "double run"},
		{row: "here, announced", name: "its sender was cut off", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isRunning, calls: "[save]", state: "suspended"},
		{row: "here, another has it", name: "sending between others", typ: "xen", phase: handoff.Sending, node: "node2", to: "node3", gone: []string{"node2"}, guest: isRunning, state: "sending node2 node3", fails: "not proved gone", loud: "double run"},
		{row: "here, another has it", name: "sent to another", typ: "xen", phase: handoff.Sent, node: "node1", to: "node2", guest: isRunning, state: "sent node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{row: "here, another has it", name: "a new boot of a target proves nothing", typ: "xen", phase: handoff.Sent, node: "node1", to: "node2", guest: isRunning, setup: func(w *world) {
			w.nodes["node2"].reboot()
			w.publishBoot("node2")
		}, state: "sent node2", fails: "not proved gone"},
		{row: "absent, had it", name: "its tool was taken away", phase: handoff.Running, node: "node1", setup: fail("program"), calls: "[]", state: "down"},
		{row: "here, nobody has it", name: "down", phase: handoff.Down, guest: isRunning, node: "node1", calls: byImage, state: "suspended", loud: "taken over"},
		{row: "here, nobody has it", name: "suspended", phase: handoff.Suspended, guest: isRunning, node: "node1", calls: byImage, state: "suspended"},
		{row: "here, nobody has it", name: "its node is gone", phase: handoff.Running, node: "node2", gone: []string{"node2"}, guest: isRunning, calls: byImage, state: "suspended"},
		{row: "frozen, held", phase: handoff.Held, node: "node1", guest: isPaused, calls: "[kill unmount]", state: "suspended"},
		{row: "frozen, sick, image published", name: "sick", phase: handoff.Held, node: "node1", guest: isPaused, setup: sick, calls: "[thaw shutdown]", state: "down"},
		{row: "frozen, suspending, image published", phase: handoff.Suspending, node: "node1", guest: isPaused, setup: published, calls: "[kill unmount]", state: "suspended"},
		{row: "frozen, sick, image published", name: "sick", phase: handoff.Suspending, node: "node1", guest: isPaused, setup: both(sick, published), calls: "[thaw shutdown]", state: "down"},
		{row: "frozen", phase: handoff.Suspending, node: "node1", guest: isPaused, calls: thawed, state: "suspended"},
		{row: "frozen", name: "it does not go on", phase: handoff.Suspending, node: "node1", guest: isPaused, setup: fail("thaw"), calls: "[thaw thaw shutdown destroy]", state: "down", loud: "memory lost"},
		{row: "frozen", name: "paused by hand", typ: "xen", phase: handoff.Running, node: "node1", guest: isPaused, calls: "[thaw save]", state: "suspended"},
		{row: "frozen", name: "held, the image is lost", phase: handoff.Held, node: "node1", guest: isPaused, setup: imageLost, calls: thawed, state: "suspended"},
		{row: "running, suspending or held", name: "frozen, and nobody sees it", phase: handoff.Suspending, node: "node1", guest: isFrozen, calls: thawed, state: "suspended"},
		{row: "running, suspending or held", name: "not frozen", phase: handoff.Suspending, node: "node1", guest: isRunning, calls: thawed, state: "suspended"},
		{row: "running, suspending or held", name: "held", phase: handoff.Held, node: "node1", guest: isFrozen, calls: thawed, state: "suspended"},
		{row: "running, suspending or held", name: "xen", typ: "xen", phase: handoff.Suspending, node: "node1", guest: isRunning, calls: "[thaw save]", state: "suspended"},

		{row: "running", phase: handoff.Running, node: "node1", guest: isRunning, calls: byImage, state: "suspended"},
		{row: "running", name: "no record", phase: handoff.NoRecord, guest: isRunning, calls: byImage, state: "suspended"},
		{row: "running", name: "starting", phase: handoff.Starting, node: "node1", guest: isRunning, calls: byImage, state: "suspended"},
		{row: "running", name: "resuming", phase: handoff.Resuming, node: "node1", guest: isRunning, calls: byImage, state: "suspended"},
		{row: "running", name: "sending, it stayed", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isRunning, calls: "[save]", state: "suspended"},
		{row: "running", name: "arrived, not adopted", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isRunning, calls: "[save]", state: "suspended"},
		{row: "running", name: "sick", phase: handoff.Running, node: "node1", guest: isRunning, setup: sick, calls: "[shutdown]", state: "down"},
		{row: "running", name: "on_stop=shutdown", phase: handoff.Running, node: "node1", guest: isRunning, param: "shutdown", calls: "[shutdown]", state: "down"},
		{row: "running", name: "shutdown fails", phase: handoff.Running, node: "node1", guest: isRunning, param: "shutdown", setup: fail("shutdown"), calls: "[shutdown destroy]", state: "down"},
		{row: "running", name: "nothing ends it", phase: handoff.Running, node: "node1", guest: isRunning, param: "shutdown", setup: fail("shutdown", "destroy"), calls: "[shutdown destroy]", state: "running node1", fails: "destroying"},
		{row: "running", name: "freezing fails", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("suspend"), calls: "[suspend thaw shutdown]", state: "down", loud: "memory lost"},
		{row: "running", name: "dumping fails", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("dump"), calls: "[suspend dump thaw shutdown]", state: "down", loud: "memory lost"},
		{row: "running", name: "dumping fails, no cold stop allowed", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("dump"), param: "suspend-only", calls: "[suspend dump thaw]", state: "running node1", fails: "suspend-only"},
		{row: "running", name: "no configuration", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("guest"), calls: "[shutdown]", state: "down", loud: "memory lost"},
		{row: "running", name: "kill refused", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("kill"), calls: "[suspend dump kill]", state: "held node1", fails: "stays held"},
		{row: "running", name: "umount busy", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("unmount"), calls: byImage, state: "held node1", fails: "stays held"},
		{row: "running", name: "saving fails", typ: "xen", phase: handoff.Running, node: "node1", guest: isRunning, setup: fail("save"), calls: "[save thaw shutdown]", state: "down", loud: "memory lost"},
		{row: "running", name: "saving fails and the guest is gone", typ: "xen", phase: handoff.Running, node: "node1", guest: isRunning,
			setup: func(w *world) { w.nodes["node1"].fails["save"] = failure{effect: func(n *node) { n.g = guest{} }} }, calls: "[save]", state: "down", loud: "memory lost"},
		{row: "running", name: "saving leaves it paused", typ: "xen", phase: handoff.Running, node: "node1", guest: isRunning,
			setup: func(w *world) {
				w.nodes["node1"].fails["save"] = failure{effect: func(n *node) { n.g.state = hypervisor.Paused }}
			}, calls: "[save thaw shutdown]", state: "down"},
	}
}

func startCases() []rowCase {
	return []rowCase{
		{row: "no program", phase: handoff.Down, node: "node1", setup: fail("program"), calls: "[]", state: "down", fails: "not installed here"},
		{row: "no program", name: "an image waits", phase: handoff.Suspended, node: "node2", setup: fail("program"), calls: "[]", state: "suspended", fails: "not installed here"},
		{row: "here, another has it", phase: handoff.Running, node: "node2", guest: isRunning, state: "running node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)", loud: "double run"},
		{row: "leaving, another may have it", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Migrating), state: "sending node1 node2", fails: "not proved gone"},
		{row: "leaving by hand", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalf, state: "running node1", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving by hand", name: "no record", typ: "xen", phase: handoff.NoRecord, guest: isHalf, state: "none", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving", name: "half a copy of a move that is over", typ: "xen", phase: handoff.Down, node: "node2", guest: isHalf, calls: "[destroy start]", state: "running node1", loud: "half copy destroyed"},
		{row: "leaving by hand", name: "its process was made by a move", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalfOrTorso, state: "running node1", fails: "look for it on the other nodes", loud: "hand-off unknown"},
		{row: "leaving by hand", name: "it came back", typ: "xen", phase: handoff.Running, node: "node1", guest: isHalf, setup: comesBack, state: "running node1"},
		{row: "half a copy, another has it", typ: "xen", phase: handoff.Running, node: "node2", guest: isHalf, state: "running node2", fails: "not proved gone"},
		{row: "leaving", name: "the target is gone", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", gone: []string{"node2"}, guest: isIn(hypervisor.Migrating), calls: "[destroy start]", state: "running node1", loud: "memory lost"},
		{row: "here, suspending or held", name: "suspending", phase: handoff.Suspending, node: "node1", guest: isFrozen, calls: "[thaw]", state: "running node1"},
		{row: "here, suspending or held", name: "held", phase: handoff.Held, node: "node1", guest: isFrozen, calls: "[thaw]", state: "running node1"},
		{row: "here, suspending or held", name: "it does not go on", phase: handoff.Held, node: "node1", guest: isFrozen, setup: fail("thaw"), calls: "[thaw]", state: "held node1", fails: "failed"},
		{row: "frozen", typ: "xen", phase: handoff.Running, node: "node1", guest: isPaused, calls: "[thaw]", state: "running node1"},
		{row: "here", phase: handoff.Running, node: "node1", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "no record", phase: handoff.NoRecord, guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "sent", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "sending, complete", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "starting", phase: handoff.Starting, node: "node1", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "resuming", phase: handoff.Resuming, node: "node1", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here", name: "sending, it stayed", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isRunning, calls: "[]", state: "running node1"},
		{row: "here, nobody has it", name: "down", phase: handoff.Down, node: "node1", guest: isRunning, calls: "[thaw]", state: "running node1", loud: "taken over"},
		{row: "here, nobody has it", name: "suspended", phase: handoff.Suspended, node: "node2", guest: isRunning, calls: "[thaw]", state: "running node1", loud: "taken over"},
		{row: "here, nobody has it", name: "its node is gone", phase: handoff.Running, node: "node2", gone: []string{"node2"}, guest: isRunning, calls: "[thaw]", state: "running node1"},

		{row: "arriving, announced", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), setup: arrives, calls: "[]", state: "running node1"},
		{row: "arriving, announced", name: "it hangs", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), calls: "[destroy start]", state: "running node1", loud: "memory lost"},
		{row: "arriving, being sent", name: "sending, it hangs", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isIn(hypervisor.Arriving), calls: "[]", state: "sending node2 node1", fails: "has not arrived"},
		{row: "arriving", typ: "xen", phase: handoff.Running, node: "node2", guest: isIn(hypervisor.Arriving), calls: "[]", state: "running node2", fails: "left alone"},
		{row: "torso of a living source", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", guest: isIn(hypervisor.Torso), calls: "[]", state: "sending node2 node1", fails: "still being received"},
		{row: "remains", name: "torso of a dead source", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", gone: []string{"node2"}, guest: isIn(hypervisor.Torso), calls: "[destroy start]", state: "running node1", loud: "memory lost"},
		{row: "remains, another has it", phase: handoff.Running, node: "node2", guest: isIn(hypervisor.Remains), calls: "[]", state: "running node2", fails: "not proved gone"},
		{row: "remains, another has it", name: "half copy, the target lives", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", guest: isIn(hypervisor.Remains), calls: "[]", state: "sending node1 node2", fails: "not proved gone"},
		{row: "remains", phase: handoff.Running, node: "node1", guest: isIn(hypervisor.Remains), calls: "[destroy start]", state: "running node1"},
		{row: "remains", name: "held, umount was busy", phase: handoff.Held, node: "node1", guest: isIn(hypervisor.Remains), calls: "[destroy restore]", state: "running node1"},

		{row: "absent, down", name: "no record", phase: handoff.NoRecord, calls: "[start]", state: "running node1"},
		{row: "absent, down", phase: handoff.Down, node: "node1", calls: "[start]", state: "running node1"},
		{row: "absent, down", name: "boot fails", phase: handoff.Down, node: "node1", setup: fail("start"), calls: "[start]", state: "starting node1", fails: "booting"},
		{row: "absent, down", name: "no configuration", phase: handoff.Down, node: "node1", setup: fail("guest"), calls: "[]", state: "down", fails: "configuration"},
		{row: "absent, had it", phase: handoff.Starting, node: "node1", calls: "[start]", state: "running node1"},
		{row: "absent, had it", phase: handoff.Running, node: "node1", calls: "[start]", state: "running node1"},
		{row: "absent, had it", name: "resuming", phase: handoff.Resuming, node: "node1", calls: "[start]", state: "running node1", loud: "memory lost"},
		{row: "absent, had it", name: "suspending", phase: handoff.Suspending, node: "node1", calls: "[start]", state: "running node1"},
		{row: "absent, suspended", phase: handoff.Suspended, node: "node2", calls: "[restore]", state: "running node1"},
		{row: "absent, suspended", name: "the image is gone", phase: handoff.Suspended, node: "node2", setup: imageLost, calls: "[start]", state: "running node1", loud: "memory lost"},
		{row: "absent, suspended", name: "the disk has changed", phase: handoff.Suspended, node: "node2", setup: func(w *world) { w.nodes["node3"].byHand() }, calls: "[start]", state: "running node1", loud: "memory lost"},
		{row: "absent, suspended", name: "restoring fails", phase: handoff.Suspended, node: "node2", setup: fail("restore"), calls: "[restore start]", state: "running node1", loud: "memory lost"},
		{row: "absent, suspended", name: "restoring leaves something", phase: handoff.Suspended, node: "node2",
			setup: func(w *world) {
				w.nodes["node1"].fails["restore"] = failure{effect: func(n *node) { n.g.mounted = true }}
			}, calls: "[restore]", state: "resuming node1", fails: "something of it is here"},
		{row: "absent, suspended", name: "no configuration", phase: handoff.Suspended, node: "node2", setup: fail("guest"), calls: "[]", state: "suspended", fails: "configuration"},
		{row: "absent, held", phase: handoff.Held, node: "node1", calls: "[restore]", state: "running node1"},
		{row: "absent, held", name: "an older boot", phase: handoff.Held, node: "node1", setup: func(w *world) { w.nodes["node1"].reboot() }, calls: "[restore]", state: "running node1"},
		{row: "absent, sent here", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", calls: "[start]", state: "running node1", loud: "memory lost"},
		{row: "absent, sent here", name: "it arrives", typ: "xen", phase: handoff.Sent, node: "node2", to: "node1", setup: arrives, calls: "[]", state: "running node1"},
		{row: "absent, sending here", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", calls: "[]", state: "sending node2 node1", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{row: "absent, sending here, sender gone", name: "the source is gone", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", gone: []string{"node2"}, calls: "[start]", state: "running node1", loud: "memory lost"},
		{row: "absent, sending", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", calls: "[]", state: "sending node1 node2", fails: "not proved gone"},
		{row: "absent, sending, target gone", name: "the target is gone", typ: "xen", phase: handoff.Sending, node: "node1", to: "node2", gone: []string{"node2"}, calls: "[start]", state: "running node1"},
		{row: "absent, sending elsewhere", typ: "xen", phase: handoff.Sending, node: "node2", to: "node3", gone: []string{"node2"}, calls: "[]", state: "sending node2 node3", fails: "not proved gone"},
		{row: "absent, sending elsewhere", name: "only the target is gone", typ: "xen", phase: handoff.Sending, node: "node2", to: "node3", gone: []string{"node3"}, calls: "[]", state: "sending node2 node3", fails: "not proved gone"},
		{row: "absent, sending elsewhere, both gone", name: "both are gone", typ: "xen", phase: handoff.Sending, node: "node2", to: "node3", gone: []string{"node2", "node3"}, calls: "[start]", state: "running node1"},
		{row: "absent, sent elsewhere", typ: "xen", phase: handoff.Sent, node: "node1", to: "node2", calls: "[]", state: "sent node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{row: "absent, sent elsewhere, gone", name: "gone", typ: "xen", phase: handoff.Sent, node: "node1", to: "node2", gone: []string{"node2"}, calls: "[start]", state: "running node1"},
		{row: "absent, held elsewhere", phase: handoff.Held, node: "node2", calls: "[]", state: "held node2", fails: "not proved gone"},
		{row: "absent, held elsewhere, gone", name: "gone", phase: handoff.Held, node: "node2", gone: []string{"node2"}, calls: "[restore]", state: "running node1"},
		{row: "absent, elsewhere", name: "starting", phase: handoff.Starting, node: "node2", calls: "[]", state: "starting node2", fails: "not proved gone"},
		{row: "absent, elsewhere", name: "running", phase: handoff.Running, node: "node2", calls: "[]", state: "running node2", fails: "a fencing or a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{row: "absent, elsewhere", name: "suspending", phase: handoff.Suspending, node: "node2", calls: "[]", state: "suspending node2", fails: "not proved gone"},
		{row: "absent, elsewhere", name: "resuming", phase: handoff.Resuming, node: "node2", calls: "[]", state: "resuming node2", fails: "not proved gone"},
		{row: "absent, elsewhere, gone", name: "gone", phase: handoff.Running, node: "node2", gone: []string{"node2"}, calls: "[start]", state: "running node1"},
		{row: "absent, elsewhere", name: "away, not fenced", phase: handoff.Running, node: "node2", setup: func(w *world) { w.nodes["node2"].online = false }, calls: "[]", state: "running node2", fails: "not proved gone"},
		{row: "absent, elsewhere", name: "fenced long ago, a member again", phase: handoff.Running, node: "node2", setup: func(w *world) { w.nodes["node2"].fenced = true }, calls: "[]", state: "running node2", fails: "not proved gone"},
		{row: "absent, elsewhere, gone", name: "another boot", phase: handoff.Running, node: "node2", setup: func(w *world) { w.nodes["node2"].reboot(); w.publishBoot("node2") }, calls: "[start]", state: "running node1"},
		{row: "absent, elsewhere", name: "inquorate", phase: handoff.Running, node: "node2", gone: []string{"node2"}, setup: func(w *world) { w.lostKernel = true }, calls: "[]", state: "running node2", fails: "not proved gone (the cluster's members are not known: the cluster is not quorate here)"},
		{row: "absent, elsewhere", name: "left cleanly", phase: handoff.Running, node: "node2", gone: []string{"node2"}, setup: leaves, calls: "[]", state: "running node2", fails: "which left the cluster in order with the VM on it: no fencing speaks for it; a boot of node2 frees the VM (lbm handoff 101 tells the ways)"},
		{row: "absent, held elsewhere", name: "left cleanly", phase: handoff.Held, node: "node2", gone: []string{"node2"}, setup: leaves, calls: "[]", state: "held node2", fails: "left the cluster in order"},
		{row: "absent, sending here", name: "its sender left cleanly", typ: "xen", phase: handoff.Sending, node: "node2", to: "node1", gone: []string{"node2"}, setup: leaves, calls: "[]", state: "sending node2 node1", fails: "left the cluster in order"},
		{row: "absent, elsewhere, gone", name: "left cleanly, and has booted anew", phase: handoff.Running, node: "node2", setup: func(w *world) { leaves(w); w.nodes["node2"].reboot(); w.publishBoot("node2") }, calls: "[start]", state: "running node1"},
	}
}

// world is what a row finds.
func (c rowCase) world(t *testing.T) (*world, *node) {
	t.Helper()
	if c.typ == "" {
		c.typ = "openvz"
	}
	w := newWorld(t, c.typ, "node1", "node2", "node3")
	w.put(c.phase, c.node, c.to)
	n := w.nodes["node1"]
	if c.guest != nil {
		c.guest(n)
	}
	for _, name := range c.gone {
		w.nodes[name].dies()
	}
	if c.setup != nil {
		c.setup(w)
	}
	return w, n
}

func (c rowCase) onStop() string {
	if c.param == "" {
		return "suspend"
	}
	return c.param
}

func (w *world) publishBoot(name string) {
	h, err := w.nodes[name].host()
	w.must(err)
	w.must(h.PublishBoot(w.shared, name))
}

func TestStopRows(t *testing.T)  { testRows(t, "stop", protocol.Stop(), stopCases()) }
func TestStartRows(t *testing.T) { testRows(t, "start", protocol.Start(), startCases()) }

func testRows(t *testing.T, action string, table []protocol.Row, cases []rowCase) {
	covered := map[string]bool{}
	for _, c := range cases {
		covered[c.row] = true
		t.Run(c.row+"/"+c.phase.String()+" "+c.name, func(t *testing.T) {
			w, n := c.world(t)
			params := map[string]string{}
			if c.param != "" {
				params["on_stop"] = c.param
			}
			err := n.do(action, params)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("it answers %v, want %q", err, c.fails)
			}
			if c.calls == "" {
				c.calls = "[]"
			}
			if got := fmt.Sprint(n.calls); got != c.calls {
				t.Errorf("tools %s, want %s", got, c.calls)
			}
			if got := stateText(w.state()); got != c.state {
				t.Errorf("the state is %q, want %q", got, c.state)
			}
			if got := firstRow(n, action); got != c.row {
				t.Errorf("the row is %q", got)
			}
			if c.loud != "" && !strings.Contains(w.journal(), "outcome=\""+c.loud+"\"") {
				t.Errorf("the journal does not say %q:\n%s", c.loud, w.journal())
			}
			if failed := strings.Contains(w.journal(), "outcome=failed"); failed != (c.fails != "") {
				t.Errorf("the journal says:\n%s", w.journal())
			}
			if t.Failed() {
				t.Log(strings.Join(n.logs, "\n"))
			}
			w.ok()
		})
	}
	for _, r := range table {
		// Rows that only a change between the look without and with the lock leads to are tested apart.
		if !covered[r.Name] && !elsewhere[action+" "+r.Name] {
			t.Errorf("row %q has no test", r.Name)
		}
	}
}

var elsewhere = map[string]bool{"stop absent, not named": true, "stop arriving": true, "stop torso of a living source": true}

func stateText(st handoff.State) string {
	return strings.Join(strings.Fields(fmt.Sprint(st.Phase, " ", st.Node, " ", st.To)), " ")
}

// firstRow is the first row that an action went to.
func firstRow(n *node, action string) string {
	for _, l := range n.logs {
		if _, rest, ok := strings.Cut(l, "information "+action+": "); ok {
			l = rest
		} else if _, rest, ok := strings.Cut(l, "info "+action+": "); ok {
			l = rest
		} else {
			continue
		}
		name, _, _ := strings.Cut(l, " [")
		return name
	}
	return ""
}

func (w *world) journal() string {
	b, err := os.ReadFile(filepath.Join(w.shared, "lbvm/log/migrate.log"))
	if err != nil {
		return ""
	}
	return string(b)
}
