package kill

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// episode is one kill and what follows, on a VM that runs.
type episode struct {
	*campaign
	t      *testing.T
	number int64
	k      kind
	r      *rand.Rand
	v      *vm
	aim    aim

	s         snapshot   // the last one
	relocator *relocator // while a ticket lies
	story     []string
	findings  []string
}

func (e *episode) tell(format string, args ...any) {
	e.story = append(e.story, fmt.Sprintf(format, args...))
}

func (e *episode) find(format string, args ...any) {
	e.findings = append(e.findings, fmt.Sprintf(format, args...))
	e.tell("  !! "+format, args...)
}

// at is the node that has the VM.
func (e *episode) at() string { return e.s.rec.node }

func (e *episode) ticket() *ticket {
	if e.relocator == nil {
		return nil
	}
	return &e.relocator.t
}

// play plays the episode. It is false where no agent could be killed in time.
func (e *episode) play() bool {
	e.t.Helper()
	if e.v.typ == "lbvm" {
		return e.playBalancer()
	}
	e.observe()
	killed := false
	for try := 0; try < 12 && !killed && len(e.findings) == 0; try++ {
		if e.s.rec.phase != "none" || e.k.name != "start, cold" { // the very first start may be the one
			e.home()
		}
		killed = e.kill(e.k.prepare(e), try)
	}
	e.home()
	if e.relocator != nil {
		e.relocator.withdraws()
		e.relocator = nil
	}
	e.tidy()
	return killed
}

// observe makes a snapshot while nothing is at work. An action that has ended has let the lock go.
func (e *episode) observe() {
	e.t.Helper()
	before := e.s.rec
	f, got := e.v.lock()
	defer unlock(f)
	if !got {
		got = poll(limit, 5*time.Millisecond, func() bool { return e.v.tryLock(f) })
		e.find("the action has ended, and its lock is still held (freed later: %v)", got)
	}
	e.s = e.v.look()
	e.judgeMoment(&e.s, before)
}

// judgeMoment says what no moment may show.
func (e *episode) judgeMoment(s *snapshot, before record) {
	if before.phase != "" {
		e.v.check(s, before)
	}
	_, clash := e.v.working()
	for _, p := range append(s.problems, clash...) {
		e.find("%s", p)
	}
}

// do calls an action that nobody kills, and judges it.
func (e *episode) do(c call) (code int) {
	e.t.Helper()
	want := e.expects(c, e.s)
	code = c.run(e.t)
	e.judge(c, e.s, want, code)
	return code
}

// must is do, of an action that the table lets succeed.
func (e *episode) must(c call) {
	e.t.Helper()
	if code := e.do(c); code != 0 {
		e.find("preparing: %s: exit %d", c, code)
	}
}

func (e *episode) expects(c call, s snapshot) verdict {
	return expects(c, s, e.ticket(), e.v.bootID(c.node))
}

// judge compares what an action answered and left with the verdict on the moment before it.
func (e *episode) judge(c call, before snapshot, want verdict, code int) {
	e.t.Helper()
	e.s = snapshot{rec: before.rec}
	e.observe()
	s := e.s
	e.tell("%s: exit %d [%s]\n      %s", c, code, want.row, s)
	if code != want.code {
		e.find("%s: exit %d, not %d [%s]", c, code, want.code, want.row)
	}
	if want.same {
		if s.rec != before.rec || !slices.Equal(s.files, before.files) {
			e.find("%s: it was to change nothing [%s]", c, want.row)
		}
		return
	}
	if s.rec.phase != want.want.phase || s.rec.node != want.want.node || s.rec.to != want.want.to {
		e.find("%s: the record is %s, not %s [%s]", c, s.rec, want.want, want.row)
	}
	e.guest(c, s, want)
}

// guest: where the guest is now, and with which memory.
func (e *episode) guest(c call, s snapshot, want verdict) {
	host := want.want.node + want.want.to
	for _, n := range members {
		if wants := map[bool]presence{true: running, false: absent}[n == host]; s.on[n] != wants {
			e.find("%s: on %s it is %s, not %s [%s]", c, n, s.on[n], wants, want.row)
		}
	}
	if host != "" {
		e.remember(s.memory[host], want)
	}
}

// remember takes note of the memory that a guest has.
func (e *episode) remember(memory string, want verdict) {
	switch {
	case memory == "" || memory == e.v.memory && !want.cold:
	case memory == e.v.memory:
		e.find("it kept a memory that must not be used any more [%s]", want.row)
	case !want.cold:
		e.find("its memory is lost [%s]", want.row)
		fallthrough
	default:
		e.v.memory = memory
		e.v.boots++
	}
}

// kill kills the agent of a call, calls the next action and judges it; now and then that one is killed too. It is false
// where the agent was faster.
func (e *episode) kill(c call, try int) bool {
	e.t.Helper()
	if len(e.findings) > 0 {
		return true
	}
	e.observe()
	p, length := e.plan(try)
	b := e.blow(c, e.s, p, length)
	if !b.killed {
		e.learn(b.took, b.events, b.after)
		e.judge(c, b.before, b.want, b.code)
		e.endTicket()
		return false
	}
	if e.relocator != nil && e.r.Intn(2) == 0 {
		e.relocator.dies()
	}
	tl := tally{kind: e.k, written: b.written, orphan: len(b.orphans) > 0, byTime: p.event == 0, group: b.group, dialect: c.dialect}
	for again := 0; ; again++ {
		next := e.next(b.c)
		if again > 1 || e.r.Intn(6) > 0 {
			e.recovers(b, next, &tl)
			break
		}
		s, free := e.v.awaits()
		tl.orphan = tl.orphan || !free
		e.meets(b, &s)
		b2 := e.blow(next, s, plan{share: e.r.Float64()}, length+50*time.Millisecond)
		if !b2.killed {
			tl.next, tl.same, tl.code, tl.phase, tl.seen = next, next.node == b.c.node, b2.code, s.rec.phase, true
			e.judge(next, s, b2.want, b2.code)
			break
		}
		b = b2
		tl.again++
		if b.written {
			tl.againWritten++
		}
	}
	e.count(tl)
	return true
}

// blow is one agent that ran into a trap.
type blow struct {
	c              call
	before         snapshot
	want           verdict
	killed         bool
	written, group bool
	orphans        []string
	code           int
	took           time.Duration
	events, after  int
}

// blow runs an agent into a trap. before is what it meets.
func (e *episode) blow(c call, before snapshot, p plan, length time.Duration) blow {
	e.t.Helper()
	b := blow{c: c, before: before, want: e.expects(c, before), group: c.dialect == ocf.Pacemaker}
	wrote := func() bool {
		var s snapshot
		return e.v.readRecord(&s).seq > before.rec.seq
	}
	tr := &trap{plan: p, group: b.group, wrote: wrote}
	e.v.setTrap(tr)
	b.killed, b.code, b.took = tr.spring(e.t, c, length, e.v.folder, func(name string) bool { return name != "lock" })
	b.orphans, _ = e.v.working()
	e.v.dropTrap()
	b.events, b.after, b.written = tr.events, tr.after, wrote()
	if b.killed {
		e.tell("KILLED %s %s (%s)%s, %s, orphans %q", c, p, tr.last, map[bool]string{true: " with its group"}[b.group],
			map[bool]string{true: "after its first write", false: "before any write"}[b.written], b.orphans)
	}
	return b
}

// meets judges the moment after a kill: what no moment may show, and whose memory is here.
func (e *episode) meets(b blow, s *snapshot) {
	e.judgeMoment(s, b.before.rec)
	e.tell("      %s", s)
	if b.want.used && s.rec.seq > b.before.rec.seq && s.ticket == e.relocator.t.txn {
		e.find("the stop has acted on a ticket that it has not consumed")
	}
	for _, n := range members {
		if m := s.memory[n]; m != "" && m != e.v.memory {
			e.remember(m, b.want) // the killed one has booted it, or has lost its memory
		}
	}
}

// recovers calls the action after a kill and judges it.
func (e *episode) recovers(b blow, next call, tl *tally) {
	e.t.Helper()
	s, code, seen, waited := e.v.meets(next, e.r.Intn(10) < 8)
	tl.next, tl.same, tl.code, tl.phase, tl.seen, tl.waited = next, next.node == b.c.node, code, s.rec.phase, seen, waited
	tl.orphan = tl.orphan || waited
	if seen {
		e.meets(b, &s)
		e.judge(next, s, e.expects(next, s), code)
		return
	}
	e.tell("%s: exit %d, it was faster than the look", next, code)
	if code != 0 && code != 1 {
		e.find("%s: exit %d", next, code)
	}
	e.s = snapshot{rec: b.before.rec}
	e.observe()
	e.tell("      %s", e.s)
	e.unseen(b.want)
}

// unseen: nobody knows what the next action saw; that a guest was booted is no wonder where either could.
func (e *episode) unseen(killed verdict) {
	for _, n := range members {
		if m := e.s.memory[n]; m != "" && m != e.v.memory {
			e.remember(m, verdict{row: "unseen", cold: true})
		}
	}
}

func (e *episode) endTicket() {
	if e.relocator != nil {
		e.relocator.withdraws()
		e.relocator = nil
		e.observe()
	}
}

// next is the action after a kill: stop or start on the same node, or start on another.
func (e *episode) next(c call) call {
	n := e.call("stop", c.node)
	n.shutdown = c.shutdown // the configuration is the same
	switch e.r.Intn(3) {
	case 1:
		n.action = "start"
	case 2:
		n.action, n.node = "start", e.elsewhere(c.node)
	}
	return n
}

// home brings the VM to where it runs and its record says so, as a cluster manager and its administrator would: the
// group is disabled, which may run stop on any node or none, and enabled, which tries one node after the other.
func (e *episode) home() {
	e.t.Helper()
	if len(e.findings) > 0 {
		return
	}
	if e.s.rec.phase == "running" && e.s.on[e.at()] == running && len(e.litter()) == 0 {
		return
	}
	for round := 0; round < 2 && len(e.findings) == 0; round++ {
		order := e.r.Perm(len(members))
		if round > 0 {
			for _, i := range order {
				e.do(e.call("stop", members[i]))
			}
		}
		for _, i := range order {
			if e.do(e.call("start", members[i])) == 0 {
				return
			}
			if e.r.Intn(8) == 0 { // the recovery stop
				e.do(e.call("stop", members[i]))
			}
		}
	}
	e.find("it does not come back")
}

// litter are the files that no start leaves behind: I7. The ticket of a living relocator is its own to withdraw.
func (e *episode) litter() []string {
	return slices.DeleteFunc(slices.Clone(e.s.files), func(name string) bool {
		return strings.HasPrefix(name, "discarded.") || strings.HasPrefix(name, "failed.") || strings.HasPrefix(name, "refused.") ||
			strings.HasPrefix(name, "ticket") && e.relocator != nil && e.relocator.t.alive
	})
}

// tidy looks whether all is well at the end.
func (e *episode) tidy() {
	e.t.Helper()
	if len(e.findings) > 0 {
		return
	}
	e.observe()
	if l := e.litter(); len(l) > 0 {
		e.find("left behind: %q", l)
	}
	status := e.call("status", e.at())
	if code := status.run(e.t); code != 0 {
		e.find("%s: exit %d", status, code)
	}
}

// witness is the verdict of the lab's checker on what the guest wrote.
func (v *vm) witness() []lab.Finding {
	v.t.Helper()
	all, err := lab.CheckAll(v.c.l, lab.CheckOptions{ColdAllowed: max(0, v.boots-1)})
	if err != nil {
		v.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(f lab.Finding) bool { return f.VM != v.plays+":"+v.name })
}

func (e *episode) String() string {
	return fmt.Sprintf("episode %d (%s, %s:%s)\n    %s", e.number, e.k, e.v.typ, e.v.name, strings.Join(e.story, "\n    "))
}
