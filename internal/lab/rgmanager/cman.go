package rgmanager

import (
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

const notRunning = "cman_tool: Cannot open connection to cman, is it running ?"

const cmanUsage = `Usage:

cman_tool <version|status|nodes> [options]

version                    show the version and the configuration's
   -r                      load a newer configuration
status                     show the state of the cluster
nodes [-a] [-f] [-n NAME]  show the members (-f: when each was fenced)
`

// cmanTool is one call of cman_tool on the node n.
func (m *Manager) cmanTool(n *node, args []string) run.Result {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" {
		return run.Result{Stdout: []byte(cmanUsage)}
	}
	if !m.isMember(n) {
		return failure(notRunning)
	}
	switch args[0] {
	case "nodes":
		return m.cmanNodes(args[1:])
	case "status":
		return m.cmanStatus(n)
	case "version":
		return m.cmanVersion(n, args[1:])
	}
	return failure(fmt.Sprintf("cman_tool: unknown command or option: %s (the lab plays version, status and nodes)", args[0]))
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

func (m *Manager) cmanNodes(args []string) run.Result {
	options, _, bad := getopt(args, "afF:n:")
	if bad != 0 {
		return failure(fmt.Sprintf("cman_tool: invalid option -- '%c'", bad))
	}
	var addresses, fence bool
	var format, only string
	for _, o := range options {
		switch o.flag {
		case 'a':
			addresses = true
		case 'f':
			fence = true
		case 'F':
			format = o.value
		case 'n':
			only = o.value
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	if format == "" {
		b.WriteString("Node  Sts   Inc   Joined               Name\n")
	}
	for _, n := range m.nodes {
		if only != "" && !strings.EqualFold(only, n.name) {
			continue
		}
		if format != "" {
			b.WriteString(n.formatted(format))
			continue
		}
		sts, joined := "X", strings.Repeat(" ", 19)
		if n.member {
			sts, joined = "M", stamp(n.joined)
		}
		fmt.Fprintf(&b, "%4d   %s  %5d   %s  %s\n", n.id, sts, n.incarnation, joined, n.name)
		fence := fence && !m.switches.el6
		if fence && !n.lastFenced.IsZero() { // may well be an older fencing
			fmt.Fprintf(&b, "       Last fenced:   %-15s by %s\n", stamp(n.lastFenced), map[string]string{"agent": "fence_lab"}[n.how]+map[bool]string{true: n.how}[n.how != "agent"])
		}
		if fence && !n.member && n.incarnation > 0 && !n.fenced {
			b.WriteString("       Node has not been fenced since it went down\n")
		}
		if addresses {
			fmt.Fprintf(&b, "       Addresses: %s \n", n.address())
		}
	}
	return said("%s", b.String())
}

func (n *node) address() string { return fmt.Sprintf("192.168.100.%d", n.id) }

func (n *node) formatted(format string) string {
	var b strings.Builder
	for _, f := range strings.Split(format, ",") {
		switch f {
		case "id":
			fmt.Fprintf(&b, "%d ", n.id)
		case "name":
			b.WriteString(n.name + " ")
		case "type":
			b.WriteString(map[bool]string{true: "M ", false: "X "}[n.member])
		case "addr":
			b.WriteString(n.address() + " ")
		}
	}
	return b.String() + "\n"
}

func (m *Manager) cmanStatus(n *node) run.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, expected, quorum := m.votesLocked()
	members := 0
	for _, x := range m.nodes {
		members += bit(x.member)
	}
	state, blocked := fmt.Sprintf("%d  ", quorum), "Cluster-Member"
	if !m.quorate {
		state += "Activity blocked"
	}
	ports := "0"
	if n.rg != rgOff {
		ports = "0 177"
	}
	flags := ""
	if m.conf.twoNode {
		flags = "2node "
	}
	return said(`Version: 6.2.0
Config Version: %d
Cluster Name: %s
Cluster Id: %d
Cluster Member: Yes
Cluster Generation: %d
Membership state: %s
Nodes: %d
Expected votes: %d
Total votes: %d
Node votes: 1
Quorum: %s
Active subsystems: 8
Flags: %s
Ports Bound: %s  
Node name: %s
Node ID: %d
Multicast addresses: 239.192.%d.%d 
Node addresses: %s 
`, m.conf.version, m.conf.cluster, clusterID(m.conf.cluster), m.generation, blocked, members, expected, have, state, flags, ports, n.name, n.id,
		clusterID(m.conf.cluster)>>8, clusterID(m.conf.cluster)&0xff, n.address())
}

// cmanVersion is the way of RHEL 6: -r makes the file of this node the cluster's.
func (m *Manager) cmanVersion(n *node, args []string) run.Result {
	reload := false
	for _, a := range args {
		reload = reload || strings.HasPrefix(a, "-r")
	}
	if !reload {
		m.mu.Lock()
		defer m.mu.Unlock()
		return said("6.2.0 config %d\n", m.conf.version)
	}
	c, err := readConfigurationFile(n.confFile())
	if err != nil {
		return failure("cman_tool: Not reloading, configuration is not valid\n" + err.Error())
	}
	old, err := m.publish(c)
	switch {
	case err == errOld:
		return failure("cman_tool: Not reloading, config version older or equal the running config")
	case err != nil:
		return failure("cman_tool: " + err.Error())
	}
	m.log.event("config", kv("node", n.name), kv("from", fmt.Sprint(old)), kv("to", fmt.Sprint(c.version)), kv("by", "cman_tool"))
	return run.Result{}
}
