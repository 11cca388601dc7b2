package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Phase is what a record's phase says, for people.
type Phase struct {
	Phase handoff.Phase
	Text  string
}

// Phases are all phases, in the order of a VM's life.
func Phases() []Phase {
	return []Phase{
		{handoff.NoRecord, "there is no record: no agent has started this VM yet"},
		{handoff.Down, "it runs nowhere, and no memory of it is kept"},
		{handoff.Starting, "a start boots it on its node, or was cut off there"},
		{handoff.Running, "it runs on its node"},
		{handoff.Suspending, "a stop on its node writes its memory into an image, or was cut off"},
		{handoff.Held, "its image is whole and published, and the frozen guest is still on its node"},
		{handoff.Suspended, "it runs nowhere, and its memory waits in an image"},
		{handoff.Resuming, "a start on its node has claimed the image and lets it go on, or was cut off"},
		{handoff.Sending, "it is being pushed from one node to another while it runs, or nobody knows how that ended"},
		{handoff.Sent, "it has left for another node, which has not taken it over yet"},
	}
}

// PhaseText is what a phase says.
func PhaseText(p handoff.Phase) string {
	for _, x := range Phases() {
		if x.Phase == p {
			return x.Text
		}
	}
	return "the record cannot be believed: the VM may be anywhere"
}

// Refuses tells whether a deed ends an action with an error and leaves the VM as it is.
func (d Deed) Refuses() bool { return d <= RefuseAlien && d != Nothing && d != GoOn }

// String is the deed's name in documents and in JSON.
func (d Deed) String() string {
	if int(d) >= len(deedNames) {
		return deedNames[RefuseStrange]
	}
	return deedNames[d]
}

var deedNames = [deeds]string{
	"refuse-strange", "nothing", "go-on", "refuse-double", "refuse-elsewhere", "refuse-arriving", "refuse-torso", "refuse-unread", "refuse-unsent",
	"refuse-migrate", "refuse-alien", "await-or-destroy", "await-or-refuse", "await-sender", "await-or-boot", "destroy-and-look",
	"record-down", "record-lost", "record-sent", "record-suspended", "publish-dump", "fail-images",
	"take-arrival", "take-over", "kill-held", "hold-and-kill", "thaw-and-look", "choose-way", "read-ticket", "cold-stop", "send-live", "keep-memory",
	"adopt", "thaw-and-adopt", "take-and-adopt", "boot", "boot-lost", "resume", "answer-running", "answer-absent", "answer-failed", "count-silence", "inquire",
}

// Cure is what an administrator does about a refusal.
type Cure struct {
	Deed  Deed
	Says  string // how the log begins to say it
	Means string
	Do    string
}

// Cures are what to do about each refusal.
func Cures() []Cure {
	return []Cure{
		{RefuseElsewhere, "not starting VM: its state says ...", "The record names a node that may have the VM and is not proved gone.",
			"Look at that node. If it is alive and a member, start the service there: `clusvcadm -e GROUP -m NODE`. If it was lost, have it fenced (`fence_node NODE`) or boot it; where fencing fails, see that it is off and say so with `fence_ack_manual NODE`: each frees the VM, and the cluster manager goes on by itself. If it left the cluster in order and is off for certain, or no fencing of it is tried or affirmed: `lbm confirm-down VM NODE`, then `lbm repair VM`."},
		{RefuseDouble, "VM runs on X, but its state says ...", "Two nodes may run the VM, and both may write to its disks. No agent kills either.",
			"Look at both nodes with the hypervisor's own tool, decide which of the two has the good data, and end the other one by hand. Then `clusvcadm -d GROUP` and `clusvcadm -e GROUP -m` the node that runs it. Check the guest's file systems."},
		{RefuseArriving, "VM is arriving here and its state is ...: left alone", "Somebody sends the VM to this node, and not by this protocol.",
			"Find who runs the migration and let it end. If nothing arrives any more, destroy the half copy by hand."},
		{RefuseTorso, "VM is being received from ...: left alone", "A living node is still sending it.",
			"Wait for the sender, or stop the VM there; then try again."},
		{AwaitOrRefuse, "VM has not arrived ..., VM is still being received ...", "It was waited for, and a living node is still the sender.",
			"Look at the sender: its stop or its status settles what became of the VM. Then `clusvcadm -d GROUP` and `clusvcadm -e GROUP -m` the node that runs it, or `lbm repair VM`."},
		{AwaitOrRefuse, "VM was being sent away from here, and it is not known how that ended", "Somebody has moved it by hand (xm migrate, xl migrate), and half a copy stands still here. The other half may run on the node to which it was sent; no record knows of it.",
			"Look for the VM on the other nodes. If it runs on one, Y: here `clusvcadm -d GROUP`, end the half copy (`xl destroy VM--migratedaway`, `xm destroy migrating-VM`), and then `clusvcadm -e GROUP -m Y`, which takes over what runs there; enable it nowhere else. If it runs nowhere: end the half copy, then `clusvcadm -d GROUP` and `clusvcadm -e GROUP`."},
		{RefuseUnread, "the hand-off record is not readable", "The record is damaged, or the storage answers with errors. Nothing is guessed.",
			"Look at the share first. If the file itself is damaged: disable the service, find out on which node the VM runs, move `state` aside, and enable the service on that node. Without a record its agent takes over what runs there, and boots what runs nowhere; no memory image is used then."},
		{RefuseUnsent, "... it is not being sent to this node", "Pacemaker asks this node to receive a VM that nobody sends here.",
			"Nothing: Pacemaker stops the VM on both nodes and starts it again."},
		{RefuseMigrate, "not migrating VM to ..., nothing was changed", "The VM is not in a state in which it can be pushed, or the target is not fit.",
			"Read the reason behind it. The service goes on where it is."},
		{RefuseAlien, "the tool of TYPE is not installed here", "This node cannot run such a VM.",
			"Keep the service away from this node by its failover domain, or install the tool."},
		{RefuseStrange, "nothing is known to do", "No row of the table fits what was found.",
			"This is a fault of LBVM: keep `lbm handoff VM -o json` and the log, and report them. Nothing was changed."},
	}
}

// CureOf is what to do about a refusal; its zero value where a deed refuses nothing.
func CureOf(d Deed) Cure {
	for _, c := range Cures() {
		if c.Deed == d {
			return c
		}
	}
	return Cure{}
}
