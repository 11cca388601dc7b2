package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/guard"
	"github.com/lbvm/lbvm/internal/run"
)

// guardLimit is how long the shared storage may take to answer at the door. A start by hand waits so long for a share
// that hangs.
const guardLimit = 5 * time.Second

// guardCommand is what the hypervisors' own hooks ask (packaging/guard).
func (w world) guardCommand() *cli.Command {
	return &cli.Command{
		Name: "guard", Usage: "say whether a VM may be started on this node now", ArgsUsage: "TYPE VM",
		Description: "The scripts at the hypervisors' doors ask it: vps.premount of OpenVZ, hooks/qemu of libvirt. A start\n" +
			"passes if the hand-off record says that the VM starts or runs on this node, as the agents write before their\n" +
			"tool runs, and lbm take before you start a VM by hand. If the record cannot be read within 5 s, only a VM\n" +
			"passes that runs here as this node's agents know. A VM that the cluster does not manage always passes.\n\n" +
			"xm and xl have no door: ask by hand, before a start past the cluster.\n\n" +
			"   lbm guard openvz 101\n   lbm guard xen web1 && xm create web1\n\n" +
			"Exit codes: 0 it may, 2 usage, 3 it may not, and why.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "arriving", Usage: "it is being received from another node"},
			&cli.BoolFlag{Name: "arrived", Usage: "it has arrived, or never will: forget that it was let in"},
			&cli.BoolFlag{Name: "by-record", Usage: "ask the record alone, and wait for it (exit code 4: it cannot be read)", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return tooMany(c, "lbm guard needs a type and a VM")
			}
			d := guard.Door{Type: c.Args().Get(0), VM: c.Args().Get(1), Arriving: c.Bool("arriving")}
			g := guard.Guard{Host: w.host, Managed: w.managed}
			if c.Bool("arrived") {
				return g.Arrived(d)
			}
			err := w.askRecord(c.Context, g, d, c.Bool("by-record"))
			if errors.Is(err, guard.ErrAway) && !c.Bool("by-record") {
				err = g.ByNode(d, err)
			}
			switch {
			case errors.Is(err, guard.ErrRefused):
				return refused(errors.New(guard.Reason(err)))
			case errors.Is(err, errSaid):
				return cli.Exit("", exitRefused)
			case errors.Is(err, guard.ErrAway):
				return cli.Exit(err, exitUnknown)
			}
			return err
		},
	}
}

// errSaid is a refusal that was told already.
var errSaid = errors.New("refused")

// askRecord asks the record in a process that is left behind if the shared storage hangs.
func (w world) askRecord(ctx context.Context, g guard.Guard, d guard.Door, here bool) error {
	id, err := w.host.Identity()
	if here || w.self == "" || err != nil || id.Shared == "" {
		return g.ByRecord(d)
	}
	limited, cancel := w.wait.WithTimeout(ctx, guardLimit)
	defer cancel()
	argv := []string{w.self, "guard", "--by-record"}
	if d.Arriving {
		argv = append(argv, "--arriving")
	}
	r, err := w.run.Run(limited, run.Command{Argv: append(argv, "--", d.Type, d.VM), Env: w.host.Environ()})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", guard.ErrAway, err)
	case r.Code == 0:
		return nil
	case r.Code == exitRefused:
		fmt.Fprint(w.stderr, string(r.Stderr))
		return errSaid
	}
	return fmt.Errorf("%w: %s", guard.ErrAway, strings.TrimPrefix(strings.TrimSpace(string(r.Stderr)), "lbm: "+guard.ErrAway.Error()+": "))
}

// managed tells whether the cluster's configuration names the VM; it does where that cannot be read.
func (w world) managed(d guard.Door) bool {
	ctx, cancel := w.wait.WithTimeout(context.Background(), guardLimit)
	defer cancel()
	conf, err := cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
	if err != nil {
		return true
	}
	return slices.ContainsFunc(conf.Machines, func(s cluster.Service) bool { return s.VMType == d.Type && s.VM == d.VM })
}
