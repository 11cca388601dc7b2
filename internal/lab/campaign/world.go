package campaign

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
)

// world is a cluster of three nodes that share a folder, with one guest. It knows the truth, and notes every rule that
// is broken.
type world struct {
	*sched
	typ, vm string
	shared  string
	nodes   []*node
	manager *manager
	actions []*action

	disk, synced  int // writes to the guest's disk; how many of them a death of its node leaves
	boots         int // of the guest, which its fingerprint shows
	memories      int // how many were written
	memSynced     bool
	resumed       map[int]bool
	lines         []lab.Line
	process       int
	memory        memory // that the guest had last
	lossy         bool   // something happened for which memory may be lost
	doubleByHand  bool
	damaged       bool
	bootIDs, txns int
	seq           uint64
	frozenFor     int // nodes that are lost and not fenced: the shared file system stands still

	fails    map[string]string // node tool -> how it fails, once
	silent   map[string]time.Time
	noSpace  map[string]bool
	triggers []*trigger
	passed   []string // crash points, where they are asked for
	record   bool
	tracing  bool
	trace    []string

	findings []string

	relocatorDied time.Time

	last    handoff.State // the record, as it was last read
	lastErr error
	stale   bool
}

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

type node struct {
	w       *world
	name    string
	id      int
	root    string
	boot    string
	on      bool // it has power
	member  bool
	rg      bool // the manager works here
	victim  bool // fencing is owed
	booting bool // its boot script has not published it yet
	how     string
	joined  int
	has     presence
	mem     memory
	mounted bool
	since   time.Time // it runs here, or is mounted
	ended   time.Time // it runs here no more
	process int
	locked  *task // vzctl's own lock
	pending *task // it is being fenced
	away    bool  // its share is not mounted
	nolock  bool
}

// trigger strikes at a crash point.
type trigger struct {
	point string // "*" is any
	node  string // "" is any
	left  int    // how often it is still passed by
	do    func(w *world, t *task)
}

// newBase makes the folder that a worker's worlds share, one after the other.
func newBase(typ string) (base string, err error) {
	dir := ""
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		dir = "/dev/shm"
	}
	if base, err = os.MkdirTemp(dir, "lbvm-campaign-"); err != nil {
		return "", err
	}
	shared := filepath.Join(base, "shared")
	for _, d := range []string{"lbvm/nodes", "lbvm/log", "lbvm/handoff", "private/101/etc"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(shared, d), 0o755))
	}
	id := host.Identity{Cluster: "c", UUID: "u", Shared: "/shared", LogDir: "/log"}
	put := func(path, text string, mode os.FileMode) {
		err = errors.Join(err, os.WriteFile(path, []byte(text), mode))
	}
	put(filepath.Join(shared, host.MarkerFile), string(id.Marker()), 0o644)
	for _, name := range members {
		root := filepath.Join(base, name)
		// What lies below the mount point is an old copy: it has folders, and no mark.
		for _, d := range []string{"etc/cluster", "etc/vz/conf", "etc/xen", "proc/sys/kernel/random", "proc/vz", "var/run", "sbin", "log", "below/lbvm/nodes", "below/lbvm/handoff", "below/private/101/etc"} {
			err = errors.Join(err, os.MkdirAll(filepath.Join(root, d), 0o755))
		}
		put(filepath.Join(root, "below/web.img"), "", 0o644)
		for _, tool := range []string{"vzctl", "xm", "cman_tool", "fence_tool"} {
			put(filepath.Join(root, "sbin", tool), "", 0o755)
		}
		put(filepath.Join(root, "etc/vz/conf/101.conf"), "VE_PRIVATE=/shared/private/101\nPHYSPAGES=0:4096\n", 0o644)
		put(filepath.Join(root, "etc/xen/web"), "name = 'web'\nmemory = 16\ndisk = ['file:/shared/web.img,xvda,w']\n", 0o644)
		h, herr := host.New(root)
		if err = errors.Join(err, herr); err == nil {
			id.Member = name
			err = h.WriteIdentity(id)
		}
	}
	return base, err
}

var members = [...]string{"node1", "node2", "node3"}

// newWorld makes a world in a base that an earlier one may have used.
func newWorld(base, typ string, seed int64) (*world, error) {
	w := &world{sched: newSched(seed), typ: typ, vm: map[string]string{"openvz": "101", "xen": "web"}[typ], shared: filepath.Join(base, "shared"),
		resumed: map[int]bool{}, fails: map[string]string{}, silent: map[string]time.Time{}, noSpace: map[string]bool{}}
	err := os.RemoveAll(w.h(""))
	for i, name := range members {
		n := &node{w: w, name: name, id: i + 1, root: filepath.Join(base, name), how: "none"}
		w.nodes = append(w.nodes, n)
		err = errors.Join(err, os.RemoveAll(filepath.Join(w.shared, host.NodesDir, name)), n.powerOn(), n.mount(true))
		if err == nil {
			n.member, n.rg, n.joined = true, true, 1
			n.how = []string{"none", "agent"}[w.r.Intn(2)] // it may have been fenced long ago
			err = n.publish()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("making a world: %w", err)
	}
	w.stale = true
	w.manager = newManager(w)
	w.elapsed = func(from, to time.Time) {
		if from.Unix() == to.Unix() {
			return
		}
		for _, n := range w.nodes {
			if n.has == runs {
				n.tick()
			}
		}
	}
	w.touch()
	return w, nil
}

// h is a path in the hand-off folder.
func (w *world) h(name string) string {
	return filepath.Join(w.shared, handoff.Folder, w.typ+"-"+w.vm, name)
}

func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *world) tell(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%9.3f  ", w.now.Sub(time.Unix(1200000000, 0)).Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) find(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("!! %s", text)
	w.findings = append(w.findings, text)
}

func (w *world) state() handoff.State {
	st, err := handoff.ReadState(w.shared, w.typ, w.vm)
	w.last, w.lastErr, w.stale = st, err, false
	for _, a := range w.actions { // who is named once is no bystander
		a.bystander = a.bystander && !st.Names(a.node.name)
	}
	if err != nil {
		return handoff.State{}
	}
	return st
}

// known is the record as it was last seen, where nobody has been at it since.
func (w *world) known() (handoff.State, error) {
	if w.stale {
		w.state()
	}
	return w.last, w.lastErr
}

func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}

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

func (n *node) path(p string) string { return filepath.Join(n.root, p) }

func (n *node) powerOn() error {
	n.w.bootIDs++
	n.boot, n.on = fmt.Sprintf("boot-%d", n.w.bootIDs), true
	return errors.Join(os.RemoveAll(n.path("var/run/lbvm")), os.WriteFile(n.path("proc/sys/kernel/random/boot_id"), []byte(n.boot+"\n"), 0o644))
}

// mount puts the share in its place, or what lies below it.
func (n *node) mount(there bool) error {
	n.away = !there
	to := n.w.shared
	if !there {
		to = "below"
	}
	err := os.Remove(n.path("shared"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Symlink(to, n.path("shared")), n.mounts())
}

// mounts writes the node's mount table.
func (n *node) mounts() error {
	option := ""
	if n.nolock {
		option = ",localflocks"
	}
	return os.WriteFile(n.path("proc/mounts"), []byte("/dev/sdb /shared gfs rw"+option+" 0 0\n"), 0o644)
}

// publish is what the boot script and lblog do.
func (n *node) publish() error {
	f := host.Facts{Member: n.name, Boot: n.boot, At: n.w.now, Cores: 2, MemTotal: 8 << 30, MemFree: 4 << 30,
		Arch: "x86_64", Kernel: "2.6.18", CPUFlags: []string{"fpu"}, Tools: map[string]string{"vzctl": "3.0.22", "xm": "3.0.3"},
		Restores: []string{"openvz"}, Lists: []string{"openvz", "xen"}, Listens: map[string]string{"xen": "node:8002"}, VMs: []host.VMFact{{Type: n.w.typ, Name: n.w.vm, Mem: 16 << 20}}}
	if n.has != none {
		f.Guests = []host.GuestFact{{Type: n.w.typ, Name: n.w.vm, State: "running", Mem: 16 << 20}}
	}
	return host.WriteFacts(n.w.shared, f)
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

// off: the node has lost its power. What was not written out is lost, and with it whatever fits no more.
func (n *node) off() {
	w := n.w
	for _, t := range w.tasks {
		if t.node == n {
			t.kill()
		}
	}
	if n.has.alive() && w.synced != w.disk {
		w.disk++ // what the disk holds is not what the guest had written
		w.synced = w.disk
		w.touch()
	}
	if !w.memSynced && n.has != none {
		w.tear()
	}
	n.has, n.mounted, n.mem, n.locked = none, false, memory{}, nil
	n.on, n.member, n.rg = false, false, false
	w.manager.lost(n)
}

// tear cuts the dumps off that nobody has synced.
func (w *world) tear() {
	files, err := filepath.Glob(w.h("image.*/mem"))
	w.must(err)
	for _, f := range files {
		w.must(os.Truncate(f, 5))
	}
}

// dies: no power from now on; it is fenced after a while, and until then the shared file system stands still.
func (n *node) dies(after time.Duration, isolated bool) {
	w := n.w
	if n.victim || !n.member {
		return
	}
	w.lossy = true
	w.tell("%s is lost%s", n.name, map[bool]string{true: ", and its guests run on"}[isolated])
	if !isolated {
		n.off()
	}
	n.member, n.rg, n.victim = false, false, true
	w.frozenFor++
	w.manager.lost(n)
	n.pending = w.spawn("fencing of "+n.name, nil, func(t *task) {
		t.pause(after)
		w.tell("%s is fenced", n.name)
		n.off()
		n.settled("agent")
	})
}

// settled ends what was owed to a lost node.
func (n *node) settled(how string) {
	n.victim, n.how, n.pending = false, how, nil
	n.w.frozenFor--
	n.w.manager.gone(n)
}

// joins: it boots and is a member again; its manager stops every VM before it works. The boot script may be late.
func (n *node) joins(late time.Duration) {
	w := n.w
	if n.member {
		return
	}
	if n.on { // it was lost and comes back by itself, before anybody fenced it
		n.off()
	}
	w.must(n.powerOn())
	w.must(n.mount(true))
	n.booting = true
	n.joined++
	n.member = true
	if n.victim {
		n.pending.kill()
		n.settled("member")
	}
	w.tell("%s joins as %s", n.name, n.boot)
	w.spawn("boot script of "+n.name, n, func(t *task) {
		t.pause(late)
		t.wait(func() bool { return w.frozenFor == 0 }, time.Time{})
		n.booting = false
		w.must(n.publish())
	})
	w.spawn("rgmanager of "+n.name, n, func(t *task) {
		w.agent(n, "stop", "").await(t)
		n.rg = true
	})
}

// leaves: in order, with the guest running on if it is here. The init script says so in the record.
func (n *node) leaves() {
	w := n.w
	if !n.member {
		return
	}
	w.lossy = true
	w.tell("%s leaves the cluster", n.name)
	n.rg = false
	w.spawn("init script of "+n.name, n, func(t *task) {
		h, err := host.New(n.root)
		w.must(err)
		id, err := h.Identity()
		w.must(err)
		c := amend.Amender{Host: h, ID: id, Shared: n.path("shared"), Members: membership.CMAN(h, asker{n}), Clock: simClock{t}, Wait: simClock{t}, By: "lbm mark-left"}
		t.wait(func() bool { // rgmanager ends first, and with it what it runs
			return w.frozenFor == 0 && !slices.ContainsFunc(w.tasks, func(o *task) bool { return o.node == n && o != t && !o.done })
		}, time.Time{})
		_, err = c.Leaving(context.Background(), func(string) (amend.Looker, error) { return asker{n}, nil })
		w.stale = true
		if w.tell("mark-left: %v", ended(err)); err != nil { // it says so, and the administrator does not let it go
			n.rg = true
			return
		}
		n.member = false
		w.manager.left(n)
	})
}

// asker asks a node's tools, for those that are no agents.
type asker struct{ n *node }

func (a asker) Run(_ context.Context, c run.Command) (run.Result, error) {
	answer, _ := a.n.query(append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...))
	return answer, nil
}

func (a asker) State(context.Context, string) (hypervisor.State, error) {
	if a.n.has == none && !a.n.mounted {
		return hypervisor.Stopped, nil
	}
	return hypervisor.Running, nil
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.Intn(len(of))] }
