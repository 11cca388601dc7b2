package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

// soundCIB is a Pacemaker configuration of three nodes with a guest of each technology, as it should be.
const soundCIB = `<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="10" num_updates="44" admin_epoch="0" have-quorum="1">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="o-st" name="stonith-enabled" value="true"/>
        <nvpair id="o-nq" name="no-quorum-policy" value="freeze"/>
        <nvpair id="o-name" name="cluster-name" value="vms"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="node1"/><node id="2" uname="node2"/><node id="3" uname="node3"/></nodes>
    <resources>
      <primitive id="apc" class="stonith" type="fence_apc">
        <instance_attributes id="apc-p"><nvpair id="apc-l" name="pcmk_host_list" value="node1 node2"/></instance_attributes>
      </primitive>
      <primitive id="ipmi3" class="stonith" type="external/ipmi">
        <instance_attributes id="ipmi3-p"><nvpair id="ipmi3-m" name="pcmk_host_map" value="node3:10.0.0.93,10.0.0.94"/></instance_attributes>
      </primitive>
      <primitive id="mail" class="ocf" provider="lbvm" type="kvm">
        <instance_attributes id="mail-p"><nvpair id="mail-n" name="name" value="mail"/></instance_attributes>
        <meta_attributes id="mail-m"><nvpair id="mail-a" name="allow-migrate" value="true"/></meta_attributes>
        <operations>
          <op id="mail-s" name="start" interval="0" timeout="300s"/>
          <op id="mail-e" name="stop" interval="0" timeout="300s"/>
          <op id="mail-c" name="monitor" interval="30s" timeout="20s"/>
          <op id="mail-t" name="migrate_to" interval="0" timeout="600s"/>
          <op id="mail-f" name="migrate_from" interval="0" timeout="600s"/>
        </operations>
      </primitive>
      <group id="centos">
        <primitive id="ct101" class="ocf" provider="lbvm" type="openvz">
          <instance_attributes id="ct101-p"><nvpair id="ct101-n" name="name" value="101"/></instance_attributes>
          <operations>
            <op id="ct101-s" name="start" interval="0" timeout="300s"/>
            <op id="ct101-e" name="stop" interval="0" timeout="300s"/>
            <op id="ct101-c" name="monitor" interval="30s" timeout="20s"/>
          </operations>
        </primitive>
      </group>
      <primitive id="lbvm1" class="ocf" provider="lbvm" type="lbvm"><operations><op id="lbvm1-m" name="monitor" interval="60s" timeout="10s"/></operations></primitive>
    </resources>
    <constraints>
      <rsc_location id="likes" rsc="mail" node="node1" score="50"/>
      <rsc_location id="cli-prefer-lbvm1" rsc="lbvm1" role="Started" node="node2" score="INFINITY"/>
      <rsc_location id="cli-prefer-mail" rsc="mail"><rule id="cli-prefer-rule-mail" score="INFINITY" boolean-op="and">
        <expression id="cli-prefer-expr-mail" attribute="#uname" operation="eq" value="node1" type="string"/>
        <date_expression id="cli-prefer-lifetime-end-mail" operation="lt" end="2010-11-17 13:40:00Z"/>
      </rule></rsc_location>
    </constraints>
    <rsc_defaults><meta_attributes id="rsc-defaults"><nvpair id="rsc-stick" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>
    <op_defaults><meta_attributes id="op-defaults"><nvpair id="op-pending" name="record-pending" value="true"/></meta_attributes></op_defaults>
  </configuration>
  <status/>
</cib>
`

// soundPacemaker is a node of a Pacemaker cluster as it should be.
func soundPacemaker(t *testing.T) *stage {
	t.Helper()
	s := sound(t)
	s.gone("usr/sbin/cman_tool", "usr/sbin/clustat", "usr/sbin/fence_tool", "etc/cluster/cluster.conf", "etc/rc.d", "usr/share/cluster", "usr/sbin/xm", "etc/xen")
	for _, p := range []string{"crm_mon", "cibadmin", "crm_simulate", "crm_resource", "crm_node", "crm_verify"} {
		s.program("usr/sbin/" + p)
	}
	for _, typ := range []string{"kvm", "openvz", "lbvm"} {
		s.program("usr/lib/ocf/resource.d/lbvm/" + typ)
		s.answers[typ+" meta-data"] = s.answers[typ+".sh meta-data"]
	}
	s.edit("gfs/lbvm.conf", "balance 101, web1, mail", "balance 101, mail")
	mon, err := os.ReadFile("../cluster/testdata/captured/crm_mon-2.1.5-started.xml")
	if err != nil {
		t.Fatal(err)
	}
	s.answers["crm_mon"] = strings.NewReplacer(`"n1"`, `"node1"`, `"n2"`, `"node2"`, `"n3"`, `"node3"`, `stonith-enabled="false"`, `stonith-enabled="true"`).Replace(string(mon))
	s.answers["crm_node"] = "node1\n"
	s.answers["crm_verify"] = ""
	scores, err := os.ReadFile("../cluster/testdata/captured/crm_simulate-2.1.5-scores.txt")
	if err != nil {
		t.Fatal(err)
	}
	s.answers["crm_simulate"] = string(scores)
	s.answers["cibadmin"] = soundCIB
	return s
}

// inCIB replaces a text of the configuration that must be there.
func inCIB(from, to string) func(*stage) {
	return func(s *stage) {
		s.t.Helper()
		if !strings.Contains(s.answers["cibadmin"], from) {
			s.t.Fatalf("no %q", from)
		}
		s.answers["cibadmin"] = strings.Replace(s.answers["cibadmin"], from, to, 1)
	}
}

// withPacemaker are the faults that are planted on a node of a Pacemaker cluster.
func withPacemaker() []planted {
	const apc, ipmi = `class="stonith" type="fence_apc"`, `class="stonith" type="external/ipmi"`
	tcp := inCIB(`name="name" value="mail"/>`, `name="name" value="mail"/><nvpair id="mail-tr" name="migration_transport" value="tcp"/>`)
	list := []planted{
		{fault: "members.away", plant: func(s *stage) {
			s.answers["crm_mon"] = strings.Replace(s.answers["crm_mon"], `name="node3" id="3" online="true"`, `name="node3" id="3" online="false"`, 1)
		}, text: "node3", cure: "crm_node --remove node3"},
		{fault: "cib.invalid", plant: func(s *stage) {
			s.answers["crm_verify"] = "exit 78 error: Resource start-up disabled\nerror: Errors found during check: config not valid"
		}, text: "start-up disabled"},
		{fault: "cib.stonith", plant: inCIB(`name="stonith-enabled" value="true"`, `name="stonith-enabled" value="False"`), text: "False", cure: "stonith-enabled --update true"},
		{fault: "cib.quorum", plant: inCIB(`value="freeze"`, `value="ignore"`), cure: "freeze"},
		{fault: "cib.freeze", plant: inCIB(`value="freeze"`, `value="stop"`), text: "is stop", cure: "freeze"},
		{fault: "cib.freeze", name: "not set", plant: inCIB(`<nvpair id="o-nq" name="no-quorum-policy" value="freeze"/>`, ""), text: "not set"},
		{fault: "cib.maintenance", plant: inCIB(`name="stonith-enabled"`, `name="maintenance-mode" value="true"/><nvpair id="o-2" name="stonith-enabled"`), cure: "maintenance-mode --update false"},
		{fault: "cib.stickiness", plant: inCIB(`name="resource-stickiness" value="100"`, `name="resource-stickiness" value="0"`), text: "mail, ct101: its resource-stickiness is 0"},
		{fault: "cib.timeout", plant: inCIB(`<op id="mail-e" name="stop" interval="0" timeout="300s"/>`, ""), text: "mail: stop"},
		{fault: "cib.timeout", name: "none", plant: inCIB(` timeout="600s"/>`, "/>"), text: "mail: migrate_to"},
		{fault: "cib.monitor", plant: inCIB(`<op id="ct101-c" name="monitor" interval="30s"`, `<op id="ct101-c" name="monitor" interval="0s"`), text: "ct101"},
		{fault: "cib.live", plant: inCIB(`<nvpair id="mail-a" name="allow-migrate" value="true"/>`, ""), text: "mail: it is kvm", cure: "--resource mail "},
		{fault: "cib.pending", plant: inCIB(`name="record-pending" value="true"`, `name="record-pending" value="false"`)},
		{fault: "cib.left", plant: inCIB(`id="likes"`, `id="cli-ban-mail-on-node3"`), text: "cli-ban-mail-on-node3 of node1", cure: "crm_resource --resource mail --clear"},
		{fault: "cib.left", name: "of a group", plant: inCIB(`id="likes" rsc="mail"`, `id="cli-prefer-centos" rsc="centos"`), text: "centos", cure: "--resource centos --clear"},
		{fault: "fencing.none", plant: inCIB(`value="node1 node2"`, `value="node1"`), text: "node2", cure: "stonith_admin --reboot node2"},
		{fault: "fencing.none", name: "disabled", plant: inCIB(ipmi+">", ipmi+`><meta_attributes id="i-m"><nvpair id="i-t" name="target-role" value="Stopped"/></meta_attributes>`), text: "node3"},
		{fault: "fencing.manual", plant: inCIB(ipmi, `class="stonith" type="meatware"`), text: "node3: ipmi3 (meatware)", cure: "real fence device"},
		{fault: "fencing.last", plant: inCIB(`<primitive id="mail"`, `<primitive id="man" class="stonith" type="meatware"><instance_attributes id="m-p"><nvpair id="m-l" name="pcmk_host_list" value="node1"/></instance_attributes></primitive><primitive id="mail"`), text: "node1: man"},
		{fault: "fencing.null", plant: inCIB(apc, `class="stonith" type="null"`), text: "node1: apc (null)", also: []string{"fencing.null"}},
		{fault: "fencing.null", name: "a dummy beside a real one", plant: inCIB(`<primitive id="mail"`, `<primitive id="dum" class="stonith" type="fence_dummy"/><primitive id="mail"`), text: "dum (fence_dummy)", also: []string{"fencing.null", "fencing.null"}},
		{fault: "agents.missing", plant: func(s *stage) { s.gone("usr/lib/ocf/resource.d/lbvm/kvm") }, text: "/usr/lib/ocf/resource.d/lbvm/kvm"},
		{fault: "agents.missing", name: "not to be run", plant: func(s *stage) {
			s.gone("usr/lib/ocf/resource.d/lbvm/kvm")
			s.file("usr/lib/ocf/resource.d/lbvm/kvm", "#!/bin/false\n")
		}, text: "cannot be run"},
		{fault: "agents.hang", plant: func(s *stage) { s.answers["openvz meta-data"] = "hangs" }, text: "openvz meta-data"},
		{fault: "agents.missing", name: "does not answer", plant: func(s *stage) { s.answers["lbvm meta-data"] = "exit 126 no" }, text: "lbvm meta-data ends with 126", cure: "install the package"},
		{fault: "agents.stale", plant: func(s *stage) { s.file("usr/libexec/lbvm/agents/kvm.sh", "#!/bin/false\n# newer\n") }, text: "/usr/lib/ocf/resource.d/lbvm/kvm differs"},
		{fault: "kvm.away", plant: func(s *stage) {
			tcp(s)
			s.answers["virsh -r -c qemu+tcp://node2/system hostname"] = "exit 1 error: unable to connect to server at 'node2:16509': Connection refused"
		}, text: "qemu+tcp://node2/system: virsh ends with 1", cure: "on node2: "},
		{fault: "kvm.away", name: "no answer", plant: func(s *stage) { tcp(s); s.answers["virsh -r -c qemu+tcp://node3/system hostname"] = "hangs" }, text: "node3"},
	}
	for i := range list {
		list[i].on = soundPacemaker
	}
	return list
}

// On a sound node of a Pacemaker cluster nothing is found, and what is idle has nothing to look at.
func TestSoundPacemakerNode(t *testing.T) {
	r := soundPacemaker(t).doctor().Examine(context.Background())
	var idle []string
	for _, x := range r.Results {
		if x.Idle != "" {
			idle = append(idle, x.Check)
		}
		for _, f := range x.Findings {
			t.Errorf("%s: %s %s: %s (%s)", f.Check, f.Severity, f.Fault, f.Text, f.Cure)
		}
	}
	if want := []string{"version", "cluster-conf", "flock", "xen", "boot"}; !slices.Equal(idle, want) {
		t.Errorf("idle: %q, want %q", idle, want)
	}
	if d := r.Traits.Agents[filepath.Join(ocfAgents, "kvm")]; d == "" {
		t.Errorf("nodes are not compared by their agents: %q", r.Traits.Agents)
	}
}

// The configuration of the tests is one by Pacemaker's own word.
func TestSoundCIBIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(path, []byte(soundCIB), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its exit code is the same for warnings, and it has some: of nodes that it does not see.
	out, err := exec.Command(real.Need(t, "crm_verify"), "--xml-file", path, "-V").CombinedOutput()
	if wrong, _ := verified(string(out)); wrong || !strings.Contains(string(out), "Warnings found") {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(soundCIB, "<operations>", "<operation>", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(real.Need(t, "crm_verify"), "--xml-file", path, "-V").CombinedOutput()
	if wrong, known := verified(string(out)); !wrong || !known {
		t.Errorf("broken: %v: %s", err, out)
	}
}
