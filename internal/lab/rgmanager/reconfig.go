package rgmanager

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// errOld says that a configuration is not newer than the running one.
var errOld = errors.New("the configuration is not newer than the running one")

// publish gives a newer configuration to every member and lets rgmanager load it, which goes on beside the caller.
func (m *Manager) publish(c *configuration) (old uint64, err error) {
	m.configuring.Lock()
	defer m.configuring.Unlock()
	var members []*node
	m.mu.Lock()
	running := m.conf
	for _, n := range m.nodes {
		if n.member && n.isAlive() {
			members = append(members, n)
		}
	}
	m.mu.Unlock()
	if c.version <= running.version {
		return running.version, errOld
	}
	if c.cluster != running.cluster {
		return running.version, fmt.Errorf("the running configuration is of cluster %q, the new one of %q", running.cluster, c.cluster)
	}
	for _, n := range members {
		if err := n.setConf(c); err != nil {
			return running.version, fmt.Errorf("giving the configuration to %s: %w", n.name, err)
		}
	}
	m.update(func() { m.conf = c })
	m.spawnLoop(func() { m.reconfigure() })
	return running.version, nil
}

// reconfigure loads the running configuration on every node where rgmanager runs, and does what the differences ask for.
func (m *Manager) reconfigure() {
	m.configuring.Lock()
	defer m.configuring.Unlock()
	m.mu.Lock()
	conf := m.conf
	var nodes []*node
	for _, n := range m.nodes {
		if n.rg == rgReady && n.view != nil && n.view.version < conf.version {
			nodes = append(nodes, n)
		}
	}
	m.mu.Unlock()
	views := make([]*view, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			views[i] = m.load(n, conf)
		}()
	}
	wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.wakeLocked()
	olds := map[*node]*view{}
	found := map[*node]*ccs.Comparison{}
	var added []*group
	for i, n := range nodes {
		if n.view == nil { // it died meanwhile
			continue
		}
		olds[n], n.view = n.view, views[i]
		found[n] = ccs.Compare(olds[n].tree, views[i].tree)
		added = append(added, m.addGroupsLocked(views[i])...)
	}
	for _, g := range m.sortedGroupsLocked() {
		r := g.policyLocked()
		switch {
		case r == nil:
			g.enqueue(func() { g.removed(olds) })
		case slices.Contains(added, g):
			g.enqueue(func() { g.isNew(nodes, r) })
		case replaced(g.id, found):
			g.enqueue(func() { g.replace(olds, nodes, r) })
		default:
			g.enqueue(func() { g.reconfigured(found) })
		}
	}
	m.log.event("reconfigured", kv("version", fmt.Sprint(conf.version)))
}

// removed ends a group that the configuration has no more, unless its type says that a guest outlives its entry.
func (g *group) removed(olds map[*node]*view) {
	m := g.m
	if g.policy() != nil {
		return // a later configuration has it again
	}
	s := g.snapshot()
	n := m.node(s.owner)
	if old := olds[n].group(g.id); n != nil && old != nil && s.state.holds() {
		if old.KeptOnDelete() {
			g.message(n, "%s was removed from the config, but I am not stopping it.", g.id)
			g.set(disabled, "")
		} else {
			unlock := n.lock(g.id)
			g.stopTree(n, old, disabled)
			unlock()
		}
	}
	m.update(func() {
		if g.policyLocked() == nil && m.groups[g.id] == g {
			delete(m.groups, g.id)
			m.log.event("state", kv("group", g.id), kv("state", "removed"))
		}
	})
}

// replaced tells whether a group is changed as a whole.
func replaced(id string, found map[*node]*ccs.Comparison) bool {
	for _, c := range found {
		if c.Replaced(id) {
			return true
		}
	}
	return false
}

// replace brings a group that is changed as a whole from its old to its new values: it ends as one that is removed
// and begins as one that is new. That it had been disabled is forgotten.
func (g *group) replace(olds map[*node]*view, nodes []*node, r *resource) {
	s := g.snapshot()
	n := g.m.node(s.owner)
	if old := olds[n].group(g.id); n != nil && old != nil && s.state.holds() {
		if old.KeptOnDelete() {
			g.message(n, "%s was removed from the config, but I am not stopping it.", g.id)
			g.set(disabled, "")
		} else {
			unlock := n.lock(g.id)
			g.stopTree(n, old, disabled)
			unlock()
		}
	}
	g.initialise(nodes, r)
	if g.snapshot().state == disabled && r.Autostart() {
		g.set(stopped, "")
	}
	g.evaluate(nil)
}

// isNew stops a new group on every node and then starts it.
func (g *group) isNew(nodes []*node, r *resource) {
	g.initialise(nodes, r)
	g.evaluate(nil)
}

func (g *group) initialise(nodes []*node, r *resource) {
	if r.QuietOnAdd() {
		g.message(nodes[0], "%s was added, but I am not initializing it", g.id)
		return
	}
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			g.initStop(n)
		}()
	}
	wg.Wait()
}

// reconfigured brings what has changed in a group that runs from its old values to the new ones.
func (g *group) reconfigured(found map[*node]*ccs.Comparison) {
	s := g.snapshot()
	n := g.m.node(s.owner)
	if n == nil || found[n] == nil || s.state != started {
		return
	}
	down, up := found[n].Steps(g.id)
	if len(down)+len(up) == 0 {
		return
	}
	unlock := n.lock(g.id)
	ok := g.apply(n, down, up)
	unlock()
	if !ok && g.snapshot().state == started {
		g.recover(n)
	}
}

// apply does the stops with the old values, then the rest. False: the group needs recovery. The caller holds the node's
// lock of the group.
func (g *group) apply(n *node, down, up []ccs.Step) bool {
	for _, s := range down {
		code, err := g.m.treeStop(n, s.Instance)
		if err != nil {
			return true // the node died: fencing takes it from here
		}
		if code != 0 {
			g.fail(n)
			return false
		}
	}
	for _, s := range up {
		var code int
		var err error
		if s.Action == "reconfig" {
			code, err = g.m.exec(n, s.Instance, s.Action, 0, "")
		} else {
			code, err = g.m.treeStart(n, s.Instance)
		}
		if err != nil || code != 0 {
			return err != nil
		}
	}
	return true
}
