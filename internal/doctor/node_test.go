package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/metadata"
)

const uuid = "11111111-2222-4333-8444-555555555555"

// clusterConf is a cluster of three nodes with a guest of each technology, as it should be.
const clusterConf = `<?xml version="1.0"?>
<cluster name="vms" config_version="7">
  <clusternodes>
    <clusternode name="node1" nodeid="1"><fence><method name="1"><device name="apc" port="1"/></method></fence></clusternode>
    <clusternode name="node2" nodeid="2"><fence><method name="1"><device name="apc" port="2"/></method></fence></clusternode>
    <clusternode name="node3" nodeid="3"><fence><method name="1"><device name="apc" port="3"/></method></fence></clusternode>
  </clusternodes>
  <fencedevices><fencedevice name="apc" agent="fence_apc" ipaddr="10.0.0.9" login="l" passwd="p"/></fencedevices>
  <rm>
    <failoverdomains>
      <failoverdomain name="two" restricted="1"><failoverdomainnode name="node2"/><failoverdomainnode name="node3"/></failoverdomain>
    </failoverdomains>
    <service name="centos"><openvz name="101"/></service>
    <service name="web1"><xen name="web1"/></service>
    <service name="mail"><kvm name="mail"/></service>
    <service name="monitoring"><lbvm name="lbvm1"/></service>
  </rm>
</cluster>
`

const now = 1290000600

// stage is a node's folder and what its programs answer: `program arguments` or `program` -> text; a text that begins
// with "exit N " ends with that code.
type stage struct {
	t       *testing.T
	root    string
	answers map[string]string
	held    string
	touch   func(context.Context) error
	room    int64
}

// Run answers for every program of the node.
func (s *stage) Run(_ context.Context, c run.Command) (run.Result, error) {
	program := filepath.Base(c.Argv[0])
	for _, key := range []string{strings.Join(append([]string{program}, c.Argv[1:]...), " "), program} {
		text, ok := s.answers[key]
		if !ok {
			continue
		}
		if rest, failed := strings.CutPrefix(text, "exit "); failed {
			code := 0
			for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				code, rest = code*10+int(rest[0]-'0'), rest[1:]
			}
			return run.Result{Code: code, Stderr: []byte(strings.TrimSpace(rest))}, nil
		}
		if text == "hangs" {
			return run.Result{}, run.ErrDeadline
		}
		return run.Result{Stdout: []byte(text)}, nil
	}
	return run.Result{Code: 127, Stderr: []byte("nobody answers " + strings.Join(c.Argv, " "))}, nil
}

func (s *stage) file(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) program(name string) {
	s.t.Helper()
	s.file(name, "#!/bin/false\n")
	if err := os.Chmod(filepath.Join(s.root, name), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) gone(names ...string) {
	s.t.Helper()
	for _, n := range names {
		if err := os.RemoveAll(filepath.Join(s.root, n)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// edit replaces a text that must be there.
func (s *stage) edit(name, from, to string) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil || !strings.Contains(string(b), from) {
		s.t.Fatalf("%s does not hold %q: %v", name, from, err)
	}
	s.file(name, strings.Replace(string(b), from, to, 1))
}

func (s *stage) link(to, name string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
		s.t.Fatal(err)
	}
}

// facts are what a node publishes, as a change of what is right.
func (s *stage) facts(member string, change func(*host.Facts)) {
	s.t.Helper()
	f := host.Facts{Member: member, Boot: "boot", At: time.Unix(now-20, 0), Config: 7, Bridges: []string{"br0"}, CPUFlags: []string{"sse2", "vmx"}}
	if change != nil {
		change(&f)
	}
	if err := host.WriteFacts(filepath.Join(s.root, "gfs"), f); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) doctor() Doctor {
	h, err := host.New(s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	return Doctor{Host: h, Run: s, Clock: clock.NewFake(time.Unix(now, 0)), Wait: clock.System(), Held: s.held, Touch: s.touch,
		Room: func(string) (int64, error) { return s.room, nil }}
}

// sound is a node as it should be, in which every check has something to look at.
func sound(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, room: LeastRoom, root: t.TempDir(), answers: map[string]string{}}
	for _, p := range []string{"cman_tool", "clustat", "fence_tool", "clvmd", "iscsiadm", "multipath", "vzctl", "vzlist", "xm", "virsh", "ssh", "getent"} {
		s.program("usr/sbin/" + p)
	}
	s.file("etc/hostname", "node1\n")
	s.file("etc/hosts", "127.0.0.1 localhost\n10.0.0.1 node1\n10.0.0.2 node2\n10.0.0.3 node3\n")
	s.file("etc/cluster/cluster.conf", clusterConf)
	id := "cluster=vms\nuuid=" + uuid + "\n"
	s.file("etc/cluster/lbvm.id", "format=1\n"+id+"member=node1\nshared=/gfs\nlogdir=/gfs/lbvm/log\n")
	s.file("gfs/lbvm/cluster", "format=1\n"+id)
	for _, d := range []string{"lock", "nodes", "log"} {
		s.file("gfs/lbvm/"+d+"/keep", "")
	}
	s.file("gfs/lbvm.conf", "resources /gfs/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance 101, web1, mail;\ndefault { algorithm { migrate() if average(res('cpu', 5)) > 0.7; } }\n")
	s.file("gfs/lbresources.conf", "resource cpu { builtin cpu; }\n")
	s.link("../../gfs/lbvm.conf", "etc/cluster/lbvm.conf")
	s.file("proc/mounts", "/dev/sda1 / ext3 rw 0 0\n/dev/mapper/vg-gfs /gfs gfs2 rw,noatime 0 0\n/dev/mapper/vg-vz /vz\\040data gfs rw 0 0\n")
	s.file("etc/fstab", "/dev/vg/gfs /gfs gfs2 defaults,noatime 0 0\n/dev/vg/vz /vz\\040data gfs defaults 0 0\n/dev/vg/x /x gfs noauto 0 0\n")
	s.file("etc/lvm/lvm.conf", "global {\n    # locking_type = 1\n    locking_type = 3\n}\n")
	s.file("etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1994-05.com.redhat:node1\n")
	s.file("var/lib/iscsi/nodes/iqn.2007-10.com.example:disk/10.1.0.1,3260,1/default", "node.startup = automatic\n")
	s.file("var/lib/iscsi/nodes/iqn.2007-10.com.example:old/10.1.0.1,3260,1/default", "node.startup = manual\n")
	s.file("etc/multipath.conf", "defaults {\n}\n")
	for i, name := range []string{"init", "clvmd", "multipathd", "ntpd"} {
		s.file(filepath.Join("proc", []string{"1", "20", "21", "22"}[i], "stat"), "1 ("+name+") S 1 1\n")
	}
	s.file("proc/sys/kernel/osrelease", "2.6.32-042stab145.3\n")
	s.file("proc/sys/kernel/random/boot_id", "boot\n")
	for _, p := range []string{"proc/vz/veinfo", "proc/cpt", "proc/rst", "dev/kvm", "dev/xen/evtchn", "var/lock/subsys/xend"} {
		s.file(p, "")
	}
	s.file("proc/xen/capabilities", "control_d\n")
	s.file("gfs/conf/101.conf", "ONBOOT=\"no\"\nVE_PRIVATE=/gfs/private/101\nVE_ROOT=/vz/root/101\nDISK_QUOTA=no\n")
	s.link("../../gfs/conf", "etc/vz/conf")
	s.file("etc/vz/vz.conf", "LOCKDIR=/var/lib/vz/lock\nVE_STOP_MODE=stop\n")
	s.file("gfs/xen/web1", "name = 'web1'\n")
	s.link("../../gfs/xen/web1", "etc/xen/web1")
	s.file("etc/xen/xend-config.sxp", "(xend-relocation-server yes)\n(xend-relocation-hosts-allow '^node1$ ^node2$ ^10\\\\.0\\\\.0\\\\.3$')\n")
	s.file("etc/sysconfig/xendomains", "XENDOMAINS_SAVE=\n")
	s.file("gfs/kvm/mail.xml", "<domain/>")
	s.link("../gfs/kvm", "etc/kvm")
	s.file("etc/sysconfig/libvirt-guests", "ON_SHUTDOWN=shutdown\n")
	s.file("etc/cron.d/lbvm", "* * * * * root /usr/share/lbvm/lblog\n")
	for _, l := range []string{"S20cman", "S24clvmd", "S26gfs2", "S26gfs", "S13iscsi", "S13multipathd", "S50vz", "S51xend", "S52libvirtd", "S98lbvm", "S99rgmanager"} {
		s.file("etc/rc.d/rc3.d/"+l, "")
		s.file("etc/init.d/"+l[3:], "")
	}
	for _, l := range []string{"K01rgmanager", "K20lbvm", "K50vz", "K51xend", "K52libvirtd", "K80cman"} {
		s.file("etc/rc.d/rc6.d/"+l, "")
	}
	service, err := os.ReadFile("../lab/service.sh")
	if err != nil {
		t.Fatal(err)
	}
	text := string(service)
	agents := map[string]string{"service": text[strings.Index(text, "<?xml") : strings.LastIndex(text, ">")+1],
		"openvz": string(metadata.OpenVZ()), "xen": string(metadata.Xen()), "kvm": string(metadata.KVM()), "lbvm": string(metadata.LBVM())}
	for name, xml := range agents {
		s.program("usr/share/cluster/" + name + ".sh")
		s.answers[name+".sh meta-data"] = xml
		if name != "service" {
			s.program("usr/libexec/lbvm/agents/" + name + ".sh")
		}
	}
	s.program("usr/libexec/lbvm/lblog")
	for _, m := range []string{"node1", "node2", "node3"} {
		s.facts(m, nil)
	}
	for key, text := range map[string]string{
		"cman_tool status":  "Cluster Member: Yes\nMembership state: Cluster-Member\nQuorum: 2  \nNode name: node1\n",
		"cman_tool version": "6.2.0 config 7\n",
		"cman_tool nodes":   "Node  Sts   Inc   Joined               Name\n   1   M     12   2008-01-10 12:00:01  node1\n   2   M     16   2008-01-10 12:00:02  node2\n   3   M     20   2008-01-10 12:00:03  node3\n",
		"cman_tool nodes -a": "Node  Sts   Inc   Joined               Name\n   1   M     12   2008-01-10 12:00:01  node1\n       Addresses: 10.0.0.1 \n" +
			"   2   M     16   2008-01-10 12:00:02  node2\n       Addresses: 10.0.0.2 \n   3   M     20   2008-01-10 12:00:03  node3\n       Addresses: 10.0.0.3 \n",
		"clustat":             clustat(1),
		"iscsiadm -m session": "tcp: [1] 10.1.0.1:3260,1 iqn.2007-10.com.example:disk\n",
		"multipath -ll":       "vm1 (3600) dm-2 IET,VIRTUAL-DISK\nsize=50G features='0' hwhandler='0' wp=rw\n|-+- policy='round-robin 0' prio=1 status=active\n| `- 3:0:0:1 sdb 8:16 active ready running\n",
		"xm info":             "host                   : node1\nxen_major              : 3\nxen_minor              : 1\nxen_extra              : .0-8.el5\nfree_memory            : 2011\n",
		"xm list":             "Name                                      ID Mem(MiB) VCPUs State   Time(s)\nDomain-0                                   0      500     2 r-----  10268.0\n",
		"virsh":               " Id    Name                           State\n----------------------------------------------------\n",
		"ssh":                 "",
		"getent":              "exit 2 not found",
		"vzlist":              "exit 1 Unable to open /dev/vzctl: No such file or directory",
	} {
		s.answers[key] = text
	}
	return s
}

// clustat is what it prints where rgmanager runs here or not.
func clustat(manager int) string {
	here := map[int]string{1: "1", 0: "0"}[manager]
	groups := ""
	if manager == 1 {
		groups = `  <groups>
    <group name="service:centos" state="112" state_str="started" flags="0" flags_str="" owner="node1" last_owner="none" restarts="0" last_transition="1290000000" last_transition_str="x"/>
  </groups>
`
	}
	nodes := ""
	for _, n := range []string{"1", "2", "3"} {
		local, rg := "0", "1"
		if n == "1" {
			local, rg = "1", here
		}
		nodes += `    <node name="node` + n + `" state="1" local="` + local + `" estranged="0" rgmanager="` + rg + `" rgmanager_master="0" qdisk="0" nodeid="0x0000000` + n + `"/>` + "\n"
	}
	return `<?xml version="1.0"?>
<clustat version="4.1.1">
  <cluster name="vms" id="4660" generation="148"/>
  <quorum quorate="1" groupmember="` + here + `"/>
  <nodes>
` + nodes + `  </nodes>
` + groups + `</clustat>
`
}
