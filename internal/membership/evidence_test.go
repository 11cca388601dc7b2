package membership

import (
	"context"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

func TestEvidence(t *testing.T) {
	ctx := context.Background()
	base := func() map[string][]run.Result {
		return map[string][]run.Result{"cman_tool nodes": says(nodesWhere("16", 2, 3, 4, 5, 6, 7)), "cman_tool status": says(sample(t, "cman_tool-el5-status"))}
	}
	for _, c := range []struct {
		node, fence, nodesF string
		want                Evidence
	}{
		{"node2", "fence_tool-el6-ls", "", Evidence{"cman_tool nodes: X, no member", "fence_tool ls -n: victim 0, how agent: it was fenced, now or at an earlier time", false}},
		{"node2", "fence_tool-el6-ls-owed", "", Evidence{"cman_tool nodes: X, no member", "fence_tool ls -n: victim 1, its fencing is still owed", true}},
		{"node6", "fence_tool-el6-ls", "", Evidence{"cman_tool nodes: X, no member", "fence_tool ls -n: victim 0, how none: it was never fenced", false}},
		{"node8", "fence_tool-el6-ls", "", Evidence{"cman_tool nodes: M, a member", "fence_tool ls -n: victim 0, how unknown", false}},
		{"NODE2", "", "cman_tool-el5-nodes-fenced", Evidence{"cman_tool nodes: X, no member", "cman_tool nodes -f: it was fenced since it went down", false}},
		{"node3", "", "cman_tool-el5-nodes-fenced", Evidence{"cman_tool nodes: X, no member", "cman_tool nodes -f: it has not been fenced since it went down", true}},
		{"node5", "", "cman_tool-el5-nodes-fenced", Evidence{"cman_tool nodes: X, no member", "cman_tool nodes -f: nothing is said", false}},
		{"node7", "", "cman_tool-el5-nodes-fenced", Evidence{"cman_tool nodes: X, no member", "cman_tool nodes -f: it was fenced once, maybe before it was here last", false}},
		{"node2", "", "", Evidence{"cman_tool nodes: X, no member", "not known: cman_tool nodes -f: exit 1: invalid option", false}},
		{"node9", "fence_tool-el6-ls", "", Evidence{`not known: not a node of this cluster: "node9"`, "not asked", false}},
	} {
		answers := base()
		programs := []string{"cman_tool"}
		if c.fence != "" {
			programs, answers["fence_tool ls -n"] = append(programs, "fence_tool"), says(sample(t, c.fence))
		}
		if c.nodesF != "" {
			answers["cman_tool nodes -f"] = says(sample(t, c.nodesF))
		}
		_, m := newTools(t, programs, answers)
		if got := EvidenceOf(ctx, m, c.node); got != c.want {
			t.Errorf("%s %s%s: %+v\nwant %+v", c.node, c.fence, c.nodesF, got, c.want)
		}
		if got := EvidenceOf(ctx, later{func() Membership { return m }}, c.node); got != c.want {
			t.Errorf("%s: found out later: %+v", c.node, got)
		}
		// Another kind of membership says only what every one can.
		plain := EvidenceOf(ctx, struct{ Membership }{m}, c.node)
		if plain.Owed || plain.Member == "" || plain.Fencing == "" {
			t.Errorf("%s: %+v", c.node, plain)
		}
	}
}
