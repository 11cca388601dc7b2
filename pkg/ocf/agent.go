// Package ocf makes a cluster's resource agent out of a few functions.
//
// An agent is a program that a cluster manager calls with an action as its argument, its
// parameters in the environment and an exit code as the answer. This package holds the
// whole protocol: it prints the metadata, reads parameters and their defaults, puts a
// deadline on the action, catches panics, logs, and turns errors into exit codes. The
// agent supplies an Agent and an XML file:
//
//	func main() { ocf.Main(metadata, agent{}) }
//
// Start with Agent and Call. Call.Query runs a program that only asks, Call.Change one that changes the
// resource: under a lock that outlives a killed agent as long as the program works. Check makes errors of their
// exit codes. Call.Until keeps time for a harder way, Call.Await waits, Call.All does several things at once.
//
// Main is for main functions; Run is the same without a process and takes the World that Main takes from
// the machine, for tests.
//
// One agent serves three kinds of manager (Dialect): Red Hat's rgmanager, Pacemaker, and
// Heartbeat's resource scripts. The metadata is written once, in rgmanager's form.
//
// Called without arguments, an agent tells a human how to call it by hand. With --explain it tells what an action
// would run, and changes nothing (Explainer).
//
// Main keeps a black box: the node's last actions with what became of them (ReadBox).
//
// docs/agents.md is the guide. Two agents to begin with lie in testdata/agents, a module of their own.
package ocf

import (
	"context"
	"time"
)

// Agent is what every agent can do. A method answers nil for success, an error that carries a Code (Errorf), or
// any other error, which counts as CodeGeneric.
type Agent interface {
	// Start starts the resource and returns when it runs. It is nil where it ran already.
	Start(context.Context, *Call) error
	// Stop stops it and returns when it is down. It is nil where nothing ran. An error means that something
	// may still run: rgmanager gives the whole service up.
	Stop(context.Context, *Call) error
	// Status is nil if it runs here, ErrNotRunning if it certainly does not; all else is "cannot tell".
	Status(context.Context, *Call) error
}

// Migrator moves a running resource to another node. After ErrStillHere the manager knows that nothing happened;
// rgmanager takes any other error but those of CodeConfigured and CodeNotRunning for the loss of the resource.
type Migrator interface {
	Migrate(ctx context.Context, c *Call, target string) error
}

// Receiver is the target's side of a migration, which returns when the resource runs here. rgmanager calls nothing on
// the target; Pacemaker calls migrate_from. For an agent without it, that waits until Status is nil.
type Receiver interface {
	Arrive(ctx context.Context, c *Call, source string) error
}

// Validator checks what validate-all asks for beyond the parameters that the metadata can check.
type Validator interface {
	Validate(context.Context, *Call) error
}

// Recoverer cures in place what a status check found wrong.
type Recoverer interface {
	Recover(context.Context, *Call) error
}

// Reconfigurer takes up parameters that were changed and that the metadata marks with reconfig: rgmanager's reconfig,
// Pacemaker's reload. An agent without it reads its parameters afresh in each action and has nothing to do.
type Reconfigurer interface {
	Reconfig(context.Context, *Call) error
}

// Explainer says what an action would do, without doing it. A line for the human is Call.Say; do is the action itself
// with every Call.Change printed instead of run: an agent that changes things by Call.Change alone explains
// itself by returning do(ctx). An agent without it is not called by --explain.
type Explainer interface {
	Explain(ctx context.Context, c *Call, do func(context.Context) error) error
}

// Call is one call of an agent.
type Call struct {
	Action   string        // as the manager named it
	Name     string        // the value of the primary parameter
	Type     string        // the name in the metadata
	Instance string        // TYPE:NAME, or what the manager calls it
	Timeout  time.Duration // of this action; 0 is none. The context's deadline comes from it.
	Depth    int           // how thorough a status check is
	Probe    bool          // Pacemaker only wants to know whether it runs here, also where it never could
	Dialect  Dialect
	Params   Params
	World    World
	Log      Logger

	args  []string // after the action
	began time.Time
	box   *boxEntry // nil: nobody writes it down
	plan  *plan     // non-nil: nothing is changed, only told
	hold  hold      // from the first Change on
}
