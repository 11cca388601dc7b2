package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) migrateCommand() *cli.Command {
	return &cli.Command{
		Name: "migrate", Usage: "hand a running VM to another node", ArgsUsage: "VM [NODE]",
		Description: "Asks the cluster manager to relocate the VM's service, with the instruction that keeps its memory,\n" +
			"and verifies where it has come to run. Checks come first, from what the nodes publish of themselves:\n" +
			"what is not fit, or not known, is refused, and nothing is changed. --dry-run shows every check.\n\n" +
			"Without NODE the best node is taken: of those that the failover domain, memory, and apart and together of\n" +
			"lbvm.conf allow, the one with the best priority, and of these the least loaded. Where the checks refuse\n" +
			"it, the next best is.\n\n" +
			"A VM whose memory no move keeps (on_stop=\"shutdown\", a technology that cannot) is shut down and boots on the\n" +
			"other node: that is asked first, unless --yes is given or the answer is JSON.\n\n" +
			"--method says how the manager is asked. `ticket` relocates (clusvcadm -r) and tells the stop on the\n" +
			"source how the memory shall pass; it works for every VM. `manager` is the manager's own live migration\n" +
			"(clusvcadm -M) of a VM that stands directly below <rm>. `auto` takes ticket, and manager only where the\n" +
			"cluster has no shared storage.\n\n" +
			"   lbm migrate 101\n   lbm migrate 101 node2\n" +
			"   lbm migrate --dry-run xen:web1 node3\n" +
			"   lbm migrate --method=manager web1 node3\n\n" +
			"Exit codes: 0 it runs on NODE, 1 failed, 2 usage, 3 refused and nothing changed, 4 not verified,\n5 it runs elsewhere, 130 interrupted before anything was begun.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check only, and show every check"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before a move that shuts the VM down"},
			&cli.StringFlag{Name: "method", Value: "auto", Usage: "`HOW`: auto, ticket or manager"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 && c.NArg() != 2 {
				return tooMany(c, "lbm migrate needs a VM, and may have a node")
			}
			method, ok := map[string]move.Method{"auto": move.Auto, "ticket": move.ByTicket, "manager": move.ByManager}[c.String("method")]
			if !ok {
				return tooMany(c, fmt.Sprintf("--method %q is none of auto, ticket and manager", c.String("method")))
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.migrate(c, c.Args().Get(0), c.Args().Get(1), method, asJSON)
		},
	}
}

// fresh is how old the facts of a node may be: two runs of lblog. 0, the mover's own measure, where lbvm.conf does not tell.
func (w world) fresh(ctx context.Context) time.Duration {
	file, err := w.configuration(ctx)
	if err != nil {
		if !errors.Is(err, errNoConfig) && !errors.Is(err, errHangs) { // which is said already
			fmt.Fprintln(w.stderr, "lbm:", err)
		}
		return 0
	}
	return min(file.Stale, 2*file.Interval)
}

func (w world) migrate(c *cli.Context, vm, target string, method move.Method, asJSON bool) error {
	g, err := w.ground(c.Context, vm)
	if err != nil {
		return err
	}
	r := g.request("asked for")
	r.Target, r.Method, r.Rails = target, method, "none was asked: the node was named"
	if target == "" {
		d, err := w.best(c.Context, g, balance.Wish{VMs: []string{g.ref()}}, func(node string) error {
			r.Target = node
			return g.mover.Check(c.Context, r)
		})
		if err != nil {
			return err
		}
		target, r.Target, r.Why, r.Rails = d.Target, d.Target, r.Why+", best node", d.RailsText()
		if !asJSON {
			fmt.Fprintf(w.stdout, "%s is the best node for %s (%s)\n", target, g.ref(), chosen(d))
		}
	}
	if c.Bool("dry-run") {
		return w.showChecks(c, g, r, asJSON)
	}
	if err := g.mover.Check(c.Context, r); err != nil {
		return ended(err)
	}
	if g.mover.Kind(g.svc) == coldKind && !asJSON && !c.Bool("yes") {
		if err := w.confirm(c.Context, fmt.Sprintf("%s is shut down on %s, and boots anew on %s: no move keeps its memory.", g.ref(), g.svc.Owner, target), g.svc.VM); err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Fprintf(w.stdout, "moving %s from %s to %s ...\n", g.ref(), g.svc.Owner, target)
	}
	told := w.watching(c.Context)
	rec, err := g.mover.Move(c.Context, r)
	told()
	return w.tellMove(rec, err, asJSON, "runs on "+rec.Owner)
}

// coldKind is what a Mover calls a move that keeps no memory.
const coldKind = string(handoff.Cold)

// preflightRow is a line of a dry run.
type preflightRow struct {
	Name    string `json:"check"`
	Outcome string `json:"outcome"` // ok, refused or skipped
	Text    string `json:"text"`
}

func (w world) showChecks(c *cli.Context, g ground, r move.Request, asJSON bool) error {
	list, err := g.mover.Checks(c.Context, r)
	rows := []preflightRow{}
	var cells [][]string
	for _, x := range list {
		outcome := "ok"
		switch {
		case x.Skipped:
			outcome = "skipped"
		case !x.OK:
			outcome = "refused"
		}
		text := w.inItsWords(x.Text)
		rows = append(rows, preflightRow{x.Name, outcome, text})
		cells = append(cells, []string{x.Name, outcome, text})
	}
	if asJSON {
		if jerr := term.JSON(w.stdout, struct {
			VM     string         `json:"vm"`
			From   string         `json:"from"`
			To     string         `json:"to"`
			Fit    bool           `json:"fit"`
			Checks []preflightRow `json:"checks"`
		}{g.ref(), g.svc.Owner, r.Target, err == nil, rows}); jerr != nil {
			return jerr
		}
		return ended(err)
	}
	if terr := term.Table(w.stdout, []string{"CHECK", "OUTCOME", "WHAT WAS FOUND"}, cells); terr != nil {
		return terr
	}
	if err != nil {
		return ended(err)
	}
	fmt.Fprintf(w.stdout, "\n%s can be moved from %s to %s; nothing was changed\n", g.ref(), g.svc.Owner, r.Target)
	return nil
}
