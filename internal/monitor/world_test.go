package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

// noon is the instant of every pass, unless a test moves the clock.
func noon() time.Time { return time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC) }

// world is a cluster of three nodes with two containers on node1, seen from node1. Its share is real, below the
// node's root; its manager does what a test says.
type world struct {
	t    *testing.T
	root string
	mgr  *manager
	now  *hasty
	log  *bytes.Buffer
	mon  Monitor
}

const goodConf = `sharedstorage /shared;
resources /shared/lbresources.conf;
logdir /shared/lbvm/log;
balance 101, 102;
default {
    algorithm {
        if (average(res('cpu', 5)) > 0.70 && average(res2('cpu', 2)) < 0.40) {
            migrate();
        }
    }
}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), now: &hasty{now: noon()}, log: &bytes.Buffer{}}
	id := host.Identity{Cluster: "test", UUID: "11111111-2222-4333-8444-555555555555", Member: "node1", Shared: "/shared", LogDir: "/shared/lbvm/log"}
	for _, d := range []string{"lbvm/nodes", "lbvm/handoff", "lbvm/lock", "lbvm/log"} {
		if err := os.MkdirAll(filepath.Join(w.root, "shared", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.write("shared/lbvm/cluster", string(id.Marker()))
	w.write("shared/lbresources.conf", "resource cpu { builtin cpu; }\n")
	w.write("shared/lbvm.conf", goodConf)
	w.mon = w.node(w.root, id)
	all := []cluster.Placement{{Node: "node1", Score: 3}, {Node: "node2", Score: 3}, {Node: "node3", Score: 3}}
	since := noon().Add(-24 * time.Hour)
	w.mgr.status = cluster.Status{Quorate: true,
		Members: []cluster.Member{{Name: "node1", Online: true, Local: true, Manager: true}, {Name: "node2", Online: true, Manager: true}, {Name: "node3", Online: true, Manager: true}},
		Services: []cluster.Service{
			{ID: "service:centos", VM: "101", VMType: "openvz", Owner: "node1", State: cluster.Started, MayRun: all, Since: since},
			{ID: "openvz:102", VM: "102", VMType: "openvz", Owner: "node1", State: cluster.Started, MayRun: all, Since: since},
		}}
	for _, n := range []string{"node1", "node2", "node3"} {
		f := host.Facts{Member: n, Boot: "boot-" + n, At: noon().Add(-20 * time.Second), Cores: 4, MemTotal: 8 << 30, MemFree: 4 << 30,
			Arch: "x86_64", Kernel: "2.6.32", CPUFlags: []string{"fpu"}, Lists: []string{"openvz"}, Restores: []string{"openvz"}, Tools: map[string]string{"vzctl": "3.0.30"},
			VMs: []host.VMFact{{Type: "openvz", Name: "101", Mem: 1 << 30}, {Type: "openvz", Name: "102", Mem: 1 << 30}}}
		if err := host.WriteFacts(filepath.Join(w.root, "shared"), f); err != nil {
			t.Fatal(err)
		}
	}
	w.record("101", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-node1"})
	w.record("102", handoff.State{Phase: handoff.Running, Node: "node1", Boot: "boot-node1"})
	return w
}

// node is a monitor on a node below root that shares this world's storage and manager.
func (w *world) node(root string, id host.Identity) Monitor {
	w.t.Helper()
	h, err := host.New(root)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range []string{"etc/cluster", "var/run"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	if root != w.root {
		if err := os.Symlink(filepath.Join(w.root, "shared"), filepath.Join(root, "shared")); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := h.WriteIdentity(id); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hostname"), []byte(id.Member+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink("../../shared/lbvm.conf", filepath.Join(root, "etc/cluster/lbvm.conf")); err != nil {
		w.t.Fatal(err)
	}
	if w.mgr == nil {
		w.mgr = &manager{}
	}
	log := logrus.New()
	log.SetOutput(w.log)
	return Monitor{Host: h, Manager: w.mgr, Clock: w.now, Wait: w.now, Log: log}
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.root, path), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.root, path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(b)
}

// samples writes ten minutes of a node's processor log, the last value twenty seconds ago.
func (w *world) samples(node string, value float64) {
	w.t.Helper()
	var b strings.Builder
	for i := 10; i >= 0; i-- {
		fmt.Fprintf(&b, "%d %g\n", noon().Add(-20*time.Second-time.Duration(i)*time.Minute).Unix(), value)
	}
	w.write("shared/lbvm/log/"+node+"-cpu", b.String())
}

func (w *world) hot() {
	w.samples("node1", 0.9)
	w.samples("node2", 0.1)
	w.samples("node3", 0.3)
}

func (w *world) record(vm string, steps ...handoff.State) {
	w.t.Helper()
	d, err := handoff.Open(filepath.Join(w.root, "shared"), "openvz", vm)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Unlock()
	for _, s := range steps {
		if _, err := l.Write(s); err != nil {
			w.t.Fatal(err)
		}
	}
}

// handover makes the manager hand VMs over as stop and start do when all goes well.
func (w *world) handover() {
	w.mgr.move = func(_ context.Context, service, target string) error {
		for i := range w.mgr.status.Services {
			s := &w.mgr.status.Services[i]
			if s.ID != service {
				continue
			}
			txn, err := handoff.NewTxn()
			if err != nil {
				w.t.Fatal(err)
			}
			w.record(s.VM, handoff.State{Phase: handoff.Suspending, Node: s.Owner, Boot: "boot-" + s.Owner, Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Resuming, Node: target, Boot: "boot-" + target, Image: txn, Txn: txn},
				handoff.State{Phase: handoff.Running, Node: target, Boot: "boot-" + target, Txn: txn})
			w.mgr.set(func() { s.LastOwner, s.Owner, s.Since = s.Owner, target, w.now.Now() })
		}
		return nil
	}
}

// decides makes every pass decide for these moves.
func (w *world) decides(moves ...balance.Decision) {
	w.mon.decide = func(_ context.Context, in balance.Input) (*balance.Pass, error) {
		return &balance.Pass{At: in.At, View: in.View, Decisions: moves, Rails: map[string]int{}}, nil
	}
}

func migrates(vm, target string) balance.Decision {
	return balance.Decision{VM: vm, Owner: "node1", Verdict: balance.Migrate, Target: target, Why: "line 7 of lbvm.conf: 0.9 > 0.7"}
}

// last is the record that the agent will read.
func (w *world) last(m Monitor) lbvmagent.Record {
	w.t.Helper()
	b, err := os.ReadFile(m.Host.Path(lbvmagent.RecordFile))
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := lbvmagent.ParseRecord(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// passes are the lines of passes.log.
func (w *world) passes() []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(w.read("shared/lbvm/log/passes.log")), "\n") {
		if line == "" {
			continue
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			w.t.Fatalf("passes.log: %v in %q", err, line)
		}
		out = append(out, p)
	}
	return out
}

// journal is migrate.log.
func (w *world) journal() []balance.Move {
	w.t.Helper()
	list, err := balance.OpenJournal(filepath.Join(w.root, "shared/lbvm/log", balance.JournalName)).Since(time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// manager is a cluster manager that does what a test says.
type manager struct {
	mu     sync.Mutex
	status cluster.Status
	answer func() error // of Status, before it answers
	move   func(ctx context.Context, service, target string) error
	hangs  func() // does what happens while Status gives no answer until its context ends
	asked  int
	moved  []string
	asLive func(bool)
}

func (m *manager) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *manager) Status(ctx context.Context) (cluster.Status, error) {
	if m.answer != nil {
		if err := m.answer(); err != nil {
			return cluster.Status{}, err
		}
	}
	if m.hangs != nil {
		m.hangs()
		<-ctx.Done()
		return cluster.Status{}, fmt.Errorf("asking the cluster manager: %w", ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	out := m.status
	out.Services = append([]cluster.Service(nil), m.status.Services...)
	return out, ctx.Err()
}

func (m *manager) Move(ctx context.Context, service, target string, live bool) error {
	if m.asLive != nil {
		m.asLive(live)
	}
	m.set(func() { m.moved = append(m.moved, service+" to "+target) })
	if m.move == nil {
		return errors.New("nobody moves")
	}
	return m.move(ctx, service, target)
}

func (m *manager) Enable(context.Context, string, string) error { return errors.New("nobody enables") }
func (m *manager) Restart(context.Context, string) error        { return errors.New("nobody restarts") }
func (m *manager) Disable(context.Context, string) error        { return errors.New("nobody disables") }

// mover is a Mover that does what a test says.
type mover struct {
	do   func(r move.Request) (balance.Move, error)
	seen []string
}

func (m *mover) Move(_ context.Context, r move.Request) (balance.Move, error) {
	m.seen = append(m.seen, r.Type+":"+r.VM+" to "+r.Target)
	return m.do(r)
}

func (m *mover) Finish(context.Context, balance.Move, bool) (balance.Move, error) {
	return balance.Move{}, errors.New("nothing was begun")
}

// hasty is a clock whose sleeps pass at once, and whose limits never do.
type hasty struct {
	mu  sync.Mutex
	now time.Time
}

func (c *hasty) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hasty) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *hasty) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
