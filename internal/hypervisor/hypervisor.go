// Package hypervisor drives the virtualization technologies of this node.
//
// A Driver says what one VM is here and does one thing to it; it knows no cluster, no
// shared storage and no policy. Every answer that cannot be read is Unknown with an
// error, never "stopped". Drivers are found by name in New.
package hypervisor

import (
	"context"
	"errors"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// State is what a VM is on this node. The zero value is Unknown.
type State int

// The states.
const (
	Unknown   State = iota // the tool did not answer, or not in words that we know
	Absent                 // nothing of that name is here
	Stopped                // configured here, down and unmounted
	Running                // runs (or is frozen by a checkpoint that nobody can see: OpenVZ)
	Paused                 // frozen
	Migrating              // leaves this node; it still counts as running here
	Arriving               // all of its memory may be here, but it does not run yet
	Torso                  // arrives, its memory is not complete
	Remains                // mounted and down, half a copy, dead rows: to be destroyed before it may run elsewhere
)

// String is the state's word in logs and journals.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

var stateNames = [...]string{"unknown", "absent", "stopped", "running", "paused", "migrating", "arriving", "torso", "remains"}

// Clean tells whether nothing of the VM is here: the one condition for running it elsewhere.
func (s State) Clean() bool { return s == Absent || s == Stopped }

// Guest is what a driver needs to start a VM.
type Guest struct {
	Name   string
	Config string // path below the root, as the tool is given it
	Mem    int64  // bytes; 0 unknown
	// Witnesses are what changes when the guest boots: the fingerprint of a memory image is taken of them.
	Witnesses []Witness
}

// Witness is a file or block device of a guest.
type Witness struct {
	Path  string // joined with the root
	Block bool
}

// Driver is one technology.
type Driver interface {
	// Guest reads the VM's configuration. params are the agent's, by name.
	Guest(ctx context.Context, vm string, params map[string]string) (Guest, error)
	// State asks the tool. An error comes with Unknown.
	State(ctx context.Context, vm string) (State, error)
	// Start boots the guest and returns when the tool has.
	Start(ctx context.Context, g Guest) error
	// Shutdown asks the guest to end and returns when it is down or ctx ends.
	Shutdown(ctx context.Context, vm string) error
	// Destroy ends the guest, or what remains of it, and unmounts it. It is nil if there was nothing.
	Destroy(ctx context.Context, vm string) error
	// Restore starts the guest from a memory image.
	Restore(ctx context.Context, g Guest, image string) error
}

// Checkpointer is a driver whose guest is frozen, dumped and killed in steps (OpenVZ).
type Checkpointer interface {
	Suspend(ctx context.Context, vm string) error
	Dump(ctx context.Context, vm, image string) error
	Thaw(ctx context.Context, vm string) error
	Kill(ctx context.Context, vm string) error
	Unmount(ctx context.Context, vm string) error
}

// Saver is a driver that saves and destroys in one step (Xen).
type Saver interface {
	Save(ctx context.Context, vm, image string) error
}

// Live is a driver that moves a running guest to another node.
type Live interface {
	// Migrate pushes the guest. Its error does not say where the guest is: look at State.
	Migrate(ctx context.Context, vm, target string) error
}

// Lister tells what runs on this node, for the facts that lblog publishes.
type Lister interface {
	Guests(ctx context.Context) ([]host.GuestFact, error)
	// Version names the tool and its version.
	Version(ctx context.Context) (tool, version string, err error)
	// FreeMemory is what a new guest could have, in bytes; 0 where the technology does not say.
	FreeMemory(ctx context.Context) (int64, error)
}

// Tools is what a driver works with.
type Tools struct {
	Host   host.Host
	Clock  clock.Clock
	Query  run.Runner // commands that only ask
	Change run.Runner // commands that change a guest: a run.Keeper where a lock is held
}

// Errors of drivers.
var (
	ErrUnknownDriver = errors.New("unknown virtualization technology")
	// ErrNoProgram says that the technology's tool is not installed here.
	ErrNoProgram = errors.New("the tool is not installed")
	// ErrConfig says that the guest's configuration is missing or cannot be used.
	ErrConfig = errors.New("the guest's configuration cannot be used")
)
