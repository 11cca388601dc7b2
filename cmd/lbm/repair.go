package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
)

func (w world) repairCommand() *cli.Command {
	return &cli.Command{
		Name: "repair", Usage: "bring a VM's service back to where the VM is", ArgsUsage: "VM",
		Description: "For a service that is failed, stopped or disabled while its VM runs, waits in an image, or is nowhere:\n" +
			"a failed service is disabled (clusvcadm -d), then the service is enabled on the node that the hand-off\n" +
			"record names, where the agent takes the guest over, or anywhere if it names none (clusvcadm -e). It\n" +
			"never writes the record, and refuses where a node that may have the VM is not proved gone, and a failed\n" +
			"service without a record (the cluster suite's <vm>, or no shared storage): its guest may still run.\n\n" +
			"   lbm repair 101\n   lbm repair --dry-run web1\n\n" +
			"Exit codes: 0 it runs, or nothing was wrong, 1 failed, 2 usage, 3 refused and nothing changed,\n4 not verified, 130 interrupted before anything was begun.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be asked of the cluster manager"}, outputFlag()},
		Action: func(c *cli.Context) error {
			return w.onVM(c, func(g ground, asJSON bool) error { return w.repair(c, g, asJSON) })
		},
	}
}

// repair asks for what brings service and record together.
func (w world) repair(c *cli.Context, g ground, asJSON bool) error {
	r := g.request("repair asked for")
	if c.Bool("dry-run") {
		rep, err := g.mover.PlanRepair(c.Context, r)
		return w.tellRepair(g, rep, err, asJSON, true)
	}
	told := w.watching(c.Context)
	rep, err := g.mover.Repair(c.Context, r)
	told()
	return w.tellRepair(g, rep, err, asJSON, false)
}

// command is the step as an administrator would type it.
func command(service string, s move.RepairStep) string {
	switch {
	case s.Disable:
		return "clusvcadm -d " + service
	case s.Node != "":
		return "clusvcadm -e " + service + " -m " + s.Node
	}
	return "clusvcadm -e " + service
}

func (w world) tellRepair(g ground, rep move.Repair, err error, asJSON, dry bool) error {
	steps := []string{}
	for _, s := range rep.Steps {
		steps = append(steps, w.inItsWords(command(rep.Service, s)))
	}
	if asJSON {
		row := struct {
			VM      string   `json:"vm"`
			Service string   `json:"service"`
			Found   string   `json:"found"`
			Steps   []string `json:"steps"`
			Owner   *string  `json:"owner"`
			Error   *string  `json:"error"`
		}{VM: g.ref(), Service: rep.Service, Found: rep.Why, Steps: steps}
		if rep.Owner != "" {
			row.Owner = &rep.Owner
		}
		if err != nil {
			text := err.Error()
			row.Error = &text
		}
		if jerr := term.JSON(w.stdout, row); jerr != nil {
			return jerr
		}
		return ended(err)
	}
	if rep.Why != "" {
		fmt.Fprintln(w.stdout, rep.Why)
	}
	for _, s := range steps {
		fmt.Fprintln(w.stdout, "  "+s)
	}
	switch {
	case err != nil:
		return ended(err)
	case len(steps) == 0:
		fmt.Fprintln(w.stdout, "nothing is wrong; nothing was changed")
	case dry:
		fmt.Fprintln(w.stdout, "would be asked; nothing was changed")
	default:
		fmt.Fprintf(w.stdout, "%s runs on %s\n", g.ref(), rep.Owner)
	}
	return nil
}
