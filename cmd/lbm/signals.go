package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilTold gives a context that is over at the first signal by which a person ends a program, or by which a terminal does that
// goes away. What was begun is then brought to its end (a service that is disabled for its repair, or stopped for a restart, is started
// again), so it must not end the program that nobody reads it any more: a session that breaks off sends SIGHUP, maybe twice, and Ctrl-C
// ends the tee behind a pipe, too. Another Ctrl-C ends the program.
func untilTold() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	told, hung, broken := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(hung, syscall.SIGHUP)
	}
	go func() {
		select {
		case <-told:
		case <-hung:
		case <-ctx.Done():
			return
		}
		signal.Notify(broken, syscall.SIGPIPE) // caught, not ignored: what is run now would inherit that
		signal.Stop(told)
		cancel()
	}()
	return ctx, cancel
}
