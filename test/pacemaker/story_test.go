package pacemaker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// movesVariable says how many moves of the balancer follow each other; without it three, and what takes long is left out. 0 skips the
// story.
const movesVariable = "LBVM_TEST_MOVES"

// TestStory sets a cluster of three up as docs/install-pacemaker.md says, and lives through what a cluster may meet.
func TestStory(t *testing.T) {
	moves := 3
	if v := os.Getenv(movesVariable); v != "" {
		n, err := strconv.Atoi(v)
		if v == "0" {
			t.Skipf("skipped: %s=0 leaves it to make test-pacemaker", movesVariable)
		}
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is no number of moves", movesVariable, v)
		}
		moves = n
	}
	b := newBench(t, "5")
	web, db := b.newGuest("web1"), b.newGuest("db1")
	b.watchAll()
	b.say("programs: %s", b.versions())
	b.setUp()
	b.guestsStart(web, db)
	b.byHand(web)
	b.moves(web, moves)
	b.verbs(web, db, os.Getenv(movesVariable) != "")
	b.looks()
	b.nodeDies(web)
	b.partition(web)
	b.everyCommand()
	b.end(web, db)
}

func (b *bench) versions() string {
	var out []string
	for _, ask := range []string{"crm_mon --version | head -n 1", "corosync -v | head -n 1", "libvirtd --version", "qemu-system-x86_64 --version | head -n 1", "lbm --version", "uname -r"} {
		out = append(out, b.nodes["node1"].does("sh", "-c", ask))
	}
	return strings.Join(out, "; ")
}

// setUp goes by the page, up to the first VM.
func (b *bench) setUp() {
	b.t.Helper()
	for _, c := range b.pageCommands() {
		if strings.HasPrefix(c, "apt-get install ") {
			b.shows("node1", c)
		}
	}
	if out := b.shows("node1", "corosync-quorumtool -s"); !strings.Contains(out, "Quorate:          Yes") {
		b.t.Fatal(out)
	}
	b.shows("node2", "crm_mon -1")
	b.put("node1", "fence.xml", strings.ReplaceAll(b.pageXML("fence_apc"), "fence_apc", fenceAgent))
	b.shows("node1", "cibadmin --create --scope resources --xml-file fence.xml")
	b.shows("node1", "crm_attribute --name stonith-enabled --update true")
	b.shows("node1", "crm_attribute --name no-quorum-policy --update freeze")
	b.until("the fence device is monitored", func() bool { return b.locate("node1", "fence1") != "" })
	b.shows("node1", "stonith_admin --reboot node3")
	if b.nodes["node3"].up() {
		b.t.Fatal("node3 was fenced, and runs")
	}
	b.say("fencing was tried: node3 lost its power")
	b.nodes["node3"].boot()
	b.join("node3")
	b.shows("node1", "crm_verify --live-check --verbose")
	for _, n := range names() {
		if out := b.shows(n, "virsh -c qemu:///system list --all"); strings.Contains(out, "web1") {
			b.t.Fatal(out)
		}
	}
	if out := b.shows("node1", "crm_resource --list-agents ocf:lbvm"); !strings.Contains(out, "kvm") || !strings.Contains(out, "lbvm") {
		b.t.Fatal(out)
	}
	b.shows("node1", "crm_resource --show-metadata ocf:lbvm:kvm")
	b.shows("node1", "lbm init --shared /gfs --dry-run")
	b.shows("node1", "lbm init --shared /gfs")
	b.shows("node2", "lbm init --shared /gfs --join")
	b.shows("node3", "lbm init --shared /gfs --join")
	b.shows("node1", "crm_attribute --type rsc_defaults --name resource-stickiness --update 100")
	// Instead of once a minute. On a machine that does much else an answer may take longer than ten seconds.
	b.nodes["node1"].does("cibadmin", "--modify", "--xml-text", `<op id="lbvm1-monitor" name="monitor" interval="5s" timeout="60s"/>`)
	b.balances("") // nothing yet
	b.must(os.WriteFile(filepath.Join(b.shared, "lbresources.conf"), []byte(resourcesConf), 0o640))
}

// join waits until a node is a member again.
func (b *bench) join(name string) {
	b.t.Helper()
	b.until(name+" is a member again", func() bool {
		out := b.view("node1")
		if !b.nodes["node1"].up() {
			out = b.view("node2")
		}
		return strings.Contains(out, "Online: [ node1 node2 node3 ]")
	})
	b.say("%s is a member again", name)
}

// guestsStart gives the cluster its VMs.
func (b *bench) guestsStart(web, db *guest) {
	b.t.Helper()
	for _, n := range names() {
		b.shows(n, "ln -sfn /gfs/kvm /etc/kvm")
	}
	// A folder that the nodes share is no cluster file system for libvirt, and they have no ssh.
	xml := strings.Replace(b.pageXML(`id="web1"`), `value="web1"/>`, `value="web1"/>
    <nvpair id="web1-transport" name="migration_transport" value="tcp"/>
    <nvpair id="web1-unsafe" name="migrate_unsafe" value="1"/>`, 1)
	// On a machine that does much else an answer may take longer than the twenty seconds of the agent's metadata.
	xml = strings.Replace(xml, `name="monitor" interval="30s" timeout="20s"`, `name="monitor" interval="30s" timeout="60s"`, 1)
	// And the guests hear no power button: two thirds of a stop's time are waited for it.
	xml = strings.Replace(xml, `name="stop" interval="0" timeout="300s"`, `name="stop" interval="0" timeout="45s"`, 1)
	b.put("node1", "web1.xml", xml)
	b.put("node1", "db1.xml", strings.ReplaceAll(xml, "web1", "db1"))
	b.shows("node1", "cibadmin --create --scope resources --xml-file web1.xml")
	b.nodes["node1"].does("sh", "-c", "cd && cibadmin --create --scope resources --xml-file db1.xml")
	b.shows("node1", "crm_resource --wait --timeout 5min")
	b.counts(web, 1)
	b.counts(db, 1)
	b.say("%s", b.shows("node1", "crm_resource --resource web1 --locate"))
	b.say("lbm list:\n%s", b.shows("node1", "lbm list"))
	// Each node was asked first whether it runs there, and none had to stop it.
	for _, n := range names() {
		log := b.nodes[n].does("sh", "-c", "grep -h 'Result of probe operation for web1' /var/log/pacemaker/pacemaker.log")
		if !strings.Contains(log, "not running") {
			b.t.Fatalf("%s: %s", n, log)
		}
	}
	b.say("probes of web1 on three nodes: not running")
	if spans := b.watch.spans("web1", b.began); len(spans) != 1 {
		b.t.Fatalf("web1 had %d processes: %+v", len(spans), spans)
	}
}

// byHand moves the guest by hand, keeps it from nodes and empties one.
func (b *bench) byHand(web *guest) {
	b.t.Helper()
	b.until("lblog has told of every node", func() bool {
		for _, n := range names() {
			if !exists(filepath.Join(b.shared, "lbvm/nodes", n)) {
				return false
			}
		}
		return true
	})
	b.shows("node1", "crm_attribute --name migration-limit --update 1")
	if b.locate("node1", "web1") == "node2" {
		b.nodes["node1"].does("crm_resource", "--resource", "web1", "--ban", "--node", "node2")
		b.until("web1 has left node2", func() bool { at := b.locate("node1", "web1"); return at != "" && at != "node2" })
		b.nodes["node1"].does("crm_resource", "--resource", "web1", "--clear", "--node", "node2")
	}
	// Refused, and nothing changed: on a machine that does much else lblog may be late on a node.
	refusals := 0
	for _, c := range []string{"lbm migrate --dry-run web1 node2", "lbm migrate web1 node2"} {
		b.until(c, func() bool {
			out, err := b.showsTried("node1", c)
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
				b.t.Fatalf("%s: %v: %s", c, err, out)
			}
			if err != nil {
				refusals++
				return false
			}
			b.say("by hand, after %d refusals: %s:\n%s", refusals, c, out)
			return true
		})
	}
	b.counts(web, 1)
	b.shows("node1", "lbm history web1")
	b.shows("node1", "lbm check")
	b.shows("node1", "crm_resource --resource web1 --ban --node node3")
	if out, err := b.nodes["node1"].try("lbm", "migrate", "--dry-run", "web1", "node3"); err == nil {
		b.t.Fatalf("a node that a constraint forbids is offered: %s", out)
	}
	b.shows("node1", "crm_resource --resource web1 --clear --node node3")
	b.shows("node1", "crm_standby --node node2 --update on")
	b.until("web1 has left the node in standby", func() bool { at := b.locate("node1", "web1"); return at != "" && at != "node2" })
	b.shows("node1", "crm_standby --node node2 --delete")
	b.counts(web, 1)
	b.say("standby of node2: web1 went to %s live", b.owner(web))
}

// moves lets the balancer move the guest that many times.
func (b *bench) moves(web *guest, n int) {
	b.t.Helper()
	b.say("lbvm.conf:\n%s", b.balances("web1"))
	defer b.balances("") // what follows is the cluster's alone
	b.shows("node1", "/usr/libexec/lbvm/lbmonitor --dry-run")
	b.say("before: %s", b.shows("node1", "lbm explain web1"))
	began, first := time.Now(), web.now()
	var all []made
	for i := range n {
		m := b.balanced(web)
		b.say("move %d of %d: %s", i+1, n, m)
		if i == 0 {
			b.say("why: %s", m.Why)
			b.say("lblog's samples of %s: %s", m.From, b.nodes["node1"].does("sh", "-c", "tail -n 4 /gfs/lbvm/log/"+m.From+"-blocked | tr '\\n' ' '"))
			b.say("Pacemaker on %s: %s", m.From, b.nodes[m.From].does("sh", "-c", "grep -h 'Result of migrate_to operation for web1' /var/log/pacemaker/pacemaker.log | tail -n 1"))
			b.say("Pacemaker on %s: %s", m.To, b.nodes[m.To].does("sh", "-c", "grep -h 'Result of migrate_from operation for web1' /var/log/pacemaker/pacemaker.log | tail -n 1"))
		}
		all = append(all, m)
	}
	var gaps, took []time.Duration
	for _, m := range all {
		gaps, took = append(gaps, m.gap), append(took, m.took)
	}
	last := web.now()
	if last.up != first.up || last.n <= first.n {
		b.t.Fatalf("the counter went from %+v to %+v", first, last)
	}
	b.say("%d moves of the balancer in %s, none lost, none twice, the counter unbroken from %d to %d in boot %d", len(all), time.Since(began).Round(time.Second), first.n, last.n, last.up)
	b.say("longest silence of the counter: %s", spread(gaps))
	b.say("duration of a move: %s", spread(took))
	b.say("the balancer: %s", b.passes(began))
	for _, r := range b.failed() {
		b.t.Errorf("a move that did not succeed: %s", r)
	}
}

// nodeDies takes the power of the guest's node away.
func (b *bench) nodeDies(web *guest) {
	b.t.Helper()
	victim := b.owner(web)
	ask := other(victim)
	before, fenced := web.now(), len(b.device.fencings())
	died := time.Now()
	b.must(b.nodes[victim].kill())
	b.restarted(web, ask, victim, died, before, fenced)
	b.nodes[victim].boot()
	b.join(victim)
	b.stays(web, before.up+1)
}

// partition pulls the cable of the guest's node, on which the guest runs on until the node is fenced.
func (b *bench) partition(web *guest) {
	b.t.Helper()
	victim := b.owner(web)
	ask := other(victim)
	before, fenced := web.now(), len(b.device.fencings())
	cut := time.Now()
	// For a while even the fence device does not do what it is asked: nothing may start meanwhile.
	b.device.order(fmt.Errorf("the power switch does not answer"))
	b.nodes[victim].cable(false)
	b.until("the others have asked for the fencing, in vain", func() bool { return len(b.device.fencings()) > fenced })
	asked := time.Now()
	b.until("the guest counts on, alone, on the node that is cut off", func() bool { return web.now().n > before.n+20 && time.Since(asked) > 3*time.Second })
	if now := web.now(); now.up != before.up || !slices.Equal(b.watch.on("web1"), []string{victim}) || !b.nodes[victim].up() {
		b.t.Fatalf("before the fencing web1 came up %d times and has processes on %q", now.up, b.watch.on("web1"))
	}
	b.why(ask, web, "waits-for-fencing", "stonith_admin")
	b.say("%s is cut off, its fencing was refused %d times, and web1 runs on there and nowhere else, at %d", victim, len(b.device.fencings())-fenced, web.now().n)
	b.device.order(nil)
	b.restarted(web, ask, victim, cut, web.now(), fenced)
	b.nodes[victim].boot()
	b.join(victim)
	b.stays(web, before.up+1)
}

// other is a node that is not that one.
func other(than string) string {
	for _, n := range names() {
		if n != than {
			return n
		}
	}
	return ""
}

// restarted waits until the guest runs elsewhere, and wants that its node was fenced before it was started, once.
func (b *bench) restarted(web *guest, ask, victim string, since time.Time, before tick, fenced int) {
	b.t.Helper()
	b.until("web1 runs elsewhere", func() bool { at := b.locate(ask, "web1"); return at != "" && at != victim && web.now().up > before.up })
	b.counts(web, before.up+1)
	var done *fencing
	for _, f := range b.device.fencings()[fenced:] {
		if f.Node != victim {
			b.t.Fatalf("%s was fenced, too, by %s", f.Node, f.From)
		}
		if f.err == nil && done == nil {
			done = &f
		}
	}
	if done == nil {
		b.t.Fatalf("web1 runs elsewhere, and %s was not fenced", victim)
	}
	var first time.Time
	at := b.locate(ask, "web1")
	for _, s := range b.watch.spans("web1", since) {
		if s.node == at {
			first = s.from
		}
		if s.node != at && s.node != victim {
			b.t.Fatalf("web1 had a process on %s, too: %+v", s.node, s)
		}
	}
	if first.Before(done.done) {
		b.t.Fatalf("web1 was started on %s at %s, and %s was fenced at %s", at, first, victim, done.done)
	}
	b.say("%s: fenced by %s %.1f s later; web1 started on %s %.1f s after that, once", victim, done.From, done.done.Sub(since).Seconds(), at, first.Sub(done.done).Seconds())
}

// stays wants that the guest is where it is, in that boot, a while after a node has come back.
func (b *bench) stays(web *guest, ups int) {
	b.t.Helper()
	b.nodes[other("")].does("crm_resource", "--wait", "--timeout", "5min")
	b.counts(web, ups)
	if on := b.watch.on("web1"); len(on) != 1 {
		b.t.Fatalf("web1 has processes on %q", on)
	}
}

// end looks over what was seen all the time.
func (b *bench) end(all ...*guest) {
	b.t.Helper()
	b.watch.mustBeWell(b.t)
	b.must(b.locks())
	for _, g := range all {
		for _, boot := range b.boots(g) {
			if strings.Contains(boot, "IN PLACE") {
				b.t.Errorf("%s: %s", g.name, boot)
			}
		}
		b.say("%s: %d boots, %d processes, at %d in its last boot", g.name, g.now().up, len(b.watch.spans(g.name, b.began)), g.now().n)
	}
	w := b.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	b.say("the processes were looked at %d times, at worst %d ms apart; two of one guest were seen only while it was pushed, %.1f s in all; no QEMU asked for a disk that another one had",
		w.n, w.slow.Milliseconds(), w.both.Seconds())
}
