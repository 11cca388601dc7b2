package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
)

func (a app) checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "judge what the guests wrote",
		Description: `The checker reads the witness logs that the guests wrote, and nothing else. It finds a guest that
ran twice at a time, one that lost its memory, and one that went on with a stale image. It works
on a lab that is down, too. Exit code 1: something was found.

A guest of a node that was killed boots cold, as it must, and so does one that was restarted (lbm restart):
the logs do not tell that it was meant. Allow that with --cold. Times are those of this
machine, not the lab's. A line of evidence is what the guest wrote: nanoseconds, node, process, the boot
from which its memory comes, and how far it has counted.

   lbvm-lab check
   lbvm-lab check --cold 1              one cold boot more than the first is no lost memory`,
		Flags: []cli.Flag{&cli.IntFlag{Name: "cold", Usage: "allow `N` cold boots of each guest beyond the first"}},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 0); err != nil {
				return err
			}
			l, _, err := a.open(c)
			if err != nil {
				return err
			}
			found, err := lab.CheckAll(l, lab.CheckOptions{ColdAllowed: c.Int("cold")})
			if err != nil {
				return err
			}
			for _, f := range found {
				fmt.Fprintf(a.stdout, "%s  %v  %s\n", f.At.Format("15:04:05.000"), f.Kind, f.VM)
				for _, e := range f.Evidence {
					fmt.Fprintf(a.stdout, "    %s\n", e)
				}
			}
			if len(found) > 0 {
				if !slices.ContainsFunc(found, func(f lab.Finding) bool { return f.Kind != lab.LostMemory }) {
					return fmt.Errorf("the guests' own logs show %s that nothing in them explains; if meant (lbm restart), or bound to be (a node was killed): --cold N", counted(len(found), "cold boot"))
				}
				return fmt.Errorf("the guests' own logs show %s", counted(len(found), "finding"))
			}
			lost := "lost its memory"
			if cold := c.Int("cold"); cold > 0 {
				lost = fmt.Sprintf("booted cold more than %s since the lab was made, beyond its first boot,", counted(cold, "time"))
			}
			_, err = fmt.Fprintf(a.stdout, "No guest ran twice, %s or went on with a stale image.\n", lost)
			return err
		},
	}
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
