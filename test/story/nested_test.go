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
	if out := w.on("node1", "lbm", "migrate", "101", "node2"); !strings.Contains(out, "memory kept") {
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

// drbdPair gives both nodes a DRBD as far as agents look at it: what drbdadm dumps, and /proc/drbd.
func drbdPair(t *testing.T, l lab.Layout, nodes ...string) {
	t.Helper()
	for _, n := range nodes {
		root := l.Root(n)
		for path, text := range map[string]string{
			"usr/sbin/drbdadm": "#!/bin/sh\n[ \"$*\" != dump ] || exec /bin/cat \"$LBVM_ROOT/etc/drbd.dump\"\nexit 10\n",
			"etc/drbd.dump":    "common {\n    protocol C;\n}\nresource r0 {\n    on node1 {\n        device /dev/drbd1 minor 1;\n    }\n    on node2 {\n        device /dev/drbd1 minor 1;\n    }\n    net {\n        allow-two-primaries;\n    }\n}\n",
		} {
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../../../shared/images/web1.img", filepath.Join(root, "dev/drbd1")); err != nil {
			t.Fatal(err)
		}
	}
}

// drbd is what /proc/drbd of both nodes says of the resource.
func drbd(t *testing.T, l lab.Layout, role map[string]string, disks string) {
	t.Helper()
	for n, ro := range role {
		text := "version: 8.3.16 (api:88/proto:86-97)\n\n 1: cs:Connected ro:" + ro + " ds:" + disks + " C r-----\n    ns:0 nr:0 dw:0 dr:664 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:b oos:0\n"
		file := filepath.Join(l.Root(n), "proc/drbd")
		if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

// A guest on DRBD, a copy of which is not whole: it is said before anything stops that it does not go live, the manager's own
// migration is refused and the guest runs on, and its memory passes in an image. When both are whole it goes live.
func TestGuestOnDRBD(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Nodes: []string{"node1", "node2"}, VMs: []lab.VM{{Type: "xen", Name: "web1", Node: "node1", Top: true}}}, func(l lab.Layout) {
		conf := l.Path("shared/xen/web1")
		b, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(conf, []byte(strings.Replace(string(b), "file:/shared/images/web1.img", "phy:/dev/drbd1", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		drbdPair(t, l, "node1", "node2")
		drbd(t, l, map[string]string{"node1": "Primary/Secondary", "node2": "Secondary/Primary"}, "UpToDate/Inconsistent")
	})
	w.setUp("node1", "node2")
	const guest = "xen:web1"
	w.awaitTick(guest, "node1")
	w.measure("node1", "node2")
	stops := count(w.manager(), "resource", "xen:web1", "action", "stop")
	// 0: by an image it can go. What is looked for is what it says.
	out, code := w.tryOn("node1", "lbm", "migrate", "--dry-run", "web1", "node2")
	if !strings.Contains(out, "UpToDate/Inconsistent") || !strings.Contains(out, "not live") {
		t.Errorf("lbm migrate --dry-run: exit %d: %s", code, out)
	}
	if out, code := w.tryOn("node1", "lbm", "migrate", "--method=manager", "web1", "node2"); code != 3 || !strings.Contains(out, "UpToDate/Inconsistent") {
		t.Errorf("lbm migrate --method=manager: exit %d: %s", code, out)
	}
	if out, code := w.tryOn("node1", "clusvcadm", "-M", "xen:web1", "-m", "node2"); code == 0 {
		t.Errorf("clusvcadm -M: exit %d: %s", code, out)
	}
	w.awaitTick(guest, "node1")
	if n := count(w.manager(), "resource", "xen:web1", "action", "stop"); n != stops {
		t.Errorf("the guest was stopped %d times", n-stops)
	}
	if out := w.on("node1", "lbm", "migrate", "web1", "node2"); !strings.Contains(out, "memory kept") {
		t.Errorf("lbm migrate: %s", out)
	}
	w.awaitTick(guest, "node2")
	if sent := count(w.journal(), "vm", guest, "outcome", "sent"); sent != 0 {
		t.Errorf("it was pushed %d times", sent)
	}
	drbd(t, w.l, map[string]string{"node1": "Secondary/Primary", "node2": "Primary/Secondary"}, "UpToDate/UpToDate")
	w.on("node1", "clusvcadm", "-M", "xen:web1", "-m", "node1")
	w.awaitTick(guest, "node1")
	if sent := count(w.journal(), "vm", guest, "outcome", "sent"); sent != 1 {
		t.Errorf("it was pushed %d times", sent)
	}
	if n := incarnations(w.witness(guest)); n != 1 {
		t.Errorf("booted %d times", n)
	}
	w.silent(0)
}
