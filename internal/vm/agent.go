package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Agent is the agent of one technology. A field that is left out is the real thing; tests and the lab fill them in.
type Agent struct {
	Type string // as hypervisor.New and the metadata name it

	Driver      func(name string, t hypervisor.Tools) (hypervisor.Driver, error)
	Membership  func(h host.Host, q run.Runner) membership.Membership
	Host        func(environ []string) (host.Host, error)
	Clock       clock.Clock                                                      // of deadlines and retries
	Fingerprint func(h host.Host, g hypervisor.Guest, tree bool) (string, error) // of a guest's disks
	Room        func(dir string) (int64, error)                                  // free bytes of a file system
	Txn         func() (string, error)
	// Health looks at the guest that runs here, as thoroughly as depth says; its error makes a status fail, and the next stop
	// a cold one. nil looks at nothing.
	Health func(ctx context.Context, vm string, depth int) error
	// At is told of every durable step and of every change of the guest, before and after it; its error is as if
	// the step had failed.
	At func(point string) error
	// Within, if set, is told of the steps inside one replacement of a file as well.
	Within func(point string) error
	// Runner, if set, is put before whatever runs a command: run.System for what only asks, run.Keeper for what
	// changes the guest.
	Runner func(run.Runner) run.Runner
	// Self is this program, by which status looks at the shared storage in a process that it can leave behind; with
	// "" it looks by itself.
	Self string
}

var (
	_ ocf.Agent     = (*Agent)(nil)
	_ ocf.Migrator  = (*Agent)(nil)
	_ ocf.Receiver  = (*Agent)(nil)
	_ ocf.Validator = (*Agent)(nil)
)

// New is the agent for a technology, for ocf.Main.
func New(typ string) *Agent { return &Agent{Type: typ, Self: "/proc/self/exe"} }

// Start starts the VM here, with its memory where an image of it waits. It is nil where the VM runs here already.
func (a *Agent) Start(ctx context.Context, c *ocf.Call) error {
	l, err := a.begin(c, "start")
	if err != nil {
		return err
	}
	defer l.end()
	if err := l.start(ctx); err != nil {
		return installed(err)
	}
	return l.awaitReady(ctx)
}

// installed gives the error of a start without the tool its own code: the manager tries another node then. A stop and a
// status without it keep the plain one, since the guest may run.
func installed(err error) error {
	if errors.Is(err, hypervisor.ErrNoProgram) {
		return ocf.Errorf(ocf.CodeInstalled, "%w", err)
	}
	return err
}

// Stop takes the VM from this node, with its memory kept where that is possible. It is nil only when nothing of the VM
// is here any more.
func (a *Agent) Stop(ctx context.Context, c *ocf.Call) error {
	l, err := a.begin(c, "stop")
	if err == nil {
		defer l.end()
		err = l.stop(ctx)
	}
	if errors.Is(err, hypervisor.ErrName) { // no start ever let it through; a failure would cost the whole service
		if c.Log != nil {
			c.Log.Log(ocf.LevelError, "nothing can run under this name", "error", err)
		}
		return nil
	}
	return err
}

// Status is nil if the VM runs on this node, ocf.ErrNotRunning if it certainly does not.
func (a *Agent) Status(ctx context.Context, c *ocf.Call) error {
	l, err := a.begin(c, "status")
	if err != nil {
		return err
	}
	defer l.end()
	return l.status(ctx)
}

// Migrate pushes the running VM to target. ocf.ErrStillHere says that nothing has changed.
func (a *Agent) Migrate(ctx context.Context, c *ocf.Call, target string) error {
	l, err := a.begin(c, "migrate")
	if err != nil {
		return err
	}
	defer l.end()
	return l.migrate(ctx, target)
}

// life is one action on one VM.
type life struct {
	a       *Agent
	call    *ocf.Call
	action  string
	vm      string
	host    host.Host
	clock   clock.Clock
	driver  hypervisor.Driver
	members membership.Membership

	began    time.Time
	total    time.Duration // what the action may take
	patience time.Duration // how long "absent" is asked again: a guest that reboots is away for a moment

	// Known after reach:
	id       host.Identity
	me, boot string
	shared   string
	dir      *handoff.Dir
	files    record         // dir, or what an explanation makes of it
	held     folder         // while the lock is held
	node     *lockfile.Lock // this node's own lock of the VM, while it is held
	explains *explanation

	hasLeft bool // the record says that this node left the cluster with the VM, and it has not come back since

	silent bool // the tool's daemon was down when a push or a save had ended
	again  bool // it was waited for in vain, or another save was tried for that

	ticketTxn string // of a ticket that was consumed and whose transaction no image bears yet

	row   string        // of the table, that is being done
	phase handoff.Phase // as it was last read or written
	txn   string
}

// defaultTimeout is what an action may take where nobody says.
const defaultTimeout = 300 * time.Second

// reboot is how long a stop believes that a guest which is away reboots.
const reboot = 5 * time.Second

func (a *Agent) begin(c *ocf.Call, action string) (*life, error) {
	if err := host.CheckName(c.Name); err != nil {
		return nil, ocf.Errorf(ocf.CodeConfigured, "%w: %w", hypervisor.ErrName, err)
	}
	l := &life{a: a, call: c, explains: explanationOf(c), action: action, vm: c.Name, clock: a.Clock, total: c.Timeout, patience: reboot}
	if l.clock == nil {
		l.clock = clock.System()
	}
	if l.total <= 0 {
		l.total = defaultTimeout
	}
	if l.explains != nil {
		l.clock, l.patience = newLeap(l.clock, l.total), 0
	}
	l.began = l.clock.Now()
	var err error
	if a.Host != nil {
		l.host, err = a.Host(c.World.Env)
	} else {
		l.host, err = host.FromEnviron(c.World.Env)
	}
	if err != nil {
		return nil, err
	}
	if err := l.equip(run.System{Grace: grace}); err != nil {
		return nil, err
	}
	find := membership.Of
	if a.Membership != nil {
		find = a.Membership
	}
	l.members = find(l.host, l.boxed(run.System{}))
	return l, nil
}

// grace is what a tool gets between being asked to end and being killed.
const grace = 5 * time.Second

// equip builds the driver; change runs the commands that change the guest.
func (l *life) equip(change run.Runner) (err error) {
	build := hypervisor.New
	if l.a.Driver != nil {
		build = l.a.Driver
	}
	l.driver, err = build(l.a.Type, hypervisor.Tools{
		Host: l.host, Clock: l.clock, Query: l.boxed(run.System{Grace: grace}), Change: l.boxed(change), Rehearsal: l.rehearsal(), Param: l.call.Params.Get,
		Note: func(text string) { l.log(ocf.LevelWarning, text) },
	})
	return err
}

// reach finds the cluster and its shared storage: host's errors where that cannot be had.
func (l *life) reach() (err error) {
	if l.id, err = l.host.Identity(); err != nil {
		return err
	}
	l.me = l.id.Member
	if l.shared, err = l.host.SharedDir(l.id); err != nil {
		return err
	}
	if l.boot, err = l.host.BootID(); err != nil {
		return err
	}
	if l.dir, err = handoff.Open(l.shared, l.a.Type, l.vm); err != nil {
		return err
	}
	l.dir.At, l.dir.Within = l.a.At, l.a.Within
	l.files = l.dir
	if l.explains != nil {
		l.files = &imagined{life: l}
	}
	return nil
}

// lock publishes this node's boot, waits for the VM's lock and gives the driver a keeper that holds it. The boot
// comes first: a record that names a boot which nobody can read would make this node look gone.
func (l *life) lock(ctx context.Context) error {
	if err := membership.CheckSelf(ctx, l.members, l.me); err != nil {
		return err
	}
	if err := l.publishBoot(); err != nil {
		return err
	}
	// A stop may have waited for a sender before; then it is a third of what is left.
	wait, cancel := l.clock.WithTimeout(ctx, max(l.left(1, 3), l.left(1, 1)/3))
	defer cancel()
	if l.imagine() {
		l.say("it takes the VM's lock, for which it would wait %s", l.left(1, 3).Round(time.Second))
		return nil
	}
	held, err := l.dir.Lock(wait, l.clock, l.signature())
	if err != nil {
		return err
	}
	l.held, l.files = held, held
	return l.lockNode(wait, held.File())
}

// tryLock is lock that does not wait. The boot is published when it is known that something will be written.
func (l *life) tryLock() error {
	if l.imagine() {
		l.say("it takes the VM's lock, if nobody else holds it")
		return nil
	}
	held, err := l.dir.TryLock(l.signature())
	if err != nil {
		return err
	}
	return l.hold(held)
}

func (l *life) publishBoot() error {
	if l.explains != nil {
		return nil
	}
	if err := l.point("boot", func() error { return l.host.PublishBoot(l.shared, l.me) }); err != nil {
		return fmt.Errorf("publishing this node's boot: %w", err)
	}
	return nil
}

func (l *life) hold(held *handoff.Locked) error {
	l.held, l.files = held, held
	return l.equip(run.Keeper{Lock: held.File(), Grace: grace})
}

// params are the agent's parameters. A status needs none.
func (l *life) params() map[string]string { return l.call.Params.Map() }

// end lets the locks go.
func (l *life) end() {
	var err error
	if l.node != nil {
		err = l.node.Close()
	}
	if l.held != nil {
		err = errors.Join(err, l.held.Unlock())
	}
	if err != nil {
		l.log(ocf.LevelWarning, "letting the lock go failed", "error", err)
	}
	l.held, l.node = nil, nil
}

// until is a context that ends when part/of of the action's time has passed.
func (l *life) until(ctx context.Context, part, of int) (context.Context, context.CancelFunc) {
	return l.clock.WithTimeout(ctx, l.left(part, of))
}

// left is the time until part/of of the action's time has passed.
func (l *life) left(part, of int) time.Duration {
	return max(0, l.began.Add(l.total*time.Duration(part)/time.Duration(of)).Sub(l.clock.Now()))
}

// least is until, but never less than half of what the action has left.
func (l *life) least(ctx context.Context, part, of int) (context.Context, context.CancelFunc) {
	return l.clock.WithTimeout(ctx, max(l.left(part, of), l.left(1, 1)/2))
}

// signature says who holds the lock and who wrote a record.
func (l *life) signature() string { return fmt.Sprintf("%s on %s", l.action, l.me) }

// change does something to the guest: a crash point before and after it.
func (l *life) change(what string, do func() error) error {
	if l.explains != nil {
		return do()
	}
	return l.point("tool:"+what, do)
}

// point does something between two crash points.
func (l *life) point(name string, do func() error) error {
	if l.a.At == nil {
		return do()
	}
	if err := l.a.At(name); err != nil {
		return err
	}
	return errors.Join(do(), l.a.At(name+":done"))
}
