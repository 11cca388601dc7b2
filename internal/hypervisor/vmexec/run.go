package vmexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

const (
	// A question may take a third of the time that is left, so that the action can still act on the answer.
	askPart = 3
	askMost = 15 * time.Second
	// No change outlives this, even if the caller set no deadline.
	changeMost = 30 * time.Minute
	// mostOutput is kept of what a program says. A longer answer to status is unknown.
	mostOutput = 64 << 10
)

// made is a command as it would be run.
func (c *command) made(h host.Host, v values) (run.Command, error) {
	out := run.Command{MaxOutput: mostOutput}
	if c.shell != "" {
		out.Argv, out.Env = []string{"/bin/sh", "-c", c.shell}, h.ShellEnviron()
		for _, name := range []string{"name", "config", "image", "target"} {
			if v[name] != "" {
				out.Env = append(out.Env, "VM_"+strings.ToUpper(name)+"="+v[name])
			}
		}
		return out, nil
	}
	out.Env = h.Environ()
	for _, w := range c.words {
		out.Argv = append(out.Argv, w.fill(v))
	}
	program, err := program(h, out.Argv[0])
	out.Argv[0] = program
	return out, err
}

// program is where a program lies.
func program(h host.Host, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		path := h.Path(name)
		if fi, err := os.Stat(path); err != nil {
			return path, notFound(err)
		} else if !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
			return path, fmt.Errorf("%w: %s cannot be executed", hypervisor.ErrNoProgram, path)
		}
		return path, nil
	}
	path, err := h.Lookup(name)
	return path, notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", hypervisor.ErrNoProgram, err)
	}
	return err
}

// text is a command for a person.
func text(c run.Command) string {
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = w
		if w == "" || strings.ContainsAny(w, " \t\"'$;&|<>(){}\\") {
			words[i] = strconv.Quote(w)
		}
	}
	return strings.Join(words, " ")
}

// ask runs status and reads its answer.
func (d *driver) ask(ctx context.Context, vm string, v values) (hypervisor.State, string, error) {
	c := d.def.commands[status]
	made, err := c.made(d.tools.Host, v)
	if err != nil {
		return hypervisor.Unknown, "", err
	}
	most := askMost
	if c.timeout > 0 {
		most = c.timeout
	}
	ctx, cancel := clock.Share(ctx, askPart, most)
	defer cancel()
	r, err := d.tools.Query.Run(ctx, made)
	if errors.Is(err, run.ErrNotFound) {
		err = fmt.Errorf("%w: %w", hypervisor.ErrNoProgram, err)
	}
	if err != nil {
		return hypervisor.Unknown, "", err
	}
	s, err := d.def.meaning(r, vm)
	return s, answer(r), err
}

// meaning is what an answer to status means. Rows that disagree mean nothing.
func (d *Definition) meaning(r run.Result, vm string) (hypervisor.State, error) {
	if r.Truncated {
		return hypervisor.Unknown, fmt.Errorf("%w: it is too long", hypervisor.ErrAnswer)
	}
	var found *row
	c := d.commands[status]
	for i := range c.rows {
		x := &c.rows[i]
		ok, err := x.holds(r, vm)
		if err != nil {
			return hypervisor.Unknown, err
		}
		switch {
		case !ok:
		case found != nil && found.means != x.means:
			return hypervisor.Unknown, fmt.Errorf("%w: line %d of the definition means %s and line %d %s: %s", hypervisor.ErrAnswer, found.at.Line, found.means, x.at.Line, x.means, answer(r))
		default:
			found = x
		}
	}
	switch {
	case found == nil:
		return hypervisor.Unknown, fmt.Errorf("%w: no line of the definition means %s", hypervisor.ErrAnswer, answer(r))
	case states()[found.means] == hypervisor.Unknown:
		return hypervisor.Unknown, fmt.Errorf("%w: line %d of the definition means unknown: %s", hypervisor.ErrAnswer, found.at.Line, answer(r))
	}
	return states()[found.means], nil
}

// holds tells whether all conditions of a row hold.
func (x *row) holds(r run.Result, vm string) (bool, error) {
	if x.exits != nil {
		ok := false
		for _, n := range x.exits {
			ok = ok || n == r.Code
		}
		if !ok {
			return false, nil
		}
	}
	for _, t := range []struct {
		p    *pattern
		said []byte
	}{{x.output, r.Stdout}, {x.errors, r.Stderr}} {
		if t.p == nil {
			continue
		}
		re, err := t.p.compile(vm)
		if err != nil || !re.Match(t.said) {
			return false, err
		}
	}
	return true, nil
}

// answer is what a program answered, for a message: its code and the ends of what it said.
func answer(r run.Result) string {
	s := fmt.Sprintf("exit %d", r.Code)
	for _, x := range []struct {
		what string
		said []byte
	}{{"output", r.Stdout}, {"error", r.Stderr}} {
		text := strings.TrimSpace(strings.ToValidUTF8(string(x.said), "?"))
		if text == "" {
			continue
		}
		if len(text) > 160 {
			text = "..." + strings.ToValidUTF8(text[len(text)-160:], "")
		}
		s += fmt.Sprintf(", %s %q", x.what, text)
	}
	return s
}

// change runs a command that changes the guest and waits for its end. nil is the program's word, and no more.
func (d *driver) change(ctx context.Context, name string, v values, then bool) error {
	c := d.def.commands[name]
	made, err := c.made(d.tools.Host, v)
	if err != nil {
		return err
	}
	if x := d.tools.Rehearsal; x != nil {
		x.Play(made.Argv, then)
		return nil
	}
	most := changeMost
	if c.timeout > 0 {
		most = c.timeout
	}
	ctx, cancel := clock.Share(ctx, 1, most)
	defer cancel()
	r, err := d.tools.Change.Run(ctx, made)
	if errors.Is(err, run.ErrNotFound) {
		err = fmt.Errorf("%w: %w", hypervisor.ErrNoProgram, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", name, text(made), err)
	}
	return c.outcome(r, v["name"])
}

// outcome reads how a change ended. Without a row that means done, exit 0 does.
func (c *command) outcome(r run.Result, vm string) error {
	given, ok := false, r.Code == 0
	for i := range c.rows {
		x := &c.rows[i]
		holds, err := x.holds(r, vm)
		if err != nil {
			return err
		}
		if x.means == failed && holds {
			return fmt.Errorf("%s failed by line %d of the definition: %s", c.name, x.at.Line, answer(r))
		}
		if x.means == done {
			ok = given && ok || holds
			given = true
		}
	}
	if !ok {
		return fmt.Errorf("%s failed: %s", c.name, answer(r))
	}
	return nil
}
