// Package membership tells who is a member of the cluster and who is proved dead. It is
// all that an agent may ask of the cluster: it never asks the cluster manager, which may
// be waiting for that very agent. Start at CMAN.
//
// Every doubt is an error or a plain "no". A node counts as dead only where the fence
// daemon affirms it; that a sentence is missing from an answer affirms nothing.
package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Member is a node of the cluster's configuration.
type Member struct {
	Name   string
	Online bool
}

// Membership is what this node knows of the others.
type Membership interface {
	// Members gives every node. After an error (unreadable, inquorate, a split not yet healed) nobody is gone.
	Members(ctx context.Context) ([]Member, error)
	// Fenced affirms that a node that is not a member was fenced since it went down. Only true means anything.
	Fenced(ctx context.Context, member string) (bool, error)
}

// Errors of a Membership.
var (
	// ErrInquorate says that this part of the cluster may decide nothing.
	ErrInquorate = errors.New("the cluster is not quorate here")
	// ErrAnswer says that a tool answered in words that we do not know.
	ErrAnswer = errors.New("the answer is not understood")
	// ErrNoNode says that the cluster has no node of that name.
	ErrNoNode = errors.New("not a node of this cluster")
)

// Find is the member of that name. Names of nodes are host names: capitals do not matter.
func Find(members []Member, name string) (Member, bool) {
	for _, m := range members {
		if strings.EqualFold(m.Name, name) {
			return m, true
		}
	}
	return Member{}, false
}

// CMAN asks cman by cman_tool, and the fence daemon by fence_tool where that can list nodes (RHEL 6) and by
// `cman_tool nodes -f` elsewhere (RHEL 5).
func CMAN(h host.Host, q run.Runner) Membership { return &cman{h, q} }

type cman struct {
	host  host.Host
	query run.Runner
}

// Members asks for the nodes first and for the quorum then: a split between the two shows in the second answer.
func (c *cman) Members(ctx context.Context) ([]Member, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking who is a member: %w", err)
	}
	out := make([]Member, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, Member{Name: n.name, Online: n.member})
	}
	return out, nil
}

// Fenced asks for the fencing last: a node that came back meanwhile has made the older answers void.
func (c *cman) Fenced(ctx context.Context, member string) (bool, error) {
	n, gone, err := c.gone(ctx, member)
	if err != nil || !gone {
		return false, err
	}
	affirmed, err := c.fenced(ctx, n)
	if err != nil || !affirmed {
		return false, err
	}
	// The two questions were two moments. Only who is still away afterwards was away at the second.
	after, gone, err := c.gone(ctx, member)
	if err != nil || !gone {
		return false, err
	}
	return after.incarnation == n.incarnation, nil
}

func (c *cman) fenced(ctx context.Context, n node) (bool, error) {
	answer, err := c.tool(ctx, "fence_tool", "ls", "-n")
	if err == nil {
		all, err := parseFenceLs(answer)
		if err != nil {
			return false, fmt.Errorf("asking whether %s was fenced: %w", n.name, err)
		}
		return all[n.id].affirms(), nil
	}
	if ctx.Err() != nil {
		return false, err
	}
	// No fence_tool, or an old one that cannot list. Where `-f` is no longer known it prints nothing: no affirmation.
	answer, err = c.tool(ctx, "cman_tool", "nodes", "-f")
	if err != nil {
		return false, fmt.Errorf("asking whether %s was fenced: %w", n.name, err)
	}
	nodes, err := parseNodes(answer)
	if err != nil {
		return false, fmt.Errorf("asking whether %s was fenced: %w", n.name, err)
	}
	for _, m := range nodes {
		if m.id == n.id && m.name == n.name {
			return m.affirms(), nil
		}
	}
	return false, nil
}

// gone finds a node and tells whether it is away.
func (c *cman) gone(ctx context.Context, member string) (node, bool, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return node{}, false, fmt.Errorf("asking whether %s is a member: %w", member, err)
	}
	for _, n := range nodes {
		if strings.EqualFold(n.name, member) {
			return n, !n.member, nil
		}
	}
	return node{}, false, fmt.Errorf("%w: %q", ErrNoNode, member)
}

// nodes are the nodes of a quorate cluster.
func (c *cman) nodes(ctx context.Context) ([]node, error) {
	answer, err := c.tool(ctx, "cman_tool", "nodes")
	if err != nil {
		return nil, err
	}
	nodes, err := parseNodes(answer)
	if err != nil {
		return nil, err
	}
	if answer, err = c.tool(ctx, "cman_tool", "status"); err != nil {
		return nil, err
	}
	return nodes, checkStatus(answer)
}

// tool runs a program that only asks. An exit code other than 0 is an error here.
func (c *cman) tool(ctx context.Context, argv ...string) ([]byte, error) {
	ctx, cancel := clock.Share(ctx, 3, 15*time.Second)
	defer cancel()
	path, err := c.host.Lookup(argv[0])
	if err != nil {
		return nil, err
	}
	what := strings.Join(argv, " ")
	r, err := c.query.Run(ctx, run.Command{Argv: append([]string{path}, argv[1:]...), Env: c.host.Environ()})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case r.Code != 0:
		return nil, fmt.Errorf("%s: exit %d: %s", what, r.Code, firstLine(r.Stderr, r.Stdout))
	case r.Truncated:
		return nil, fmt.Errorf("%s: %w: it is too long", what, ErrAnswer)
	}
	return r.Stdout, nil
}

func firstLine(texts ...[]byte) string {
	for _, t := range texts {
		if line, _, _ := strings.Cut(strings.TrimSpace(string(t)), "\n"); line != "" {
			return strings.ToValidUTF8(line, "?")
		}
	}
	return "it said nothing"
}
