package rgmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// Status is the answer to the lab's status command.
type Status struct {
	Cluster  string          `json:"cluster"`
	Version  uint64          `json:"config_version"`
	Now      time.Time       `json:"lab_time"`
	Quorate  bool            `json:"quorate"`
	Settled  bool            `json:"settled"` // rgmanager is up wherever it can be, and nothing is in transition
	Nodes    []NodeStatus    `json:"nodes"`
	Services []ServiceStatus `json:"services"`
}

// NodeStatus is one node of Status.
type NodeStatus struct {
	Name    string `json:"name"`
	On      bool   `json:"on"`
	Member  bool   `json:"member"`
	Manager bool   `json:"rgmanager"`
}

// ServiceStatus is one group of Status.
type ServiceStatus struct {
	Name   string    `json:"name"`
	State  string    `json:"state"`
	Owner  string    `json:"owner"` // "" is none
	Last   string    `json:"last_owner"`
	Frozen bool      `json:"frozen"`
	Since  time.Time `json:"since"`
}

// Status is the whole cluster at one instant.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Cluster: m.conf.cluster, Version: m.conf.version, Now: m.clk.Now(), Quorate: m.quorate, Settled: m.quorate && len(m.cameUp) == 0,
		Nodes: []NodeStatus{}, Services: []ServiceStatus{}}
	for _, n := range m.nodes {
		s.Nodes = append(s.Nodes, NodeStatus{n.name, n.isAlive(), n.member, n.rg == rgReady})
		if n.member && n.rg != rgReady && n.rg != rgOff || n.fencePending || n.member && !n.isAlive() {
			s.Settled = false
		}
		if n.view != nil && n.view.version != m.conf.version {
			s.Settled = false
		}
	}
	for _, g := range m.sortedGroupsLocked() {
		s.Services = append(s.Services, ServiceStatus{g.id, g.state.String(), g.owner, g.last, g.frozen, g.since})
		switch g.state {
		case started, stopped, disabled, failed:
		default:
			s.Settled = false
		}
		if g.relocating || g.busy() {
			s.Settled = false
		}
	}
	return s
}

// busy tells whether something other than a check is queued or running.
func (g *group) busy() bool {
	g.queue.Lock()
	defer g.queue.Unlock()
	return len(g.queue.waiting) > 0 || g.queue.running && !g.queue.check
}

// labCommand is one of cmd/lbvm-lab's own.
func (m *Manager) labCommand(ctx context.Context, argv []string) run.Result {
	if argv[0] != "status" && argv[0] != "switches" {
		m.log.event("lab", kv("command", strings.Join(argv, " ")))
	}
	switch {
	case argv[0] == "status":
		b, err := json.MarshalIndent(m.Status(), "", "  ")
		if err != nil {
			return failure(err.Error())
		}
		return said("%s\n", b)
	case argv[0] == "stop" && len(argv) == 2 && argv[1] == "clean":
		m.stopAll()
		return run.Result{}
	case argv[0] == "stop":
		return run.Result{}
	case argv[0] == "node" && len(argv) == 3:
		return m.nodeCommand(ctx, argv[1], argv[2])
	case argv[0] == "switches":
		b, err := json.Marshal(m.Switches())
		if err != nil {
			return failure(err.Error())
		}
		return said("%s\n", b)
	case argv[0] == "set" && len(argv) == 2 && argv[1] == "clear":
		m.clear()
		return run.Result{}
	case argv[0] == "set" && len(argv) == 3:
		if err := m.set(argv[1], argv[2]); err != nil {
			return failure(err.Error())
		}
		return run.Result{}
	}
	return failure(fmt.Sprintf("the manager does not know the command %q", argv))
}

func (m *Manager) nodeCommand(ctx context.Context, verb, name string) run.Result {
	n := m.node(name)
	if n == nil {
		return failure(fmt.Sprintf("no node is named %q: this lab has %s", name, strings.Join(names(m.nodes), ", ")))
	}
	var err error
	switch verb {
	case "kill":
		err = m.kill(n)
	case "start":
		err = m.start(ctx, n)
	case "leave":
		err = m.leave(ctx, n)
	default:
		err = errors.New("a node can be killed, started, or leave")
	}
	if err != nil {
		return failure(err.Error())
	}
	return run.Result{}
}
