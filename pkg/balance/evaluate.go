package balance

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// evaluation is one run of a rule: for a VM on its owner, and one node that it could go to. It is the Host of the
// functions that the rule calls.
type evaluation struct {
	r             *round
	vm            string
	of            *VM     // nil in a trial
	need          int     // how urgent a built-in algorithm finds the move
	gain          float64 // of the move, as it sees it
	askedVM       bool    // what the rule says may be otherwise for another VM
	aim           aim     // of a built-in algorithm
	worthy        *VM     // a built-in algorithm has found it worth a move already
	owner, target *node
	askedTarget   bool
	said          Said
	weight        float64
	line          perl.Position
	err           error // no data: the rule cannot catch it
	reads         []*Read
	targetReads   []*Read // used again for each run
	sparing       bool    // a candidate of which the rule says nothing is not kept
	out           bytes.Buffer
	numbers       []float64
	each          func(Said) // hears each call of migrate and report; nil in a pass
}

// start makes e ready for a run. What it found for the last one has been taken out.
func (e *evaluation) start(owner, target *node) {
	e.owner, e.target = owner, target
	e.askedTarget, e.said, e.weight, e.line, e.err = false, SaidNothing, 0, perl.Position{}, nil
	e.targetReads = e.targetReads[:0]
	e.out.Reset()
}

// res gives the samples of a window to the rule.
func (e *evaluation) res(call *perl.Call, ofTarget bool) error {
	args := call.Args()
	if len(args) != 2 {
		return errArguments
	}
	name := args[0].String()
	n, err := minutes(args[1])
	if err != nil {
		return err
	}
	w, err := e.window(name, n, ofTarget)
	if err != nil {
		return err
	}
	call.Return(w.values...)
	return nil
}

// window reads and takes a note of it. Without fresh data the run is lost, whatever the rule makes of the error.
func (e *evaluation) window(resource string, minutes int, ofTarget bool) (*window, error) {
	of := e.owner
	if ofTarget {
		of, e.askedTarget = e.target, true
	}
	w := e.r.window(of, resource, minutes)
	if ofTarget {
		e.targetReads = noted(e.targetReads, &w.read)
	} else {
		e.reads = noted(e.reads, &w.read)
	}
	if w.err != nil {
		if e.err == nil {
			e.err = w.err
		}
		return nil, w.err
	}
	return w, nil
}

// noted adds a read that is not there yet; the cache makes equal reads identical.
func noted(list []*Read, r *Read) []*Read {
	for _, x := range list {
		if x == r {
			return list
		}
	}
	return append(list, r)
}

// migrate records migrate(WEIGHT).
func (e *evaluation) migrate(call *perl.Call) error {
	weight := 0.0
	if args := call.Args(); len(args) > 0 {
		weight = args[0].Float64()
		if !args[0].IsNumber() || math.IsNaN(weight) || math.IsInf(weight, 0) {
			return errWeight
		}
	}
	e.say(SaidMigrate, weight, call.Pos())
	call.Return(perl.Int(1))
	return nil
}

// say records what the rule wants: migrate is more than report, a higher weight more than a lower; among equals the first call counts.
func (e *evaluation) say(s Said, weight float64, at perl.Position) {
	if e.each != nil {
		e.each(s)
	}
	if s > e.said || (s == e.said && s == SaidMigrate && weight > e.weight) {
		e.said, e.weight, e.line = s, weight, at
	}
}

// maxOver is how many runs of a rule may end at a limit of steps, memory or time: behind them it is not run any more in
// this pass. With a run for each of many VMs and nodes it would else take the time of all others.
const maxOver = 3

var errOver = errors.New("its rule has run into its limits too often in this pass: it is not run again")

// maxLate is how many runs may take all of their time. Behind them each has hurryTime, which is long for a rule that comes to
// its end: many bad rules must leave time for the good ones.
const (
	maxLate   = 6
	hurryTime = 100 * time.Millisecond
)

// run evaluates the rule for one candidate and writes into it what it said. An error cancels what was said before it.
func (e *evaluation) run(ctx context.Context, rule *Rule, owner, target *node, c *Candidate, trace bool) {
	e.start(owner, target)
	if e.r.over[rule] >= maxOver {
		c.Err = errOver
		return
	}
	if trace {
		c.Trace = &perl.Trace{}
	}
	var err error
	if built, ok := rule.Program.(Relief); ok {
		err = built.ask(e, c.Trace)
	} else {
		o := perl.Options{Host: e, Now: e.r.in.At, Zone: e.r.in.At.Location(), Out: &e.out, VM: e.vm, Node: c.Node, Trace: c.Trace}
		if e.r.late >= maxLate {
			o.Limits.Time = hurryTime
		}
		_, err = rule.Program.Run(ctx, o)
	}
	if err != nil {
		e.r.ended(rule, err)
	}
	switch {
	case e.err != nil: // also where the rule caught it with eval {}
		c.Err = e.err
	case err != nil:
		c.Err = err
	default:
		c.Said, c.Weight = e.said, e.weight
		if e.said != SaidNothing {
			at := e.line
			if at.Line == 0 { // a built-in one says it where it is named
				at = rule.At
			}
			c.Line = e.r.line(at, rule)
		}
	}
	c.Output = e.out.String()
	if !e.sparing || c.Said != SaidNothing || c.Err != nil || c.Output != "" {
		c.Reads = slices.Clone(e.targetReads)
	}
}

// ended counts the runs that ended at a limit.
func (r *round) ended(rule *Rule, err error) {
	if limit := (*perl.RuntimeError)(nil); errors.As(err, &limit) && limit.Limit != "" {
		r.over[rule]++
		if limit.Limit == "time" {
			r.late++
		}
	}
}
