package rgmanager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// Switch is one of them as a person sees it.
type Switch struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default string `json:"default"`
}

// never is the value of a fencing that does not succeed.
const never = "never"

// with turns a switch: `fence TIME|never`, `suite el5|el6`, `gfs frozen|free`. After an error nothing is turned.
func (s switches) with(name, value string) (switches, error) {
	of := func(values ...string) error {
		if slices.Contains(values, value) {
			return nil
		}
		return fmt.Errorf("%s %q: the values are %s", name, value, strings.Join(values, " and "))
	}
	var err error
	switch name {
	case "suite":
		err, s.el6 = of("el5", "el6"), value == "el6"
	case "gfs":
		err, s.freeze = of("free", "frozen"), value == "frozen"
	case "fence":
		var perr error
		if s.fence, perr = time.ParseDuration(value); value == never {
			s.fence = -1
		} else if perr != nil || s.fence < 0 {
			err = fmt.Errorf("fence %q is neither a time such as 60s nor never", value)
		}
	default:
		err = fmt.Errorf("there is no switch %q; there are fence, suite and gfs", name)
	}
	return s, err
}

// CheckSwitch says what is wrong with a switch or its value.
func CheckSwitch(name, value string) error {
	_, err := switches{}.with(name, value)
	return err
}

// values are the switches in words.
func (s switches) values() [3]Switch {
	fence := s.fence.String()
	if s.fence < 0 {
		fence = never
	}
	word := func(b bool, no, yes string) string {
		if b {
			return yes
		}
		return no
	}
	return [3]Switch{{Name: "fence", Value: fence}, {Name: "suite", Value: word(s.el6, "el5", "el6")}, {Name: "gfs", Value: word(s.freeze, "free", "frozen")}}
}

// Switches are all of them, with what they are at the beginning.
func (m *Manager) Switches() []Switch {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.switches.values()
	for i, d := range (switches{fence: m.o.Fence}).values() {
		list[i].Default = d.Value
	}
	return list[:]
}

// set turns a switch; clear turns all of them back.
func (m *Manager) set(name, value string) (err error) {
	m.update(func() {
		var s switches
		if s, err = m.switches.with(name, value); err == nil {
			m.switches = s
		}
	})
	if err == nil { // a fencing that hung may succeed now
		m.reconcile()
	}
	return err
}

func (m *Manager) clear() {
	m.update(func() { m.switches = switches{fence: m.o.Fence} })
	m.reconcile()
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
			how, master = x.how, n.id
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
