package rpm

import (
	"path/filepath"
	"strings"
	"testing"
)

// technology is Xen, as an administrator could define it who has no agent for it.
const technology = `config /etc/xen/%{name};
disk /shared/images/%{name}.img;
memory 256M;
status {
    sh 'xm list "$VM_NAME" || xm list "migrating-$VM_NAME"';
    running exit 0 output "^%{name} +[0-9]+ +[0-9]+ +[0-9]+ +[r-][b-]---- ";
    leaving exit 0 output "^migrating-%{name} ";
    stopped exit 1 3 error "^Error: Domain 'migrating-%{name}' does not exist";
}
start { run xm create %{config}; timeout 1m; }
stop xm shutdown %{name};
destroy xm destroy %{name};
`

// everyProgram has each program of the packages do its main work: what rgmanager and Pacemaker ask of the agents, a run of
// lblog, a pass of lbmonitor, and what lbm shows and does.
func everyProgram(t *testing.T, c cluster) {
	const share, ocf = "/usr/share/cluster/", "/usr/lib/ocf/resource.d/lbvm/"

	// The agents, as rgmanager calls them and by hand. The cluster's own guests it has started already.
	for agent, vm := range map[string]string{"openvz": "101", "xen": "web1", "kvm": "vm1"} {
		c.on("node1", 0, "OCF_RESKEY_name="+vm, share+agent+".sh", "status")
		c.on("node2", 7, "OCF_RESKEY_name="+vm, share+agent+".sh", "status")
		c.on("node1", 0, "OCF_RESKEY_name="+vm, share+agent+".sh", "--explain", "stop")
	}
	for agent := range agents() {
		if out := c.on("node1", 0, share+agent+".sh", "meta-data"); !strings.Contains(out, `<resource-agent name="`+agent+`"`) {
			t.Errorf("%s meta-data: %s", agent, out)
		}
	}
	c.like("own8", "web1", "xen/NAME")
	c.file("nodes/node1/etc/cluster/lbvm.d/domain", technology)
	own := func(action string) []string {
		return []string{"OCF_RESKEY_name=own8", "OCF_RESKEY_type=domain", share + "vmexec.sh", action}
	}
	c.on("node1", 0, "lbm", "exec", "check", "domain")
	c.on("node1", 0, own("start")...)
	c.on("node1", 0, own("status")...)
	c.on("node1", 0, own("stop")...)
	c.on("node1", 7, own("status")...)

	// A live move by the agent alone, as rgmanager's -M asks for it.
	for _, x := range []struct{ agent, vm, other, conf string }{{"xen", "xen8", "web1", "xen/NAME"}, {"kvm", "kvm8", "vm1", "kvm/NAME.xml"}} {
		c.like(x.vm, x.other, x.conf)
		call := func(action ...string) []string {
			return append([]string{"OCF_RESKEY_name=" + x.vm, share + x.agent + ".sh"}, action...)
		}
		c.on("node1", 0, call("validate-all")...)
		c.on("node1", 0, call("start")...)
		c.on("node1", 0, call("migrate", "node2")...)
		c.on("node2", 0, call("status")...)
		c.on("node1", 7, call("status")...)
		c.on("node2", 0, call("stop")...)
	}

	// The copies for Pacemaker.
	c.like("ocf8", "vm1", "kvm/NAME.xml")
	pcmk := func(action string, more ...string) []string {
		return append(append([]string{"OCF_RESKEY_name=ocf8", "OCF_RESKEY_CRM_meta_timeout=60000"}, more...), c.r.path(ocf+"kvm"), action)
	}
	c.on("node1", 7, pcmk("monitor")...)
	c.on("node1", 0, pcmk("start")...)
	c.on("node1", 0, pcmk("monitor")...)
	c.on("node1", 0, pcmk("migrate_to", "OCF_RESKEY_CRM_meta_migrate_source=node1", "OCF_RESKEY_CRM_meta_migrate_target=node2")...)
	c.on("node2", 0, pcmk("migrate_from", "OCF_RESKEY_CRM_meta_migrate_source=node1", "OCF_RESKEY_CRM_meta_migrate_target=node2")...)
	c.on("node2", 0, pcmk("stop")...)
	for agent := range agents() {
		if out := c.on("node1", 0, c.r.path(ocf+agent), "meta-data"); !strings.Contains(out, `<resource-agent name="`+agent+`"`) {
			t.Errorf("%s meta-data: %s", agent, out)
		}
	}

	// The tools.
	c.on("node1", 0, "lblog", "--dry-run")
	c.on("node1", 0, "lbmonitor", "--dry-run")
	for _, words := range [][]string{{"-l"}, {"list"}, {"status"}, {"nodes"}, {"show", "101"}, {"check"}, {"handoff", "101"}, {"history"}, {"why-down", "101"}, {"doctor", "--verbose"},
		{"ccs", "show"}, {"ccs", "validate"}, {"blackbox"}, {"eval", "1 + 1"}, {"add", "--help"}, {"explain", "101"}} {
		if words[0] == "explain" { // what is balanced can be explained
			path := filepath.Join(c.dir, "shared/lbvm.conf")
			text := read(t, path)
			c.file("shared/lbvm.conf", strings.Replace(text, "\nbalance ;\n", "\nbalance 101;\n", 1))
		}
		c.on("node1", 0, append([]string{"lbm"}, words...)...)
	}
	for vm, how := range map[string]string{"101": "image", "web1": "live", "vm1": "live"} {
		if out := c.soon("node1", 0, "lbm", "migrate", vm, "node2"); !strings.Contains(out, "memory kept") {
			t.Errorf("%s, %s: %s", vm, how, out)
		}
	}
	c.want(0, "lbvm-lab", "--lab", c.dir, "check", "--cold", "0")
}
