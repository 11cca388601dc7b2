// Command lblog measures this node's resources once and appends them to their logs. Cron runs it every minute.
package main

import (
	"fmt"
	"os"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func main() {
	h, err := host.FromEnviron(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lblog:", err)
		os.Exit(2)
	}
	c, err := clock.FromRoot(h.Root())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lblog:", err)
		os.Exit(1)
	}
	w := world{host: h, clock: c, run: run.System{}, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(w.main(os.Args))
}
