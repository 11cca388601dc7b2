// Command lbmonitor makes one pass of the balancer. The status check of the lbvm resource starts it each minute.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/run"
)

func main() {
	monitor.SpareGarbage()
	h, err := host.FromEnviron(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lbmonitor:", err)
		os.Exit(exitUsage)
	}
	c, err := clock.FromRoot(h.Root())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lbmonitor:", err)
		os.Exit(exitFailed)
	}
	// What is in flight is watched to its end, also when a second signal comes.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	wait := clock.System()
	w := world{host: h, clock: c, wait: wait, manager: cluster.Of(h, run.System{}, wait, ""), members: membership.Of(h, run.System{}), stdout: os.Stdout, stderr: os.Stderr}
	w.log = newLog(h, os.Stderr, c)
	os.Exit(w.main(ctx, os.Args))
}
