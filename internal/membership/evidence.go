package membership

import (
	"context"
	"fmt"
	"strings"
)

// Evidence is what the cluster's tools say of one node, in words for a person who has to judge. It proves nothing by
// itself: Gone does.
type Evidence struct {
	Member  string // by the list of members
	Fencing string // by the fence daemon
	Owed    bool   // a fencing of it is still to come: the cluster manager waits for that too
}

// Witness is a Membership that can say on what its answers rest.
type Witness interface {
	Evidence(ctx context.Context, member string) Evidence
}

// EvidenceOf is what m can say of a node.
func EvidenceOf(ctx context.Context, m Membership, member string) Evidence {
	if w, ok := m.(Witness); ok {
		return w.Evidence(ctx, member)
	}
	var e Evidence
	all, err := m.Members(ctx)
	x, known := Find(all, member)
	switch {
	case err != nil:
		e.Member = fmt.Sprintf("not known: %v", err)
	case !known:
		e.Member = "not a node of this cluster"
	case x.Online:
		e.Member = "a member"
	default:
		e.Member = "no member"
	}
	switch fenced, err := m.Fenced(ctx, member); {
	case err != nil:
		e.Fencing = fmt.Sprintf("not known: %v", err)
	case fenced:
		e.Fencing = "affirmed"
	default:
		e.Fencing = "not affirmed"
	}
	return e
}

// Evidence is what the cluster of this node says.
func (l later) Evidence(ctx context.Context, member string) Evidence {
	return EvidenceOf(ctx, l.is(), member)
}

// Evidence quotes cman_tool and fence_tool.
func (c *cman) Evidence(ctx context.Context, member string) Evidence {
	n, away, err := c.gone(ctx, member)
	if err != nil {
		return Evidence{Member: fmt.Sprintf("not known: %v", err), Fencing: "not asked"}
	}
	e := Evidence{Member: "cman_tool nodes: M, a member"}
	if away {
		e.Member = "cman_tool nodes: X, no member"
	}
	if away && n.incarnation == "0" {
		e.Member += ", and it was none since cman was started here"
	}
	answer, err := c.tool(ctx, "fence_tool", "ls", "-n")
	if err == nil {
		all, err := parseFenceLs(answer)
		f, ok := all[n.id]
		switch {
		case err != nil:
			e.Fencing = fmt.Sprintf("not known: %v", err)
		case !ok:
			e.Fencing = "fence_tool ls -n: it is not listed"
		case f.victim:
			e.Owed = true
			e.Fencing = "fence_tool ls -n: victim 1, its fencing is still owed"
		default:
			e.Fencing = fmt.Sprintf("fence_tool ls -n: victim 0, how %s%s", f.how, howText(f))
		}
		return e
	}
	if answer, err = c.tool(ctx, "cman_tool", "nodes", "-f"); err != nil {
		e.Fencing = fmt.Sprintf("not known: %v", err)
		return e
	}
	nodes, err := parseNodes(answer)
	if err != nil {
		e.Fencing = fmt.Sprintf("not known: %v", err)
		return e
	}
	for _, m := range nodes {
		if !strings.EqualFold(m.name, member) {
			continue
		}
		switch {
		case m.owed:
			e.Owed = true
			e.Fencing = "cman_tool nodes -f: it has not been fenced since it went down"
		case m.affirms():
			e.Fencing = "cman_tool nodes -f: it was fenced since it went down"
		case m.fenced:
			e.Fencing = "cman_tool nodes -f: it was fenced once, maybe before it was here last"
		default:
			e.Fencing = "cman_tool nodes -f: nothing is said"
		}
	}
	return e
}

func howText(f fencing) string {
	switch {
	case f.how == "none":
		return ": it was never fenced"
	case f.member:
		return ": the fence daemon has it as a member"
	case f.affirms():
		return ": it was fenced, now or at an earlier time"
	case f.how == "member":
		return ": it came back by itself before it was fenced"
	}
	return ""
}
