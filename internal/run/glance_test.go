package run

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// started is a command that can be glanced at.
func started(t *testing.T, script string, args ...string) *child {
	t.Helper()
	k, err := start(sh(script, args...), System{})
	if err != nil {
		t.Fatal(err)
	}
	if k.pidfd < 0 {
		t.Skip("this kernel has no pidfds (before 5.3): a command is not glanced at")
	}
	return k
}

// finish lets a child go on to its end.
func finish(t *testing.T, k *child) Result {
	t.Helper()
	r, err := k.wait(short(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGlance(t *testing.T) {
	// The command has ended before it is looked at; even so a busy machine may need longer than the moment. One of many will do.
	for try := 0; ; try++ {
		k := started(t, "echo out; echo err >&2; exit 3")
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(k.pidfd), Events: unix.POLLIN}}, int(patience/time.Millisecond))
			if n == 1 {
				break
			}
			if !errors.Is(err, syscall.EINTR) {
				t.Fatalf("it does not end: %v", err)
			}
		}
		done := k.glance(context.Background(), time.Now())
		if !done && try < 200 {
			finish(t, k)
			continue
		}
		if r, err := k.result(context.Background(), false, time.Second); !done || err != nil || r.Code != 3 || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" {
			t.Errorf("%v, %+v, %v", done, r, err)
		}
		if k.pidfd >= 0 || k.pipes[0] >= 0 || k.pipes[1] >= 0 || k.wake >= 0 {
			t.Errorf("descriptors are open: %+v", k)
		}
		return
	}
}

func TestGlanceIsShort(t *testing.T) {
	gate := newFifo(t)
	k := started(t, `read x <"$1"; echo late`, gate.path)
	letGo := gate.holds()
	hangs := time.AfterFunc(patience, letGo)
	if done := k.glance(context.Background(), time.Now()); done || k.ended || !hangs.Stop() {
		t.Errorf("%v, ended %v", done, k.ended)
	}
	letGo()
	if r := finish(t, k); string(r.Stdout) != "late\n" {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if k := started(t, "true"); k.glance(ctx, time.Now()) {
		t.Error("it waits although nobody wants it any more")
	} else {
		finish(t, k)
	}
}

// What the command leaves behind with its output open is not waited for in a glance, and its words are not lost.
func TestGlanceLeavesNothingOut(t *testing.T) {
	gate := newFifo(t)
	letGo := gate.holds()
	k := started(t, `echo first; (read x <"$1"; echo second) &`, gate.path)
	if k.glance(context.Background(), time.Now()) {
		t.Error("somebody still holds its output")
	}
	letGo()
	if r := finish(t, k); string(r.Stdout) != "first\nsecond\n" {
		t.Errorf("%q", r.Stdout)
	}
	// More than a pipe holds: the command cannot end before it is read.
	k = started(t, "i=0; while [ $i -lt 3000 ]; do echo "+strings.Repeat("x", 99)+"; i=$((i+1)); done")
	if done := k.glance(context.Background(), time.Now()); done || k.ended {
		t.Errorf("%v, ended %v", done, k.ended)
	}
	if r := finish(t, k); len(r.Stdout) != 300_000 || bytes.Count(r.Stdout, []byte("\n")) != 3000 {
		t.Errorf("%d bytes", len(r.Stdout))
	}
}
