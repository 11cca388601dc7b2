package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/evacuate"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

// byFailback is the command in journals.
const byFailback = "lbm failback"

func (w world) failbackCommand() *cli.Command {
	return &cli.Command{
		Name: "failback", Usage: "bring VMs home: what an evacuation has moved away, or what prefers another node", ArgsUsage: "[NODE]",
		Description: "Opens NODE, if it was evacuated, and moves back what lbm evacuate has moved away from it. VMs whose ordered\n" +
			"failover domain prefers one node to the one that they are on go there, too, unless the domain says\n" +
			"nofailback. Without NODE all nodes are meant that are online and that no other lbm empties or fills; a\n" +
			"node that is off stays closed. The plan is shown first, and it asks before it opens or moves.\n\n" +
			"What does not come home now (no memory there, apart or together, a frozen service) is remembered, and the\n" +
			"next lbm failback tries again.\n\n" +
			"   lbm failback --dry-run\n   lbm failback node2\n   lbm failback --open-only node2\n   lbm failback --shutdown --yes --wait 10m node2   (the init script: when the node is up again)\n\n" +
			"Exit codes: 0 all are home (--dry-run: would be), 1 failed, 2 usage, 3 refused and nothing changed,\n" +
			"4 not verified, 5 some VMs stay where they are, 130 interrupted: told is what is where.",
		Flags: append(fleetFlags(), &cli.DurationFlag{Name: "wait", Usage: "wait up to `TIME` until NODE is a member and was measured"},
			&cli.BoolFlag{Name: "open-only", Usage: "open NODE again, and move nothing: what has left stays noted"},
			&cli.BoolFlag{Name: "shutdown", Usage: "only what lbm evacuate --shutdown has closed: an administrator's evacuation stands"}),
		Action: func(c *cli.Context) error {
			switch {
			case c.NArg() > 1:
				return tooMany(c, "lbm failback takes one node")
			case c.Duration("wait") < 0:
				return tooMany(c, "--wait is a time, as 90s or 5m")
			case c.Duration("wait") > 0 && c.NArg() != 1:
				return tooMany(c, "--wait waits for one node: name it")
			case c.Bool("open-only") && c.NArg() != 1:
				return tooMany(c, "--open-only opens one node: name it")
			case c.Bool("shutdown") && c.NArg() != 1:
				return tooMany(c, "--shutdown is of one node: name it")
			}
			o, err := w.options(c, byFailback, "failback asked for")
			if err != nil {
				return err
			}
			if c.Bool("open-only") {
				return w.openNode(c, c.Args().First())
			}
			return w.failback(c, c.Args().First(), o)
		},
	}
}

func (w world) failback(c *cli.Context, node string, o fleetOptions) error {
	ctx := c.Context
	if c.Bool("shutdown") {
		w.share = nil // after a boot it waits until the share is there, however long that takes
	}
	f, err := w.fleet(ctx)
	if err != nil {
		return err
	}
	var begun []host.Evacuation
	if c.Bool("shutdown") {
		if begun, err = f.notes(node); err != nil {
			return err
		}
	}
	if err := f.await(ctx, node, c.Duration("wait")); err != nil {
		return err
	}
	notes, err := f.notes(node)
	if err != nil {
		return err
	}
	if c.Bool("shutdown") && (len(notes) == 0 || notes[0].Boot == "") {
		fmt.Fprintf(w.stdout, "no shutdown has evacuated %s: nothing was changed\n", node)
		return nil
	}
	if !c.Bool("dry-run") {
		if err := f.end(ctx, nil); err != nil {
			return err
		}
	}
	in, err := f.first(ctx)
	if err != nil {
		return err
	}
	if node != "" {
		n, err := nodeNamed(in.View, node)
		if err == nil && !n.Online {
			err = refused(fmt.Errorf("%s is not online, or the cluster manager does not run there", node))
		}
		if err != nil {
			return err
		}
	}
	mine := locks{}
	defer mine.close()
	if notes, err = f.own(mine, in.View, node); err != nil {
		return err
	}
	if c.Bool("shutdown") && f.anew(begun, notes) {
		return refused(fmt.Errorf("%s was evacuated anew while this waited", node))
	}
	if in, err = f.first(ctx); err != nil { // what was evacuated before the locks were taken has moved
		return err
	}
	home := f.homes(in.View, notes, node)
	for _, n := range nodesOf(home) {
		switch took, err := f.take(mine, n, node == ""); {
		case err != nil:
			return err
		case !took:
			maps.DeleteFunc(home, func(_, to string) bool { return to == n })
		}
	}
	wish := balance.Wish{VMs: slices.Sorted(maps.Keys(home)), Only: home}
	plan, err := evacuate.Plan(ctx, in, wish)
	if err != nil {
		return refused(err)
	}
	rows, err := f.rows(ctx, plan, in)
	if err != nil {
		return err
	}
	for i := range rows { // where it belongs, though it stays
		if rows[i].To == nil && rows[i].Why != nil {
			rows[i].Why = known(fmt.Sprintf("it belongs to %s: %s", home[rows[i].VM], *rows[i].Why))
		}
	}
	if done, err := w.agreeHome(c, f, node, rows, notes, o); done || err != nil {
		return err
	}
	if err := f.open(notes); err != nil {
		return refused(err)
	}
	stop := w.watching(ctx)
	start := w.clock.Now()
	list := f.carryOut(ctx, plan, wish, o)
	stop()
	rest, err := f.settle(ctx, notes)
	if err != nil {
		return cli.Exit(fmt.Sprintf("what has come home was not noted: %v; check with lbm list", err), exitUnknown)
	}
	t := sum(list)
	if o.asJSON {
		if err := term.JSON(w.stdout, evacuation{Node: known(node), Plan: rows, VMs: doneRows(list), Left: rest}); err != nil {
			return err
		}
	} else {
		for _, e := range notes {
			fmt.Fprintf(w.stdout, "%s is open: VMs are sent there again\n", e.Member)
		}
		for _, vm := range rest {
			if !slices.ContainsFunc(list, func(d evacuate.Done) bool { return slices.Contains(d.VMs, vm) }) {
				fmt.Fprintf(w.stdout, "%s is noted to come home, and runs nowhere: lbm why-down %[1]s; lbm failback brings it home when it runs\n", vm)
			}
		}
		if len(list) > 0 {
			fmt.Fprintf(w.stdout, "%s came home in %s\n", vms(t.moved), w.clock.Now().Sub(start).Round(100*time.Millisecond))
		}
	}
	again := strings.TrimSpace("lbm failback " + node)
	switch code := t.code(ctx); {
	case code == 0:
		return nil
	case code == exitInterrupted && len(notHome(list, home)) == 0:
		return cli.Exit("interrupted: all are home", code)
	case code == exitInterrupted:
		return cli.Exit("interrupted: not home: "+strings.Join(notHome(list, home), ", ")+"; "+again+" goes on", code)
	default:
		return cli.Exit("not home: "+strings.Join(notHome(list, home), ", ")+"; mend what stands above and run "+again+" again", code)
	}
}

// notHome are the VMs that did not come home, each with the node that it was found on.
func notHome(list []evacuate.Done, home map[string]string) []string {
	out := []string{}
	for _, d := range list {
		for _, vm := range d.VMs {
			if d.Owner != home[vm] {
				out = append(out, fmt.Sprintf("%s (on %s)", vm, cmp.Or(d.Owner, "a node that is not known")))
			}
		}
	}
	slices.Sort(out)
	return out
}

// openNode takes back that nothing is sent to a node, and moves nothing.
func (w world) openNode(c *cli.Context, node string) error {
	if c.Bool("shutdown") {
		w.share = nil // as failback
	}
	f, err := w.fleet(c.Context)
	if err != nil {
		return err
	}
	asJSON, dry := c.String("output") == "json", c.Bool("dry-run")
	if !dry {
		lock, err := f.alone(node, "lbm failback "+node)
		if err != nil {
			return err
		}
		defer lock.close()
	}
	notes, err := f.notes(node) // under the lock: no evacuation that is at work is undone
	if err != nil {
		return err
	}
	if len(notes) == 1 && (!c.Bool("shutdown") || notes[0].Boot != "") {
		if !dry {
			if err := f.open(notes); err != nil {
				return refused(err)
			}
		}
	} else {
		notes = nil
	}
	rest := []string{}
	for _, e := range notes {
		rest = append(rest, e.VMs...)
	}
	switch {
	case asJSON:
		return term.JSON(w.stdout, evacuation{Node: &node, DryRun: dry, Plan: []planRow{}, VMs: []doneRow{}, Left: rest})
	case len(notes) == 0:
		fmt.Fprintf(w.stdout, "%s was not evacuated; nothing was changed\n", node)
	case dry:
		fmt.Fprintf(w.stdout, "%s would be open again; nothing was changed\n", node)
	case len(rest) == 0:
		fmt.Fprintf(w.stdout, "%s is open: VMs are sent there again\n", node)
	default:
		fmt.Fprintf(w.stdout, "%s is open: VMs are sent there again; lbm failback %[1]s brings home what has left it: %s\n", node, strings.Join(rest, ", "))
	}
	return nil
}

// homes are the nodes to which VMs are to return, if they are online; the nodes of the notes count as open from now on.
func (f *fleet) homes(v balance.View, notes []host.Evacuation, node string) map[string]string {
	left := map[string]string{}
	for _, e := range notes {
		f.opens[e.Member] = true
		for _, vm := range e.VMs {
			left[vm] = e.Member
		}
	}
	out := evacuate.Home(v, left)
	maps.DeleteFunc(out, func(_, home string) bool {
		return node != "" && home != node || !slices.ContainsFunc(v.Nodes, func(n balance.Node) bool { return n.Name == home && n.Online })
	})
	for i := range v.Nodes { // this look was made before it was known what opens
		n := &v.Nodes[i]
		if leaves, err := host.IsLeaving(f.shared, n.Name); f.opens[n.Name] && err == nil && !leaves {
			n.Closed = ""
		}
	}
	return out
}

func nodesOf(home map[string]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(home)))
}

// agreeHome shows the plan and asks.
func (w world) agreeHome(c *cli.Context, f *fleet, node string, rows []planRow, notes []host.Evacuation, o fleetOptions) (done bool, err error) {
	dry := c.Bool("dry-run")
	going, staying, waiting := counts(rows)
	switch {
	case o.asJSON && dry:
		err = term.JSON(w.stdout, evacuation{Node: known(node), DryRun: true, Plan: rows, VMs: []doneRow{}, Left: []string{}})
	case o.asJSON:
		return false, nil
	case len(rows) == 0:
		fmt.Fprintln(w.stdout, "no VM has to come home")
	default:
		if err = w.showPlan(rows); err == nil {
			fmt.Fprintf(w.stdout, "\n%s would come home, %d at a time at most%s\n", vms(going), o.parallel, otherwise(staying, waiting))
		}
	}
	if err == nil && dry && !o.asJSON {
		for _, e := range notes {
			fmt.Fprintf(w.stdout, "%s would be open again\n", e.Member)
		}
		fmt.Fprintln(w.stdout, "nothing was changed")
	}
	closed := 0
	for _, e := range notes {
		if e.Holds(f.shared) {
			closed++
			if !dry && !o.asJSON && !c.Bool("yes") {
				fmt.Fprintf(w.stdout, "%s would be open again\n", e.Member)
			}
		}
	}
	switch {
	case err != nil:
		return true, err
	case dry && staying+waiting > 0:
		return true, cli.Exit("", exitPartly)
	case dry:
		return true, nil
	case going+waiting+closed == 0 || c.Bool("yes"):
		return false, nil
	case going+waiting == 0:
		return false, w.confirm(c.Context, "Shall it be so?", cmp.Or(node, "yes"))
	}
	return false, w.confirm(c.Context, "Shall they be moved?", cmp.Or(node, "yes"))
}

// await waits until a node is a member with its manager, and has measured itself in this boot.
func (f *fleet) await(ctx context.Context, node string, limit time.Duration) error {
	if limit == 0 {
		return nil
	}
	until := f.w.wait.Now().Add(limit)
	for {
		why := ""
		switch st, err := f.w.manager().Status(ctx); {
		case err != nil:
			why = err.Error()
		case !st.Quorate:
			why = "the cluster has no quorum"
		case !onlineMember(st, node):
			why = node + " is no member yet, or its cluster manager does not run"
		case f.shared != "":
			if facts, err := host.ReadFacts(f.shared, node); err != nil {
				why = err.Error()
			} else if facts.At.IsZero() {
				why = "lblog has not run on " + node + " yet"
			} else if leaves, err := host.IsLeaving(f.shared, node); leaves || err != nil {
				why = node + " has noted that it is about to leave the cluster: run lbm mark-left --back there"
			}
		}
		if why == "" {
			return nil
		}
		if !f.w.wait.Now().Before(until) {
			return refused(errors.New(strings.TrimSuffix(why, "\n")))
		}
		if f.w.wait.Sleep(ctx, awaitStep) != nil {
			return cli.Exit("interrupted: nothing was changed", exitInterrupted)
		}
	}
}

// awaitStep is how often it is looked whether a node is up.
const awaitStep = 2 * time.Second
