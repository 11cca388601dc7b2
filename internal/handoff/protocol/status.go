package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Migrate is what the source of a migration that the manager asks for decides under the lock.
func Migrate() []Row { return migrate[:] }

var migrate = [...]Row{
	{"runs here", func(v View) bool {
		return v.Guest == Running && (v.Is(handoff.NoRecord) || v.Is(handoff.Running) && v.Mine)
	}, SendLive, "it is pushed to the target while it runs; one that stays goes on as before, and its record says so again", []int{21, 22, 33}},
	{"does not run here", func(View) bool { return true }, RefuseMigrate,
		"it does not run here, or the record says something else: the manager is told that it stays as it is", []int{33}},
}

// Status is what a status decides by the tool's word alone: the share is not touched. Its view has no record.
func Status() []Row { return status[:] }

var status = [...]Row{
	{"absent", func(v View) bool { return v.Guest == Absent || v.Guest == Torso }, AnswerAbsent,
		"nothing of it is here that could run", nil},
	{"leaving, and nobody moves it", func(v View) bool { return v.Guest == Leaving && v.Still && v.Idle && v.Known }, CountSilence,
		"it stands still, and no action of ours works on it: that counts like a check without an answer, a few of which are tolerated", []int{32, 8}},
	{"half a copy", func(v View) bool { return v.Guest == Leaving && v.Still && v.Idle }, AnswerFailed,
		"it stands still, no action of ours works on it, and this node has not made it its own: half a copy was left behind", []int{25}},
	{"leaving", func(v View) bool { return v.Guest == Leaving }, AnswerRunning,
		"it is being sent or saved, and counts as running here until it has left", []int{32}},
	{"here, known", func(v View) bool { return (v.Guest == Running || v.Guest == Frozen) && v.Known }, AnswerRunning,
		"this node has made it its own: the tool's word counts, and nothing else is looked at", []int{32}},
	{"here", func(v View) bool { return v.Guest == Running || v.Guest == Frozen || v.Guest == Arriving }, Inquire,
		"this node has not made it its own yet: the record is looked at, and a share that hangs is left behind", []int{32}},
	{"remains", func(View) bool { return true }, AnswerFailed,
		"it is down and has left something behind; Pacemaker's probe says that it does not run here, while another node has it by the record and is not proved gone", []int{25}},
}

// Inquiry is what a status decides by the record, without and again with the lock. Where the lock is not free at once a
// guest that is announced has not arrived yet, and any other runs and is adopted by the next status.
func Inquiry() []Row { return inquiry[:] }

var inquiry = [...]Row{
	{"not here", func(v View) bool { return v.Guest == Absent || v.Guest == Torso || v.Guest == Arriving }, AnswerAbsent,
		"it is not here, or not yet", []int{32}},
	{"leaving", func(v View) bool { return v.Guest == Leaving }, AnswerRunning,
		"it is being sent or saved, and counts as running here until it has left", []int{32}},
	{"frozen, announced", func(v View) bool { return v.Guest == Frozen && v.Announced() }, AnswerAbsent,
		"it has arrived and does not run yet", []int{32}},
	{"remains", func(v View) bool { return !v.Here() }, AnswerFailed,
		"it is down and has left something behind", []int{25}},
	{"here, another has it", func(v View) bool { return v.Other() && !v.Announced() }, RefuseDouble,
		"it runs here, and the record names a node that may have it too: nothing is touched, and an administrator is called", []int{26, 10}},
	{"frozen", func(v View) bool { return v.Guest == Frozen }, AnswerRunning,
		"it stands still: a start or a stop thaws it", nil},
	{"here, this node's", func(v View) bool {
		return v.Is(handoff.NoRecord) || v.Announced() || v.Named() && !v.Is(handoff.Suspending, handoff.Held)
	}, Adopt, "it runs here, and nobody else may have it: the record says so from now on", []int{27}},
	{"here", func(View) bool { return true }, AnswerRunning,
		"it runs here, and what the record says is for a start or a stop to settle", nil},
}
