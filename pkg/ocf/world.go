package ocf

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// World is all that an agent sees of the machine.
type World struct {
	Args           []string // Args[0] is the agent's path
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Now gives the stamps of log lines and how long the action has been going on; time.Now, which no step
	// of the node's clock makes longer or shorter.
	Now func() time.Time
	// WithTimeout gives the context of an action its deadline; nil is context.WithTimeout.
	WithTimeout func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	// Log is where messages go; nil is the node's system log.
	Log Logger
	// Context ends when somebody wants the action to end early; nil never ends.
	Context context.Context
	// Box is the file of the black box; "" is none.
	Box string
	// Human says that a person called the agent and wants to read how it went.
	Human bool

	boxWait time.Duration // for a black box on a disk that hangs; 0 is boxDiskWait
	process bool          // Main's: the process is this action's alone, and can be started again as a keeper
}

// Path is the place of a node's file: below the folder that RootVariable names, which on a real node is /.
func (w World) Path(file string) string { return filepath.Join("/", w.Getenv(RootVariable), file) }

// Lookup finds a variable of the environment.
func (w World) Lookup(name string) (string, bool) {
	for _, e := range w.Env {
		if v, ok := valueOf(e, name); ok {
			return v, true
		}
	}
	return "", false
}

// Getenv is Lookup that gives "" for what is missing.
func (w World) Getenv(name string) string {
	v, _ := w.Lookup(name)
	return v
}

// complete fills in what the caller left out.
func (w World) complete() World {
	if w.Stdin == nil {
		w.Stdin = strings.NewReader("")
	}
	if w.Stdout == nil {
		w.Stdout = io.Discard
	}
	if w.Stderr == nil {
		w.Stderr = io.Discard
	}
	if w.Now == nil {
		w.Now = func() time.Time { return time.Time{} }
	}
	if w.Context == nil {
		w.Context = context.Background()
	}
	if w.WithTimeout == nil {
		w.WithTimeout = context.WithTimeout
	}
	return w
}

// Params are the parameters of a call: those that the metadata declares, with their defaults. They are looked up where
// somebody asks: a status check asks for one or two.
type Params struct {
	declared []Param
	env      []string
	given    []paramValue // by other means than the environment; they come first
}

type paramValue struct{ name, value string }

// NewParams makes parameters by hand, for tests of agents.
func NewParams(values map[string]string) Params {
	var p Params
	for k, v := range values {
		p.given = append(p.given, paramValue{k, v})
	}
	return p
}

// Get is a parameter's value, or "".
func (p Params) Get(name string) string {
	v, _ := p.Lookup(name)
	return v
}

// Lookup is Get that tells an empty value from a missing one.
func (p Params) Lookup(name string) (string, bool) {
	for _, g := range p.given {
		if g.name == name {
			return g.value, true
		}
	}
	for i := range p.declared {
		if d := &p.declared[i]; d.Name == name {
			if v, ok := paramIn(p.env, name); ok {
				return v, true
			}
			return d.Default, d.HasDefault
		}
	}
	return "", false
}

// Map is a copy of all parameters that have a value.
func (p Params) Map() map[string]string {
	values := make(map[string]string, len(p.declared)+len(p.given))
	for i := range p.declared {
		if v, ok := p.Lookup(p.declared[i].Name); ok {
			values[p.declared[i].Name] = v
		}
	}
	for _, g := range p.given {
		values[g.name] = g.value
	}
	return values
}

func (p *Params) set(name, value string) {
	for i := range p.given {
		if p.given[i].name == name {
			p.given[i].value = value
			return
		}
	}
	p.given = append(p.given, paramValue{name, value})
}

const keyPrefix = "OCF_RESKEY_"

// params reads what the environment says of the declared parameters. What is set but empty is a value.
func params(w World, m *Metadata) Params { return Params{declared: m.Params, env: w.Env} }

// paramIn finds a parameter's variable.
func paramIn(env []string, name string) (string, bool) {
	for _, e := range env {
		if rest, ok := strings.CutPrefix(e, keyPrefix); ok {
			if v, ok := valueOf(rest, name); ok {
				return v, true
			}
		}
	}
	return "", false
}

// valueOf is the value of the variable name in NAME=VALUE.
func valueOf(e, name string) (string, bool) {
	if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
		return e[len(name)+1:], true
	}
	return "", false
}
