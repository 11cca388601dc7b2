package rgmanager

// relocateRequest is clusvcadm -r. A target that is not a running member counts as "any node".
func (g *group) relocateRequest(caller *node, target string) outcome {
	m := g.m
	s := g.snapshot()
	switch {
	case !m.isQuorate():
		return outcome{code: rgQuorum}
	case s.state == disabled || s.state == uninitialized:
		return outcome{code: rgInvalid}
	case s.frozen:
		return outcome{code: rgFrozen}
	case s.state == failed:
		return outcome{code: rgFail}
	}
	me := caller
	if n := m.node(s.owner); n != nil {
		if m.fencingPending(n) {
			return outcome{code: rgFence}
		}
		me = n
	}
	want := m.node(target)
	if want != nil && !m.isReady(want) {
		want = nil
	}
	if want != nil && g.exclusive(want) {
		return outcome{code: rgDepend}
	}
	return g.relocate(me, want)
}

func (m *Manager) isQuorate() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.quorate
}

func (m *Manager) isReady(n *node) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return n.rg == rgReady
}

// relocate stops on me and starts on want, or on the best other member, or on me again. want may be nil, and may be me.
func (g *group) relocate(me, want *node) outcome {
	g.m.update(func() { g.relocating = true })
	defer g.m.update(func() { g.relocating = false })
	if g.snapshot().state.holds() {
		if g.stopOn(me, recoverable) != rgSuccess {
			return outcome{code: rgFail}
		}
	}
	tried := []*node{me}
	if want != nil && g.score(want, []*node{want}) > illegal {
		switch code := g.startRemote(want); code {
		case rgSuccess:
			return outcome{code, want.name}
		case rgAbort, rgDied:
			return outcome{code: rgFail}
		}
		tried = append(tried, want)
	}
	if out := g.startElsewhere(tried...); out.code == rgSuccess || g.snapshot().state != recoverable {
		return out
	}
	g.message(me, "#70: Failed to relocate %s; restarting locally", g.id)
	switch g.startOn(me) {
	case rgSuccess:
		return outcome{rgRestored, me.name}
	case rgDied:
		return outcome{code: rgFail}
	}
	g.stopOn(me, stopped)
	return outcome{code: rgFail}
}

// migrateRequest is clusvcadm -M.
func (g *group) migrateRequest(n *node) outcome {
	m := g.m
	s := g.snapshot()
	r := g.policy()
	switch {
	case r == nil || !r.Migratory():
		return outcome{code: rgInvalid}
	case !m.isReady(n):
		return outcome{code: rgNode}
	case g.score(n, m.ready()) == illegal || g.exclusive(n):
		return outcome{code: rgDepend}
	case s.owner == n.name:
		return outcome{code: rgSuccess, owner: n.name}
	case s.state != started && (s.state.holds() || s.state == recoverable || s.state == recovering):
		return outcome{code: rgAgain}
	case s.state != started:
		return outcome{code: rgFail}
	case s.frozen:
		return outcome{code: rgFrozen}
	}
	return g.migrate(n)
}

// migrate runs the agent's migrate on the owner. Nothing runs on the target.
func (g *group) migrate(to *node) outcome {
	from := g.m.node(g.snapshot().owner)
	if from == nil {
		return outcome{code: rgFail}
	}
	defer from.lock(g.id)()
	r := g.treeOn(from)
	if r == nil {
		return outcome{code: rgFail}
	}
	code, err := g.m.exec(from, r, "migrate", 0, to.name)
	switch {
	case err != nil:
		return outcome{code: rgFail}
	case code == 0:
		from.addRef(r.ID(), -1)
		if there := g.treeOn(to); there != nil {
			to.addRef(r.ID(), 1)
			to.checked(there, g.m.clk.Now())
		}
		g.m.update(func() {
			since := g.since
			g.setLocked(started, to.name)
			g.since = since // rgmanager does not touch it here
		})
		return outcome{rgSuccess, to.name}
	case code == 7:
		return outcome{code: rgFail}
	case code == 6:
		return outcome{code: rgInvalid}
	case code == 150:
		return outcome{code: rgRestored}
	}
	g.set(failed, "")
	return outcome{code: rgFail}
}
