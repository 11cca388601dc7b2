package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
)

func (a app) faultCommand() *cli.Command {
	return &cli.Command{
		Name: "fault", Usage: "let an emulated program fail", ArgsUsage: "NODE TOOL NAME [VM [NTH [TIMES]]]",
		Description: `From the NTH time on (1) the fault happens TIMES times (1), for that VM or for any (*).
Without arguments the known faults are listed.

   lbvm-lab fault                       what can fail
   lbvm-lab fault node2 vzctl undump-fails 101

Which version a tool plays is said by a file of the node: etc/lab-vzctl-version (3.0.22, 3.0.30, 4.11 or 7),
etc/lab-xm-version (3.0.3 to 4.4), etc/lab-xl-version (4.1 to 4.17). Without var/lock/subsys/xend no xend runs
there, and Xen is driven by xl. docs/lab-tools.md tells more.`,
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				for _, tool := range lab.NodeTools() {
					if names := lab.FaultNames(tool); len(names) > 0 {
						fmt.Fprintf(a.stdout, "%s\n", tool)
						for _, n := range names {
							fmt.Fprintf(a.stdout, "   %-20s %s\n", n, lab.FaultMeaning(n))
						}
					}
				}
				return nil
			}
			if err := wants(c, 3, 6); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			args := c.Args().Slice()
			if err := known(d, args[0]); err != nil {
				return err
			}
			args = append(args, []string{"*", "1", "1"}[len(args)-3:]...)
			_, err = a.daemon(c.Context, l, args[0], append([]string{"fault"}, args[1:]...)...)
			return err
		},
	}
}
