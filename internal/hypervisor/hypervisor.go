// Package hypervisor drives the virtualization technologies of this node.
//
// A Driver says what one VM is here and does one thing to it; it knows no cluster, no
// shared storage and no policy. Every answer that cannot be read is Unknown with an
// error, never "stopped". Drivers are found by name in New; what a driver can do beyond
// Driver is told by the small interfaces below it (Checkpointer, Saver, Live and so on).
//
// The tools do not tell everything. Whoever decides must know what they leave out:
//
//   - OpenVZ: a guest frozen by a checkpoint is Running; nothing shows that it is frozen, but
//     for vzctl 7, by which it is Paused.
//     Thaw of a guest that was not frozen succeeds and changes nothing.
//   - Xen by xm: a copy that xend receives stands in the list under the plain name from
//     its first page on, paused or with no letter at all, and nothing says whether its
//     memory is complete. A paused guest that has used no processor time is Arriving. One
//     without any letter is Running here, because an idle guest looks the same; its Detail
//     says NeverRan. Where the hand-off announces a VM to this node, NeverRan means that it
//     is still arriving, whatever State says.
//   - Xen: migrating-NAME, NAME--migratedaway and, by xl, a suspended NAME are Migrating. If no tool is at work on
//     them (the lock says so) they are half a copy, which Destroy removes.
//   - Xen: a domain that dies loses its name before its devices, and xl lists it as "(null)". Such a row is the VM's whose
//     domain had that number on this node, in the sight of this driver or of an earlier one that started or ended it; it is
//     Remains. Any other is nobody's.
//   - Xen: NAME--incoming is a Torso: it cannot be seen whether all of it is here.
//   - KVM: both ends of a migration list the guest under its plain name. What arrives is a Torso until it runs; what
//     leaves is Running until its last pages go, and Migrating then.
package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// DRBD are the DRBD resources that the configuration names as disks. Devices of DRBD are among the witnesses.
	DRBD []string
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
	// Shutdown asks the guest to end and returns nil when it is Clean. It gives up with an error as soon as it is
	// known that waiting is in vain, at the latest when ctx ends; Destroy is next then. It is nil if there was nothing.
	Shutdown(ctx context.Context, vm string) error
	// Destroy ends the guest, or whatever of it is here (half copies too), unmounts it and returns nil when it is
	// Clean. It is nil if there was nothing.
	Destroy(ctx context.Context, vm string) error
	// Restore starts the guest from a memory image and never from anything else. The tool may delete the image.
	Restore(ctx context.Context, g Guest, image string) error
}

// Detail is what a State was read from.
type Detail struct {
	State State
	// NeverRan says that the guest that is here has used no processor time and is not on a processor: where one
	// is announced, it is still arriving (Xen).
	NeverRan bool
	// Letters are the tool's flags of the row that decided: rbpscd, "" where the tool has none (Xen).
	Letters string
	// Suspended says that a Migrating guest stands still under its own name: if no tool is at work on it nothing will let
	// it go on (xl). No copy of it runs: a target waits for the word that comes after the renaming.
	Suspended bool
	// Handed says that a Migrating guest stands still as one that is being handed over (Xen: under the name that it bears
	// then; KVM: without a job): a copy of it may run on the target already. A Torso of which it says so may as well be such
	// a half: where the record calls the guest this node's, and running, it is.
	Handed bool
	// Foreign says that a dump lies at the tool's own place, where nobody of ours puts one (OpenVZ). Start moves it away.
	Foreign bool
	// MayReturn says that a guest which is down has left what one that reboots leaves too, until the node's own helper
	// starts it again (OpenVZ).
	MayReturn bool
	// Sick is why the guest that is here cannot be in order, where that is known: its memory is not worth keeping.
	Sick string
	// Presumed says that Running is told by no more than a process of the guest, since its tool's daemon is down (libvirt):
	// whether it goes on nobody can say. Whoever must know takes it for unknown.
	Presumed bool
	// NoProgram says that the tool is not installed, and that the kernel of this node can hold no guest: it is
	// Absent, and cannot be started.
	NoProgram bool
	// Rows is what the tool printed of the VM, for the log.
	Rows []string
}

// Detailer is a driver that can show what it read. Its State is what State would have said.
type Detailer interface {
	Detail(ctx context.Context, vm string) (Detail, error)
}

// DetailOf asks a driver, in as much detail as it has.
func DetailOf(ctx context.Context, d Driver, vm string) (Detail, error) {
	switch x := d.(type) {
	case *openVZ: // named, so that nothing is looked up: in a program's first use an interface's table is made
		return x.Detail(ctx, vm)
	case *xen:
		return x.Detail(ctx, vm)
	case *kvm:
		return x.Detail(ctx, vm)
	case Detailer:
		return x.Detail(ctx, vm)
	}
	s, err := d.State(ctx, vm)
	return Detail{State: s}, err
}

// Thawer is a driver that lets a frozen guest go on. It returns nil if the guest runs, frozen before or not.
type Thawer interface {
	Thaw(ctx context.Context, vm string) error
}

// Checkpointer is a driver whose guest is frozen, dumped and killed in steps (OpenVZ).
type Checkpointer interface {
	Thawer
	// Suspend freezes the running guest.
	Suspend(ctx context.Context, vm string) error
	// Dump writes the memory of the frozen guest to image, which must not exist, and leaves it frozen. A failed
	// Dump may leave part of an image behind.
	Dump(ctx context.Context, vm, image string) error
	// Kill ends the frozen guest. It stays mounted.
	Kill(ctx context.Context, vm string) error
	// Unmount unmounts a guest that is down and returns nil when it is Clean, also if it was not mounted.
	Unmount(ctx context.Context, vm string) error
}

// Saver is a driver that saves and destroys in one step (Xen, KVM).
type Saver interface {
	// Save writes the memory of the guest to image. After an error the guest may run on, or not: look at State.
	Save(ctx context.Context, vm, image string) error
}

// Prover is a Saver that sees of an image whether all of the memory is in it (KVM).
type Prover interface {
	// Whole is false where there is no image.
	Whole(image string) (bool, error)
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
	// Rehearsal is non-nil where nothing may be changed: it stands for Change then.
	Rehearsal *Rehearsal
	// Param is the agent's parameter of that name, for a driver that must know one before it can look at a guest; nil has
	// none.
	Param func(name string) string
	// Note is told what a person should know of and no error says, in one line; nil is nobody.
	Note func(text string)
}

// New is the driver of that name: "openvz" (vzctl), "xen" (xm or xl, as the node has it) or "kvm" (virsh).
func New(name string, t Tools) (Driver, error) {
	switch name {
	case "openvz":
		return &openVZ{tools: t.played(playVZ)}, nil
	case "xen":
		return &xen{tools: t.played(playXen)}, nil
	case "kvm":
		return &kvm{tools: t.played(playKVM)}, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownDriver, name)
}

// Reboots is how long a guest of a technology may be away while it reboots: xend makes it anew within two seconds;
// OpenVZ's own helper tries again after one, two, three seconds and so on.
func Reboots(typ string) time.Duration {
	if typ == "openvz" {
		return 10 * time.Second
	}
	return 5 * time.Second
}

// Errors of drivers.
var (
	ErrUnknownDriver = errors.New("unknown virtualization technology")
	// ErrNoProgram says that the technology's tool is not installed here. What the VM is is Unknown then, but for a
	// kernel that can hold no guest.
	ErrNoProgram = errors.New("the tool is not installed")
	// ErrConfig says that the guest's configuration is missing or cannot be used.
	ErrConfig = errors.New("the guest's configuration cannot be used")
	// ErrName says that no guest of this technology can bear the name.
	ErrName = errors.New("not a name for a guest of this kind")
	// ErrDown says that the VM does not run here, and that it is not known whether anything of it is mounted.
	ErrDown = errors.New("it does not run here, but more is not known")
	// ErrTwice says that after a move that failed the guest was seen running on both nodes.
	ErrTwice = errors.New("it runs on both nodes")
	// ErrAnswer says that a tool answered in words that we do not know. Nobody knows what the guest is then.
	ErrAnswer = errors.New("the tool's answer is not understood")
)
