// Package vm is the life of one virtual machine under a cluster manager: the agent for
// every virtualization technology. Start at New.
//
// The manager gives a stop no reason and no target, stops on the old owner and then starts
// on the new one, runs stop on every node when it starts, and gives a service up after any
// stop that fails. Within that, a VM must never run twice and a memory image must never be
// used twice. An action therefore looks first (look.go: what is the guest here, what does
// the hand-off record say, who is proved gone), finds the one row that fits
// in a table of internal/handoff/protocol, and does what the row says (deed.go, stop_table.go,
// start_table.go): cold.go, live.go, image.go, boot.go, resume.go. Whatever is unknown counts as running; what no row knows is refused.
//
// Pacemaker moves a VM in three steps: Migrate on the source, Arrive on the target (arrive.go), a stop on the source;
// after one that failed it stops both. --explain does an action in words (explain.go): the same code, on a hand-off
// folder that is imagined and with a driver that rehearses.
//
// An action that changes something holds the VM's lock on the shared storage, and one of this node (nodelock.go).
//
// The files are internal/handoff's, the guest is internal/hypervisor's, the dead are
// internal/membership's.
package vm
