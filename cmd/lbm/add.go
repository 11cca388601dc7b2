package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
)

func (w world) addCommand() *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "take an existing VM into the cluster", ArgsUsage: "CONFIG",
		Description: "CONFIG is /etc/vz/conf/N.conf of an OpenVZ container, a Xen domain's configuration, or libvirt's XML. The VM must\n" +
			"be down. What it is made of is copied to the shared storage and compared there, its configuration is put there\n" +
			"with the paths adapted, other nodes get the links that they need, and lbvm.conf and cluster.conf get its name\n" +
			"(with Pacemaker: its configuration, by a patch that overwrites no other edit; the VM comes in stopped).\n" +
			"Originals are renamed to *.lbvm-orig and never deleted (lbm purge does that, later).\n\n" +
			"The other nodes are asked by ssh, without a password. If one cannot be asked, see there for yourself and say so.\n\n" +
			"   lbm add --dry-run /etc/vz/conf/101.conf\n" +
			"   lbm add --update --start /etc/vz/conf/101.conf\n" +
			"   lbm add --checked node3 /etc/vz/conf/101.conf    node3 cannot be asked, and has nothing of it\n" +
			"   lbm add --resume                                 go on with what was cut off, as it was asked for (--update, --start)\n" +
			"   lbm add --undo                                   or take it back\n" +
			"   lbm -c /etc/vz/conf/101.conf                     as the manual of 2008 has it\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 refused and nothing changed, 4 not verified, 5 partly done, 130 interrupted.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check, and show every step"},
			&cli.BoolFlag{Name: "resume", Usage: "go on with an adoption that was cut off; CONFIG or VM says which, if there are more"},
			&cli.BoolFlag{Name: "undo", Usage: "take an adoption back that is not finished"},
			&cli.StringFlag{Name: "type", Usage: "`TYPE`: openvz, xen or kvm, where the file does not show it"},
			&cli.StringFlag{Name: "domain", Usage: "the failover domain of its service: `NAME`; with Pacemaker the nodes that may run it: NODE[:SCORE],..."},
			&cli.StringSliceFlag{Name: "checked", Usage: "a `NODE` that cannot be asked, and on which you have looked yourself"},
			&cli.BoolFlag{Name: "update", Usage: "publish the new cluster.conf to the running cluster; with Pacemaker as --start"},
			&cli.BoolFlag{Name: "start", Usage: "see to it that the cluster starts the VM; implies --update"},
			&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops services"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until every member runs with it"},
			runningFlag(),
			&cli.BoolFlag{Name: "yes", Usage: "no question"},
			&cli.BoolFlag{Name: "join", Usage: "make this node's links to a VM that another node has adopted: TYPE:VM"},
			&cli.BoolFlag{Name: "leave", Usage: "remove them"},
			&cli.BoolFlag{Name: "probe", Usage: "look at this node for another one: TYPE:VM", Hidden: true},
			&cli.StringSliceFlag{Name: "bridge", Hidden: true}, &cli.StringSliceFlag{Name: "device", Hidden: true}, &cli.StringSliceFlag{Name: "own", Hidden: true}, &cli.StringSliceFlag{Name: "net", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			modes := 0
			for _, m := range []string{"resume", "undo", "join", "leave", "probe", "dry-run"} {
				if c.Bool(m) {
					modes++
				}
			}
			again := c.Bool("resume") || c.Bool("undo")
			if modes > 1 || c.NArg() > 1 || c.NArg() == 0 && !again {
				return tooMany(c, "lbm add needs one configuration, or one of --resume, --undo, --join, --leave")
			}
			a, err := w.adopter(c)
			if err != nil {
				return err
			}
			switch {
			case c.Bool("join"), c.Bool("leave"), c.Bool("probe"):
				return w.forAnother(c, a)
			case again:
				return w.addAgain(c, a)
			}
			return w.add(c, a)
		},
	}
}

// add adopts what a person names.
func (w world) add(c *cli.Context, a adopt.Adopter) error {
	p, err := a.Look(c.Context, adopt.Request{Config: c.Args().First(), Type: c.String("type"), Domain: c.String("domain"), Vouched: c.StringSlice("checked")})
	if err != nil {
		return refused(err)
	}
	p.Start = c.Bool("start")
	p.Publish = p.Start || c.Bool("update")
	doings, err := a.Describe(c.Context, p)
	if err != nil {
		return refused(err)
	}
	if c.Bool("dry-run") || !c.Bool("yes") {
		for _, d := range doings {
			fmt.Fprintf(w.stdout, "%-10s %s\n", d.Step, d.Text)
		}
		for _, d := range behind(a, p) {
			fmt.Fprintf(w.stdout, "%-10s %s\n", d.Step, d.Text)
		}
		w.notes(p)
	}
	if c.Bool("dry-run") {
		return nil
	}
	if !c.Bool("yes") {
		if err := w.confirm(c.Context, "The steps above take "+p.Ref()+" into the cluster.", p.VM); err != nil {
			return err
		}
	}
	w.tellSteps(&a, p)
	return w.added(c, a, p, a.Add(c.Context, p))
}

// addAgain goes on with an adoption, or takes it back.
func (w world) addAgain(c *cli.Context, a adopt.Adopter) error {
	p, err := a.Find(c.Args().First())
	if errors.Is(err, adopt.ErrNone) && c.Bool("resume") { // it may have been killed behind its last step
		err = fmt.Errorf("%w; lbm status tells whether cluster.conf is still to be published", err)
	}
	if err != nil {
		return refused(err)
	}
	if c.Bool("undo") {
		if err := a.Undo(c.Context, p); err != nil {
			return adoptFailure(err)
		}
		fmt.Fprintf(w.stdout, "%s is as it was before\n", p.Ref())
		w.stillThere(c, p)
		return nil
	}
	w.tellSteps(&a, p)
	err = a.Resume(c.Context, p)
	if p.Removal != nil {
		return w.removed(c, a, p, err)
	}
	return w.added(c, a, p, err)
}

// notes tells what a person should know of a plan.
func (w world) notes(p adopt.Plan) {
	for _, n := range p.Notes {
		fmt.Fprintln(w.stderr, "lbm: warning:", n)
	}
}

// adoptFailure says what a failure has left.
func adoptFailure(err error) error {
	switch {
	case errors.Is(err, adopt.ErrRefused):
		return refused(err)
	case errors.Is(err, adopt.ErrPeers):
		return cli.Exit(err, exitPartly)
	case errors.Is(err, adopt.ErrHalf) && strings.Contains(err.Error(), "interrupted"):
		return cli.Exit(err, exitInterrupted)
	case errors.Is(err, adopt.ErrHalf):
		return cli.Exit(err, exitPartly)
	}
	return cli.Exit(err, exitFailed)
}
