package move

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
)

// world is a cluster of three nodes with one OpenVZ container and one Xen guest on node1.
type world struct {
	t      *testing.T
	shared string
	clock  *hasty
	mgr    *manager
	log    *memoryJournal
	mover  Mover

	dialled []string
	deaf    error // of Dial
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, shared: t.TempDir(), clock: &hasty{now: time.Unix(1195668541, 0)}, log: &memoryJournal{}}
	for _, d := range []string{"lbvm/nodes", "lbvm/handoff", "lbvm/leaving"} {
		if err := os.MkdirAll(filepath.Join(w.shared, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.write(host.MarkerFile, "")
	all := []cluster.Placement{{Node: "node1"}, {Node: "node2"}, {Node: "node3"}}
	w.mgr = &manager{status: cluster.Status{Quorate: true,
		Members: []cluster.Member{{Name: "node1", Online: true, Local: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3", Online: true, Manager: true}},
		Services: []cluster.Service{
			{ID: "service:centos", VM: "101", VMType: "openvz", Owner: "node1", State: cluster.Started, MayRun: all, Since: time.Unix(1195660000, 0)},
			{ID: "xen:web1", VM: "web1", VMType: "xen", Owner: "node1", State: cluster.Started, MayRun: all, Since: time.Unix(1195660000, 0)},
		}}}
	for _, n := range []string{"node1", "node2", "node3"} {
		w.facts(n, func(*host.Facts) {})
	}
	w.record("openvz", "101", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
	w.record("xen", "web1", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-1"})
	log := logrus.New()
	log.SetOutput(io.Discard)
	w.mover = Mover{Manager: w.mgr, Shared: w.shared, Clock: w.clock, Wait: w.clock, Journal: w.log, Log: log,
		Dial: func(_ context.Context, network, address string) (net.Conn, error) {
			w.dialled = append(w.dialled, network+" "+address)
			if w.deaf != nil {
				return nil, w.deaf
			}
			here, there := net.Pipe()
			t.Cleanup(func() { _ = there.Close() })
			return here, nil
		}}
	return w
}

// service is the service of a VM, to be changed.
func (w *world) service(vm string) *cluster.Service {
	for i := range w.mgr.status.Services {
		if w.mgr.status.Services[i].VM == vm {
			return &w.mgr.status.Services[i]
		}
	}
	w.t.Fatalf("no service of %s", vm)
	return nil
}

func (w *world) facts(node string, change func(*host.Facts)) {
	w.t.Helper()
	f := host.Facts{Member: node, Boot: "boot-" + node, At: w.clock.now.Add(-30 * time.Second), Cores: 4, MemTotal: 8 << 30, MemFree: 4 << 30,
		Arch: "x86_64", Kernel: "2.6.32-754.el6", CPUFlags: []string{"fpu", "sse2"}, Lists: []string{"openvz", "xen"}, Restores: []string{"openvz"}, Tools: map[string]string{"vzctl": "3.0.30", "xm": "3.1.2"},
		Listens: map[string]string{"xen": ":8002"}, VMs: []host.VMFact{{Type: "openvz", Name: "101"}, {Type: "xen", Name: "web1", Mem: 2 << 30}}}
	if node == "node1" {
		f.Guests = []host.GuestFact{{Type: "openvz", Name: "101", State: "running", Mem: 1 << 30}, {Type: "xen", Name: "web1", State: "running", Mem: 2 << 30}}
	}
	change(&f)
	if err := host.WriteFacts(w.shared, f); err != nil {
		w.t.Fatal(err)
	}
}

// record writes steps of a VM's life.
func (w *world) record(typ, vm string, steps ...handoff.State) {
	w.t.Helper()
	d, err := handoff.Open(w.shared, typ, vm)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range steps {
		if _, err := l.Write(s); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := l.Unlock(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(path string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.shared, path)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.shared, path), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// handover is what stop and start do when all goes well: the source consumes the ticket, the target brings the memory.
func (w *world) handover(typ, vm, target string) {
	w.t.Helper()
	t := w.consume(typ, vm)
	w.record(typ, vm,
		handoff.State{Phase: handoff.Suspending, Node: t.Source, Boot: "boot-1", Image: t.Txn, Txn: t.Txn},
		handoff.State{Phase: handoff.Held, Node: t.Source, Boot: "boot-1", Image: t.Txn, Txn: t.Txn},
		handoff.State{Phase: handoff.Suspended, Image: t.Txn, Txn: t.Txn},
		handoff.State{Phase: handoff.Resuming, Node: target, Boot: "boot-2", Image: t.Txn, Txn: t.Txn},
		handoff.State{Phase: handoff.Running, Node: target, Boot: "boot-2", Txn: t.Txn})
	s := w.service(vm)
	s.Owner, s.Since = target, s.Since.Add(time.Minute)
}

// consume is the source's stop with a ticket that it must find alive.
func (w *world) consume(typ, vm string) handoff.Ticket {
	w.t.Helper()
	d, err := handoff.Open(w.shared, typ, vm)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := l.Read()
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := l.LiveTicket("node1", st)
	if err != nil {
		w.t.Fatalf("the stop finds no live ticket: %v", err)
	}
	if err := l.Use(t); err != nil {
		w.t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		w.t.Fatal(err)
	}
	return t
}

// tickets are the files of tickets that lie in a VM's folder.
func (w *world) tickets(typ, vm string) []string {
	w.t.Helper()
	var out []string
	for _, pattern := range []string{"ticket", "ticket.used", "refused.*", ".ticket-*"} {
		m, err := filepath.Glob(filepath.Join(w.shared, handoff.Folder, typ+"-"+vm, pattern))
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, m...)
	}
	return out
}

// manager is a cluster manager that does what a test says.
type manager struct {
	mu      sync.Mutex
	status  cluster.Status
	err     error // of Status
	move    func(ctx context.Context, service, target string) error
	enable  func(service, target string) error
	restart func(service string) error
	disable func(service string) error
	live    bool // of the last Move
	asked   []string
}

func (m *manager) Status(ctx context.Context) (cluster.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.err); err != nil {
		return cluster.Status{}, err
	}
	out := m.status
	out.Services, out.Members = append([]cluster.Service(nil), m.status.Services...), append([]cluster.Member(nil), m.status.Members...)
	return out, nil
}

func (m *manager) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, what)
}

func (m *manager) Move(ctx context.Context, service, target string, live bool) error {
	m.live = live
	m.note("move " + service + " " + target)
	return m.move(ctx, service, target)
}

func (m *manager) Enable(_ context.Context, service, target string) error {
	m.note("enable " + service + " " + target)
	return m.enable(service, target)
}

func (m *manager) Disable(_ context.Context, service string) error {
	m.note("disable " + service)
	if m.disable == nil {
		return nil
	}
	return m.disable(service)
}

func (m *manager) Restart(_ context.Context, service string) error {
	m.note("restart " + service)
	return m.restart(service)
}

// memoryJournal keeps what was appended.
type memoryJournal struct {
	mu   sync.Mutex
	list []balance.Move
	fail error
	then func() // called after each record
}

func (j *memoryJournal) Append(m balance.Move) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	j.list = append(j.list, m)
	if j.then != nil {
		j.then()
	}
	return nil
}

func (j *memoryJournal) Since(time.Time) ([]balance.Move, error) { return j.list, nil }

// hasty is a clock whose sleeps pass at once.
type hasty struct {
	mu    sync.Mutex
	now   time.Time
	sleep func() // called at each Sleep
}

var _ clock.Clock = (*hasty)(nil)

func (c *hasty) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hasty) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	if c.sleep != nil {
		c.sleep()
	}
	return ctx.Err()
}

// WithTimeout gives a context that ends when Sleep has passed d.
func (c *hasty) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	return &limited{ctx, c, c.Now().Add(d)}, cancel
}

type limited struct {
	context.Context
	c   *hasty
	end time.Time
}

func (l *limited) Err() error {
	if l.c.Now().After(l.end) {
		return context.DeadlineExceeded
	}
	return l.Context.Err()
}
