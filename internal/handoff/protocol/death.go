package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Place is a node's part in a record.
type Place uint8

// The places.
const (
	AtNode  Place = iota // the node that has the VM
	AtTo                 // the node to which it is sent
	AtBoth               // both of them
	AtOther              // any other node
)

// Death is what comes of a VM when a node dies while the record is in one phase and no agent works.
type Death struct {
	Phase handoff.Phase
	Who   Place // that dies
	Start Deed  // what the next start on a node that the record does not name does, once the death is proved
	Words string
}

// Deaths are what a node's death does in each phase. Until the death is proved (R10) every start elsewhere refuses.
func Deaths() []Death {
	return []Death{
		{handoff.NoRecord, AtOther, Boot, "nothing is lost: nobody has it"},
		{handoff.Down, AtOther, Boot, "nothing is lost: nobody has it"},
		{handoff.Starting, AtNode, Boot, "the boot is over with its node: it is booted elsewhere"},
		{handoff.Running, AtNode, Boot, "its memory is lost with its node: it is booted elsewhere"},
		{handoff.Suspending, AtNode, Boot, "its image was not published and is never used: it is booted elsewhere, without its memory"},
		{handoff.Held, AtNode, Resume, "its image is whole and was synced before the record said so: it goes on elsewhere with its memory"},
		{handoff.Suspended, AtOther, Resume, "nothing is lost: its memory lies on the share, and any node goes on from it"},
		{handoff.Resuming, AtNode, Boot, "its image is claimed and never used again: it is booted elsewhere, without its memory"},
		{handoff.Sending, AtNode, RefuseElsewhere, "the target decides: what has arrived whole there goes on, half of it is destroyed and the VM booted; every other node refuses until the target was asked"},
		{handoff.Sending, AtTo, RefuseElsewhere, "the push fails and the guest goes on at its source, whose stop keeps its memory in an image; every other node refuses"},
		{handoff.Sending, AtBoth, BootLost, "its memory is lost with both: it is booted elsewhere"},
		{handoff.Sent, AtTo, BootLost, "its memory is lost with the target: it is booted elsewhere; a target that comes back first frees it by its own stop"},
	}
}

// Crash is a line of the crash table: what comes of a death at one moment.
type Crash struct {
	When   string
	Phases []handoff.Phase // that the record is in then
	Killed string          // an agent, relocator or person is cut off; "" where there is none
	Dies   string          // a node dies; "" where it is the same, or cannot be
	Rules  []int
}

// Crashes is the crash table. After an agent was killed rgmanager sets the service failed; what is told here is what
// the next stop or start does, after clusvcadm -d.
func Crashes() []Crash {
	return []Crash{
		{"a ticket lies there, nothing was asked of the manager", []handoff.Phase{handoff.Running},
			"the relocator's lock is gone with it: the ticket is void, and the next relocator or start removes it", "", []int{28, 30}},
		{"the manager was asked, the relocator dies", []handoff.Phase{handoff.Running, handoff.Sending},
			"a ticket that is not used up yet is void: the memory goes by image; one that is used up is followed to its end", "", []int{28}},
		{"a ticket lies there, and the guest crashes or is sick", []handoff.Phase{handoff.Running},
			"the recovery's stop finds nothing running and does not look at the ticket, or finds a sick guest and stops it cold; the record changes, and the ticket is void", "", []int{20, 28, 29}},
		{"the ticket is used up, the record still says running", []handoff.Phase{handoff.Running},
			"the next stop is an ordinary one: the memory goes by image", "its memory is lost with its node; it is booted elsewhere", []int{28}},
		{"sending, the tool works", []handoff.Phase{handoff.Sending},
			"the keeper holds the lock until the tool has ended; then the guest is at the source, and stop or start go on with it, or it has left, and stop writes sent; the target decides",
			"the source: on the target what arrived whole is taken over and half is destroyed and booted; other nodes refuse. The target: the tool fails, and the guest goes by image", []int{4, 21, 22, 23, 24}},
		{"sending, the target boots anew before anything was sent", []handoff.Phase{handoff.Sending},
			"", "nothing is lost: a target's boot id proves nothing", []int{11}},
		{"sending, and nobody knows how it ended: half a copy is at the source", []handoff.Phase{handoff.Sending},
			"the stop fails and the half copy stays; the next stop there destroys it and writes sent; a living target goes on with the guest, else it is booted", "", []int{22, 25}},
		{"sent, and the manager starts it on a third node", []handoff.Phase{handoff.Sent},
			"that start refuses and names the target; the relocator, or lbm repair, has the service enabled on the target, which takes the guest over", "", []int{9, 31}},
		{"sent, and the target dies", []handoff.Phase{handoff.Sent},
			"", "booted elsewhere as soon as the target is proved gone; one that comes back first frees it by its own stop", []int{10, 11}},
		{"sent, and it is lost on arrival", []handoff.Phase{handoff.Sent},
			"the start on the target waits, then boots it, loudly", "", []int{24}},
		{"suspending, freezing or dumping", []handoff.Phase{handoff.Suspending},
			"the guest is frozen or running: the next stop puts the dump out of use, thaws, and begins again; one that is gone counts as down, unless its dump was proved whole",
			"the dump is never used: booted elsewhere, memory lost", []int{14, 15}},
		{"suspending, the image is published", []handoff.Phase{handoff.Suspending},
			"the next stop there writes held and goes on; if the guest is gone the image counts", "booted elsewhere, memory lost", []int{14}},
		{"held, before the kill", []handoff.Phase{handoff.Held},
			"the next stop there kills the frozen guest, unmounts, and writes suspended", "any node goes on from the image: it was whole before the record said so", []int{14}},
		{"suspended", []handoff.Phase{handoff.Suspended},
			"", "any node goes on from the image; a boot by hand in between changes the disk's fingerprint, and the image is put aside", []int{17}},
		{"the image is claimed, or resuming", []handoff.Phase{handoff.Suspended, handoff.Resuming},
			"the claim is never used again: booted, memory lost; a restore that still works holds the lock until it has ended, and then the guest is taken over", "booted elsewhere, memory lost", []int{4, 16, 19}},
		{"running is written, the claim is not deleted", []handoff.Phase{handoff.Running},
			"the next start or stop discards it; nothing resumes it", "as running", []int{16, 18}},
		{"starting", []handoff.Phase{handoff.Starting},
			"the keeper holds the lock until the boot has ended; then the guest is taken over or stopped", "booted elsewhere", []int{4, 13}},
		{"a tool works, and its keeper is killed as well", []handoff.Phase{handoff.Starting, handoff.Suspending, handoff.Resuming, handoff.Sending},
			"the tool dies with its keeper; its children, which would go on without a lock, are killed by the next action on that node, before it looks at the guest", "", []int{4}},
		{"two starts at once, by the manager and by hand", []handoff.Phase{handoff.Down, handoff.Suspended, handoff.Starting, handoff.Running},
			"one has the lock; the other then reads whose it is, and refuses", "", []int{3, 9}},
		{"a node joins, and stop runs on it for every VM", []handoff.Phase{handoff.Running, handoff.Suspended, handoff.Sending},
			"nothing is touched; only where the record names that node, in an earlier boot, it is written what has come of the VM, which frees it", "", []int{6, 34}},
		{"a node leaves in order with the VM running", []handoff.Phase{handoff.Running},
			"the record is marked: nothing but a new boot of that node, or lbm confirm-down, makes it gone", "the same: it is not fenced, so nothing proves its death", []int{12}},
	}
}

// DeathView is the view of a start, on a node that the record does not name and that has nothing of the guest, after
// one or both of the record's nodes were proved gone.
func DeathView(phase handoff.Phase, who Place) View {
	v := View{Guest: Absent, Phase: phase, Image: true}
	switch who {
	case AtNode:
		v.NodeGone = true
	case AtTo:
		v.ToGone = true
	case AtBoth:
		v.NodeGone, v.ToGone = true, true
	}
	return v
}
