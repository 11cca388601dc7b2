package rgmanager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// Power switches nodes on and off: their daemons and everything that runs on them.
type Power interface {
	// On boots a node and returns when its daemon answers.
	On(ctx context.Context, node string) error
	// Off cuts the power: every process of the node is gone when it returns.
	Off(node string) error
}

// Options of a manager.
type Options struct {
	Layout lab.Layout
	Clock  clock.Clock // the lab's time
	Power  Power
	Detect time.Duration // lab time until a dead node is missed; 0 is 10 s
	Fence  time.Duration // lab time that fencing takes; 0 is 5 s
}

// Manager is the cluster managers of all nodes.
type Manager struct {
	o   Options
	clk clock.Clock
	log *eventLog
	ctx context.Context
	wg  sync.WaitGroup // everything that runs beside Run

	configuring sync.Mutex // one update of the configuration at a time
	cron        cron

	mu         sync.Mutex
	changed    chan struct{} // closed at every change of what mu guards
	nodes      []*node
	conf       *configuration
	groups     map[string]*group
	quorate    bool
	locked     bool // clusvcadm -l
	ending     bool // the lab goes down: nothing is started any more
	generation int
	switches   switches
	still      bool                // the shared file system stands still
	working    map[int]*os.Process // agents that use it
	cameUp     []string            // nodes that became ready and were not yet considered for failback
}

// Run plays the cluster manager of a lab until ctx ends or the lab's stop command comes: it switches every node
// on, answers on the lab's manager socket, and switches every node off at its end.
func Run(ctx context.Context, o Options) (err error) {
	l, err := lab.Listen(o.Layout.ManagerSocket())
	if err != nil {
		return fmt.Errorf("listening for the cluster's tools: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(o.Layout.ManagerSocket())) }()
	if err := os.MkdirAll(o.Layout.Path("log"), 0o755); err != nil {
		return err
	}
	logFile, err := os.OpenFile(o.Layout.Path("log", "manager.log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m, err := newManager(ctx, o, logFile)
	if err != nil {
		return err
	}
	return m.run(l, stop)
}

// newManager reads the lab's nodes and configuration. No node is up yet.
func newManager(ctx context.Context, o Options, logFile interface{ Write([]byte) (int, error) }) (*Manager, error) {
	if o.Detect == 0 {
		o.Detect = 10 * time.Second
	}
	if o.Fence == 0 {
		o.Fence = 5 * time.Second
	}
	_, d, err := lab.Open(o.Layout.Dir)
	if err != nil {
		return nil, err
	}
	m := &Manager{o: o, clk: o.Clock, log: &eventLog{w: logFile, clk: o.Clock}, ctx: ctx, changed: make(chan struct{}),
		groups: map[string]*group{}, generation: 1, switches: switches{fence: o.Fence}, working: map[int]*os.Process{}}
	for i, name := range d.Nodes {
		m.nodes = append(m.nodes, newNode(name, i+1, o.Layout.Root(name)))
	}
	for _, n := range m.nodes { // the newest file wins, as among ccsd's
		c, err := readConfigurationFile(n.confFile())
		if err != nil {
			return nil, fmt.Errorf("reading the cluster configuration of %s: %w", n.name, err)
		}
		if m.conf == nil || c.version > m.conf.version {
			m.conf = c
		}
	}
	if m.conf == nil {
		return nil, errors.New("the lab has no node")
	}
	for _, n := range m.nodes {
		if err := n.setConf(m.conf); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Manager) run(l net.Listener, stop func()) error {
	served := make(chan error, 1)
	serving, endServing := context.WithCancel(context.WithoutCancel(m.ctx))
	defer endServing()
	go func() {
		served <- lab.Serve(serving, l, func(ctx context.Context, r lab.Request) run.Result {
			answer := m.answer(ctx, r)
			if r.Node == "" && len(r.Argv) > 0 && r.Argv[0] == "stop" {
				stop()
			}
			return answer
		})
	}()
	m.bootAll()
	m.spawnLoop(m.statusLoop)
	m.spawnLoop(m.cronLoop)
	<-m.ctx.Done()
	err := m.powerOff()
	m.wg.Wait()
	endServing()
	return errors.Join(err, <-served, m.log.failure())
}

// spawnLoop runs f beside everything else; Run waits for it.
func (m *Manager) spawnLoop(f func()) {
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		f()
	}()
}

// update changes what mu guards and wakes whoever waits for a change.
func (m *Manager) update(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.wakeLocked()
}

func (m *Manager) wakeLocked() {
	m.stillLocked()
	close(m.changed)
	m.changed = make(chan struct{})
}

// await returns when ok does, asked under mu after every change.
func (m *Manager) await(ctx context.Context, ok func() bool) error {
	for {
		m.mu.Lock()
		done, changed := ok(), m.changed
		m.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// node finds a node by its name, in any case, as cman does.
func (m *Manager) node(name string) *node {
	for _, n := range m.nodes {
		if strings.EqualFold(n.name, name) {
			return n
		}
	}
	return nil
}

// ready gives the nodes on which rgmanager runs, in the cluster's order.
func (m *Manager) readyLocked() []*node {
	var out []*node
	for _, n := range m.nodes {
		if n.rg == rgReady {
			out = append(out, n)
		}
	}
	return out
}

func (m *Manager) ready() []*node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readyLocked()
}

func names(nodes []*node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, n.name)
	}
	return out
}

func without(nodes []*node, not ...*node) []*node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return slices.Contains(not, n) })
}

// sortedGroups gives the groups by name, as strcmp sorts.
func (m *Manager) sortedGroupsLocked() []*group {
	out := make([]*group, 0, len(m.groups))
	for _, g := range m.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return strings.Compare(a.id, b.id) })
	return out
}

func readConfigurationFile(path string) (*configuration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parseConfiguration(path, text)
	if err != nil {
		return nil, err
	}
	return c, nil
}
