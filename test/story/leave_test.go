package story

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lab"
)

// TestLeavesInOrderWithAVM: a node that was once fenced, and is back, leaves the cluster in order while a VM of a frozen
// service runs on. Fence_tool still says that it was fenced, and not when. The VM is started nowhere else before a
// person has confirmed that the node is off.
func TestLeavesInOrderWithAVM(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Scale: 20})
	w.setUp("node1", "node2", "node3")
	w.must("set", "suite", "el6")
	w.fencedOnce("node2")
	moved := service{"centos1", "openvz", "101"}
	w.on("node1", "clusvcadm", "-r", moved.name, "-m", "node2")
	w.on("node1", "clusvcadm", "-Z", moved.name)
	w.must("node", "leave", "node2")

	st, err := handoff.ReadState(w.l.Shared(), moved.typ, moved.vm)
	if err != nil || !st.Left || st.Node != "node2" || st.Phase != handoff.Running {
		t.Errorf("the record says %+v, %v", st, err)
	}
	if out := w.on("node1", "fence_tool", "ls", "-n"); !strings.Contains(out, "nodeid 2 member 0 victim 0 last fence master 1 how agent\n") {
		t.Fatalf("the trap is not laid: %s", out)
	}
	w.awaitTick(moved.guest(), "node2") // it runs on
	w.on("node1", "clusvcadm", "-U", moved.name)
	w.tryOn("node1", "clusvcadm", "-e", moved.name, "-m", "node1")
	const cure = "lbm confirm-down 101 node2"
	if out, code := w.tryOn("node1", "lbm", "repair", "101"); code != refused || !strings.Contains(out, cure) {
		t.Errorf("repair: exit %d: %s", code, out)
	}
	if n := count(w.journal(), "event", "agent", "vm", moved.guest(), "action", "start", "outcome", "failed"); n == 0 {
		t.Error("no start was refused")
	}
	if on := w.status().on(moved.guest()); !slices.Equal(on, []string{"node2"}) {
		t.Fatalf("the guest is on %q", on)
	}

	// The power goes, and a person has seen it. Nobody fences what is no member.
	w.must("node", "kill", "node2")
	if out, code := w.tryOn("node1", "lbm", "confirm-down", "101", "node2"); code != refused || !strings.Contains(out, "not confirmed: nothing was changed") {
		t.Errorf("without a word: exit %d: %s", code, out)
	}
	w.on("node1", "lbm", "confirm-down", "--yes", "101", "node2")
	w.on("node1", "lbm", "repair", "101")
	w.awaitTick(moved.guest(), "")
	if n := incarnations(w.witness(moved.guest())); n != 2 {
		t.Errorf("the guest has booted %d times", n)
	}
	w.silent(1)
}

// fencedOnce lets a node die, be fenced, and come back.
func (w *world) fencedOnce(node string) {
	w.t.Helper()
	w.must("node", "kill", node)
	w.until(node+" is fenced", limit, func() bool { return count(w.manager(), "event", "fence", "node", node) > 0 })
	w.must("node", "start", node)
	w.until(node+" is back", limit, func() bool {
		st := w.status()
		return st.Settled && !slices.ContainsFunc(st.Nodes, func(n rgNode) bool { return !n.Member || !n.Manager })
	})
}

// TestLeavesAndJoinsAgain: the node that left with a VM on it is back before anybody has done anything. Its rgmanager
// stops the VM, with its memory, and the note of the leave is gone.
func TestLeavesAndJoinsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pair(0))
	w.setUp("node1", "node2")
	for _, s := range two() {
		w.on("node1", "clusvcadm", "-Z", s.name)
	}
	w.must("node", "leave", "node1")
	for _, s := range two() {
		if st, err := handoff.ReadState(w.l.Shared(), s.typ, s.vm); err != nil || !st.Left {
			t.Errorf("the record of %s says %+v, %v", s.guest(), st, err)
		}
	}
	w.must("node", "start", "node1")
	w.until("node1 is back", limit, func() bool { return w.status().Settled })
	for _, s := range two() {
		w.on("node2", "clusvcadm", "-U", s.name)
		if state, _ := w.status().service(s.name); state != "started" { // its owner had gone
			w.on("node2", "lbm", "repair", s.guest())
		}
	}
	for _, s := range two() {
		w.until(s.guest()+" is where its service is", limit, func() bool {
			w.tryOn("node2", "lbm", "repair", s.guest())
			st := w.status()
			state, owner := st.service(s.name)
			return state == "started" && slices.Equal(st.on(s.guest()), []string{owner})
		})
		if st, err := handoff.ReadState(w.l.Shared(), s.typ, s.vm); err != nil || st.Left || st.Phase != handoff.Running {
			t.Errorf("the record of %s says %+v, %v", s.guest(), st, err)
		}
		if n := incarnations(w.witness(s.guest())); n != 1 {
			t.Errorf("guest %s has booted %d times: its memory was to be kept", s.guest(), n)
		}
	}
	w.silent(0)
}

// TestStorageStandsStillUntilFenced: as on GFS, nothing that uses the shared storage moves between the loss of a node
// and its fencing, which takes long. Then the lost VMs boot, once.
func TestStorageStandsStillUntilFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Scale: 20})
	w.setUp("node1", "node2", "node3")
	w.must("set", "gfs", "frozen")
	w.must("set", "fence", "never")
	w.must("node", "kill", "node2")
	w.until("the storage stands still", limit, func() bool { return count(w.manager(), "event", "gfs", "is", "frozen") > 0 })
	moving := service{"centos1", "openvz", "101"}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.tryOn("node1", "clusvcadm", "-r", moving.name, "-m", "node3")
	}()
	before := len(w.witness(moving.guest()))
	w.until("the guest has gone on for a while", limit, func() bool { return len(w.witness(moving.guest())) > before+5 })
	if n := count(w.manager(), "event", "action", "action", "stop", "resource", moving.guest(), "node", "node1"); n > 1 { // one when rgmanager started
		t.Error("a stop has ended while the storage stood still")
	}
	w.must("set", "fence", "1s")
	<-ended
	lost := []service{{"centos2", "openvz", "102"}, {"db1", "xen", "db1"}}
	w.until("all run", limit, func() bool {
		st := w.status()
		for _, s := range append(lost, moving) {
			if state, owner := st.service(s.name); state != "started" || owner == "node2" || !slices.Equal(st.on(s.guest()), []string{owner}) {
				return false
			}
		}
		return true
	})
	for _, s := range lost {
		w.awaitTick(s.guest(), "")
	}
	w.silent(1)
}

// TestAdministrator walks through what an administrator does to VMs beside moving them.
func TestAdministrator(t *testing.T) {
	t.Parallel()
	o := pair(0)
	o.Scale = 20
	o.VMs[1].Top = true // the only kind that the manager can migrate by itself
	w := newWorld(t, o)
	w.setUp("node1", "node2")
	centos := service{"centos1", "openvz", "101"}
	web := service{"web1", "xen", "web1"}

	t.Run("restart boots anew in place", func(t *testing.T) {
		w := w.with(t)
		out := w.on("node2", "lbm", "restart", "--yes", "101")
		if !strings.Contains(out, "openvz:101 was restarted on node1") || !strings.Contains(out, "booted anew") {
			t.Errorf("lbm said %s", out)
		}
		if n := incarnations(w.witness(centos.guest())); n != 2 || w.awaitTick(centos.guest(), "").Node != "node1" {
			t.Errorf("the guest has booted %d times", n)
		}
		if n := incarnations(w.witness(web.guest())); n != 1 {
			t.Errorf("another guest has booted %d times", n)
		}
	})
	t.Run("the manager's own migration", func(t *testing.T) {
		w := w.with(t)
		var out string
		var code int
		w.until("lbm does not refuse", limit, func() bool {
			out, code = w.tryOn("node1", "lbm", "migrate", "--method=manager", "web1", "node2")
			return code != refused
		})
		if code != 0 || !strings.Contains(out, "xen:web1 runs on node2") || !strings.Contains(out, "memory kept") {
			t.Errorf("exit %d: %s", code, out)
		}
		if n := count(w.manager(), "event", "action", "resource", web.guest(), "action", "migrate", "target", "node2", "code", "0"); n != 1 {
			t.Errorf("%d migrations", n)
		}
		w.awaitTick(web.guest(), "node2")
		if n := incarnations(w.witness(web.guest())); n != 1 {
			t.Errorf("the guest has booted %d times", n)
		}
	})
	t.Run("the second of two relocators gives up", func(t *testing.T) {
		w := w.with(t)
		first := make(chan string, 1)
		go func() {
			out, _, _ := w.migrate(centos, "node1", "node2")
			first <- out
		}()
		w.until("the first has laid its ticket", limit, func() bool {
			return slices.ContainsFunc(w.handoff("openvz", "101"), func(n string) bool { return n == "ticket" || n == "ticket.used" })
		})
		out, code := w.tryOn("node2", "lbm", "migrate", "101", "node2")
		if code != refused || !strings.Contains(out, "another relocation of this VM is running") && !strings.Contains(out, "not started") || !strings.Contains(out, "nothing was changed") {
			t.Errorf("exit %d: %s", code, out)
		}
		if out := <-first; !strings.Contains(out, "openvz:101 runs on node2") {
			t.Errorf("the first: %s", out)
		}
	})
	t.Run("repair brings a stopped service back to its VM", func(t *testing.T) {
		w := w.with(t)
		w.on("node1", "clusvcadm", "-d", "centos1")
		out := w.on("node1", "lbm", "repair", "101")
		if !strings.Contains(out, "openvz:101 runs on ") {
			t.Errorf("lbm said %s", out)
		}
		if n := incarnations(w.witness(centos.guest())); n != 2 {
			t.Errorf("the guest has booted %d times: its memory was in an image", n)
		}
		if out := w.on("node1", "lbm", "repair", "101"); !strings.Contains(out, "nothing is wrong; nothing was changed") {
			t.Errorf("lbm said %s", out)
		}
	})
	t.Run("taken, started by hand, and given back", func(t *testing.T) {
		w := w.with(t)
		if out, code := w.tryOn("node1", "lbm", "take", "101"); code != refused || !strings.Contains(out, "disable it first") {
			t.Errorf("exit %d: %s", code, out)
		}
		w.on("node1", "clusvcadm", "-d", "centos1")
		w.on("node1", "lbm", "take", "--yes", "101")
		w.on("node1", "vzctl", "start", "101")
		w.tryOn("node2", "clusvcadm", "-e", "centos1", "-m", "node2") // node2 refuses, node1 takes over what runs there
		w.until("it is node1's", limit, func() bool {
			st := w.status()
			state, owner := st.service("centos1")
			return state == "started" && owner == "node1" && slices.Equal(st.on(centos.guest()), []string{"node1"})
		})
		if n := incarnations(w.witness(centos.guest())); n != 3 {
			t.Errorf("the guest has booted %d times", n)
		}
	})
	w.silent(2)
}

// TestWithoutTheNoteItRunsTwice is what the note is for: without the init script the very same leave makes a double run,
// and the checker finds it.
func TestWithoutTheNoteItRunsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Scale: 20, VMs: []lab.VM{{Type: "openvz", Name: "101", Service: "centos1", Node: "node1"}}})
	w.setUp("node1", "node2", "node3")
	w.must("set", "suite", "el6")
	w.fencedOnce("node2")
	w.on("node1", "clusvcadm", "-r", "centos1", "-m", "node2")
	w.on("node1", "clusvcadm", "-Z", "centos1")
	if err := os.Remove(filepath.Join(w.l.Root("node2"), "usr/sbin/lbm")); err != nil {
		t.Fatal(err)
	}
	w.must("node", "leave", "node2")
	w.on("node1", "clusvcadm", "-U", "centos1")
	w.tryOn("node1", "clusvcadm", "-e", "centos1", "-m", "node1")
	w.awaitTick("openvz:101", "node1")
	w.awaitTick("openvz:101", "node2")
	if err := w.verdict(5); err == nil || !strings.Contains(err.Error(), "double run") {
		t.Errorf("the checker says %v", err)
	}
}
