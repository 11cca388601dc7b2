package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) removeCommand() *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "give an adopted VM back to this node", ArgsUsage: "VM",
		Description: "The VM leaves cluster.conf (or Pacemaker's configuration) and lbvm.conf, the other nodes lose their links, and its configuration is this node's own file\n" +
			"again. Its disks stay where they are, on the shared storage: this node goes on using them there. Its service must\n" +
			"be disabled (or never have been published), and the VM down, without a memory image: a stop keeps the memory unless on_stop is shutdown. What is cut off\n" +
			"is resumed or taken back as of lbm add.\n\n" +
			"   lbm ccs set --update \"//xen[@name='web1']\" on_stop shutdown      its next stop shuts it down\n   clusvcadm -d web1\n   lbm remove --update web1\n" +
			"   crm_resource --resource web1 --set-parameter on_stop --parameter-value shutdown      the same with Pacemaker\n" +
			"   crm_resource --resource web1 --meta --set-parameter target-role --parameter-value Stopped\n   lbm remove web1\n   lbm remove --dry-run 101\n   lbm add --resume 101, or lbm add --undo 101      after a run that was cut off\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 refused and nothing changed, 5 partly done, 130 interrupted.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check, and show every step"},
			&cli.BoolFlag{Name: "update", Usage: "publish the new cluster.conf to the running cluster"},
			&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops other services"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until every member runs with it"},
			runningFlag(),
			&cli.BoolFlag{Name: "yes", Usage: "no question"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return tooMany(c, "lbm remove needs a VM")
			}
			g, err := w.ground(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			switch {
			case g.svc.State == cluster.Disabled:
			case g.svc.State == cluster.Unknown && w.neverPublished(c, g.svc.ID):
			case g.svc.State == cluster.Unknown:
				return refused(fmt.Errorf("what %s does is not known: lbm why-down %s says why; it is to be disabled first (%s)", g.svc.ID, g.svc.VM, w.disables(g.svc.ID)))
			default:
				return refused(fmt.Errorf("%s is %s: disable it first (%s)", g.svc.ID, g.svc.State, w.disables(g.svc.ID)))
			}
			a, err := w.adopter(c)
			if err != nil {
				return err
			}
			return w.remove(c, a, g)
		},
	}
}

// neverPublished tells whether the cluster runs with a configuration that has no such service: then nobody can start it, and nobody can
// disable it. Where that configuration is not known, it is not so.
func (w world) neverPublished(c *cli.Context, service string) bool {
	there, known := w.runsWith(c, service)
	return known && !there
}

// runsWith tells whether the configuration with which the cluster of rgmanager runs has a service.
func (w world) runsWith(c *cli.Context, service string) (there, known bool) {
	if w.kind(c.Context) != cluster.NameRGManager {
		return false, false
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	running, err := cluster.NewPublisher(w.host, w.run).Running(ctx)
	if err != nil {
		return false, false
	}
	doc, err := ccs.Load(w.host.Path(host.ClusterXML))
	if err != nil {
		return false, false
	}
	old, err := w.runningDocument(c, running, nil, doc)
	if err != nil {
		return false, false
	}
	_, there = old.Service(service)
	return there, true
}

// disables is the manager's own command that stops a service for good.
func (w world) disables(id string) string {
	if w.kind(context.Background()) == cluster.NamePacemaker {
		_, resource, _ := strings.Cut(id, ":")
		return "crm_resource --resource " + resource + " --meta --set-parameter target-role --parameter-value Stopped"
	}
	return "clusvcadm -d " + id
}

func (w world) remove(c *cli.Context, a adopt.Adopter, g ground) error {
	p, err := a.LookRemoval(c.Context, g.svc.VMType, g.svc.VM)
	if err != nil {
		return refused(err)
	}
	p.Publish = c.Bool("update")
	if c.Bool("dry-run") || !c.Bool("yes") {
		for _, s := range p.Steps() {
			fmt.Fprintf(w.stdout, "%-10s %s\n", s[0], s[1])
		}
		for _, d := range behind(a, p) {
			fmt.Fprintf(w.stdout, "%-10s %s\n", d.Step, d.Text)
		}
	}
	if c.Bool("dry-run") {
		return nil
	}
	if !c.Bool("yes") {
		if err := w.confirm(c.Context, fmt.Sprintf("The steps above give %s back to this node, %s. Its disks stay on %s.", p.Ref(), a.ID.Member, a.ID.Shared), p.VM); err != nil {
			return err
		}
	}
	w.tellSteps(&a, p)
	return w.removed(c, a, p, a.Remove(c.Context, p))
}

// updateAsked publishes cluster.conf, from which a group was taken on purpose.
func (w world) updateAsked(c *cli.Context, group string) error {
	file := w.host.Path(host.ClusterXML)
	doc, err := ccs.Load(file)
	if err != nil {
		return refused(err)
	}
	rules, err := w.rules(c.Context)
	if err != nil {
		return refused(err)
	}
	p, err := w.preparePublication(c, nil, doc, rules, map[string]bool{group: true})
	if err != nil {
		return err
	}
	return p.publish(c, file, doc, !c.Bool("no-wait"))
}
