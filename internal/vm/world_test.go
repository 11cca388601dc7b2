package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// world is a cluster of fake nodes that share a folder. It watches the rules by itself: whatever lets a guest run
// while another is alive elsewhere, or resumes a memory that is too old or was resumed before, is a violation.
type world struct {
	t          *testing.T
	typ        string
	shared     string
	clock      *quickClock
	nodes      map[string]*node
	order      []string
	resumed    map[string]bool // memories that were resumed
	violations []string
	dumps      int
	boots      int
	booted     int  // how often the guest was
	lostKernel bool // members cannot be read
	at         func(n *node, point string) error
	failAt     map[string]error // points that fail, as for want of room
	health     func(depth int) error
	forbids    error                                 // on node1, by its set-up
	notLive    error                                 // its disks are not ready for two nodes
	program    func(run.Command) (run.Result, error) // if set, what a program of the node answers
}

// node is a fake node with at most one guest.
type node struct {
	w      *world
	name   string
	root   string
	boot   string
	online bool
	fenced bool
	g      guest
	calls  []string // of tools that change something
	fails  map[string]failure
	logs   []string
	target string // of the last push
	dry    *hypervisor.Rehearsal
}

// rehearses is a copy of the node on which the tools change nothing but the copy, and always succeed.
func (n *node) rehearses(r *hypervisor.Rehearsal) *node {
	if r == nil {
		return n
	}
	c := *n
	c.dry = r
	return &c
}

// guest is a guest's truth.
type guest struct {
	state       hypervisor.State
	frozen      bool // by a checkpoint: OpenVZ shows it as running
	mounted     bool
	incarnation int
	counter     int
	memory      string // of which dump it was resumed
	never       bool   // NeverRan
	sick        string // Sick
	suspended   bool   // Suspended
	handed      bool   // Handed
	presumed    bool   // Presumed
}

// failure is how a tool fails: after it has done what effect says.
type failure struct {
	effect func(n *node)
	times  int  // how often; 0 is always
	hangs  bool // until its time is over
}

var errTool = errors.New("the tool failed")

func newWorld(t *testing.T, typ string, names ...string) *world {
	t.Helper()
	base, err := os.MkdirTemp(fastDir(), "lbvm-vm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	w := &world{t: t, typ: typ, shared: filepath.Join(base, "shared"), nodes: map[string]*node{}, order: names, resumed: map[string]bool{},
		clock: &quickClock{now: time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)}}
	id := host.Identity{Cluster: "c", UUID: "u", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	for _, d := range []string{"lbvm/nodes", "lbvm/log", "disk"} {
		w.must(os.MkdirAll(filepath.Join(w.shared, d), 0o755))
	}
	w.must(os.WriteFile(filepath.Join(w.shared, host.MarkerFile), id.Marker(), 0o644))
	w.must(os.WriteFile(w.disk(), nil, 0o644))
	for _, name := range names {
		n := &node{w: w, name: name, root: filepath.Join(base, name), online: true, fails: map[string]failure{}}
		for _, d := range []string{"etc/cluster", "proc/sys/kernel/random", "var/run"} {
			w.must(os.MkdirAll(filepath.Join(n.root, d), 0o755))
		}
		w.must(os.Symlink(w.shared, filepath.Join(n.root, "shared")))
		id.Member = name
		h, err := host.New(n.root)
		w.must(err)
		w.must(h.WriteIdentity(id))
		n.reboot()
		w.nodes[name] = n
		w.must(h.PublishBoot(w.shared, name))
	}
	return w
}

// remove takes the world's files away before the end of the test, for a test that makes thousands of worlds.
func (w *world) remove() {
	w.t.Helper()
	w.must(os.RemoveAll(filepath.Dir(w.shared)))
}

// fastDir is a folder in memory, where there is one with room (a container's often has none): the tests sync thousands of files.
func fastDir() string {
	const room = 256 << 20
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= room {
		return "/dev/shm"
	}
	return ""
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) disk() string { return filepath.Join(w.shared, "disk/root") }

func (w *world) violate(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// reboot is a new boot: nothing runs, nothing is remembered.
func (n *node) reboot() {
	n.w.boots++
	n.boot = fmt.Sprintf("boot-%d", n.w.boots)
	n.g = guest{}
	n.w.must(os.WriteFile(filepath.Join(n.root, "proc/sys/kernel/random/boot_id"), []byte(n.boot+"\n"), 0o644))
	n.w.must(os.RemoveAll(filepath.Join(n.root, "var/run/lbvm")))
}

// alive: the guest's memory is here and could write.
func (g guest) alive() bool {
	return g.state == hypervisor.Running || g.state == hypervisor.Paused || g.state == hypervisor.Migrating
}

// runs makes the guest of n run from now on, and looks whether that may be.
func (n *node) runs() {
	if n.dry != nil {
		n.g.state, n.g.frozen, n.g.never = hypervisor.Running, false, false
		return
	}
	for _, o := range n.w.nodes {
		if o != n && o.g.alive() {
			n.w.violate("double run: on %s while it is %s on %s", n.name, o.g.state, o.name)
		}
	}
	n.g.state, n.g.frozen, n.g.never = hypervisor.Running, false, false
	n.touch()
}

// touch writes to the guest's disk: every older memory is stale.
func (n *node) touch() {
	if n.dry != nil {
		return
	}
	n.g.counter++
	f, err := os.OpenFile(n.w.disk(), os.O_APPEND|os.O_WRONLY, 0)
	n.w.must(err)
	if _, err := f.WriteString("."); err != nil {
		n.w.t.Fatal(err)
	}
	n.w.must(f.Close())
}

// fingerprint shows boots only: a guest that was thawed and went on leaves no trace in the few files that count.
func (w *world) fingerprint() string { return fmt.Sprint("booted ", w.booted, " times") }

// byHand boots and halts the guest behind our back.
func (n *node) byHand() {
	n.w.booted++
	n.touch()
}

func (w *world) diskSize() int64 {
	fi, err := os.Stat(w.disk())
	w.must(err)
	return fi.Size()
}

// dump is the guest's memory as a file.
func (n *node) dump(path string) error {
	if n.dry != nil {
		return nil
	}
	n.w.dumps++
	text := fmt.Sprintf("%d %d %d %d\n", n.w.dumps, n.g.incarnation, n.g.counter, n.w.diskSize())
	return os.WriteFile(path, []byte(text), 0o600)
}

// undump makes the guest run from a memory.
func (n *node) undump(path string) error {
	if n.dry != nil {
		n.g = guest{mounted: n.w.typ == "openvz"}
		n.runs()
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var id, incarnation, counter int
	var size int64
	if _, err := fmt.Sscan(string(text), &id, &incarnation, &counter, &size); err != nil {
		n.w.violate("an incomplete memory was restored: %q", text)
		return err
	}
	if n.w.resumed[string(text)] {
		n.w.violate("memory %d was restored twice", id)
	}
	n.w.resumed[string(text)] = true
	if size != n.w.diskSize() {
		n.w.violate("memory %d is stale: the disk had %d bytes and has %d", id, size, n.w.diskSize())
	}
	n.g = guest{incarnation: incarnation, counter: counter, memory: string(text), mounted: n.w.typ == "openvz"}
	n.runs()
	return nil
}

// tool is one changing call: it may be made to fail.
func (n *node) tool(ctx context.Context, name string, do func() error) error {
	if n.dry != nil {
		n.dry.Say([]string{name})
		return do()
	}
	if ctx.Err() != nil { // as run does
		return fmt.Errorf("%s: %w", name, run.ErrDeadline)
	}
	n.calls = append(n.calls, name)
	if n.g.presumed { // its daemon is down
		for name == "destroy" && n.g.presumed && ctx.Err() == nil {
			if n.w.clock.Sleep(ctx, time.Second) != nil {
				break
			}
		}
		if n.g.presumed {
			return errTool
		}
		return do()
	}
	if f, ok := n.fails[name]; ok {
		for f.hangs && ctx.Err() == nil {
			if err := n.w.clock.Sleep(ctx, time.Second); err != nil {
				break
			}
		}
		if f.times == 1 {
			delete(n.fails, name)
		} else if f.times > 1 {
			f.times--
			n.fails[name] = f
		}
		if f.effect != nil {
			f.effect(n)
		}
		return errTool
	}
	return do()
}

// fake is what both drivers share.
type fake struct{ n *node }

func (f fake) Guest(context.Context, string, map[string]string) (hypervisor.Guest, error) {
	if _, ok := f.n.fails["guest"]; ok {
		return hypervisor.Guest{}, hypervisor.ErrConfig
	}
	return hypervisor.Guest{Name: "101", Config: "/dev/null", Mem: 1000, Witnesses: []hypervisor.Witness{{Path: filepath.Join(f.n.root, "shared/disk/root")}}}, nil
}

func (f fake) Shown(context.Context, string) bool {
	return f.n.g.state == hypervisor.Running && f.n.w.typ != "xen"
}

func (f fake) State(ctx context.Context, vm string) (hypervisor.State, error) {
	d, err := f.Detail(ctx, vm)
	return d.State, err
}

func (f fake) Detail(context.Context, string) (hypervisor.Detail, error) {
	if _, ok := f.n.fails["state"]; ok {
		return hypervisor.Detail{}, errTool
	}
	if _, ok := f.n.fails["program"]; ok { // and the kernel can hold no guest
		return hypervisor.Detail{State: hypervisor.Absent, NoProgram: true}, nil
	}
	if _, ok := f.n.fails["only the program"]; ok {
		return hypervisor.Detail{}, hypervisor.ErrNoProgram
	}
	if _, ok := f.n.fails["share"]; ok {
		return hypervisor.Detail{}, hypervisor.ErrDown
	}
	s := f.n.g.state
	switch {
	case s == hypervisor.Unknown && f.n.g.mounted:
		s = hypervisor.Remains
	case s == hypervisor.Unknown:
		s = hypervisor.Stopped
	}
	return hypervisor.Detail{State: s, NeverRan: f.n.g.never, Sick: f.n.g.sick, Suspended: f.n.g.suspended, Handed: f.n.g.handed, Presumed: f.n.g.presumed, MayReturn: f.n.w.typ == "openvz" && s == hypervisor.Remains}, nil
}

func (f fake) Start(ctx context.Context, _ hypervisor.Guest) error {
	return f.n.tool(ctx, "start", func() error {
		if f.n.g.state != hypervisor.Unknown {
			return errTool
		}
		f.n.bootGuest()
		return nil
	})
}

// bootGuest boots the guest anew.
func (n *node) bootGuest() {
	if n.dry != nil {
		n.g = guest{mounted: n.w.typ == "openvz"}
		n.runs()
		return
	}
	n.w.boots++
	n.w.booted++
	n.g = guest{incarnation: n.w.boots, mounted: n.w.typ == "openvz"}
	n.runs()
}

func (f fake) Shutdown(ctx context.Context, _ string) error {
	return f.n.tool(ctx, "shutdown", func() error {
		if f.n.g.frozen || f.n.g.state == hypervisor.Paused { // it cannot hear
			return errTool
		}
		if f.n.g.state == hypervisor.Running {
			f.n.touch()
		}
		f.n.g = guest{}
		return nil
	})
}

func (f fake) Destroy(ctx context.Context, _ string) error {
	return f.n.tool(ctx, "destroy", func() error { f.n.g = guest{}; return nil })
}

func (f fake) Restore(ctx context.Context, _ hypervisor.Guest, image string) error {
	return f.n.tool(ctx, "restore", func() error {
		if f.n.g.state != hypervisor.Unknown {
			return errTool
		}
		return f.n.undump(image)
	})
}

func (f fake) Thaw(ctx context.Context, _ string) error {
	if f.n.g.presumed { // it counts as running: nothing is done
		return nil
	}
	return f.n.tool(ctx, "thaw", func() error {
		switch {
		case f.n.g.state == hypervisor.Paused, f.n.g.state == hypervisor.Running && f.n.g.frozen:
			f.n.runs()
		case f.n.g.state != hypervisor.Running:
			return errTool
		}
		return nil
	})
}

// vz freezes where nobody sees it.
type vz struct{ fake }

var _ hypervisor.Checkpointer = vz{}

func (f vz) Suspend(ctx context.Context, _ string) error {
	return f.n.tool(ctx, "suspend", func() error {
		if f.n.g.state != hypervisor.Running || f.n.g.frozen {
			return errTool
		}
		f.n.g.frozen = true
		return nil
	})
}

func (f vz) Dump(ctx context.Context, _, image string) error {
	return f.n.tool(ctx, "dump", func() error {
		if !f.n.g.frozen {
			return errTool
		}
		return f.n.dump(image)
	})
}

func (f vz) Kill(ctx context.Context, _ string) error {
	return f.n.tool(ctx, "kill", func() error {
		if !f.n.g.frozen {
			return errTool
		}
		f.n.g = guest{mounted: true}
		return nil
	})
}

func (f vz) Unmount(ctx context.Context, _ string) error {
	return f.n.tool(ctx, "unmount", func() error { f.n.g.mounted = false; return nil })
}

// xm saves in one step and pushes.
type xm struct{ fake }

var (
	_ hypervisor.Saver  = xm{}
	_ hypervisor.Live   = xm{}
	_ hypervisor.Thawer = xm{}
)

func (f xm) Save(ctx context.Context, _, image string) error {
	return f.n.tool(ctx, "save", func() error {
		if f.n.g.state != hypervisor.Running {
			return errTool
		}
		if err := f.n.dump(image); err != nil {
			return err
		}
		f.n.g = guest{}
		return nil
	})
}

// LiveNow makes it a hypervisor.Replicated.
func (f xm) LiveNow(context.Context, string, map[string]string) error   { return f.n.w.notLive }
func (f xm) CouldLive(context.Context, string, map[string]string) error { return f.n.w.notLive }

func (f xm) Migrate(ctx context.Context, _, target string) error {
	f.n.target = target
	return f.n.tool(ctx, "migrate", func() error {
		to := f.n.w.nodes[target]
		if f.n.g.state != hypervisor.Running || to == nil || !to.online || to.g.state != hypervisor.Unknown {
			return errTool
		}
		g := f.n.g
		f.n.g = guest{}
		if f.n.dry != nil {
			return nil
		}
		to.g = g
		to.runs()
		return nil
	})
}

type runnerFunc func(context.Context, run.Command) (run.Result, error)

func (f runnerFunc) Run(ctx context.Context, c run.Command) (run.Result, error) { return f(ctx, c) }

// Forbids makes the fake a hypervisor.Forbidder.
func (f fake) Forbids(string, string) error {
	if f.n.name != "node1" {
		return nil
	}
	return f.n.w.forbids
}

// killed is the panic by which an agent dies.
type killed struct{ point string }

// agent is the agent of a node.
func (n *node) agent() *Agent {
	return &Agent{
		Type: n.w.typ, Clock: n.w.clock,
		Driver: func(_ string, t hypervisor.Tools) (hypervisor.Driver, error) {
			if n.w.typ == "openvz" {
				return vz{fake{n.rehearses(t.Rehearsal)}}, nil
			}
			return xm{fake{n.rehearses(t.Rehearsal)}}, nil
		},
		Membership: func(host.Host, run.Runner) membership.Membership { return n.w },
		Fingerprint: func(host.Host, hypervisor.Guest, bool) (string, error) {
			return n.w.fingerprint(), nil
		},
		Health: func(_ context.Context, _ string, depth int) error {
			if n.w.health == nil {
				return nil
			}
			return n.w.health(depth)
		},
		Runner: func(r run.Runner) run.Runner {
			if n.w.program == nil {
				return r
			}
			return runnerFunc(func(_ context.Context, c run.Command) (run.Result, error) { return n.w.program(c) })
		},
		At: func(point string) error {
			if err := n.w.failAt[point]; err != nil {
				return err
			}
			if n.w.at != nil {
				return n.w.at(n, point)
			}
			return nil
		},
	}
}

func (n *node) Log(level ocf.Level, msg string, kv ...any) {
	n.logs = append(n.logs, fmt.Sprint(level, " ", msg, " ", kv))
}

func (n *node) call(params map[string]string) *ocf.Call {
	return &ocf.Call{Name: "101", Type: n.w.typ, Timeout: 300 * time.Second, Params: ocf.NewParams(params), Log: n,
		World: ocf.World{Env: []string{host.RootVariable + "=" + n.root}}}
}

// errKilled is what a manager sees of an agent that was killed.
var errKilled = errors.New("killed")

// do runs an action. An agent that is killed takes nothing more with it than its locks.
func (n *node) do(action string, params ...map[string]string) (err error) {
	n.calls, n.logs = nil, nil
	defer func() {
		if v := recover(); v != nil {
			k, ok := v.(killed)
			if !ok {
				panic(v)
			}
			err = fmt.Errorf("%w at %s", errKilled, k.point)
		}
	}()
	var p map[string]string
	if len(params) > 0 {
		p = params[0]
	}
	a, c := n.agent(), n.call(p)
	ctx, cancel := n.w.clock.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	action, depth, _ := strings.Cut(action, " at depth ")
	c.Depth, _ = strconv.Atoi(depth)
	switch action {
	case "start":
		err = a.Start(ctx, c)
	case "stop":
		err = a.Stop(ctx, c)
		if err == nil && (n.g.state != hypervisor.Unknown || n.g.mounted) {
			n.w.violate("stop on %s answers 0 and the guest is %s, mounted %v", n.name, n.g.state, n.g.mounted)
		}
	case "migrate_from":
		err = a.Arrive(ctx, c, "node2")
	case "status":
		c.World.Env = append(c.World.Env, inquiry)
		err = a.Status(ctx, c)
	default:
		err = a.Migrate(ctx, c, strings.TrimPrefix(action, "migrate "))
	}
	return err
}

// Members and Fenced make the world its own membership.
func (w *world) Members(context.Context) ([]membership.Member, error) {
	if w.lostKernel {
		return nil, membership.ErrInquorate
	}
	var out []membership.Member
	for _, name := range w.order {
		out = append(out, membership.Member{Name: name, Online: w.nodes[name].online})
	}
	return out, nil
}

func (w *world) Fenced(_ context.Context, name string) (bool, error) {
	n := w.nodes[name]
	return n != nil && n.fenced && !n.online, nil
}

// dies: the node is off and fenced.
func (n *node) dies() {
	n.reboot()
	n.online, n.fenced = false, true
}

func (w *world) state() handoff.State {
	w.t.Helper()
	st, err := handoff.ReadState(w.shared, w.typ, "101")
	w.must(err)
	return st
}

func (w *world) dir() *handoff.Dir {
	d, err := handoff.Open(w.shared, w.typ, "101")
	w.must(err)
	return d
}

// locked runs f under the lock.
func (w *world) locked(f func(l *handoff.Locked)) {
	w.t.Helper()
	l, err := w.dir().TryLock("test")
	w.must(err)
	defer l.Unlock()
	f(l)
}

// litter is what lies in the hand-off folder beside the state and the locks.
func (w *world) litter() []string {
	var out []string
	entries, err := os.ReadDir(w.dir().Path())
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if n := e.Name(); n != "state" && n != "lock" && n != "ticket.lock" && !strings.HasPrefix(n, "failed.") && !strings.HasPrefix(n, "discarded.") {
			out = append(out, n)
		}
	}
	return out
}

// ok fails the test if a rule was broken.
func (w *world) ok() {
	w.t.Helper()
	for _, v := range w.violations {
		w.t.Errorf("rule broken: %s", v)
	}
}

func (n *node) host() (host.Host, error) { return host.New(n.root) }
