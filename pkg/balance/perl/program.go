package perl

import (
	"io"
	"time"
)

// Host is handed through to the host functions; the engine never looks at it.
type Host any

// Func is a function that the caller lends to the rules, such as res or migrate.
type Func struct {
	Name     string
	Min, Max int // number of arguments as written; Max < 0: any number
	// Check looks at a call when the rule is loaded. literals holds one value for each
	// argument as written; what is no literal is Undef. A text refuses the call.
	// Inside eval {} it is only a warning.
	Check func(literals []Value) string
	// Call does the work. An error ends the rule as die does.
	Call func(h Host, c *Call) error
}

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
}

// Trace collects what was called and compared, in order.
type Trace struct{ Steps []Step }

// Step is one host call or comparison.
type Step struct {
	Line, Col int
	Source    string // as written: average(res('cpu',5)) > 0.70
	Text      string // with its values: 0.83 > 0.7
	Result    string // true, false, or the value of a call
}
