package rgmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const three = `<failoverdomains>
<failoverdomain name="p1" ordered="1" nofailback="1"><failoverdomainnode name="node1" priority="1"/><failoverdomainnode name="node2" priority="2"/><failoverdomainnode name="node3" priority="3"/></failoverdomain>
<failoverdomain name="back2" ordered="1"><failoverdomainnode name="node2" priority="1"/><failoverdomainnode name="node1" priority="2"/></failoverdomain>
<failoverdomain name="only2" restricted="1"><failoverdomainnode name="node2" priority="1"/></failoverdomain>
</failoverdomains>
`

func TestStartAndStopOrder(t *testing.T) {
	b := newBench(t, three+`<service name="s" domain="p1"><plain name="a"><plain name="a1"/><plain name="a2"/></plain><leveled name="ip"/><plain name="b"/></service>
		<service name="off" autostart="0"><plain name="c"/></service>`)
	for _, n := range []string{"node1", "node2", "node3"} {
		b.agent(n, "leveled.sh", strings.ReplaceAll(plainXML(), `"plain"`, `"ip"`))
	}
	// ip has a start level in service: it starts first and stops last.
	for _, n := range b.m.nodes {
		text, err := os.ReadFile(n.confFile())
		if err != nil {
			t.Fatal(err)
		}
		b.write(n.confFile(), strings.ReplaceAll(string(text), "leveled", "ip"), 0o644)
	}
	c, err := readConfigurationFile(b.m.nodes[0].confFile())
	if err != nil {
		t.Fatal(err)
	}
	b.m.conf = c
	b.m.bootAll()
	b.settle()
	var got []string
	for _, call := range b.calls() {
		if strings.HasPrefix(call, "node1 ") && !strings.Contains(call, "plain:c") {
			got = append(got, strings.TrimPrefix(call, "node1 "))
		}
	}
	want := []string{"stop plain:b", "stop plain:a2", "stop plain:a1", "stop plain:a", "stop ip:ip",
		"start ip:ip", "start plain:a", "start plain:a1", "start plain:a2", "start plain:b"}
	if !slices.Equal(got, want) {
		t.Errorf("on node1:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	b.wantState("service:s", "started node1")
	b.wantState("service:off", "disabled none")
}

// TestInitStopEverywhere: rgmanager stops every group on each node at its start, whatever the state says.
func TestInitStopEverywhere(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><guest name="101"/></service><guest name="top" autostart="0"/>`)
	calls := b.calls()
	for _, n := range []string{"node1", "node2", "node3"} {
		for _, id := range []string{"guest:101", "guest:top"} {
			if i := slices.Index(calls, n+" stop "+id); i < 0 || i > slices.Index(calls, "node1 start guest:101") {
				t.Errorf("no stop of %s on %s before the first start:\n%s", id, n, strings.Join(calls, "\n"))
			}
		}
	}
	b.wantTool("node3", "clusvcadm -r s -m node2", 0, "Trying to relocate service:s to node2...Success\nservice:s is now running on node2\n")
	b.calls()
	b.kill("node3")
	b.start("node3")
	got := b.calls()
	slices.Sort(got)
	if want := []string{"node3 stop guest:101", "node3 stop guest:top"}; !slices.Equal(got, want) {
		t.Errorf("a node that came back called %q, wanted %q", got, want)
	}
	b.wantState("service:s", "started node2")
}

// kill cuts the power and lets the others miss and fence it.
func (b *bench) kill(name string) {
	b.Helper()
	n := b.m.node(name)
	if err := b.m.kill(n); err != nil {
		b.Fatal(err)
	}
	b.sleepers(1)
	b.clk.Advance(b.m.o.Detect)
	b.await("the loss of "+name, func() bool { return !n.member })
	if b.m.isQuorate() {
		b.sleepers(1)
		b.clk.Advance(b.m.o.Fence)
		b.await("the fencing of "+name, func() bool { return !n.fencePending })
	}
	b.settle()
}

// sleepers waits until n have begun to wait on the clock.
func (b *bench) sleepers(n int) {
	b.Helper()
	for range n {
		ctx, cancel := b.short()
		err := b.clk.AwaitSleeper(ctx)
		cancel()
		if err != nil {
			b.Fatal("nobody waits on the clock")
		}
	}
}

func (b *bench) start(name string) {
	b.Helper()
	ctx, cancel := b.short()
	defer cancel()
	if err := b.m.start(ctx, b.m.node(name)); err != nil {
		b.Fatal(err)
	}
	b.settle()
}

func TestFailover(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><guest name="101"/></service><service name="two" domain="only2"><plain name="x"/></service>`)
	b.wantState("service:s", "started node1")
	n := b.m.node("node1")
	if err := b.m.kill(n); err != nil {
		t.Fatal(err)
	}
	b.calls()
	b.sleepers(1)
	b.clk.Advance(10 * time.Second)
	b.await("the loss", func() bool { return n.fencePending })
	b.sleepers(1)
	b.wantTool("node2", "cman_tool nodes -f", 0, "Node  Sts   Inc   Joined               Name\n"+
		"   1   X      2                        node1\n       Node has not been fenced since it went down\n"+
		"   2   M      3   2010-11-17 13:00:00  node2\n   3   M      4   2010-11-17 13:00:00  node3\n")
	b.wantTool("node2", "clusvcadm -r s -m node3", 243, "Trying to relocate service:s to node3...Fencing operation pending; try again later\n")
	b.wantTool("node2", "clusvcadm -e s", 243, "Local machine trying to enable service:s...Fencing operation pending; try again later\n")
	b.wantCalls() // nothing starts before the fencing
	b.clk.Advance(5 * time.Second)
	b.await("the failover", func() bool {
		g := b.m.groups["service:s"]
		return g.state == started && g.owner == "node2"
	})
	b.wantCalls("node2 start guest:101")
	b.wantState("service:s", "started node2")
	b.wantTool("node2", "cman_tool nodes -f", 0, "Node  Sts   Inc   Joined               Name\n"+
		"   1   X      2                        node1\n       Last fenced:   2010-11-17 13:00:15 by fence_lab\n"+
		"   2   M      3   2010-11-17 13:00:00  node2\n   3   M      4   2010-11-17 13:00:00  node3\n")
	b.start("node1")
	b.wantState("service:s", "started node2") // no failback
	// A restricted domain without its node: nobody may.
	b.kill("node2")
	b.wantState("service:two", "recoverable none")
	b.start("node2")
	b.wantState("service:two", "started node2")
}

func TestFailback(t *testing.T) {
	b := newBench(t, three+`<service name="s" domain="back2"><plain name="x"/></service><guest name="101" domain="back2"/>`)
	b.m.bootAll()
	b.settle()
	b.kill("node2")
	b.wantState("service:s", "started node1")
	b.wantState("guest:101", "started node1")
	b.calls()
	b.start("node2")
	b.wantState("service:s", "started node2")
	b.wantState("guest:101", "started node2")
	if got := b.calls(); !slices.Contains(got, "node1 migrate guest:101 node2") || !slices.Contains(got, "node1 stop plain:x") {
		t.Errorf("a guest migrates back and a service relocates, but: %q", got)
	}
}

func TestRelocate(t *testing.T) {
	rm := three + `<service name="s" domain="p1"><guest name="101"/></service>`
	const id = "guest:101"
	t.Run("to the target", func(t *testing.T) {
		b := up(t, rm)
		b.calls()
		b.wantTool("node3", "clusvcadm -r s -m node3", 0, "Trying to relocate service:s to node3...Success\nservice:s is now running on node3\n")
		b.wantCalls("node1 stop "+id, "node3 start "+id)
	})
	t.Run("to its owner restarts in place", func(t *testing.T) {
		b := up(t, rm)
		b.calls()
		b.wantTool("node2", "clusvcadm -r s -m node1", 0, "Trying to relocate service:s to node1...Success\nservice:s is now running on node1\n")
		b.wantCalls("node1 stop "+id, "node1 start "+id)
	})
	t.Run("lands elsewhere", func(t *testing.T) {
		b := up(t, rm)
		b.calls()
		b.answers(1, "start", id, "node3")
		b.wantTool("node1", "clusvcadm -r s -m node3", 0, "Trying to relocate service:s to node3...Success\nWarning: service:s is now running on node2\n")
		b.wantCalls("node1 stop "+id, "node3 start "+id, "node3 stop "+id, "node2 start "+id)
	})
	t.Run("back on the owner", func(t *testing.T) {
		b := up(t, rm)
		b.calls()
		b.answers(1, "start", id, "node2", "node3")
		b.wantTool("node1", "clusvcadm -r s -m node3", 239, "Trying to relocate service:s to node3...Failed; service running on original owner\n")
		b.wantCalls("node1 stop "+id, "node3 start "+id, "node3 stop "+id, "node2 start "+id, "node2 stop "+id, "node1 start "+id)
		b.wantState("service:s", "started node1")
	})
	t.Run("nowhere", func(t *testing.T) {
		b := up(t, rm)
		b.answers(1, "start", id, "node1", "node2", "node3")
		b.wantTool("node1", "clusvcadm -r s -m node3", 255, "Trying to relocate service:s to node3...Failure\n")
		b.wantState("service:s", "stopped none")
	})
	t.Run("the owner cannot stop", func(t *testing.T) {
		b := up(t, rm)
		b.calls()
		b.answers(7, "stop", id, "node1")
		b.wantTool("node1", "clusvcadm -r s -m node3", 255, "Trying to relocate service:s to node3...Failure\n")
		b.wantState("service:s", "failed none")
		b.wantTool("node1", "clusvcadm -e s", 254, "Local machine trying to enable service:s...Aborted; service failed\n")
		b.wantTool("node2", "clusvcadm -d s", 0, "Local machine disabling service:s...Success\n") // may still be there
		b.wantCalls("node1 stop "+id, "node1 stop "+id)
		b.wantState("service:s", "disabled none")
	})
	t.Run("the target cannot stop after a failed start", func(t *testing.T) {
		b := up(t, rm)
		b.answers(1, "start", id, "node3")
		b.answers(1, "stop", id, "node3")
		b.wantTool("node1", "clusvcadm -r s -m node3", 255, "Trying to relocate service:s to node3...Failure\n")
		b.wantState("service:s", "failed none")
	})
	t.Run("without a target", func(t *testing.T) {
		b := up(t, rm)
		b.wantTool("node1", "clusvcadm -r s", 0, "Trying to relocate service:s...Success\nservice:s is now running on node2\n")
	})
	t.Run("an offline target is any node", func(t *testing.T) {
		b := up(t, rm)
		b.kill("node3")
		b.wantTool("node1", "clusvcadm -r s -m node3", 0, "Trying to relocate service:s to node3...Success\nWarning: service:s is now running on node2\n")
	})
	t.Run("closest match", func(t *testing.T) {
		b := up(t, rm)
		b.wantTool("node1", "clusvcadm -r s -m node22", 0,
			"'node22' not in membership list\nClosest match: 'node2'\nTrying to relocate service:s to node2...Success\nservice:s is now running on node2\n")
		b.wantTool("node1", "clusvcadm -r s -m node", 1, "'node' not in membership list\n")
		b.wantTool("node1", "clusvcadm -r s -m NODE3", 0, "Trying to relocate service:s to node3...Success\nservice:s is now running on node3\n")
	})
	t.Run("refused", func(t *testing.T) {
		b := up(t, rm+`<service name="off" autostart="0"><plain name="x"/></service>`)
		b.calls()
		b.wantTool("node1", "clusvcadm -r off -m node2", 248, "Trying to relocate service:off to node2...Invalid operation for resource\n")
		b.wantTool("node1", "clusvcadm -r none -m node2", 252, "Trying to relocate service:none to node2...Service does not exist\n")
		b.wantTool("node1", "clusvcadm -Z s", 0, "Local machine freezing service:s...Success\n")
		b.wantTool("node1", "clusvcadm -r s -m node2", 245, "Trying to relocate service:s to node2...Failure: Service is frozen\n")
		b.wantTool("node1", "clusvcadm -d s", 245, "Local machine disabling service:s...Failure: Service is frozen\n")
		b.pass(time.Hour) // a frozen group is not checked
		b.wantCalls()
		b.wantTool("node1", "clusvcadm -U s", 0, "Local machine unfreezing service:s...Success\n")
		b.wantTool("node1", "clusvcadm -r s -m node2", 0, "Trying to relocate service:s to node2...Success\nservice:s is now running on node2\n")
	})
	t.Run("while another relocation runs", func(t *testing.T) {
		b := up(t, rm)
		release := b.hold("stop", id, "node1")
		done := make(chan string)
		go func() { done <- string(b.tool("node1", "clusvcadm", "-r", "s", "-m", "node2").Stdout) }()
		b.await("the stop", func() bool { return b.m.groups["service:s"].relocating })
		b.wantTool("node3", "clusvcadm -r s -m node3", 251, "Trying to relocate service:s to node3...Operation would cause a deadlock\n")
		release()
		if got := <-done; !strings.Contains(got, "is now running on node2") {
			t.Error(got)
		}
	})
}

func TestMigrate(t *testing.T) {
	for code, want := range map[int]struct {
		rc          int
		text, state string
	}{
		0:   {0, "Success", "started node2"},
		1:   {255, "Failure", "failed none"},
		2:   {255, "Failure", "failed none"},
		3:   {255, "Failure", "failed none"},
		5:   {255, "Failure", "failed none"},
		6:   {248, "Invalid operation for resource", "started node1"},
		7:   {255, "Failure", "started node1"},
		8:   {255, "Failure", "failed none"},
		150: {239, "Failed; service running on original owner", "started node1"},
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			b := up(t, three+`<guest name="v" domain="p1"/>`)
			b.calls()
			b.answers(code, "migrate", "guest:v", "node1")
			b.wantTool("node3", "clusvcadm -M guest:v -m node2", want.rc, "Trying to migrate guest:v to node2..."+want.text+"\n")
			b.wantCalls("node1 migrate guest:v node2") // nothing runs on the target
			b.wantState("guest:v", want.state)
		})
	}
	t.Run("a signal", func(t *testing.T) {
		b := newBench(t, three+`<guest name="v" domain="p1"/>`)
		b.write(filepath.Join(b.l.Root("node1"), "usr/share/cluster/guest.sh"), strings.Replace(fakeAgent, "code=0\n", "[ $1 = migrate ] && kill -9 $$\ncode=0\n", 1), 0o755)
		b.m.bootAll()
		b.settle()
		b.wantTool("node3", "clusvcadm -M guest:v -m node2", 255, "Trying to migrate guest:v to node2...Failure\n")
		b.wantState("guest:v", "failed none")
	})
	t.Run("refused", func(t *testing.T) {
		b := up(t, three+`<guest name="v" domain="p1"/><guest name="w" domain="only2"/><guest name="off" autostart="0"/><service name="s"><guest name="in"/></service>`)
		b.calls()
		b.wantTool("node1", "clusvcadm -M s -m node2", 248, "Trying to migrate service:s to node2...Invalid operation for resource\n")
		b.wantTool("node1", "clusvcadm -M guest:v -m node1", 0, "Trying to migrate guest:v to node1...Success\n") // there already
		b.wantTool("node1", "clusvcadm -M guest:w -m node1", 249, "Trying to migrate guest:w to node1...Operation violates dependency rule\n")
		b.wantTool("node1", "clusvcadm -M guest:off -m node1", 255, "Trying to migrate guest:off to node1...Failure\n")
		b.wantTool("node1", "clusvcadm -M guest:v", 1, "Migration requires a target cluster member\n")
		b.wantCalls()
		b.kill("node3")
		b.wantTool("node1", "clusvcadm -M guest:v -m node3", 1, "'node3' is offline\n")
	})
}

func TestStatusSchedule(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/><plain name="y"><action name="status" depth="*" interval="5m"/></plain></service>`)
	b.calls()
	b.pass(29 * time.Second)
	b.wantCalls() // the first check comes an interval after the start
	b.pass(time.Second)
	b.wantCalls("node1 status plain:x")
	b.pass(10 * time.Second)
	b.wantCalls()
	b.pass(20 * time.Second)
	b.wantCalls("node1 status plain:x") // depth 10
	if log := b.log.String(); !strings.Contains(log, "resource=plain:x action=status depth=10 code=0") {
		t.Error("the deeper check was not run")
	}
	b.pass(4 * time.Minute)
	b.wantCalls("node1 status plain:x", "node1 status plain:y")
}

func TestRecovery(t *testing.T) {
	const id = "plain:x"
	group := func(attrs string) string {
		return three + `<service name="s" domain="p1" ` + attrs + `><plain name="x"/></service>`
	}
	t.Run("restart", func(t *testing.T) {
		b := up(t, group(""))
		b.calls()
		b.answers(1, "status", id, "node1")
		b.pass(time.Minute)
		b.wantCalls("node1 status "+id, "node1 stop "+id, "node1 start "+id)
		b.wantState("service:s", "started node1")
		if r := b.tool("node1", "clustat", "-x"); !strings.Contains(string(r.Stdout), `restarts="1"`) {
			t.Errorf("the restart is not counted:\n%s", r.Stdout)
		}
	})
	t.Run("restart fails", func(t *testing.T) {
		b := up(t, group(""))
		b.calls()
		b.answers(1, "status", id, "node1")
		b.answers(1, "start", id, "node1")
		b.pass(time.Minute)
		b.wantCalls("node1 status "+id, "node1 stop "+id, "node1 start "+id, "node1 stop "+id, "node2 start "+id)
		b.wantState("service:s", "started node2")
	})
	t.Run("relocate", func(t *testing.T) {
		b := up(t, group(`recovery="relocate"`))
		b.calls()
		b.answers(7, "status", id, "node1")
		b.pass(time.Minute)
		b.wantCalls("node1 status "+id, "node1 stop "+id, "node2 start "+id)
	})
	t.Run("disable", func(t *testing.T) {
		b := up(t, group(`recovery="disable"`))
		b.answers(1, "status", id, "node1")
		b.pass(time.Minute)
		b.wantState("service:s", "disabled none")
	})
	t.Run("too many restarts", func(t *testing.T) {
		b := up(t, group(`max_restarts="1" restart_expire_time="10m"`))
		b.answers(1, "status", id, "node1")
		b.pass(time.Minute)
		b.wantState("service:s", "started node1")
		b.pass(time.Minute)
		b.wantState("service:s", "started node2")
	})
	t.Run("the stop fails", func(t *testing.T) {
		b := up(t, group(""))
		b.answers(1, "status", id, "node1")
		b.answers(5, "stop", id, "node1")
		b.pass(time.Minute)
		b.wantState("service:s", "failed none")
	})
	t.Run("a result stands until the next check", func(t *testing.T) {
		b := up(t, group(""))
		b.answers(1, "status", id, "node1")
		b.answers(1, "start", id, "node1", "node2", "node3")
		b.pass(time.Minute)
		b.wantState("service:s", "stopped none")
	})
	t.Run("a check that hangs", func(t *testing.T) {
		b := up(t, three+`<service name="s" domain="p1"><plain name="x" __enforce_timeouts="1"><action name="status" depth="*" interval="30s" timeout="1"/></plain></service>`)
		b.hold("status", id, "node1")
		b.pass(time.Minute)
		if log := b.log.String(); !strings.Contains(log, "status on plain:x timed out after 1 seconds") {
			t.Error("the hanging check was not killed")
		}
		b.wantState("service:s", "started node1") // restarted
	})
	t.Run("a guest that was moved by hand", func(t *testing.T) {
		b := up(t, three+`<guest name="v" domain="p1"/>`)
		b.answers(7, "status", "guest:v", "node1")
		b.answers(0, "status", "guest:v", "node3")
		b.calls()
		b.pass(time.Minute)
		b.wantCalls("node1 status guest:v", "node2 status guest:v", "node3 status guest:v")
		b.wantState("guest:v", "started node3")
	})
}

// TestSerial: for one group nothing overlaps on a node, however much is asked at once.
func TestSerial(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	done := make(chan struct{})
	for i := range 6 {
		go func() {
			defer func() { done <- struct{}{} }()
			switch i % 3 {
			case 0:
				b.tool("node1", "clusvcadm", "-R", "s")
			case 1:
				b.tool("node2", "clusvcadm", "-r", "s", "-m", fmt.Sprintf("node%d", i%3+1))
			case 2:
				b.clk.Advance(time.Minute)
				b.m.poll()
			}
		}()
	}
	for range 6 {
		<-done
	}
	b.settle()
	text, err := os.ReadFile(b.l.Path("busy-plain:x"))
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, line := range strings.Fields(strings.ReplaceAll(string(text), " ", "=")) {
		node, what, _ := strings.Cut(line, "=")
		if open[node] == (what == "begin") {
			t.Fatalf("two actions ran at once on %s:\n%s", node, text)
		}
		open[node] = what == "begin"
	}
}

// TestNodeDiesUnderAnAction: what ran there is no answer; fencing decides.
func TestNodeDiesUnderAnAction(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	b.power.off = func(node string) { // as KillNode does
		if node == "node1" {
			if err := os.Remove(filepath.Join(b.l.Root(node), "ctl/hold-stop-plain:x")); err != nil {
				t.Error(err)
			}
		}
	}
	b.hold("stop", "plain:x", "node1")
	done := make(chan int)
	go func() { done <- b.tool("node2", "clusvcadm", "-r", "s", "-m", "node3").Code }()
	b.await("the stop", func() bool { return b.m.groups["service:s"].state == stopping })
	b.kill("node1")
	if code := <-done; code != 255 {
		t.Errorf("clusvcadm ended with %d", code)
	}
	b.wantState("service:s", "started node2")
	got := b.calls()
	if n := len(got); n == 0 || got[n-1] != "node2 start plain:x" || slices.Contains(got, "node3 start plain:x") {
		t.Errorf("agents were called: %q", got)
	}
}

func TestLeave(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service><service name="ice" domain="p1"><plain name="y"/></service>`)
	b.wantTool("node1", "clusvcadm -Z ice", 0, "Local machine freezing service:ice...Success\n")
	b.calls()
	ctx, cancel := b.short()
	defer cancel()
	if err := b.m.leave(ctx, b.m.node("node1")); err != nil {
		t.Fatal(err)
	}
	b.settle()
	b.wantCalls("node1 stop plain:x", "node2 start plain:x")
	b.wantState("service:ice", "started node1") // it runs on there
	b.wantTool("node1", "clustat", 1, "Could not connect to CMAN: Connection refused\n")
	b.wantTool("node1", "clusvcadm -r s -m node3", 1, "Could not connect to cluster service\n")
	b.wantTool("node1", "cman_tool nodes", 1, "cman_tool: Cannot open connection to cman, is it running ?\n")
	if r := b.tool("node2", "cman_tool", "nodes", "-f"); !strings.Contains(string(r.Stdout), "Node has not been fenced since it went down") {
		t.Errorf("a node that left was not fenced:\n%s", r.Stdout)
	}
	b.start("node1")
	b.wantState("service:s", "started node2")
}

func TestQuorum(t *testing.T) {
	b := up(t, three+`<service name="s" domain="p1"><plain name="x"/></service>`)
	b.kill("node3")
	b.kill("node2")
	b.wantState("service:s", "stopped none") // the emergency stop
	b.wantTool("node1", "clusvcadm -e s", 1, "Local machine trying to enable service:s...Could not connect to resource group manager\n")
	if r := b.tool("node1", "cman_tool", "status"); !strings.Contains(string(r.Stdout), "Quorum: 2  Activity blocked\n") {
		t.Errorf("no word of the lost quorum:\n%s", r.Stdout)
	}
	if r := b.tool("node1", "clustat", "-Q"); r.Code != 1 {
		t.Errorf("clustat -Q ended with %d", r.Code)
	}
	b.start("node2")
	b.wantState("service:s", "started node1")
}

func TestExclusive(t *testing.T) {
	b := up(t, `<service name="a" exclusive="1"><plain name="x"/></service><service name="b"><plain name="y"/></service>`)
	owners := map[string]int{}
	for _, s := range b.m.Status().Services {
		owners[s.Owner]++
		if s.State != "started" {
			t.Errorf("%+v", s)
		}
	}
	if len(owners) != 2 {
		t.Fatalf("both run on one node: %+v", owners)
	}
	var other string
	for _, s := range b.m.Status().Services {
		if s.Name == "service:a" {
			other = s.Owner
		}
	}
	b.wantTool("node3", "clusvcadm -r b -m "+other, 249, "Trying to relocate service:b to "+other+"...Operation violates dependency rule\n")
}
