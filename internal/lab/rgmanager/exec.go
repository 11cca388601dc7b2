package rgmanager

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

const rootVariable = host.RootVariable

// bySignal is what res_exec makes of an agent that a signal ended.
const bySignal = -14

// errNodeDown says that the node died before or while something ran on it. It is no answer of the agent.
var errNodeDown = errors.New("the node is down")

// spawn starts a process of the node. It and kill exclude each other: what was started before a kill dies by it,
// and after it nothing is started.
func (n *node) spawn(start func() (*os.Process, error)) (*os.Process, error) {
	n.power.RLock()
	defer n.power.RUnlock()
	if !n.alive {
		return nil, errNodeDown
	}
	return start()
}

// exec runs one action of one resource on the node and waits for it, for ever unless the resource asks for
// __enforce_timeouts. An action that the agent does not declare, and any action of the built-in service, is a success.
func (m *Manager) exec(n *node, r *resource, name string, depth int, target string) (int, error) {
	if r.Type.Agent == "" || !r.Type.Declares(name) {
		return 0, nil
	}
	timeout := r.Timeout(name, depth)
	argv := []string{r.Type.Agent, name}
	if target != "" {
		argv = append(argv, target)
	}
	// stdin, stdout and stderr of a nil *os.File are /dev/null.
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Dir: "/", Env: environment(r, n.root, depth, n.refs(r.ID()), timeout)}
	began := time.Now()
	boot := n.bootCount()
	_, done, err := m.atWork(name, func() (*os.Process, error) {
		return n.spawn(func() (*os.Process, error) {
			err := cmd.Start()
			return cmd.Process, err
		})
	})
	defer done()
	if errors.Is(err, errNodeDown) {
		return 0, err
	}
	if err != nil {
		m.log.event("action", kv("node", n.name), kv("resource", r.ID()), kv("action", name), kv("error", err.Error()))
		return 1, nil
	}
	var timedOut atomic.Bool // before the kill, so that it is seen when the wait ends
	if r.EnforceTimeouts && timeout > 0 {
		t := time.AfterFunc(timeout, func() {
			timedOut.Store(true)
			if err := cmd.Process.Kill(); err != nil { // the child only, not its group
				timedOut.Store(false) // it has ended by itself
			}
		})
		err = cmd.Wait()
		t.Stop()
	} else {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, fmt.Errorf("waiting for %s %s: %w", filepath.Base(argv[0]), name, err)
	}
	code := cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = bySignal
	}
	if n.bootCount() != boot {
		return 0, errNodeDown
	}
	if timedOut.Load() && code == bySignal {
		m.log.event("message", kv("node", n.name), kv("text", fmt.Sprintf("%s on %s timed out after %d seconds", name, r.ID(), seconds(timeout))))
		code = 1
	}
	m.logAction(n, r, name, depth, target, code, time.Since(began))
	return code, nil
}

func (m *Manager) logAction(n *node, r *resource, name string, depth int, target string, code int, took time.Duration) {
	pairs := []pair{kv("node", n.name), kv("resource", r.ID()), kv("action", name)}
	if target != "" {
		pairs = append(pairs, kv("target", target))
	}
	if name == "status" {
		pairs = append(pairs, kv("depth", fmt.Sprint(depth)))
	}
	pairs = append(pairs, kv("code", fmt.Sprint(code)), kv("took", took.Round(time.Millisecond).String()))
	if code != 0 {
		pairs = append(pairs, kv("text", fmt.Sprintf("%s on %s \"%s\" returned %d (%s)", name, r.Type.Name, r.Name(), code, codeText(code))))
	}
	m.log.event("action", pairs...)
}

func codeText(code int) string {
	switch code {
	case 1:
		return "generic error"
	case 2:
		return "invalid argument(s)"
	case 3:
		return "function not implemented"
	case 4:
		return "insufficient privileges"
	case 5:
		return "program not installed"
	case 6:
		return "program not configured"
	}
	return "unspecified"
}

// treeStart starts parents before children and stops at the first failure. The caller holds the node's lock of the group.
func (m *Manager) treeStart(n *node, r *resource) (int, error) {
	code, err := m.exec(n, r, "start", 0, "")
	if err != nil || code != 0 {
		return code, err
	}
	n.addRef(r.ID(), 1)
	n.checked(r, m.clk.Now())
	for _, c := range r.StartOrder() {
		if code, err := m.treeStart(n, c); err != nil || code != 0 {
			return code, err
		}
	}
	return 0, nil
}

// treeStop stops children before parents, goes on through failures and tells the last one.
func (m *Manager) treeStop(n *node, r *resource) (int, error) {
	failed := 0
	for _, c := range r.StopOrder() {
		code, err := m.treeStop(n, c)
		if err != nil {
			return 0, err
		}
		if code != 0 {
			failed = code
		}
	}
	code, err := m.exec(n, r, "stop", 0, "")
	if err != nil {
		return 0, err
	}
	n.addRef(r.ID(), -1)
	if code != 0 {
		failed = code
	}
	return failed, nil
}

// treeStatus asks, parents first, every resource whose turn it is. An answer other than 0 stands until the next check.
func (m *Manager) treeStatus(n *node, r *resource) (int, error) {
	c := n.check(r)
	if depth, due := c.due(r, m.clk.Now()); due {
		code, err := m.exec(n, r, "status", depth, "")
		if err != nil {
			return 0, err
		}
		if code != 0 && r.Type.Declares("recover") {
			if recovered, err := m.exec(n, r, "recover", 0, ""); err != nil {
				return 0, err
			} else if recovered == 0 {
				code = 0
			}
		}
		c.last = code
	}
	if c.last != 0 {
		return c.last, nil
	}
	for _, child := range r.StartOrder() {
		if code, err := m.treeStatus(n, child); err != nil || code != 0 {
			return code, err
		}
	}
	return 0, nil
}

// checks is what a node remembers of the status checks of one resource.
type checks struct {
	at   map[int]time.Time // by depth
	last int
}

// due gives the deepest status action whose interval has passed.
func (c *checks) due(r *resource, now time.Time) (depth int, due bool) {
	for _, a := range r.Actions {
		if a.Name != "status" || a.Interval <= 0 || due && a.Depth < depth {
			continue
		}
		if now.Sub(c.at[a.Depth]) >= a.Interval {
			depth, due = a.Depth, true
		}
	}
	if due {
		c.at[depth] = now
	}
	return depth, due
}
