// Package ocf makes a cluster's resource agent out of a few functions.
//
// An agent is a program that a cluster manager calls with an action as its argument, its
// parameters in the environment and an exit code as the answer. This package holds the
// whole protocol: it prints the metadata, reads parameters and their defaults, puts a
// deadline on the action, catches panics, logs, and turns errors into exit codes. The
// agent supplies an Agent and an XML file:
//
//	func main() { ocf.Main(metadata, agent{}) }
//
// Start with Agent and Call. Main is for main functions; Run is the same without a process
// and takes the World that Main takes from the machine, for tests. The dialect spoken is
// that of Red Hat's rgmanager.
//
// The package holds no lock, starts no program and knows no cluster.
package ocf

import (
	"context"
	"io"
	"strings"
	"time"
)

// Agent is what every agent can do. A method answers nil for success, an error that carries a Code (Errorf), or
// any other error, which counts as CodeGeneric.
type Agent interface {
	// Start starts the resource and returns when it runs. It is nil where it ran already.
	Start(context.Context, *Call) error
	// Stop stops it and returns when it is down. It is nil where nothing ran. An error means that something
	// may still run: rgmanager gives the whole service up.
	Stop(context.Context, *Call) error
	// Status is nil if it runs here, ErrNotRunning if it certainly does not; all else is "cannot tell".
	Status(context.Context, *Call) error
}

// Migrator moves a running resource to another node. After ErrStillHere the manager knows that nothing happened;
// rgmanager takes any other error but those of CodeConfigured and CodeNotRunning for the loss of the resource.
type Migrator interface {
	Migrate(ctx context.Context, c *Call, target string) error
}

// Receiver is the target's side of a migration, for managers that call it there. rgmanager calls nothing.
type Receiver interface {
	Arrive(ctx context.Context, c *Call, source string) error
}

// Validator checks what validate-all asks for beyond the parameters that the metadata can check.
type Validator interface {
	Validate(context.Context, *Call) error
}

// Recoverer cures in place what a status check found wrong.
type Recoverer interface {
	Recover(context.Context, *Call) error
}

// Reconfigurer takes up parameters that were changed and that the metadata marks with reconfig.
type Reconfigurer interface {
	Reconfig(context.Context, *Call) error
}

// Call is one call of an agent.
type Call struct {
	Action   string        // as the manager named it
	Name     string        // the value of the primary parameter
	Type     string        // the name in the metadata
	Instance string        // TYPE:NAME, or what the manager calls it
	Timeout  time.Duration // of this action; 0 is none. The context's deadline comes from it.
	Depth    int           // how thorough a status check is
	Probe    bool          // the manager only wants to know whether it runs here
	Dialect  Dialect
	Params   Params
	World    World
	Log      Logger
}

// World is all that an agent sees of the machine.
type World struct {
	Args           []string // Args[0] is the agent's path
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time // stamps of log lines
	// WithTimeout gives the context of an action its deadline; nil is context.WithTimeout.
	WithTimeout func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	// Log is where messages go; nil is the node's system log.
	Log Logger
}

// Lookup finds a variable of the environment.
func (w World) Lookup(name string) (string, bool) {
	for _, e := range w.Env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
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
	if w.WithTimeout == nil {
		w.WithTimeout = context.WithTimeout
	}
	return w
}

// Params are the parameters of a call: those that the metadata declares, with their defaults.
type Params struct{ values map[string]string }

// NewParams makes parameters by hand, for tests of agents.
func NewParams(values map[string]string) Params {
	p := Params{make(map[string]string, len(values))}
	for k, v := range values {
		p.values[k] = v
	}
	return p
}

// Get is a parameter's value, or "".
func (p Params) Get(name string) string { return p.values[name] }

// Lookup is Get that tells an empty value from a missing one.
func (p Params) Lookup(name string) (string, bool) {
	v, ok := p.values[name]
	return v, ok
}

// Map is a copy of all parameters that have a value.
func (p Params) Map() map[string]string { return NewParams(p.values).values }

const keyPrefix = "OCF_RESKEY_"

// params reads what the environment says of the declared parameters. What is set but empty is a value.
func params(w World, m *Metadata) Params {
	p := Params{make(map[string]string, len(m.Params))}
	for _, d := range m.Params {
		if v, ok := w.Lookup(keyPrefix + d.Name); ok {
			p.values[d.Name] = v
		} else if d.HasDefault {
			p.values[d.Name] = d.Default
		}
	}
	return p
}
