package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/cluster"
)

func (w world) takeCommand() *cli.Command {
	return &cli.Command{
		Name: "take", Usage: "take a VM for this node, before you start it here by hand", ArgsUsage: "VM",
		Description: "A VM that is started by hand (vzctl start, xm create) is invisible to the agents of the other nodes:\n" +
			"they would start it too. Run this first, on the node on which you will start it, with its service\n" +
			"disabled (clusvcadm -d). The hand-off record then says that it runs here. A memory image of it goes out\n" +
			"of use. To give it back to the cluster, enable the service on this node: the agent takes over what runs.\n\n" +
			"   clusvcadm -d centos && lbm take 101 && vzctl start 101\n   clusvcadm -e centos -m $(hostname)      later\n   lbm take --dry-run 101\n\n" +
			"It is refused while the record names another node that is not proved gone.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 refused and nothing changed, 130 interrupted, nothing changed.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "give up a memory image without a question"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would become of the record"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			return w.onVM(c, func(g ground, asJSON bool) error { return w.take(c, g, asJSON) })
		},
	}
}

// take makes the record this node's.
func (w world) take(c *cli.Context, g ground, asJSON bool) error {
	a, err := w.amender(c.Context, "lbm take", true)
	if err != nil {
		return err
	}
	if g.svc.State != cluster.Disabled {
		return refused(fmt.Errorf("%s is %s: the cluster manager could start %s elsewhere; disable it first (clusvcadm -d %s)", g.svc.ID, g.svc.State, g.ref(), g.svc.ID))
	}
	plan, err := a.Take(c.Context, g.svc.VMType, g.svc.VM)
	if err != nil || c.Bool("dry-run") || !plan.Done() {
		return w.tellChange(plan, err, asJSON, true)
	}
	if plan.Before.Image != "" && !c.Bool("yes") {
		err := w.confirm(c.Context, fmt.Sprintf("The record of %s says %s: its memory is in an image, which goes out of use. The VM will boot.", g.ref(), amend.Place(plan.Before)), g.svc.VM)
		if err != nil {
			return err
		}
	}
	if err := c.Context.Err(); err != nil {
		return cli.Exit("interrupted: nothing was changed", exitInterrupted)
	}
	a.Dry = false
	done, err := a.Take(c.Context, g.svc.VMType, g.svc.VM)
	return w.tellChange(done, err, asJSON, false)
}
