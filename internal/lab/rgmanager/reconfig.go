package rgmanager

import (
	"errors"
	"fmt"
	"slices"
	"sync"
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
	var added []*group
	for i, n := range nodes {
		if n.view == nil { // it died meanwhile
			continue
		}
		olds[n], n.view = n.view, views[i]
		added = append(added, m.addGroupsLocked(views[i])...)
	}
	for _, g := range m.sortedGroupsLocked() {
		r := g.policyLocked()
		switch {
		case r == nil:
			g.enqueue(func() { g.removed(olds) })
		case slices.Contains(added, g):
			g.enqueue(func() { g.isNew(nodes, r) })
		default:
			g.enqueue(func() { g.reconfigured(olds) })
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
		if old.keepsOnDelete() {
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

// isNew stops a new group on every node and then starts it.
func (g *group) isNew(nodes []*node, r *resource) {
	if r.quietOnAdd() {
		g.message(nodes[0], "%s was added, but I am not initializing it", g.id)
	} else {
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
	g.evaluate(nil)
}

// reconfigured brings a group that runs from its old values to the new ones: what changed is stopped with the old
// and started with the new ones, or only told of them where all that changed may be reconfigured.
func (g *group) reconfigured(olds map[*node]*view) {
	s := g.snapshot()
	n := g.m.node(s.owner)
	if n == nil || s.state != started {
		return
	}
	before, after := olds[n].group(g.id), g.treeOn(n)
	if before == nil || after == nil {
		return
	}
	var d delta
	d.compare(before, after)
	if d.empty() {
		return
	}
	unlock := n.lock(g.id)
	ok := g.apply(n, d)
	unlock()
	if !ok && g.snapshot().state == started {
		g.recover(n)
	}
}

// delta is what separates two trees of one group.
type delta struct {
	stops  []*resource // with old values
	reload []*resource // with new values, told by reconfig
	starts []*resource // with new values
}

func (d *delta) empty() bool { return len(d.stops)+len(d.reload)+len(d.starts) == 0 }

func (d *delta) compare(before, after *resource) {
	changed, reload := compareValues(before, after)
	switch {
	case changed:
		d.stops = append(d.stops, before)
		d.starts = append(d.starts, after)
		return
	case reload:
		d.reload = append(d.reload, after)
	}
	child := func(r *resource, id string) *resource {
		for _, c := range r.children {
			if c.id() == id {
				return c
			}
		}
		return nil
	}
	for _, c := range before.stopOrder() {
		if child(after, c.id()) == nil {
			d.stops = append(d.stops, c)
		}
	}
	for _, c := range after.startOrder() {
		if old := child(before, c.id()); old != nil {
			d.compare(old, c)
		} else {
			d.starts = append(d.starts, c)
		}
	}
}

// compareValues tells whether a value changed that needs a restart, and whether one changed that does not.
func compareValues(before, after *resource) (restart, reload bool) {
	for _, p := range after.rule.params {
		was, had := before.lookup(p.name)
		is, has := after.lookup(p.name)
		if was == is && had == has {
			continue
		}
		if p.reconfig {
			reload = true
		} else {
			restart = true
		}
	}
	return restart, reload
}

// apply does the stops, then the rest. False: the group needs recovery. The caller holds the node's lock of the group.
func (g *group) apply(n *node, d delta) bool {
	for _, r := range d.stops {
		code, err := g.m.treeStop(n, r)
		if err != nil {
			return true // the node died: fencing takes it from here
		}
		if code != 0 {
			g.fail(n)
			return false
		}
	}
	for _, r := range d.reload {
		if code, err := g.m.exec(n, r, "reconfig", 0, ""); err != nil || code != 0 {
			return err != nil
		}
	}
	for _, r := range d.starts {
		if code, err := g.m.treeStart(n, r); err != nil || code != 0 {
			return err != nil
		}
	}
	return true
}
