package rgmanager

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// bootAll switches every node on at once: they join, and rgmanager starts on all of them together.
func (m *Manager) bootAll() {
	var wg sync.WaitGroup
	for _, n := range m.nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := m.switchOn(n); err != nil {
				m.log.event("error", kv("node", n.name), kv("text", err.Error()))
			}
		}()
	}
	wg.Wait()
	m.update(func() {
		for _, n := range m.nodes {
			if n.isAlive() {
				m.joinLocked(n)
			}
		}
	})
	m.reconcile()
}

func (m *Manager) switchOn(n *node) error {
	if err := m.o.Power.Off(n.name); err != nil { // whatever an earlier life of the lab left
		return fmt.Errorf("clearing %s: %w", n.name, err)
	}
	if err := m.o.Power.On(m.ctx, n.name); err != nil {
		return fmt.Errorf("switching %s on: %w", n.name, err)
	}
	n.setAlive(true)
	m.log.event("node", kv("node", n.name), kv("is", "on"))
	return nil
}

func (m *Manager) joinLocked(n *node) {
	n.member, n.rg = true, rgWaiting
	n.joined = m.clk.Now()
	m.generation++
	n.incarnation = m.generation
	m.log.event("node", kv("node", n.name), kv("is", "member"))
}

// votesLocked gives the votes of the members, of all nodes, and how many make a quorum.
func (m *Manager) votesLocked() (have, expected, quorum int) {
	for _, c := range m.conf.nodes {
		expected += c.votes
		if n := m.node(c.name); n != nil && n.member {
			have += c.votes
		}
	}
	quorum = expected/2 + 1
	if m.conf.twoNode {
		quorum = 1
	}
	return have, expected, quorum
}

// reconcile follows a change of membership: quorum comes or goes, the dead are fenced, rgmanager starts.
func (m *Manager) reconcile() {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.wakeLocked()
	have, _, quorum := m.votesLocked()
	was := m.quorate
	m.quorate = have >= quorum
	if was != m.quorate {
		m.log.event("quorum", kv("quorate", fmt.Sprint(m.quorate)), kv("votes", fmt.Sprint(have)))
	}
	if !m.quorate {
		for _, n := range m.readyLocked() {
			n.rg = rgWaiting
			m.emergencyStopLocked(n)
		}
		return
	}
	for _, n := range m.nodes {
		if n.fencePending {
			m.spawnLoop(func() { m.fence(n) })
		}
		if n.member && n.rg == rgWaiting {
			n.rg = rgStarting
			m.spawnLoop(func() { m.startRG(n) })
		}
	}
}

// emergencyStopLocked is what rgmanager does when the quorum dissolves: every group stops here.
func (m *Manager) emergencyStopLocked(n *node) {
	m.log.say(n.name, "#1: Quorum Dissolved")
	for _, g := range m.sortedGroupsLocked() {
		g.enqueue(func() {
			if s := g.snapshot(); s.owner == n.name && s.state.holds() {
				g.stopOn(n, stopped)
			} else {
				g.initStop(n)
			}
		})
	}
}

// fence waits for the fence agent, after which a dead node's groups may start elsewhere.
func (m *Manager) fence(n *node) {
	m.mu.Lock()
	takes := m.switches.fence
	m.mu.Unlock()
	if takes < 0 || m.clk.Sleep(m.ctx, takes) != nil {
		return
	}
	done := false
	m.update(func() {
		if n.fencePending && m.quorate {
			m.fencedLocked(n, "fenced by fence_lab")
			done = true
		}
	})
	if done {
		m.evaluateAll()
	}
}

func (m *Manager) fencedLocked(n *node, how string) {
	n.fencePending, n.fenced, n.lastFenced = false, true, m.clk.Now()
	n.how = "agent"
	m.log.event("fence", kv("node", n.name), kv("how", how))
	for _, g := range m.sortedGroupsLocked() {
		g.enqueue(func() { g.ownerDied(n) })
	}
}

// startRG starts rgmanager on a node: it loads agents and configuration and stops every group before anything else.
func (m *Manager) startRG(n *node) {
	m.configuring.Lock()
	var conf *configuration
	m.update(func() { conf = m.conf })
	if err := n.setConf(conf); err != nil {
		m.log.event("error", kv("node", n.name), kv("text", err.Error()))
	}
	v := m.load(n, conf)
	var groups []*group
	m.update(func() {
		n.view = v
		m.addGroupsLocked(v)
		groups = m.sortedGroupsLocked()
	})
	m.configuring.Unlock()
	var wg sync.WaitGroup
	for _, g := range groups {
		wg.Add(1)
		go func() {
			defer wg.Done()
			g.initStop(n)
		}()
	}
	wg.Wait()
	m.update(func() {
		if n.rg != rgStarting { // it died, or the quorum did, meanwhile
			return
		}
		n.rg = rgReady
		m.cameUp = append(m.cameUp, n.name)
		m.log.event("node", kv("node", n.name), kv("is", "ready"))
	})
	m.evaluateAll()
}

// load discovers the node's agents and builds the groups of the configuration with them.
func (m *Manager) load(n *node, conf *configuration) *view {
	say := func(text string) { m.log.say(n.name, text) }
	rules, err := n.discover(say)
	if err != nil && !errors.Is(err, errNodeDown) {
		say(err.Error())
	}
	tree := conf.doc.ResourceTree(rules)
	for _, x := range tree.Dropped {
		say(fmt.Sprintf("%s is dropped: %s", x.ID, x))
	}
	return &view{version: conf.version, tree: tree}
}

// evaluateAll lets every group look for its node, unless rgmanager still starts somewhere: what starts together is judged together.
func (m *Manager) evaluateAll() {
	m.update(func() {
		for _, n := range m.nodes {
			if n.rg == rgStarting {
				return
			}
		}
		up := m.cameUp
		m.cameUp = nil
		for _, g := range m.sortedGroupsLocked() {
			g.enqueue(func() { g.evaluate(up) })
		}
	})
}

// errNode answers a command for a node that does not exist or is not in the right state.
var errNode = errors.New("wrong state of the node")

// kill cuts a node's power. The others notice later, and fence it.
func (m *Manager) kill(n *node) error {
	if !n.isAlive() {
		return fmt.Errorf("%w: %s is off already", errNode, n.name)
	}
	n.setAlive(false)
	m.log.event("node", kv("node", n.name), kv("is", "off"))
	if err := m.o.Power.Off(n.name); err != nil {
		return fmt.Errorf("cutting the power of %s: %w", n.name, err)
	}
	m.spawnLoop(func() { m.miss(n) })
	return nil
}

// miss is the token that a dead node does not pass on.
func (m *Manager) miss(n *node) {
	if m.clk.Sleep(m.ctx, m.o.Detect) != nil {
		return
	}
	m.update(func() {
		if n.member {
			n.fencePending, n.fenced = true, false
			m.log.event("node", kv("node", n.name), kv("is", "lost"))
		}
		n.member, n.rg, n.view = false, rgOff, nil
		m.generation++
	})
	m.reconcile()
}

// start boots a dead node, or lets one that has left join again.
func (m *Manager) start(ctx context.Context, n *node) error {
	if n.isAlive() {
		m.mu.Lock()
		member := n.member
		m.mu.Unlock()
		if member {
			return fmt.Errorf("%w: %s is up already", errNode, n.name)
		}
	} else {
		// A machine takes longer to boot than the others to miss and to fence it.
		if err := m.await(ctx, func() bool { return !n.member && (!n.fencePending || !m.quorate) }); err != nil {
			return fmt.Errorf("waiting until %s was missed: %w", n.name, err)
		}
		if err := m.switchOn(n); err != nil {
			return err
		}
	}
	m.update(func() {
		if n.fencePending { // nobody had the quorum to fence it; a node that joins anew holds nothing
			m.fencedLocked(n, "joined again before anybody could fence it")
		}
		m.joinLocked(n)
	})
	m.reconcile()
	return nil
}

// leave stops rgmanager and cman on a node, cleanly; the machine and its frozen groups run on.
func (m *Manager) leave(ctx context.Context, n *node) error {
	var groups []*group
	was := false
	m.update(func() {
		was = n.member && n.isAlive()
		if was {
			n.rg = rgOff
			groups = m.sortedGroupsLocked()
		}
	})
	if !was {
		return fmt.Errorf("%w: %s is not a member", errNode, n.name)
	}
	m.log.event("node", kv("node", n.name), kv("is", "leaving"))
	var wg sync.WaitGroup
	for _, g := range groups {
		wg.Add(1)
		g.enqueue(func() {
			defer wg.Done()
			if s := g.snapshot(); s.owner == n.name && s.state.holds() && !s.frozen {
				g.stopOn(n, stopped)
			}
		})
	}
	wg.Wait()
	m.runLeaveScript(ctx, n)
	m.update(func() {
		n.member, n.view, n.fenced, n.fencePending = false, nil, false, false
		m.generation++
		m.log.event("node", kv("node", n.name), kv("is", "left"))
	})
	m.reconcile()
	m.evaluateAll()
	return ctx.Err()
}

// powerOff ends the lab: no node lives on.
func (m *Manager) powerOff() error {
	m.update(func() { m.ending = true })
	errs := make([]error, len(m.nodes))
	var wg sync.WaitGroup
	for i, n := range m.nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.setAlive(false)
			errs[i] = m.o.Power.Off(n.name)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// stopAll stops every group without starting it elsewhere, as a cluster that is shut down.
func (m *Manager) stopAll() {
	var wg sync.WaitGroup
	m.mu.Lock()
	m.ending = true
	for _, g := range m.sortedGroupsLocked() {
		wg.Add(1)
		g.enqueue(func() {
			defer wg.Done()
			s := g.snapshot()
			if n := m.node(s.owner); n != nil && s.state.holds() && !s.frozen {
				g.stopOn(n, stopped)
			}
		})
	}
	m.mu.Unlock()
	wg.Wait()
}
