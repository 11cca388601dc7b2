package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/lbvmagent"
)

// failure is an error of a pass with its cause.
type failure struct {
	cause string
	err   error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail gives err a cause, unless it has one.
func fail(cause string, err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &failure{cause, err}
}

// errLocked says that a pass runs on another node.
var errLocked = errors.New("another pass runs")

// ErrInterrupted says that a pass was told to end before it had begun anything.
var ErrInterrupted = errors.New("interrupted: nothing was begun")

// record is what a pass leaves for the agent.
func (m Monitor) record(res Result, err error) lbvmagent.Record {
	r := lbvmagent.Record{At: m.Clock.Now(), Outcome: lbvmagent.OK, Why: strings.Join(append(trouble(res.Moves), res.Warnings...), "; ")}
	if err == nil {
		return r
	}
	r.Why = flat(err.Error())
	var f *failure
	switch {
	case errors.Is(err, errLocked):
		r.Outcome = lbvmagent.Locked
	case !errors.As(err, &f):
		r.Outcome, r.Cause = lbvmagent.Failed, lbvmagent.CauseCluster
	case f.cause == lbvmagent.CauseConfig:
		r.Outcome, r.Cause = lbvmagent.Config, f.cause
	default:
		r.Outcome, r.Cause = lbvmagent.Failed, f.cause
	}
	r.Failures = m.failures(r)
	return r
}

// failures counts the passes in a row that failed for a cause of this node. One that failed for another cause says
// nothing about the node, every other one clears it.
func (m Monitor) failures(r lbvmagent.Record) int {
	if r.Outcome != lbvmagent.Failed {
		return 0
	}
	before := 0
	b, err := os.ReadFile(m.Host.Path(lbvmagent.RecordFile))
	if err == nil {
		var last lbvmagent.Record
		if last, err = lbvmagent.ParseRecord(b); err == nil {
			before = last.Failures
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.Log.WithError(err).Warn("the record of the last pass cannot be read")
	}
	if r.Cause == lbvmagent.CauseNode {
		before++
	}
	return before
}

// leave writes the record.
func (m Monitor) leave(r lbvmagent.Record) error {
	r.Why = flat(r.Why)
	if err := atomicfile.Write(m.Host.Path(lbvmagent.RecordFile), r.Format(), atomicfile.Options{Mode: 0o644}); err != nil {
		return fmt.Errorf("leaving the record of the pass: %w", err)
	}
	return nil
}

// flat is a text on one line, and of a length that a log can bear.
func flat(text string) string {
	const most = 400
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

// interrupted is the error of a pass that was told to end, with what it was doing. Nobody has told the one whose step took
// too long.
func interrupted(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return fail(lbvmagent.CauseCluster, fmt.Errorf("it took too long: %w", err))
	}
	return &failure{lbvmagent.CauseCluster, fmt.Errorf("%w (%w)", ErrInterrupted, err)}
}
