package protocol

import "github.com/lbvm/lbvm/internal/handoff"

// Table is a table with its name.
type Table struct {
	Name  string // as in documents
	About string // when it counts
	Rows  []Row
}

// Tables are all tables by which an action decides.
func Tables() []Table {
	return []Table{
		{"stop, before the lock", "A stop looks without the lock first.", Look()},
		{"stop", "Under the lock; what was seen before counts for nothing.", Stop()},
		{"stop of a running VM", "The way in which a stop ends a VM that runs.", Way()},
		{"start", "Under the lock.", Start()},
		{"migrate", "On the source of a migration that the manager asks for, under the lock.", Migrate()},
		{"migrate_from", "On the target of Pacemaker's migration, under the lock.", MigrateFrom()},
		{"status", "By the tool's word alone, without a look at the share.", Status()},
		{"status of a VM that is not known here", "By the record: without the lock, and again with it before anything is written.", Inquiry()},
	}
}

// Views are all views that a cluster can show to a table: each guest with each record that the files allow.
func Views() []View {
	var out []View
	bools := []bool{false, true}
	for _, guest := range Guests() {
		for phase := handoff.PhaseUnknown; phase <= handoff.Sent; phase++ {
			for _, place := range places(phase) {
				v := place
				v.Guest = guest
				for _, still := range stills(guest) {
					v.Still, v.Handed = still > 0, still > 1
					for _, v.Image = range either(v.Is(handoff.Suspending, handoff.Held, handoff.Suspended)) {
						for _, v.Part = range either(v.Is(handoff.Suspending) && v.Mine && !v.Image) {
							for _, v.Sick = range bools {
								for _, v.Alien = range either(guest == Absent) {
									out = append(out, v)
								}
							}
						}
					}
				}
			}
		}
	}
	return out
}

// stills: what is leaving moves on, stands still, or stands still and may have a copy that runs.
func stills(g Guest) []int {
	if g == Leaving {
		return []int{0, 1, 2}
	}
	return []int{0}
}

func either(may bool) []bool {
	if may {
		return []bool{false, true}
	}
	return []bool{false}
}

// places are the ways in which a record of one phase may speak of this node and of others.
func places(phase handoff.Phase) []View {
	var out []View
	switch phase {
	case handoff.Starting, handoff.Running, handoff.Suspending, handoff.Held, handoff.Resuming:
		out = []View{{Mine: true}, {}, {NodeGone: true}}
	case handoff.Sending:
		out = []View{{Mine: true}, {Mine: true, ToGone: true}, {ToMe: true}, {ToMe: true, NodeGone: true},
			{}, {NodeGone: true}, {ToGone: true}, {NodeGone: true, ToGone: true}}
	case handoff.Sent:
		out = []View{{ToMe: true}, {}, {ToGone: true}}
	default:
		out = []View{{}}
	}
	for i := range out {
		out[i].Phase = phase
	}
	return out
}
