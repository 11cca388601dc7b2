package openvz

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// set is `vzctl set ID --KEY VALUE... --save`. The file is replaced whole; before 4.10 that puts a file in the place of a
// link.
func (c *call) set(args []string) int {
	save := slices.Contains(args, "--save")
	args = slices.DeleteFunc(args, func(a string) bool { return a == "--save" })
	text, err := os.ReadFile(c.conf.path)
	if err != nil || len(args)%2 != 0 {
		c.fail(badOption, strings.Join(args, " "))
		return exitUsage
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(args); i += 2 {
		key := strings.ToUpper(strings.TrimPrefix(args[i], "--")) + "="
		lines = append(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, key) }), key+`"`+args[i+1]+`"`)
	}
	if !save {
		return 0
	}
	path := c.conf.path
	if !c.v.before(4, 10, 0) {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return 139
		}
	}
	if err := errors.Join(os.WriteFile(path+".tmp", []byte(strings.Join(lines, "\n")+"\n"), 0o644), os.Rename(path+".tmp", path)); err != nil {
		return 139
	}
	c.say(saved, c.id)
	return 0
}

// rebootFile names the containers that ran when the node was shut down, one a line.
const rebootFile = "/var/lib/vzctl/vzreboot"

// init is the init script: `vz start` starts what ONBOOT says, and from 4.1 on what ran before unless ONBOOT is a literal
// no; `vz stop` suspends from 4.1 on unless VE_STOP_MODE says stop, and stops before.
func (k *kernel) init(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	v, _ := versionOf(n)
	if len(r.Argv) != 2 || r.Argv[1] != "start" && r.Argv[1] != "stop" {
		return run.Result{Code: 1, Stderr: []byte("Usage: vz {start|stop}\n")}
	}
	var out strings.Builder
	do := func(verb, id string) bool {
		a := k.vzctl(ctx, n, lab.Request{Argv: []string{"vzctl", verb, id}, PID: r.PID})
		out.Write(a.Stdout)
		out.Write(a.Stderr)
		return a.Code == 0
	}
	list := n.Path(rebootFile)
	if r.Argv[1] == "start" {
		ran := map[string]bool{}
		if text, err := os.ReadFile(list); err == nil && !v.before(4, 1, 0) {
			for _, id := range strings.Fields(string(text)) {
				ran[id] = true
			}
		}
		confs, err := filepath.Glob(n.Path("/etc/vz/conf/*.conf"))
		for _, path := range confs {
			id := strings.TrimSuffix(filepath.Base(path), ".conf")
			if c := readConfig(n, id); c.onBoot == "yes" || ran[id] && c.onBoot != "no" {
				do("start", id)
			}
		}
		if rerr := os.Remove(list); err != nil || rerr != nil && !os.IsNotExist(rerr) {
			return run.Result{Code: 1}
		}
		return run.Result{Stdout: []byte(out.String())}
	}
	k.mu.Lock()
	ids := []string{}
	for id, c := range k.containers {
		if c.running() != nil {
			ids = append(ids, id)
		}
	}
	k.mu.Unlock()
	slices.Sort(ids)
	if err := errors.Join(os.MkdirAll(filepath.Dir(list), 0o755), os.WriteFile(list, []byte(fmt.Sprintln(strings.Join(ids, "\n"))), 0o644)); err != nil {
		return run.Result{Code: 1}
	}
	for _, id := range ids {
		if v.before(4, 1, 0) || readConfig(n, id).stopMode == "stop" || !do("suspend", id) {
			do("stop", id)
		}
	}
	return run.Result{Stdout: []byte(out.String())}
}
