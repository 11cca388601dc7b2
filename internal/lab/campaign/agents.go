package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// selfProgram stands for the agent itself, as whose child a status looks at the share.
const selfProgram = "/agent"

// inquiry marks that child; internal/vm names it so.
const inquiry = "LBVM_INQUIRY=1"

// action is one action of the real agent, as a task.
type action struct {
	w            *world
	node         *node
	verb, target string
	task         *task
	tool         *task // that works for it
	locked       bool  // it has got the VM's lock
	asked        bool  // a status wants to look at the share
	bystander    bool  // of a stop: when it began, the guest was not here and the record did not name the node
	remains      bool  // when it began, nothing but remains were here
	failed       int   // tools
	migrations   int   // pushes that left a healthy guest where it was
	first        bool  // it was when it began
	began        time.Time
	away, nolock bool // how its node's share was when it began
	err          error
}

func (a *action) String() string {
	return strings.TrimSpace(a.verb + " " + a.target + " on " + a.node.name)
}

// await waits for the end and is the exit code as the manager sees it: -1 for a death by a signal.
func (a *action) await(t *task) int {
	t.wait(func() bool { return a.task.done }, time.Time{})
	return a.code()
}

func (a *action) code() int {
	var e *ocf.Error
	switch {
	case a.task.killed:
		return -1
	case a.err == nil:
		return 0
	case errors.As(a.err, &e):
		return int(e.Code)
	}
	return 1
}

// agent begins an action.
func (w *world) agent(n *node, verb, target string) *action {
	a := &action{w: w, node: n, verb: verb, target: target}
	w.actions = append(w.actions, a)
	a.task = w.spawn(a.String(), n, func(t *task) {
		a.task = t
		t.wait(func() bool { return w.frozenFor == 0 }, time.Time{})
		if !n.on {
			t.killed = true
			return
		}
		st := w.state()
		a.bystander = n.has == none && !n.mounted && !st.Names(n.name)
		a.first = a.bystander
		a.began, a.remains = w.now, n.has == half || n.has == none && n.mounted
		w.tell("%s begins", a)
		before := n.has
		a.away, a.nolock = n.away, n.nolock
		a.err = a.do(false)
		if a.asked && a.err == nil {
			a.err = a.do(true)
		}
		w.tell("%s: %s", a, ended(a.err))
		w.judgeEnd(a, before)
	})
	a.task.ends = func() {
		if a.tool == nil || a.tool.done || a.tool.killed || !a.locked || !a.task.killed {
			return
		}
		if held, err := lockfile.Held(w.h("lock")); err == nil && !held {
			w.find("R4 %s was killed, its tool works on, and nobody holds the lock", a)
		}
	}
	return a
}

func ended(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

func (a *action) do(child bool) error {
	w := a.w
	agent := &vm.Agent{Type: w.typ, Clock: simClock{a.task}, Self: selfProgram,
		At: a.at, Within: a.at, Runner: func(r run.Runner) run.Runner { return runner{a, r} },
		Txn: func() (string, error) {
			w.txns++
			return fmt.Sprintf("%032x", w.txns), nil
		},
		Room: func(string) (int64, error) { return 1 << 40, nil },
	}
	env := []string{host.RootVariable + "=" + a.node.root}
	limit := map[string]time.Duration{"status": 20 * time.Second, "migrate": 600 * time.Second}[a.verb]
	if limit == 0 {
		limit = 300 * time.Second
	}
	if child {
		env = append(env, inquiry)
	}
	c := &ocf.Call{Action: a.verb, Name: w.vm, Type: w.typ, Timeout: limit, Params: ocf.NewParams(nil), World: ocf.World{Env: env}}
	if w.tracing {
		c.Log = a
	}
	ctx, cancel := simClock{a.task}.WithTimeout(context.Background(), limit)
	defer cancel()
	switch a.verb {
	case "start":
		return agent.Start(ctx, c)
	case "stop":
		return agent.Stop(ctx, c)
	case "status":
		return agent.Status(ctx, c)
	}
	return agent.Migrate(ctx, c, a.target)
}

func (a *action) Log(level ocf.Level, msg string, kv ...any) {
	a.w.tell("   %s: %s %v", a, msg, kv)
}

// at is told of every crash point of an agent.
func (a *action) at(point string) error {
	w, t := a.w, a.task
	if t.dying {
		return errKilled
	}
	if !strings.HasPrefix(point, "tool:") { // a file on the share, or beside it
		t.wait(func() bool { return w.frozenFor == 0 }, time.Time{})
	}
	w.judgePoint(a, point)
	w.passes(t, point)
	if w.noSpace[point] {
		w.lossy = true
		return fmt.Errorf("%s: %w", point, syscall.ENOSPC)
	}
	return nil
}

// passes lets others go on at a crash point, and lets what was prepared strike there.
func (w *world) passes(t *task, point string) {
	w.tell("   %s: at %s", t.name, point)
	if w.record && !strings.HasPrefix(point, "ask:") {
		w.passed = append(w.passed, point)
	}
	w.strike(t, point)
	if w.r.Intn(16) == 0 { // a slow one
		t.pause(time.Duration(1+w.r.Intn(20)) * time.Second / 2)
		return
	}
	t.yield()
}

// strike lets what was prepared for a crash point happen to a task.
func (w *world) strike(t *task, point string) {
	if t.done {
		return
	}
	for i := 0; i < len(w.triggers); i++ {
		g := w.triggers[i]
		if g.point != "*" && g.point != point || g.node != "" && (t.node == nil || g.node != t.node.name) {
			continue
		}
		if g.left--; g.left > 0 {
			continue
		}
		w.triggers = append(w.triggers[:i:i], w.triggers[i+1:]...)
		w.tell("at %s of %s it strikes", point, t.name)
		g.do(w, t)
		return
	}
}

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
		if name == st.Node {
			boot = st.Boot
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

// judgeBoot: what holds when a guest is booted.
func (w *world) judgeBoot(a *action) {
	if l := w.litter(); len(l) > 0 {
		w.find("R18 %s boots the guest while images lie there: %v", a, l)
	}
	st := w.state()
	if (st.Phase != handoff.Starting || st.Node != a.node.name) && !w.damaged {
		w.find("R13 %s boots the guest while the record says %s %s", a, st.Phase, st.Node)
	}
	if w.boots > 0 && !w.lossy {
		w.find("I8 %s boots the guest, and nothing has happened for which its memory is lost", a)
	}
}

// judgeRestore: what holds when a memory is used.
func (w *world) judgeRestore(a *action, file string) {
	claim := filepath.Base(filepath.Dir(file))
	image := strings.TrimSuffix(strings.Replace(claim, "claim.", "image.", 1), "."+a.node.name)
	if _, err := os.Lstat(w.h(image)); !strings.HasPrefix(claim, "claim.") || err == nil {
		w.find("R16 %s restores from %s, which others can still use", a, claim)
	}
	if st := w.state(); (st.Phase != handoff.Resuming || st.Node != a.node.name) && !w.damaged {
		w.find("R13 %s restores the guest while the record says %s %s", a, st.Phase, st.Node)
	}
}

// judgeThaw: what holds when a frozen guest goes on.
func (w *world) judgeThaw(a *action) {
	if l := w.litter(); len(l) > 0 {
		w.find("R15 %s lets a frozen guest go on while images of it lie there: %v", a, l)
	}
}

// judgeFrozenKill: an image is whole before its guest is killed; a cold stop has put it out of use.
func (w *world) judgeFrozenKill(a *action) {
	if st := w.state(); len(w.litter()) > 0 && st.Phase != handoff.Held && !a.away && !a.nolock {
		w.find("R14 %s kills the frozen guest, and the record says %s", a, st.Phase)
	}
}

// judgeKill: of two guests none is killed.
func (w *world) judgeKill(a *action, n *node) {
	st := w.state()
	for _, o := range w.nodes {
		if o != n && o.has.alive() && n.has.alive() && (st.Node == o.name || st.To == o.name) {
			w.find("R26 %s ends the guest on %s while it runs on %s too", a, n.name, o.name)
		}
	}
}

func (w *world) judgePush(n, to *node) {
	if st := w.state(); (st.Phase != handoff.Sending || st.Node != n.name || st.To != to.name) && !w.damaged {
		w.find("R21 the guest is pushed from %s to %s, and the record says %s %s %s", n.name, to.name, st.Phase, st.Node, st.To)
	}
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
	if k, err := fmt.Sscanf(string(text), "memory %d %d %d %d %d", &id, &inc, &m, &disk, &boots); k != 5 || err != nil || !strings.HasSuffix(string(text), "end\n") {
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

// judgeEnd: what an action's answer promises.
func (w *world) judgeEnd(a *action, before presence) {
	n, st := a.node, w.state()
	switch {
	case a.verb == "stop" && a.err == nil:
		for _, t := range w.tasks {
			if t.node == n && !t.done && strings.HasPrefix(t.name, "tool of ") && !strings.HasSuffix(t.name, a.String()) && !a.first {
				w.find("R4 %s succeeds while the %s still works", a, t.name)
			}
		}
		if (n.has != none || n.mounted) && n.since.Before(a.began) {
			w.find("I4 %s succeeds, and here it is %s (mounted: %t)", a, presences[n.has], n.mounted)
		}
	case a.verb == "stop" && a.remains && a.failed == 0 && !a.away && !w.damaged && len(w.silent) == 0 && (n.has == half && (st.Node == "" || st.Node == n.name) || n.has == none && n.mounted) && n.since.Before(a.began):
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
