package ocf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrExplained ends an explanation where what follows depends on a change that was not made.
var ErrExplained = errors.New("what follows depends on what that command does")

// plan is what an explanation has said so far.
type plan struct {
	to      io.Writer
	changed bool // a change was told: from here on nothing that is asked is true
}

// Explaining tells whether nothing may be changed.
func (c *Call) Explaining() bool { return c != nil && c.plan != nil }

// Say prints a line of an explanation, and nothing in a real action.
func (c *Call) Say(format string, a ...any) {
	if !c.Explaining() {
		return
	}
	if _, err := fmt.Fprintf(c.plan.to, format+"\n", a...); err != nil {
		c.Log.Log(LevelDebug, err.Error())
	}
}

// explain prints what an action would do.
func explain(c *Call, m *Metadata, a Agent, do func(context.Context) error) Code {
	c.plan = &plan{to: c.World.Stdout}
	c.Say("%s of %s, as %s calls it", c.Action, c.Instance, c.Dialect)
	for _, p := range m.Params {
		v, ok := c.Params.Lookup(p.Name)
		switch {
		case !ok:
			continue
		case p.HasDefault && v == p.Default:
			c.Say("  %s=%s (default)", p.Name, v)
		default:
			c.Say("  %s=%s", p.Name, v)
		}
	}
	if c.Timeout > 0 {
		c.Say("  time: %s, of which %s are kept back for tidying up", c.Timeout, reserve(c.Timeout))
	}
	if name, _ := missing(c, m); name != "" {
		c.Say("nothing is done: the parameter %q is missing", name)
		return CodeOK
	}
	x, ok := a.(Explainer)
	if !ok {
		c.Say("this agent does not say more")
		return CodeOK
	}
	err := perform(c, func(ctx context.Context) error { return x.Explain(ctx, c, do) })
	switch {
	case err == nil:
		c.Say("then: done")
	case errors.Is(err, ErrExplained):
		c.Say("then: it goes on by what that command answers")
	default:
		c.Say("then: %s (exit %d)", strings.TrimSpace(err.Error()), int(speechOf(c.Dialect).code(c, err)))
	}
	return CodeOK
}
