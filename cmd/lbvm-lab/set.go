package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab/rgmanager"
	"github.com/lbvm/lbvm/internal/term"
)

func (a app) setCommand() *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "change how the cluster behaves", ArgsUsage: "[SWITCH VALUE]", HideHelpCommand: true,
		Description: `Without arguments the switches are shown as they are.

   lbvm-lab set
   lbvm-lab set fence 60s        fencing takes so long, in the lab's time; never: it does not succeed
   lbvm-lab set suite el6        fence_tool tells who was fenced, as on RHEL 6 (el5: cman_tool nodes -f)
   lbvm-lab set gfs frozen       the shared storage stands still from the loss of a node to its fencing (free: it does not)
   lbvm-lab set --clear          all switches as they were at the beginning`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "clear", Usage: "turn all switches back"}, outputFlag()},
		Action: func(c *cli.Context) error {
			if n := c.NArg(); n != 0 && n != 2 || n != 0 && c.Bool("clear") {
				return cli.Exit("usage: lbvm-lab set [SWITCH VALUE | --clear]", exitUsage)
			}
			asJSON, err := outputOf(c)
			if err != nil {
				return err
			}
			if c.NArg() == 2 {
				if err := rgmanager.CheckSwitch(c.Args().Get(0), c.Args().Get(1)); err != nil {
					return cli.Exit(err.Error(), exitUsage)
				}
			}
			l, _, err := a.open(c)
			switch {
			case err != nil:
				return err
			case c.Bool("clear"):
				_, err = a.manager(c.Context, l, "set", "clear")
				return err
			case c.NArg() == 2:
				_, err = a.manager(c.Context, l, "set", c.Args().Get(0), c.Args().Get(1))
				return err
			}
			text, err := a.manager(c.Context, l, "switches")
			if err != nil {
				return err
			}
			var list []rgmanager.Switch
			if err := json.Unmarshal([]byte(text), &list); err != nil {
				return fmt.Errorf("asking for the switches: %w", err)
			}
			if asJSON {
				return term.JSON(a.stdout, struct {
					Switches []rgmanager.Switch `json:"switches"`
				}{list})
			}
			var rows [][]string
			for _, s := range list {
				rows = append(rows, []string{s.Name, s.Value, s.Default})
			}
			return term.Table(a.stdout, []string{"SWITCH", "VALUE", "DEFAULT"}, rows)
		},
	}
}
