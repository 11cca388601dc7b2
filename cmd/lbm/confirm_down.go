package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/amend"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/handoff/protocol"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/term"
)

func (w world) confirmDownCommand() *cli.Command {
	return &cli.Command{
		Name: "confirm-down", Usage: "confirm that a node is off, so that a VM which it had may start elsewhere", ArgsUsage: "VM NODE",
		Description: "A VM is started elsewhere only when the node that had it is proved gone: it was fenced, or has booted\n" +
			"anew. Where nothing can prove it, this command takes your word: the record stops naming NODE. GO AND LOOK\n" +
			"FIRST: the power of NODE is off, or nothing of the VM runs there. If it does run, it will run twice, and\n" +
			"its disks will be destroyed. What is known is shown before it asks.\n\n" +
			"When it is the right one, and what comes before it. NODE has left the cluster in order:\n" +
			indented(protocol.Freeing("VM", "NODE", true)) +
			"NODE was lost: a fencing is owed, for which the cluster manager waits too, whatever the record says:\n" +
			indented(protocol.Freeing("VM", "NODE", false)) + "\n" +
			"It is refused while NODE is a member, and while the cluster has no quorum. A whole memory image stays\n" +
			"in use. It starts nothing.\n\n" +
			"   lbm confirm-down 101 node2\n   lbm confirm-down --dry-run xen:web1 node2\n   lbm confirm-down --yes 101 node2      for scripts that have switched it off\n\n" +
			"Exit codes: 0 done, or the record named nobody already, 1 failed, 2 usage, 3 refused and nothing changed,\n130 interrupted, nothing changed.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "confirm without a question"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would become of the record"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return tooMany(c, "lbm confirm-down needs a VM and a node")
			}
			node := c.Args().Get(1)
			if err := host.CheckName(node); err != nil {
				return tooMany(c, err.Error())
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			a, err := w.amender(c.Context, "lbm confirm-down", true)
			if err != nil {
				return err
			}
			typ, vm, service, err := w.namedVM(c.Args().First())
			if err != nil {
				return err
			}
			a.Service = service
			plan, err := a.ConfirmDown(c.Context, typ, vm, node)
			if err != nil || !plan.Done() {
				return w.tellChange(plan, err, asJSON, true)
			}
			h := w.service(c.Context, typ, vm)
			waits := h.waits(node, plan.Before.Left)
			if !asJSON && (c.Bool("dry-run") || !c.Bool("yes")) {
				if err := w.showEvidence(c.Context, a, plan.Before, node, h); err != nil {
					return err
				}
				fmt.Fprintln(w.stdout)
				if waits != "" {
					fmt.Fprintf(w.stdout, "%s\n\n", w.inItsWords(waits))
				}
			}
			if c.Bool("dry-run") {
				return w.tellChange(plan, nil, asJSON, true)
			}
			if !c.Bool("yes") {
				err := w.confirm(c.Context, fmt.Sprintf("The record of %s:%s says %s. It would say %s, and the VM could be started on another node.\n"+
					"If %s is not off and the VM runs there, it will run twice and its disks will be destroyed.\n"+
					"Have you seen that %s is off?", typ, vm, amend.Place(plan.Before), amend.Place(plan.After), node, node), node)
				if err != nil {
					return err
				}
			}
			if err := c.Context.Err(); err != nil {
				return cli.Exit("interrupted: nothing was changed", exitInterrupted)
			}
			a.Dry = false
			done, err := a.ConfirmDown(c.Context, typ, vm, node)
			if err != nil || asJSON || !done.Done() {
				return w.tellChange(done, err, asJSON, false)
			}
			if err := w.tellChange(done, nil, false, false); err != nil {
				return err
			}
			switch {
			case done.After.Phase == handoff.Running: // another node has it
			case waits != "" && !c.Bool("yes"):
				fmt.Fprintf(w.stdout, "the cluster manager waits for the fencing of %s still: what ends that stands above the question\n", node)
			case waits != "":
				fmt.Fprintln(w.stdout, w.inItsWords(waits))
			default:
				fmt.Fprintf(w.stdout, "start it by: lbm repair %s\n", vm)
			}
			return nil
		},
	}
}

// changeRow is what became of a record.
type changeRow struct {
	VM      string `json:"vm"`
	Before  string `json:"before"`
	After   string `json:"after"`
	Changed bool   `json:"changed"`
}

func rowOf(x amend.Change, dry bool) changeRow {
	return changeRow{x.Type + ":" + x.VM, amend.Place(x.Before), amend.Place(x.After), x.Done() && !dry}
}

// tellChange prints what became of a record.
func (w world) tellChange(x amend.Change, err error, asJSON, dry bool) error {
	switch {
	case errors.Is(err, amend.ErrRefused):
		return refused(err)
	case err != nil:
		return cli.Exit(err, exitFailed)
	case asJSON:
		return term.JSON(w.stdout, rowOf(x, dry))
	case !x.Done():
		fmt.Fprintf(w.stdout, "the record of %s:%s says %s; nothing was changed\n", x.Type, x.VM, amend.Place(x.Before))
	case dry:
		fmt.Fprintf(w.stdout, "the record of %s:%s says %s and would say %s; nothing was changed\n", x.Type, x.VM, amend.Place(x.Before), amend.Place(x.After))
	default:
		fmt.Fprintf(w.stdout, "the record of %s:%s said %s, and now says %s\n", x.Type, x.VM, amend.Place(x.Before), amend.Place(x.After))
	}
	return nil
}

// indented are the ways to free a VM, as a help shows them.
func indented(steps []protocol.Step) string {
	var b strings.Builder
	for i, s := range steps {
		text := s.What
		if s.Command != "" {
			text = s.Command + ": " + text
		}
		for j, line := range wrapped(text, 96) {
			mark := "     "
			if j == 0 {
				mark = fmt.Sprintf("  %d. ", i+1)
			}
			fmt.Fprintf(&b, "%s%s\n", mark, line)
		}
	}
	return b.String()
}

// wrapped are the lines of a text.
func wrapped(text string, width int) []string {
	var out []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len(line)+1+len(w) > width {
			out, line = append(out, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(out, line)
}
