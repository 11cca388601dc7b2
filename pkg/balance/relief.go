package balance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Relief is the built-in algorithm `algorithm relief;`. It looks at the first resource that is the busy share of all
// processors, and asks for a move
//
//   - from a hot node: above Hot in three of the last five minutes and in the mean of them, above Full in the last two, or
//     above Over in the last; to a node that would stay below Cool with the VM, in the mean of five minutes and of half an
//     hour. Where that cannot be asked for, because the owner is half way from Hot to Full, it must only stay below Hot and
//     below the owner by Gain; where the owner is above Full, below the owner by Gain;
//   - from a node that has long been busier than another: above Busy in the mean of the last half hour, and above the
//     other by Spread in the mean since the last move from or to one of them, which is 20 minutes ago or longer. The VM must leave the target below what the owner then has, or below what it has now by Gain.
//
// A move costs a processor on both ends while it lasts, so it must be worth it: the VM uses Least of its node, or else as
// much as an even share. And a node that has room for its guests, but none for the copying, waits until it has, or until it
// is above Over, or has been above Full for half an hour: its own relief would fill it.
//
// Of all VMs that ask it has those moved first whose node is above Full, then those of hot nodes; among them those that
// take most of the load that is too much from their node for each GiB of memory that must be copied.
//
// Its marks are shares of a node's processors. Zero fields have their defaults.
type Relief struct {
	Hot    float64 // 0.75
	Cool   float64 // 0.65
	Full   float64 // 0.90
	Over   float64 // 0.95
	Gain   float64 // 0.10
	Busy   float64 // 0.50
	Spread float64 // 0.15
	Least  float64 // 0.03
}

func (m Relief) withDefaults() Relief {
	set := func(v *float64, d float64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&m.Hot, 0.75)
	set(&m.Cool, 0.65)
	set(&m.Full, 0.90)
	set(&m.Over, 0.95)
	set(&m.Gain, 0.10)
	set(&m.Busy, 0.50)
	set(&m.Spread, 0.15)
	set(&m.Least, 0.03)
	return m
}

// Its windows, in minutes; what a move costs whatever the size of its VM, in GiB; how much nearer than a minute ago the next
// may come to Over, and the processors that copying takes.
const (
	reliefShort  = 5
	reliefUrgent = 2 // of the newest samples above Full are enough
	reliefOften  = 3 // of the short window's samples must be above
	reliefLong   = 30
	reliefRest   = 20 // without a move, before the long view counts
	reliefCopy   = 4
	reliefNoise  = 0.01
	reliefCores  = 1
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
func (m Relief) Run(_ context.Context, o perl.Options) (perl.Value, error) {
	e, ok := o.Host.(*evaluation)
	if !ok || e.of == nil {
		return perl.Undef(), errNoPass
	}
	return perl.Undef(), m.ask(e, o.Trace)
}

// ask is Run without what only a program needs.
func (m Relief) ask(e *evaluation, trace *perl.Trace) error {
	if e.aim.of != e.of {
		e.aim.marks = m.withDefaults()
		i := slices.IndexFunc(e.r.in.Config.Resources, func(x Resource) bool { return x.CPU })
		if i < 0 {
			return errNoCPU
		}
		e.aim.x = e.r.in.Config.Resources[i]
	}
	return e.relief(&e.aim.marks, &e.aim.x, trace)
}

// aim is what a VM's move is for, found for its first target.
type aim struct {
	marks  Relief
	x      Resource
	of     *VM // whose the rest is
	spread bool
	load   float64
}

// relief looks at the owner first: of a calm one no target is read. What it finds there holds for all targets.
func (e *evaluation) relief(m *Relief, x *Resource, trace *perl.Trace) error {
	if e.aim.of != e.of || trace != nil {
		if err := e.reliefOf(m, x, trace); err != nil {
			return err
		}
	}
	switch {
	case e.aim.of != e.of: // calm
		return nil
	case e.aim.spread:
		return e.reliefSpread(m, x, e.aim.load, trace)
	}
	return e.reliefHot(m, x, e.aim.load, trace)
}

// reliefOf looks at the owner.
func (e *evaluation) reliefOf(m *Relief, x *Resource, trace *perl.Trace) error {
	e.aim.of = nil
	short, err := e.window(x.Name, reliefShort, false)
	if err != nil {
		return err
	}
	above := 0
	for _, v := range short.values {
		if v.Float64() > m.Hot {
			above++
		}
	}
	load := short.read.Average
	if compared(trace, ">", short.read.Newest, m.Over, "the last minute on ", e.owner.Name) {
		e.found(false, max(load, short.read.Newest))
		return nil
	}
	if n := min(reliefUrgent, len(short.values)); n == reliefUrgent {
		least := math.Inf(1)
		for _, v := range short.values[:n] {
			least = min(least, v.Float64())
		}
		if compared(trace, ">", least, m.Full, "the last minutes on ", e.owner.Name) {
			e.found(false, max(load, least))
			return nil
		}
	}
	if compared(trace, ">=", float64(above), reliefOften, "minutes above the mark on ", e.owner.Name) &&
		compared(trace, ">", load, m.Hot, "their mean") {
		e.found(false, load)
		return nil
	}
	long, err := e.window(x.Name, reliefLong, false)
	if err != nil {
		return err
	}
	if !compared(trace, ">", long.read.Average, m.Busy, "mean of half an hour on ", e.owner.Name) {
		return nil
	}
	e.found(true, long.read.Average)
	return nil
}

func (e *evaluation) found(spread bool, load float64) {
	e.aim.of, e.aim.spread, e.aim.load = e.of, spread, load
}

// worth tells whether the VM takes enough from its node to pay for the copying, and whether the node has room for that. It
// reads no target: it is asked once for all of them.
func (e *evaluation) worth(m *Relief, x *Resource, load float64, trace *perl.Trace) (bool, error) {
	e.askedVM = true
	if e.worthy == e.of && trace == nil {
		return true, nil
	}
	ok, err := e.pays(m, x, load, trace)
	if ok {
		e.worthy = e.of
	}
	return ok, err
}

func (e *evaluation) pays(m *Relief, x *Resource, load float64, trace *perl.Trace) (bool, error) {
	even := e.r.share(&VM{Owner: e.of.Owner}, *x, load, e.owner)
	if !compared(trace, ">=", e.r.share(e.of, *x, load, e.owner), min(m.Least, even), "its part of ", e.owner.Name) {
		return false, nil
	}
	short, err := e.window(x.Name, reliefShort, false)
	if err != nil {
		return false, err
	}
	if e.owner.Cores <= 0 || short.read.Newest > m.Over {
		return true, nil
	}
	if compared(trace, "<", short.read.Newest+reliefCores/e.owner.Cores, m.Over-reliefNoise, e.owner.Name, " while it copies") {
		return true, nil
	}
	long, err := e.window(x.Name, reliefLong, false)
	if err != nil {
		return false, err
	}
	return compared(trace, ">=", long.read.Average, m.Full, "mean of half an hour on ", e.owner.Name), nil
}

func (e *evaluation) reliefHot(m *Relief, x *Resource, load float64, trace *perl.Trace) error {
	if ok, err := e.worth(m, x, load, trace); !ok || err != nil {
		return err
	}
	then := 0.0
	for _, minutes := range []int{reliefShort, reliefLong} { // what is quiet for some minutes only is not
		if _, err := e.window(x.Name, minutes, true); err != nil {
			return err
		}
		with, err := e.r.after(e.of, *x, minutes, e.target)
		if err != nil {
			return err
		}
		then = max(then, with)
	}
	near := (m.Hot + m.Full) / 2
	above := func(mark float64) bool { return compared(trace, ">", load, mark, x.Name, " of ", e.owner.Name) }
	stays := func(mark float64) bool {
		return compared(trace, "<", then, mark, x.Name, " of ", e.target.Name, " with it")
	}
	if stays(m.Cool) || above(near) && stays(min(m.Hot, load-m.Gain)) || above(m.Full) && stays(load-m.Gain) {
		e.ask(m, x, load, load-m.Cool, true)
	}
	return nil
}

func (e *evaluation) reliefSpread(m *Relief, x *Resource, load float64, trace *perl.Trace) error {
	if ok, err := e.worth(m, x, load, trace); !ok || err != nil {
		return err
	}
	minutes := e.settled(e.owner)
	if !compared(trace, ">=", float64(minutes), reliefRest, "minutes without a move on ", e.owner.Name) {
		return nil
	}
	e.askedTarget = true
	minutes = min(minutes, e.settled(e.target))
	if !compared(trace, ">=", float64(minutes), reliefRest, "minutes without a move on ", e.target.Name) {
		return nil
	}
	own, err := e.window(x.Name, minutes, false)
	if err != nil {
		return err
	}
	other, err := e.window(x.Name, minutes, true)
	if err != nil {
		return err
	}
	load = own.read.Average
	if !compared(trace, ">", load-other.read.Average, m.Spread, "that mean, above the one of ", e.target.Name, " by") {
		return nil
	}
	then, err := e.r.after(e.of, *x, minutes, e.target)
	if err != nil {
		return err
	}
	part := e.r.share(e.of, *x, load, e.owner)
	if compared(trace, "<", then, load-min(part, m.Gain), x.Name, " of ", e.target.Name, " with it") {
		e.ask(m, x, load, (load-other.read.Average)/2, false)
	}
	return nil
}

// settled is for how many minutes nobody has come to a node or left it, in steps, at most those of the long window. What
// was measured before that does not speak of now: a mean that holds it makes the same move twice.
func (e *evaluation) settled(n *node) int {
	if n.settled == nil {
		minutes := reliefLong
		if !n.changed.IsZero() {
			minutes = min(reliefLong, int(e.r.in.At.Sub(n.changed).Minutes())/reliefShort*reliefShort)
		}
		n.settled = &minutes
	}
	return *n.settled
}

// ask says migrate. much is how much of the owner's load is too much.
func (e *evaluation) ask(m *Relief, x *Resource, load, much float64, hot bool) {
	need := 0
	switch {
	case load > m.Full:
		need = 2
	case hot:
		need = 1
	}
	e.need = max(e.need, need)
	part := e.r.share(e.of, *x, load, e.owner)
	gib := float64(e.of.Mem) / (1 << 30)
	e.gain = max(e.gain, math.Min(part, much)/(gib+reliefCopy))
	e.say(SaidMigrate, 0, perl.Position{})
}

// compared compares, and keeps the step. What is compared is put together only then: there may be a million of them.
func compared(trace *perl.Trace, op string, a, b float64, what ...string) bool {
	is := a > b
	switch op {
	case "<":
		is = a < b
	case ">=":
		is = a >= b
	}
	if trace != nil {
		left, right := fmt.Sprintf("%.4g", a), fmt.Sprintf("%.4g", b)
		trace.Steps = append(trace.Steps, perl.Step{Kind: perl.Compared, Source: strings.Join(what, "") + " " + op + " " + right, Operands: []string{left, right},
			Text: left + " " + op + " " + right, Result: fmt.Sprint(is)})
	}
	return is
}
