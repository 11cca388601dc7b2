package rgmanager

// stopOn runs stop of the whole group on n and enters the state then. A failure makes the group failed.
func (g *group) stopOn(n *node, then state) int {
	defer n.lock(g.id)()
	r := g.treeOn(n)
	if r == nil {
		g.set(then, "")
		return rgSuccess
	}
	return g.stopTree(n, r, then)
}

// stopTree is stopOn with a tree that may be an older one. The caller holds the node's lock of the group.
func (g *group) stopTree(n *node, r *resource, then state) int {
	g.set(stopping, n.name)
	code, err := g.m.treeStop(n, r)
	switch {
	case err != nil:
		return rgDied
	case code != 0:
		g.fail(n)
		return rgFail
	}
	g.set(then, "")
	return rgSuccess
}

func (g *group) fail(n *node) {
	g.message(n, "#12: RG %s failed to stop; intervention required", g.id)
	g.set(failed, "")
}

// initStop is the stop that rgmanager runs of every group when it starts on a node, and of a new group on every
// node. The group's state has no part in it.
func (g *group) initStop(n *node) {
	defer n.lock(g.id)()
	if r := g.treeOn(n); r != nil {
		// A failure is logged with the action, and ignored as rgmanager does.
		if _, err := g.m.treeStop(n, r); err != nil {
			g.message(n, "stop of %s: %v", g.id, err)
		}
	}
}

// stopRequest is clusvcadm -d (then = disabled) and -s (then = stopped).
func (g *group) stopRequest(then state) outcome {
	m := g.m
	s := g.snapshot()
	owner := m.node(s.owner)
	switch {
	case s.frozen:
		return outcome{code: rgFrozen}
	case s.state.holds() && owner != nil && m.isMember(owner):
		switch g.stopOn(owner, then) {
		case rgSuccess:
			return outcome{}
		}
		return outcome{code: rgFail}
	case s.state.holds() && owner != nil && m.fencingPending(owner):
		return outcome{code: rgFence}
	case s.state == failed && then != disabled:
		return outcome{code: rgFail}
	case s.state == failed:
		if last := m.node(s.last); last != nil && m.isMember(last) {
			if !g.tryStop(last) {
				g.message(last, "Marking %s as 'disabled', but some resources may still be allocated!", g.id)
			}
		}
	case s.state == disabled:
		return outcome{} // also for -s: a disabled group stays so
	}
	g.set(then, "")
	return outcome{}
}

// tryStop runs stop and leaves the state alone.
func (g *group) tryStop(n *node) bool {
	defer n.lock(g.id)()
	r := g.treeOn(n)
	if r == nil {
		return true
	}
	code, err := g.m.treeStop(n, r)
	return err == nil && code == 0
}

func (m *Manager) isMember(n *node) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return n.member
}

func (m *Manager) fencingPending(n *node) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return n.fencePending
}

// restart is clusvcadm -R: stop and start in place.
func (g *group) restart(caller *node) outcome {
	s := g.snapshot()
	switch {
	case s.frozen:
		return outcome{code: rgFrozen}
	case s.state == failed:
		return outcome{code: rgAbort}
	case s.state == disabled || s.state == uninitialized:
		return outcome{code: rgInvalid}
	}
	n := g.m.node(s.owner)
	if n == nil {
		return g.startRequest(caller, true)
	}
	if g.stopOn(n, recoverable) != rgSuccess {
		return outcome{code: rgFail}
	}
	return g.startOrMove(n)
}

// freeze and unfreeze: a frozen group is neither checked nor moved.
func (g *group) freeze(on bool) outcome {
	out := outcome{}
	g.m.update(func() {
		switch g.state {
		case started, stopped, disabled:
			g.frozen = on
			g.m.log.event("state", kv("group", g.id), kv("frozen", map[bool]string{true: "yes", false: "no"}[on]))
		default:
			out.code = rgFail
		}
	})
	return out
}
