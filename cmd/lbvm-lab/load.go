package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
)

func (a app) loadCommand() *cli.Command {
	return &cli.Command{
		Name: "load", Usage: "set the load of a node or of a guest", ArgsUsage: "TARGET VALUE",
		Description: `VALUE is a share of the node's processors, 0 to 1. What a guest uses, its node sees, and the guest
takes it along when it moves.

   lbvm-lab load node1 0.9              something on node1 itself, not a guest
   lbvm-lab load openvz:101 0.6         in a guest, wherever it runs`,
		Action: func(c *cli.Context) error {
			if err := wants(c, 2, 2); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			target, value := c.Args().Get(0), c.Args().Get(1)
			if share, err := strconv.ParseFloat(value, 64); err != nil || !(share >= 0 && share <= 1) {
				return cli.Exit(fmt.Sprintf("load %q is not a share between 0 and 1", value), exitUsage)
			}
			if !strings.Contains(target, ":") {
				if err := known(d, target); err != nil {
					return err
				}
				_, err := a.daemon(c.Context, l, target, "load", value)
				return err
			}
			node, err := a.whereIs(c.Context, l, d, target)
			if err != nil {
				return err
			}
			_, err = a.daemon(c.Context, l, node, "load", target, value)
			return err
		},
	}
}

func (a app) crashCommand() *cli.Command {
	return &cli.Command{
		Name: "crash", Usage: "kill a guest", ArgsUsage: "TYPE:VM",
		Description: "The guest's process dies; the next status check finds out.\n\n   lbvm-lab crash xen:web1",
		Action: func(c *cli.Context) error {
			if err := wants(c, 1, 1); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			node, err := a.whereIs(c.Context, l, d, c.Args().First())
			if err != nil {
				return err
			}
			_, err = a.daemon(c.Context, l, node, "crash", c.Args().First())
			return err
		},
	}
}

// guests asks every node that is on for its guests.
func (a app) guests(ctx context.Context, l lab.Layout, d lab.Description) (map[string][]lab.GuestInfo, error) {
	all := map[string][]lab.GuestInfo{}
	for _, node := range d.Nodes {
		r, err := lab.Call(ctx, l.NodeSocket(node), lab.Request{Node: node, Argv: []string{"lab", "guests"}})
		if err != nil {
			continue // it is off
		}
		var list []lab.GuestInfo
		if err := json.Unmarshal(r.Stdout, &list); err != nil {
			return nil, fmt.Errorf("asking %s for its guests: %w", node, err)
		}
		all[node] = list
	}
	return all, nil
}

// whereIs finds the node that runs a guest, TYPE:VM.
func (a app) whereIs(ctx context.Context, l lab.Layout, d lab.Description, guest string) (string, error) {
	typ, vm, _ := strings.Cut(guest, ":")
	if types := []string{"openvz", "xen", "kvm"}; vm == "" || !slices.Contains(types, typ) {
		return "", cli.Exit(fmt.Sprintf("%q is not of the form TYPE:VM; types are %s", guest, strings.Join(types, " ")), exitUsage)
	}
	if err := knownVM(l, typ, vm); err != nil {
		return "", err
	}
	all, err := a.guests(ctx, l, d)
	if err != nil {
		return "", err
	}
	for _, node := range d.Nodes {
		if slices.ContainsFunc(all[node], func(g lab.GuestInfo) bool { return g.Type+":"+g.VM == guest }) {
			return node, nil
		}
	}
	return "", fmt.Errorf("no node runs a guest %s: lbvm-lab status shows who runs where", guest)
}
