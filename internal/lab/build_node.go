package lab

import (
	"crypto/sha256"
	_ "embed" // for the go:embed line
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
)

// serviceAgent is put among the agents, since every cluster has one.
//
//go:embed service.sh
var serviceAgent string

// vmAgent plays the suite's own agent for virtual machines where a cluster.conf has one.
//
//go:embed vm.sh
var vmAgent string

// NodeTools are the emulated programs that the node's daemon answers.
// xm works where xend runs, which is where XendLock exists; without that file Xen is driven by xl, as real nodes have it.
func NodeTools() []string { return []string{"vzctl", "vzlist", "vz", "xm", "xl", "virsh"} }

// XendLock is the file by which a node's xend says that it runs.
const XendLock = "/var/lock/subsys/xend"

// ManagerTools are the emulated programs that the cluster manager answers.
func ManagerTools() []string {
	return []string{"clustat", "clusvcadm", "cman_tool", "fence_tool", "fence_node", "fence_ack_manual", "ccs_tool"}
}

// node makes the tree of one node. Every link is relative, so that the lab's folder can be moved while it is down.
func (b *builder) node(name string, c clock.Scaled) {
	root := b.l.Root(name)
	at := func(path string) string { return filepath.Join(root, path) }
	for _, d := range []string{"etc/cluster", "etc/vz", "etc/cron.d", "proc", "usr/sbin", "usr/bin", host.AgentDir, host.LibexecDir, "var/run", "var/lib", "var/log", "dev", "root", "tmp", "vz/root",
		"vz/dump"} {
		b.dir(at(d))
	}
	b.file(at("etc/hostname"), name+"\n", 0o644)
	b.file(at("etc/hosts"), b.hosts(), 0o644)
	b.dir(at("etc/ssh"))
	b.file(at("etc/ssh/sshd_config"), "Port "+relocationPort+"\n", 0o644) // xl goes by ssh
	b.file(at(clock.File), string(c.Format()), 0o644)
	b.file(at(host.ClusterXML), b.clusterConf(), 0o640)
	b.file(at("etc/vz/vz.conf"), "# The defaults of this node's containers.\nVIRTUOZZO=yes\nDUMPDIR=/vz/dump\nVE_STOP_MODE=stop\nVE_ROOT=/vz/root/$VEID\nVE_PRIVATE=/vz/private/$VEID\n", 0o644)
	b.dir(filepath.Dir(at(XendLock)))
	b.file(at(XendLock), "", 0o644)
	if slices.ContainsFunc(b.o.VMs, func(vm VM) bool { return vm.Type == "xen" }) {
		b.dir(filepath.Dir(at(capabilities)))
		b.file(at(capabilities), "control_d\n", 0o644)
	}
	b.link("../../shared", at("shared"))
	b.link("../../shared/conf", at("etc/vz/conf"))
	b.link("../shared/xen", at("etc/xen"))
	b.link("../shared/kvm", at("etc/kvm"))
	for _, vm := range b.o.VMs {
		if vm.Type == "openvz" {
			b.dir(at("vz/root/" + vm.Name))
		}
	}
	for _, tool := range append(NodeTools(), ManagerTools()...) {
		b.link("../../../../bin/lbvm-lab", at("usr/sbin/"+tool))
	}
	b.hard(b.l.Path("bin/lbm"), at("usr/sbin/lbm"))
	for _, p := range []string{"lblog", "lbmonitor"} {
		b.hard(b.l.Path("bin", p), at(filepath.Join(host.LibexecDir, p)))
	}
	agents, err := filepath.Glob(b.l.Path("bin/agents/*"))
	b.keep(err)
	for _, a := range agents {
		b.hard(a, at(filepath.Join(host.AgentDir, filepath.Base(a))))
	}
	b.file(at("etc/cron.d/lab"), "# The lab plays it, each minute of its own time.\n* * * * * root "+filepath.Join(host.LibexecDir, "lblog")+"\n", 0o644)
	b.file(at(filepath.Join(host.AgentDir, "service.sh")), serviceAgent, 0o755)
	if slices.ContainsFunc(b.o.VMs, func(vm VM) bool { return vm.Type == stockVM }) {
		b.file(at(filepath.Join(host.AgentDir, "vm.sh")), vmAgent, 0o755)
	}
	if !b.o.Bare && b.err == nil {
		h, err := host.New(root)
		b.keep(err)
		id := b.id
		id.Member = name
		b.keep(h.WriteIdentity(id))
	}
}

// relocationPort is where a node takes running domains.
const relocationPort = "8002"

// xendConf takes running domains from the lab's nodes and nobody else.
func (b *builder) xendConf() string {
	var from []string
	for _, n := range b.o.Nodes {
		from = append(from, "^"+regexp.QuoteMeta(n)+"$")
	}
	return "(xend-relocation-server yes)\n(xend-relocation-port " + relocationPort + ")\n(xend-relocation-address '')\n(xend-relocation-hosts-allow '" + strings.Join(from, " ") + "')\n"
}

// hosts gives each node an address of the machine's own, other ones in each lab.
func (b *builder) hosts() string {
	var s strings.Builder
	sum := sha256.Sum256([]byte(b.id.UUID))
	for i, n := range b.o.Nodes {
		fmt.Fprintf(&s, "127.%d.%d.%d\t%s\n", 1+sum[0]%254, sum[1], 1+i, n)
	}
	return s.String()
}

// clusterConf is the configuration that every node begins with.
func (b *builder) clusterConf() string {
	var s strings.Builder
	fmt.Fprintf(&s, "<?xml version=\"1.0\"?>\n<cluster name=\"%s\" config_version=\"1\">\n", b.o.Cluster)
	if len(b.o.Nodes) == 2 {
		s.WriteString("  <cman two_node=\"1\" expected_votes=\"1\"/>\n")
	}
	s.WriteString("  <clusternodes>\n")
	for i, n := range b.o.Nodes {
		fmt.Fprintf(&s, "    <clusternode name=\"%s\" nodeid=\"%d\" votes=\"1\">\n      <fence>\n        <method name=\"1\">\n          <device name=\"lab\" port=\"%s\"/>\n        </method>\n      </fence>\n    </clusternode>\n", n, i+1, n)
	}
	s.WriteString("  </clusternodes>\n  <fencedevices>\n    <fencedevice name=\"lab\" agent=\"fence_lab\"/>\n  </fencedevices>\n  <rm>\n")
	s.WriteString(b.domains())
	for _, vm := range b.o.VMs {
		domain := ""
		if vm.Node != "" {
			domain = fmt.Sprintf(" domain=\"prefer-%s\"", vm.Node)
		}
		if vm.Top {
			fmt.Fprintf(&s, "    <%s name=\"%s\"%s autostart=\"1\" recovery=\"restart\"/>\n", vm.Type, vm.Name, domain)
			continue
		}
		fmt.Fprintf(&s, "    <service name=\"%s\"%s autostart=\"1\" recovery=\"restart\">\n      <%s name=\"%s\"/>\n    </service>\n", vm.Service, domain, vm.Type, vm.Name)
	}
	s.WriteString("  </rm>\n</cluster>\n")
	return s.String()
}

// domains gives each node that a VM prefers a domain of all nodes with that one first. There is no failback: where
// a VM has been moved to, there it stays.
func (b *builder) domains() string {
	var s strings.Builder
	for _, n := range b.o.Nodes {
		if !slices.ContainsFunc(b.o.VMs, func(vm VM) bool { return vm.Node == n }) {
			continue
		}
		if s.Len() == 0 {
			s.WriteString("    <failoverdomains>\n")
		}
		fmt.Fprintf(&s, "      <failoverdomain name=\"prefer-%s\" ordered=\"1\" restricted=\"0\" nofailback=\"1\">\n", n)
		for _, m := range b.o.Nodes {
			priority := 2
			if m == n {
				priority = 1
			}
			fmt.Fprintf(&s, "        <failoverdomainnode name=\"%s\" priority=\"%d\"/>\n", m, priority)
		}
		s.WriteString("      </failoverdomain>\n")
	}
	if s.Len() > 0 {
		s.WriteString("    </failoverdomains>\n")
	}
	return s.String()
}
