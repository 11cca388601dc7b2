package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/evacuate"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
)

// byEvacuate is the command in journals.
const byEvacuate = "lbm evacuate"

func (w world) evacuateCommand() *cli.Command {
	return &cli.Command{
		Name: "evacuate", Usage: "empty a node: hand all its VMs to other nodes", ArgsUsage: "NODE",
		Description: "Shows which VM would go where, asks, and moves them: a few at a time, the largest first, one to a node.\n" +
			"Each goes to the best node that its failover domain, memory, and apart and together of lbvm.conf allow,\n" +
			"and each move is verified. A VM whose service is frozen (clusvcadm -Z) is left alone. While the node is\n" +
			"evacuated the balancer and lbm send nothing there; lbm failback NODE opens it and brings the VMs home.\n\n" +
			"Ctrl-C begins nothing more and watches what has begun to its end. After that, or after a kill, the same\n" +
			"command goes on: it plans anew what is left; what was in flight is finished by the hand-off.\n" +
			"After a move that failed nothing more begins, unless --keep-going is given.\n\n" +
			"--shutdown is for the init script: this node, until it has booted anew, without a question, as far as it\n" +
			"comes in the time of --within. What is left is stopped by the cluster manager, with its memory, and\n" +
			"started elsewhere.\n\n" +
			"   lbm evacuate --dry-run node2\n   lbm evacuate node2\n   lbm evacuate --yes --parallel 3 node2\n   lbm evacuate --shutdown --within 5m\n\n" +
			"Exit codes: 0 the node is empty (--dry-run: would be), 1 failed, 2 usage, 3 refused and nothing changed,\n" +
			"4 not verified, 5 some VMs stay, 130 interrupted: told is what is where.",
		Flags: append(fleetFlags(),
			&cli.BoolFlag{Name: "shutdown", Usage: "this node is about to be shut down"},
			&cli.DurationFlag{Name: "within", Usage: "begin nothing that would not end within `TIME` (5m), and wait no longer"}),
		Action: func(c *cli.Context) error {
			shutdown := c.Bool("shutdown")
			switch {
			case shutdown && c.Args().Present():
				return tooMany(c, "lbm evacuate --shutdown takes no node: it is this one")
			case !shutdown && c.NArg() != 1:
				return tooMany(c, "lbm evacuate needs a node")
			case c.IsSet("within") && c.Duration("within") <= 0:
				return tooMany(c, "--within is a time, as 90s or 5m")
			}
			if shutdown && !c.Bool("dry-run") {
				if err := c.Set("yes", "true"); err != nil {
					return err
				}
			}
			o, err := w.options(c, byEvacuate, "evacuation asked for")
			if err != nil {
				return err
			}
			if within := c.Duration("within"); within > 0 {
				o.until = w.wait.Now().Add(within)
			}
			if shutdown {
				o.keepGoing, o.why = true, "its node is shut down: evacuated"
			}
			return w.evacuate(c, c.Args().First(), o)
		},
	}
}

// evacuation is the JSON of lbm evacuate and lbm failback.
type evacuation struct {
	Node   *string   `json:"node"`
	DryRun bool      `json:"dry_run"`
	Plan   []planRow `json:"plan"`
	VMs    []doneRow `json:"vms"`
	Left   []string  `json:"left"` // what manager or record still have there
	Closed bool      `json:"closed"`
}

func (w world) evacuate(c *cli.Context, node string, o fleetOptions) error {
	ctx := c.Context
	f, err := w.fleet(ctx)
	if err != nil {
		return err
	}
	if c.Bool("shutdown") {
		node = f.id.Member
		// Nobody is asked: with a copied lbvm.id it would empty another node, and publish this boot as that one's.
		if err := membership.CheckSelf(ctx, membership.Of(w.host, w.run), node); err != nil {
			return refused(err)
		}
	}
	in, err := f.first(ctx)
	if err != nil {
		return err
	}
	if _, err := nodeNamed(in.View, node); err != nil {
		return err
	}
	lock, err := f.alone(node, "lbm evacuate "+node)
	if err != nil {
		return err
	}
	defer lock.close()
	mine := func(m balance.Move) bool { return m.By == byEvacuate && m.From == node }
	if !c.Bool("dry-run") {
		if err := f.end(ctx, mine); err != nil {
			return err
		}
		if in, err = f.first(ctx); err != nil {
			return err
		}
	}
	wish := balance.Wish{VMs: evacuate.OnNode(in.View, node)}
	plan, err := evacuate.Plan(ctx, in, wish)
	if err != nil {
		return refused(err)
	}
	rows, err := f.rows(ctx, plan, in)
	if err != nil {
		return err
	}
	if done, err := w.agree(c, evacuation{Node: &node, Plan: rows}, o); done || err != nil {
		return err
	}
	if err := f.close(node, plan, c.Bool("shutdown")); err != nil {
		return err
	}
	stop := w.watching(ctx)
	begun := w.clock.Now()
	list := f.carryOut(ctx, plan, wish, o)
	stop()
	if ctx.Err() == nil { // what was under way when this began has come to its end meanwhile
		if err := f.end(ctx, mine); err != nil {
			f.say(fmt.Sprintf("lbm: %v", err))
		}
	}
	left, err := f.there(ctx, node)
	if err != nil {
		return cli.Exit(fmt.Sprintf("what is still on %s is not known: %v; check with lbm list", node, err), exitUnknown)
	}
	t := sum(list)
	if o.asJSON {
		if err := term.JSON(w.stdout, evacuation{Node: &node, Plan: rows, VMs: doneRows(list), Left: left, Closed: f.shared != ""}); err != nil {
			return err
		}
	} else {
		w.tellEvacuated(f, node, t, w.clock.Now().Sub(begun), list)
	}
	return w.endEvacuation(ctx, node, t, left)
}

// agree shows the plan and asks. done says that there is nothing more to do.
func (w world) agree(c *cli.Context, e evacuation, o fleetOptions) (done bool, err error) {
	going, staying, waiting := counts(e.Plan)
	dry := c.Bool("dry-run")
	if o.asJSON {
		if !dry {
			return false, nil
		}
		e.DryRun, e.VMs, e.Left = true, []doneRow{}, []string{}
		err = term.JSON(w.stdout, e)
	} else {
		if len(e.Plan) > 0 {
			err = w.showPlan(e.Plan)
		} else {
			fmt.Fprintf(w.stdout, "%s has no VM\n", *e.Node)
		}
		if len(e.Plan) > 0 && err == nil {
			fmt.Fprintf(w.stdout, "\n%s would leave %s, %d at a time at most%s\n", vms(going), *e.Node, o.parallel, otherwise(staying, waiting))
		}
	}
	switch {
	case err != nil:
		return true, err
	case dry && !o.asJSON:
		fmt.Fprintln(w.stdout, "nothing was changed")
	}
	switch {
	case dry && staying+waiting > 0:
		return true, cli.Exit("", exitPartly)
	case dry:
		return true, nil
	case going+waiting == 0 && staying > 0 && !c.Bool("shutdown"):
		return true, refused(fmt.Errorf("no VM can leave %s", *e.Node))
	case going+waiting == 0 || c.Bool("yes"):
		return false, nil
	}
	return false, w.confirm(c.Context, fmt.Sprintf("The balancer sends nothing to %s then, until lbm failback %[1]s.", *e.Node), *e.Node)
}

func vms(n int) string {
	if n == 1 {
		return "1 VM"
	}
	return fmt.Sprintf("%d VMs", n)
}

// nodeLock is held while a node is emptied or filled; without shared storage there is none.
type nodeLock struct{ *lockfile.Lock }

func (l nodeLock) close() {
	if l.Lock != nil {
		// The kernel drops it with the process, which is about to end.
		if err := l.Lock.Close(); err != nil {
			return
		}
	}
}

// alone takes the lock of a node.
func (f *fleet) alone(node, what string) (nodeLock, error) {
	l, err := f.try(node, what)
	if err != nil {
		return l, refused(err)
	}
	return l, nil
}

// try takes the lock of a node, or gives lockfile.ErrHeld.
func (f *fleet) try(node, what string) (nodeLock, error) {
	if f.shared == "" {
		return nodeLock{}, nil
	}
	if err := host.CheckName(node); err != nil {
		return nodeLock{}, err
	}
	l, err := lockfile.Try(filepath.Join(f.shared, "lbvm/lock/evacuate-"+node), what+" on "+f.id.Member)
	if errors.Is(err, lockfile.ErrHeld) {
		return nodeLock{}, fmt.Errorf("another lbm empties or fills %s, which is to be waited for: %w", node, err)
	}
	return nodeLock{l}, err
}

// close notes that a node is evacuated, and what is to come home to it: from now on nothing is sent there.
func (f *fleet) close(node string, plan []evacuate.Trip, shutdown bool) error {
	if f.shared == "" {
		return nil
	}
	e, there, err := host.ReadEvacuation(f.shared, node)
	if err != nil {
		return refused(err)
	}
	holds := there && e.Holds(f.shared)
	if !holds {
		e.Since, e.Boot = f.w.clock.Now(), ""
	}
	e.Member, e.By, e.Open = node, byEvacuate+" on "+f.id.Member, false
	switch {
	case !shutdown:
		e.Boot = ""
	case holds && e.Boot == "": // an administrator has evacuated it: that stands
	default:
		if err := f.w.host.PublishBoot(f.shared, node); err != nil {
			return refused(err)
		}
		if e.Boot, err = f.w.host.BootID(); err != nil {
			return refused(err)
		}
	}
	for _, t := range plan {
		for _, vm := range t.VMs {
			if t.To != "" && !slices.Contains(e.VMs, vm) {
				e.VMs = append(e.VMs, vm)
			}
		}
	}
	if err := host.WriteEvacuation(f.shared, e); err != nil {
		return refused(err)
	}
	return nil
}

// tellEvacuated says what is where.
func (w world) tellEvacuated(f *fleet, node string, t tally, took time.Duration, list []evacuate.Done) {
	out := w.stdout
	if len(list) > 0 {
		fmt.Fprintf(out, "%s left %s in %s", vms(t.moved), node, took.Round(100*time.Millisecond))
		if t.lost > 0 {
			fmt.Fprintf(out, ", %d without their memory", t.lost)
		}
		fmt.Fprintln(out)
	}
	if f.shared != "" {
		fmt.Fprintf(out, "nothing is sent to %s until lbm failback %[1]s\n", node)
	}
}

// endEvacuation gives the exit code, and says what is still there and how to go on.
func (w world) endEvacuation(ctx context.Context, node string, t tally, left []string) error {
	code := t.code(ctx)
	if code == 0 && len(left) > 0 {
		code = exitPartly
	}
	switch {
	case code == 0:
		return nil
	case code == exitInterrupted && len(left) == 0:
		return cli.Exit(fmt.Sprintf("interrupted: %s is empty; lbm failback %[1]s brings back what has left", node), code)
	case code == exitInterrupted:
		return cli.Exit(fmt.Sprintf("interrupted: still on %s: %s; lbm evacuate %[1]s goes on, lbm failback %[1]s brings back what has left", node, strings.Join(left, ", ")), code)
	case len(left) == 0:
		return cli.Exit(fmt.Sprintf("%s is empty, and not all went as planned: see above, and lbm list", node), code)
	}
	return cli.Exit(fmt.Sprintf("still on %s: %s; mend what stands above and run lbm evacuate %[1]s again", node, strings.Join(left, ", ")), code)
}
