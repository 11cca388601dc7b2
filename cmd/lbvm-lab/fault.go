package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/term"
)

func (a app) faultCommand() *cli.Command {
	return &cli.Command{
		Name: "fault", Usage: "let an emulated program fail", ArgsUsage: "[NODE TOOL NAME [VM [NTH [TIMES]]]]", HideHelpCommand: true,
		Description: `From the NTH time on (1) the fault happens TIMES times (1), for that VM or for any (*).
Without arguments the known faults are listed.

   lbvm-lab fault                       what can fail
   lbvm-lab fault node2 vzctl undump-fails 101
   lbvm-lab fault --list                what is set, and has not happened yet
   lbvm-lab fault --clear               nothing fails any more; --clear node2: not there

Which version a tool plays is said by a file of the node: etc/lab-vzctl-version (3.0.22, 3.0.30, 4.11 or 7),
etc/lab-xm-version (3.0.3 to 4.4), etc/lab-xl-version (4.1 to 4.17), etc/lab-virsh-version (0.10 or 9.0). Without
var/lock/subsys/xend no xend runs there, and Xen is driven by xl. docs/lab-tools.md tells more.`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "list", Usage: "list what is set, on all nodes or on one"},
			&cli.BoolFlag{Name: "clear", Usage: "switch what is set off, on all nodes or on one"}, outputFlag()},
		Action: func(c *cli.Context) error {
			asJSON, err := outputOf(c)
			switch {
			case err != nil:
				return err
			case c.Bool("list") && c.Bool("clear"):
				return cli.Exit("choose one of --list, --clear", exitUsage)
			case c.Bool("list") || c.Bool("clear"):
				return a.setFaults(c, asJSON)
			case c.NArg() == 0:
				return a.knownFaults(asJSON)
			}
			return a.setFault(c)
		},
	}
}

// knownFaults lists what can fail.
func (a app) knownFaults(asJSON bool) error {
	type fault struct {
		Tool    string `json:"tool"`
		Name    string `json:"name"`
		Meaning string `json:"meaning"`
	}
	all := []fault{}
	for _, tool := range lab.NodeTools() {
		for _, n := range lab.FaultNames(tool) {
			all = append(all, fault{tool, n, lab.FaultMeaning(tool, n)})
		}
	}
	if asJSON {
		return term.JSON(a.stdout, struct {
			Faults []fault `json:"faults"`
		}{all})
	}
	last := ""
	for _, f := range all {
		if f.Tool != last {
			fmt.Fprintln(a.stdout, f.Tool)
		}
		last = f.Tool
		if _, err := fmt.Fprintf(a.stdout, "   %-20s %s\n", f.Name, f.Meaning); err != nil {
			return err
		}
	}
	return nil
}

// setFault checks a fault before a node is given it.
func (a app) setFault(c *cli.Context) error {
	if err := wants(c, 3, 6); err != nil {
		return err
	}
	l, d, err := a.open(c)
	if err != nil {
		return err
	}
	args := c.Args().Slice()
	args = append(args, []string{"*", "1", "1"}[len(args)-3:]...)
	if err := known(d, args[0]); err != nil {
		return err
	}
	tool, vm := args[1], args[3]
	typ := lab.FaultType(tool)
	if typ == "" {
		var tools []string
		for _, t := range lab.NodeTools() {
			if lab.FaultType(t) != "" {
				tools = append(tools, t)
			}
		}
		return cli.Exit(fmt.Sprintf("no fault is known of %q; these have some: %s", tool, strings.Join(tools, " ")), exitUsage)
	}
	if names := lab.FaultNames(tool); !slices.Contains(names, args[2]) {
		return cli.Exit(fmt.Sprintf("%s knows no fault %q, only: %s", tool, args[2], strings.Join(names, " ")), exitUsage)
	}
	if vm != "*" {
		if err := knownVM(l, typ, vm); err != nil {
			return err
		}
	}
	for i, what := range []string{"NTH", "TIMES"} {
		if n, err := strconv.Atoi(args[4+i]); err != nil || n < 1 {
			return cli.Exit(fmt.Sprintf("%s %q is no number from 1 on", what, args[4+i]), exitUsage)
		}
	}
	_, err = a.daemon(c.Context, l, args[0], append([]string{"fault"}, args[1:]...)...)
	return err
}

// knownVM refuses a VM that the lab has no configuration of.
func knownVM(l lab.Layout, typ, vm string) error {
	names, err := l.VMs(typ)
	if err != nil {
		return err
	}
	if slices.Contains(names, vm) {
		return nil
	}
	have := strings.Join(names, " ")
	if have == "" {
		have = "none"
	}
	return cli.Exit(fmt.Sprintf("this lab has no VM %s:%s; of %s it has %s", typ, vm, typ, have), exitUsage)
}

// setFaults lists or clears what is set, on one node or on all that are on.
func (a app) setFaults(c *cli.Context, asJSON bool) error {
	if err := wants(c, 0, 1); err != nil {
		return err
	}
	l, d, err := a.open(c)
	if err != nil {
		return err
	}
	nodes := d.Nodes
	if n := c.Args().First(); n != "" {
		if err := known(d, n); err != nil {
			return err
		}
		nodes = []string{n}
	}
	type fault struct {
		Node string `json:"node"`
		lab.Fault
	}
	all, on := []fault{}, false
	for _, node := range nodes {
		list, err := a.faultsOf(c.Context, l, node, c.Bool("clear"))
		if errors.Is(err, lab.ErrDown) {
			continue // with its power it has lost its faults
		}
		if err != nil {
			return err
		}
		on = true
		for _, f := range list {
			all = append(all, fault{node, f})
		}
	}
	switch {
	case !on:
		return fmt.Errorf("no node is on of %s: start the lab with lbvm-lab up", strings.Join(nodes, " "))
	case c.Bool("clear"):
		return nil
	case asJSON:
		return term.JSON(a.stdout, struct {
			Faults []fault `json:"faults"`
		}{all})
	case len(all) == 0:
		_, err := fmt.Fprintln(a.stdout, "No fault is set.")
		return err
	}
	var rows [][]string
	for _, f := range all {
		rows = append(rows, []string{f.Node, f.Tool, f.Name, f.VM, strconv.Itoa(f.Nth), strconv.Itoa(f.Times)})
	}
	return term.Table(a.stdout, []string{"NODE", "TOOL", "FAULT", "VM", "NTH", "TIMES"}, rows)
}

func (a app) faultsOf(ctx context.Context, l lab.Layout, node string, clear bool) (list []lab.Fault, err error) {
	if clear {
		_, err = a.daemon(ctx, l, node, "faults", "clear")
		return nil, err
	}
	text, err := a.daemon(ctx, l, node, "faults")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("asking %s for its faults: %w", node, err)
	}
	return list, nil
}
