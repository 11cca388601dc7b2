package run

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// glanced starts a command and looks at it for a moment.
func glanced(t *testing.T, ctx context.Context, script string) (k *child, done bool) {
	t.Helper()
	k, err := start(sh(script), System{})
	if err != nil {
		t.Fatal(err)
	}
	if k.pidfd < 0 {
		t.Skip("this kernel has no pidfds (before 5.3): a command is not glanced at")
	}
	return k, k.glance(ctx, time.Now())
}

// finish lets a child go on to its end.
func finish(t *testing.T, k *child) Result {
	t.Helper()
	r, err := k.wait(short(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGlance(t *testing.T) {
	// A busy machine may need longer than the moment; one of many will do.
	for try := 0; ; try++ {
		k, done := glanced(t, context.Background(), "echo out; echo err >&2; exit 3")
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
		break
	}
}

func TestGlanceIsShort(t *testing.T) {
	began := time.Now()
	k, done := glanced(t, context.Background(), "sleep 3; echo late")
	if took := time.Since(began); done || k.ended || took > 2*time.Second {
		t.Errorf("%v, ended %v, after %s", done, k.ended, took)
	}
	if r := finish(t, k); string(r.Stdout) != "late\n" {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if k, done := glanced(t, ctx, "true"); done {
		t.Error("it waits although nobody wants it any more")
	} else {
		finish(t, k)
	}
}

// What the command leaves behind with its output open is not waited for in a glance, and its words are not lost.
func TestGlanceLeavesNothingOut(t *testing.T) {
	k, done := glanced(t, context.Background(), "echo first; (sleep 0.3; echo second) &")
	if done {
		t.Error("somebody still holds its output")
	}
	if r := finish(t, k); string(r.Stdout) != "first\nsecond\n" {
		t.Errorf("%q", r.Stdout)
	}
	// More than a pipe holds: the command cannot end before it is read.
	k, done = glanced(t, context.Background(), "i=0; while [ $i -lt 3000 ]; do echo "+strings.Repeat("x", 99)+"; i=$((i+1)); done")
	if done || k.ended {
		t.Errorf("%v, ended %v", done, k.ended)
	}
	if r := finish(t, k); len(r.Stdout) != 300_000 || bytes.Count(r.Stdout, []byte("\n")) != 3000 {
		t.Errorf("%d bytes", len(r.Stdout))
	}
}
