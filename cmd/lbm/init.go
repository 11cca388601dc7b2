package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/setup"
)

func (w world) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "make a cluster ready for LBVM, or join this node to it",
		Description: "Run once on one node, with the shared storage mounted; on each further node run it with --join.\n" +
			"It makes the marker that proves that the storage is mounted, the folders for hand-offs and logs,\n" +
			"samples of lbvm.conf and lbresources.conf, and the monitoring service in cluster.conf. What is\n" +
			"there already stays as it is; it can be run again.\n\n" +
			"   lbm init --shared /gfs --dry-run\n" +
			"   lbm init --shared /gfs\n" +
			"   lbm init --shared /gfs --join      (on every other node)\n" +
			"   lbm init --no-shared               (on every node of a cluster without a shared file system)\n\n" +
			"Exit codes: 0 done, 1 failed: told is what was changed, 2 usage, 3 refused and nothing changed.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "shared", Usage: "where the shared storage is mounted: `DIR`"},
			&cli.BoolFlag{Name: "no-shared", Usage: "the cluster has no shared file system (pairs on DRBD, CLVM): see docs/no-shared.md for what is lost"},
			&cli.BoolFlag{Name: "join", Usage: "join this node to a cluster that was made ready"},
			&cli.StringFlag{Name: "member", Usage: "this node's `NAME` in cluster.conf, where it is not the host's own"},
			&cli.BoolFlag{Name: "no-service", Usage: "do not add the monitoring service to cluster.conf"},
			&cli.BoolFlag{Name: "update", Usage: "publish the new cluster.conf to the running cluster"},
			&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops services"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be done"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm init takes no arguments")
			}
			o := setup.Options{Shared: c.String("shared"), Member: c.String("member"), Service: !c.Bool("no-service"), DryRun: c.Bool("dry-run"), NotShared: c.Bool("no-shared"), Run: w.run}
			do := setup.Init
			if c.Bool("join") {
				do = setup.Join
			}
			steps, err := do(c.Context, w.host, o)
			edited, perr := w.printSteps(steps, o.DryRun)
			switch {
			case perr != nil:
				return perr
			case err != nil:
				return initFailure(steps, err)
			}
			if o.NotShared {
				return w.withoutShared(c.Context)
			}
			if !o.DryRun {
				w.next(c)
			}
			switch {
			case edited && c.Bool("update"):
				return w.update(c, false) // lblog does not run yet by which other members could tell
			case edited:
				fmt.Fprintf(w.stdout, "\npublish the new %s: lbm ccs update\n", host.ClusterXML)
			}
			return nil
		},
	}
}

// next says what is still to be done by hand, also on the other nodes.
func (w world) next(c *cli.Context) {
	if !c.Bool("join") {
		shared := c.String("shared")
		if shared == "" {
			shared = "DIR"
		}
		fmt.Fprintf(w.stdout, "\non every other node: lbm init --shared %s --join", shared)
	}
	fmt.Fprintf(w.stdout, "\n/etc/cron.d/lbvm of the package runs lblog each minute; without it, write there: * * * * * root /usr/share/lbvm/lblog\n")
}

// printSteps tells what was done, and whether cluster.conf was edited.
func (w world) printSteps(steps []setup.Step, dry bool) (edited bool, err error) {
	for _, s := range steps {
		state := "done"
		switch {
		case s.Done:
		case dry && s.Note != "is there already":
			state = "would be done"
		default:
			state = "there already"
		}
		if _, err := fmt.Fprintf(w.stdout, "%-12s %-34s %s\n", s.What, s.Path, state); err != nil {
			return edited, err
		}
		if s.What == "CIB" && state != "there already" {
			fmt.Fprintln(w.stdout, s.Note)
		}
		if s.What == "cluster.conf" && state != "there already" {
			fmt.Fprint(w.stdout, s.Note)
			edited = edited || s.Done
		}
	}
	return edited, nil
}

// initFailure says what a failure has left.
func initFailure(steps []setup.Step, err error) error {
	done := 0
	for _, s := range steps {
		if s.Done {
			done++
		}
	}
	if done == 0 {
		return cli.Exit(err.Error()+"; nothing was changed", exitRefused)
	}
	return cli.Exit(fmt.Sprintf("%v; changed so far: what is done above. Mend the cause and run it again", err), exitFailed)
}

// withoutShared says what a cluster without a shared file system does not have, and which of its VMs can move live.
func (w world) withoutShared(ctx context.Context) error {
	conf, err := cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "\n%s\n", strings.Join(lossesOf(conf), "\n"))
	fmt.Fprintln(w.stdout, "\non every other node: lbm init --no-shared")
	return nil
}

// lossesOf are lines that say what a cluster without a shared file system does without, and which of its VMs can move live.
func lossesOf(c cluster.Configuration) []string {
	out := []string{"Without a shared file system there are no hand-off records, tickets and images:",
		"- a stop shuts the VM down and a start boots it; its memory is kept by a live move alone",
		"- ownership by the cluster manager, and fencing, are all that keeps a VM from running twice",
		"- there is no balancer: nodes cannot read what others measure"}
	if c.Document == nil { // Pacemaker migrates what has allow-migrate
		for _, m := range c.Machines {
			switch what := m.VMType + ":" + m.VM; {
			case m.VMType == "openvz":
				out = append(out, what+" moves cold only")
			case m.Live:
				out = append(out, what+" moves live, as Pacemaker does it: lbm migrate "+m.VM+" NODE")
			default:
				out = append(out, what+` moves cold only: `+m.ID+` has no allow-migrate="true"`)
			}
		}
		return out
	}
	for _, s := range c.Document.Services() {
		for _, r := range s.VMs("openvz", "xen", "kvm", "vmexec") {
			top, what := s.Type == r.Type && len(s.Children) == 0, r.Type+":"+r.Name
			switch {
			case r.Type == "openvz":
				what += " moves cold only"
			case top && r.Type == "vmexec":
				what += " moves live if its definition has migrate: clusvcadm -M " + s.ID() + " -m NODE"
			case top:
				what += " moves live: clusvcadm -M " + s.ID() + " -m NODE"
			default:
				what += " moves cold only: it stands in " + s.ID() + "; directly below <rm>, alone, it could move live"
			}
			out = append(out, what)
		}
	}
	return out
}
