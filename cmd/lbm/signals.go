package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilTold gives a context that the signals end by which a person ends a program, or by which a terminal does that goes away: a
// session that breaks off sends SIGHUP, maybe twice, and must not leave undone what was begun (a service that is disabled for its
// repair, or stopped for a restart). Another one of the others ends the program; another SIGHUP does not.
func untilTold() (context.Context, context.CancelFunc) {
	session, hangUp := context.WithCancel(context.Background())
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		hung := make(chan os.Signal, 1)
		signal.Notify(hung, syscall.SIGHUP)
		go func() {
			<-hung
			hangUp()
		}()
	}
	ctx, stop := signal.NotifyContext(session, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, func() { stop(); hangUp() }
}
