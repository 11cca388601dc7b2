package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func clusterChecks() []Check {
	return []Check{
		{Name: "members", About: "this node is a member of a quorate cluster, the manager runs, all nodes are there", do: checkMembers},
		{Name: "identity", About: "lbvm.id is there, and this node's own", do: checkIdentity},
		{Name: "version", About: "all members run with one version of cluster.conf, which is the file's", idle: notPacemaker, do: checkVersion},
		{Name: "cluster-conf", About: "cluster.conf is valid, as lbm ccs validate has it", idle: notPacemaker, do: checkClusterConf},
		{Name: "fencing", About: "every node has a fence method that needs no person, and no fencing is owed", do: checkFencing},
		{Name: "names", About: "the nodes' names resolve to the addresses by which cman talks to them", do: checkNames},
		{Name: "agents", About: "each type of cluster.conf has one agent in /usr/share/cluster (Pacemaker: of its configuration, in /usr/lib/ocf/resource.d/lbvm), the package's, which answers", do: checkAgents},
	}
}

func notPacemaker(n *node) string {
	if n.pacemaker() {
		return "the cluster is Pacemaker's, and has no cluster.conf: see cib"
	}
	return ""
}

func checkMembers(ctx context.Context, n *node) {
	switch {
	case errors.Is(n.memErr, membership.ErrInquorate):
		n.say("members.inquorate", nil, "%v", n.memErr)
		return
	case n.memErr != nil:
		n.say("members.down", nil, "%v", n.memErr)
		return
	}
	for _, m := range n.members {
		if !m.Online {
			n.say("members.away", []string{"NODE", m.Name}, "%s is no member", m.Name)
		}
	}
	if n.docErr != nil { // a finding of its own
		return
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	st, err := cluster.Of(n.h, n.d.Run, n.d.Wait, n.kind()).Status(ctx)
	switch {
	case errors.Is(err, cluster.ErrNoStates) && slices.ContainsFunc(st.Members, func(m cluster.Member) bool { return m.Local && !m.Manager }):
		n.say("members.manager", nil, "%v", err)
	case err != nil:
		n.unknown("what the cluster manager does: %v", err)
	case !st.Quorate:
		n.say("members.inquorate", nil, "the manager says that there is no quorum")
	}
}

func checkIdentity(ctx context.Context, n *node) {
	if n.idErr != nil {
		n.say("identity.none", nil, "%v", n.idErr)
		return
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	if err := membership.CheckSelf(ctx, membership.Of(n.h, n.d.Run), n.id.Member); err != nil {
		n.say("identity.other", nil, "%v", err)
	} else if n.pacemaker() && n.docErr != nil {
		n.unknown("Pacemaker's configuration: %v", n.docErr)
	} else if n.doc != nil && n.id.Cluster != n.doc.ClusterName() {
		n.say("identity.other", nil, "%s is of the cluster %q, and cluster.conf of %q", host.IDFile, n.id.Cluster, n.doc.ClusterName())
	}
}

func checkVersion(ctx context.Context, n *node) {
	if n.doc == nil {
		n.unknown("%v", n.docErr)
		return
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	running, err := cluster.NewPublisher(n.h, n.d.Run).Running(ctx)
	if err != nil {
		n.unknown("%v", err)
		return
	}
	if v, err := n.doc.Version(); err != nil {
		n.unknown("%v", err)
	} else if v != running {
		n.say("version.file", nil, "cluster.conf has version %d, and this node runs with %d", v, running)
	}
	for _, name := range n.others() {
		// Facts of a time before the last update are not of now; how old they are is another check's.
		if f := n.facts[name]; n.online(name) && f.Config != 0 && f.Config != running && !n.old(f) {
			n.say("version.differ", nil, "%s runs with version %d, this node with %d", name, f.Config, running)
		}
	}
}

func checkClusterConf(ctx context.Context, n *node) {
	if n.doc == nil {
		n.say("cluster-conf.invalid", nil, "%v", n.docErr)
		return
	}
	if agents, err := cluster.Agents(ctx, n.h, n.d.Run); err == nil && len(agents) > 0 {
		n.rules, _ = ccs.LoadRules(agents) // its notes are told of the agents
	}
	for _, f := range n.doc.Check(n.rules) {
		fault := "cluster-conf.doubtful"
		if f.Severity == ccs.Fatal {
			fault = "cluster-conf.invalid"
		}
		n.say(fault, nil, "%s", f)
	}
}

func checkFencing(ctx context.Context, n *node) {
	if n.pacemaker() {
		checkDevices(ctx, n)
		return
	}
	if n.doc == nil {
		n.unknown("%v", n.docErr)
		return
	}
	agent := map[string]string{}
	for _, d := range n.doc.FenceDevices() {
		agent[d.Name] = d.Agent
	}
	for _, x := range n.doc.Nodes() {
		real, manual := 0, 0
		for _, m := range x.Fence {
			used := len(m.Devices) > 0
			byHand := false
			for _, d := range m.Devices {
				used = used && agent[d.Name] != ""
				byHand = byHand || agent[d.Name] == "fence_manual"
			}
			switch {
			case byHand:
				manual++
			case used:
				real++
			}
		}
		words := []string{"NODE", x.Name}
		switch {
		case real == 0 && manual == 0:
			n.say("fencing.none", words, "%s, line %d of cluster.conf, has no method with a device that is there", x.Name, x.Line)
		case real == 0:
			n.say("fencing.manual", words, "%s, line %d of cluster.conf", x.Name, x.Line)
		case manual > 0:
			n.say("fencing.last", words, "%s, line %d of cluster.conf", x.Name, x.Line)
		}
	}
	n.owed(ctx)
}

func checkNames(ctx context.Context, n *node) {
	talks, terr := n.cman()
	for _, name := range n.nodes() {
		found, err := n.resolve(ctx, name)
		if err != nil {
			n.unknown("whether %s resolves: %v", name, err)
			continue
		}
		words := []string{"NODE", name}
		switch {
		case len(found) == 0:
			n.say("names.unknown", words, "%s has no address here", name)
			continue
		case slices.ContainsFunc(found, n.loops):
			n.say("names.loopback", words, "%s is %s here", name, strings.Join(found, ", "))
			continue
		}
		if n.pacemaker() || slices.ContainsFunc(found, n.labs) {
			continue
		}
		if terr != nil {
			n.unknown("by which address cman talks to %s: %v", name, terr)
			continue
		}
		used := talks[strings.ToLower(name)]
		if len(used) > 0 && !slices.ContainsFunc(found, func(a string) bool { return slices.Contains(used, a) }) {
			n.say("names.network", words, "%s is %s here, and cman talks to it by %s", name, strings.Join(found, ", "), strings.Join(used, ", "))
		}
	}
}

// loops tells whether an address is this machine's own.
func (n *node) loops(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback() && !n.labs(address)
}

// labs: the nodes of a lab share one machine, and each has an address of its own in 127.1 to 127.255.
func (n *node) labs(address string) bool {
	ip := net.ParseIP(address).To4()
	return n.h.Root() != "" && ip != nil && ip[0] == 127 && ip[1] != 0
}

// resolve gives the addresses of a name: those of /etc/hosts, and what the node's own resolver says.
func (n *node) resolve(ctx context.Context, name string) ([]string, error) {
	var out []string
	add := func(address string) {
		if ip := net.ParseIP(address); ip != nil && !slices.Contains(out, ip.String()) {
			out = append(out, ip.String())
		}
	}
	text, _, err := n.read("/etc/hosts")
	if err != nil {
		return nil, err
	}
	for _, l := range strings.Split(text, "\n") {
		l, _, _ = strings.Cut(l, "#")
		if w := strings.Fields(l); len(w) > 1 && slices.ContainsFunc(w[1:], func(x string) bool { return strings.EqualFold(x, name) }) {
			add(w[0])
		}
	}
	r, err := n.ask(ctx, askLimit, "getent", "ahosts", name)
	switch {
	case errors.Is(err, run.ErrNotFound):
		return out, nil
	case err != nil && len(out) == 0:
		return nil, err
	case err == nil && r.Code == 0:
		for _, l := range strings.Split(string(r.Stdout), "\n") {
			if w := strings.Fields(l); len(w) > 0 {
				add(w[0])
			}
		}
	}
	return out, nil
}

// cmanAddresses are those by which cman reaches each node, by its name in small letters: `cman_tool nodes -a`.
func (n *node) cmanAddresses(ctx context.Context) (map[string][]string, error) {
	r, err := n.ask(ctx, askLimit, "cman_tool", "nodes", "-a")
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("cman_tool nodes -a: exit %d: %s", r.Code, line(string(r.Stderr)))
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	last := ""
	for _, l := range strings.Split(string(r.Stdout), "\n") {
		w := strings.Fields(l)
		switch {
		case len(w) == 0:
		case w[0] == "Addresses:":
			out[last] = w[1:]
		default:
			last = strings.ToLower(w[len(w)-1])
		}
	}
	return out, nil
}

func checkAgents(ctx context.Context, n *node) {
	if n.pacemaker() {
		checkOCF(ctx, n)
		return
	}
	agents, err := cluster.Agents(ctx, n.h, n.d.Run)
	if err != nil {
		n.say("agents.hang", nil, "%s", err)
	}
	rules, notes := ccs.LoadRules(agents)
	for _, note := range notes {
		switch {
		case note.Ignored && note.Type != "":
			n.say("agents.twice", nil, "%s", note)
		case note.Ignored:
			n.say("agents.silent", []string{"it", filepath.Join(cluster.AgentDir, note.Agent)}, "%s", note)
		}
	}
	if n.doc != nil && err == nil {
		var without []string
		var walk func(typ string, below []ccs.Resource)
		walk = func(typ string, below []ccs.Resource) {
			if _, ok := rules.Find(typ); !ok && !slices.Contains(without, typ) {
				without = append(without, typ)
			}
			for _, r := range below {
				walk(r.Type, r.Children)
			}
		}
		for _, s := range n.doc.Services() {
			walk(s.Type, s.Children)
		}
		for _, typ := range without {
			n.say("agents.missing", nil, "no agent in %s defines <%s>", cluster.AgentDir, typ)
		}
	}
	for _, name := range n.ownAgents() {
		here, err1 := n.digest(filepath.Join(cluster.AgentDir, name))
		packaged, err2 := n.digest(filepath.Join(packagedAgents, name))
		if err := errors.Join(err1, err2); err != nil {
			n.unknown("%v", err)
		} else if here != packaged && here != "" {
			n.say("agents.stale", nil, "%s/%s differs from the one in %s", cluster.AgentDir, name, packagedAgents)
		}
	}
}

// packagedAgents is where packages leave the agents before they are put to use.
const packagedAgents = host.LibexecDir + "/agents"

// ownAgents are the agents that our packages have left here.
func (n *node) ownAgents() []string {
	entries, err := os.ReadDir(n.h.Path(packagedAgents))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".sh") {
			out = append(out, e.Name())
		}
	}
	return out
}

// digest is a short sum of a file; "" where there is none.
func (n *node) digest(path string) (string, error) {
	text, there, err := n.read(path)
	if err != nil || !there {
		return "", err
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8]), nil
}
