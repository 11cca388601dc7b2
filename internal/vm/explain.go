package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// An explanation is the action itself, on what is really found, with everything that changes something replaced: the
// driver rehearses (hypervisor.Rehearsal), the hand-off folder is imagined (imagined.go), nothing is locked, logged,
// journalled or marked, and waits take no time. Every command is taken to succeed. So what is told are the rows, the
// steps and the commands of the real thing, and nothing has to be kept in step with it.

var _ ocf.Explainer = (*Agent)(nil)

// Explain does the action in words. begin sees that it is one.
func (a *Agent) Explain(ctx context.Context, _ *ocf.Call, do func(context.Context) error) error {
	return do(ctx)
}

// explanation is what an action that is only told remembers. It is nil in a real one.
type explanation struct {
	guest, record string // what was told last of the two
}

func explanationOf(c *ocf.Call) *explanation {
	if !c.Explaining() {
		return nil
	}
	return &explanation{}
}

// newTransaction stands for the number of a transaction that is not begun.
const newTransaction = "NEW"

// say tells a line of an explanation, and nothing in a real action.
func (l *life) say(format string, a ...any) {
	if l.explains != nil {
		l.call.Say("  "+format, a...)
	}
}

// imagine takes the imagined folder for the locked one, where nothing may be changed.
func (l *life) imagine() bool {
	if l.explains == nil {
		return false
	}
	l.held = &imagined{life: l}
	if same, ok := l.files.(*imagined); ok {
		l.held = same
	}
	return true
}

// waits tells of a wait, in an explanation; what follows is what is done if nothing comes of it.
func (l *life) waits(what string) bool {
	if l.explains == nil {
		return false
	}
	l.say("it waits up to %s %s, and looks again if that happens; if not:", l.left(2, 3).Round(time.Second), what)
	return true
}

// rehearsal is for the driver.
func (l *life) rehearsal() *hypervisor.Rehearsal {
	if l.explains == nil {
		return nil
	}
	return &hypervisor.Rehearsal{VM: l.vm, Say: func(argv []string) { l.say("would run: %s", commandText(argv)) }}
}

// commandText is a command as a shell would take it.
func commandText(argv []string) string {
	words := make([]string, 0, len(argv))
	for _, w := range argv {
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`*?;&|<>()[]{}~#!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// log tells what would be logged, from warnings on.
func (e *explanation) log(l *life, level ocf.Level, msg string, kv []any) {
	if level > ocf.LevelWarning {
		return
	}
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] != "row" {
			msg += fmt.Sprintf(", %v: %v", kv[i], kv[i+1])
		}
	}
	where := "it logs"
	if level == ocf.LevelCrit {
		where = "it logs, and writes into the journal"
	}
	l.say("%s (%s): %s", where, level, msg)
}

// tellGuest tells what the tool says.
func (l *life) tellGuest(d hypervisor.Detail) {
	if l.explains == nil {
		return
	}
	text := "found: the guest is " + guestText(d.State)
	if d.NoProgram {
		text = "found: the tool is not installed, and this kernel can hold no such guest"
	}
	if len(d.Rows) > 0 {
		text += fmt.Sprintf(" (the tool says: %s)", strings.Join(d.Rows, "; "))
	}
	if d.State.Clean() && !d.NoProgram && l.action == "stop" && l.held == nil {
		text += fmt.Sprintf("; a stop asks again for %s before it believes that", reboot)
	}
	l.tellNew(&l.explains.guest, text)
}

func guestText(s hypervisor.State) string {
	switch s {
	case hypervisor.Absent:
		return "not here"
	case hypervisor.Stopped:
		return "down here"
	case hypervisor.Running:
		return "running here"
	case hypervisor.Paused:
		return "here and stands still"
	case hypervisor.Migrating:
		return "leaving"
	case hypervisor.Arriving:
		return "arriving"
	case hypervisor.Torso:
		return "arriving, and its memory is not complete"
	case hypervisor.Remains:
		return "gone, and has left something behind"
	case hypervisor.Unknown:
	}
	return "unknown"
}

// tellNew tells what is found, unless it was told before.
func (l *life) tellNew(last *string, text string) {
	if text != *last {
		*last = text
		l.say("%s", text)
	}
}

// tell tells what decides, beside the guest.
func (l *life) tell(v view) {
	if l.explains == nil {
		return
	}
	lines := []string{"found: " + recordText(v.st)}
	add := func(format string, a ...any) { lines = append(lines, fmt.Sprintf("found: "+format, a...)) }
	if v.st.Node == l.me && v.st.Boot != l.boot {
		add("that was an earlier boot of this node")
	}
	for _, other := range []struct {
		name string
		gone bool
	}{{v.st.Node, v.nodeGone}, {v.st.To, v.toGone}} {
		switch {
		case other.name == "" || other.name == l.me:
		case other.gone:
			add("%s is proved gone", other.name)
		case v.others == nil:
			add("nobody knows whether %s is gone", other.name)
		default:
			if m, ok := membership.Find(v.others, other.name); ok && m.Online {
				add("%s is a member of the cluster", other.name)
			} else {
				add("%s is away and not proved gone", other.name)
			}
		}
	}
	if v.doubt != nil {
		add("%v", v.doubt)
	}
	switch {
	case v.st.Image == "" || v.is(handoff.Resuming):
	case v.image:
		add("image %s is published", v.st.Image)
	case v.part:
		add("image %s is whole, and not published", v.st.Image)
	default:
		add("image %s is not there", v.st.Image)
	}
	if v.sick {
		add("the last status check failed while the guest was here")
	}
	if l.action == "stop" && v.guest == running {
		lines = append(lines, "found: "+l.ticketText(v))
	}
	l.tellNew(&l.explains.record, strings.Join(lines, "\n  "))
}

// recordText is a record in words.
func recordText(st handoff.State) string {
	if st.Phase == handoff.NoRecord {
		return "there is no record of it"
	}
	text := fmt.Sprintf("its record says %s", placeText(st))
	if st.Seq > 0 {
		text += fmt.Sprintf(" (number %d", st.Seq)
		if st.Why != "" {
			text += ": " + st.Why
		}
		if st.Agent != "" {
			text += ", by " + st.Agent
		}
		text += ")"
	}
	return text
}

// placeText is a record's phase and nodes.
func placeText(st handoff.State) string {
	return strings.TrimSpace(st.Phase.String() + " " + whom(st))
}

func (l *life) ticketText(v view) string {
	t, err := l.dir.LiveTicket(l.me, v.st)
	switch {
	case errors.Is(err, handoff.ErrNoTicket):
		return "there is no ticket"
	case err != nil:
		return fmt.Sprintf("the ticket counts for nothing: %v", err)
	}
	return fmt.Sprintf("a ticket of %s asks for %s to %s", t.Relocator, t.Kind, t.Target)
}

// tellRow tells which row of a table fits.
func (l *life) tellRow(r protocol.Row) {
	if l.explains == nil {
		return
	}
	l.say("row %q of the %s table: %s", r.Name, l.action, r.Words)
}

// leap is a clock on which waiting takes no time. After what the action may take it waits no more.
type leap struct {
	now  time.Time
	left time.Duration
}

var _ clock.Clock = (*leap)(nil)

func newLeap(from clock.Clock, total time.Duration) *leap { return &leap{from.Now(), total} }

func (c *leap) Now() time.Time { return c.now }

func (c *leap) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.now, c.left = c.now.Add(d), c.left-d
	if c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// WithTimeout gives a context without a deadline: the programs that ask take real time, and have limits of their own.
func (c *leap) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
