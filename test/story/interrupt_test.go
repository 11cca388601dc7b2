package story

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
)

// restoredHere holds the start of a container from its image until the story lets it go on.
const restoredHere = `case "$*" in restore*) [ ! -e "$LBVM_ROOT/tmp/hold" ] || { : >"$LBVM_ROOT/tmp/held"; read word <"$LBVM_ROOT/tmp/gate"; };; esac; exec "$REAL" "$@"`

// TestInterrupted presses Ctrl-C, and sends SIGKILL, in the middle of a move that lbm migrate, lbm evacuate and lbm failback have
// begun. What has begun comes to its end, once; nothing else begins; told is what is where; and who asks again goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	h := newHandover(t)
	for _, s := range []string{"centos1", "centos2"} {
		h.sent(s, "node1")
	}
	step := func(name string, do func(h *handover)) {
		if !t.Failed() {
			t.Run(name, func(t *testing.T) {
				h := &handover{h.world.with(t), h.gate}
				for _, n := range []string{"node1", "node2", "node3"} {
					h.measured(n)
				}
				do(h)
				h.eachOnce()
			})
		}
	}
	step("migrate", func(h *handover) {
		h.hold(heldHere)
		c := h.lbm("migrate", "101", "node2")
		h.held()
		c.interrupt("what has begun is not undone, and is watched to its end")
		h.release()
		c.ends(0, "openvz:101 runs on node2")
		h.sent("centos1", "node1")
	})
	step("evacuate", func(h *handover) {
		h.hold(heldHere)
		c := h.lbm("evacuate", "--yes", "--parallel", "1", "node1")
		h.held()
		c.interrupt("what has begun is not undone, and is watched to its end")
		h.release()
		c.ends(130, "interrupted: still on node1: openvz:102 (started); lbm evacuate node1 goes on")
		h.are(map[string]bool{"openvz:101": false, "openvz:102": true})
	})
	step("evacuate, killed, goes on while its move is in flight", func(h *handover) {
		h.hold(heldHere)
		c := h.lbm("evacuate", "--yes", "node1")
		h.held()
		h.end(c.cmd.Process.Pid)
		c.ends(-1, "moving openvz:102")
		again := h.lbm("evacuate", "--yes", "node1")
		again.says("openvz:102")
		h.release()
		again.ends(0, "")
		h.are(map[string]bool{"openvz:101": false, "openvz:102": false})
		h.until("whoever comes ends the move of the killed one", limit, func() bool {
			h.tryOn("node2", "lbm", "evacuate", "--yes", "node1")
			return count(h.journal(), "event", "begin") == count(h.journal(), "event", "end")
		})
	})
	step("failback", func(h *handover) {
		h.hold(restoredHere)
		c := h.lbm("failback", "--yes", "--parallel", "1", "node1")
		h.held()
		c.interrupt("what has begun is not undone, and is watched to its end")
		h.release()
		c.ends(130, "interrupted: not home: openvz:10")
		if home := h.status().Guests["node1"]; len(home) != 1 {
			h.t.Errorf("home are %v: %s", home, c.text())
		}
	})
	step("failback, killed, goes on", func(h *handover) {
		h.hold(restoredHere)
		c := h.lbm("failback", "--yes", "node1")
		h.held()
		h.end(c.cmd.Process.Pid)
		c.ends(-1, "moving openvz:10")
		h.release()
		h.until("all are home", limit, func() bool {
			_, code := h.tryOn("node2", "lbm", "failback", "--yes", "node1")
			return code == 0
		})
		h.are(map[string]bool{"openvz:101": true, "openvz:102": true})
		if _, there, err := host.ReadEvacuation(h.l.Shared(), "node1"); there || err != nil {
			h.t.Errorf("the note is still there: %v", err)
		}
		h.until("whoever comes ends the move of the killed one", limit, func() bool {
			h.tryOn("node2", "lbm", "failback", "--yes", "node1")
			return count(h.journal(), "event", "begin") == count(h.journal(), "event", "end")
		})
	})
	h.silent(0)
}

// hold lets a script stand in the place of node1's vzctl for the rest of a test, and what it waits for be held once.
func (h *handover) hold(script string) {
	h.t.Helper()
	undo := wrapped("vzctl", script)(h.world)
	if err := os.WriteFile(h.note("hold"), nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		undo()
		for _, n := range []string{"hold", "held"} {
			if err := os.Remove(h.note(n)); err != nil && !os.IsNotExist(err) {
				h.t.Fatal(err)
			}
		}
	})
}

// held waits until the tool is held.
func (h *handover) held() {
	h.t.Helper()
	h.until("a move is in flight", limit, func() bool {
		_, err := os.Stat(h.note("held"))
		return err == nil
	})
}

// are wants guests to be on node1 or not, and nothing on its way.
func (h *handover) are(want map[string]bool) {
	h.t.Helper()
	h.until("nothing is on its way", limit, func() bool {
		st := h.status()
		for _, s := range []string{"centos1", "centos2"} {
			if state, _ := st.service(s); state != "started" {
				return false
			}
		}
		return true
	})
	st := h.status()
	for guest, there := range want {
		if on := st.on(guest); slices.Contains(on, "node1") != there || len(on) != 1 {
			h.t.Errorf("%s is on %q", guest, on)
		}
	}
}

// eachOnce wants no guest to have booted twice, and no move to have ended twice.
func (h *handover) eachOnce() {
	h.t.Helper()
	for _, g := range []string{"openvz:101", "openvz:102"} {
		if n := incarnations(h.witness(g)); n != 1 {
			h.t.Errorf("%s has booted %d times", g, n)
		}
	}
	for _, r := range h.journal() {
		if n := count(h.journal(), "event", "end", "txn", r.Get("txn")); r.Get("event") == "begin" && n > 1 {
			h.t.Errorf("a move has %d ends: %v", n, r)
		}
	}
}

// command is a program that runs beside the story.
type command struct {
	h    *handover
	cmd  *exec.Cmd
	file string // what it says
}

// lbm starts it on node2.
func (h *handover) lbm(args ...string) *command {
	h.t.Helper()
	c := &command{h: h, file: filepath.Join(h.t.TempDir(), "said")}
	out, err := os.Create(c.file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	root := h.l.Root("node2")
	c.cmd = exec.Command(filepath.Join(root, "usr/sbin/lbm"), args...)
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = []string{"LBVM_ROOT=" + root}, out, out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (c *command) text() string {
	c.h.t.Helper()
	b, err := os.ReadFile(c.file)
	if err != nil {
		c.h.t.Fatal(err)
	}
	return string(b)
}

func (c *command) says(text string) {
	c.h.t.Helper()
	c.h.until("it says "+text, limit, func() bool { return strings.Contains(c.text(), text) })
}

// interrupt is Ctrl-C; it answers at once.
func (c *command) interrupt(says string) {
	c.h.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		c.h.t.Fatal(err)
	}
	c.says(says)
}

// ends waits for its end. The exit code is -1 where a signal ended it.
func (c *command) ends(code int, says string) {
	c.h.t.Helper()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.h.t.Fatal(err)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(c.text(), says) {
		c.h.t.Errorf("%q: exit %d, want %d with %q: %s", c.cmd.Args[1:], got, code, says, c.text())
	}
}
