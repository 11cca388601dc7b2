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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program
	w := world{host: h, clock: c, wait: clock.System(), run: run.System{}, self: "/proc/self/exe", stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: isTerminal(os.Stderr)}
	os.Exit(w.main(ctx, os.Args))
}

// isTerminal tells whether a person may sit there.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
