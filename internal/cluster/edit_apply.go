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

// errLost says that nobody knows whether the configuration was changed.
var errLost = errors.New("unknown: check with cibadmin --query")

// EditCIB makes an edit of Pacemaker's configuration. What edit gives is looked over by crm_verify and, unless dry is set,
// applied; where the configuration has changed since it was read edit is asked again with the newer one, so nothing that
// somebody else has written is overwritten. An Edit without changes is done already. Where no answer came it is looked what
// is there, behind a raised version (cibadmin --bump) that the lost patch does not fit any more: then edit is asked again,
// too. The patch is what is, or would be, applied. An error is ErrCIB unless it is not known what came of it.
func EditCIB(ctx context.Context, h host.Host, r run.Runner, dry bool, edit func(CIB) (Edit, error)) (patch string, err error) {
	c, err := ReadCIB(ctx, h, r)
	if err != nil {
		return "", fmt.Errorf("%w; %w", err, ErrCIB)
	}
	for try, silent := 1, 0; ; try++ {
		e, err := edit(c)
		if err != nil {
			return "", fmt.Errorf("%w; %w", err, ErrCIB)
		}
		if len(e.changes) == 0 {
			return patch, nil
		}
		switch {
		case silent == busyTries:
			return patch, fmt.Errorf("editing Pacemaker's configuration: no answer, and nothing was done, %d times; %w", silent, ErrCIB)
		case try > editTries:
			return patch, fmt.Errorf("editing Pacemaker's configuration: it was edited meanwhile, %d times in a row; %w", editTries, ErrCIB)
		}
		if err := verify(ctx, h, r, c, e); err != nil {
			return "", fmt.Errorf("%w; %w", err, ErrCIB)
		}
		patch = e.Patch()
		if dry {
			return patch, nil
		}
		if err = apply(ctx, h, r, e); err == nil || errors.Is(err, run.ErrNotFound) {
			return patch, err
		}
		lost := errors.Is(err, errLost)
		if lost {
			silent++
		}
		var serr error
		if c, serr = settle(ctx, h, r, e, lost); serr != nil {
			return patch, fmt.Errorf("%w (looked for: %w)", err, serr)
		}
		if !lost && c.version == e.from { // it was refused for what it is
			return patch, err
		}
	}
}

// settle reads the configuration behind an edit that was not made, or of which no answer came (lost): it is certain then that
// the edit was made before, or never will be. A patch holds for one version: where that is still the one it is raised.
func settle(ctx context.Context, h host.Host, r run.Runner, e Edit, lost bool) (CIB, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	c, err := ReadCIB(ctx, h, r)
	if err != nil || !lost || c.version != e.from {
		return c, err
	}
	if err := Outdate(ctx, h, r); err != nil {
		return c, err
	}
	if c, err = ReadCIB(ctx, h, r); err == nil && c.version == e.from {
		err = errors.New("cibadmin --bump has raised nothing")
	}
	return c, err
}

// Outdate raises the configuration's version, and changes nothing else: a patch for an older one, which may still be on its way,
// is not made any more.
func Outdate(ctx context.Context, h host.Host, r run.Runner) error {
	out, err := command(ctx, h, r, askTimeout, "cibadmin", "--bump")
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("cibadmin --bump ended with code %d: %s", out.Code, flat(string(out.Stderr)+" "+string(out.Stdout)))
	}
	return err
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

// noAnswer tells of an exit code that cibadmin was not connected any more, had no answer in time, or was ended: a crm_exit_t, before
// 1.1.19 what errno was (ETIME, ECOMM, ENOTCONN, ETIMEDOUT, EREMOTEIO).
func noAnswer(code int) bool {
	switch code {
	case 102, 124, 62, 70, 107, 110, 121:
		return true
	}
	return code > 128
}

// apply has cibadmin patch the configuration: all of the edit or nothing, and only the version that was read. Why it was not is
// not told by the exit code alone: what came too late ends with 103 or 1 (2.1.5), and so does a path that leads nowhere.
func apply(ctx context.Context, h host.Host, r run.Runner, e Edit) error {
	out, err := command(ctx, h, r, askTimeout, "cibadmin", "--patch", "--xml-text", e.Patch())
	switch {
	case errors.Is(err, run.ErrNotFound):
		return fmt.Errorf("editing Pacemaker's configuration: %w; %w", err, ErrCIB)
	case err != nil:
		return fmt.Errorf("editing Pacemaker's configuration: %w; %w", err, errLost)
	case out.Code == 0:
		return nil
	}
	why := ErrCIB
	if noAnswer(out.Code) {
		why = errLost
	}
	return fmt.Errorf("editing Pacemaker's configuration: cibadmin ended with code %d: %s; %w", out.Code, flat(string(out.Stderr)+" "+string(out.Stdout)), why)
}
