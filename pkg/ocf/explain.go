package ocf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// ErrExplained ends an explanation where what follows depends on a change that was not made, or on time.
var ErrExplained = errors.New("what follows depends on what comes of that")

// plan is what an explanation has said so far. A nil one is a real action.
type plan struct {
	mu      sync.Mutex
	to      io.Writer
	changed bool // a change was told: from here on nothing that is asked is true
}

func (p *plan) isChanged() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *plan) say(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(p.to, line+"\n")
	return err
}

// Log shows the human what a real action would have logged: an explanation writes nothing into the node's log.
func (p *plan) Log(level Level, msg string, kv ...any) {
	if level >= LevelDebug {
		return
	}
	if err := p.say("  log, " + level.String() + ": " + ascii(render(msg, kv))); err != nil {
		return // nobody reads it
	}
}

// Explaining tells whether nothing may be changed.
func (c *Call) Explaining() bool { return c != nil && c.plan != nil }

// Say prints a line of an explanation, and nothing in a real action.
func (c *Call) Say(format string, a ...any) {
	if !c.Explaining() {
		return
	}
	if err := c.plan.say(fmt.Sprintf(format, a...)); err != nil {
		return // nobody reads it
	}
}

// planned tells of a change instead of making it.
func (c *Call) planned(argv []string) Output {
	c.plan.mu.Lock()
	c.plan.changed = true
	c.plan.mu.Unlock()
	c.Say("  would run: %s", commandLine(argv))
	return Output{Argv: argv}
}

// explain prints what an action would do. The exit code is 0 where that could be said.
func explain(c *Call, m *Metadata, a Agent, do func(context.Context) error) Code {
	c.Say("%s of %s, as %s calls it. Nothing is changed.", c.Action, c.Instance, c.Dialect)
	if do == nil {
		c.Say("  this agent has no such action")
		c.Say("end: %s", endOf(c, CodeUnimplemented))
		return CodeOK
	}
	explainParams(c, m)
	if c.Timeout > 0 {
		c.Say("  time: %s; what still runs after %s is told to end", c.Timeout, c.Timeout-reserve(c.Timeout))
	}
	sp := speechOf(c.Dialect)
	if name, primary := missing(c, m); name != "" {
		c.Say("  the parameter %q is missing: nothing is done", name)
		c.Say("end: %s", endOf(c, sp.missing(c, primary)))
		return CodeOK
	}
	x, ok := a.(Explainer)
	if !ok {
		c.Say("  this agent cannot say what it would run")
		return CodeOK
	}
	err := perform(c, func(ctx context.Context) error { return x.Explain(ctx, c, do) })
	switch code := sp.code(c, err); {
	case errors.Is(err, ErrExplained):
		c.Say("then it goes on by what comes of that")
	case err == nil || code == CodeOK:
		c.Say("end: %s", endOf(c, code))
	default:
		c.Say("end: %s: %s", endOf(c, code), strings.TrimSpace(ascii(err.Error())))
	}
	return CodeOK
}

// explainParams prints the parameters; those that only the manager reads, where somebody set them.
func explainParams(c *Call, m *Metadata) {
	for _, p := range m.Params {
		v, ok := c.Params.Lookup(p.Name)
		isDefault := p.HasDefault && v == p.Default
		switch {
		case !ok || isDefault && (v == "" || policy(p.Name)):
			continue
		case isDefault:
			c.Say("  %s=%s (default)", p.Name, shellWord(v))
		default:
			c.Say("  %s=%s", p.Name, shellWord(v))
		}
	}
}

// endOf is an exit code in words.
func endOf(c *Call, code Code) string {
	return fmt.Sprintf("%s (exit %d)", outcomeWord(c, code), int(code))
}
