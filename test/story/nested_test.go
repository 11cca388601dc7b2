package story

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// plainAgent is an agent of the suite's own kind that does nothing.
const plainAgent = `#!/bin/sh
[ "$1" != meta-data ] || cat <<'EOF'
<?xml version="1.0"?>
<resource-agent name="%[1]s" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">None.</longdesc>
  <shortdesc lang="en">None</shortdesc>
  <parameters>
    <parameter name="%[2]s" primary="1" unique="1" required="1"><longdesc lang="en">Name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/></parameter>
  </parameters>
  <actions>
    <action name="start" timeout="5"/><action name="stop" timeout="5"/><action name="status" timeout="5" interval="30s"/><action name="meta-data" timeout="5"/>
  </actions>
</resource-agent>
EOF
exit 0
`

// Three VMs of three technologies in one service: two of them defined in <resources> and referenced, two nested under a volume
// group, a file system and an address. All pass to the other node with their memory, each by a ticket of its own, before
// what they stand on is stopped.
func TestSeveralVMsInOneService(t *testing.T) {
	t.Parallel()
	vms := []service{{"all", "openvz", "101"}, {"all", "xen", "web1"}, {"all", "kvm", "db1"}}
	o := lab.Options{Nodes: []string{"node1", "node2"}}
	for _, v := range vms {
		o.VMs = append(o.VMs, lab.VM{Type: v.typ, Name: v.vm, Service: "s" + v.vm, Node: "node1"})
	}
	w := newWorld(t, o, func(l lab.Layout) {
		for _, n := range o.Nodes {
			for agent, primary := range map[string]string{"lvm": "name", "fs": "name", "ip": "address"} {
				path := filepath.Join(l.Root(n), host.AgentDir, agent+".sh")
				if err := os.WriteFile(path, []byte(fmt.Sprintf(plainAgent, agent, primary)), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			conf := filepath.Join(l.Root(n), host.ClusterXML)
			b, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			b = regexp.MustCompile(`(?s)\s*<service .*?</service>`).ReplaceAll(b, nil)
			text := strings.Replace(string(b), "</rm>", `<resources><xen name="web1"/><kvm name="db1"/></resources>
    <service name="all" domain="prefer-node1" autostart="1" recovery="restart">
      <lvm name="vg"><fs name="data"><ip address="10.0.0.9"><openvz name="101"/></ip><xen ref="web1"/></fs></lvm>
      <kvm ref="db1"/>
    </service>
  </rm>`, 1)
			if err := os.WriteFile(conf, []byte(text), 0o640); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.setUp("node1", "node2")
	for _, v := range vms {
		w.awaitTick(v.guest(), "node1")
	}
	if out := w.on("node1", "lbm", "list"); strings.Count(out, "service:all") != 3 {
		t.Errorf("lbm list: %s", out)
	}
	w.measure("node1", "node2")
	before := len(w.manager())
	if out := w.lbmMigrate("101", "node2", "node1", "node2"); !strings.Contains(out, "memory kept") {
		t.Errorf("lbm migrate: %s", out)
	}
	for _, v := range vms {
		w.awaitTick(v.guest(), "node2")
		if n := incarnations(w.witness(v.guest())); n != 1 {
			t.Errorf("%s was booted %d times", v.guest(), n)
		}
	}
	for guest, outcome := range map[string]string{"openvz:101": "suspended", "xen:web1": "sent", "kvm:db1": "sent"} {
		if n := count(w.journal(), "node", "node1", "vm", guest, "action", "stop", "outcome", outcome); n != 1 {
			t.Errorf("%s was %s %d times", guest, outcome, n)
		}
	}
	// What a VM stands on is stopped behind it, and started before it.
	order := func(node, action string) (resources []string) {
		for _, r := range w.manager()[before:] {
			if r.Get("event") == "action" && r.Get("node") == node && r.Get("action") == action {
				resources = append(resources, r.Get("resource"))
			}
		}
		return resources
	}
	stopped, started := order("node1", "stop"), order("node2", "start")
	slices.Reverse(started)
	for _, list := range [][]string{stopped, started} {
		at := func(resource string) int { return slices.Index(list, resource) }
		if !(at("openvz:101") >= 0 && at("openvz:101") < at("ip:10.0.0.9") && at("ip:10.0.0.9") < at("fs:data") && at("xen:web1") >= 0 && at("xen:web1") < at("fs:data") &&
			at("fs:data") < at("lvm:vg") && at("kvm:db1") >= 0) {
			t.Errorf("in this order, or its reverse: %q", list)
		}
	}
	// A status of each, by the manager and by the agents; and back with one that is disabled and enabled there.
	w.on("node1", "clusvcadm", "-d", "all")
	w.on("node1", "clusvcadm", "-e", "all", "-m", "node1")
	for _, v := range vms {
		w.awaitTick(v.guest(), "node1")
	}
	w.silent(0)
}
