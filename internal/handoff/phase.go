package handoff

import "slices"

// Phase is where a VM is in its passage. The zero value is unknown: neither running nor down.
type Phase int

// The phases. All but PhaseUnknown and NoRecord stand in state records.
const (
	PhaseUnknown Phase = iota
	NoRecord           // there is no state record: nobody has started this VM yet
	Down               // nowhere
	Starting           // Node boots it
	Running            // runs on Node
	Suspending         // Node freezes and dumps it into image
	Held               // the image is published, the frozen guest is still on Node
	Suspended          // nowhere; image holds its memory
	Resuming           // Node has claimed the image
	Sending            // Node sends it to To
	Sent               // it has left for To
	phases             // how many there are
)

// A fixed table, in the order of the constants.
var phaseNames = [phases]string{"unknown", "none", "down", "starting", "running", "suspending", "held", "suspended", "resuming", "sending", "sent"}

// String is the phase's word in the state record.
func (p Phase) String() string {
	if p < 0 || p >= phases {
		return phaseNames[PhaseUnknown]
	}
	return phaseNames[p]
}

func parsePhase(word string) Phase {
	if i := slices.Index(phaseNames[Down:], word); i >= 0 {
		return Down + Phase(i)
	}
	return PhaseUnknown
}

// Transition says that a record of phase From may be followed by one of phase To, and when.
type Transition struct {
	From, To Phase
	When     string
}

// Transitions is the life of a VM: every step that a state record can take. Write refuses all others.
func Transitions() []Transition { return slices.Clone(transitions[:]) }

var transitions = [...]Transition{
	{NoRecord, Starting, "first start"},
	{NoRecord, Running, "found running by start, stop or status"},
	{NoRecord, Suspending, "stop of a guest that runs without a record"},
	{NoRecord, Sending, "hand-off of a guest that runs without a record"},
	{NoRecord, Down, "cold stop of a guest that runs without a record"},

	{Down, Starting, "cold start"},
	{Down, Running, "was started by hand"},

	{Starting, Running, "the boot is verified"},
	{Starting, Starting, "cold start after a boot that failed or died"},
	{Starting, Down, "stop"},
	{Starting, Suspending, "stop of a guest whose start was cut off"},
	{Starting, Sending, "hand-off of a guest whose start was cut off"},

	{Running, Running, "found running"},
	{Running, Starting, "cold start after a crash of the guest or of its node"},
	{Running, Suspending, "stop keeps the memory"},
	{Running, Sending, "live hand-off"},
	{Running, Down, "cold stop"},

	{Suspending, Held, "the image is published"},
	{Suspending, Suspended, "the guest is gone and its image is whole"},
	{Suspending, Running, "the image was given up, the guest goes on"},
	{Suspending, Starting, "cold start: the image was never published"},
	{Suspending, Down, "stop: no proof of a whole image"},

	{Held, Suspended, "the frozen guest is killed and unmounted"},
	{Held, Running, "the image was given up, the guest goes on"},
	{Held, Resuming, "start: the image is whole, its node is gone"},
	{Held, Starting, "cold start: the image is lost"},
	{Held, Down, "cold stop, or the image is lost"},

	{Suspended, Resuming, "start claims the image"},
	{Suspended, Starting, "cold start: the image is lost"},
	{Suspended, Running, "was started by hand"},

	{Resuming, Running, "the restored guest is verified"},
	{Resuming, Starting, "cold start: the image cannot be used, or its start died"},
	{Resuming, Down, "stop"},
	{Resuming, Suspending, "stop of a guest whose resume was cut off"},
	{Resuming, Sending, "hand-off of a guest whose resume was cut off"},

	{Sending, Sent, "it has left"},
	{Sending, Running, "it stayed, or has arrived"},
	{Sending, Starting, "cold start: both ends are gone, or nothing arrived"},
	{Sending, Suspending, "stop: it stayed, the memory goes by image"},
	{Sending, Sending, "another try: it stayed"},
	{Sending, Down, "cold stop: it stayed"},

	{Sent, Running, "it has arrived"},
	{Sent, Starting, "cold start: lost on the way"},
	{Sent, Suspending, "stop on the target before start has adopted it"},
	{Sent, Sending, "hand-off on the target before start has adopted it"},
	{Sent, Down, "stop on the target: nothing arrived, or a cold stop"},
}

// MayBecome tells whether a record of phase p may be followed by one of phase q.
func (p Phase) MayBecome(q Phase) bool {
	return slices.ContainsFunc(transitions[:], func(t Transition) bool { return t.From == p && t.To == q })
}
