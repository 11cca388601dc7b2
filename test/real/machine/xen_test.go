package machine

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// xenUp is what a distribution's init scripts do for a dom0, with the guests' consoles written to files.
const xenUp = `mount -t xenfs x /proc/xen; mkdir -p /run/xen /run/xenstored /var/lib/xen /var/log/xen/console /etc/xen
for m in xen-evtchn xen-gntdev xen-gntalloc xen-blkback xen-netback xen-privcmd; do modprobe $m; done
/usr/lib/xen-4.17/bin/oxenstored --pid-file /run/xen/xenstored.pid
for i in $(seq 60); do xenstore-ls >/dev/null 2>&1 && break; sleep 1; done
/usr/lib/xen-4.17/bin/xen-init-dom0 >/dev/null
/usr/lib/xen-4.17/bin/xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/run/xen/xenconsoled.pid
`

// domain is a guest's configuration: PVH, since no hypervisor of Debian moves a PV guest live (it lacks shadow paging), and the
// processor's own time stamps, since the emulated processor cannot serve others.
const domain = `name="NAME"
type="pvh"
memory=128
vcpus=1
tsc_mode="native"
kernel="/guest/vmlinuz"
ramdisk="/guest/initrd.gz"
extra="console=hvc0 loglevel=0 MORE"
disk=["phy:/dev/vdd,xvda,w"]
`

// TestXen has two machines under the real Xen, with xl, ssh and GFS2 between them, live through our agent's every action.
func TestXen(t *testing.T) {
	wanted(t, "xen")
	c := newCluster(t, "Xen: our agent and the real xl on two machines", true,
		"two emulated machines (QEMU without hardware help, one processor each) under the hypervisor, each with its dom0; xl, xenstored, xenconsoled and the hotplug scripts are Debian's",
		"GFS2 with DLM over corosync between them holds records and memory images; ssh (openssh, keys) carries the live migration from one dom0 to the other; nothing goes to localhost",
		"the guest: PVH, 128 MiB, a disk that both nodes see; it counts on its console",
		"cman_tool and fence_tool are stand-ins that say in cman's words what corosync-quorumtool really says")
	playXen(c)
}

func playXen(c *cluster) {
	x := &xenWorld{cluster: c}
	x.setUp()
	a, b, r := c.nodes[0], c.nodes[1], c.r
	const typ, vm = "xen", "vm1"

	r.part("Before the first start")
	out, code := a.run("/lbvm/xen.sh", "meta-data")
	r.check(code == 0 && strings.Contains(out, `<resource-agent name="xen"`) && strings.HasSuffix(strings.TrimSpace(out), "</resource-agent>"), "node1: xen.sh meta-data: exit %d, %d bytes", code, len(out))
	for _, m := range c.nodes {
		c.wants(m, 0, typ, vm, "validate-all")
		c.wants(m, 7, typ, vm, "status")
		c.wants(m, 0, typ, vm, "stop")
	}

	r.part("Start, and a second start")
	c.wants(a, 0, typ, vm, "start")
	c.record(b, typ, vm, "running node1")
	x.counts(a, vm, 3)
	c.wants(a, 0, typ, vm, "status")
	for i, want := range []int{0, 7} { // as Pacemaker asks
		m := c.nodes[i]
		got, err := m.ask(request{Argv: []string{ocfAgent, "monitor"}, Env: []string{"OCF_RESKEY_name=" + vm, "OCF_ROOT=/usr/lib/ocf", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
			"OCF_RESOURCE_INSTANCE=" + vm, "OCF_RESOURCE_TYPE=xen", "OCF_RESOURCE_PROVIDER=lbvm", "OCF_RESKEY_CRM_meta_timeout=60000", "OCF_RESKEY_CRM_meta_on_node=" + m.name}})
		must(c.t, err)
		r.check(got.Code == want, "%s: %s monitor: exit %d after %.1f s", m.name, ocfAgent, got.Code, got.Took.Seconds())
	}
	c.wants(b, 7, typ, vm, "status")
	c.wants(b, 1, typ, vm, "start")
	c.wants(b, 0, typ, vm, "stop")
	x.runsOn(vm, a)
	c.wants(a, 0, typ, vm, "start")
	out, code = a.run("xl", "create", "/etc/xen/vm1")
	r.check(code == 3 && strings.Contains(out, `Domain with name "vm1" already exists`), "node1: xl create of a name that is there: exit %d, %q", code, firstLine(out, "already exists"))
	x.runsOn(vm, a)
	x.samples()

	r.part("A hand-over by image: stop on node1, start on node2")
	last := x.counts(a, vm, 1)
	c.wants(a, 0, typ, vm, "stop")
	c.record(b, typ, vm, "suspended")
	x.runsOn(vm, nil)
	r.note("the image: %s", a.sh("ls -l /gfs/lbvm/handoff/xen-vm1/image.*/mem | sed 's/.*root *//'"))
	c.wants(b, 0, typ, vm, "start")
	c.record(a, typ, vm, "running node2")
	x.goesOn(b, last)
	x.runsOn(vm, b)

	r.part("A live migration by the agent: node2 to node1, over ssh")
	last = x.counts(b, vm, 1)
	got := b.actWithin(1200, typ, vm, "migrate node1") // emulated processors encrypt slowly
	if !r.check(got == 0, "node2: xen.sh migrate node1: exit %d", got) {
		c.t.Fatal("nothing has moved: the rest would tell nothing")
	}
	c.record(a, typ, vm, "sent node1")
	x.runsOn(vm, a)
	c.wants(a, 0, typ, vm, "status")
	c.record(b, typ, vm, "running node1")
	c.wants(b, 7, typ, vm, "status")
	x.goesOn(a, last)
	c.wants(a, 150, typ, vm, "migrate nosuch")
	x.runsOn(vm, a)
	b.sh("kill $(cat /run/sshd.pid)")
	c.wants(a, 150, typ, vm, "migrate node2") // nobody answers there
	c.record(b, typ, vm, "running node1")
	x.runsOn(vm, a)
	c.wants(a, 0, typ, vm, "status")

	r.part("A stop that keeps nothing: a guest that hears, and one that does not")
	c.wants(a, 0, typ, vm, "stop", param("on_stop", "shutdown"))
	c.record(b, typ, vm, "down")
	x.runsOn(vm, nil)
	c.wants(a, 0, typ, "deaf", "start")
	x.counts(a, "deaf", 2)
	began := time.Now()
	code = a.actWithin(90, typ, "deaf", "stop", param("on_stop", "shutdown"))
	r.check(code == 0 && time.Since(began) > 55*time.Second, "node1: stop of a guest that does not hear, within 90 s: exit %d after %.0f s, which is after two thirds of the time", code, time.Since(began).Seconds())
	x.runsOn("deaf", nil)

	r.part("A guest that crashes")
	c.wants(a, 0, typ, vm, "start")
	x.counts(a, vm, 2)
	a.sh("xl sysrq vm1 c")
	a.await("the crashed guest is gone: on_crash is overridden", 2*time.Minute, func() bool { return !strings.Contains(x.list(a), "vm1") })
	c.wants(a, 7, typ, vm, "status")
	c.wants(a, 0, typ, vm, "stop")
	c.record(b, typ, vm, "down")
	// By hand, and with its remains kept.
	a.sh(`xl create /etc/xen/vm1 'on_crash="preserve"'`)
	c.wants(a, 0, typ, vm, "status")
	x.counts(a, vm, 2)
	a.sh("xl sysrq vm1 c")
	a.await("the crashed guest stays", 2*time.Minute, func() bool { return regexp.MustCompile(`(?m)^vm1 .* -*[-s]c-? `).MatchString(x.list(a)) })
	r.note("node1: %s", firstLine(x.list(a), "vm1"))
	c.wants(a, 1, typ, vm, "status")
	c.wants(a, 0, typ, vm, "stop")
	x.runsOn(vm, nil)

	r.part("Both nodes start it at the same moment")
	var codes [2]int
	c.both(func(m *machine) { codes[m.number-1] = m.act(typ, vm, "start") })
	r.check(codes == [2]int{0, 1} || codes == [2]int{1, 0}, "node1's start: exit %d, node2's: exit %d", codes[0], codes[1])
	winner := c.nodes[codes[0]]
	x.runsOn(vm, winner)
	c.wants(winner, 0, typ, vm, "stop", param("on_stop", "shutdown"))
	x.runsOn(vm, nil)
}

// ocfAgent is our agent where Pacemaker has it.
const ocfAgent = "/usr/lib/ocf/resource.d/lbvm/xen"

type xenWorld struct{ *cluster }

// setUp makes both machines nodes with Xen, and lets root go from one to the other.
func (x *xenWorld) setUp() {
	x.both(func(m *machine) {
		m.sh(xenUp + "mkdir -p /usr/lib/ocf/resource.d/lbvm; cp /lbvm/xen.sh " + ocfAgent)
		for name, more := range map[string]string{"vm1": "", "deaf": "deaf"} {
			m.put("/etc/xen/"+name, strings.NewReplacer("NAME", name, "MORE", more).Replace(domain), "644")
		}
		m.sh("mkdir -p /root/.ssh /run/sshd; rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; " +
			"echo Compression yes >>/etc/ssh/ssh_config; echo 'PidFile /run/sshd.pid' >>/etc/ssh/sshd_config; echo UseDNS no >>/etc/ssh/sshd_config; /usr/sbin/sshd")
	})
	a, b := x.nodes[0], x.nodes[1]
	a.sh("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
	for _, file := range []string{"id_ed25519", "authorized_keys"} {
		b.put("/root/.ssh/"+file, a.sh("cat /root/.ssh/"+file)+"\n", "600")
	}
	known := ""
	for _, m := range x.nodes {
		known += m.name + " " + m.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub") + "\n"
	}
	for _, m := range x.nodes {
		m.put("/root/.ssh/known_hosts", known, "600")
	}
	for i, m := range x.nodes {
		out := m.sh("ssh -o BatchMode=yes " + x.nodes[1-i].name + " hostname")
		x.r.check(out == x.nodes[1-i].name, "%s reaches the other node by ssh: %s", m.name, out)
	}
	info := a.sh("xl info")
	for _, key := range []string{"xen_version", "virt_caps", "total_memory"} {
		x.r.note("xl info: %s", strings.Join(strings.Fields(firstLine(info, key)), " "))
	}
}

func firstLine(text, with string) string {
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, with) {
			return line
		}
	}
	return ""
}

func (x *xenWorld) list(m *machine) string {
	x.t.Helper()
	return m.sh("xl list")
}

// runsOn judges where the hypervisors have it; nil is nowhere.
func (x *xenWorld) runsOn(vm string, where *machine) {
	x.t.Helper()
	var found []string
	ok := true
	for _, m := range x.nodes {
		has := regexp.MustCompile(`(?m)^` + vm + ` `).MatchString(x.list(m))
		if has {
			found = append(found, m.name)
		}
		ok = ok && has == (m == where)
	}
	x.r.check(ok, "xl list of both nodes has %s on: %s", vm, strings.Join(append(found, "")[:max(len(found), 1)], ", "))
}

var ticks = regexp.MustCompile(`(?m)^tick (\d+)\r?$`)

// last is the last number on a guest's console of that node, and how often the guest has booted on it. xenconsoled names a log
// after the name that the guest has when it comes, which is NAME--incoming in a live migration, and writes on into it.
func (x *xenWorld) last(m *machine, vm string) (n, boots int) {
	x.t.Helper()
	out, _ := m.run("sh", "-c", "cd /var/log/xen/console && cat /dev/null $(ls -tr | grep -E '^guest-"+vm+"(--incoming)?[.]log$')")
	all := ticks.FindAllStringSubmatch(out, -1)
	if len(all) > 0 {
		n, _ = strconv.Atoi(all[len(all)-1][1]) // digits, by the expression
	}
	return n, strings.Count(out, "GUEST-UP")
}

// counts waits until the guest has counted so much further than now, and gives its number.
func (x *xenWorld) counts(m *machine, vm string, more int) int {
	x.t.Helper()
	from, boots := x.last(m, vm)
	n := from
	m.await(vm+" counts", 5*time.Minute, func() bool {
		var b int
		n, b = x.last(m, vm)
		return n >= from+more || b > boots && n >= more
	})
	return n
}

// goesOn judges that the guest went on with its number on a node, and was not booted there.
func (x *xenWorld) goesOn(m *machine, from int) {
	x.t.Helper()
	_, boots := x.last(m, "vm1")
	n := x.counts(m, "vm1", 2)
	_, now := x.last(m, "vm1")
	x.r.check(n > from && now == boots, "%s: the guest counts on: %d before, %d now, not booted meanwhile", m.name, from, n)
}

// samples judges what our programs read of the hypervisor against what its own tools say.
func (x *xenWorld) samples() {
	a, r := x.nodes[0], x.r
	r.part("Measuring")
	out := a.sh("xl list")
	r.quote("node1# xl list\n" + out)
	top := a.sh("TERM=dumb xentop -b -i 2 -d 2")
	r.quote("node1# xentop -b -i 2 -d 2\n" + top)
	a.put("/etc/cluster/lbvm.conf", "sharedstorage /gfs;\nresources /etc/cluster/lbresources.conf;\nlogdir /gfs/lbvm/log;\nbalance vm1;\ndefault { algorithm { return 0; } }\n", "644")
	a.put("/etc/cluster/lbresources.conf", "resource cpu { builtin cpu; }\nresource ram { builtin ram; }\nresource load { builtin load; }\n", "644")
	for range 2 {
		out, code := a.run("/lbvm/lblog")
		r.note("lblog: exit %d %s", code, strings.TrimSpace(out))
	}
	r.quote("node1# what lblog wrote\n" + a.sh(`cd /gfs/lbvm/log; for f in node1-*; do echo "$f: $(tail -n 1 $f)"; done`))
	facts := a.sh("cat /gfs/lbvm/nodes/node1")
	guest := firstLine(facts, "guest=xen:vm1")
	r.check(strings.HasPrefix(guest, "guest=xen:vm1 running 134217728 "), "lblog's facts of the guest: %s", guest)
	total := strings.Fields(firstLine(a.sh("xl info"), "total_memory"))
	mib, err := strconv.ParseInt(total[len(total)-1], 10, 64)
	must(x.t, err)
	got := firstLine(facts, "mem_total_bytes")
	r.check(got == fmt.Sprintf("mem_total_bytes=%d", mib<<20), "lblog's facts of the machine, which xl info gives %d MiB: %s, %s", mib, got, firstLine(facts, "cores="))
}
