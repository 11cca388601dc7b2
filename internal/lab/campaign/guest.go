package campaign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
)

// memory is what a guest has in it.
type memory struct {
	incarnation, n, disk, boots int
}

// presence is what a node has of the guest.
type presence int

const (
	none presence = iota
	runs
	frozen   // stands still: shown as running by OpenVZ, as paused by Xen
	leaving  // under another name, while it is saved or sent
	torso    // received, not complete
	arriving // complete, never ran here
	half     // left behind by a push whose end is not known
)

var presences = [...]string{"none", "runs", "frozen", "leaving", "torso", "arriving", "half"}

func (p presence) alive() bool { return p == runs || p == frozen || p == leaving }

// touch makes the guest's disk show what it has in it.
func (w *world) touch() {
	path, size := filepath.Join(w.shared, "web.img"), w.disk
	if w.typ == "openvz" {
		path, size = filepath.Join(w.shared, "private/101/etc/mtab"), w.boots
	}
	if fi, err := os.Stat(path); err == nil && fi.Size() == int64(size) {
		return // it has written nothing
	}
	w.tell("the disk changes: %d", size)
	w.must(os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o644))
}

// goes makes the guest run on this node from now on, and looks whether that may be.
func (n *node) goes(m memory, why string) {
	w := n.w
	for _, o := range w.nodes {
		if o != n && o.has.alive() && !w.doubleByHand {
			w.find("I1 double run: it runs on %s (%s) while it is %s on %s", n.name, why, presences[o.has], o.name)
		}
	}
	n.has, n.mem, n.since = runs, m, w.now
	w.tell("%s: the guest runs (%s)", n.name, why)
	n.tick()
}

// tick is a write of the guest: to its disk, and to its witness log.
func (n *node) tick() {
	w := n.w
	w.disk++
	n.mem.n++
	n.mem.disk, n.mem.boots = w.disk, w.boots
	w.memory = n.mem
	w.lines = append(w.lines, lab.Line{At: w.now, Node: n.name, Process: fmt.Sprint(n.process), Incarnation: fmt.Sprint("i", n.mem.incarnation), N: uint64(n.mem.n)})
}

// starts gives the guest a process of its own.
func (n *node) starts() {
	n.w.process++
	n.process = n.w.process
}

// boots the guest anew.
func (n *node) bootGuest(why string) {
	w := n.w
	w.boots++
	n.starts()
	n.mounted = w.typ == "openvz"
	n.goes(memory{incarnation: w.boots, boots: w.boots}, why)
	w.touch()
}

// halts: the guest has ended in order, or was killed; its node wrote out what it had.
func (n *node) halts() {
	if n.has.alive() {
		n.w.synced = n.w.disk
		n.w.touch()
	}
	n.has, n.mem, n.ended = none, memory{}, n.w.now
}

// dump is a memory as text; only a complete one can be read.
func (n *node) dump() string {
	w := n.w
	w.memories++
	w.memSynced = false
	if _, err := os.Lstat(n.path("var/run/lbvm/" + w.typ + "-" + w.vm + ".sick")); err == nil {
		w.find("R20 the memory of a sick guest is kept")
	}
	return fmt.Sprintf("memory %d %d %d %d %d end\n", w.memories, n.mem.incarnation, n.mem.n, w.disk, w.boots)
}

// undump makes the guest go on from a memory. An error is what a tool says to a file that is none.
func (n *node) undump(text string) error {
	w := n.w
	var id int
	var m memory
	var end string
	if w.typ == "kvm" {
		var whole bool
		if text, whole = strings.CutPrefix(text, saved); !whole {
			return errors.New("save image is incomplete")
		}
	}
	if k, err := fmt.Sscanf(text, "memory %d %d %d %d %d %s\n", &id, &m.incarnation, &m.n, &m.disk, &m.boots, &end); k != 6 || err != nil {
		return errors.New("the dump is cut off")
	}
	if w.resumed[id] {
		w.find("I2 a memory is resumed twice: %d", id)
	}
	w.resumed[id] = true
	if (m.disk != w.disk || m.boots != w.boots) && !w.doubleByHand {
		w.find("I2 a memory is resumed that is too old: the disk was at %d (boot %d) and is at %d (boot %d)", m.disk, m.boots, w.disk, w.boots)
	}
	n.starts()
	n.mounted = w.typ == "openvz"
	n.goes(m, "resumed")
	return nil
}
