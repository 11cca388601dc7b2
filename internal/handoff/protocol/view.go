package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Guest is what a guest is on one node. The zero value is unknown, which counts as running.
type Guest uint8

// What a guest may be.
const (
	Unknown  Guest = iota
	Absent         // nothing of it is here, nothing is mounted
	Running        // it runs; by OpenVZ it may as well be frozen
	Frozen         // its memory is here and stands still
	Leaving        // it is being sent or saved
	Arriving       // all of its memory may be here, it does not run yet
	Torso          // its memory is not complete
	Remains        // mounted and down, half a copy, dead rows
	guests
)

var guestNames = [guests]string{"unknown", "absent", "running", "frozen", "leaving", "arriving", "torso", "remains"}

// String is the guest's word in logs and tables.
func (g Guest) String() string {
	if g >= guests {
		return guestNames[Unknown]
	}
	return guestNames[g]
}

// Guests are all that a guest may be, without unknown.
func Guests() []Guest { return []Guest{Absent, Running, Frozen, Leaving, Arriving, Torso, Remains} }

// Ticket is what the ticket for a stop says. It is looked at only by a stop that finds the VM running, and used up by
// that look.
type Ticket uint8

// What a ticket may say.
const (
	Unread   Ticket = iota
	NoTicket        // there is none, or none that counts
	LiveTicket
	ImageTicket
	ColdTicket
)

// View is all that decides on one node. The zero value of every field is the careful answer.
type View struct {
	Guest Guest
	Phase handoff.Phase
	Mine  bool // the record's node is this one
	ToMe  bool // the record sends the VM to this node

	NodeGone bool // the record's node is another one and proved gone
	ToGone   bool // the record's target is another node and proved gone

	Image bool // the image of which the record speaks is published
	Part  bool // it is not published, but proved whole, and made in this boot of this node

	Still  bool // what is leaving stands still: if nothing works on it, it will not go on
	Handed bool // and a copy of it may run on its target already
	Idle   bool // no action of ours works on the VM on this node

	Sick     bool   // the last status failed while the guest was here
	Shutdown bool   // on_stop is shutdown
	Ticket   Ticket // of this stop
	Known    bool   // this node has started or adopted the VM since it booted
	Alien    bool   // the technology is not installed here
}

// Is tells whether the record is in one of these phases.
func (v View) Is(phases ...handoff.Phase) bool {
	for _, p := range phases {
		if v.Phase == p {
			return true
		}
	}
	return false
}

// Here: the VM is on this node, whole.
func (v View) Here() bool { return v.Guest == Running || v.Guest == Frozen || v.Guest == Leaving }

// Named: the record names this node: it has the VM, or the VM was sent to it.
func (v View) Named() bool {
	switch v.Phase {
	case handoff.Starting, handoff.Running, handoff.Suspending, handoff.Held, handoff.Resuming, handoff.Sending:
		return v.Mine
	case handoff.Sent:
		return v.ToMe
	}
	return false
}

// Announced: the record sends the VM here.
func (v View) Announced() bool { return v.Is(handoff.Sending, handoff.Sent) && v.ToMe }

// Nobody: the record names no node.
func (v View) Nobody() bool { return v.Is(handoff.NoRecord, handoff.Down, handoff.Suspended) }

// Other: the record names a node that is neither this one nor proved gone.
func (v View) Other() bool {
	switch {
	case v.Nobody() || v.Named():
		return false
	case v.Phase == handoff.Sent:
		return !v.ToGone
	case v.Phase == handoff.Sending && !v.ToMe:
		return !v.NodeGone || !v.ToGone
	}
	return !v.NodeGone
}

// Blocked: what is left of the guest here may not be followed by a start, since another node may have the VM.
func (v View) Blocked() bool {
	return v.Other() || v.Phase == handoff.Sending && v.Mine && !v.ToGone
}

// Strayed: half a copy is here of which another half may run, and no record says where. The record calls the VM this node's,
// which an agent here wrote when no half was here; or there never was one. In other phases the half is of a move that was
// recorded, and what the record says now is what has come of it.
func (v View) Strayed() bool {
	return v.Guest == Leaving && v.Handed && (v.Is(handoff.NoRecord) || v.Mine && v.Is(handoff.Starting, handoff.Running, handoff.Resuming))
}

// left: something is here that is no guest any more, or not yet.
func (v View) left() bool { return v.Guest == Remains || v.Guest == Torso }
