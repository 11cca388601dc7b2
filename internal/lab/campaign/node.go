package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
)

type node struct {
	w        *world
	name     string
	id       int
	root     string
	boot     string
	on       bool // it has power
	member   bool
	rg       bool      // the manager works here
	victim   bool      // fencing is owed
	noticed  time.Time // the fence daemon knows that from then on
	booting  bool      // its boot script has not published it yet
	how      string
	joined   int
	has      presence
	mem      memory
	mounted  bool
	since    time.Time // it runs here, or is mounted
	ended    time.Time // it runs here no more
	process  int
	locked   *task  // vzctl's own lock
	pending  *task  // it is being fenced
	away     bool   // its share is not mounted
	doing    string // a job of libvirt
	aborted  bool   // which is to be broken off
	incoming bool   // QEMU was started to wait for memory
	early    bool   // of which no page has come yet
	nolock   bool
	leaving  bool // its init script is at work
	mute     int  // in which way the program of a technology of one's own is silent
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
		Arch: "x86_64", Kernel: "2.6.18", CPUFlags: []string{"fpu"}, Tools: map[string]string{"vzctl": "3.0.22", "xm": "3.0.3", "virsh": "7.2.22"},
		Restores: []string{"openvz", "kvm"}, Lists: []string{"openvz", "xen", "kvm", vmexec.Type}, Listens: map[string]string{"xen": "node:8002", "kvm": "node:22"}, VMs: []host.VMFact{{Type: n.w.typ, Name: n.w.vm, Mem: 16 << 20}}}
	if n.w.typ == vmexec.Type {
		h, err := host.New(n.root)
		if err == nil {
			f.Technologies, err = vmexec.Technologies(h)
		}
		if err != nil && !errors.Is(err, vmexec.ErrDefinition) { // lblog complains and publishes the rest
			return err
		}
	}
	if n.has != none {
		f.Guests = []host.GuestFact{{Type: n.w.typ, Name: n.w.vm, State: "running", Mem: 16 << 20}}
	}
	return host.WriteFacts(n.w.shared, f)
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
	n.has, n.mounted, n.mem, n.locked, n.doing = none, false, memory{}, nil, ""
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

// dies: no power from now on; it is fenced after a while, and until then a cluster's shared file system stands still. The
// fence daemon notices later than cman does: until then it has a member, with whatever it knows of an earlier fencing.
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
	n.noticed = w.now.Add(time.Duration(w.r.Intn(8)) * time.Second)
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
	n.booting, n.leaving = true, false
	n.joined++
	n.member = true
	if n.victim {
		n.pending.kill()
		n.settled("member")
	}
	w.tell("%s joins as %s", n.name, n.boot)
	w.spawn("boot script of "+n.name, n, func(t *task) {
		t.pause(late)
		t.wait(w.goesOn, time.Time{})
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
	if !n.member || n.leaving {
		return
	}
	w.lossy = true
	w.tell("%s leaves the cluster", n.name)
	n.rg, n.leaving = false, true
	w.spawn("init script of "+n.name, n, func(t *task) {
		defer func() { n.leaving = false }()
		h, err := host.New(n.root)
		w.must(err)
		id, err := h.Identity()
		w.must(err)
		c := amend.Amender{Host: h, ID: id, Members: membership.CMAN(h, asker{n}), Clock: simClock{t}, Wait: simClock{t}, By: "lbm mark-left"}
		t.wait(func() bool { // rgmanager ends first, and with it what it runs
			return w.goesOn() && !slices.ContainsFunc(w.tasks, func(o *task) bool { return o.node == n && o != t && !o.done })
		}, time.Time{})
		if c.Shared, err = h.SharedDir(id); err == nil {
			_, err = c.Leaving(context.Background(), func(string) (amend.Looker, error) { return asker{n}, nil })
			w.stale = true
		}
		if w.tell("mark-left: %s", ended(err)); err != nil { // it says so, and the administrator does not let it go
			n.rg = true
			if c.Shared != "" {
				_, err = c.Returned(context.Background())
				w.tell("mark-left --back: %s", ended(err))
			}
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
