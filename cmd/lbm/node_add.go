package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/setup"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// States of a step.
const (
	growDone   = "done"
	growTodo   = "to do"
	growByHand = "by hand"
	growWaits  = "waits"
)

// growStep is one thing that a new node needs.
type growStep struct {
	step, node, state, what string
	do                      func(context.Context) error // of what is to do
}

// growth is a node that joins, as far as it has come.
type growth struct {
	w      world
	c      *cli.Context
	name   string
	node   ccs.NewNode
	doc    *ccs.Document
	id     host.Identity
	shared string // "" none, or not seen
	steps  []growStep

	part    setup.Part // what the new node says
	partErr error
	online  bool // it is a member of the cluster, whether or not its manager runs
	mine    setup.Part
	silent  []string // nodes of which it was said that they do not tell their iSCSI name
}

func (w world) addNode(c *cli.Context, name string) error {
	if w.kind(c.Context) == cluster.NamePacemaker {
		return refused(errors.New("this cluster is Pacemaker's: pcs cluster node add; then lbm init --join there"))
	}
	n, err := newNode(c, name)
	if err != nil {
		return err
	}
	g := &growth{w: w, c: c, name: name, node: n}
	if err := g.look(c.Context); err != nil {
		return refused(err)
	}
	if err := g.show(); err != nil {
		return err
	}
	todo := slices.ContainsFunc(g.steps, func(s growStep) bool { return s.state == growTodo })
	switch {
	case c.Bool("dry-run"):
		return g.preview()
	case !todo:
		return g.left()
	case !c.Bool("yes"):
		if err := w.confirm(c.Context, "What is to do would be done now.", name); err != nil {
			return err
		}
	}
	changed := []string{}
	for _, s := range g.steps {
		if s.state != growTodo {
			continue
		}
		if err := c.Context.Err(); err != nil {
			return cli.Exit(g.soFar("interrupted", changed), exitInterrupted)
		}
		fmt.Fprintf(w.stdout, "%s on %s ...\n", s.step, s.node)
		if err := s.do(c.Context); err != nil {
			code := exitFailed
			var exit cli.ExitCoder
			if errors.As(err, &exit) {
				if code = exit.ExitCode(); code == exitUnknown { // published, and not every member has told so
					fmt.Fprintln(w.stderr, "lbm: warning:", err)
					changed = append(changed, s.step)
					continue
				}
			}
			if len(changed) == 0 && code == exitRefused {
				return err
			}
			return cli.Exit(g.soFar(err.Error(), changed), exitFailed)
		}
		changed = append(changed, s.step)
	}
	// What came of it may have made room for more.
	if err := g.look(c.Context); err != nil {
		return err
	}
	return g.left()
}

func (g *growth) soFar(why string, changed []string) string {
	if len(changed) == 0 {
		return why + "; nothing was changed"
	}
	return fmt.Sprintf("%s; changed so far: %s. Mend the cause and run it again: it goes on there", why, strings.Join(changed, ", "))
}

// look asks each step whether it is done.
func (g *growth) look(ctx context.Context) error {
	w := g.w
	doc, err := ccs.Load(w.host.Path(host.ClusterXML))
	if err != nil {
		return err
	}
	g.doc, g.steps = doc, nil
	if g.id, g.shared, err = w.place(ctx); err != nil && !errors.Is(err, host.ErrNoIdentity) {
		return err
	}
	if strings.EqualFold(g.name, g.id.Member) {
		return fmt.Errorf("%s is this node", g.name)
	}
	if g.mine, err = setup.Look(w.host, ""); err != nil {
		return err
	}
	limited, cancel := w.wait.WithTimeout(ctx, statusLimit)
	st, err := w.manager().Status(limited)
	cancel()
	if err != nil && !errors.Is(err, cluster.ErrNoStates) {
		return err
	}
	if !st.Quorate {
		return errors.New("the cluster has no quorum")
	}
	nodes := doc.Nodes()
	known := slices.ContainsFunc(nodes, func(n ccs.Node) bool { return strings.EqualFold(n.Name, g.name) })
	count := len(nodes)
	if !known {
		count++
	}
	if err := g.journals(ctx, count); err != nil {
		return err
	}
	if err := g.clusterConf(ctx, known); err != nil {
		return err
	}
	g.ask(ctx)
	i := slices.IndexFunc(st.Members, func(m cluster.Member) bool { return strings.EqualFold(m.Name, g.name) && m.Online })
	g.online = i >= 0
	g.onNode(g.online && st.Members[i].Manager)
	return nil
}

func (g *growth) add(s growStep) { g.steps = append(g.steps, s) }

func (g *growth) here() string {
	if g.id.Member != "" {
		return g.id.Member
	}
	return "this node"
}

func (g *growth) show() error {
	var rows [][]string
	for _, s := range g.steps {
		rows = append(rows, []string{s.step, s.node, s.state, s.what})
	}
	return term.Table(g.w.stdout, []string{"STEP", "ON", "STATE", "WHAT"}, rows)
}

// left tells what remains.
func (g *growth) left() error {
	var rest []growStep
	for _, s := range g.steps {
		if s.state != growDone {
			rest = append(rest, s)
		}
	}
	if len(rest) == 0 {
		fmt.Fprintf(g.w.stdout, "\n%s is a node of the cluster; nothing is left to do. lbm doctor --all looks it over\n", g.name)
		return nil
	}
	fmt.Fprintln(g.w.stdout, "\nleft to do:")
	for _, s := range rest {
		fmt.Fprintf(g.w.stdout, "  %s, %s: %s\n", s.node, s.step, s.what)
	}
	fmt.Fprintf(g.w.stdout, "then: lbm node add %s\n", g.name)
	return cli.Exit("", exitPartly)
}
