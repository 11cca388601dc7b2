package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

// change asks crm_resource.
func (m *pacemaker) change(ctx context.Context, op string, args ...string) error {
	out, err := command(ctx, m.host, m.run, changeTimeout, "crm_resource", args...)
	switch {
	case errors.Is(err, run.ErrNotFound):
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	case err != nil:
		return fmt.Errorf("%s: %w; unknown: check with crm_mon -1r", op, err)
	case out.Code == 0:
		return nil
	}
	r := &Refusal{Op: op, By: "crm_resource", Code: out.Code, Text: flat(string(out.Stderr) + " " + string(out.Stdout)), Why: ErrFailed}
	switch out.Code { // crm_exit_t of Pacemaker 1.1.19 and later
	case 105, 6:
		r.Why, r.Unchanged = ErrNoService, true
	case 108: // what is asked for is so already
		r.Why, r.Unchanged = ErrAlreadyThere, true
	case 4, 77:
		r.Why, r.Unchanged = ErrPermission, true
	case 102:
		r.Why, r.Unchanged = ErrClient, true
	}
	return r
}

var errUsage = errors.New("the program does not know an option")

// answer runs a program that only asks.
func (m *pacemaker) answer(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	path, err := m.host.Lookup(program)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", run.ErrNotFound, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := m.run.Run(ctx, run.Command{Argv: append([]string{path}, args...), Env: m.host.Environ(), Stdin: stdin, MaxOutput: maxAnswer})
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", program, err)
	}
	said := flat(string(out.Stderr) + " " + string(out.Stdout))
	switch {
	case out.Code == 64 || out.Code == 1 && strings.Contains(string(out.Stderr), "output-as"):
		return nil, fmt.Errorf("%w: %s: %s", errUsage, program, said)
	case out.Code == 102:
		return nil, fmt.Errorf("%w: Pacemaker does not run on this node (%s: %s)", ErrNoStates, program, said)
	case out.Code != 0:
		return nil, fmt.Errorf("%s ended with code %d: %s", program, out.Code, said)
	case out.Truncated:
		return nil, fmt.Errorf("%w: %s printed more than %d bytes", ErrAnswer, program, maxAnswer)
	}
	return out.Stdout, nil
}
