package perl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// The defaults of Limits.
const (
	defaultSteps    = 1_000_000
	defaultBytes    = 1 << 20
	defaultElements = 100_000
	defaultDepth    = 1_000
	defaultOutput   = 64 << 10
	defaultTime     = 2 * time.Second

	checkEvery = 1024    // steps between two looks at the context, at most
	checkBytes = 4 << 20 // bytes that the operators of so many steps may read
)

// site is a place in the source: its offset, and the line that perl would name.
type site struct {
	off  int
	line int
	warn bool // use warnings is in force
}

// machine is one run of a program. A machine is used by one goroutine at a time.
type machine struct {
	prog     *Program
	opt      Options
	ctx      context.Context
	cancel   context.CancelFunc
	f        *frame
	stack    []Value // values of lists
	loans    []loan
	ptrs     []*Value // aliases: what foreach, map and @_ run over
	rets     []Value  // what a sub returns in list context
	retv     Value    // what it returns in scalar context
	globals  []*Value
	arrays   []*array
	hashes   []*hash
	saves    []saved
	frames   [][]*frame // unused frames of each sub
	codes    []*code    // named subs
	match    *match     // nil, or one of matches
	literals []Value
	readOnly map[*Value]bool // the cells of literals
	before   *match          // match where the foreach at hand began
	matches  []match         // by number, see matchOp
	regexes  map[string]*regex
	places   map[*Value]place // where the next //g of a scalar goes on
	label    string           // where next and last go
	call     Call
	slab     []Value
	free     int
	buf      []byte
	done     []bool // which state variables are set
	random   uint64

	tails    [4]tail
	nextTail int

	steps, stop, maxSteps, scanned  int
	every                           int // steps between two looks at the context
	maxBytes, maxElements, maxDepth int
	depth, nest, output, maxOutput  int
	memory, maxMemory               int
	leftLoop                        bool // the loop that was run last was left by last
	where                           int  // the loop or call that was begun last: where a limit is reported
}

// frame holds the lexical variables of one call.
type frame struct {
	s     []*Value
	a     []*array
	h     []*hash
	own   []Value
	ownA  []array
	ownH  []hash
	intro []bool // scalars, then arrays, then hashes that a my has met
	args  *array // @_
	want  Want
}

// saved is a binding to put back.
type saved struct {
	slot **Value
	old  *Value
	val  Value // for local
	set  bool
}

// snapshot is what an eval, a loop or a call restores when a panic passes.
type snapshot struct {
	f                               *frame
	stack, ptrs, saves, depth, nest int
	match, before                   *match
}

func (m *machine) snapshot() snapshot {
	return snapshot{m.f, len(m.stack), len(m.ptrs), len(m.saves), m.depth, m.nest, m.match, m.before}
}

func (m *machine) restore(s snapshot) {
	m.unwind(s.saves)
	m.f, m.depth, m.nest, m.match, m.before = s.f, s.depth, s.nest, s.match, s.before
	m.stack, m.ptrs = m.stack[:s.stack], m.ptrs[:s.ptrs]
}

func (m *machine) unwind(to int) {
	for len(m.saves) > to {
		s := m.saves[len(m.saves)-1]
		m.saves = m.saves[:len(m.saves)-1]
		if s.set {
			*s.old = s.val
		} else {
			*s.slot = s.old
		}
	}
}

// bind makes a name an alias until the matching unwind.
func (m *machine) bind(slot **Value, to *Value) {
	m.saves = append(m.saves, saved{slot: slot, old: *slot})
	*slot = to
}

// dieError is a die on its way to an eval or to the end of the run.
type dieError struct {
	val Value
	off int
	err error // of the host function, if it was one
}

// limitError ends the run; no eval catches it.
type limitError struct {
	name string
	text string
}

// jump is a next, last or return that leaves an expression.
type jump struct{ c ctl }

func (m *machine) die(at site, text string) {
	panic(&dieError{String(fmt.Sprintf("%s at %s line %d.\n", text, m.prog.fileName(), at.line)), at.off, nil})
}

func (m *machine) dieValue(at site, v Value) { panic(&dieError{v, at.off, nil}) }

func (m *machine) exceed(name string, limit int) {
	what := map[string]string{
		"steps": "steps", "memory": "bytes of values made", "bytes": "bytes in one string", "elements": "elements in one list", "depth": "nested calls", "output": "bytes of output",
	}[name]
	panic(&limitError{name, fmt.Sprintf("limit: more than %d %s", limit, what)})
}

// step counts work; it looks at the limits now and then.
func (m *machine) step(n int) {
	if m.steps += n; m.steps >= m.stop {
		m.check()
	}
}

// charge counts bytes copied, so that many small strings cost as much as a large one.
func (m *machine) charge(n int) {
	if n > m.maxBytes {
		m.exceed("bytes", m.maxBytes)
	}
	if n > checkBytes/checkEvery {
		m.long(n)
	}
	m.made(n + textBytes)
	m.step(n >> 8)
}

// long notes that there is a string of n bytes. An operator reads all of it in one step: the clock is looked at more often.
func (m *machine) long(n int) {
	if every := max(1, checkBytes/n); every < m.every {
		m.every, m.stop = every, min(m.stop, m.steps+every)
	}
}

func (m *machine) check() {
	if m.steps > m.maxSteps {
		m.exceed("steps", m.maxSteps)
	}
	m.stop = m.steps + m.every
	if m.stop > m.maxSteps {
		m.stop = m.maxSteps + 1
	}
	if m.cancel == nil { // most rules end before they need a clock
		m.ctx, m.cancel = context.WithTimeout(m.ctx, m.opt.Limits.Time)
	}
	if err := m.ctx.Err(); err != nil {
		text := err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			text = "limit: out of time"
		}
		panic(&limitError{"time", text})
	}
}

// room makes sure that n more values fit on the stack.
func (m *machine) room(n int) {
	if len(m.stack)+n > m.maxElements {
		m.exceed("elements", m.maxElements)
	}
	m.step(n)
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// prepare readies the machine for a run.
func (m *machine) prepare(ctx context.Context, o Options) {
	m.opt, m.ctx, m.cancel = o, ctx, nil
	m.loans = m.loans[:0]
	l := &m.opt.Limits
	m.maxSteps, m.maxBytes = orDefault(l.Steps, defaultSteps), orDefault(l.Bytes, defaultBytes)
	m.maxElements, m.maxDepth = orDefault(l.Elements, defaultElements), orDefault(l.Depth, defaultDepth)
	m.maxOutput, m.maxMemory = orDefault(l.Output, defaultOutput), orDefault(l.Memory, defaultMemory)
	if l.Time <= 0 {
		l.Time = defaultTime
	}
	if m.opt.Zone == nil {
		m.opt.Zone = time.UTC
	}
	if m.opt.Warn == nil {
		m.opt.Warn = m.opt.Out
	}
	m.steps, m.stop, m.depth, m.output = 0, min(checkEvery, m.maxSteps+1), 0, 0
	m.every = checkEvery
	m.long(1 + len(m.prog.src.text)) // it may be one literal
	m.memory, m.nest, m.where, m.tails = 0, 0, 0, [4]tail{}
	m.stack, m.ptrs, m.saves, m.rets = m.stack[:0], m.ptrs[:0], m.saves[:0], m.rets[:0]
	m.retv, m.match, m.before, m.label = Value{}, nil, nil, ""
	m.places, m.random = nil, 0
	m.free = 0 // a machine is used again only where nothing can refer to its cells
	for _, g := range m.globals {
		*g = Value{}
	}
	for _, a := range m.arrays {
		a.v, a.iter = a.v[:0], 0
	}
	for _, h := range m.hashes {
		h.clear()
	}
	clear(m.matches)
	for i := range m.done {
		m.done[i] = false
	}
	*m.globals[gSpace] = valSpace
	*m.globals[gSubsep] = valSubsep
	*m.globals[gErr] = valEmpty
	*m.globals[gName] = valName
	*m.globals[gPid] = Int(1)
	*m.globals[gVersion] = valVersion
	*m.globals[gFlush] = Int(0)
	m.f = m.newFrame(m.prog.main)
	m.bindSubs()
}

var (
	valEmpty   = String("")
	valSpace   = String(" ")
	valSubsep  = String("\x1c")
	valName    = String("lbmonitor")
	valVersion = String("5.036000")
)

// newMachine makes a machine for a program.
func newMachine(p *Program) *machine {
	m := &machine{prog: p, frames: make([][]*frame, len(p.protos)), codes: make([]*code, len(p.protos)), done: make([]bool, p.globals[0])}
	m.globals, m.arrays, m.hashes = pointers[Value](p.globals[0]), pointers[array](p.globals[1]), pointers[hash](p.globals[2])
	if len(p.literals) > 0 {
		m.literals, m.readOnly = slices.Clone(p.literals), make(map[*Value]bool, len(p.literals))
		for i := range m.literals {
			m.readOnly[&m.literals[i]] = true
		}
	}
	if p.matches > 0 {
		m.matches = make([]match, p.matches+1)
	}
	m.call.prog = p
	return m
}

// pointers points to n new variables, which are cut from one piece.
func pointers[T any](n int) []*T {
	own, all := make([]T, n), make([]*T, n)
	for i := range own {
		all[i] = &own[i]
	}
	return all
}

// newFrame gives a frame with fresh variables.
func (m *machine) newFrame(p *proto) *frame {
	var f *frame
	if free := m.frames[p.index]; len(free) > 0 {
		f = free[len(free)-1]
		m.frames[p.index] = free[:len(free)-1]
	} else {
		m.made(frameBytes + p.slots[0]*cellBytes + p.slots[1]*arrayBytes + p.slots[2]*hashBytes)
		f = &frame{
			s: make([]*Value, p.slots[0]), a: make([]*array, p.slots[1]), h: make([]*hash, p.slots[2]),
			own: make([]Value, p.slots[0]), ownA: make([]array, p.slots[1]), ownH: make([]hash, p.slots[2]),
			args: new(array),
		}
		if m.prog.usesRefs {
			f.intro = make([]bool, p.slots[0]+p.slots[1]+p.slots[2])
		}
	}
	for i := range f.own {
		f.own[i] = Value{}
		f.s[i] = &f.own[i]
	}
	for i := range f.ownA {
		f.ownA[i].v, f.ownA[i].iter = f.ownA[i].v[:0], 0
		f.a[i] = &f.ownA[i]
	}
	for i := range f.ownH {
		f.ownH[i].clear()
		f.h[i] = &f.ownH[i]
	}
	return f
}

// release gives a frame back, unless something may still point into it.
func (m *machine) release(p *proto, f *frame) {
	if !m.prog.usesRefs {
		m.frames[p.index] = append(m.frames[p.index], f)
	}
}

// write sends text to the output, within its limit.
func (m *machine) write(w io.Writer, s string) {
	if m.output += len(s); m.output > m.maxOutput {
		m.exceed("output", m.maxOutput)
	}
	if w != nil && s != "" {
		// a log that can not be written must not change what the rule decides
		_, _ = io.WriteString(w, s)
	}
}
