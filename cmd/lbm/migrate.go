package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) migrateCommand() *cli.Command {
	return &cli.Command{
		Name: "migrate", Usage: "hand a running VM to another node", ArgsUsage: "VM NODE",
		Description: "Asks the cluster manager to relocate the VM's service, with the instruction that keeps its memory,\n" +
			"and verifies where it has come to run. Checks come first: a node that is offline, forbidden by the\n" +
			"failover domain, too small or silent is refused, and nothing is changed.\n\n" +
			"   lbm migrate 101 node2\n" +
			"   lbm migrate --dry-run xen:web1 node3\n\n" +
			"Exit codes: 0 it runs on NODE, 1 failed, 3 refused, 4 not verified, 5 it runs elsewhere.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check only"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return tooMany(c, "lbm migrate needs a VM and a node")
			}
			return w.migrate(c, c.Args().Get(0), c.Args().Get(1), c.Bool("dry-run"))
		},
	}
}

// stale is how old facts may be: as old as samples, since lblog writes both. 0, the mover's own measure, where lbvm.conf
// does not tell.
func (w world) stale() time.Duration {
	file, err := w.configuration()
	if err != nil {
		fmt.Fprintln(w.stderr, "lbm:", err)
		return 0
	}
	return file.Stale
}

func (w world) migrate(c *cli.Context, vm, target string, dry bool) error {
	id, err := w.host.Identity()
	if err != nil {
		return cli.Exit(err, exitRefused)
	}
	shared, err := w.host.SharedDir(id)
	if err != nil && !errors.Is(err, host.ErrNotShared) {
		return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitRefused)
	}
	st, err := w.manager().Status(c.Context)
	if err != nil {
		return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitRefused)
	}
	svc, err := resolve(st, vm)
	if err != nil {
		return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitRefused)
	}
	log := logrus.New()
	log.SetOutput(w.stderr)
	log.SetLevel(logrus.ErrorLevel) // what a move came to is said below
	m := move.Mover{Manager: w.manager(), Shared: shared, Clock: w.clock, Wait: w.wait, Log: log,
		Fresh: w.stale(), Journal: balance.OpenJournal(filepath.Join(w.host.Path(id.LogDir), balance.JournalName))}
	r := move.Request{Type: svc.VMType, VM: svc.VM, Target: target, By: "lbm", Why: "asked for on " + id.Member}
	if err := m.Check(c.Context, r); err != nil {
		return cli.Exit(err, exitRefused)
	}
	if dry {
		fmt.Fprintf(w.stdout, "%s:%s can be moved from %s to %s\n", svc.VMType, svc.VM, svc.Owner, target)
		return nil
	}
	fmt.Fprintf(w.stdout, "moving %s:%s from %s to %s ...\n", svc.VMType, svc.VM, svc.Owner, target)
	told := context.AfterFunc(c.Context, func() {
		fmt.Fprintln(w.stderr, "lbm: interrupted: what has begun is watched to its end ...")
	})
	rec, err := m.Move(c.Context, r)
	told()
	switch {
	case err == nil:
		fmt.Fprintf(w.stdout, "%s runs on %s after %s, memory %s\n", rec.VM, rec.Owner, rec.End.Sub(rec.Begin).Round(100*time.Millisecond), rec.Memory)
		return nil
	case errors.Is(err, move.ErrRefused):
		return cli.Exit(err, exitRefused)
	case errors.Is(err, move.ErrElsewhere):
		return cli.Exit(err, exitPartly)
	case errors.Is(err, move.ErrUnverified):
		return cli.Exit(fmt.Sprintf("%v; unknown: check with clustat and lbm list", err), exitUnknown)
	}
	return cli.Exit(fmt.Sprintf("%v; check with clustat and lbm list", err), exitFailed)
}
