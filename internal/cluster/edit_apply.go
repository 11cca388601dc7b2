package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// errOld says that the configuration has changed since it was read.
var errOld = errors.New("it was edited meanwhile")

// EditCIB makes an edit of Pacemaker's configuration. What edit gives is looked over by crm_verify and, unless dry is set,
// applied; where the configuration has changed since it was read edit is asked again with the newer one, so nothing that
// somebody else has written is overwritten. An Edit without changes is done already. The patch is what is, or would be,
// applied. An error is ErrCIB unless it is not known what came of it.
func EditCIB(ctx context.Context, h host.Host, r run.Runner, dry bool, edit func(CIB) (Edit, error)) (patch string, err error) {
	for try := 1; ; try++ {
		c, err := ReadCIB(ctx, h, r)
		if err != nil {
			return "", fmt.Errorf("%w; %w", err, ErrCIB)
		}
		e, err := edit(c)
		if err != nil {
			return "", fmt.Errorf("%w; %w", err, ErrCIB)
		}
		if len(e.changes) == 0 {
			return "", nil
		}
		if err := verify(ctx, h, r, c, e); err != nil {
			return "", fmt.Errorf("%w; %w", err, ErrCIB)
		}
		if dry {
			return e.Patch(), nil
		}
		err = apply(ctx, h, r, e)
		if !errors.Is(err, errOld) || try == editTries {
			return e.Patch(), err
		}
	}
}

// verify is nil if crm_verify finds nothing in the new configuration that it does not find in the old one, of which many
// have something.
func verify(ctx context.Context, h host.Host, r run.Runner, c CIB, e Edit) error {
	old, _, err := complaints(ctx, h, r, c.text)
	if err != nil {
		return err
	}
	now, bad, err := complaints(ctx, h, r, e.text)
	if err != nil || !bad {
		return err
	}
	now = slices.DeleteFunc(now, func(s string) bool { return slices.Contains(old, s) })
	if len(now) == 0 && len(old) > 0 {
		return nil
	}
	return fmt.Errorf("crm_verify: %s", flat(strings.Join(now, "; ")))
}

// complaints is what crm_verify says of a configuration; bad: it calls that invalid.
func complaints(ctx context.Context, h host.Host, r run.Runner, text []byte) (lines []string, bad bool, err error) {
	path, err := h.Lookup("crm_verify")
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", run.ErrNotFound, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := r.Run(ctx, run.Command{Argv: []string{path, "--xml-pipe", "--verbose"}, Env: h.Environ(), Stdin: text, MaxOutput: maxAnswer})
	if err != nil {
		return nil, false, fmt.Errorf("asking crm_verify: %w", err)
	}
	for _, l := range strings.Split(string(out.Stderr)+"\n"+string(out.Stdout), "\n") {
		// Its lines begin with a function's name in brackets.
		if _, rest, ok := strings.Cut(l, ")"); ok && strings.HasPrefix(l, "(") {
			l = rest
		}
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			lines = append(lines, l)
		}
	}
	return lines, out.Code != 0, nil
}

// apply has cibadmin patch the configuration: all of the edit or nothing, and only the version that was read.
func apply(ctx context.Context, h host.Host, r run.Runner, e Edit) error {
	out, err := command(ctx, h, r, askTimeout, "cibadmin", "--patch", "--xml-text", e.Patch())
	text := flat(string(out.Stderr) + " " + string(out.Stdout))
	switch {
	case errors.Is(err, run.ErrNotFound):
		return fmt.Errorf("editing Pacemaker's configuration: %w; %w", err, ErrCIB)
	case err != nil:
		return fmt.Errorf("editing Pacemaker's configuration: %w; unknown: check with cibadmin --query", err)
	case out.Code == 0:
		return nil
	case strings.Contains(text, "older than existing configuration"), strings.Contains(text, "Application of an update diff failed"), strings.Contains(text, "Application of update diff failed"):
		return fmt.Errorf("editing Pacemaker's configuration: %w; %w (cibadmin: %s)", errOld, ErrCIB, text)
	case out.Code == 102 || out.Code == 124 || out.Code > 128: // not connected any more, no answer in time
		return fmt.Errorf("editing Pacemaker's configuration: cibadmin ended with code %d: %s; unknown: check with cibadmin --query", out.Code, text)
	}
	return fmt.Errorf("editing Pacemaker's configuration: cibadmin ended with code %d: %s; %w", out.Code, text, ErrCIB)
}
