package balance

import (
	"fmt"
	"time"
)

// View is the cluster at one instant, built once a pass.
type View struct {
	Quorate bool
	Nodes   []Node
	VMs     []VM // all that the manager knows, balanced or not: each counts as a guest of its owner
}

// Node is a member of the cluster. Zero means unknown.
type Node struct {
	Name     string
	Online   bool // and its manager runs: it could take a VM
	Cores    float64
	MemFree  int64 // bytes; known only together with MemTotal
	MemTotal int64
	Seen     time.Time // when it last published its facts
	Closed   string    // why nothing is sent there: it is evacuated, or about to leave; "" is nothing
}

// VM is a virtual machine as the manager sees it.
type VM struct {
	Name, Type string // "101", "openvz"
	Service    string // what moves when it moves: "service:centos"; "" is a service of its own
	Owner      string // the node that it is on, "" for none
	LastOwner  string // the node that it was on before, "" where nobody knows
	State      State
	Frozen     bool
	MayRun     []Placement // where the manager would let it run; may hold the owner
	Since      time.Time   // the last change of State or Owner; zero where the manager does not tell
	Cores      float64     // the processors that it keeps busy, over the last minutes; 0 is unknown
	Mem        int64       // bytes; 0 is unknown
	// Uses is its part of other resources, over the last minutes, in the unit of the node's resource of that name. What is not in
	// it is unknown.
	Uses map[string]float64
}

// ID is TYPE:NAME, by which journals and passes call a VM.
func (v VM) ID() string { return v.Type + ":" + v.Name }

// Placement is a node on which the manager would accept a VM. A higher Score is a better one.
type Placement struct {
	Node  string
	Score int
}

// State is the state of a VM's service. The zero value is unknown: such a VM stays.
type State int

// The states, as rgmanager calls them.
const (
	Unknown State = iota
	Started
	Starting
	Stopping
	Stopped
	Disabled
	Failed
	Recovering
	Recoverable
	Migrating
)

var stateNames = [...]string{"unknown", "started", "starting", "stopping", "stopped", "disabled", "failed", "recovering", "recoverable", "migrating"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return stateNames[Unknown]
	}
	return stateNames[s]
}

// MarshalText gives the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name. A name of a later version is unknown.
func (s *State) UnmarshalText(b []byte) error {
	*s = Unknown
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
		}
	}
	return nil
}

// onItsWay tells whether the VM is between two states.
func (s State) onItsWay() bool {
	switch s {
	case Starting, Stopping, Recovering, Migrating:
		return true
	}
	return false
}

// index finds VMs by what people call them.
type index struct {
	byID, byName, byService map[string][]*VM
}

func newIndex(v *View) *index {
	x := &index{map[string][]*VM{}, map[string][]*VM{}, map[string][]*VM{}}
	for i := range v.VMs {
		vm := &v.VMs[i]
		x.byID[vm.ID()] = append(x.byID[vm.ID()], vm)
		x.byName[vm.Name] = append(x.byName[vm.Name], vm)
		x.byService[vm.Service] = append(x.byService[vm.Service], vm)
	}
	return x
}

// find gives the VM that a person names: TYPE:NAME, NAME, or a service that holds just one.
func (x *index) find(name string) (*VM, error) {
	for _, found := range [][]*VM{x.byID[name], x.byName[name], x.byService[name], x.byService["service:"+name]} {
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, fmt.Errorf("%q may be %s or %s: name one of them", name, found[0].ID(), found[1].ID())
		}
	}
	return nil, fmt.Errorf("the cluster has no VM %q", name)
}
