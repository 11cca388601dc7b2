package rgmanager

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// answer is the manager's side of every tool that asks it.
func (m *Manager) answer(ctx context.Context, r lab.Request) run.Result {
	if len(r.Argv) == 0 {
		return failure("no command")
	}
	if r.Node == "" {
		return m.labCommand(ctx, r.Argv)
	}
	n := m.node(r.Node)
	if n == nil {
		return failure(fmt.Sprintf("%s: no node of this lab is named %q", r.Argv[0], r.Node))
	}
	args := r.Argv[1:]
	switch filepath.Base(r.Argv[0]) {
	case "clustat":
		return m.clustat(n, args)
	case "clusvcadm":
		m.log.event("request", kv("node", n.name), kv("argv", strings.Join(r.Argv, " ")))
		res := m.clusvcadm(n, args)
		m.log.event("answer", kv("node", n.name), kv("argv", strings.Join(r.Argv, " ")), kv("code", fmt.Sprint(res.Code)),
			kv("text", strings.TrimSpace(string(res.Stdout)+string(res.Stderr))))
		return res
	case "cman_tool":
		return m.cmanTool(n, args)
	case "fence_tool":
		return m.fenceTool(n, args)
	case "fence_node":
		return m.fenceNode(n, args)
	case "fence_ack_manual":
		return m.ackManual(n, args, string(r.Stdin))
	case "ccs_tool":
		return m.ccsTool(n, args, r.Dir)
	}
	return run.Result{Code: 127, Stderr: []byte(fmt.Sprintf("%s: the cluster manager does not play this command\n", r.Argv[0]))}
}

func failure(text string) run.Result {
	return run.Result{Code: 1, Stderr: []byte(text + "\n")}
}

func said(format string, args ...any) run.Result {
	return run.Result{Stdout: []byte(fmt.Sprintf(format, args...))}
}
