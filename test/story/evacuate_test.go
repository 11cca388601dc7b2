package story

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// vmsVariable says how many VMs TestEvacuation has. CI has six; 30 take a minute or two.
const vmsVariable = "LBVM_EVACUATE_VMS"

// TestEvacuation empties nodes under load, in every way: by lbm evacuate, interrupted, killed and gone on with; by the init
// script when a node is shut down, with time enough and with too little; and brings the VMs home. No guest is lost, none
// runs twice, none boots anew.
func TestEvacuation(t *testing.T) {
	t.Parallel()
	n := 6
	if text, ok := os.LookupEnv(vmsVariable); ok {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 6 {
			t.Fatalf("%s=%s is not a number of 6 or more", vmsVariable, text)
		}
	}
	e := newEvacuation(t, 20, n, "openvz", "xen")

	t.Run("a node is emptied and filled", func(t *testing.T) {
		e := e.with(t)
		were := e.guestsOn("node1")
		begun, mark := time.Now(), len(e.w.journal())
		out, code := e.w.tryOn("node2", "lbm", "evacuate", "--yes", "--parallel", "3", "node1")
		took := time.Since(begun)
		if code != 0 || !strings.Contains(out, "nothing is sent to node1 until lbm failback node1") {
			t.Fatalf("exit %d: %s", code, out)
		}
		e.empty("node1")
		t.Logf("evacuated %d of %d VMs in %s, %d at a time", len(were), len(e.all), took.Round(100*time.Millisecond), e.atATime(mark))
		if out, code := e.w.tryOn("node3", "lbm", "migrate", were[0], "node1"); code != refused || !strings.Contains(out, "is evacuated since") {
			t.Errorf("exit %d: %s", code, out)
		}
		begun, mark = time.Now(), len(e.w.journal())
		if out, code := e.w.tryOn("node3", "lbm", "failback", "--yes", "node1"); code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
		t.Logf("%d came home in %s, %d at a time", len(were), time.Since(begun).Round(100*time.Millisecond), e.atATime(mark))
		if are := e.guestsOn("node1"); !slices.Equal(are, were) {
			t.Errorf("%q were on node1, and %q are", were, are)
		}
		if _, there, err := host.ReadEvacuation(e.w.l.Shared(), "node1"); there || err != nil {
			t.Errorf("the note is still there: %v", err)
		}
		e.whole()
	})
	t.Run("a frozen service is left alone", func(t *testing.T) {
		e := e.with(t)
		e.w.on("node1", "clusvcadm", "-Z", e.all[0].name)
		out, code := e.w.tryOn("node1", "lbm", "evacuate", "--yes", "node1")
		if code != partly || !strings.Contains(out, "it is frozen") || !slices.Equal(e.guestsOn("node1"), []string{e.all[0].guest()}) {
			t.Errorf("exit %d, on node1 %q: %s", code, e.guestsOn("node1"), out)
		}
		e.w.on("node1", "clusvcadm", "-U", e.all[0].name)
		e.w.on("node1", "lbm", "evacuate", "--yes", "node1")
		e.empty("node1")
		e.w.on("node1", "lbm", "failback", "--yes", "node1")
		e.whole()
	})
	t.Run("interrupted, killed, and gone on with", func(t *testing.T) {
		e := e.with(t)
		out, code := e.cut("node2", syscall.SIGINT, "--parallel", "1")
		if code != 130 || !strings.Contains(out, "interrupted: still on node2: ") || !strings.Contains(out, "lbm evacuate node2 goes on") {
			t.Errorf("exit %d: %s", code, out)
		}
		if out, code := e.cut("node2", syscall.SIGKILL, "--parallel", "1"); code != -1 {
			t.Errorf("exit %d: %s", code, out)
		}
		e.w.until("the rest has left", limit, func() bool {
			out, code = e.w.tryOn("node1", "lbm", "evacuate", "--yes", "node2")
			if code != 0 {
				return false
			}
			// The move of the lbm that was killed is ended by whoever comes when it has come to its end.
			for _, r := range e.w.journal() {
				if r.Get("event") == "begin" && count(e.w.journal(), "event", "end", "txn", r.Get("txn")) == 0 {
					return false
				}
			}
			return true
		})
		e.empty("node2")
		for _, r := range e.w.journal() {
			if txn := r.Get("txn"); r.Get("event") == "begin" && count(e.w.journal(), "event", "end", "txn", txn) != 1 {
				t.Errorf("not one end: %v", r)
			}
		}
		e.w.on("node1", "lbm", "failback", "--yes", "node2")
		e.whole()
	})
	for _, c := range []struct {
		name   string
		budget string
	}{{"a node is shut down", "240"}, {"a node is shut down in a hurry", "1"}} {
		t.Run(c.name, func(t *testing.T) {
			e := e.with(t)
			were := e.guestsOn("node3")
			begun, mark := time.Now(), len(e.w.journal())
			out := e.initScript("node3", "stop", "LBVM_EVACUATE_SECONDS="+c.budget)
			left := e.guestsOn("node3")
			t.Logf("budget %s s: %d of %d VMs left before rgmanager stopped, in %s, %d at a time", c.budget, len(were)-len(left), len(were), time.Since(begun).Round(100*time.Millisecond), e.atATime(mark))
			if c.budget != "1" && len(left) != 0 {
				t.Errorf("%q are still there: %s", left, out)
			}
			if c.budget == "1" && len(left) > 0 && !strings.Contains(out, "still on node3: ") {
				t.Errorf("what is left is not told: %s", out)
			}
			e.w.must("node", "leave", "node3")
			e.w.until("all run elsewhere", limit, func() bool { return e.allRun() && len(e.guestsOn("node3")) == 0 })
			t.Logf("all run elsewhere %s after the shutdown began", time.Since(begun).Round(100*time.Millisecond))
			e.whole()
			e.w.must("node", "start", "node3")
			e.w.until("the note that it leaves is taken back", limit, func() bool {
				_, code := e.w.tryOn("node3", "lbm", "mark-left", "--back")
				return code == 0
			})
			e.initScript("node3", "start", "LBVM_FAILBACK=yes\nLBVM_FAILBACK_WAIT=4m")
			listed := func() bool { _, there, err := host.ReadEvacuation(e.w.l.Shared(), "node3"); return there || err != nil }
			e.w.until("what was evacuated has come home", limit, func() bool { return !listed() })
			e.w.until("all run", limit, e.allRun)
			e.whole()
		})
	}
	t.Run("down, and placed", func(t *testing.T) {
		e := e.with(t)
		s := e.all[1]
		e.w.on("node1", "clusvcadm", "-d", s.name)
		out, code := "", refused
		e.w.until("lbm does not refuse", limit, func() bool { // its last node says for a minute that it is there
			out, code = e.w.tryOn("node1", "lbm", "place", s.guest())
			return code != refused
		})
		if code != 0 || !strings.Contains(out, s.guest()+" runs on ") {
			t.Errorf("exit %d: %s", code, out)
		}
		out, code = e.w.tryOn("node1", "lbm", "place", s.guest())
		if code != refused || !strings.Contains(out, "lbm migrate "+s.vm+" moves it") {
			t.Errorf("exit %d: %s", code, out)
		}
		e.whole()
	})
}

// newEvacuation is a lab of so many VMs on three nodes, two on each in turn, all measured. Each node has all the technologies.
func newEvacuation(t *testing.T, scale float64, n int, technologies ...string) *evacuation {
	t.Helper()
	nodes := []string{"node1", "node2", "node3"}
	o := lab.Options{Scale: scale, Nodes: nodes}
	var all []service
	for i := range n {
		vm := lab.VM{Type: technologies[(i+i/6)%len(technologies)], Name: strconv.Itoa(201 + i), Node: nodes[i/2%3]}
		if vm.Type != "openvz" {
			vm.Name = "vm" + vm.Name
		}
		vm.Service = "s" + vm.Name
		o.VMs = append(o.VMs, vm)
		all = append(all, service{vm.Service, vm.Type, vm.Name})
	}
	w := newWorld(t, o)
	w.setUp(nodes...)
	w.configure(fmt.Sprintf("sharedstorage /shared;\nresources /shared/lbresources.conf;\nlogdir /shared/lbvm/log;\ninterval 4m;\nbalance 201;\napart 201, %s;\n", all[3].vm))
	for i, s := range all {
		w.must("load", s.guest(), fmt.Sprintf("%.2f", 0.9/float64(n)*float64(1+i%3)))
	}
	for _, s := range all {
		w.awaitTick(s.guest(), "")
	}
	e := &evacuation{w, all}
	e.measured()
	return e
}

// measured waits until lblog has measured each guest where it is.
func (e *evacuation) measured() {
	e.w.t.Helper()
	e.w.until("lblog has measured all", limit, func() bool {
		st := e.w.status()
		for _, x := range []string{"node1", "node2", "node3"} {
			f, err := host.ReadFacts(e.w.l.Shared(), x)
			if err != nil || len(f.Guests) != len(st.Guests[x]) {
				return false
			}
		}
		return true
	})
}

// partly is lbm's exit code where some stay.
const partly = 5

type evacuation struct {
	w   *world
	all []service
}

func (e *evacuation) with(t *testing.T) *evacuation { return &evacuation{e.w.with(t), e.all} }

// guestsOn are the guests that really are on a node.
func (e *evacuation) guestsOn(node string) []string {
	e.w.t.Helper()
	out := []string{}
	for _, g := range e.w.status().Guests[node] {
		out = append(out, g.Type+":"+g.VM)
	}
	slices.Sort(out)
	return out
}

func (e *evacuation) empty(node string) {
	e.w.t.Helper()
	if left := e.guestsOn(node); len(left) > 0 {
		e.w.t.Errorf("on %s are still %q", node, left)
	}
}

// allRun tells whether each guest is where its service is started, and nowhere else.
func (e *evacuation) allRun() bool {
	e.w.t.Helper()
	st := e.w.status()
	for _, s := range e.all {
		if state, owner := st.service(s.name); state != "started" || !slices.Equal(st.on(s.guest()), []string{owner}) {
			return false
		}
	}
	return true
}

// whole wants all guests to run where their services are, those that are kept apart on two nodes, and what the guests wrote
// to show no double run and no boot but the first.
func (e *evacuation) whole() {
	e.w.t.Helper()
	if !e.allRun() {
		e.w.t.Errorf("not all run where their services are: %+v", e.w.status())
	}
	st := e.w.status()
	_, a := st.service(e.all[0].name)
	if _, b := st.service(e.all[3].name); a == b && a != "node3" { // the cluster manager knows of no apart
		e.w.t.Logf("%s and %s are on %s", e.all[0].vm, e.all[3].vm, a)
	}
	for _, s := range e.all {
		if n := incarnations(e.w.witness(s.guest())); n != 1 {
			e.w.t.Errorf("guest %s has booted %d times", s.guest(), n)
		}
	}
	e.w.silent(0)
}

// atATime is how many moves flew at a time at most, by the journal from a record on.
func (e *evacuation) atATime(from int) int {
	flying, most := 0, 0
	for _, r := range e.w.journal()[from:] {
		switch r.Get("event") {
		case "begin":
			flying++
		case "end":
			flying--
		}
		most = max(most, flying)
	}
	return most
}

// cut runs lbm evacuate on node1 and sends it a signal when the first move of its has begun.
func (e *evacuation) cut(node string, sig syscall.Signal, args ...string) (out string, code int) {
	e.w.t.Helper()
	root := e.w.l.Root("node1")
	cmd := exec.Command(filepath.Join(root, "usr/sbin/lbm"), append([]string{"evacuate", "--yes", node}, args...)...)
	cmd.Env = []string{"LBVM_ROOT=" + root}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		e.w.t.Fatal(err)
	}
	var text bytes.Buffer
	cmd.Stderr = &text
	mark := len(e.w.journal())
	if err := cmd.Start(); err != nil {
		e.w.t.Fatal(err)
	}
	in := bufio.NewReader(pipe)
	said := ""
	for {
		line, err := in.ReadString('\n')
		said += line
		if err != nil {
			break
		}
		if strings.HasPrefix(line, "moving ") {
			e.w.until("the move is in the journal", limit, func() bool { return len(e.w.journal()) > mark })
			if err := cmd.Process.Signal(sig); err != nil {
				e.w.t.Fatal(err)
			}
			rest, _ := io.ReadAll(in) // that it ends early is what is tested
			said += string(rest)
			break
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		e.w.t.Fatal(err)
	}
	return said + text.String(), cmd.ProcessState.ExitCode()
}

// initScript runs packaging/init/lbvm-evacuate on a node, with its paths below the node's root.
func (e *evacuation) initScript(node, action, settings string) string {
	e.w.t.Helper()
	root := e.w.l.Root(node)
	text, err := os.ReadFile(filepath.Join(moduleRoot, "packaging/init/lbvm-evacuate"))
	if err != nil {
		e.w.t.Fatal(err)
	}
	script := string(text)
	for _, path := range []string{"/etc/cluster/", "/etc/sysconfig/lbvm", "/usr/sbin/lbm", "/var/lock/subsys/", "/var/run/", "/usr/bin/logger"} {
		if !strings.Contains(script, path) {
			e.w.t.Fatalf("the script does not name %s", path)
		}
		script = strings.ReplaceAll(script, path, root+path)
	}
	for name, text := range map[string]string{"etc/sysconfig/lbvm": settings + "\n", "var/lock/subsys/.keep": "", "var/run/.keep": "", "evacuate.sh": script,
		"usr/bin/logger": "#!/bin/sh\nprintf '%s\\n' \"$4\" >>" + root + "/var/log/evacuate\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			e.w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			e.w.t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", filepath.Join(root, "evacuate.sh"), action)
	cmd.Env = []string{"LBVM_ROOT=" + root, "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.w.t.Fatalf("%s: %v %s", action, err, out)
	}
	return string(out)
}
