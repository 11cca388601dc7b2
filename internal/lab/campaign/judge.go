package campaign

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// judgePoint looks at the files before and after a step.
func (w *world) judgePoint(a *action, point string) {
	base, _, within := strings.Cut(point, "/")
	n := a.node
	w.stale = w.stale || strings.HasPrefix(point, "state:")
	switch {
	case point == "disks:done":
		w.synced = w.disk
	case point == "lock:done":
		a.locked = true
	case point == "sync:done":
		w.memSynced = true
	}
	if within || strings.HasPrefix(point, "tool:") || strings.HasSuffix(point, ":done") && !strings.HasPrefix(point, "state:") {
		return
	}
	local := slices.Contains([]string{"here", "unmark", "unknown", "sick", "disks"}, point)
	if a.nolock && n.nolock && !local {
		w.find("R2 %s works on a share whose locks stay on their node (%s)", a, point)
	}
	if a.away && n.away && !local {
		w.find("R1 %s works below the mount point of a share that is not mounted (%s)", a, point)
	}
	st, err := w.known()
	w.stale = w.stale || strings.HasPrefix(point, "state:") && !strings.HasSuffix(point, ":done")
	if err != nil && !w.damaged {
		w.find("R5 the record cannot be read: %v", err)
	}
	if a.bystander = a.bystander && n.has == none && !n.mounted && !st.Names(n.name); a.verb == "stop" && a.bystander && !local {
		w.find("I5 %s is a bystander's, and changes the share (%s)", a, point)
	}
	switch base {
	case "state:starting", "state:resuming":
		w.judgeOwner(a, st, "records "+base)
	case "discarded", "failed":
		w.judgeDiscard(a, st)
	case "here": // the last step of a start
		w.judgeTidy(a)
	case "ticket.used", "ticket.refused":
		if n.has != runs && n.has != leaving && !(w.typ == "openvz" && n.has == frozen) && n.ended.Before(a.began) {
			w.find("R29 %s looks at a ticket, and the guest does not run here", a)
		}
		if base == "ticket.used" {
			w.judgeTicket(a, st)
		}
	}
	if strings.HasPrefix(base, "state:") {
		if f, err := host.ReadFacts(w.shared, n.name); err != nil || f.Boot != n.boot {
			w.find("R34 %s writes a record, and the node's boot is not published", a)
		}
		if strings.HasSuffix(point, ":done") {
			if st.Seq <= w.seq && !w.damaged {
				w.find("I6 the record's number is %d and was %d", st.Seq, w.seq)
			}
			w.seq = st.Seq
			if to := w.node(st.To); to != nil {
				w.sent = sending{st.Seq, to.boot}
			}
		}
		if point == "state:running:done" && st.Node == n.name && (n.has == torso || n.has == arriving || n.has == half) {
			w.find("R27 %s records that it runs here, and here it is %s", a, presences[n.has])
		}
	}
}

// gone is the truth of what the rules call gone.
func (w *world) gone(name, boot string) bool {
	n := w.node(name)
	if n != nil && !n.member && !n.victim && n.has == none && !n.mounted { // it has left, and nothing of it was there
		return true
	}
	return n == nil || !n.victim && !n.member && n.how == "agent" && !n.on || boot != "" && n.boot != boot
}

// judgeOwner: nobody starts what another may have.
func (w *world) judgeOwner(a *action, st handoff.State, does string) {
	for _, name := range []string{st.Node, st.To} {
		boot := ""
		switch {
		case name == st.Node:
			boot = st.Boot
		case st.Phase == handoff.Sent && st.Seq == w.sent.seq: // what had arrived before it booted anew is gone; what is still sent may arrive in any boot
			boot = w.sent.boot
		}
		if name != "" && name != a.node.name && !w.gone(name, boot) && !(st.Phase == handoff.Sending && name == st.Node && st.To == a.node.name && w.gone(name, boot)) {
			w.find("I3 %s %s while the record says %s %s %s, and %s is not gone", a, does, st.Phase, st.Node, st.To, name)
		}
	}
}

// judgeTidy: a start that succeeded leaves nothing that somebody might take for something.
func (w *world) judgeTidy(a *action) {
	if !w.relocatorDied.Before(a.began) { // it may have lived when the start looked
		return
	}
	for _, t := range w.tasks {
		if strings.HasPrefix(t.name, "relocator") && !t.done {
			return
		}
	}
	entries, err := os.ReadDir(w.h(""))
	w.must(err)
	for _, e := range entries {
		n := e.Name()
		for _, p := range []string{"image.", "claim.", "ticket", "refused.", "."} {
			if strings.HasPrefix(n, p) && n != "ticket.lock" {
				w.find("I7 %s leaves %s behind", a, n)
			}
		}
	}
}

// litter is what lies in the hand-off folder of images that somebody might use.
func (w *world) litter() (names []string) {
	entries, err := os.ReadDir(w.h(""))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if n := e.Name(); strings.HasPrefix(n, "image.") || strings.HasPrefix(n, "claim.") {
			names = append(names, n)
		}
	}
	return names
}

// judgeDiscard: a start throws no memory away that it could use.
func (w *world) judgeDiscard(a *action, st handoff.State) {
	if a.verb != "start" || a.node.has != none || st.Phase != handoff.Suspended && st.Phase != handoff.Held || st.Image == "" {
		return
	}
	for _, o := range w.nodes {
		if o.has.alive() {
			return
		}
	}
	text, err := os.ReadFile(w.h("image." + st.Image + "/mem"))
	var id, inc, m, disk, boots int
	if err != nil {
		return
	}
	if k, err := fmt.Sscanf(strings.TrimPrefix(string(text), saved), "memory %d %d %d %d %d", &id, &inc, &m, &disk, &boots); k != 5 || err != nil || !strings.HasSuffix(string(text), "end\n") {
		return
	}
	if disk == w.disk && boots == w.boots && !w.resumed[id] {
		w.find("I9 %s throws away a memory that could be used", a)
	}
}

// judgeTicket: a ticket is obeyed only while it counts.
func (w *world) judgeTicket(a *action, st handoff.State) {
	text, err := os.ReadFile(w.h("ticket"))
	if err != nil {
		return
	}
	held, err := lockfile.Held(w.h("ticket"))
	seq := fmt.Sprintf("source_seq=%d\n", st.Seq)
	if err == nil && !held && w.relocatorDied.Before(a.began) || !strings.Contains(string(text), seq) || !strings.Contains(string(text), "source="+a.node.name+"\n") {
		w.find("R28 %s obeys a ticket that does not count any more (its relocator lives: %t; the record is %d): %q", a, held, st.Seq, text)
	}
}

// laterTool: it works for an agent that began after a, and lives. Two of them at once on one node no manager has: rgmanager's stop of a
// new group ends before anything else of it is asked for.
func (w *world) laterTool(t *task, a *action) bool {
	return slices.ContainsFunc(w.actions, func(b *action) bool {
		return b.tool == t && b.began.After(a.began) && !b.task.done && !b.task.killed
	})
}

// judgeEnd: what an action's answer promises.
func (w *world) judgeEnd(a *action, before presence) {
	n, st := a.node, w.state()
	switch {
	case a.verb == "stop" && a.err == nil:
		for _, t := range w.tasks {
			if t.node == n && !t.done && strings.HasPrefix(t.name, "tool of ") && !strings.HasSuffix(t.name, a.String()) && !a.first && !w.laterTool(t, a) {
				w.find("R4 %s succeeds while the %s still works", a, t.name)
			}
		}
		if (n.has != none || n.mounted) && n.since.Before(a.began) {
			w.find("I4 %s succeeds, and here it is %s (mounted: %t)", a, presences[n.has], n.mounted)
		}
	case a.verb == "stop" && a.remains && a.failed == 0 && !errors.Is(a.err, lockfile.ErrHeld) && !a.away && !a.nolock && !w.damaged && len(w.silent) == 0 && (n.has == half && (st.Node == "" || st.Node == n.name) || n.has == none && n.mounted) && n.since.Before(a.began):
		w.find("R25 %s fails, and nothing but remains are here: %v", a, a.err)
	case a.verb == "start" && a.err == nil:
		if n.has != runs && !(w.typ == "openvz" && n.has == frozen) && w.boots > 0 && !w.lossy {
			w.find("R13 %s succeeds, and here it is %s", a, presences[n.has])
		}
		if (st.Phase != handoff.Running || st.Node != n.name) && !w.damaged {
			w.find("R27 %s succeeds, and the record says %s %s %s", a, st.Phase, st.Node, st.To)
		}
	case a.verb == "status":
		if a.err != nil && before == leaving && n.has == leaving {
			w.find("R32 %s: it is being sent or saved, and does not count as running: %v", a, a.err)
		}
		if a.err == nil && before == n.has && len(w.silent) == 0 && (n.has == torso || n.has == none) {
			w.find("R32 %s: it counts as running, and is %s here", a, presences[n.has])
		}
	}
	if a.err != nil && a.migrations > 0 && n.has == runs && !w.lossy && !w.shaken() {
		switch {
		case a.verb == "stop":
			w.find("R23 %s fails for a push that failed, with the guest healthy: %v", a, a.err)
		case a.verb == "migrate" && a.code() != int(ocf.CodeStillHere):
			w.find("R33 %s: exit %d for a guest that is healthy here: %v", a, a.code(), a.err)
		}
	}
}

// shaken: something other than a push has gone wrong.
func (w *world) shaken() bool {
	return len(w.silent) > 0 || w.frozenFor > 0 || w.doubleByHand || w.damaged
}
