package rgmanager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// switches are what of the cluster a test or a person changes while it runs.
type switches struct {
	fence  time.Duration // lab time that fencing takes; negative: it never succeeds
	el6    bool          // fence_tool lists nodes, as on RHEL 6, and cman_tool nodes -f says nothing
	freeze bool          // the shared file system stands still from the loss of a node to its fencing
}

// set turns a switch: `fence TIME|never`, `suite el5|el6`, `gfs frozen|free`.
func (m *Manager) set(name, value string) (err error) {
	m.update(func() {
		s := &m.switches
		switch name + " " + value {
		case "suite el5", "suite el6":
			s.el6 = value == "el6"
		case "gfs frozen", "gfs free":
			s.freeze = value == "frozen"
		case "fence never":
			s.fence = -1
		default:
			if s.fence, err = time.ParseDuration(value); name != "fence" || err != nil || s.fence < 0 {
				s.fence, err = m.o.Fence, errors.New("there are: fence TIME|never, suite el5|el6, gfs frozen|free")
			}
		}
	})
	if err == nil { // a fencing that hung may succeed now
		m.reconcile()
	}
	return err
}

// frozenLocked: a node was lost and is not yet fenced, and the shared file system waits for that.
func (m *Manager) frozenLocked() bool {
	if m.switches.freeze {
		for _, n := range m.nodes {
			if n.fencePending {
				return true
			}
		}
	}
	return false
}

// touches tells whether an action uses the shared storage: a status of a VM that its node knows does not.
func touches(action string) bool { return action != "status" && action != "meta-data" }

// stillLocked stops or continues the agents that are at work, as a file system does in whose calls they hang. Their
// tools and keepers, which do not touch it, go on.
func (m *Manager) stillLocked() {
	frozen := m.frozenLocked()
	if frozen == m.still {
		return
	}
	m.still = frozen
	m.log.event("gfs", kv("is", map[bool]string{true: "frozen", false: "free"}[frozen]))
	for _, p := range m.working {
		signal := syscall.SIGCONT
		if frozen {
			signal = syscall.SIGSTOP
		}
		if err := p.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			m.log.event("error", kv("text", err.Error()))
		}
	}
}

// atWork waits until the shared storage can be used, and remembers a process that does.
func (m *Manager) atWork(action string, start func() (*os.Process, error)) (p *os.Process, done func(), err error) {
	if !touches(action) {
		p, err = start()
		return p, func() {}, err
	}
	if err := m.await(m.ctx, func() bool { return !m.still }); err != nil {
		return nil, func() {}, errNodeDown
	}
	if p, err = start(); err != nil {
		return p, func() {}, err
	}
	m.update(func() {
		m.working[p.Pid] = p
		if m.still { // it was frozen in this very moment
			err = p.Signal(syscall.SIGSTOP)
		}
	})
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return p, func() { m.update(func() { delete(m.working, p.Pid) }) }, err
}

// fenceTool is fence_tool of RHEL 6: it tells how a node was fenced last, and not when.
func (m *Manager) fenceTool(n *node, args []string) run.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.switches.el6 || len(args) != 2 || args[0] != "ls" || args[1] != "-n":
		return failure("fence_tool: unknown operation (the lab plays ls -n, as of RHEL 6: lbvm-lab set suite el6)")
	case !n.member:
		return failure("fence_tool: fenced not running, no lockfile")
	}
	var members []string
	victims, victim := 0, 0
	var rows strings.Builder
	for _, x := range m.nodes {
		if x.member {
			members = append(members, fmt.Sprint(x.id))
		}
		if x.fencePending {
			victims, victim = victims+1, x.id
		}
		how, master := "none", 0
		if !x.lastFenced.IsZero() {
			how, master = "agent", n.id
		}
		fmt.Fprintf(&rows, "nodeid %d member %d victim %d last fence master %d how %s\n", x.id, bit(x.member), bit(x.fencePending), master, how)
	}
	wait := "none"
	if victims > 0 {
		wait = "fencing"
	}
	return said("fence domain\nmember count  %d\nvictim count  %d\nvictim now    %d\nmaster nodeid %s\nwait state    %s\nmembers       %s \n\nall nodes\n%s\n",
		len(members), victims, victim, members[0], wait, strings.Join(members, " "), rows.String())
}

// leaveScript is what the init script between rgmanager and cman runs when a node leaves.
var leaveScript = [...]string{"/usr/sbin/lbm", "mark-left"}

// runLeaveScript runs it where it is installed, with the environment that init gives.
func (m *Manager) runLeaveScript(ctx context.Context, n *node) {
	path := filepath.Join(n.root, leaveScript[0])
	if !fileExists(path) {
		return
	}
	var out strings.Builder
	cmd := exec.CommandContext(ctx, path, leaveScript[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", []string{"PATH=/sbin:/usr/sbin:/bin:/usr/bin", rootVariable + "=" + n.root}, &out, &out
	_, err := n.spawn(func() (*os.Process, error) {
		err := cmd.Start()
		return cmd.Process, err
	})
	if err == nil {
		err = cmd.Wait()
	}
	pairs := []pair{kv("node", n.name), kv("script", strings.Join(leaveScript[:], " ")), kv("text", strings.TrimSpace(out.String()))}
	if err != nil {
		pairs = append(pairs, kv("error", err.Error()))
	}
	m.log.event("init", pairs...)
}
