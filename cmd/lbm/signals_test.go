package main

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// A terminal that goes away interrupts, once: its shell and the kernel may both send the signal, and the second finds what was begun
// being brought to its end.
func TestHangUpInterrupts(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("skipped: this test needs a process that is not run by nohup")
	}
	ctx, stop := untilTold()
	defer stop()
	if ctx.Err() != nil {
		t.Fatal("it begins interrupted")
	}
	// Ours comes beside the one of lbm, and tells that the signal has been handed out.
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGHUP)
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-came
		<-ctx.Done()
	}
	signal.Stop(came)
	stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil { // alone with lbm's own: it does not end the process
		t.Fatal(err)
	}
	again, end := untilTold()
	defer end()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-again.Done()
}
