package main

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// A terminal that goes away interrupts, once: its shell and the kernel may both send the signal, and the second finds what was begun
// being brought to its end. So does a pipe that nobody reads any more.
func TestHangUpInterrupts(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("skipped: this test needs a process that is not run by nohup")
	}
	for _, first := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		ctx, stop := untilTold()
		defer stop()
		if ctx.Err() != nil {
			t.Fatal("it begins interrupted")
		}
		for _, s := range []syscall.Signal{first, syscall.SIGHUP, syscall.SIGPIPE} {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := syscall.Dup(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(w.Fd()), 1, 0); err != nil { // of a broken standard output Go dies, of no other pipe
			t.Fatal(err)
		}
		r.Close()
		_, broken := os.Stdout.WriteString("told to nobody\n")
		if err := syscall.Dup3(stdout, 1, 0); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if broken == nil {
			t.Error("the pipe is not broken")
		}
	}
}
