package rgmanager

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// cronJob is the one line of a node's crontab.
const cronJob = "/usr/libexec/lbvm/lblog"

// cron starts the job on every node that is on, each minute of the lab.
type cron struct {
	mu      sync.Mutex
	running map[string]bool
}

func (m *Manager) cronLoop() {
	for {
		now := m.clk.Now()
		next := now.Truncate(time.Minute).Add(time.Minute)
		if m.clk.Sleep(m.ctx, next.Sub(now)) != nil {
			return
		}
		for _, n := range m.nodes {
			if n.isAlive() {
				m.spawnLoop(func() { m.runCron(n) })
			}
		}
	}
}

// runCron runs the job once, with the environment that cron gives. A run that meets the last one still going is
// left out: the lab's minutes are short.
func (m *Manager) runCron(n *node) {
	path := filepath.Join(n.root, cronJob)
	if !fileExists(path) || !m.cron.enter(n.name) {
		return
	}
	defer m.cron.leave(n.name)
	cmd := &exec.Cmd{Path: path, Args: []string{path}, Dir: "/", Env: []string{
		"SHELL=/bin/sh", "PATH=/usr/bin:/bin", "LOGNAME=root", "USER=root", "HOME=/root", rootVariable + "=" + n.root}}
	began := time.Now()
	if _, err := n.spawn(func() (*os.Process, error) {
		err := cmd.Start()
		return cmd.Process, err
	}); err != nil {
		return // it died in this very minute
	}
	err := cmd.Wait()
	pairs := []pair{kv("node", n.name), kv("job", filepath.Base(cronJob)), kv("code", fmt.Sprint(cmd.ProcessState.ExitCode())),
		kv("took", time.Since(began).Round(time.Millisecond).String())}
	if err != nil {
		pairs = append(pairs, kv("error", err.Error()))
	}
	m.log.event("cron", pairs...)
}

func (c *cron) enter(node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[node] {
		return false
	}
	if c.running == nil {
		c.running = map[string]bool{}
	}
	c.running[node] = true
	return true
}

func (c *cron) leave(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, node)
}
