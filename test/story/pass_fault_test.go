package story

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/pkg/balance"
)

// unrailed wants 101 off its node at once, each time: what holds it is the fault, and no memory of the one before.
const unrailed = `sharedstorage /shared;
resources /shared/lbresources.conf;
logdir /shared/lbvm/log;
rail settling off; rail cool-down off; rail cycle-guard off; rail back-off off; rail projected-load off;
balance 101;
` + shedding

const (
	lbmonitor  = "/usr/libexec/lbvm/lbmonitor"
	lblog      = "/usr/libexec/lbvm/lblog"
	lblogAside = lblog + ".by-hand" // cron does not find it: the story says when is measured
)

// hangsOnce hangs when it is first asked, and tells its process; then it fails.
const hangsOnce = `[ ! -e "$LBVM_ROOT/tmp/hangs" ] || exit 255; echo $$ >"$LBVM_ROOT/tmp/hangs.new"; /bin/mv "$LBVM_ROOT/tmp/hangs.new" "$LBVM_ROOT/tmp/hangs"; exec /bin/sleep 80`

// TestFaultsInAPass lets passes of lbmonitor meet what goes wrong around them, in a lab with its real tools. Whatever it
// is: the guest stays where it is, boots no second time, and somebody is told what happened. In the end nothing is
// wrong, and the guest moves.
func TestFaultsInAPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Options{Scale: 1, VMs: []lab.VM{{Type: "openvz", Name: "101", Service: "centos1", Node: "node1"}}}, func(l lab.Layout) {
		for _, n := range []string{"node1", "node2", "node3"} {
			if err := os.Rename(l.Root(n)+lblog, l.Root(n)+lblogAside); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.setUp("node1", "node2", "node3")
	guest := service{"centos1", "openvz", "101"}
	w.awaitTick(guest.guest(), "node1")
	real101 := func() []string { return w.status().on(guest.guest()) }

	for _, f := range []struct {
		name  string
		fault func(w *world) (undo func())
		pass  func(w *world) (string, int) // nil is lbmonitor on node1
		code  int
		says  string
		moved int // moves that the journal has then
	}{
		{name: "clusvcadm fails", fault: wrapped("clusvcadm", "echo 'Trying to relocate service:centos1...Failure'; exit 255"),
			code: 3, says: "refused: nothing was changed: it still runs on node1 (the manager said: the operation failed", moved: 2}, // the next best node is tried
		{name: "clusvcadm lies", fault: wrapped("clusvcadm", "echo Success; exit 0"),
			code: 1, says: "it still runs on node1 (the manager said: success)", moved: 1},
		{name: "clusvcadm hangs", fault: wrapped("clusvcadm", hangsOnce),
			pass: hangs, code: 3, says: "it still runs on node1", moved: 2},
		{name: "clustat prints a line before its XML", fault: wrapped("clustat", `echo 'Timed out waiting for a response from Resource Group Manager'; exec "$REAL" "$@"`),
			code: 1, says: "Timed out waiting for a response from Resource Group Manager"},
		{name: "the quorum goes in the middle of a pass", fault: wrapped("clustat", `if [ -e "$LBVM_ROOT/tmp/asked" ]; then "$REAL" "$@" | /bin/sed 's/ quorate="1"/ quorate="0"/'; else : >"$LBVM_ROOT/tmp/asked"; exec "$REAL" "$@"; fi`),
			code: 3, says: "quor"},
		{name: "the shared storage is not mounted", fault: func(w *world) func() { return w.away("lbvm/cluster") },
			code: 1, says: "is it mounted?"},
		{name: "the shared storage goes in the middle of a pass", fault: func(w *world) func() {
			undo := wrapped("clustat", fmt.Sprintf(`"$REAL" "$@"; code=$?; [ ! -e %[1]s/lbvm ] || /bin/mv %[1]s/lbvm %[1]s/gone; exit $code`, w.l.Shared()))(w)
			return func() {
				undo()
				if err := os.Rename(filepath.Join(w.l.Shared(), "gone"), filepath.Join(w.l.Shared(), "lbvm")); err != nil {
					w.t.Fatal(err)
				}
			}
		}, code: 1, says: "no such file or directory"},
		{name: "the shared storage takes no writes", pass: readOnly, code: 1, says: "read-only file system"},
		{name: "the configuration ends in half a line", fault: func(w *world) func() {
			w.configure(strings.TrimSpace(unrailed[:strings.Index(unrailed, "average(res2")]))
			return func() { w.configure(unrailed) }
		}, code: 1, says: "lbvm.conf:"},
		{name: "who holds the lock is killed", fault: wrapped("clusvcadm", hangsOnce),
			pass: killed, code: 0, says: "nothing moves", moved: 1},
		{name: "a clock is ten minutes ahead", fault: func(w *world) func() { return w.ahead("node2", 10*time.Minute) },
			code: 0, says: "the clock of node2 is"},
	} {
		if !t.Run(f.name, func(t *testing.T) {
			w := w.with(t)
			w.configure(unrailed)
			w.heat()
			if out, code := w.tryOn("node1", lbmonitor, "--dry-run"); code != 0 || !strings.Contains(out, "migrate  node2") {
				t.Fatalf("without the fault it would not move: exit %d: %s", code, out)
			}
			before := count(w.journal(), "event", "begin")
			undo := func() {}
			if f.fault != nil {
				undo = f.fault(w)
			}
			pass := f.pass
			if pass == nil {
				pass = func(w *world) (string, int) { return w.tryOn("node1", lbmonitor) }
			}
			out, code := pass(w)
			undo()
			if code != f.code || !strings.Contains(out, f.says) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, f.code, f.says, out)
			}
			if on := real101(); !slices.Equal(on, []string{"node1"}) {
				t.Errorf("the guest is on %q", on)
			}
			if n := incarnations(w.witness(guest.guest())); n != 1 {
				t.Errorf("the guest has booted %d times", n)
			}
			journal := w.journal()
			if n := count(journal, "event", "begin") - before; n != f.moved {
				t.Errorf("%d moves were begun, want %d", n, f.moved)
			}
			if n, ends := count(journal, "event", "begin"), count(journal, "event", "end", "outcome", string(balance.OutcomeFailed)); n != ends {
				t.Errorf("%d moves were begun, %d have failed", n, ends)
			}
		}) {
			w.tell("shared/lbvm/log/migrate.log", 4)
		}
	}

	w.configure(unrailed)
	w.heat()
	told := w.on("node3", "lbm", "explain", "101") // what a pass would decide now, anywhere
	mark := len(w.journal())
	if out, code := w.tryOn("node1", lbmonitor); code != 0 || !strings.Contains(out, "it runs on node2") {
		t.Errorf("when nothing is wrong: exit %d: %s", code, out)
	}
	if j := w.journal()[mark:]; len(j) == 0 || !strings.Contains(told, ": migrate to "+j[0].Get("to")) || !strings.Contains(told, "why:     "+j[0].Get("why")+"\n") {
		t.Errorf("lbmonitor did %v, and lbm explain had said: %s", j, told)
	}
	w.awaitTick(guest.guest(), "node2")
	if n := incarnations(w.witness(guest.guest())); n != 1 {
		t.Errorf("the guest has booted %d times", n)
	}
	w.silent(0)
}

// wrapped puts a script in a tool's place on node1; $REAL is the tool.
func wrapped(tool, script string) func(w *world) (undo func()) {
	return func(w *world) func() {
		w.t.Helper()
		bin := filepath.Join(w.l.Root("node1"), "usr/sbin")
		path, kept := filepath.Join(bin, tool), filepath.Join(bin, "real", tool)
		if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Symlink(w.l.Path("bin/lbvm-lab"), kept); err != nil && !os.IsExist(err) {
			w.t.Fatal(err)
		}
		link, err := os.Readlink(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err == nil {
			err = os.WriteFile(path, []byte("#!/bin/sh\nREAL="+kept+"\n"+script+"\n"), 0o755)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return func() {
			for _, note := range []string{"asked", "hangs"} {
				if err := os.Remove(filepath.Join(w.l.Root("node1"), "tmp", note)); err != nil && !os.IsNotExist(err) {
					w.t.Fatal(err)
				}
			}
			err := os.Remove(path)
			if err == nil {
				err = os.Symlink(link, path)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// heat measures on each node, and writes into the logs that node1 has been busy for ten minutes and the others have not.
func (w *world) heat() {
	w.t.Helper()
	now, err := clock.FromRoot(w.l.Root("node1"))
	if err != nil {
		w.t.Fatal(err)
	}
	for node, load := range map[string]float64{"node1": 0.9, "node2": 0.1, "node3": 0.2} {
		w.measured(node)
		w.samples(node, load, now.Now())
	}
}

// measured runs lblog. Where the counters have not moved since it ran last it says so, and publishes the node's facts all the same.
func (w *world) measured(node string) {
	w.t.Helper()
	if out, code := w.tryOn(node, lblogAside); code != 0 && !strings.Contains(out, "the counters did not move") {
		w.t.Fatalf("lblog: exit %d: %s", code, out)
	}
}

func (w *world) samples(node string, load float64, now time.Time) {
	w.t.Helper()
	var b bytes.Buffer
	for m := 10; m >= 0; m-- {
		fmt.Fprintf(&b, "%d %g\n", now.Add(-time.Duration(m)*time.Minute).Unix(), load)
	}
	if err := os.WriteFile(w.l.Path("shared/lbvm/log", node+"-cpu"), b.Bytes(), 0o640); err != nil {
		w.t.Fatal(err)
	}
}

// away takes a file of the shared storage aside.
func (w *world) away(file string) (undo func()) {
	w.t.Helper()
	path := filepath.Join(w.l.Shared(), file)
	if err := os.Rename(path, path+".aside"); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := os.Rename(path+".aside", path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// ahead lets a node measure by a clock that is ahead.
func (w *world) ahead(node string, by time.Duration) (undo func()) {
	w.t.Helper()
	file := w.l.Root(node) + clock.File
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := clock.FromRoot(w.l.Root(node))
	if err != nil {
		w.t.Fatal(err)
	}
	shifted := c.(clock.Scaled)
	shifted.Epoch = shifted.Epoch.Add(by)
	write := func(b []byte) {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	write(shifted.Format())
	w.measured(node)
	w.samples(node, 0.1, shifted.Now())
	w.samples("node3", 0.8, c.Now()) // nowhere else is room
	return func() { write(text) }
}

// started runs lbmonitor on a node as the agent does, beside the test.
func (w *world) started(node string, argv ...string) (*exec.Cmd, *bytes.Buffer) {
	w.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"LBVM_ROOT=" + w.l.Root(node)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = limit
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return cmd, out
}

// hanging waits until the wrapped tool hangs, and gives its process.
func (w *world) hanging() int {
	w.t.Helper()
	note := filepath.Join(w.l.Root("node1"), "tmp/hangs")
	pid := 0
	w.until("the tool hangs", limit, func() bool {
		b, err := os.ReadFile(note)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err == nil
	})
	return pid
}

func (w *world) end(pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		w.t.Fatal(err)
	}
}

// hangs: while the request hangs no other node makes a pass. Then the tool is killed.
func hangs(w *world) (string, int) {
	w.t.Helper()
	first, out := w.started("node1", w.l.Root("node1")+lbmonitor)
	pid := w.hanging()
	if out, code := w.tryOn("node2", lbmonitor); code != 0 || !strings.Contains(out, "lbmonitor on node1") {
		w.t.Errorf("the second monitor, on another node: exit %d: %s", code, out)
	}
	w.end(pid)
	err := first.Wait()
	if err != nil && first.ProcessState == nil {
		w.t.Fatal(err)
	}
	return out.String(), first.ProcessState.ExitCode()
}

// killed: the next pass, on another node, takes the lock and ends what the dead one has begun; the rails hold the VM.
func killed(w *world) (string, int) {
	w.t.Helper()
	first, _ := w.started("node1", w.l.Root("node1")+lbmonitor)
	pid := w.hanging()
	w.end(first.Process.Pid)
	if err := first.Wait(); err == nil {
		w.t.Error("lbmonitor has ended by itself")
	}
	w.end(pid)
	w.configure(strings.Replace(unrailed, "rail settling off; rail cool-down off; rail cycle-guard off; rail back-off off; ", "", 1))
	out, code := w.tryOn("node2", lbmonitor)
	log, err := os.ReadFile(w.l.Root("node2") + "/var/log/messages")
	if err != nil {
		w.t.Fatal(err)
	}
	if n := count(w.journal(), "event", "begin"); n == 0 || !strings.Contains(string(log), "ended a move whose monitor died") {
		w.t.Errorf("the log of node2 does not say that it has ended the move of a dead monitor:\n%s%s", log, out)
	}
	return out, code
}

// readOnly makes a pass that sees the shared storage mounted read-only, as no other process does.
func readOnly(w *world) (string, int) {
	w.t.Helper()
	real.NeedRoot(w.t)
	real.Need(w.t, "unshare")
	mount := real.Need(w.t, "mount")
	share := w.l.Shared()
	if out, err := exec.Command("unshare", "-m", "sh", "-c", fmt.Sprintf("%[1]s --bind %[2]s %[2]s && %[1]s -o remount,ro,bind %[2]s", mount, share)).CombinedOutput(); err != nil {
		w.t.Skipf("skipped: this test mounts, which is not allowed here: %v: %s", err, out)
	}
	cmd, out := w.started("node1", "/usr/bin/env", "unshare", "-m", "sh", "-c",
		fmt.Sprintf("%[1]s --bind %[2]s %[2]s && %[1]s -o remount,ro,bind %[2]s && exec %[3]s", mount, share, w.l.Root("node1")+lbmonitor))
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
