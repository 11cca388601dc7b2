package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// planted are faults, each put into a sound node. The doctor finds it, and nothing else but what is named in also.
type planted struct {
	fault string
	name  string // of a second way in which it shows
	plant func(*stage)
	text  string                  // what the finding says
	cure  string                  // what its cure says
	also  []string                // faults that follow from it
	vague []string                // checks that cannot be made then
	on    func(*testing.T) *stage // the sound node; nil: of rgmanager's
}

func inConf(from, to string) func(*stage) {
	return func(s *stage) { s.edit("etc/cluster/cluster.conf", from, to) }
}

func all() []planted {
	away := func(s *stage) {
		s.answers["cman_tool nodes"] = strings.Replace(s.answers["cman_tool nodes"], "   3   M ", "   3   X ", 1)
	}
	return []planted{
		{fault: "members.down", plant: func(s *stage) {
			for _, q := range []string{"cman_tool status", "cman_tool version", "cman_tool nodes", "cman_tool nodes -a"} {
				s.answers[q] = "exit 1 cman_tool: Cannot open connection to cman, is it running ?"
			}
		}, text: "is it running", cure: "service cman start", vague: []string{"version", "names", "names", "names"}},
		{fault: "members.inquorate", plant: func(s *stage) {
			s.answers["cman_tool status"] = strings.Replace(s.answers["cman_tool status"], "Quorum: 2", "Quorum: 2 Activity blocked", 1)
		}, text: "not quorate"},
		{fault: "members.inquorate", name: "by the manager alone", plant: func(s *stage) {
			s.answers["clustat"] = strings.Replace(s.answers["clustat"], `quorum quorate="1"`, `quorum quorate="0"`, 1)
		}, text: "the manager says"},
		{fault: "members.manager", plant: func(s *stage) { s.answers["clustat"] = clustat(0) }, cure: "service rgmanager start"},
		{fault: "members.away", plant: away, text: "node3", cure: "lbm ccs delnode node3"},
		{fault: "fencing.owed", plant: func(s *stage) {
			away(s)
			s.answers["fence_tool"] = "fence domain\nmember count  2\n\nall nodes\nnodeid 3 member 0 victim 1 last fence master 0 how none\n"
		}, text: "owed", cure: "fence_node node3", also: []string{"members.away"}},
		{fault: "identity.none", plant: func(s *stage) { s.gone("etc/cluster/lbvm.id") }, text: "lbvm.id is missing", cure: "lbm init --shared DIR --join"},
		{fault: "identity.other", plant: func(s *stage) { s.edit("etc/cluster/lbvm.id", "member=node1", "member=node2") }, text: `the cluster calls it "node1"`},
		{fault: "identity.other", name: "cluster", plant: inConf(`name="vms"`, `name="other"`), text: `of the cluster "vms"`},
		{fault: "version.file", plant: func(s *stage) { inConf(`config_version="7"`, `config_version="8"`)(s) }, text: "has version 8, and this node runs with 7", cure: "lbm ccs update"},
		{fault: "version.differ", plant: func(s *stage) { s.facts("node2", func(f *host.Facts) { f.Config = 6 }) }, text: "node2 runs with version 6"},
		{fault: "cluster-conf.invalid", plant: inConf("</cluster>", ""), text: "cluster.conf",
			vague: []string{"version", "fencing"}},
		{fault: "cluster-conf.invalid", name: "an element without its name", plant: inConf(`<service name="web1">`, "<service>"), text: "cluster.conf:"},
		{fault: "cluster-conf.doubtful", plant: inConf(`<openvz name="101"/>`, `<openvz name="101" colour="red"/>`), text: "colour", cure: "lbm ccs validate"},
		{fault: "fencing.none", plant: inConf(`<fence><method name="1"><device name="apc" port="2"/></method></fence>`, ""), text: "node2"},
		{fault: "fencing.none", name: "a device that is not there", plant: inConf(`device name="apc" port="2"`, `device name="gone" port="2"`), text: "node2", also: []string{"cluster-conf.doubtful"}},
		{fault: "fencing.manual", plant: func(s *stage) { inConf(`agent="fence_apc"`, `agent="fence_manual"`)(s) }, text: "node1", cure: "fence_ipmilan",
			also: []string{"fencing.manual", "fencing.manual"}},
		{fault: "fencing.last", plant: func(s *stage) {
			inConf("<fencedevices>", `<fencedevices><fencedevice name="hand" agent="fence_manual"/>`)(s)
			inConf(`port="3"/></method>`, `port="3"/></method><method name="2"><device name="hand"/></method>`)(s)
		}, text: "node3"},
		{fault: "names.unknown", plant: func(s *stage) { s.edit("etc/hosts", "10.0.0.3 node3\n", "") }, text: "node3", cure: "/etc/hosts", also: []string{"xen.refused"}},
		{fault: "names.loopback", plant: func(s *stage) { s.edit("etc/hosts", "127.0.0.1 localhost", "127.0.1.1 node1") }, text: "node1 is 127.0.1.1"},
		{fault: "names.network", plant: func(s *stage) { s.edit("etc/hosts", "10.0.0.2 node2", "192.0.2.2 node2") }, text: "cman talks to it by 10.0.0.2"},
		{fault: "names.network", name: "by the resolver", plant: func(s *stage) {
			s.edit("etc/hosts", "10.0.0.2 node2", "")
			s.answers["getent ahosts node2"] = "192.0.2.2      STREAM node2\n192.0.2.2      DGRAM\n"
		}, text: "node2 is 192.0.2.2"},
		{fault: "agents.twice", plant: func(s *stage) {
			s.program("usr/share/cluster/xen.sh.bak")
			s.answers["xen.sh.bak meta-data"] = s.answers["xen.sh meta-data"]
		}, text: "xen.sh.bak"},
		{fault: "agents.missing", plant: func(s *stage) { s.gone("usr/share/cluster/lbvm.sh") }, text: "<lbvm>", also: []string{"cluster-conf.doubtful"}},
		{fault: "agents.silent", plant: func(s *stage) {
			s.program("usr/share/cluster/notes.sh")
			s.answers["notes.sh meta-data"] = "hello\n"
		}, cure: "chmod a-x /usr/share/cluster/notes.sh"},
		{fault: "agents.stale", plant: func(s *stage) {
			s.file("usr/libexec/lbvm/agents/xen.sh", "#!/bin/false\n# newer\n")
		}, text: "xen.sh", cure: "/usr/libexec/lbvm/activate"},
		{fault: "agents.hang", plant: func(s *stage) { s.answers["kvm.sh meta-data"] = "hangs" }, text: "kvm.sh"},
		{fault: "share.absent", plant: func(s *stage) { s.gone("gfs/lbvm/cluster") }, text: "marker", cure: "mount /gfs", vague: []string{"alike", "adopt", "samples"}},
		{fault: "share.hangs", plant: func(s *stage) {
			s.touch = func(context.Context) error { return fmt.Errorf("lbm: %w", run.ErrDeadline) }
		}, text: "has not answered", vague: []string{"lbvm-conf", "guests", "xen", "alike", "adopt", "samples"}},
		{fault: "share.full", plant: func(s *stage) { s.room = LeastRoom - 1 }, text: "16383 KiB are free on /gfs", cure: "df -h /gfs"},
		{fault: "share.local", plant: func(s *stage) { s.edit("proc/mounts", "/gfs gfs2 rw", "/gfs ext3 rw") }, text: "ext3", also: []string{"share.fstab"}},
		{fault: "share.local", name: "nothing is mounted there", plant: func(s *stage) {
			s.edit("proc/mounts", "/dev/mapper/vg-gfs /gfs gfs2 rw,noatime 0 0\n", "")
		}, text: "lies on /, which is ext3", also: []string{"share.fstab"}},
		{fault: "share.locks", plant: func(s *stage) { s.edit("proc/mounts", "gfs2 rw,noatime", "gfs2 rw,localflocks") }, text: "localflocks", vague: []string{"alike", "adopt", "samples"}},
		{fault: "share.fstab", plant: func(s *stage) { s.edit("proc/mounts", "/vz\\040data gfs rw", "/elsewhere gfs rw") }, text: "/vz data", cure: "mount /vz data"},
		{fault: "share.flock", plant: func(s *stage) { s.held = "node2" }, text: "node2 holds"},
		{fault: "clvm.locking", plant: func(s *stage) { s.edit("etc/lvm/lvm.conf", "    locking_type = 3", "    locking_type = 1") }, text: "locking_type = 1", cure: "lvmconf --enable-cluster"},
		{fault: "clvm.locking", name: "no line", plant: func(s *stage) { s.file("etc/lvm/lvm.conf", "global {\n}\n") }, text: "names no locking_type"},
		{fault: "clvm.locking", name: "no file", plant: func(s *stage) { s.gone("etc/lvm") }},
		{fault: "clvm.locking", name: "an lvm resource and no clvmd", plant: func(s *stage) {
			s.gone("usr/sbin/clvmd", "etc/lvm")
			inConf("<failoverdomains>", `<resources><lvm name="lvm" vg_name="cluster" lv_name="xen"/></resources><failoverdomains>`)(s)
		}, also: []string{"cluster-conf.doubtful"}},
		{fault: "clvm.daemon", plant: func(s *stage) { s.gone("proc/20") }, text: "clvmd"},
		{fault: "iscsi.session", plant: func(s *stage) { s.answers["iscsiadm -m session"] = "exit 21 iscsiadm: No active sessions." },
			cure: "iscsiadm -m node -T iqn.2007-10.com.example:disk -l"},
		{fault: "iscsi.name", plant: func(s *stage) { s.gone("etc/iscsi/initiatorname.iscsi") }, cure: "iscsi-iname"},
		{fault: "multipath.daemon", plant: func(s *stage) { s.gone("proc/21") }, text: "multipathd"},
		{fault: "multipath.path", plant: func(s *stage) {
			s.answers["multipath -ll"] += "`-+- policy='round-robin 0' prio=0 status=enabled\n  `- 4:0:0:1 sdc 8:32 failed faulty offline\n"
		}, text: "4:0:0:1 sdc"},
		{fault: "guests.starts", name: "ONBOOT", plant: func(s *stage) { s.edit("gfs/conf/101.conf", `"no"`, `"yes"`) }, text: "ONBOOT"},
		{fault: "guests.starts", name: "LOCKDIR", plant: func(s *stage) { s.edit("etc/vz/vz.conf", "/var/lib/vz/lock", "/gfs/lock") }, text: "LOCKDIR=/gfs/lock"},
		{fault: "guests.starts", name: "xen auto", plant: func(s *stage) { s.link("../web1", "etc/xen/auto/web1") }, text: "/etc/xen/auto/web1"},
		{fault: "guests.starts", name: "libvirt autostart", plant: func(s *stage) { s.file("etc/libvirt/qemu/autostart/mail.xml", "") }, text: "virsh autostart --disable"},
		{fault: "guests.starts", name: "no configuration", plant: func(s *stage) { s.gone("gfs/conf/101.conf") }, text: "101.conf"},
		{fault: "guests.odd", plant: func(s *stage) { s.edit("etc/sysconfig/xendomains", "SAVE=", "SAVE=/var/lib/xen/save") }, text: "XENDOMAINS_SAVE"},
		{fault: "guests.tool", plant: func(s *stage) { s.gone("usr/sbin/vzctl") }, text: "openvz:101: vzctl is not installed"},
		{fault: "openvz.kernel", plant: func(s *stage) { s.gone("proc/vz") }, text: "/dev/vzctl"},
		{fault: "openvz.checkpoint", plant: func(s *stage) { s.gone("proc/rst") }, text: "/proc/rst", cure: "modprobe vzcpt vzrst"},
		{fault: "openvz.checkpoint", name: "a later kernel", plant: func(s *stage) { s.file("proc/sys/kernel/osrelease", "3.10.0\n") }, text: "criu"},
		{fault: "xen.kernel", plant: func(s *stage) {
			s.gone("dev/xen", "proc/xen")
			s.answers["xm list"] = "exit 1 Error: Unable to connect to xend: Connection refused. Is xend running?"
		}, text: "xend"},
		{fault: "xen.relocation", plant: func(s *stage) { s.edit("etc/xen/xend-config.sxp", "server yes", "server no") }, text: `is "no"`},
		{fault: "xen.refused", plant: func(s *stage) { s.edit("etc/xen/xend-config.sxp", "^node2$", "^node22$") }, text: "does not let node2, 10.0.0.2 in"},
		{fault: "xen.open", plant: func(s *stage) {
			s.file("etc/xen/xend-config.sxp", "(xend-relocation-server yes)\n(xend-relocation-hosts-allow '')\n")
		}},
		{fault: "xen.open", name: "a list that lets all in", plant: func(s *stage) { s.edit("etc/xen/xend-config.sxp", "^node1$", ".*") }},
		{fault: "kvm.kernel", plant: func(s *stage) { s.gone("dev/kvm") }, cure: "modprobe kvm_intel"},
		{fault: "kvm.libvirt", plant: func(s *stage) { s.answers["virsh"] = "exit 1 error: failed to connect to the hypervisor" }, cure: "service libvirtd start"},
		{fault: "ssh.key", plant: func(s *stage) {
			s.answers["ssh -oBatchMode=yes -oConnectTimeout=10 -- node2 true"] = "exit 255 Permission denied (publickey)."
		},
			text: "Permission denied", cure: "ssh-copy-id root@node2"},
		{fault: "ssh.key", name: "no ssh", plant: func(s *stage) { s.gone("usr/sbin/ssh") }, text: "there is no ssh here"},
		{fault: "ssh.key", name: "xl", plant: func(s *stage) {
			inConf(`<kvm name="mail"/>`, `<kvm name="mail" migration_transport="tls"/>`)(s)
			s.gone("usr/sbin/xm")
			s.program("usr/sbin/xl")
			s.answers["xl info"], s.answers["xl list"] = s.answers["xm info"], s.answers["xm list"]
			s.answers["ssh"] = "hangs"
		}, also: []string{"ssh.key"}},
		{fault: "bridges.differ", plant: func(s *stage) { s.facts("node3", func(f *host.Facts) { f.Bridges = []string{"xenbr4"} }) },
			text: "only node1 has br0, only node3 has xenbr4"},
		{fault: "cpu.differ", plant: func(s *stage) { s.facts("node3", func(f *host.Facts) { f.CPUFlags = []string{"sse2"} }) }, text: "only node1 has vmx"},
		{fault: "adopt.unfinished", plant: func(s *stage) {
			const plan = `{"format": 1, "type": "openvz", "vm": "%s", "member": "%s", "config": "/etc/vz/conf/%s.conf"}`
			s.file("gfs/lbvm/adopt/openvz-201/plan", fmt.Sprintf(plan, "201", "node1", "201"))
			s.file("gfs/lbvm/adopt/openvz-201/journal", "2010-11-17T13:00:00Z event=begin step=copy vm=openvz:201 node=node1 why=\"\"\n2010-11-17T13")
			s.file("gfs/lbvm/adopt/openvz-202/plan", fmt.Sprintf(plan, "202", "node2", "202")) // which is named there
			s.file("gfs/lbvm/adopt/openvz-203/journal", "")                                    // taken back
		}, text: "openvz:201: its adoption on node1 has begun and is not finished: it has come to step copy", cure: "lbm add --resume openvz:201 goes on"},
		{fault: "adopt.unfinished", name: "a removal that was being taken back", plant: func(s *stage) {
			s.file("gfs/lbvm/adopt/openvz-201/plan", `{"format": 1, "type": "openvz", "vm": "201", "member": "node1", "removal": {"name": "201"}}`)
			s.file("gfs/lbvm/adopt/openvz-201/journal", "2010-11-17T13:00:00Z event=undo step=all vm=openvz:201 node=node1 why=\"\"\n")
		}, text: "openvz:201: its removal on node1 has begun and is not finished: it was being taken back", cure: "lbm add --undo openvz:201 takes it back"},
		{fault: "boot.xendomains", plant: func(s *stage) { s.file("etc/rc.d/rc3.d/S98xendomains", "") }, cure: "chkconfig xendomains off"},
		{fault: "boot.xendomains", name: "systemd", plant: func(s *stage) {
			s.gone("etc/rc.d")
			s.file("etc/systemd/system/multi-user.target.wants/xendomains.service", "")
		}, text: "xendomains.service"},
		{fault: "boot.order", plant: func(s *stage) {
			s.gone("etc/rc.d/rc6.d/K50vz")
			s.file("etc/rc.d/rc6.d/K00vz", "")
		}, text: "K00vz comes before K01rgmanager"},
		{fault: "boot.order", name: "at the start", plant: func(s *stage) {
			s.gone("etc/rc.d/rc3.d/S51xend")
			s.file("etc/rc.d/rc3.d/S99xend", "")
		}, text: "S99xend comes after S99rgmanager"},
		{fault: "boot.off", plant: func(s *stage) { s.gone("etc/rc.d/rc3.d/S24clvmd") }, text: "clvmd", cure: "chkconfig clvmd on"},
		{fault: "lbvm-conf.invalid", plant: func(s *stage) { s.edit("gfs/lbvm.conf", "migrate()", "migrate(") }, text: "/etc/cluster/lbvm.conf:4", cure: "lbm check"},
		{fault: "lbvm-conf.invalid", name: "missing", plant: func(s *stage) { s.gone("gfs/lbvm.conf") }, text: "/etc/cluster/lbvm.conf"},
		{fault: "lbvm-conf.doubtful", plant: func(s *stage) {
			s.edit("gfs/lbvm.conf", "balance 101", "nosuch { algorithm { report(); } }\nbalance 101")
		}},
		{fault: "samples.cron", plant: func(s *stage) {
			s.edit("etc/cron.d/lbvm", "* * *", "#* * *")
			s.facts("node1", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) })
		}, text: "1h0m20s old", cure: "/usr/share/lbvm/lblog"},
		{fault: "samples.program", plant: func(s *stage) {
			s.gone("usr/libexec/lbvm/lblog")
			s.facts("node1", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) })
		}, text: "this node: its last samples are 1h0m20s old", cure: "rpm -V lbvm"},
		{fault: "samples.old", plant: func(s *stage) { s.facts("node1", func(f *host.Facts) { f.At = time.Time{} }) }, text: "published no samples", cure: "lblog --dry-run",
			vague: []string{"alike"}},
		{fault: "samples.others", plant: func(s *stage) { s.facts("node2", func(f *host.Facts) { f.At = f.At.Add(-time.Hour) }) }, text: "node2", cure: "lbm doctor on node2"},
		{fault: "clock.ahead", plant: func(s *stage) { s.facts("node2", func(f *host.Facts) { f.At = f.At.Add(time.Minute) }) }, text: "node2"},
		{fault: "clock.daemon", plant: func(s *stage) { s.gone("proc/22") }, cure: "ntpd"},
	}
}

func TestPlantedFaults(t *testing.T) {
	for _, p := range append(all(), withPacemaker()...) {
		name := strings.TrimSpace(p.fault + " " + p.name)
		if p.on == nil {
			p.on = sound
		} else {
			name = "pacemaker/" + name
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := p.on(t)
			p.plant(s)
			r := s.doctor().Examine(context.Background())
			var got, vague []string
			for _, f := range r.Findings() {
				switch {
				case f.Fault == "":
					vague = append(vague, f.Check)
					if f.Severity != Unknown || f.Text == "" {
						t.Errorf("%+v", f)
					}
				default:
					got = append(got, f.Fault)
					if row := faultOf(f.Fault); row.Means == "" || f.Severity != row.Severity || f.Cure == "" || strings.Contains(f.Text, s.root) {
						t.Errorf("%+v", f)
					}
				}
			}
			i := slices.IndexFunc(r.Findings(), func(f Finding) bool { return f.Fault == p.fault })
			if i < 0 {
				t.Fatalf("it was not found, but %q; %+v", got, r.Findings())
			}
			if f := r.Findings()[i]; !strings.Contains(f.Text, p.text) || !strings.Contains(f.Cure, p.cure) || f.Check != strings.SplitN(p.fault, ".", 2)[0] && p.fault != "bridges.differ" && p.fault != "cpu.differ" && p.fault != "share.flock" {
				t.Errorf("%s says %q, and to do %q", f.Check, f.Text, f.Cure)
			}
			want := append([]string{p.fault}, p.also...)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) || !slices.Equal(vague, p.vague) {
				t.Errorf("found %q, want %q; not looked at %q, want %q; %+v", got, want, vague, p.vague, r.Findings())
			}
		})
	}
}

// Every fault of the table is planted by a test, here or beside other nodes, and every one that is said is in the table.
func TestEveryFaultIsPlanted(t *testing.T) {
	tested := []string{}
	for _, p := range append(all(), withPacemaker()...) {
		tested = append(tested, p.fault)
	}
	for _, p := range apartFaults() {
		tested = append(tested, p.fault)
	}
	seen := []string{}
	for _, f := range Faults() {
		if slices.Contains(seen, f.ID) || f.Means == "" || f.Cure == "" || f.Severity == Fine {
			t.Errorf("%+v", f)
		}
		seen = append(seen, f.ID)
		if !slices.Contains(tested, f.ID) {
			t.Errorf("nobody plants %s", f.ID)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, after := range strings.Split(string(b), `say("`)[1:] {
			if id, _, _ := strings.Cut(after, `"`); !slices.Contains(seen, id) {
				t.Errorf("%s says %q, of which the table has nothing", file, id)
			}
		}
	}
}

// apartFaults are those that show only beside another node.
func apartFaults() []struct {
	fault string
	plant func(*Answer)
	text  string
} {
	return []struct {
		fault string
		plant func(*Answer)
		text  string
	}{
		{"across.silent", func(a *Answer) { a.Err = errors.New("ssh: no route") }, "node2: ssh: no route"},
		{"across.version", func(a *Answer) { a.Report.Traits.Running = 6 }, "7 on node1, node3; 6 on node2"},
		{"across.text", func(a *Answer) { a.Report.Traits.Text = "other" }, "version 7: "},
		{"across.agents", func(a *Answer) { a.Report.Traits.Agents = map[string]string{"xen.sh": "other"} }, "xen.sh: "},
		{"across.lbvm", func(a *Answer) { a.Report.Traits.Release = "1.9" }, "1.9 on node2"},
		{"across.share", func(a *Answer) { a.Report.Traits.Share = "other" }, "other on node2"},
		{"across.rules", func(a *Answer) { a.Report.Traits.Conf = "other" }, "lbvm.conf: "},
		{"across.clock", func(a *Answer) { a.Report.At = a.Report.At.Add(time.Minute) }, "node2 says that it is"},
		{"across.clock", func(a *Answer) { a.Report.At = a.Report.At.Add(-time.Minute) }, "node2 says that it is"},
		{"iscsi.twin", func(a *Answer) { a.Report.Traits.Initiator = "iqn.1994-05.com.redhat:node1" }, "node1, node2 are all"},
	}
}

// A restart of iscsi on a running member takes the disks from under its file systems and guests.
func TestCureOfTwinsStopsTheNodeFirst(t *testing.T) {
	for _, f := range Faults() {
		if f.ID != "iscsi.twin" {
			continue
		}
		rest := f.Cure
		for _, step := range []string{"allow it on the target", "lbm evacuate NODE", "service rgmanager stop", "service gfs stop", "service cman stop", "> /etc/iscsi/initiatorname.iscsi", "service iscsi restart"} {
			_, after, ok := strings.Cut(rest, step)
			if !ok {
				t.Fatalf("%q is not in its place in %q", step, f.Cure)
			}
			rest = after
		}
		return
	}
	t.Error("the fault is not there")
}

func TestNodesSideBySide(t *testing.T) {
	r := sound(t).doctor().Examine(context.Background())
	answers := func() []Answer {
		if r.Traits.Running != 7 || r.Traits.Text == "" || len(r.Traits.Agents) != 4 || r.Traits.Conf == "" || r.Traits.Share != uuid || r.Traits.Release == "" {
			t.Fatalf("%+v", r.Traits)
		}
		out := []Answer{{Node: "node1", Report: r}}
		for _, n := range []string{"node2", "node3"} {
			a := Answer{Node: n, Report: r, Asked: time.Unix(now-1, 0), Told: time.Unix(now+1, 0)}
			a.Report.Traits.Initiator = "iqn.1994-05.com.redhat:" + n
			out = append(out, a)
		}
		return out
	}
	if r := Compare(answers()); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	for _, p := range apartFaults() {
		all := answers()
		p.plant(&all[1])
		r := Compare(all)
		if len(r.Findings) != 1 || r.Findings[0].Fault != p.fault || !strings.Contains(r.Findings[0].Text, p.text) || r.Findings[0].Check != Across {
			t.Errorf("%s: %+v", p.fault, r.Findings)
		}
	}
	// A node whose file is of another version is said to run with it, and not to have another text of the same.
	all := answers()
	all[1].Report.Traits.Text, all[1].Report.Traits.Version = "other", 6
	if r := Compare(all); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
}
