package rgmanager

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// fence_tool of RHEL 6 tells how a node was fenced, and goes on telling it when the node has come back and left in order.
func TestFenceToolDoesNotTellWhen(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	if r := b.tool("node1", "fence_tool", "ls", "-n"); r.Code == 0 {
		t.Errorf("RHEL 5's lists nodes: %s", r.Stdout)
	}
	if err := b.m.set("suite", "el6"); err != nil {
		t.Fatal(err)
	}
	row := func(want string) {
		t.Helper()
		r := b.tool("node1", "fence_tool", "ls", "-n")
		if r.Code != 0 || !strings.Contains(string(r.Stdout), "\n"+want+"\n") {
			t.Errorf("exit %d:\n%s", r.Code, r.Stdout)
		}
	}
	row("nodeid 2 member 1 victim 0 last fence master 0 how none")
	b.kill("node2")
	row("nodeid 2 member 0 victim 0 last fence master 1 how agent")
	if r := b.tool("node1", "cman_tool", "nodes", "-f"); strings.Contains(string(r.Stdout), "fenced") {
		t.Errorf("RHEL 6's cman_tool tells of fencing:\n%s", r.Stdout)
	}
	b.start("node2")
	row("nodeid 2 member 1 victim 0 last fence master 1 how agent")
	ctx, cancel := b.short()
	defer cancel()
	if err := b.m.leave(ctx, b.m.node("node2")); err != nil {
		t.Fatal(err)
	}
	row("nodeid 2 member 0 victim 0 last fence master 1 how agent") // the trap
}

// A fencing that does not succeed leaves the dead node's services where they were, until it does.
func TestFencingNeverSucceeds(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	for _, bad := range [][2]string{{"fence", "soon"}, {"fence", "-1s"}, {"suite", "el7"}, {"gfs", ""}, {"x", "y"}} {
		if err := b.m.set(bad[0], bad[1]); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := b.m.set("fence", "never"); err != nil {
		t.Fatal(err)
	}
	n := b.m.node("node1")
	if err := b.m.kill(n); err != nil {
		t.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(b.m.o.Detect)
	b.await("the loss", func() bool { return !n.member })
	b.wantState("service:s", "started node1")
	if r := b.tool("node2", "clusvcadm", "-e", "s"); r.Code != 243 {
		t.Errorf("enabling it while fencing is owed: %d %s", r.Code, r.Stdout)
	}
	if err := b.m.set("fence", "7s"); err != nil {
		t.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(7 * time.Second)
	b.await("the fencing", func() bool { return !n.fencePending })
	b.settle()
	b.wantState("service:s", "started node2")
}

// A person's word ends a fencing that does not succeed, where the fence daemon hears it; so does a fence agent run by hand.
func TestFencingIsEndedByHand(t *testing.T) {
	domains := strings.Replace(three, "</failoverdomains>", `<failoverdomain name="p3" ordered="1" nofailback="1"><failoverdomainnode name="node3" priority="1"/><failoverdomainnode name="node1" priority="2"/></failoverdomain></failoverdomains>`, 1)
	b := up(t, domains+`<service name="s" domain="p3"><plain name="x"/></service>`)
	for _, s := range [][2]string{{"fence", "never"}, {"suite", "el6"}} {
		if err := b.m.set(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	n := b.m.node("node3")
	if err := b.m.kill(n); err != nil {
		t.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(b.m.o.Detect)
	b.await("the loss", func() bool { return !n.member })
	if r := b.tool("node1", "fence_node", "node3"); r.Code != 1 || string(r.Stderr) != "fence node3 failed\n" {
		t.Errorf("%+v", r)
	}
	ack := func(on, answer string) run.Result {
		return b.m.answer(context.Background(), lab.Request{Node: on, Argv: []string{"fence_ack_manual", "node3"}, Stdin: []byte(answer)})
	}
	if r := ack("node1", "yes"); r.Code != 1 || string(r.Stdout) != "Aborted.\n" {
		t.Errorf("%+v", r)
	}
	if r := ack("node2", "absolutely"); r.Code != 1 || !strings.Contains(string(r.Stderr), "node3 is fenced from node1") {
		t.Errorf("%+v", r)
	}
	b.wantState("service:s", "started node3")
	if r := ack("node1", "absolutely"); r.Code != 0 || n.fencePending {
		t.Errorf("%+v, pending %v", r, n.fencePending)
	}
	b.settle()
	b.wantState("service:s", "started node1")
	if r := b.tool("node1", "fence_tool", "ls", "-n"); !strings.Contains(string(r.Stdout), "nodeid 3 member 0 victim 0 last fence master 1 how override\n") {
		t.Errorf("%s", r.Stdout)
	}
}

// Storage that stands still keeps every action that uses it from ending until the lost node is fenced; a status goes on.
func TestStorageStandsStill(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service><service name="other" domain="only2"><plain name="y"/></service>`)
	for _, s := range [][2]string{{"gfs", "frozen"}, {"fence", "never"}} {
		if err := b.m.set(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	b.calls()
	n := b.m.node("node1")
	if err := b.m.kill(n); err != nil {
		t.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(b.m.o.Detect)
	b.await("the storage to stand still", func() bool { return b.m.still })
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.tool("node2", "clusvcadm", "-d", "other")
	}()
	b.await("the stop to be asked for", func() bool { return b.m.groups["service:other"].state == stopping })
	if got := b.calls(); len(got) != 0 {
		t.Errorf("agents were called while the storage stood still: %q", got)
	}
	if err := b.m.set("fence", "1s"); err != nil {
		t.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(time.Second)
	<-done
	b.settle()
	b.wantState("service:other", "disabled none")
	b.wantState("service:s", "started node2")
}

// All groups of a node are stopped at once when its rgmanager starts, and all nodes that boot together do it together.
func TestStopsAtStartAreConcurrent(t *testing.T) {
	b := newBench(t, three+`<service name="s" domain="p1"><plain name="x"/></service><service name="two" domain="p1"><plain name="y"/></service>`)
	var release []func()
	for _, node := range []string{"node1", "node2", "node3"} {
		for _, id := range []string{"x", "y"} {
			release = append(release, b.hold("stop", "plain:"+id, node))
		}
	}
	b.m.bootAll()
	end := time.Now().Add(4 * time.Minute)
	got := map[string]bool{}
	for len(got) < 6 && time.Now().Before(end) { // they are all called, though none has ended
		text, err := os.ReadFile(b.l.Path("calls")) // calls() would take away what is being written
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "\n")[:strings.Count(string(text), "\n")] {
			got[c] = true
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(got) != 6 {
		t.Errorf("at once there were %v", got)
	}
	for _, r := range release {
		r()
	}
	b.settle()
}
