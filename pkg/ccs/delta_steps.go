package ccs

import "slices"

// Step is something that the cluster manager does to a resource in a group that runs: an action on it, and, of a stop or
// a start, on all below it.
type Step struct {
	Action   string    // "stop", "start" or "reconfig"
	Instance *Instance // with the old values for a stop, with the new ones else
}

// Steps gives what is done to a group that stays, where it runs, in rgmanager's order: down before up. Of a group that
// as a whole is removed, new or changed there are none: it is Replaced, or Changes tells of it.
func (d *Comparison) Steps(group string) (down, up []Step) {
	before, after := d.before.Group(group), d.after.Group(group)
	if before != nil && !d.stop[before.res.n] {
		search(before, func(i *Instance) bool {
			if d.stopNode[i.n] {
				down = append(down, Step{"stop", i})
			}
			return d.stopNode[i.n]
		})
	}
	if after != nil && d.start[after.res.n] != mustStart {
		search(after, func(i *Instance) bool {
			switch {
			case !d.startNode[i.n]:
				return false
			case d.reconfigured(i):
				up = append(up, Step{"reconfig", i})
				return false
			}
			up = append(up, Step{"start", i})
			return true
		})
	}
	return down, up
}

// Replaced tells whether a group that is in both configurations is changed as a whole: it is not told of its changes,
// but stopped as one that is removed, unless it is KeptOnDelete, and initialised as one that is new, unless QuietOnAdd.
func (d *Comparison) Replaced(group string) bool {
	before, after := d.before.Group(group), d.after.Group(group)
	return before != nil && after != nil && d.start[after.res.n] == mustStart
}

// search asks do of i and, where that does not end it, of what is below. The order is rgmanager's own in such a search,
// neither that of a start nor that of a stop: first what has no level, the last one first, then by start level.
func search(i *Instance, do func(*Instance) bool) {
	if do(i) {
		return
	}
	list := i.Children
	if len(i.Type.Children) > 0 {
		list = i.unleveled()
		slices.Reverse(list)
		list = append(list, i.leveled(func(c Child) int { return c.Start }, false)...)
	}
	for _, c := range list {
		search(c, do)
	}
}
