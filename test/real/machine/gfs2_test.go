package machine

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// TestGFS2 has two machines share a disk with GFS2 and DLM over corosync, and plays there all that LBVM asks of its shared
// storage; then one machine loses power in the middle of its work.
func TestGFS2(t *testing.T) {
	wanted(t, "gfs2")
	c := newCluster(t, "GFS2 with DLM: locks, records and a hand-over on two machines", false,
		"two emulated machines (QEMU without hardware help, one processor each) with one raw disk between them, corosync (votequorum, two_node), dlm_controld and lock_dlm; no lock_nolock",
		"fencing is DLM's own (fence_all): its agent asks the test, which pulls the plug of the emulated machine and then says so",
		"cman_tool and fence_tool are stand-ins that say in cman's words what corosync-quorumtool and that agent really say; the container is a process that counts, under the agent vmexec")
	playGFS2(c)
}

// playGFS2 ends with one machine, the first.
func playGFS2(c *cluster) {
	a, b, r := c.nodes[0], c.nodes[1], c.r
	c.both(func(m *machine) { m.put("/etc/cluster/lbvm.d/counter", definition, "600") })

	r.part("The file system")
	r.note("%s", a.sh("mount | grep gfs2"))
	r.note("dlm_tool ls: %s", strings.Join(strings.Fields(b.sh("dlm_tool ls | grep -E '^(name|members)'")), " "))
	out := a.sh("/lbvm/inside locks /gfs/try/lock 50")
	r.check(strings.HasSuffix(out, "statfs: 0x1161970"), "a lock on GFS2 that nobody else wants: %s", out)
	locks(c)
	files(c)

	r.part("A hand-over by our agent, by image")
	const typ, vm = "vmexec", "c1"
	kind := param("type", "counter")
	lives := func(m *machine) string { return lives(m.sh("cat /gfs/vm/c1.log")) }
	c.wants(a, 7, typ, vm, "status", kind)
	c.wants(a, 0, typ, vm, "validate-all", kind)
	c.wants(a, 0, typ, vm, "start", kind)
	c.record(b, typ, vm, "running node1")
	c.wants(b, 7, typ, vm, "status", kind)
	c.wants(b, 1, typ, vm, "start", kind) // it runs elsewhere
	c.wants(b, 0, typ, vm, "stop", kind)  // rgmanager does that where it starts
	c.wants(a, 0, typ, vm, "status", kind)
	c.wants(a, 0, typ, vm, "stop", kind)
	c.record(b, typ, vm, "suspended")
	c.wants(b, 0, typ, vm, "start", kind)
	c.record(a, typ, vm, "running node2")
	c.wants(a, 1, typ, vm, "start", kind)
	time.Sleep(2 * time.Second) // let it count: there is no event to wait for that the next line would not read
	b.await("the counter counts on node2", time.Minute, func() bool { return strings.Contains(lives(b), "node2") })
	got := lives(a)
	goesOn(c, got)

	r.part("A machine loses power in the middle of a hand-over, of a write and with a lock")
	b.sh("touch " + slowFile)
	go b.ask(request{Argv: []string{"/lbvm/inside", "hold", "/gfs/try/held", "/run/holder"}, Limit: 20 * time.Minute})
	go b.ask(request{Argv: []string{"/lbvm/inside", "replace", "/gfs/try/torn", "0"}, Limit: 20 * time.Minute})
	go b.ask(request{Argv: []string{"/lbvm/vmexec.sh", "stop"}, Env: real.Env(typ, []real.Param{{Name: "name", Value: vm}, kind}, 400), Limit: 20 * time.Minute})
	b.await("the dump has begun, the lock is held", 3*time.Minute, func() bool {
		_, begun := b.run("test", "-e", slowFile+".begun")
		_, held := b.run("test", "-e", "/run/holder")
		_, there := b.run("test", "-e", "/gfs/try/torn")
		return begun == 0 && held == 0 && there == 0
	})
	c.record(a, typ, vm, "suspending node2")
	refused := a.sh("/lbvm/inside try /gfs/try/held")
	r.check(strings.HasPrefix(refused, "refused"), "node1, the lock that node2 holds: %s", refused)
	b.kill()
	killed := time.Now()
	r.note("node2 has lost power")
	a.await("DLM asks for node2's fencing", 3*time.Minute, func() bool {
		out, _ := a.run("cat", "/run/fence.asked")
		return strings.Contains(out, "2")
	})
	r.note("corosync has lost it, and DLM asks for its fencing, after %.0f s", time.Since(killed).Seconds())
	// Until it is fenced nothing may be given away. Which of the two it is, to wait or to refuse, is the kernel's choice.
	waiting, err := a.ask(request{Argv: []string{"/lbvm/inside", "try", "/gfs/try/held"}, Limit: 15 * time.Second})
	said := strings.TrimSpace(waiting.Out)
	if err != nil { // it sleeps in the kernel, where no signal ends it
		said = err.Error()
	}
	r.check(!strings.Contains(said, "taken"), "node1, the lock, before node2 is fenced: not given (%s)", said)
	starting := make(chan int, 1)
	go func() {
		got, err := a.ask(request{Argv: []string{"/lbvm/vmexec.sh", "start"}, Env: real.Env(typ, []real.Param{{Name: "name", Value: vm}, kind}, 400), Limit: 20 * time.Minute})
		if err != nil {
			got.Code = -1
		}
		starting <- got.Code
	}()
	select {
	case code := <-starting:
		r.check(code == 1, "node1, a start before node2 is fenced: exit %d", code)
		starting <- 1
	case <-time.After(20 * time.Second):
		r.note("node1: a start before node2 is fenced waits for the file system")
	}
	out, _ = a.run("cat", "/run/counter-c1")
	r.check(!alive(a, out), "node1: nothing of the container runs before node2 is fenced")
	a.sh("touch /run/fenced.2")
	fenced := time.Now()
	free := ""
	a.await("the lock is free", 4*time.Minute, func() bool {
		got, err := a.ask(request{Argv: []string{"/lbvm/inside", "try", "/gfs/try/held"}, Limit: 4 * time.Minute})
		free = strings.TrimSpace(got.Out)
		return err == nil && strings.HasPrefix(free, "taken")
	})
	r.check(true, "node1, the lock, %.1f s after the fencing was affirmed: %s", time.Since(fenced).Seconds(), free)
	journal := regexp.MustCompile(`jid=1: (Journal head lookup took \d+ms|Replayed .*)|recover jid 1 result success|recover generation \d+ done`).FindAllString(a.sh("dmesg"), -1)
	r.check(strings.Contains(strings.Join(journal, "; "), "recover jid 1 result success"), "node1's kernel on node2's journal: %s", strings.Join(journal, "; "))
	out = a.sh("/lbvm/inside read /gfs/try/torn once")
	r.check(strings.Contains(out, "whole"), "the file that node2 was replacing: %s", out)
	code := <-starting
	if code != 0 { // it did not wait: rgmanager asks again
		code = a.act(typ, vm, "start", kind)
	}
	r.check(code == 0, "node1, start after node2 was fenced: exit %d", code)
	c.record(a, typ, vm, "running node1")
	a.await("the counter counts on node1", time.Minute, func() bool {
		return strings.HasSuffix(lives(a), "node1 1-2") || strings.Contains(lives(a), ", node1 1-")
	})
	last := lives(a)
	r.check(regexp.MustCompile(`^node1 1-\d+, node2 \d+-\d+, node1 1-\d+$`).MatchString(last), "where it counted: %s: booted once more, its half image never used", last)
	left := a.sh("ls /gfs/lbvm/handoff/vmexec-c1")
	r.check(!strings.Contains(left, ".part") && !strings.Contains(left, "claim"), "what is left in the hand-off folder: %s", strings.Join(strings.Fields(left), " "))
	c.wants(a, 0, typ, vm, "stop", kind, param("on_stop", "shutdown"))
	c.record(a, typ, vm, "down")
}

// alive tells whether a counter's process is there; nobody waits for one that has ended, which is none.
func alive(m *machine, pid string) bool {
	out, code := m.run("cat", "/proc/"+strings.TrimSpace(pid)+"/stat")
	return strings.TrimSpace(pid) != "" && code == 0 && !strings.Contains(out, ") Z ")
}

// goesOn judges that the counter went on where it had been.
func goesOn(c *cluster, got string) {
	var to, from, end int
	var one, two string
	n, err := fmt.Sscanf(strings.NewReplacer("-", " ", ",", "").Replace(got), "%s 1 %d %s %d %d", &one, &to, &two, &from, &end)
	c.r.check(err == nil && n == 5 && one == "node1" && two == "node2" && from == to+1, "where it counted: %s: memory kept", got)
}

// locks plays the locks of both machines.
func locks(c *cluster) {
	a, b, r := c.nodes[0], c.nodes[1], c.r
	r.part("Locks")
	go a.ask(request{Argv: []string{"/lbvm/inside", "hold", "/gfs/try/lock", "/run/holder"}, Limit: 20 * time.Minute})
	a.await("the lock is held", time.Minute, func() bool { _, code := a.run("test", "-e", "/run/holder"); return code == 0 })
	out := b.sh("/lbvm/inside try /gfs/try/lock")
	r.check(strings.HasPrefix(out, "refused") && strings.Contains(out, "(by hold, pid"), "node2, a lock that node1 holds: %s", out)
	out = a.sh("/lbvm/inside try /gfs/try/lock")
	r.check(strings.HasPrefix(out, "refused"), "node1, the same lock by another process: %s", out)
	a.sh("kill -9 $(cat /run/holder); rm /run/holder")
	out = b.sh("/lbvm/inside try /gfs/try/lock")
	r.check(strings.HasPrefix(out, "taken"), "node2, when the holder on node1 was killed with SIGKILL: %s", out)
	var said [2]string
	c.both(func(m *machine) { said[m.number-1] = m.sh("/lbvm/inside count /gfs/try/count 40") })
	out = a.sh("cat /gfs/try/count")
	r.check(out == "80", "both nodes add 40 times to one number, at once, under a lock: %s", out)
	r.note("node1 %s", said[0])
	r.note("node2 %s", said[1])
}

// files plays files that one machine writes and the other reads.
func files(c *cluster) {
	a, b, r := c.nodes[0], c.nodes[1], c.r
	r.part("Files")
	var said [2]string
	c.both(func(m *machine) {
		do := "replace /gfs/try/doc 60"
		if m.number == 2 {
			do = "read /gfs/try/doc"
		}
		said[m.number-1] = m.sh("/lbvm/inside " + do)
	})
	r.check(strings.Contains(said[0], "replaced 60 times"), "node1 replaces a file: %s", said[0])
	r.check(strings.Contains(said[1], "whole each time") && strings.Contains(said[1], "the last is 60"), "node2 reads it meanwhile: %s", said[1])
	c.both(func(m *machine) { said[m.number-1] = m.sh("/lbvm/inside append /gfs/try/journal " + m.name + " 40") })
	out := a.sh(`grep -Ec '^node[12] [0-9]+ x{60}$' /gfs/try/journal; wc -l </gfs/try/journal; sort -u /gfs/try/journal | wc -l`)
	r.check(strings.Join(strings.Fields(out), " ") == "80 80 80", "both nodes append 40 lines to one journal, at once: whole, all and different lines: %s", strings.Join(strings.Fields(out), ", "))
	r.note("node1 %s", said[0])
	r.note("node2 %s", said[1])
	out = a.sh("/lbvm/inside records /gfs node1 20")
	r.check(strings.HasPrefix(out, "20 hand-overs"), "node1 alone, the record's way through a hand-over: %s", out)
	c.both(func(m *machine) { said[m.number-1] = m.sh("/lbvm/inside records /gfs " + m.name + " 10") })
	for i, s := range said {
		r.check(strings.HasPrefix(s, "10 hand-overs"), "node%d, the same VM's record, both nodes at once: %s", i+1, s)
	}
	seq := b.sh("grep ^seq= /gfs/lbvm/handoff/try-record/state")
	r.check(seq == "seq=120", "the record's number after 40 hand-overs of three writes: %s", seq)
}
