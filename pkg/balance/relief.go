package balance

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Relief is the built-in algorithm `algorithm relief;`. It looks at the first resource that is the busy share of all
// processors, and asks for a move
//
//   - from a hot node: in three of the last five minutes, and in the mean of them, above 0.70; to a node that would
//     stay below 0.65 with the VM, or, where the owner is above 0.90, below the owner by 0.10;
//   - from a node that has long been busier than another: above 0.50 in the mean of the last half hour, and above the
//     other by 0.25. The VM must be small enough to leave the target below the owner.
//
// Of all VMs that ask it has those moved first that take most of the load that is too much from their node for each
// GiB of memory that must be copied.
type Relief struct{}

// The marks of Relief, as shares of a node's processors.
const (
	reliefHot    = 0.70
	reliefCool   = 0.65
	reliefFull   = 0.90
	reliefGain   = 0.10
	reliefBusy   = 0.50
	reliefSpread = 0.25
)

// Its windows, in minutes, and what a move costs whatever the size of its VM, in GiB.
const (
	reliefShort = 5
	reliefOften = 3 // of the short window's samples must be above
	reliefLong  = 30
	reliefCopy  = 4
)

var _ Program = Relief{}

// Deterministic says that it reads nothing but samples and the view.
func (Relief) Deterministic() bool { return true }

// Errors of Relief.
var (
	errNoCPU  = errors.New("algorithm relief needs a resource with builtin cpu, or one named cpu")
	errNoPass = errors.New("algorithm relief is for the VMs of a pass")
)

// Run is Program.Run.
func (Relief) Run(_ context.Context, o perl.Options) (perl.Value, error) {
	e, ok := o.Host.(*evaluation)
	if !ok || e.of == nil {
		return perl.Undef(), errNoPass
	}
	for _, x := range e.r.in.Config.Resources {
		if x.CPU {
			return perl.Undef(), e.relief(x, o.Trace)
		}
	}
	return perl.Undef(), errNoCPU
}

// relief looks at the owner first: of a calm one no target is read.
func (e *evaluation) relief(x Resource, trace *perl.Trace) error {
	short, err := e.window(x.Name, reliefShort, false)
	if err != nil {
		return err
	}
	above := 0
	for _, v := range short.values {
		if v.Float64() > reliefHot {
			above++
		}
	}
	load := short.read.Average
	if compared(trace, "minutes above the mark on "+e.owner.Name, ">=", float64(above), reliefOften) &&
		compared(trace, "their mean", ">", load, reliefHot) {
		return e.reliefHot(x, load, trace)
	}
	long, err := e.window(x.Name, reliefLong, false)
	if err != nil {
		return err
	}
	if !compared(trace, "mean of half an hour on "+e.owner.Name, ">", long.read.Average, reliefBusy) {
		return nil
	}
	return e.reliefSpread(x, long.read.Average, trace)
}

func (e *evaluation) reliefHot(x Resource, load float64, trace *perl.Trace) error {
	if _, err := e.window(x.Name, reliefShort, true); err != nil {
		return err
	}
	then, err := e.r.after(e.of, x, reliefShort, e.target)
	if err != nil {
		return err
	}
	what := x.Name + " of " + e.target.Name + " with it"
	if compared(trace, what, "<", then, reliefCool) ||
		compared(trace, x.Name+" of "+e.owner.Name, ">", load, reliefFull) && compared(trace, what, "<", then, load-reliefGain) {
		e.ask(x, load, load-reliefCool)
	}
	return nil
}

func (e *evaluation) reliefSpread(x Resource, load float64, trace *perl.Trace) error {
	other, err := e.window(x.Name, reliefLong, true)
	if err != nil {
		return err
	}
	if !compared(trace, "that mean, above the one of "+e.target.Name+" by", ">", load-other.read.Average, reliefSpread) {
		return nil
	}
	then, err := e.r.after(e.of, x, reliefLong, e.target)
	if err != nil {
		return err
	}
	part := e.r.share(e.of, x, load, e.owner)
	if compared(trace, x.Name+" of "+e.target.Name+" with it", "<", then, load-part) {
		e.ask(x, load, (load-other.read.Average)/2)
	}
	return nil
}

// ask says migrate. much is how much of the owner's load is too much.
func (e *evaluation) ask(x Resource, load, much float64) {
	part := e.r.share(e.of, x, load, e.owner)
	gib := float64(e.of.Mem) / (1 << 30)
	e.gain = max(e.gain, math.Min(part, much)/(gib+reliefCopy))
	e.say(SaidMigrate, 0, perl.Position{})
}

// compared compares, and keeps the step.
func compared(trace *perl.Trace, what, op string, a, b float64) bool {
	is := a > b
	switch op {
	case "<":
		is = a < b
	case ">=":
		is = a >= b
	}
	if trace != nil {
		left, right := fmt.Sprintf("%.4g", a), fmt.Sprintf("%.4g", b)
		trace.Steps = append(trace.Steps, perl.Step{Kind: perl.Compared, Source: what + " " + op + " " + right, Operands: []string{left, right},
			Text: left + " " + op + " " + right, Result: fmt.Sprint(is)})
	}
	return is
}
