// Command lbvm-lab makes a whole cluster in a folder and lets you play with it: nodes, guests, a cluster manager.
//
// It is many programs in one. By the name that it is called with it is one of the emulated tools (vzctl, vzlist,
// xm, clustat, clusvcadm, cman_tool, ccs_tool), by its first argument one of the lab's processes (guest,
// node-daemon, manager), else what the user calls.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/lbvm/lbvm/internal/clock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, done := tool(ctx, filepath.Base(os.Args[0]), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	if !done {
		code, done = process(ctx, os.Args[1:], os.Stderr)
	}
	if !done {
		code = app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), wait: clock.System()}.main(ctx, os.Args)
	}
	stop()
	os.Exit(code)
}
