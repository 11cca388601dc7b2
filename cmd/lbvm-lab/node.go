package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (a app) nodeCommand() *cli.Command {
	sub := func(name, usage, description, done string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: "NODE", Description: description, Action: func(c *cli.Context) error {
			if err := wants(c, 1, 1); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			node := c.Args().First()
			if err := known(d, node); err != nil {
				return err
			}
			if _, err := a.manager(c.Context, l, "node", name, node); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, done+"\n", node)
			return err
		}}
	}
	return &cli.Command{
		Name: "node", Usage: "kill a node, start it, let it leave", HideHelpCommand: true,
		Description: "   lbvm-lab node kill node2\n   lbvm-lab node start node2",
		Subcommands: []*cli.Command{
			sub("kill", "cut the power of a node", "Every process of the node dies at once. The others miss it, fence it, and start its services.", "%s is off."),
			sub("start", "boot a node, or let it join again", "rgmanager stops every service there first, as it does at each of its starts.", "%s is up and joins."),
			sub("leave", "stop rgmanager and cman on a node", "Its services move to other nodes. The machine runs on, and frozen services with it; nobody fences it.", "%s has left the cluster."),
		},
		Action: func(c *cli.Context) error {
			return cli.Exit("usage: lbvm-lab node kill|start|leave NODE", exitUsage)
		},
	}
}
