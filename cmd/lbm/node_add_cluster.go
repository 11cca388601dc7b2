package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/setup"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// What the cluster needs before a node joins: a journal for it, and its name in the running cluster.conf.

// journals: a node that finds none of its own left cannot mount.
func (g *growth) journals(ctx context.Context, nodes int) error {
	all, err := setup.CountJournals(ctx, g.w.host, g.w.run)
	if err != nil {
		return err
	}
	for _, j := range all {
		s := growStep{step: "journals of " + j.Mount, node: g.here()}
		switch {
		case j.Err != nil:
			s.state, s.what = growByHand, fmt.Sprintf("%v; it needs %d: %s", j.Err, nodes, strings.Join(j.AddCommand(1), " "))
		case j.Have >= nodes:
			s.state, s.what = growDone, fmt.Sprintf("%d for %d nodes", j.Have, nodes)
		default:
			s.state, s.what = growTodo, fmt.Sprintf("%s (it has %d, and there will be %d nodes)", strings.Join(j.AddCommand(nodes-j.Have), " "), j.Have, nodes)
			s.do = func(ctx context.Context) error {
				fmt.Fprintln(g.w.stdout, "  this writes into the mounted file system of all nodes: it is waited for to its end, also after a Ctrl-C; a second one ends lbm alone")
				return j.Add(ctx, g.w.host, g.w.run, nodes)
			}
		}
		g.add(s)
	}
	return nil
}

// clusterConf: the running cluster knows the node before the node comes.
func (g *growth) clusterConf(ctx context.Context, known bool) error {
	s := growStep{step: "cluster.conf", node: g.here(), state: growTodo, what: "lbm ccs addnode " + g.name + " --update"}
	if g.c.String("fence") != "" {
		s.what = "lbm ccs addnode " + g.name + " --fence " + g.c.String("fence") + " --update"
	}
	s.do = func(context.Context) error { return g.edit() }
	if !known {
		if _, _, err := g.doc.AddNode(g.node); err != nil { // before anything else is done for it
			return err
		}
		g.add(s)
		return nil
	}
	version, err := g.doc.Version()
	if err != nil {
		return err
	}
	limited, cancel := g.w.wait.WithTimeout(ctx, statusLimit)
	running, err := cluster.NewPublisher(g.w.host, g.w.run).Running(limited)
	cancel()
	if err != nil {
		return err
	}
	s.what = "lbm ccs update"
	s.do = func(context.Context) error { return g.w.update(g.c, !g.c.Bool("no-wait")) }
	if running >= version {
		s.state, s.what, s.do = growDone, fmt.Sprintf("it names %s, and the cluster runs with version %d", g.name, running), nil
	}
	g.add(s)
	return nil
}

// edit adds the node to cluster.conf and publishes that: one version.
func (g *growth) edit() error {
	return g.w.edit(g.c, func(d *ccs.Document) (x edition, err error) {
		x.edits, x.told, err = d.AddNode(g.node)
		return x, err
	})
}

// preview shows what the edit would do.
func (g *growth) preview() error {
	if slices.ContainsFunc(g.steps, func(s growStep) bool { return s.step == "cluster.conf" && s.state == growTodo }) {
		fmt.Fprintln(g.w.stdout)
		if slices.ContainsFunc(g.doc.Nodes(), func(n ccs.Node) bool { return strings.EqualFold(n.Name, g.name) }) {
			return g.w.update(g.c, false)
		}
		return g.edit()
	}
	return nil
}
