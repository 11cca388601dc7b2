package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Start is what a start decides under the lock.
func Start() []Row { return start[:] }

var start = [...]Row{
	{"no program", func(v View) bool { return v.Alien }, RefuseAlien,
		"the technology is not here: another node has to start it", nil},
	{"here, another has it", func(v View) bool { return v.Here() && !v.Still && v.Other() && !v.Announced() }, RefuseDouble,
		"it runs here, and the record names a node that may have it too: nothing is touched, and an administrator is called", []int{26, 10}},
	{"half a copy, another has it", func(v View) bool { return v.Guest == Leaving && v.Still && v.Other() }, RefuseElsewhere,
		"half a copy of it is left here, and the record names a node that may have it: nothing is touched", []int{25, 9}},
	{"leaving, another may have it", func(v View) bool { return v.Guest == Leaving && v.Blocked() }, AwaitOrRefuse,
		"it is being sent away; that is given time, and nothing is destroyed, since the target may have it", []int{22, 25}},
	{"leaving by hand", View.Strayed, AwaitOrRefuse,
		"it was sent away by hand, to where no record says; that is given time, and nothing is booted, since its copy may run there", []int{22, 9}},
	{"leaving", func(v View) bool { return v.Guest == Leaving }, AwaitOrDestroy,
		"it is being sent or saved; that is given time, and half a copy that nothing moves any more is destroyed", []int{25}},
	{"here, suspending or held", func(v View) bool {
		return v.Here() && v.Is(handoff.Suspending, handoff.Held) && v.Mine
	}, ThawAndAdopt, "a stop was cut off: its images go out of use first, then the guest is thawed and is this node's", []int{15, 27}},
	{"frozen", func(v View) bool {
		return v.Guest == Frozen && (v.Named() || v.Announced() || v.Is(handoff.NoRecord))
	}, ThawAndAdopt, "the guest stands still: images go out of use first, then it is thawed and is this node's", []int{15, 27}},
	{"here", func(v View) bool {
		return v.Here() && (v.Named() || v.Announced() || v.Is(handoff.NoRecord))
	}, Adopt, "it runs here already: the record says so from now on", []int{27, 30}},
	{"here, nobody has it", View.Here, TakeAndAdopt,
		"it runs here, started by hand, and no living node has it: old images go out of use, and it is this node's", []int{27}},

	{"arriving, being sent", func(v View) bool {
		return v.Guest == Arriving && v.Announced() && v.Is(handoff.Sending) && !v.NodeGone
	}, AwaitOrRefuse, "it is on its way here and a living node is still sending it: it is given time to arrive, and nothing is destroyed", []int{24}},
	{"arriving, announced", func(v View) bool {
		return v.Guest == Arriving && v.Announced() || v.Guest == Torso && v.Is(handoff.Sent) && v.ToMe
	}, AwaitOrDestroy, "it is on its way here: it is given time to arrive; what hangs is destroyed and the VM booted", []int{24}},
	{"arriving", func(v View) bool { return v.Guest == Arriving }, RefuseArriving,
		"something arrives that the record does not announce; it is left alone", []int{24}},
	{"torso of a living source", func(v View) bool { return v.Guest == Torso && v.Announced() && !v.NodeGone }, AwaitOrRefuse,
		"its memory is still coming in, and the sender lives: it is given time, and nothing is booted", []int{24}},
	{"remains, another has it", func(v View) bool { return v.left() && v.Blocked() }, RefuseElsewhere,
		"something of it is left here, and the record names a node that may have it: nothing is touched", []int{25, 9}},
	{"remains", View.left, DestroyAndLook, "what is left of the VM is destroyed and unmounted, then it looks again", []int{25}},

	{"absent, down", func(v View) bool { return v.Is(handoff.NoRecord, handoff.Down) }, Boot,
		"no node has it: it is booted", []int{13, 18}},
	{"absent, had it", func(v View) bool {
		return v.Is(handoff.Starting, handoff.Running, handoff.Resuming, handoff.Suspending) && v.Mine
	}, Boot, "this node had it and it has gone: it is booted", []int{13, 16, 18}},
	{"absent, suspended", func(v View) bool { return v.Is(handoff.Suspended) }, Resume,
		"its memory waits in an image: it goes on from that; if the image is of no use it is booted", []int{13, 16, 17, 19}},
	{"absent, held", func(v View) bool { return v.Is(handoff.Held) && v.Mine }, Resume,
		"its memory was saved here by a stop that was cut off: it goes on from that; if the image is of no use it is booted", []int{14, 16, 17, 19}},
	{"absent, sent here", func(v View) bool { return v.Is(handoff.Sent) && v.ToMe }, AwaitOrBoot,
		"it was sent here: it is given time to arrive, and then booted without its memory", []int{24}},
	{"absent, sending here, sender gone", func(v View) bool { return v.Is(handoff.Sending) && v.ToMe && v.NodeGone }, BootLost,
		"it was being sent here, and the sender is proved gone: it is booted without its memory", []int{9, 10}},
	{"absent, sending here", func(v View) bool { return v.Is(handoff.Sending) && v.ToMe }, RefuseElsewhere,
		"it was being sent here, and the sender is not proved gone: it may have it still", []int{9, 10}},
	{"absent, sending, target gone", func(v View) bool { return v.Is(handoff.Sending) && v.Mine && v.ToGone }, BootLost,
		"this node was sending it, and the target is proved gone: it is booted without its memory", []int{9, 10, 11}},
	{"absent, sending", func(v View) bool { return v.Is(handoff.Sending) && v.Mine }, RefuseElsewhere,
		"this node was sending it, and the target is not proved gone: it may have it", []int{9, 10, 11}},
	{"absent, sending elsewhere, both gone", func(v View) bool {
		return v.Is(handoff.Sending) && v.NodeGone && v.ToGone
	}, BootLost, "it was on its way between two other nodes, and both are proved gone: it is booted without its memory", []int{9, 10, 11}},
	{"absent, sending elsewhere", func(v View) bool { return v.Is(handoff.Sending) }, RefuseElsewhere,
		"it was on its way between two other nodes, and not both are proved gone: one may have it", []int{9, 10, 11}},
	{"absent, sent elsewhere, gone", func(v View) bool { return v.Is(handoff.Sent) && v.ToGone }, BootLost,
		"it was sent to another node, and that is proved gone: it is booted without its memory", []int{9, 10, 11}},
	{"absent, sent elsewhere", func(v View) bool { return v.Is(handoff.Sent) }, RefuseElsewhere,
		"it was sent to another node, and that is not proved gone: it may have it", []int{9, 10, 11}},
	{"absent, held elsewhere, gone", func(v View) bool { return v.Is(handoff.Held) && v.NodeGone }, Resume,
		"its memory was saved on another node, and that is proved gone: it goes on from that; if the image is of no use it is booted", []int{10, 14, 16, 17, 19}},
	{"absent, held elsewhere", func(v View) bool { return v.Is(handoff.Held) }, RefuseElsewhere,
		"its memory was saved on another node, where the frozen guest may still be, and that is not proved gone", []int{9, 10}},
	{"absent, elsewhere, gone", func(v View) bool {
		return v.Is(handoff.Starting, handoff.Running, handoff.Suspending, handoff.Resuming) && v.NodeGone
	}, Boot, "another node had it, and that is proved gone: it is booted", []int{9, 10, 13, 18}},
	{"absent, elsewhere", func(v View) bool {
		return v.Is(handoff.Starting, handoff.Running, handoff.Suspending, handoff.Resuming)
	}, RefuseElsewhere, "another node has it, and that is not proved gone", []int{9, 10}},
}

// MigrateFrom is what the target of Pacemaker's migration decides under the lock. A guest that is here and was not
// announced is for a start or a stop to judge.
func MigrateFrom() []Row { return migrateFrom[:] }

var migrateFrom = [...]Row{
	{"no program", func(v View) bool { return v.Alien }, RefuseAlien,
		"the technology is not here: another node has to have it", nil},
	{"here, another has it", func(v View) bool { return v.Here() && v.Other() && !v.Announced() }, RefuseDouble,
		"it runs here, and the record names a node that may have it too: nothing is touched, and an administrator is called", []int{26, 10}},
	{"here", func(v View) bool {
		return v.Guest == Running && (v.Announced() || v.Is(handoff.NoRecord) || v.Named() && !v.Is(handoff.Suspending, handoff.Held))
	}, Adopt, "it has arrived: the record says so from now on", []int{27, 30}},
	{"frozen", func(v View) bool { return v.Guest == Frozen && v.Announced() }, ThawAndAdopt,
		"it has arrived and stands still: it is thawed, and the record says so from now on", []int{15, 27}},
	{"announced", func(v View) bool { return v.Announced() && v.Guest != Remains }, AwaitOrRefuse,
		"it is on its way: it is given time to arrive; nothing is booted or destroyed, since the manager stops both sides of a migration that failed", []int{24}},
	{"not announced", func(View) bool { return true }, RefuseUnsent,
		"nothing is being sent to this node: nothing is touched", []int{9}},
}
