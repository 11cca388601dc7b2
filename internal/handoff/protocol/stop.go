package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Look is what a stop decides before it has the lock. Most stops end here: rgmanager runs stop on every node when it
// starts.
func Look() []Row { return look[:] }

var look = [...]Row{
	{"record not readable, absent", func(v View) bool { return v.Is(handoff.PhaseUnknown) && v.Guest == Absent }, Nothing,
		"the record cannot be read, and nothing of the VM is here: nothing is touched", []int{5, 6}},
	{"record not readable", func(v View) bool { return v.Is(handoff.PhaseUnknown) }, RefuseUnread,
		"the record cannot be read, and something of the VM is here: nothing is touched", []int{5, 8}},
	{"here or named", func(v View) bool { return v.Here() || v.Named() }, GoOn,
		"the VM is here, or the record names this node: it takes the lock", []int{3}},
	{"bystander", func(v View) bool { return v.Guest == Absent }, Nothing,
		"nothing of the VM is here and the record does not name this node: nothing is touched, not even the lock", []int{6}},
	{"bystander, arriving", func(v View) bool { return v.Guest == Arriving && !v.Announced() }, RefuseArriving,
		"something arrives that the record does not announce: it is left alone", []int{24}},
	{"bystander, being received", func(v View) bool {
		return v.Guest == Arriving || v.Guest == Torso && v.Announced() && !v.NodeGone
	}, AwaitSender, "it is being received: the sender ends that, and nothing is destroyed meanwhile", []int{24}},
	{"bystander, remains", func(View) bool { return true }, DestroyAndLook,
		"what is left of a VM that is not this node's is destroyed and unmounted; the share is not touched", []int{25, 6}},
}

// Stop is what a stop decides under the lock.
func Stop() []Row { return stop[:] }

var stop = [...]Row{
	{"arriving, sent here", func(v View) bool {
		return (v.Guest == Arriving || v.Guest == Torso) && v.Is(handoff.Sent) && v.ToMe
	}, AwaitOrDestroy, "the VM was sent here and is on its way; it is given time to arrive, so that it can be stopped with its memory; what hangs is destroyed", []int{24}},
	{"arriving", func(v View) bool { return v.Guest == Arriving }, RefuseArriving,
		"something arrives that the record does not announce; it is left alone", []int{24}},
	{"leaving by hand", View.Strayed, AwaitOrRefuse,
		"it was sent away by hand, to where no record says; that is given time, and nothing is destroyed, since its copy may run there", []int{22, 7}},
	{"leaving", func(v View) bool { return v.Guest == Leaving && (!v.Other() || v.Still) }, AwaitOrDestroy,
		"the guest is being sent or saved; that is given time, and half a copy that nothing moves any more is destroyed", []int{25, 22}},
	{"torso of a living source", func(v View) bool {
		return v.Guest == Torso && v.Is(handoff.Sending) && v.ToMe && !v.NodeGone
	}, RefuseTorso, "its memory is still coming in, and the sender lives; it is left alone", []int{24}},
	{"remains", View.left, DestroyAndLook, "what is left of the VM is destroyed and unmounted, then it looks again", []int{25, 7}},

	{"absent, not named", func(v View) bool { return v.Guest == Absent && !v.Named() }, Nothing,
		"it is not here and the record does not name this node: nothing is done", []int{6}},
	{"absent, had it", func(v View) bool {
		return v.Guest == Absent && v.Is(handoff.Starting, handoff.Running, handoff.Resuming)
	}, RecordDown, "the record says that it is here, and it has gone: the record becomes down", []int{7, 29}},
	{"absent, sent here", func(v View) bool { return v.Guest == Absent && v.Is(handoff.Sent) }, RecordLost,
		"it was sent here and did not arrive: its memory is lost, and the record becomes down", []int{7}},
	{"absent, sending", func(v View) bool { return v.Guest == Absent && v.Is(handoff.Sending) }, RecordSent,
		"it has left, and nobody knows how that ended: the record becomes sent, never down, since the target may have it", []int{22}},
	{"absent, suspending, image published", func(v View) bool {
		return v.Guest == Absent && v.Is(handoff.Suspending) && v.Image
	}, RecordSuspended, "an earlier stop was cut off after its image was published: the image counts", []int{14}},
	{"absent, suspending, dump whole", func(v View) bool {
		return v.Guest == Absent && v.Is(handoff.Suspending) && v.Part
	}, PublishDump, "an earlier stop was cut off after its dump was whole: it is published, and counts, unless a disk in a file was written since", []int{14}},
	{"absent, suspending", func(v View) bool { return v.Guest == Absent && v.Is(handoff.Suspending) }, FailImages,
		"an earlier stop was cut off and no image is whole: the memory is lost, and the record becomes down", []int{14}},
	{"absent, held", func(v View) bool { return v.Guest == Absent && v.Is(handoff.Held) && v.Image }, RecordSuspended,
		"an earlier stop was cut off after its guest had ended: its image counts", []int{14}},
	{"absent, held, image lost", func(v View) bool { return v.Guest == Absent && v.Is(handoff.Held) }, FailImages,
		"its image is gone: the memory is lost, and the record becomes down", []int{19}},

	{"here, announced", func(v View) bool { return v.Guest == Running && v.Is(handoff.Sending) && v.ToMe }, TakeArrival,
		"it has arrived whole, and its sender was cut off: this node takes it, then it looks again", []int{27, 4}},
	{"here, another has it", func(v View) bool { return v.Here() && v.Other() }, RefuseDouble,
		"it runs here, and the record names a node that may have it too: nothing is touched, and an administrator is called", []int{26, 10}},
	{"here, nobody has it", func(v View) bool { return v.Here() && !v.Named() && !v.Is(handoff.NoRecord) }, TakeOver,
		"it runs here, started by hand, and no living node has it: old images go out of use, this node takes it, then it looks again", []int{27}},
	{"frozen, sick, image published", func(v View) bool {
		return v.Guest == Frozen && v.Is(handoff.Suspending, handoff.Held) && v.Image && v.Sick
	}, ColdStop, "an earlier stop was cut off with the guest frozen; it was sick, so its image goes out of use and it is stopped cold", []int{20, 15}},
	{"frozen, held", func(v View) bool { return v.Guest == Frozen && v.Is(handoff.Held) && v.Image }, KillHeld,
		"an earlier stop was cut off with the guest frozen and its image published: the frozen guest is killed, and the image counts", []int{14}},
	{"frozen, suspending, image published", func(v View) bool {
		return v.Guest == Frozen && v.Is(handoff.Suspending) && v.Image
	}, HoldAndKill, "an earlier stop was cut off right after it had published its image: the frozen guest is killed, and the image counts", []int{14}},
	{"frozen", func(v View) bool { return v.Guest == Frozen }, ThawAndLook,
		"the guest stands still and no image of it counts: images go out of use first, then it is thawed, then it looks again; a guest that cannot be thawed is stopped cold", []int{15}},
	// By OpenVZ a guest that runs may as well be frozen; nobody can see it.
	{"running, suspending or held", func(v View) bool {
		return v.Guest == Running && v.Is(handoff.Suspending, handoff.Held)
	}, ThawAndLook, "an earlier stop was cut off, and the guest may be frozen: images go out of use first, then it is thawed, then it looks again; a guest that cannot be thawed is stopped cold", []int{15}},
	{"running", func(v View) bool { return v.Guest == Running }, ChooseWay,
		"the ordinary stop: cold if the guest is sick or is to be shut down (on_stop, a ticket), live if a ticket asks for it, else with its memory kept in an image", []int{20, 28, 29}},
}

// Way is how a guest that runs is stopped.
func Way() []Row { return way[:] }

var way = [...]Row{
	{"the guest is sick", func(v View) bool { return v.Sick }, ColdStop,
		"its last status check failed while it was here: its memory is not kept, and no ticket is read", []int{20}},
	{"on_stop is shutdown", func(v View) bool { return v.Shutdown }, ColdStop,
		"the administrator wants it shut down", nil},
	{"the ticket is not read", func(v View) bool { return v.Ticket == Unread }, ReadTicket,
		"the ticket is looked at; one that counts is used up before anything is done", []int{28}},
	{"the ticket asks for it", func(v View) bool { return v.Ticket == ColdTicket }, ColdStop,
		"a ticket asks for a cold stop: a restart in place", []int{28}},
	{"the ticket asks for a live hand-off", func(v View) bool { return v.Ticket == LiveTicket }, SendLive,
		"it is pushed to the target while it runs; a healthy guest that stays goes by image in the same stop", []int{21, 22, 23}},
	{"its memory is kept", func(View) bool { return true }, KeepMemory,
		"its memory goes into an image, and then the guest is gone; if that fails it is stopped cold", []int{14, 15, 17}},
}
