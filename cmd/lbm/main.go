// Command lbm is the manager: what an administrator does with LBVM.
package main

import (
	"fmt"
	"os"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/term"
)

func main() {
	run.KeeperMain()
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
	ctx, stop := untilTold()
	defer stop()
	w := world{environ: os.Environ(), paint: term.NewPainter(os.Stdout, os.Environ()), host: h, clock: c, wait: clock.System(), run: run.System{}, self: "/proc/self/exe", stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: term.IsTerminal(os.Stderr)}
	os.Exit(w.main(ctx, os.Args))
}
