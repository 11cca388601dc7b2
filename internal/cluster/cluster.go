// Package cluster asks the cluster manager and tells it what to do.
//
// Start at Of: RGManager or Pacemaker. Status gives members, services and where each VM may run in one
// answer; Move, Enable and Disable are requests. That a request returned nil is the
// manager's claim and no more: it is known to say success of what landed elsewhere or
// never happened, so whoever moves a VM looks at Status afterwards. A Publisher makes a
// new cluster.conf the cluster's.
//
// What Move means. With rgmanager live is `clusvcadm -M`: the manager calls the agent's migrate. Not live is `-r`: a stop
// on the owner and a start on the target, and a ticket may tell that stop to pass the memory itself. With Pacemaker both
// are the same request, a location constraint with an end, and the resource's allow-migrate decides: with it Pacemaker calls
// migrate_to and migrate_from, without it stop and start. Service.LiveOnly says that it is so; live of a service that
// would be stopped is refused.
//
// How constraints become MayRun. With rgmanager: the failover domain as rgmanager scores it, members that run the manager,
// and exclusive services. With Pacemaker: crm_simulate's scores of the configuration as it would be if no VM were stopped
// on purpose and no move of ours under way. A score of -INFINITY is no candidate, nor is a node in standby, in maintenance or
// on its way in or out, nor one from which Pacemaker would take the VM back once the move's constraint is gone. Without
// quorum or a DC there is none.
//
// Agents never use this package: the manager may be waiting for them.
package cluster

import (
	"context"
	"errors"
	"time"
)

// State is what the manager says of a service. The zero value is Unknown, and counts as running.
type State int

// The states.
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

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

var stateNames = [...]string{"unknown", "started", "starting", "stopping", "stopped", "disabled", "failed", "recovering", "recoverable", "migrating"}

// Service is one VM and the service that holds it. Several VMs of one service are several entries with one ID.
type Service struct {
	ID         string // "service:centos", "openvz:101"
	VM, VMType string
	Owner      string // member on which it is; "" none, or not known
	LastOwner  string // "" none
	State      State
	Frozen     bool
	Restarting bool              // it is stopped for a restart, and who makes that has to start it again (Pacemaker)
	Partial    bool              // a part that does not matter to the service is stopped: it may be this VM
	Live       bool              // the manager can migrate it: rgmanager, directly below <rm>, alone, of a type that can; Pacemaker, allow-migrate
	LiveOnly   bool              // the manager migrates it whatever it is asked
	MayRun     []Placement       // services share lists that are equal: not to be changed
	Params     map[string]string // of the VM in cluster.conf
	Since      time.Time         // of the last start, stop or failure; zero where unknown. A live migration does not show.
}

// Placement is a node on which a service may run: online, its manager running, and allowed by the failover
// domain. The present owner is among them.
type Placement struct {
	Node  string
	Score int // as ccs.Score: higher is better
}

// Status is one answer of the manager.
type Status struct {
	Quorate  bool
	Members  []Member
	Services []Service
}

// Member is a node of the cluster.
type Member struct {
	Name                   string
	Online, Local, Manager bool // Manager: the cluster manager runs there
	Estranged              bool // online, but not in cluster.conf
}

// Manager is the cluster manager.
type Manager interface {
	// Status asks. After ErrNoStates the members are right and every service is Unknown; after another error nothing is.
	Status(ctx context.Context) (Status, error)
	// Move relocates, or migrates where live is set. A target that is no member by exactly that name is refused.
	// Errors are of type *Refusal where the manager answered.
	Move(ctx context.Context, service, target string, live bool) error
	// Enable starts a service, on target if that is not "".
	Enable(ctx context.Context, service, target string) error
	// Disable stops a service and keeps it stopped.
	Disable(ctx context.Context, service string) error
	// Restart stops a service and starts it where it was.
	Restart(ctx context.Context, service string) error
}

// Publisher makes a cluster.conf the running one of the whole cluster.
type Publisher interface {
	Publish(ctx context.Context, file string) error
	// Running is the config_version with which this node runs.
	Running(ctx context.Context) (uint64, error)
}

// Errors of this package. Those of the manager's own answers are in answers.go.
var (
	// ErrNoStates says that the manager did not tell the states of its services.
	ErrNoStates = errors.New("the states of the services are not known here")
	// ErrAnswer says that a program answered in words that are not known.
	ErrAnswer = errors.New("the answer is not understood")
	// ErrNotMember says that a target is no member by that name, or cannot take a service now.
	ErrNotMember = errors.New("not a member that can take it")
	// ErrAlreadyThere says that a service is on its target: relocating would stop and start it in place.
	ErrAlreadyThere = errors.New("it is there already")
	// ErrElsewhere says that the manager reports another node than the one that was asked for.
	ErrElsewhere = errors.New("it landed on another node")
)
