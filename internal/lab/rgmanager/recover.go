package rgmanager

import (
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// statusLoop asks, each poll, for one status check of every started group.
func (m *Manager) statusLoop() {
	for {
		m.mu.Lock()
		poll := m.conf.poll()
		m.mu.Unlock()
		if m.clk.Sleep(m.ctx, poll) != nil {
			return
		}
		m.poll()
	}
}

// poll queues at most one check for each group.
func (m *Manager) poll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.sortedGroupsLocked() {
		n := m.node(g.owner)
		if g.state != started || g.frozen || g.statusAsked || n == nil || n.rg != rgReady {
			continue
		}
		g.statusAsked = true
		g.enqueue(g.check)
	}
}

// poll is how often status checks are considered.
func (c *configuration) poll() time.Duration {
	if s := ccs.ParseDuration(c.rm["status_poll_interval"]); s >= time.Second {
		return s
	}
	return 10 * time.Second
}

// check is one status request of the group on its owner.
func (g *group) check() {
	g.m.update(func() { g.statusAsked = false })
	s := g.snapshot()
	n := g.m.node(s.owner)
	if s.state != started || s.frozen || n == nil || !g.m.isReady(n) {
		return
	}
	g.checking(true)
	ok := g.healthy(n)
	g.checking(false)
	if !ok {
		g.recover(n)
	}
}

func (g *group) checking(on bool) {
	g.queue.Lock()
	defer g.queue.Unlock()
	g.queue.check = on
}

func (g *group) healthy(n *node) bool {
	defer n.lock(g.id)()
	r := g.treeOn(n)
	if r == nil {
		return true
	}
	code, err := g.m.treeStatus(n, r)
	return err != nil || code == 0 // a node that died is the fence daemon's business
}

// recover follows a failed check on the owner n.
func (g *group) recover(n *node) {
	if g.m.isEnding() {
		return
	}
	r := g.treeOn(n)
	if r == nil {
		return
	}
	if r.Migratory() {
		if where := g.inquire(n); where != nil {
			n.addRef(r.ID(), -1)
			g.adopt(where)
			return
		}
	}
	g.message(n, "Stopping service %s", g.id)
	policy := strings.ToLower(r.Recovery())
	if policy == "disable" {
		g.stopOn(n, disabled)
		return
	}
	if g.stopOn(n, recoverable) != rgSuccess {
		return
	}
	g.message(n, "Service %s is recovering", g.id)
	g.set(recovering, "")
	exceeded := g.countRestart(r)
	switch {
	case exceeded && strings.Contains(policy, "disable"):
		g.set(disabled, "")
		return
	case exceeded || policy == "relocate":
		if out := g.startElsewhere(n); out.code != rgSuccess && g.snapshot().state == recovering {
			g.set(stopped, "")
		}
		return
	}
	g.startOrMove(n)
}

// countRestart counts a restart and tells whether it was one too many.
func (g *group) countRestart(r *resource) bool {
	limit, expire := atoi(get(r, "max_restarts")), ccs.ParseDuration(get(r, "restart_expire_time"))
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	g.restarts++
	if limit <= 0 {
		return false
	}
	now := g.m.clk.Now()
	kept := g.restartedAt[:0]
	for _, at := range g.restartedAt {
		if expire == 0 || now.Sub(at) < expire {
			kept = append(kept, at)
		}
	}
	g.restartedAt = append(kept, now)
	return len(g.restartedAt) > limit
}
