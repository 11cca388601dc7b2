package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func runningFlag() cli.Flag {
	return &cli.StringFlag{Name: "running", Usage: "the `FILE` with which the cluster runs, where lbm cannot find it"}
}

// explainsAll looks whether all that the cluster manager runs is in the configuration that it is said to run with. What
// is not would be stopped, or is of a type whose agent is gone, and no comparison would show it.
func (w world) explainsAll(ctx context.Context, old *ccs.Document, rules ccs.Rules) error {
	if gone := withoutAgent(old, rules); len(gone) > 0 {
		return fmt.Errorf("no agent on this node defines <%s> of %s: rgmanager reads the agents anew with every configuration, and would stop what it has started of that", strings.Join(gone, ">, <"), old.Name())
	}
	started, err := cluster.StartedGroups(ctx, w.host, w.run, w.clock)
	if err != nil {
		fmt.Fprintln(w.stderr, "lbm: warning: what the cluster manager runs could not be compared with the configuration:", err)
		return nil
	}
	tree := old.ResourceTree(rules)
	unknown := slices.DeleteFunc(started, func(id string) bool { return tree.Group(id) != nil })
	if len(unknown) > 0 {
		return fmt.Errorf("the cluster runs %s, which is not in %s as this node's agents read it", strings.Join(unknown, ", "), old.Name())
	}
	return nil
}

// wasPublished looks whether what an edit had nothing to change in has reached the cluster before.
func (w world) wasPublished(c *cli.Context, d *ccs.Document) error {
	version, err := d.Version()
	if err != nil {
		return refused(err)
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	running, err := cluster.NewPublisher(w.host, w.run).Running(ctx)
	if err != nil {
		return refused(err)
	}
	if running != version {
		return refused(fmt.Errorf("nor published, and the cluster runs with version %d and %s has %d: see lbm ccs update", running, d.Name(), version))
	}
	return nil
}

// expelled gives the members that are online and not in the new configuration. What they run goes on there.
func (w world) expelled(ctx context.Context, after *ccs.Document) []string {
	st, err := w.manager().Status(ctx)
	if err != nil && !errors.Is(err, cluster.ErrNoStates) {
		fmt.Fprintln(w.stderr, "lbm: warning: which nodes are online is not known:", err)
		return nil
	}
	var out []string
	for _, m := range st.Members {
		if m.Online && !m.Estranged && !slices.ContainsFunc(after.Nodes(), func(n ccs.Node) bool { return n.Name == m.Name }) {
			out = append(out, m.Name)
		}
	}
	return out
}

// withoutAgent gives the types of resources that none of the installed agents defines.
func withoutAgent(d *ccs.Document, rules ccs.Rules) (types []string) {
	if rules == nil {
		return nil // none is installed
	}
	var look func(typ string, below []ccs.Resource)
	look = func(typ string, below []ccs.Resource) {
		if _, ok := rules.Find(typ); !ok && !slices.Contains(types, typ) {
			types = append(types, typ)
		}
		for _, r := range below {
			look(r.Type, r.Children)
		}
	}
	for _, s := range d.Services() {
		look(s.Type, s.Children)
	}
	return types
}
