package membership

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Of finds out which cluster this node belongs to: CMAN where cman_tool is installed, Pacemaker where only crm_mon is, or
// there is no cluster.conf, without which cman cannot run. It looks when it is asked for the first time: an ordinary status
// check never asks.
func Of(h host.Host, q run.Runner) Membership {
	return later{sync.OnceValue(func() Membership {
		_, cman := h.Has("cman_tool")
		if cman {
			_, err := os.Lstat(h.Path(host.ClusterXML))
			cman = !os.IsNotExist(err)
		}
		if !cman {
			if _, ok := h.Has("crm_mon"); ok {
				return Pacemaker(h, q)
			}
		}
		return CMAN(h, q)
	})}
}

type later struct{ is func() Membership }

func (l later) Members(ctx context.Context) ([]Member, error) { return l.is().Members(ctx) }

func (l later) Fenced(ctx context.Context, member string) (bool, error) {
	return l.is().Fenced(ctx, member)
}

// Pacemaker asks crm_mon. A node was fenced where Pacemaker says that it is offline and clean, fencing is on, and the
// cluster is not in maintenance. A node that was shut down in order looks the same: the cluster has stopped what ran
// there, or has the node fenced before it starts elsewhere what it left there (a resource that is not managed). What was
// started by hand it does not know: that must be noted in the hand-off record (see Gone).
func Pacemaker(h host.Host, q run.Runner) Membership { return &pacemaker{cman{h, q}} }

type pacemaker struct{ tools cman }

func (p *pacemaker) Members(ctx context.Context) ([]Member, error) {
	v, err := p.look(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking who is a member: %w", err)
	}
	var out []Member
	for _, n := range v.nodes {
		// One that is on its way in or out, or may run on, is no member that is gone.
		out = append(out, Member{Name: n["name"], Online: n["online"] != "false"})
	}
	return out, nil
}

func (p *pacemaker) Fenced(ctx context.Context, member string) (bool, error) {
	v, err := p.look(ctx)
	if err != nil {
		return false, fmt.Errorf("asking whether %s was fenced: %w", member, err)
	}
	for _, n := range v.nodes {
		if strings.EqualFold(n["name"], member) {
			clean := n["online"] == "false" && n["unclean"] == "false" && n["pending"] == "false" && n["maintenance"] == "false"
			return clean && v.fences, nil
		}
	}
	return false, fmt.Errorf("%w: %q", ErrNoNode, member)
}

// Self is what Pacemaker calls this node, where it answers: crm_node -n, as its own agents ask.
func (p *pacemaker) Self(ctx context.Context) (string, error) {
	answer, err := p.tools.tool(ctx, "crm_node", "-n")
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(answer))
	if err := host.CheckName(name); err != nil {
		return "", fmt.Errorf("%w: crm_node -n: %s", ErrAnswer, quoteStart(string(answer)))
	}
	return name, nil
}

// lists tells whether the cluster has a node of that name. Where corosync is down crm_node before 2.1 says the host's name
// (crm_node.c: get_local_node_name falls back to uname), which need not be the node's.
func (p *pacemaker) lists(ctx context.Context, name string) bool {
	v, err := p.look(ctx)
	return err == nil && slices.ContainsFunc(v.nodes, func(n map[string]string) bool { return strings.EqualFold(n["name"], name) })
}

func (p *pacemaker) look(ctx context.Context) (pacemakerView, error) {
	answer, err := p.tools.tool(ctx, "crm_mon", "-1", "--as-xml")
	if err != nil {
		return pacemakerView{}, err
	}
	return parseCrmMon(answer)
}

// pacemakerView is what crm_mon tells of the nodes.
type pacemakerView struct {
	fences bool                // fencing is on, and the cluster is not in maintenance
	nodes  []map[string]string // attributes, by name
}

// parseCrmMon reads the XML of crm_mon: all that is relied on must be there. Elements stand on lines of their own, and
// values are escaped; a name that was is none of ours.
func parseCrmMon(out []byte) (pacemakerView, error) {
	text := string(out)
	bad := func(what string) (pacemakerView, error) {
		return pacemakerView{}, fmt.Errorf("%w: crm_mon: %s in %s", ErrAnswer, what, quoteStart(text))
	}
	if end := strings.TrimSpace(text); !strings.HasSuffix(end, "</crm_mon>") && !strings.HasSuffix(end, "</pacemaker-result>") {
		return bad("no end")
	}
	summary, _, _ := strings.Cut(text, "</summary>")
	dc, options := attributes(element(summary, "current_dc")), attributes(element(summary, "cluster_options"))
	if dc["present"] == "" || dc["with_quorum"] == "" && dc["present"] == "true" {
		return bad("no word of quorum")
	}
	if dc["present"] != "true" || dc["with_quorum"] != "true" {
		return pacemakerView{}, ErrInquorate
	}
	v := pacemakerView{fences: options["stonith-enabled"] == "true" && options["maintenance-mode"] == "false"}
	_, rest, found := strings.Cut(text, "<nodes>")
	nodes, _, closed := strings.Cut(rest, "</nodes>")
	if !found || !closed {
		return bad("no list of nodes")
	}
	for {
		e := element(nodes, "node")
		if e == "" {
			break
		}
		_, nodes, _ = strings.Cut(nodes, e)
		n := attributes(e)
		if n["type"] == "remote" {
			continue
		}
		if host.CheckName(n["name"]) != nil || n["online"] != "true" && n["online"] != "false" {
			return bad("a node that is not understood")
		}
		for _, old := range v.nodes {
			if strings.EqualFold(old["name"], n["name"]) {
				return bad("a node that stands twice")
			}
		}
		v.nodes = append(v.nodes, n)
	}
	if len(v.nodes) == 0 {
		return bad("no node")
	}
	return v, nil
}

// element is the first start tag of that name, "" where there is none.
func element(text, name string) string {
	at := strings.Index(text, "<"+name+" ")
	if at < 0 {
		return ""
	}
	tag, _, ok := strings.Cut(text[at:], ">")
	if !ok {
		return ""
	}
	return tag + ">"
}

// attributes reads those of a start tag. One that stands twice is taken for none.
func attributes(tag string) map[string]string {
	out := map[string]string{}
	_, rest, _ := strings.Cut(tag, " ")
	for {
		key, after, ok := strings.Cut(strings.TrimSpace(rest), `="`)
		value, more, closed := strings.Cut(after, `"`)
		if !ok || !closed {
			return out
		}
		if _, twice := out[key]; twice {
			value = ""
		}
		out[key], rest = value, more
	}
}
