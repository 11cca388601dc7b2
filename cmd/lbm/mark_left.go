package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/term"
)

// markLeftCommand is for the init script that stops between rgmanager and cman.
func (w world) markLeftCommand() *cli.Command {
	return &cli.Command{
		Name: "mark-left", Usage: "note which VMs stay on this node while it leaves the cluster", Hidden: true,
		Description: "The init script calls it when rgmanager has stopped and before cman does. A VM that still runs here,\n" +
			"because its service is frozen or it was started by hand, gets a note in its hand-off record: no other node\n" +
			"starts it until this one has booted anew, or an administrator has run lbm confirm-down.\n\n" +
			"With --back it takes this node's notes back: it is a member again, without a boot in between.\n\n" +
			"   lbm mark-left\n   lbm mark-left --back\n   lbm mark-left --dry-run\n\n" +
			"Exit codes: 0 done, 1 failed for some, 2 usage, 3 refused and nothing changed.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "back", Usage: "this node is back: take its notes back"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be noted"}, outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm mark-left takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			dry := c.Bool("dry-run")
			w.share = nil // a node that leaves waits for the share: others must know what stays here
			a, err := w.amender(c.Context, "lbm mark-left", dry)
			if err != nil {
				return err
			}
			var done []amend.Change
			if c.Bool("back") {
				a.By += " --back"
				done, err = a.Returned(c.Context)
			} else {
				done, err = a.Leaving(c.Context, func(typ string) (amend.Looker, error) {
					if typ == vmexec.Type {
						return vmexec.Node{Tools: w.execTools(), VMs: w.execVMs()}, nil
					}
					return hypervisor.New(typ, hypervisor.Tools{Host: w.host, Clock: clock.System(), Query: w.run, Change: w.run})
				})
			}
			rows := []changeRow{}
			for _, x := range done {
				rows = append(rows, rowOf(x, dry))
				if asJSON {
					continue
				}
				if terr := w.tellChange(x, nil, false, dry); terr != nil {
					return terr
				}
			}
			if asJSON {
				if jerr := term.JSON(w.stdout, struct {
					VMs []changeRow `json:"vms"`
				}{rows}); jerr != nil {
					return jerr
				}
			}
			switch {
			case err == nil:
				return nil
			case len(done) == 0 && errors.Is(err, amend.ErrRefused):
				return refused(err)
			case len(done) == 0:
				return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitFailed)
			}
			return cli.Exit(fmt.Sprintf("%v; changed so far: the records above", err), exitFailed)
		},
	}
}
