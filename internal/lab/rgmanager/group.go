package rgmanager

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// state of a group, with rgmanager's numbers.
type state int

const (
	stopped       state = 110
	starting      state = 111
	started       state = 112
	stopping      state = 113
	failed        state = 114
	uninitialized state = 115
	checking      state = 116
	recoverable   state = 117
	recovering    state = 118
	disabled      state = 119
	migrating     state = 120
)

func (s state) String() string {
	switch s {
	case stopped:
		return "stopped"
	case starting:
		return "starting"
	case started:
		return "started"
	case stopping:
		return "stopping"
	case failed:
		return "failed"
	case uninitialized:
		return "uninitialized"
	case checking:
		return "checking"
	case recoverable:
		return "recoverable"
	case recovering:
		return "recovering"
	case disabled:
		return "disabled"
	case migrating:
		return "migrating"
	}
	return "Unknown"
}

// holds tells whether a group in that state has something that a stop must end.
func (s state) holds() bool {
	switch s {
	case starting, started, stopping, checking, migrating:
		return true
	}
	return false
}

// Results of a request, as clusvcadm shows them (negative there, too).
const (
	rgSuccess   = 0
	rgFail      = -1
	rgAbort     = -2
	rgNoService = -4
	rgDeadlock  = -5
	rgAgain     = -6
	rgDepend    = -7
	rgInvalid   = -8
	rgQuorum    = -9
	rgRunning   = -10
	rgFrozen    = -11
	rgNode      = -12
	rgFence     = -13
	rgDomain    = -15
	rgExclusive = -16
	rgRestored  = -17
	// rgDied is ours alone: the node died under the operation. The state stays as it was; fencing takes it from there.
	rgDied = -100
)

// group is one thing that the manager starts and stops: what stands directly below <rm>.
type group struct {
	m  *Manager
	id string

	// guarded by Manager.mu
	groupState
	relocating  bool
	statusAsked bool
	restartedAt []time.Time

	queue struct { // what is asked of one group is done one after the other
		sync.Mutex
		waiting []func()
		running bool
		check   bool // what runs now is a status check
	}
}

type groupState struct {
	state       state
	owner, last string // "" is none
	frozen      bool
	restarts    int
	since       time.Time
}

func (m *Manager) addGroupsLocked(v *view) (added []*group) {
	for _, r := range v.tree.Groups {
		if _, ok := m.groups[r.ID()]; !ok {
			g := &group{m: m, id: r.ID(), groupState: groupState{state: uninitialized, since: m.clk.Now()}}
			m.groups[r.ID()] = g
			added = append(added, g)
		}
	}
	return added
}

func (g *group) enqueue(f func()) {
	q := &g.queue
	q.Lock()
	defer q.Unlock()
	q.waiting = append(q.waiting, f)
	if q.running {
		return
	}
	q.running = true
	g.m.spawnLoop(g.drain)
}

func (g *group) drain() {
	q := &g.queue
	for {
		q.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			q.Unlock()
			return
		}
		f := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.Unlock()
		f()
	}
}

// outcome is what a request came to.
type outcome struct {
	code  int
	owner string // where the group runs afterwards, where that is of interest
}

// ask queues a request and waits for its outcome.
func (g *group) ask(f func() outcome) outcome {
	done := make(chan outcome, 1)
	g.enqueue(func() { done <- f() })
	return <-done
}

func (g *group) snapshot() groupState {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.groupState
}

// set enters a state. An owner that goes becomes the last owner.
func (g *group) set(s state, owner string) {
	g.m.update(func() { g.setLocked(s, owner) })
}

func (g *group) setLocked(s state, owner string) {
	if g.owner != "" && g.owner != owner {
		g.last = g.owner
	}
	if g.state == s && g.owner == owner {
		return
	}
	g.state, g.owner, g.since = s, owner, g.m.clk.Now()
	g.m.log.event("state", kv("group", g.id), kv("state", s.String()), kv("owner", orNone(owner)), kv("last", orNone(g.last)))
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

// treeOn is the group as the node has loaded it; nil where it does not know it.
func (g *group) treeOn(n *node) *resource {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return n.view.group(g.id)
}

// policyLocked is the group as any node has loaded it, for what is the same everywhere: domain, autostart, recovery.
func (g *group) policyLocked() *resource {
	if n := g.m.node(g.owner); n != nil {
		if r := n.view.group(g.id); r != nil {
			return r
		}
	}
	for _, n := range g.m.nodes {
		if r := n.view.group(g.id); r != nil {
			return r
		}
	}
	return nil
}

func (g *group) policy() *resource {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.policyLocked()
}

// scoreLocked is the node's score for this group when only online were members.
func (g *group) scoreLocked(n *node, online []*node) int {
	r := g.policyLocked()
	if r == nil || n.view.group(g.id) == nil {
		return illegal
	}
	return g.m.conf.score(get(r, "domain"), n.name, names(online), g.state == started, g.owner)
}

func (g *group) score(n *node, online []*node) int {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.scoreLocked(n, online)
}

// bestOf is the node with the highest score among those allowed, the first of equals; nil where none may.
func (g *group) bestOf(allowed []*node) *node {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	var out *node
	top := illegal
	for _, n := range allowed {
		if s := g.scoreLocked(n, allowed); s > top && !g.exclusiveLocked(n) {
			out, top = n, s
		}
	}
	return out
}

// exclusiveLocked tells whether an exclusive group is in the way on n: this one, or one that runs there.
func (g *group) exclusiveLocked(n *node) bool {
	mine := g.policyLocked()
	for _, other := range g.m.groups {
		if other == g || !strings.EqualFold(other.owner, n.name) || !other.state.holds() {
			continue
		}
		if mine != nil && mine.Exclusive() {
			return true
		}
		if r := other.policyLocked(); r != nil && r.Exclusive() {
			return true
		}
	}
	return false
}

func (g *group) exclusive(n *node) bool {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.exclusiveLocked(n)
}

// message writes to the log what rgmanager would on that node.
func (g *group) message(n *node, format string, args ...any) {
	g.m.log.say(n.name, fmt.Sprintf(format, args...))
}
