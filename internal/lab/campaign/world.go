package campaign

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/lab"
)

// world is a cluster of three nodes that share a folder, with one guest. It knows the truth, and notes every rule that
// is broken.
type world struct {
	*sched
	typ, vm string
	kind    string // of the technology's definition (vmexec)
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
	sent          sending
	frozenFor     int  // nodes that are lost and not fenced: the shared file system stands still
	loose         bool // it does not: it is none of the cluster's own

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

// sending is the record that names a target, and that node's boot when it was written.
type sending struct {
	seq  uint64
	boot string
}

// trigger strikes at a crash point.
type trigger struct {
	point string // "*" is any
	node  string // "" is any
	left  int    // how often it is still passed by
	do    func(w *world, t *task)
}

// programs are the tools that the nodes have.
var programs = [...]string{"vzctl", "xm", "virsh", ownTool, "cman_tool", "fence_tool"}

const kvmConf = `<domain type='kvm'><name>web</name><uuid>11111111-2222-4333-8444-555555555501</uuid><memory unit='MiB'>16</memory><os><type>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' cache='none'/><source file='/shared/web.img'/><target dev='vda'/></disk></devices></domain>
`

// newBase makes the folder that a worker's worlds share, one after the other.
func newBase() (base string, err error) {
	dir := ""
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		dir = "/dev/shm"
	}
	if base, err = os.MkdirTemp(dir, "lbvm-campaign-"); err != nil {
		return "", err
	}
	shared := filepath.Join(base, "shared")
	for _, d := range []string{"lbvm/nodes", "lbvm/log", "lbvm/handoff", "private/101/etc", "kvm"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(shared, d), 0o755))
	}
	id := host.Identity{Cluster: "c", UUID: "u", Shared: "/shared", LogDir: "/log"}
	put := func(path, text string, mode os.FileMode) {
		err = errors.Join(err, os.WriteFile(path, []byte(text), mode))
	}
	put(filepath.Join(shared, host.MarkerFile), string(id.Marker()), 0o644)
	put(filepath.Join(shared, "kvm/web.xml"), kvmConf, 0o644)
	self := filepath.Join("proc", strconv.Itoa(os.Getpid())) // a node's process table shows whoever reads it
	for _, name := range members {
		root := filepath.Join(base, name)
		err = errors.Join(err, os.MkdirAll(filepath.Join(root, self), 0o755), os.MkdirAll(filepath.Join(root, "etc"), 0o755),
			os.Symlink("../shared/kvm", filepath.Join(root, "etc/kvm")))
		put(filepath.Join(root, self, "cmdline"), "agent\x00", 0o644)
		// What lies below the mount point is an old copy: it has folders, and no mark.
		for _, d := range []string{"etc/cluster/lbvm.d", "etc/own", "etc/vz/conf", "etc/xen", "proc/sys/kernel/random", "proc/vz", "var/run", "sbin", "log", "below/lbvm/nodes", "below/lbvm/handoff", "below/private/101/etc"} {
			err = errors.Join(err, os.MkdirAll(filepath.Join(root, d), 0o755))
		}
		put(filepath.Join(root, "below/web.img"), "", 0o644)
		for _, tool := range programs {
			put(filepath.Join(root, "sbin", tool), "", 0o755)
		}
		put(filepath.Join(root, "etc/vz/conf/101.conf"), "VE_PRIVATE=/shared/private/101\nPHYSPAGES=0:4096\n", 0o644)
		put(filepath.Join(root, "etc/own/web.conf"), "web", 0o644)
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
	w := &world{sched: newSched(seed), typ: typ, vm: map[string]string{"openvz": "101", "xen": "web", "kvm": "web", vmexec.Type: "web"}[typ], kind: "moves", shared: filepath.Join(base, "shared"),
		resumed: map[int]bool{}, fails: map[string]string{}, silent: map[string]time.Time{}, noSpace: map[string]bool{}}
	// A note of an earlier world would be believed: its nodes' boots bear the same names.
	err := errors.Join(os.RemoveAll(w.h("")), os.RemoveAll(filepath.Join(w.shared, host.LeavingDir)))
	for i, name := range members {
		n := &node{w: w, name: name, id: i + 1, root: filepath.Join(base, name), how: "none"}
		w.nodes = append(w.nodes, n)
		err = errors.Join(err, os.RemoveAll(filepath.Join(w.shared, host.NodesDir, name)), n.powerOn(), n.mount(true), n.defined(w.kind))
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

// goesOn: the shared storage does not stand still for a lost node.
func (w *world) goesOn() bool { return w.frozenFor == 0 || w.loose }

func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.Intn(len(of))] }
