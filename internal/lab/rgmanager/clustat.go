package rgmanager

import (
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// clustatView is what clustat shows, taken at one instant.
type clustatView struct {
	cluster    string
	id         int
	generation int
	now        time.Time
	quorate    bool
	local      bool // rgmanager runs on the node that asks
	nodes      []clustatNode
	groups     []clustatGroup
}

type clustatNode struct {
	name              string
	id                int
	online, local, rg bool
}

type clustatGroup struct {
	id string
	groupState
}

// clusterID is cman's: a hash of the name.
func clusterID(name string) int {
	v := 0
	for _, b := range []byte(name) {
		v = v<<1 + int(b)
	}
	return v & 0xffff
}

func (m *Manager) clustatView(n *node) clustatView {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := clustatView{cluster: m.conf.cluster, id: clusterID(m.conf.cluster), generation: m.generation, now: m.clk.Now(), quorate: m.quorate,
		local: n.rg == rgReady}
	for _, x := range m.nodes {
		v.nodes = append(v.nodes, clustatNode{x.name, x.id, x.member, x == n, x.rg == rgReady || x.rg == rgStarting})
	}
	for _, g := range m.sortedGroupsLocked() {
		v.groups = append(v.groups, clustatGroup{g.id, g.groupState})
	}
	return v
}

func (m *Manager) clustat(n *node, args []string) run.Result {
	options, _, bad := getopt(args, "fIls:m:i:xvQh?")
	if bad != 0 {
		return failure(fmt.Sprintf("clustat: invalid option -- '%c'\nusage: clustat <options>", bad))
	}
	var xml, long, quiet bool
	var service, member string
	for _, o := range options {
		switch o.flag {
		case 'x':
			xml = true
		case 'l':
			long = true
		case 'Q':
			quiet = true
		case 's':
			service = serviceName(o.value)
		case 'm':
			member = o.value
		case 'v':
			return said("clustat lab\n")
		case 'i':
			return failure("clustat -i is not played by the lab: run clustat again instead")
		case 'h', '?':
			return said("usage: clustat [-x | -l] [-s <service>] [-m <member>]\n")
		}
	}
	if !m.isMember(n) {
		return failure("Could not connect to CMAN: Connection refused")
	}
	v := m.clustatView(n)
	switch {
	case quiet && v.quorate:
		return run.Result{}
	case quiet:
		return run.Result{Code: 1}
	}
	note := ""
	if !v.quorate {
		note = "Service states unavailable: Operation requires quorum\n"
	}
	if !v.quorate || !v.local {
		v.groups = nil
	}
	var code int
	var text string
	switch {
	case xml:
		text = v.xml(service, member)
	case service != "":
		text, code = v.oneService(service, long)
	case member != "":
		text, code = v.oneMember(member)
	default:
		text = v.header() + v.members() + "\n" + v.services(long)
	}
	return run.Result{Stdout: []byte(note + text), Code: code}
}

func ctime(t time.Time) string { return t.Format("Mon Jan _2 15:04:05 2006") }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (v clustatView) xml(service, member string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<clustat version=\"4.1.1\">\n")
	all := service == "" && member == ""
	if all {
		fmt.Fprintf(&b, "  <cluster name=\"%s\" id=\"%d\" generation=\"%d\"/>\n", v.cluster, v.id, v.generation)
		if v.quorate {
			fmt.Fprintf(&b, "  <quorum quorate=\"1\" groupmember=\"%d\"/>\n", bit(v.local && len(v.groups) > 0))
		} else {
			fmt.Fprintf(&b, "  <quorum quorate=\"0\"\n groupmember=\"0\"/>\n")
		}
	}
	if all || member != "" {
		b.WriteString("  <nodes>\n")
		for _, n := range v.nodes {
			if member != "" && !strings.EqualFold(member, n.name) {
				continue
			}
			fmt.Fprintf(&b, "    <node name=\"%s\" state=\"%d\" local=\"%d\" estranged=\"0\" rgmanager=\"%d\" rgmanager_master=\"0\" qdisk=\"0\" nodeid=\"0x%08x\"/>\n",
				n.name, bit(n.online), bit(n.local), bit(n.rg), n.id)
		}
		b.WriteString("  </nodes>\n")
	}
	if (all || service != "") && v.local && len(v.groups) > 0 {
		b.WriteString("  <groups>\n")
		for _, g := range v.groups {
			if service != "" && service != g.id {
				continue
			}
			flags := ""
			if g.frozen {
				flags = "frozen"
			}
			fmt.Fprintf(&b, "    <group name=\"%s\" state=\"%d\" state_str=\"%s\" flags=\"%d\" flags_str=\"%s\" owner=\"%s\" last_owner=\"%s\" restarts=\"%d\" last_transition=\"%d\" last_transition_str=\"%s\"/>\n",
				g.id, g.state, g.state, bit(g.frozen), flags, orNone(g.owner), orNone(g.last), g.restarts, g.since.Unix(), ctime(g.since))
		}
		b.WriteString("  </groups>\n")
	}
	b.WriteString("</clustat>\n")
	return b.String()
}

func (v clustatView) header() string {
	quorate := "Quorate"
	if !v.quorate {
		quorate = "Inquorate"
	}
	return fmt.Sprintf("Cluster Status for %s @ %s\nMember Status: %s\n\n", v.cluster, ctime(v.now), quorate)
}

func (v clustatView) members() string {
	var b strings.Builder
	fmt.Fprintf(&b, " %-40sID   Status\n %-40s---- ------\n", "Member Name", "------ ----")
	for _, n := range v.nodes {
		fmt.Fprintf(&b, " %-40.40s %4d %s\n", n.name, n.id, n.status())
	}
	return b.String()
}

func (n clustatNode) status() string {
	s := "Offline"
	if n.online {
		s = "Online"
	}
	if n.local {
		s += ", Local"
	}
	if n.rg {
		s += ", rgmanager"
	}
	return s
}

func (v clustatView) services(long bool) string {
	if len(v.groups) == 0 {
		return ""
	}
	var b strings.Builder
	if long {
		b.WriteString("Service Information\n------- -----------\n\n")
	} else {
		b.WriteString(serviceHeader())
	}
	for _, g := range v.groups {
		if long {
			b.WriteString(g.long())
		} else {
			b.WriteString(g.short())
		}
	}
	return b.String()
}

func serviceHeader() string {
	return fmt.Sprintf(" %-30.30s %-30.30s %-14.14s\n %-30.30s %-30.30s %-14.14s\n", "Service Name", "Owner (Last)", "State",
		"------- ----", "----- ------", "-----")
}

// short is a row: the owner in parentheses is the last one of a group that has none.
func (g clustatGroup) short() string {
	owner := orNone(g.owner)
	switch g.state {
	case stopped, disabled, recoverable, failed, uninitialized:
		owner = "(" + orNone(g.last) + ")"
	}
	flags := ""
	if g.frozen {
		flags = "[Z]"
	}
	return fmt.Sprintf(" %-30.30s %-30.30s %-*.*s%s\n", g.id, owner, 14-len(flags), 14-len(flags), g.state.String(), flags)
}

func (g clustatGroup) long() string {
	flags := "none"
	if g.frozen {
		flags = "frozen"
	}
	return fmt.Sprintf("Service Name      : %s\n  Current State   : %s (%d)\n  Flags           : %s (%d)\n  Owner           : %s\n  Last Owner      : %s\n  Last Transition : %s\n\n",
		g.id, g.state, g.state, flags, bit(g.frozen), orNone(g.owner), orNone(g.last), ctime(g.since))
}

func (v clustatView) oneService(service string, long bool) (string, int) {
	for _, g := range v.groups {
		if g.id != service {
			continue
		}
		code := int(g.state)
		switch g.state {
		case starting, started, stopping:
			code = 0
		}
		if long {
			return g.long(), code
		}
		return serviceHeader() + g.short(), code
	}
	if !v.local {
		return "", 0
	}
	return "", 255
}

func (v clustatView) oneMember(member string) (string, int) {
	for _, n := range v.nodes {
		if !strings.EqualFold(n.name, member) {
			continue
		}
		one := v
		one.nodes = []clustatNode{n}
		return one.members(), 1 - bit(n.online)
	}
	return "", 255
}
