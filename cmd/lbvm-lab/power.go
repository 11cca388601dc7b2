package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
)

// power switches the nodes' daemons on and off.
type power struct{ l lab.Layout }

const (
	bootTime = 20 * time.Second // a daemon that does not answer by then never will
	look     = 10 * time.Millisecond
)

// On boots the node and waits for its daemon.
func (p power) On(ctx context.Context, node string) error {
	if err := lab.NewBoot(p.l, node); err != nil {
		return err
	}
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", host.RootVariable + "=" + p.l.Root(node)}
	cmd, err := detach(p.l, node+".log", env, "node-daemon", p.l.Dir, node)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // the manager lives as long as the nodes: it buries them
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		_, err := lab.Call(ctx, p.l.NodeSocket(node), lab.Request{Node: node, Argv: []string{"lab", "guests"}})
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("the daemon ended at once (%v); see %s", end, p.l.Path("log", node+".log"))
		default:
		}
		if clock.System().Sleep(ctx, look) != nil {
			return fmt.Errorf("the daemon does not answer: %w; see %s", err, p.l.Path("log", node+".log"))
		}
	}
}

// Off kills every process of the node.
func (p power) Off(node string) error { return lab.KillNode(p.l, node) }

// detach starts one of the lab's processes in a session of its own. What it prints goes to a file in log/.
func detach(l lab.Layout, logName string, env []string, args ...string) (*exec.Cmd, error) {
	if err := os.MkdirAll(l.Path("log"), 0o755); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(l.Path("log", logName), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: l.Path("bin/lbvm-lab"), Args: append([]string{"lbvm-lab"}, args...), Env: env, Dir: "/", Stdout: out, Stderr: out,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", filepath.Base(args[0]), err), out.Close())
	}
	return cmd, out.Close()
}
