package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
)

const shared = "/gfs"

// corosync is the cluster's configuration. The token waits long: the emulated processors are shared.
const corosync = `totem {
 version: 2
 cluster_name: lbvm
 transport: udpu
 token: 15000
}
nodelist {
 node {
  ring0_addr: 10.79.0.1
  nodeid: 1
  name: node1
 }
 node {
  ring0_addr: 10.79.0.2
  nodeid: 2
  name: node2
 }
}
quorum {
 provider: corosync_votequorum
 two_node: 1
 wait_for_all: 0
}
logging {
 to_stderr: no
 to_logfile: yes
 logfile: /var/log/cluster/corosync.log
 to_syslog: no
}
`

// fenceAgent is what DLM runs for a lost node. It asks the test, which pulls the plug, and waits for its word.
const fenceAgent = `#!/bin/sh
while read -r l; do case $l in node=*) node=${l#node=};; esac; done
node=${node#node}
echo "$node" >>/run/fence.asked
while [ ! -e "/run/fenced.$node" ]; do sleep 1; done
`

// cman answers in cman's words what corosync really says, and whether the fence agent above has ended.
const cman = `#!/bin/sh
q=$(corosync-quorumtool)
member() { echo "$q" | grep -Eq "^ +$1 +1 node$1( |$)"; }
case "${0##*/} $1" in
"fence_tool ls")
  printf 'fence domain\n\nall nodes\n'
  for n in 1 2; do
    m=0 v=0 how=none; member $n && m=1
    if [ $m = 0 ]; then if [ -e /run/fenced.$n ]; then how=agent; else v=1; fi; fi
    echo "nodeid $n member $m victim $v last fence master 1 how $how"
  done ;;
"cman_tool status")
  echo "$q" | grep -q '^Quorate: *Yes' && quorum=1 || quorum='1 Activity blocked'
  printf 'Version: 6.2.0\nCluster Name: lbvm\nCluster Member: Yes\nMembership state: Cluster-Member\nNodes: 2\nQuorum: %s\nNode name: %s\n' "$quorum" "$(hostname)" ;;
"cman_tool nodes")
  echo 'Node  Sts   Inc   Joined               Name'
  for n in 1 2; do
    if member $n; then echo "   $n   M     12   2008-01-10 12:00:01  node$n"; else echo "   $n   X     16                        node$n"; fi
  done ;;
"cman_tool version") echo '6.2.0 config 1' ;;
*) exit 1 ;;
esac
`

// cluster is two machines with one disk between them, on it GFS2 with the locks of DLM.
type cluster struct {
	t     *testing.T
	r     *report
	nodes [2]*machine
	disk  string
}

// newCluster boots two machines, and mounts what they share. prepare does the rest of a node before that.
func newCluster(t *testing.T, title string, xen bool, about ...string) *cluster {
	t.Helper()
	img := image(t)
	dir, err := os.MkdirTemp("", "lbvm-machine-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	about = append(about, "packages of Debian 12: "+strings.Join(versions(t, img), ", "))
	r := newReport(t, title, about...)
	tar := programs(t, dir)
	c := &cluster{t: t, r: r, disk: filepath.Join(dir, "shared.raw")}
	must(t, os.WriteFile(c.disk, nil, 0o600), os.Truncate(c.disk, 900<<20))
	guests := filepath.Join(dir, "guest.raw") // a guest's disk, which both see
	must(t, os.WriteFile(guests, nil, 0o600), os.Truncate(guests, 16<<20))
	for i := range c.nodes {
		c.nodes[i] = begin(t, img, tar, dir, kind{xen: xen, disks: []string{c.disk, guests}, number: i + 1})
	}
	began := time.Now()
	for _, m := range c.nodes {
		m.up()
	}
	r.note("both machines were up after %.0f s: Linux %s", time.Since(began).Seconds(), c.nodes[0].sh("uname -r"))
	c.both(func(m *machine) { c.join(m) })
	a := c.nodes[0]
	a.await("two members", 2*time.Minute, func() bool {
		out, _ := a.run("corosync-quorumtool")
		return strings.Contains(out, "1 node1") && strings.Contains(out, "1 node2") && strings.Contains(out, "Total votes:      2")
	})
	c.both(func(m *machine) {
		m.sh("mkdir -p /dev/misc; for i in dlm-control dlm-monitor dlm_plock; do ln -sf ../$i /dev/misc/$i; done; dlm_controld")
		m.await("DLM sees both nodes", 2*time.Minute, func() bool {
			out, code := m.run("dlm_tool", "status")
			return code == 0 && strings.Contains(out, "node 1 M") && strings.Contains(out, "node 2 M")
		})
	})
	a.sh("mkfs.gfs2 -q -O -p lock_dlm -t lbvm:shared -j 2 -J 32 /dev/vdc")
	for _, m := range c.nodes {
		m.sh("mkdir -p " + shared + "; mount -t gfs2 -o noatime /dev/vdc " + shared)
	}
	a.sh("mkdir -p /gfs/lbvm/nodes /gfs/lbvm/log /gfs/vm /gfs/try")
	id := host.Identity{Cluster: "lbvm", UUID: "u", Shared: shared, LogDir: shared + "/lbvm/log"}
	a.put(filepath.Join(shared, host.MarkerFile), string(id.Marker()), "600")
	return c
}

// both does something on both machines at once.
func (c *cluster) both(do func(m *machine)) {
	c.t.Helper()
	var wait sync.WaitGroup
	for _, m := range c.nodes {
		wait.Add(1)
		go func() {
			defer wait.Done()
			do(m)
		}()
	}
	wait.Wait()
}

// join makes a machine a node.
func (c *cluster) join(m *machine) {
	n := strconv.Itoa(m.number)
	m.put("/etc/hosts", "127.0.0.1 localhost\n10.79.0.1 node1\n10.79.0.2 node2\n", "644")
	m.put("/etc/hostname", m.name+"\n", "644")
	m.put("/etc/corosync/corosync.conf", corosync, "644")
	m.put("/etc/dlm/dlm.conf", "protocol=tcp\nfence_all /usr/sbin/fence_test\n", "644")
	m.put("/usr/sbin/fence_test", fenceAgent, "755")
	m.put("/usr/sbin/cman_tool", cman, "755")
	m.put("/usr/sbin/fence_tool", cman, "755")
	m.put("/etc/cluster/lbvm.id", "format=1\ncluster=lbvm\nuuid=u\nmember="+m.name+"\nshared="+shared+"\nlogdir="+shared+"/lbvm/log\n", "644")
	m.sh("hostname " + m.name + "; ip link set eth0 up; ip addr add 10.79.0." + n + "/24 dev eth0\n" +
		"modprobe configfs; mountpoint -q /sys/kernel/config || mount -t configfs c /sys/kernel/config; modprobe dlm; modprobe gfs2\n" +
		"mkdir -p /var/log/cluster; busybox syslogd -O /run/log; corosync")
}

// act calls an agent as rgmanager does. It gives the exit code.
func (m *machine) act(typ, vm, action string, params ...real.Param) int {
	m.t.Helper()
	return m.actWithin(400, typ, vm, action, params...)
}

// actWithin is act with a timeout, in seconds.
func (m *machine) actWithin(timeout int, typ, vm, action string, params ...real.Param) int {
	m.t.Helper()
	all := append([]real.Param{{Name: "name", Value: vm}}, params...)
	a, err := m.ask(request{Argv: append([]string{"/lbvm/" + typ + ".sh"}, strings.Fields(action)...), Env: real.Env(typ, all, timeout), Limit: time.Duration(timeout)*time.Second + 4*time.Minute})
	if err != nil {
		m.t.Fatalf("%s: %s of %s:%s: %v", m.name, action, typ, vm, err)
	}
	return a.Code
}

// wants calls an agent and judges its code.
func (c *cluster) wants(m *machine, code int, typ, vm, action string, params ...real.Param) {
	c.t.Helper()
	with := ""
	for _, p := range params {
		with += " " + p.Name + "=" + p.Value
	}
	began := time.Now()
	got := m.act(typ, vm, action, params...)
	if !c.r.check(got == code, "%s: %s.sh %s%s: exit %d after %.1f s", m.name, typ, action, with, got, time.Since(began).Seconds()) {
		out, _ := m.run("sh", "-c", "grep -v 'block: ' /run/log | tail -n 25; cat /gfs/lbvm/handoff/*/state")
		c.r.quote(fmt.Sprintf("wanted: exit %d; the log of %s:\n%s", code, m.name, out))
		c.t.Logf("wanted: exit %d; the log of %s:\n%s", code, m.name, out)
	}
}

// record judges what the hand-off's record says, as a node sees it.
func (c *cluster) record(m *machine, typ, vm, want string) {
	c.t.Helper()
	text := m.sh("cat " + filepath.Join(shared, handoff.Folder, typ+"-"+vm, "state"))
	got := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		got[key] = value
	}
	says := strings.TrimSpace(got["phase"] + " " + got["node"] + got["to"])
	c.r.check(says == want, "the record, read on %s: %s (write %s, %s)", m.name, says, got["seq"], got["why"])
}

func param(name, value string) real.Param { return real.Param{Name: name, Value: value} }
