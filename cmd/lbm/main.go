// Command lbm is the manager: what an administrator does with LBVM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func main() {
	h, err := host.FromEnviron(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lbm:", err)
		os.Exit(exitUsage)
	}
	c, err := clock.FromRoot(h.Root())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lbm:", err)
		os.Exit(exitFailed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := world{host: h, clock: c, wait: clock.System(), run: run.System{}, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(w.main(ctx, os.Args))
}
