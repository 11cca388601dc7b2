package rgmanager

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

// fenceNode is fence_node: it runs the fence agent of a node, which cuts its power, and tells the fence daemon.
func (m *Manager) fenceNode(n *node, args []string) run.Result {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return failure("usage: fence_node NODE (the lab plays no more of it)")
	}
	victim := m.node(args[0])
	if !m.isMember(n) || victim == nil {
		return failure(fmt.Sprintf("fence %s failed", args[0]))
	}
	m.mu.Lock()
	broken := m.switches.fence < 0
	m.mu.Unlock()
	if broken {
		return failure(fmt.Sprintf("fence %s failed", victim.name))
	}
	if victim.isAlive() {
		if err := m.kill(victim); err != nil { // the daemon fences it once more when it is missed
			return failure(fmt.Sprintf("fence %s failed: %v", victim.name, err))
		}
	}
	m.overridden(victim, "external", "fenced by fence_node")
	return run.Result{Stderr: []byte(fmt.Sprintf("fence %s success\n", victim.name))}
}

// ackManual is fence_ack_manual: a person has made sure that a node is off. Only the daemon that tries to fence it, the
// domain's master, hears of it; on another node the real one waits for ever.
func (m *Manager) ackManual(n *node, args []string, answer string) run.Result {
	if len(args) > 0 && args[0] == "-n" {
		args = args[1:]
	}
	if len(args) != 1 {
		return failure("usage:\n \tfence_ack_manual <nodename>\n \tfence_ack_manual -n <nodename>")
	}
	if strings.TrimSpace(answer) != "absolutely" {
		return run.Result{Code: 1, Stdout: []byte("Aborted.\n")}
	}
	victim := m.node(args[0])
	switch master := m.fenceMaster(); {
	case master == nil || victim == nil:
		return failure("fence_ack_manual: the fence daemon waits for no such node (the real one waits here)")
	case master != n:
		return failure(fmt.Sprintf("fence_ack_manual: %s is fenced from %s (fence_tool ls -n: master nodeid %d); run it there (the real one waits here)", victim.name, master.name, master.id))
	case !m.fencingPending(victim):
		return failure(fmt.Sprintf("fence_ack_manual: no fencing of %s is owed (the real one waits here)", victim.name))
	}
	m.overridden(victim, "override", "overridden by fence_ack_manual")
	return said("Done\n")
}

// overridden ends a fencing that is owed by another word than the daemon's own.
func (m *Manager) overridden(victim *node, how, text string) {
	done := false
	m.update(func() {
		if victim.fencePending && m.quorate {
			m.fencedLocked(victim, text)
			victim.how = how
			done = true
		}
	})
	if done {
		m.evaluateAll()
	}
}

// fenceMaster is the member that fences the others.
func (m *Manager) fenceMaster() *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.nodes {
		if x.member {
			return x
		}
	}
	return nil
}
