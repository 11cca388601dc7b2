package perl

import (
	"context"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Host is handed through to the host functions; the engine never looks at it.
type Host any

// Func is a function that the caller lends to the rules, such as res or migrate.
type Func struct {
	Name     string
	Min, Max int  // number of arguments; Max < 0: any number
	Role     Role // what it is to a rule; only the warnings look at it
	// Check looks at a call when the rule is loaded. literals holds one value for each
	// argument as written; what is no literal is Undef. A text refuses the call.
	// Inside eval {} it is only a warning.
	Check func(literals []Value) string
	// Call does the work. An error ends the rule as die does.
	Call func(h Host, c *Call) error
}

// Role tells the warnings what a host function is for.
type Role int

// The roles.
const (
	Plain     Role = iota
	Series         // gives a list of values, such as res
	Aggregate      // makes one value of a list, such as average
	Verdict        // is what a rule is written for, such as migrate
)

// Want is the context of a call.
type Want int

// The contexts of perl.
const (
	WantScalar Want = iota
	WantList
	WantVoid
)

// Call is one call of a host function. It is valid only until the function returns.
type Call struct {
	args []Value
	ret  []Value
	want Want
	off  int
	prog *Program
}

// Args are the arguments, flattened as perl does. They must not be kept.
func (c *Call) Args() []Value { return c.args }

// Return sets the values that the call gives. In scalar context the last one counts.
func (c *Call) Return(v ...Value) { c.ret = append(c.ret, v...) }

// Want is the context of the call.
func (c *Call) Want() Want { return c.want }

// Pos is the place of the call.
func (c *Call) Pos() Position { return c.prog.src.position(c.off) }

// Limits bound one run. Zero fields have the defaults.
type Limits struct {
	Steps    int           // loop turns, calls, list elements built: 1,000,000
	Bytes    int           // length of one string: 1 MiB
	Elements int           // elements of one array, hash or list: 100,000
	Depth    int           // nested calls: 1,000
	Output   int           // bytes printed: 64 KiB
	Memory   int           // bytes of all values made in the run, which is more than it can ever hold: 64 MiB
	Time     time.Duration // 2 s
}

// Options are what one run gets from outside.
type Options struct {
	Host   Host
	Now    time.Time      // the instant that time and localtime tell
	Zone   *time.Location // nil: UTC
	Limits Limits
	Out    io.Writer // what print writes; nil: nowhere
	Warn   io.Writer // what warn and print STDERR write; nil: Out
	Trace  *Trace    // nil costs nothing
	VM     string    // whose algorithm it is, and for which node it runs: what the error of a limit names
	Node   string
}

// Trace collects what was called, compared and decided, in order. It holds the first 10,000 steps.
type Trace struct {
	Steps   []Step
	Dropped int // steps that were not kept
}

// Step is one host call, comparison, match or logical operator.
type Step struct {
	Kind            StepKind
	Line, Col       int      // where it begins
	EndLine, EndCol int      // just behind its end
	Source          string   // as written: average(res('cpu',5)) > 0.70
	Operands        []string // as literals: 0.83, 0.70; what a logical operator did not look at is missing
	Text            string   // with its values: 0.83 > 0.70
	Result          string   // true, false, or the value
}

// StepKind is what a step of a trace did.
type StepKind int

// The kinds of steps.
const (
	Called StepKind = iota
	Compared
	Matched
	Decided // && || // ! and their kin
)

// Program is a compiled algorithm. It never changes and may be run by many goroutines at once.
type Program struct {
	src      *source
	funcs    []Func
	main     *proto
	protos   []*proto // by index; main is the first
	named    []*proto // named subs
	globals  [3]int   // package scalars, arrays, hashes
	matches  int      // matches and substitutions
	literals []Value  // those that are aliases
	usesRefs bool
	pure     bool
	ran      atomic.Bool // a run has ended
	pool     sync.Pool

	again  sync.Once
	traced *Program // the same with steps for a trace, made when it is first asked for
}

func (p *Program) fileName() string {
	if p.src.at.File == "" {
		return "algorithm"
	}
	return p.src.at.File
}

// Deterministic tells whether two runs over the same data give the same answers
// and nothing else: the program takes no random numbers and prints nothing.
func (p *Program) Deterministic() bool { return p.pure }

// Compile reads an algorithm. It gives no Program if one of the diagnostics is an error.
func Compile(src []byte, at Position, funcs []Func) (*Program, []Diagnostic) {
	return compile(string(src), at, funcs, false)
}

func compile(src string, at Position, funcs []Func, tracing bool) (prog *Program, diags []Diagnostic) {
	if at.Line == 0 {
		at.Line = 1
	}
	if at.Col == 0 {
		at.Col = 1
	}
	s := newSource(src, at)
	p := newParser(s, funcs)
	defer func() {
		if r := recover(); r != nil { // a fault of the engine must not keep the rules of others from running
			p.given = false
			prog, diags = nil, append(p.diags, s.diagnostic(Error, 0, fmt.Sprintf("internal error: %v", r), ""))
		}
	}()
	if len(src) > maxSource {
		p.err(0, fmt.Sprintf("limit: an algorithm of more than %d bytes", maxSource), "")
		return nil, p.diags
	}
	root := p.parse()
	if root != nil && p.height(root) < 0 {
		root = nil
	}
	r := newResolver(p)
	var main *subInfo
	if root != nil {
		main = r.program(root)
		lint(p, r, root)
	}
	if root != nil && !hasError(p.diags) {
		prog = compileProgram(p, r, main, tracing)
		if hasError(p.diags) {
			prog = nil
		}
	}
	sort.SliceStable(p.diags, func(i, j int) bool {
		a, b := p.diags[i].Pos, p.diags[j].Pos
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return prog, p.diags
}

func hasError(diags []Diagnostic) bool {
	for _, d := range diags {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Run evaluates the program once and gives the value of its last statement.
// An error is a *RuntimeError.
func (p *Program) Run(ctx context.Context, o Options) (Value, error) {
	p = p.forRun(&o)
	m := p.machine()
	v, _, err := m.run(ctx, o, WantScalar)
	p.giveBack(m)
	return v, err
}

// RunList is Run in list context.
func (p *Program) RunList(ctx context.Context, o Options) ([]Value, error) {
	p = p.forRun(&o)
	m := p.machine()
	_, list, err := m.run(ctx, o, WantList)
	list = append([]Value(nil), list...)
	p.giveBack(m)
	return list, err
}

// forRun gives the form of the program that writes a trace where one is wanted. The other has nothing of it.
func (p *Program) forRun(o *Options) *Program {
	if o.Trace == nil {
		return p
	}
	p.again.Do(func() { p.traced, _ = compile(p.src.text, p.src.at, p.funcs, true) })
	return p.traced
}

// machine gives a machine for a run. The pool is not touched for the first one: what a pool holds outlives its program by
// two collections of garbage, and many programs run only once.
func (p *Program) machine() *machine {
	if p.ran.Load() {
		if m, ok := p.pool.Get().(*machine); ok {
			return m
		}
	}
	return newMachine(p)
}

// keepBelow is how much a run may have made for its machine to be used again.
const keepBelow = 1 << 20

// giveBack keeps the machine for the next run. One whose values may be referred to from outside is left to the collector.
func (p *Program) giveBack(m *machine) {
	if !p.ran.Load() {
		p.ran.Store(true)
		return
	}
	if !p.usesRefs && m.memory < keepBelow {
		m.opt, m.ctx = Options{}, nil
		p.pool.Put(m)
	}
}

func (m *machine) run(ctx context.Context, o Options, want Want) (v Value, list []Value, err error) {
	if e := ctx.Err(); e != nil {
		return v, nil, &RuntimeError{Pos: m.prog.src.at, Text: e.Error() + "\n", Limit: "time", VM: o.VM, Node: o.Node}
	}
	m.prepare(ctx, o)
	defer func() {
		if m.cancel != nil {
			m.cancel()
			m.cancel = nil
		}
		if r := recover(); r != nil {
			v, list, err = m.failure(r)
		}
		m.unwind(0)
	}()
	m.f.want = want
	m.prog.main.body(m)
	v, list = m.retv, m.rets
	m.release(m.prog.main, m.f)
	return v, list, nil
}

// failure turns what ended a run into its result.
func (m *machine) failure(r any) (Value, []Value, error) {
	e := &RuntimeError{Pos: m.prog.src.at, VM: m.opt.VM, Node: m.opt.Node}
	if e.VM == "" {
		e.VM = e.Pos.VM
	}
	switch x := r.(type) {
	case *dieError:
		e.Pos, e.Text, e.Err = m.prog.src.position(x.off), x.val.str(), x.err
	case *limitError:
		e.Pos, e.Text, e.Limit = m.prog.src.position(m.where), x.text+"\n", x.name
	case *jump: // next or last outside of a loop ends the algorithm
		if x.c == ctlReturn {
			return m.retv, m.rets, nil
		}
		return Value{}, nil, nil
	default: // a fault of the engine, or of a host function: it must not take the balancer down
		e.Text = fmt.Sprintf("internal error: %v\n", r)
	}
	return Value{}, nil, e
}
