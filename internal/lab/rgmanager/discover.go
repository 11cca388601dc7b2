package rgmanager

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// agentDir is where rgmanager looks for agents, on a node.
const agentDir = "/usr/share/cluster"

// daemonEnv is what rgmanager's init script left in its environment; agents see it for meta-data only.
func daemonEnv(root string) []string {
	return []string{"TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "RUNLEVEL=3", "runlevel=3", "PWD=/", "LANGSH_SOURCED=1", "PREVLEVEL=N",
		"previous=N", "CONSOLETYPE=serial", "SHLVL=3", "UPSTART_INSTANCE=", "_=/usr/sbin/rgmanager", rootVariable + "=" + root}
}

// discover runs every executable of the node's agent folder with meta-data, in the order of the folder, and gives the
// types, with the built-in service among them. say gets what rgmanager would print.
func (n *node) discover(say func(string)) (ccs.Rules, error) {
	agents, err := n.agents(say)
	return loadRules(agents, say), err
}

func (n *node) agents(say func(string)) ([]ccs.Agent, error) {
	dir := filepath.Join(n.root, agentDir)
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1) // unsorted, as readdir
	if err != nil {
		return nil, fmt.Errorf("reading the agents of %s: %w", n.name, err)
	}
	var out []ccs.Agent
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		fi, err := os.Stat(path)
		if err != nil {
			continue
		}
		if runs, why := ccs.RunsAsAgent(path, fi.Mode()); !runs {
			say(fmt.Sprintf("%s: ignored: %s", path, why))
			continue
		}
		text, err := n.metadata(path)
		if err != nil {
			say(fmt.Sprintf("%s: %v", path, err))
			continue
		}
		if len(text) > 0 {
			out = append(out, ccs.Agent{Name: path, Metadata: text})
		}
	}
	return out, nil
}

// metadata runs an agent with descriptors 0 and 2 closed and a pipe on 1. There is no time limit, and the exit
// code is of no interest.
func (n *node) metadata(path string) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := n.spawn(func() (*os.Process, error) {
		return os.StartProcess(path, []string{path, "meta-data"}, &os.ProcAttr{Dir: "/", Env: daemonEnv(n.root),
			Files: []*os.File{nil, w, nil}, Sys: &syscall.SysProcAttr{}})
	})
	w.Close()
	if err != nil {
		return nil, err
	}
	text, readErr := io.ReadAll(r)
	if _, err := p.Wait(); err != nil {
		return nil, fmt.Errorf("waiting for meta-data: %w", err)
	}
	return text, readErr
}
