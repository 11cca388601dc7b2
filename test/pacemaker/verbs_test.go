package pacemaker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// verbs runs what a person may ask of lbm on a cluster: the rows of docs/pacemaker.md. all: also what waits for a guest to shut down,
// half a minute each.
func (b *bench) verbs(web, db *guest, all bool) {
	b.t.Helper()
	b.empties(web)
	up := db.now().up
	if all {
		b.restarts(web)
		b.disabledMeanwhile(db)
		up++ // its memory is gone
	} else {
		b.disable("node1", db)
	}
	b.places(db, up)
	b.bannedMeanwhile(db)
	b.takes(db)
	b.confirms(db)
	b.tells()
}

// code is lbm's exit code.
func (b *bench) code(argv []string, out string, err error) int {
	b.t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	b.t.Fatalf("%q: %v: %s", argv, err, out)
	return 0
}

// asks runs lbm on a node until it is done. It may be refused for a while, or leave some VMs where they are: on a machine that does
// much else lblog may be late on a node.
func (b *bench) asks(node string, argv ...string) (out string) {
	b.t.Helper()
	argv = append([]string{"lbm"}, argv...)
	again := 0
	b.until(strings.Join(argv, " "), func() bool {
		var err error
		out, err = b.nodes[node].try(argv...)
		switch code := b.code(argv, out, err); code {
		case 0:
			return true
		case 3, 5:
			again++
			return false
		default:
			b.tell()
			b.t.Fatalf("%s: %q ended with %d: %s", node, argv, code, out)
		}
		return false
	})
	b.say("%s: %s: done, after %d refusals:\n%s", node, strings.Join(argv, " "), again, out)
	return out
}

// refuses wants that lbm refuses, for that reason.
func (b *bench) refuses(node, why string, argv ...string) {
	b.t.Helper()
	argv = append([]string{"lbm"}, argv...)
	out, err := b.nodes[node].try(argv...)
	if code := b.code(argv, out, err); code != 3 || !strings.Contains(out, why) {
		b.tell()
		b.t.Fatalf("%s: %q ended with %d: %s", node, argv, code, out)
	}
}

// why wants that lbm why-down tells that, of one cause.
func (b *bench) why(node string, g *guest, cause, text string) {
	b.t.Helper()
	out := b.nodes[node].does("lbm", "why-down", "-o", "json", g.name)
	if !strings.Contains(out, `"cause": "`+cause+`"`) || !strings.Contains(out, text) {
		b.tell()
		b.t.Fatalf("why is %s down? not %s, %s: %s", g.name, cause, text, out)
	}
	b.say("%s: lbm why-down %s:\n%s", node, g.name, b.nodes[node].does("lbm", "why-down", g.name))
}

// role is the target-role of a guest's resource.
func (b *bench) role(node string, g *guest) string {
	out, err := b.nodes[node].try("crm_resource", "--resource", g.name, "--meta", "--get-parameter", "target-role")
	if err != nil {
		return ""
	}
	return out
}

// disable stops a guest as an administrator does, and waits until no process of it is left.
func (b *bench) disable(node string, g *guest) {
	b.t.Helper()
	b.nodes[node].does("crm_resource", "--resource", g.name, "--meta", "--set-parameter", "target-role", "--parameter-value", "Stopped")
	b.gone(node, g)
}

func (b *bench) gone(node string, g *guest) {
	b.t.Helper()
	b.until(g.name+" is down", func() bool {
		return len(b.watch.on(g.name)) == 0 && strings.Contains(b.nodes[node].does("crm_mon", "-1r"), g.name+"\t(ocf:lbvm:kvm):\t Stopped (disabled)")
	})
}

// empties takes all guests from a node, and back: live.
func (b *bench) empties(web *guest) {
	b.t.Helper()
	node, before := b.owner(web), web.now()
	ask := other(node)
	b.asks(ask, "evacuate", "--dry-run", node)
	b.asks(ask, "evacuate", "--yes", node)
	if at := b.owner(web); at == node {
		b.t.Fatalf("%s was evacuated, and web1 is there", node)
	}
	b.refuses(ask, node, "migrate", "--dry-run", "web1", node)
	b.asks(ask, "failback", "--dry-run", node)
	b.asks(ask, "failback", "--yes", node)
	if at := b.owner(web); at != node {
		b.t.Fatalf("web1 came home to %s, and it is on %s", node, at)
	}
	b.counts(web, before.up)
	b.say("%s was emptied and filled again, live: the counter went from %d to %d", node, before.n, web.now().n)
}

// restarts has a guest boot anew where it is.
func (b *bench) restarts(web *guest) {
	b.t.Helper()
	node, before := b.owner(web), web.now()
	b.asks(other(node), "restart", "--dry-run", "web1")
	b.asks(other(node), "restart", "--yes", "web1")
	b.counts(web, before.up+1)
	if at := b.owner(web); at != node {
		b.t.Fatalf("web1 was restarted on %s, and is on %s", node, at)
	}
}

// disabledMeanwhile restarts a guest, and disables it before it is up again: it stays down.
func (b *bench) disabledMeanwhile(db *guest) {
	b.t.Helper()
	ask := other(b.owner(db))
	before := db.now()
	ended := make(chan string, 1)
	go func() {
		out, err := b.nodes[ask].try("lbm", "restart", "--yes", "db1")
		ended <- fmt.Sprintf("%v: %s", err, out)
	}()
	b.until("db1 is being restarted", func() bool { return b.role(ask, db) == "stopped" || len(ended) > 0 })
	b.disable(ask, db)
	said := <-ended
	if role := b.role(ask, db); role != "Stopped" || db.now().up != before.up || strings.HasPrefix(said, "<nil>") {
		b.tell()
		b.t.Fatalf("db1 was disabled during its restart: its role is %q, it came up %d times, and lbm said %s", role, db.now().up-before.up, said)
	}
	b.say("db1 was disabled during its restart, and stayed down; lbm restart: %s", said)
}

// places starts a guest that is disabled on the node that suits it, in that boot.
func (b *bench) places(db *guest, up int) {
	b.t.Helper()
	b.why("node1", db, "disabled", "lbm repair db1")
	b.refuses("node2", "db1", "migrate", "db1", "node2")
	for _, n := range names() {
		b.nodes["node1"].does("crm_resource", "--resource", "db1", "--ban", "--node", n)
	}
	b.nodes["node1"].does("crm_resource", "--resource", "db1", "--meta", "--set-parameter", "target-role", "--parameter-value", "Started")
	b.nodes["node1"].does("crm_resource", "--wait", "--timeout", "5min")
	b.why("node1", db, "no-node", "crm_resource --resource db1 --clear --node node1")
	b.refuses("node1", "", "place", "db1")
	b.nodes["node1"].does("crm_resource", "--resource", "db1", "--meta", "--set-parameter", "target-role", "--parameter-value", "Stopped")
	b.nodes["node1"].does("crm_resource", "--resource", "db1", "--clear")
	b.asks("node1", "place", "--dry-run", "db1")
	b.asks("node1", "place", "db1")
	b.counts(db, up)
	b.disable("node1", db)
	kept := db.now()
	b.asks("node1", "place", "db1")
	b.counts(db, up)
	b.say("db1 was placed on %s; disabled and placed once more it went on from %d", b.owner(db), kept.n)
}

// bannedMeanwhile moves a guest, and bans its target while the move is on: the ban stays, the constraint of the move does not.
func (b *bench) bannedMeanwhile(db *guest) {
	b.t.Helper()
	from := b.owner(db)
	to := other(from)
	constraints := func() string { return b.nodes[from].does("cibadmin", "--query", "--scope", "constraints") }
	said, before := "", db.now()
	b.until("the move of db1 has begun", func() bool {
		ended := make(chan string, 1)
		go func() {
			out, err := b.nodes[from].try("lbm", "migrate", "db1", to)
			ended <- fmt.Sprintf("%v: %s", err, out)
		}()
		laid := false
		b.until("the constraint is laid, or the move refused", func() bool { laid = strings.Contains(constraints(), "cli-prefer-db1"); return laid || len(ended) > 0 })
		if laid {
			b.nodes[from].does("crm_resource", "--resource", "db1", "--ban", "--node", to)
		}
		said = <-ended
		return laid
	})
	if now := constraints(); strings.Contains(now, "cli-prefer-db1") || !strings.Contains(now, "cli-ban-db1-on-"+to) {
		b.tell()
		b.t.Fatalf("the constraints are %s; lbm said %s", now, said)
	}
	b.nodes[from].does("crm_resource", "--wait", "--timeout", "5min")
	where := b.watch.on("db1")
	b.say("db1 was banned from %s while it was moved there: its processes are on %q, Pacemaker has it on %q, the ban is there and the move's constraint is not; lbm migrate: %s", to, where, b.locate(from, "db1"), said)
	// Where the ban comes between migrate_to and migrate_from Pacemaker 2.1.5 takes it for stopped, though it has arrived: the others
	// refuse its start, and when it may run there again it is taken over where it is.
	b.nodes[from].does("crm_resource", "--resource", "db1", "--clear", "--node", to)
	b.nodes[from].does("crm_resource", "--resource", "db1", "--cleanup")
	b.asks(from, "repair", "db1")
	at := b.owner(db)
	b.say("it may run there again: it is on %s, and came up %d times", at, db.now().up-before.up)
}

// takes starts a guest by hand, past the cluster, and gives it back.
func (b *bench) takes(db *guest) {
	b.t.Helper()
	b.refuses("node1", "", "take", "--dry-run", "db1") // it runs
	b.disable("node1", db)
	before, at := db.now(), "node2"
	b.refuses(at, "", "guard", "kvm", "db1")
	b.asks(at, "take", "--yes", "db1") // gives its memory up
	b.asks(at, "guard", "kvm", "db1")
	b.refuses(other(at), at, "guard", "kvm", "db1")
	b.nodes[at].does("virsh", "-c", "qemu:///system", "create", "/gfs/kvm/db1.xml")
	b.counts(db, before.up+1)
	b.asks("node1", "repair", "--dry-run", "db1")
	b.asks("node1", "repair", "db1")
	if now := b.owner(db); now != at {
		b.t.Fatalf("db1 was started by hand on %s, and is on %s", at, now)
	}
	b.counts(db, before.up+1)
	b.say("db1 was started by hand on %s and given back, without a start of the cluster's", at)
}

// confirms has a guest that was started by hand on a node which has left the cluster in order, and then has no power: nothing proves
// that, so nobody starts it before a person says so.
func (b *bench) confirms(db *guest) {
	b.t.Helper()
	b.disable("node1", db)
	before, fenced, at, ask := db.now(), len(b.device.fencings()), "node3", "node1"
	b.asks(at, "take", "--yes", "db1") // gives its memory up
	b.nodes[at].does("virsh", "-c", "qemu:///system", "create", "/gfs/kvm/db1.xml")
	b.counts(db, before.up+1)
	b.nodes[at].does("sh", "-c", "pkill -TERM -x pacemakerd; while pgrep -x pacemakerd >/dev/null; do sleep 0.1; done; lbm mark-left; pkill -TERM -x corosync; while pgrep -x corosync >/dev/null; do sleep 0.1; done")
	b.until(at+" has left", func() bool { return strings.Contains(b.view(ask), "OFFLINE: [ "+at+" ]") })
	b.counts(db, before.up+1)
	b.refuses(ask, at, "repair", "db1")
	b.must(b.nodes[at].kill())
	b.refuses(ask, at, "repair", "db1")
	b.asks(ask, "confirm-down", "--dry-run", "db1", at)
	b.asks(ask, "confirm-down", "--yes", "db1", at)
	b.asks(ask, "repair", "db1")
	b.counts(db, before.up+2)
	if n := len(b.device.fencings()); n != fenced {
		b.t.Fatalf("a node that had left in order was fenced: %+v", b.device.fencings()[fenced:])
	}
	b.say("%s left in order with db1, and lost its power: db1 was started on %s when a person had said so", at, b.owner(db))
	b.nodes[at].boot()
	b.join(at)
}

// tells asks what only tells.
func (b *bench) tells() {
	b.t.Helper()
	n := b.nodes["node1"]
	conf := b.balances("")
	b.must(os.WriteFile(filepath.Join(b.shared, "lbvm.conf"), []byte(conf+"\nnotify all /usr/bin/tee /gfs/told;\n"), 0o640))
	n.does("lbm", "notify")
	b.say("lbm notify --test:\n%s", n.does("lbm", "notify", "--test"))
	if told, err := os.ReadFile(filepath.Join(b.shared, "told")); err != nil || !strings.Contains(string(told), `"test"`) {
		b.t.Fatalf("%v: %s", err, told)
	}
	b.balances("")
	all := ""
	for _, name := range names() {
		all += b.nodes[name].does("lbm", "blackbox")
	}
	for _, action := range []string{"start", "stop", "migrate_to", "migrate_from"} {
		if !strings.Contains(all, " "+action+" ") {
			b.t.Fatalf("no %s in %s", action, all)
		}
	}
	b.say("lbm blackbox -n 8 on node1:\n%s", n.does("lbm", "blackbox", "-n", "8"))
	from := b.began.Add(-time.Minute).Format("2006-01-02 15:04")
	b.say("lbm replay --decisions:\n%s", n.does("lbm", "replay", "--from", from, "--decisions"))
}
