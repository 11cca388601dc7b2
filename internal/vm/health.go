package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/probe"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// The administrator's check of a guest: whether it does its work, where the tool only knows that it runs. It is made by
// the deeper status check, and by a start that is to wait.
const (
	checkParam  = "check"        // as probe.Parse takes it
	limitParam  = "check_limit"  // so many in a row may fail
	actionParam = "check_action" // what follows then
	readyParam  = "wait_ready"   // seconds that a start waits

	defaultLimit = 2
	mostLimit    = 1000
	mostReady    = 3600 // no start takes longer

	// checkDepth is the depth from which on a status makes the check.
	checkDepth = 10
)

// What check_action may say.
const (
	doRestart  = "restart"  // the status fails
	doFailover = "failover" // it fails, and the next start here does too, once: the manager takes another node
	doReport   = "report"   // it is only logged
)

const (
	unansweredMark = ".unanswered" // so many checks in a row failed
	awayMark       = ".away"       // the record's number after the stop for a failover; the next start here is refused
)

// answers is nil unless the guest that runs here has failed more checks in a row than it may. A check that cannot be made
// says nothing of the guest and costs it nothing.
func (l *life) answers(ctx context.Context) error {
	text := l.call.Params.Get(checkParam)
	if text == "" || l.call.Depth < checkDepth {
		return nil
	}
	c, err := probe.Parse(text)
	if err != nil {
		l.log(ocf.LevelError, "the guest is not checked", "error", err)
		return nil
	}
	if held, err := lockfile.Held(l.mark(nodeLock)); err == nil && held {
		// It may be frozen, or leave: by a tool that a killed agent left behind, or under an administrator's lock.
		l.log(ocf.LevelInfo, "something works on the guest: it is not checked now")
		return nil
	}
	if l.explains != nil {
		l.say("it checks the guest: %s", c)
		return nil
	}
	err = c.Make(ctx, l.probes(), l.left(1, 1)/2)
	switch {
	case err == nil:
		l.clear(unansweredMark)
		return nil
	case errors.Is(err, probe.ErrUnmade):
		l.log(ocf.LevelError, "the guest is not checked", "error", err)
		return nil
	}
	return l.unanswered(err)
}

// unanswered counts a check that failed, and is its error where that is one too many.
func (l *life) unanswered(err error) error {
	limit := defaultLimit
	if n, bad := strconv.Atoi(l.call.Params.Get(limitParam)); bad == nil && n >= 0 && n <= mostLimit {
		limit = n
	}
	n, werr := l.countUp(unansweredMark)
	switch {
	case werr != nil: // who cannot count must not blame the guest for it
		l.log(ocf.LevelError, "checks that fail cannot be counted", "error", werr)
		return nil
	case n <= limit:
		l.log(ocf.LevelWarning, "a check failed", "times", n, "limit", limit, "error", err)
		return nil
	case l.call.Params.Get(actionParam) == doReport:
		l.log(ocf.LevelError, "the guest does not answer; check_action=report leaves it alone", "times", n, "error", err)
		return nil
	}
	return fmt.Errorf("for the %d. time in a row: %w", n, err)
}

// probes is what a check is made with. Its commands stand in the black box.
func (l *life) probes() probe.World {
	return probe.World{
		Host: l.host, Clock: l.clock, Runner: l.boxed(run.System{Grace: time.Second}),
		Env: []string{"LBVM_VM=" + l.vm, "LBVM_TYPE=" + l.a.Type},
	}
}

// A start asks so often, and waits so long for one answer.
const (
	askReadyEvery = time.Second
	askReadyFor   = 5 * time.Second
)

// awaitReady waits, where the administrator wants that, until the guest that was started answers its check. One that does
// not is no failed start: its boot may take long for a good reason (a file system check), and to end it and begin anew
// elsewhere would never come to an end. It is an error only if the guest is gone again.
func (l *life) awaitReady(ctx context.Context) error {
	seconds, err := strconv.Atoi(l.call.Params.Get(readyParam))
	if err != nil || seconds <= 0 {
		return nil
	}
	c, err := probe.Parse(l.call.Params.Get(checkParam))
	if err != nil {
		l.log(ocf.LevelError, "not waiting for the guest", "error", err)
		return nil
	}
	wait := min(time.Duration(seconds)*time.Second, l.left(5, 6))
	if l.explains != nil {
		l.say("it waits up to %s until the guest answers: %s; one that does not counts as started all the same", wait.Round(time.Second), c)
		return nil
	}
	l.end() // the record says that it runs here: nothing has to be kept off it
	began := l.clock.Now()
	for {
		over := began.Add(wait).Sub(l.clock.Now())
		err = c.Make(ctx, l.probes(), min(askReadyFor, max(over, time.Second)))
		switch {
		case err == nil:
			l.log(ocf.LevelInfo, "the guest answers", "after", l.clock.Now().Sub(began).Round(time.Second))
			return nil
		case errors.Is(err, probe.ErrUnmade):
			l.log(ocf.LevelError, "not waiting for the guest", "error", err)
			return nil
		case over <= askReadyEvery:
			return l.notReady(ctx, err)
		}
		if l.clock.Sleep(ctx, askReadyEvery) != nil {
			return l.notReady(ctx, err)
		}
	}
}

func (l *life) notReady(ctx context.Context, cause error) error {
	l.patience = hypervisor.Reboots(l.a.Type)
	if d, err := l.guest(ctx); err == nil && d.State.Clean() {
		return fmt.Errorf("%s was started and is gone again before it answered: %w", l.vm, cause)
	}
	l.log(ocf.LevelWarning, "the guest runs and does not answer yet; it counts as started", "error", cause)
	l.journal("not ready", cause.Error())
	return nil
}

// passOn notes, at the end of the stop that a failed check brought about, that the next start here is to fail.
func (l *life) passOn() {
	depth := l.sickDepth()
	if l.explains != nil || l.call.Params.Get(actionParam) != doFailover || !l.marked(sickMark) || depth < checkDepth || depth > maxDepth {
		return
	}
	st, err := l.files.Read()
	if err == nil {
		err = l.point("away", func() error { return l.setMark(awayMark, strconv.FormatUint(st.Seq, 10)) })
	}
	if err != nil {
		l.log(ocf.LevelWarning, "that another node is to start it cannot be noted", "error", err)
	}
}

// maxDepth is more than any check's depth: the mark of a sick guest was not readable.
const maxDepth = 1000

// passedOn refuses, once, to start a guest again that was stopped here since it failed its check, if nothing has
// happened to it since and another node could start it.
func (l *life) passedOn(ctx context.Context) error {
	if !l.marked(awayMark) {
		return nil
	}
	seq, err := strconv.ParseUint(strings.TrimSpace(l.readMark(awayMark)), 10, 64)
	if l.clear(awayMark); l.explains == nil && l.marked(awayMark) { // it would be refused for ever
		return nil
	}
	st, rerr := l.files.Read()
	if err != nil || rerr != nil || st.Phase != handoff.Down || st.Seq != seq {
		return nil
	}
	if d, err := l.detail(ctx); err != nil || !d.State.Clean() {
		return nil
	}
	members, err := l.members.Members(ctx)
	if err != nil {
		return nil
	}
	for _, m := range members {
		if m.Online && !strings.EqualFold(m.Name, l.me) {
			err := fmt.Errorf("not starting %s here, this once: it failed its check on this node and check_action=failover wants it elsewhere", l.vm)
			l.journal("failed", err.Error())
			return err
		}
	}
	l.log(ocf.LevelWarning, "it failed its check here, and there is no other node to start it")
	return nil
}

// checkHealth looks over the parameters of the check. Actions take what is wrong for nothing or for the default.
func (l *life) checkHealth() error {
	get := l.call.Params.Get
	if text := get(checkParam); text != "" {
		c, err := probe.Parse(text)
		if err != nil {
			return fmt.Errorf("%s=%w", checkParam, err)
		}
		if c.Kind == probe.Exec {
			if _, err := os.Stat(l.host.Path(c.Argv[0])); err != nil {
				return fmt.Errorf("%s: %w", checkParam, err)
			}
		}
	} else if s := get(readyParam); s != "" && s != "0" {
		return fmt.Errorf("%s=%q waits for a check, and there is none", readyParam, s)
	}
	switch v := get(actionParam); v {
	case "", doRestart, doFailover, doReport:
		return nil
	default:
		return fmt.Errorf("%s=%q is none of %s, %s and %s", actionParam, v, doRestart, doFailover, doReport)
	}
}
