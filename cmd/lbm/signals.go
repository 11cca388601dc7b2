package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilTold gives a context that is over at the first signal by which a person ends a program, or by which a terminal does that
// goes away. What was begun is then brought to its end (a service that is disabled for its repair, or stopped for a restart, is started
// again), so none of them may end the program on the spot: a session that breaks off sends SIGHUP, maybe twice, and Ctrl-C ends the
// tee behind a pipe, too. Another Ctrl-C ends the program.
func untilTold() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	told, hung := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(hung, syscall.SIGHUP)
	}
	// Which pipe is broken only the write tells that fails: a program that does not read what it is given breaks one, too. Caught, not
	// ignored: what is run would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		select {
		case <-told:
		case <-hung:
		case <-ctx.Done():
			return
		}
		signal.Stop(told)
		cancel()
	}()
	return ctx, cancel
}
