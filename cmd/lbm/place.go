package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

func (w world) placeCommand() *cli.Command {
	return &cli.Command{
		Name: "place", Usage: "start a VM that is down on the least loaded node that it may run on", ArgsUsage: "VM",
		Description: "For a VM whose service is stopped or disabled. Of the nodes that its failover domain, memory, and apart and\n" +
			"together of lbvm.conf allow, the one with the best priority is taken, and of these the least loaded; the\n" +
			"service is enabled there (clusvcadm -e -m). It is done when the VM runs there, by manager and record.\n" +
			"A VM that is bound to a node by its record, or whose service has failed: lbm repair.\n\n" +
			"   lbm place 101\n   lbm place --dry-run xen:web1\n\n" +
			"Exit codes: 0 it runs, 1 failed, 2 usage, 3 refused and nothing changed, 4 not verified,\n5 it runs on another node, 130 interrupted before anything was begun.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "tell the node only"}, outputFlag()},
		Action: func(c *cli.Context) error {
			return w.onVM(c, func(g ground, asJSON bool) error { return w.placeVM(c, g, asJSON) })
		},
	}
}

// placed is the JSON of lbm place. Unknown is null.
type placed struct {
	VM         string         `json:"vm"`
	Service    string         `json:"service"`
	Node       *string        `json:"node"` // that was chosen
	Owner      *string        `json:"owner"`
	Candidates []candidateRow `json:"candidates"`
	Error      *string        `json:"error"`
}

func (w world) placeVM(c *cli.Context, g ground, asJSON bool) error {
	r := g.request("asked for")
	if err := g.mover.CheckPlace(c.Context, r); err != nil {
		return ended(err)
	}
	d, err := w.best(c.Context, g, balance.Wish{VMs: []string{g.ref()}, Start: true}, func(target string) error {
		r.Target = target
		return g.mover.CheckPlace(c.Context, r)
	})
	if err != nil {
		return err
	}
	row := placed{VM: g.ref(), Service: g.svc.ID, Node: &d.Target, Candidates: candidateRows(d)}
	dry := c.Bool("dry-run")
	switch {
	case dry && asJSON:
		return term.JSON(w.stdout, row)
	case dry:
		fmt.Fprintf(w.stdout, "%s would be started on %s (%s); nothing was changed\n", g.ref(), d.Target, chosen(d))
		return nil
	case !asJSON:
		fmt.Fprintf(w.stdout, "starting %s on %s (%s) ...\n", g.ref(), d.Target, chosen(d))
	}
	r.Target = d.Target
	told := w.watching(c.Context)
	rep, err := g.mover.Place(c.Context, r)
	told()
	if asJSON {
		row.Owner = known(rep.Owner)
		if err != nil {
			row.Error = known(err.Error())
		}
		if jerr := term.JSON(w.stdout, row); jerr != nil {
			return jerr
		}
		return ended(err)
	}
	if err == nil {
		fmt.Fprintf(w.stdout, "%s runs on %s\n", g.ref(), rep.Owner)
	}
	return ended(err)
}

// best finds the best node for the VM of g that check does not refuse.
func (w world) best(ctx context.Context, g ground, wish balance.Wish, check func(target string) error) (balance.Decision, error) {
	f, err := w.fleet(ctx)
	if err != nil {
		return balance.Decision{}, err
	}
	in, err := f.first(ctx)
	if err != nil {
		return balance.Decision{}, err
	}
	for _, vm := range in.View.VMs { // all of its service go
		if vm.Service == g.svc.ID && vm.ID() != g.ref() {
			wish.VMs = append(wish.VMs, vm.ID())
		}
	}
	for {
		list, err := balance.Grant(ctx, in, wish)
		if err != nil {
			return balance.Decision{}, refused(err)
		}
		var d balance.Decision
		for _, x := range list {
			if x.VM == g.ref() {
				d = x
			}
		}
		if d.Verdict != balance.Migrate {
			return d, refused(fmt.Errorf("no node can take %s: %s", g.ref(), d.Why))
		}
		err = check(d.Target)
		switch {
		case err == nil:
			return d, nil
		case ctx.Err() != nil:
			return d, cli.Exit("interrupted: nothing was changed", exitInterrupted)
		case !errors.Is(err, move.ErrRefused):
			return d, ended(err)
		}
		why := strings.TrimPrefix(err.Error(), move.ErrRefused.Error()+": nothing was changed: ")
		in.Refused = append(in.Refused, balance.Refusal{VM: g.ref(), Node: d.Target, Why: why})
	}
}

// candidateRow is a node to which a VM could go. Unknown is null.
type candidateRow struct {
	Node      string          `json:"node"`
	Rank      *int            `json:"rank"` // null: something speaks against it
	Score     int             `json:"score"`
	Guests    int             `json:"guests"`
	Resource  *string         `json:"resource"`
	Measured  *float64        `json:"measured"`
	Projected *float64        `json:"projected"` // with the VM
	Vetoes    []explainedVeto `json:"vetoes"`
}

func candidateRows(d balance.Decision) []candidateRow {
	out := []candidateRow{}
	for _, c := range d.Candidates {
		r := candidateRow{Node: c.Node, Score: c.Score, Guests: c.Guests, Projected: c.Projected, Vetoes: vetoes(c.Vetoes)}
		if c.Rank > 0 {
			r.Rank = &c.Rank
		}
		if c.Measured != nil {
			r.Resource, r.Measured = &c.Measured.Resource, &c.Measured.Average
		}
		out = append(out, r)
	}
	return out
}

// chosen says why a node is the best.
func chosen(d balance.Decision) string {
	var this string
	var others []string
	measured := slices.ContainsFunc(d.Candidates, func(c balance.Candidate) bool { return c.Projected != nil })
	for _, c := range d.Candidates {
		text := fmt.Sprintf("%d guests", c.Guests)
		if c.Guests == 1 {
			text = "1 guest"
		}
		if c.Measured != nil && c.Projected != nil {
			text = fmt.Sprintf("%s would be %.2f, %s", c.Measured.Resource, *c.Projected, text)
		} else if measured {
			text += ", no fresh samples of it"
		}
		switch {
		case c.Node == d.Target:
			this = text
		case len(c.Vetoes) > 0:
			others = append(others, fmt.Sprintf("not %s: %s", c.Node, c.Vetoes[0].Text))
		default:
			others = append(others, c.Node+": "+text)
		}
	}
	return strings.Join(append([]string{this}, others...), "; ")
}
