package rgmanager

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// agentDir is where rgmanager looks for agents, on a node.
const agentDir = "/usr/share/cluster"

// daemonEnv is what rgmanager's init script left in its environment; agents see it for meta-data only.
func daemonEnv(root string) []string {
	return []string{"TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "RUNLEVEL=3", "runlevel=3", "PWD=/", "LANGSH_SOURCED=1", "PREVLEVEL=N",
		"previous=N", "CONSOLETYPE=serial", "SHLVL=3", "UPSTART_INSTANCE=", "_=/usr/sbin/rgmanager", rootVariable + "=" + root}
}

// discover runs every executable of the node's agent folder with meta-data and gives the types in the order of
// the folder, the built-in service first. say gets what rgmanager would print.
func (n *node) discover(say func(string)) ([]*rule, error) {
	rules := []*rule{serviceRule()}
	dir := filepath.Join(n.root, agentDir)
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return rules, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1) // unsorted, as readdir
	if err != nil {
		return nil, fmt.Errorf("reading the agents of %s: %w", n.name, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !candidate(path, say) {
			continue
		}
		text, err := n.metadata(path)
		if err != nil {
			say(fmt.Sprintf("%s: %v", path, err))
			continue
		}
		if len(text) == 0 {
			continue
		}
		r, said, err := parseRule(text)
		for _, s := range said {
			say(s)
		}
		if err != nil {
			say(fmt.Sprintf("%s: %v", path, err))
			continue
		}
		r.path = path
		if findRule(rules, r.typ) != nil {
			say(fmt.Sprintf("Error storing %s: Duplicate", r.typ))
			continue
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// candidate tells whether rgmanager would run a file of the agent folder.
func candidate(path string, say func(string)) bool {
	if strings.HasSuffix(path, "~") {
		return false
	}
	if ext := filepath.Ext(path); len(ext) >= 4 && strings.EqualFold(ext[:4], ".rpm") {
		say(fmt.Sprintf("Warning: Ignoring %s: Bad extension %s", path, ext))
		return false
	}
	fi, err := os.Stat(path)
	return err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0
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

func findRule(rules []*rule, typ string) *rule {
	for _, r := range rules {
		if strings.EqualFold(r.typ, typ) {
			return r
		}
	}
	return nil
}
