package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) restartCommand() *cli.Command {
	return &cli.Command{
		Name: "restart", Usage: "shut a VM down and boot it anew, where it is", ArgsUsage: "VM",
		Description: "Restarts the VM's service in place (clusvcadm -R), with the instruction that its memory is not to be\n" +
			"kept: an ordinary stop and start would bring it back where it stood. Other VMs of the same service are\n" +
			"stopped and started as well, with their memory. It is done when the guest has booted anew.\n" +
			"It asks first, unless --yes is given or the answer is JSON.\n\n" +
			"   lbm restart 101\n   lbm restart --yes 101\n   lbm restart --dry-run xen:web1\n\n" +
			"Exit codes: 0 it was restarted, 1 failed, 2 usage, 3 refused and nothing changed, 4 not verified,\n5 it was started on another node, 130 interrupted before anything was begun.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check only"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}, outputFlag()},
		Action: func(c *cli.Context) error {
			return w.onVM(c, func(g ground, asJSON bool) error { return w.restart(c, g, asJSON) })
		},
	}
}

// restart shuts down and boots.
func (w world) restart(c *cli.Context, g ground, asJSON bool) error {
	r := g.request("restart asked for")
	node, err := g.mover.CheckRestart(c.Context, r)
	if err != nil {
		return ended(err)
	}
	if c.Bool("dry-run") {
		if asJSON {
			return term.JSON(w.stdout, struct {
				VM      string `json:"vm"`
				Node    string `json:"node"`
				Service string `json:"service"`
			}{g.ref(), node, g.svc.ID})
		}
		fmt.Fprintf(w.stdout, "%s would be shut down and booted on %s, with %s; nothing was changed\n", g.ref(), node, g.svc.ID)
		return nil
	}
	if !asJSON && !c.Bool("yes") {
		if err := w.confirm(c.Context, fmt.Sprintf("%s is shut down on %s, and booted there anew.", g.ref(), node), g.svc.VM); err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Fprintf(w.stdout, "restarting %s on %s ...\n", g.ref(), node)
	}
	told := w.watching(c.Context)
	rec, err := g.mover.Restart(c.Context, r)
	told()
	return w.tellMove(rec, err, asJSON, "was restarted on "+rec.Owner)
}

// movedRow is what a move came to. Unknown is null.
type movedRow struct {
	VM      string   `json:"vm"`
	Txn     string   `json:"txn"`
	Kind    string   `json:"kind"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Outcome string   `json:"outcome"`
	Owner   *string  `json:"owner"`
	Memory  *string  `json:"memory"`
	Seconds *float64 `json:"seconds"`
	Error   *string  `json:"error"`
}

// tellMove prints what a move came to.
func (w world) tellMove(rec balance.Move, err error, asJSON bool, done string) error {
	took := rec.End.Sub(rec.Begin)
	if asJSON && rec.VM != "" {
		row := movedRow{VM: rec.VM, Txn: rec.Txn, Kind: rec.Kind, From: rec.From, To: rec.To, Outcome: string(rec.Outcome)}
		memory, seconds := string(rec.Memory), took.Seconds()
		if rec.From == rec.To {
			row.Kind, memory = restartEvent, "" // it was asked to boot: nothing is lost
			if rec.Outcome == balance.OutcomeMoved {
				row.Outcome = "restarted"
			}
		}
		if rec.Owner != "" {
			row.Owner = &rec.Owner
		}
		if memory != "" && rec.Memory != balance.MemoryUnknown {
			row.Memory = &memory
		}
		if !rec.End.IsZero() {
			row.Seconds = &seconds
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
	if err != nil {
		return ended(err)
	}
	if rec.From == rec.To {
		fmt.Fprintf(w.stdout, "%s %s after %s, booted anew\n", rec.VM, done, took.Round(100*time.Millisecond))
		return nil
	}
	fmt.Fprintf(w.stdout, "%s %s after %s, memory %s\n", rec.VM, done, took.Round(100*time.Millisecond), rec.Memory)
	return nil
}
