package rgmanager

// startOn runs start of the whole group on n. After a failure the state is still starting.
func (g *group) startOn(n *node) int {
	defer n.lock(g.id)()
	r := g.treeOn(n)
	if r == nil {
		return rgFail
	}
	if !g.claim(n) {
		return rgExclusive
	}
	code, err := g.m.treeStart(n, r)
	switch {
	case err != nil:
		return rgDied
	case code != 0:
		g.message(n, "#68: Failed to start %s; return value: %d", g.id, code)
		return rgFail
	}
	g.set(started, n.name)
	return rgSuccess
}

// claim enters starting on n, unless an exclusive group is in the way.
func (g *group) claim(n *node) bool {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if g.exclusiveLocked(n) {
		return false
	}
	g.setLocked(starting, n.name)
	g.m.wakeLocked()
	return true
}

// adviseStart tells whether a group may start at all in its state.
func (g *group) adviseStart(user bool) int {
	m := g.m
	m.mu.Lock()
	defer m.mu.Unlock()
	owner := m.node(g.owner)
	switch {
	case !m.quorate:
		return rgQuorum
	case m.ending || m.locked:
		return rgAgain
	case g.frozen:
		return rgFrozen
	case g.state == failed:
		return rgAbort
	case g.state == disabled && !user:
		return rgFail
	case g.state.holds() && owner != nil && owner.member:
		return rgRunning
	case g.state.holds() && owner != nil && owner.fencePending:
		return rgFence
	}
	return rgSuccess
}

// startRequest starts the group on n: for a user where the node may, by itself only where it is the best one.
// A failure there leads to the other members.
func (g *group) startRequest(n *node, user bool) outcome {
	if code := g.adviseStart(user); code != rgSuccess {
		return outcome{code, g.snapshot().owner}
	}
	if where := g.inquire(n); where != nil {
		g.adopt(where)
		return outcome{rgSuccess, where.name}
	}
	if g.exclusive(n) {
		return outcome{code: rgExclusive}
	}
	tolerance := best
	if user {
		tolerance = good
	}
	if g.score(n, g.m.ready()) < tolerance {
		return outcome{code: rgDomain}
	}
	if user {
		g.m.update(func() { g.restarts, g.restartedAt = 0, nil })
	}
	return g.startOrMove(n)
}

// startOrMove starts on n, and on failure stops there and tries the others.
func (g *group) startOrMove(n *node) outcome {
	switch code := g.startOn(n); code {
	case rgSuccess:
		return outcome{code, n.name}
	case rgExclusive:
		return outcome{code: code}
	case rgDied:
		return outcome{code: rgFail}
	}
	if g.stopOn(n, recoverable) != rgSuccess {
		return outcome{code: rgFail}
	}
	g.message(n, "#71: Relocating failed service %s", g.id)
	out := g.startElsewhere(n)
	if out.code != rgSuccess && g.snapshot().state == recoverable {
		g.set(stopped, "")
	}
	return out
}

// startElsewhere tries every member but those given, best first.
func (g *group) startElsewhere(tried ...*node) outcome {
	for {
		n := g.bestOf(without(g.m.ready(), tried...))
		if n == nil || g.m.isEnding() {
			return outcome{code: rgFail}
		}
		switch code := g.startRemote(n); code {
		case rgSuccess:
			return outcome{code, n.name}
		case rgAbort, rgDied:
			return outcome{code: rgFail}
		}
		tried = append(tried, n)
	}
}

// startRemote is a start that another node asked for. rgAbort: it could not even be stopped again.
func (g *group) startRemote(n *node) int {
	if g.exclusive(n) {
		return rgExclusive
	}
	if g.score(n, []*node{n}) < best {
		return rgDomain
	}
	code := g.startOn(n)
	if code == rgSuccess || code == rgDied || code == rgExclusive {
		return code
	}
	switch g.stopOn(n, recoverable) {
	case rgSuccess:
		return rgFail
	case rgDied:
		return rgDied
	}
	return rgAbort
}

func (m *Manager) isEnding() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ending
}

// inquire asks the other members whether a migratory group runs there: the administrator may have moved it by hand.
func (g *group) inquire(but *node) *node {
	for _, n := range without(g.m.ready(), but) {
		r := g.treeOn(n)
		if r == nil || !r.Migratory() {
			continue
		}
		code, err := g.statusOn(n, r)
		if err != nil {
			return nil // a member that cannot be reached ends the inquiry
		}
		if code == 0 {
			return n
		}
	}
	return nil
}

func (g *group) statusOn(n *node, r *resource) (int, error) {
	defer n.lock(g.id)()
	return g.m.exec(n, r, "status", 0, "")
}

// adopt makes n the owner of what was found running there.
func (g *group) adopt(n *node) {
	g.message(n, "%s is running here; adopting it", g.id)
	if r := g.treeOn(n); r != nil {
		n.checked(r, g.m.clk.Now())
		n.addRef(r.ID(), 1-n.refs(r.ID()))
	}
	g.set(started, n.name)
}

// evaluate looks for a node, after nodes have come or gone. up are nodes that became ready.
func (g *group) evaluate(up []string) {
	m := g.m
	s := g.snapshot()
	r := g.policy()
	if r == nil || s.frozen || m.isEnding() {
		return
	}
	switch s.state {
	case uninitialized:
		if !r.Autostart() {
			g.set(disabled, "")
			return
		}
		g.set(stopped, "")
	case stopped, recoverable, recovering:
	case started:
		g.failback(s, up)
		return
	default:
		return
	}
	for range m.nodes {
		n := g.bestOf(m.ready())
		if n == nil || g.startRequest(n, false).code != rgExclusive {
			return
		}
	}
}

// failback moves a group to a node that has come up, if that one is strictly better than the owner.
func (g *group) failback(s groupState, up []string) {
	m := g.m
	owner := m.node(s.owner)
	ready := m.ready()
	for _, name := range up {
		n := m.node(name)
		if owner == nil || n == owner || g.score(n, ready) <= g.score(owner, ready) || g.exclusive(n) {
			continue
		}
		g.message(owner, "Relocating %s to better node %s", g.id, n.name)
		if r := g.treeOn(owner); r != nil && r.Migratory() {
			g.migrate(n)
		} else {
			g.relocate(owner, n)
		}
		return
	}
}

// ownerDied starts a dead node's group elsewhere. The node was fenced.
func (g *group) ownerDied(n *node) {
	s := g.snapshot()
	if s.owner != n.name || !s.state.holds() || s.frozen {
		return
	}
	g.set(recoverable, "")
	g.evaluate(nil)
}
