package rgmanager

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// rgState is how far rgmanager is on a node.
type rgState int

const (
	rgOff      rgState = iota
	rgWaiting          // for quorum
	rgStarting         // stops every group first
	rgReady
)

// node is one machine as cluster manager, fencing and cron see it.
type node struct {
	name string
	id   int
	root string

	power sync.RWMutex // held for reading while a process is started
	alive bool
	boots int

	// guarded by Manager.mu
	member       bool
	joined       time.Time // lab time
	incarnation  int
	rg           rgState
	fencePending bool // it died, and nobody has fenced it yet
	fenced       bool // since it went down
	lastFenced   time.Time
	how          string // it was fenced, in the words of fence_tool
	view         *view

	mu      sync.Mutex
	refcnt  map[string]int
	checksM map[string]*checks
	busy    map[string]*sync.Mutex
}

// view is the configuration as rgmanager on one node has loaded it, with that node's agents.
type view struct {
	version uint64
	tree    *ccs.Tree
}

func (v *view) group(id string) *resource {
	if v == nil {
		return nil
	}
	return v.tree.Group(id)
}

func newNode(name string, id int, root string) *node {
	return &node{name: name, id: id, root: root, refcnt: map[string]int{}, checksM: map[string]*checks{}, busy: map[string]*sync.Mutex{}}
}

func (n *node) confFile() string { return filepath.Join(n.root, "/etc/cluster/cluster.conf") }

// setConf writes the cluster's configuration to the node, where it is another.
func (n *node) setConf(c *configuration) error {
	if old, err := os.ReadFile(n.confFile()); err == nil && string(old) == string(c.text) {
		return nil
	}
	return atomicfile.Write(n.confFile(), c.text, atomicfile.Options{})
}

// bootCount tells one life of the node from the next; it changes when the power is cut.
func (n *node) bootCount() int {
	n.power.RLock()
	defer n.power.RUnlock()
	return n.boots
}

func (n *node) isAlive() bool {
	n.power.RLock()
	defer n.power.RUnlock()
	return n.alive
}

// setAlive forgets what rgmanager knew where the power goes.
func (n *node) setAlive(alive bool) {
	n.power.Lock()
	n.alive = alive
	if !alive {
		n.boots++
	}
	n.power.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refcnt = map[string]int{}
	n.checksM = map[string]*checks{}
}

// lock serialises what runs on this node for one group.
func (n *node) lock(group string) func() {
	n.mu.Lock()
	l, ok := n.busy[group]
	if !ok {
		l = &sync.Mutex{}
		n.busy[group] = l
	}
	n.mu.Unlock()
	l.Lock()
	return l.Unlock
}

func (n *node) refs(id string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refcnt[id]
}

func (n *node) addRef(id string, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refcnt[id] = max(n.refcnt[id]+by, 0)
}

func (n *node) check(r *resource) *checks {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, ok := n.checksM[r.ID()]
	if !ok {
		c = &checks{at: map[int]time.Time{}}
		n.checksM[r.ID()] = c
	}
	return c
}

// checked sets the clocks of r's checks: after a start the first check is due an interval later.
func (n *node) checked(r *resource, at time.Time) {
	c := n.check(r)
	c.last = 0
	for _, a := range r.Actions {
		if a.Name == "status" {
			c.at[a.Depth] = at
		}
	}
}
