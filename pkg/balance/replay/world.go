package replay

import (
	"errors"
	"fmt"
	"time"
)

// World is a cluster and what its VMs would use.
type World struct {
	Name  string
	Start time.Time
	Ticks int // minutes
	Nodes []Node
	VMs   []VM
	// LeftOut are VMs of a recorded world, TYPE:NAME, that came to its nodes later than it begins: what they used counts as the nodes' own.
	LeftOut []string
}

// Node is a node of the world.
type Node struct {
	Name  string
	Cores float64
	Mem   int64     // bytes
	Mute  [][2]int  // minutes [from, to) in which its lblog does not run
	Base  []float32 // cores that the node itself uses, by minute; may be nil
}

// VM is a VM of the world.
type VM struct {
	Name, Type string
	Service    string    // "" is one of its own
	Cores      float64   // at most so many
	Mem        int64     // bytes
	Node       int       // where it begins; -1: it is not balanced and nowhere
	Load       []float32 // cores that it would use, by minute
	MayRun     []int     // nodes; nil is all
	Scores     []int     // of MayRun: how much the cluster manager prefers each; nil: none more than another
	Frozen     bool      // the cluster manager is told to leave it alone
}

// Tick is the time of a sample and of a pass.
const Tick = time.Minute

// check tells what makes a world senseless.
func (w *World) check() error {
	if w.Ticks <= 0 || len(w.Nodes) == 0 {
		return errors.New("a world needs nodes and time")
	}
	seen := map[string]bool{}
	for _, n := range w.Nodes {
		if n.Name == "" || seen[n.Name] || n.Cores <= 0 {
			return fmt.Errorf("node %q has no name of its own, or no processors", n.Name)
		}
		seen[n.Name] = true
	}
	for _, v := range w.VMs {
		if v.Name == "" || v.Type == "" || len(v.Load) < w.Ticks || v.Node < 0 || v.Node >= len(w.Nodes) {
			return fmt.Errorf("VM %q has no name, no type, no node, or no load for %d minutes", v.Name, w.Ticks)
		}
		if v.Scores != nil && len(v.Scores) != len(v.MayRun) {
			return fmt.Errorf("VM %q has %d scores for %d nodes", v.Name, len(v.Scores), len(v.MayRun))
		}
	}
	return nil
}

// service gives the VMs that go with one: its own and the others of its service, which the manager moves as one.
func (w *World) service(vm int) []int {
	if w.VMs[vm].Service == "" {
		return []int{vm}
	}
	var out []int
	for i := range w.VMs {
		if w.VMs[i].Service == w.VMs[vm].Service {
			out = append(out, i)
		}
	}
	return out
}

// memory is that of a VM and of all that go with it.
func (w *World) memory(vm int) (sum int64) {
	for _, i := range w.service(vm) {
		sum += w.VMs[i].Mem
	}
	return sum
}

func (n *Node) muted(tick int) bool {
	for _, m := range n.Mute {
		if tick >= m[0] && tick < m[1] {
			return true
		}
	}
	return false
}

// Model is what a move costs.
type Model struct {
	Overhead  time.Duration // of a move whatever its size: tickets, stop, start
	Bandwidth float64       // bytes of memory copied in a second
	Dirty     float64       // how often memory is copied on the whole
	Cores     float64       // on both ends while it lasts
	Full      float64       // a node above this share of its processors is overloaded
}

// DefaultModel is a gigabit link, a guest whose memory is copied 1.3 times, and a processor on both ends.
func DefaultModel() Model {
	return Model{Overhead: 10 * time.Second, Bandwidth: 112 << 20, Dirty: 1.3, Cores: 1, Full: 0.95}
}

// Took is how long a move of so much memory takes.
func (m Model) Took(mem int64) time.Duration {
	return m.Overhead + time.Duration(float64(mem)*m.Dirty/m.Bandwidth*float64(time.Second))
}
