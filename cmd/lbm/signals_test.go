package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asTold is argv[0] of a process that says when it is told to end, and then writes for as long as something asks it to.
const asTold = "lbm-told-under-test"

func toldMain() {
	ctx, stop := untilTold()
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("told")
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		_, err := fmt.Println("more")
		fmt.Fprintln(os.Stderr, err)
	}
}

// A terminal that goes away interrupts, once: its shell and the kernel may both send the signal, and the second finds what was begun
// being brought to its end. So does a pipe that nobody reads any more.
func TestHangUpInterrupts(t *testing.T) {
	for _, first := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(first.String(), func(t *testing.T) {
			hung := make(chan os.Signal, 1)
			signal.Notify(hung, syscall.SIGHUP) // what is caught here is not ignored there, by nohup either
			defer signal.Stop(hung)
			ends := pipes(t, 2)
			stdin, stdout := ends[0], ends[1]
			var stderr bytes.Buffer
			p := &exec.Cmd{Path: "/proc/self/exe", Args: []string{asTold}, Stdin: stdin.r, Stdout: stdout.w, Stderr: &stderr}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			stdin.r.Close()
			stdout.w.Close()
			says := bufio.NewReader(stdout.r)
			for _, step := range []struct {
				said string
				then syscall.Signal
			}{{"ready\n", first}, {"told\n", syscall.SIGHUP}} {
				if line, err := says.ReadString('\n'); line != step.said {
					t.Fatalf("it says %q, %v", line, err)
				}
				if err := p.Process.Signal(step.then); err != nil {
					t.Fatal(err)
				}
			}
			stdout.r.Close()
			if _, err := io.WriteString(stdin.w, "write\nwrite\n"); err != nil {
				t.Fatal(err)
			}
			stdin.w.Close()
			if err := p.Wait(); err != nil || strings.Count(stderr.String(), "broken pipe") != 2 {
				t.Errorf("it ended with %v: %s", err, &stderr)
			}
		})
	}
}

type pipe struct{ r, w *os.File }

func pipes(t *testing.T, n int) []pipe {
	t.Helper()
	made := make([]pipe, n)
	for i := range made {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		made[i] = pipe{r, w}
	}
	return made
}

// What nobody reads any more is no failure, and interrupts; what a full disk loses is one.
func TestOutputIsLost(t *testing.T) {
	unread := pipes(t, 1)[0]
	unread.r.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for name, test := range map[string]struct {
		to      *os.File
		code    int
		noSpace int // how often it is said
	}{"unread": {unread.w, 0, 0}, "full": {full, exitFailed, 1}} {
		for _, args := range []string{"list", "list -o json", "show 101", "--help", "ccs show"} {
			b := ready(t, nil)
			b.stdout = test.to
			b.errors.Reset()
			code := b.main(context.Background(), append([]string{"lbm"}, strings.Fields(args)...))
			if said := b.errors.String(); code != test.code || strings.Contains(said, "pipe") || strings.Count(said, "no space left on device") != test.noSpace {
				t.Errorf("%s: lbm %s ends with %d: %s", name, args, code, said)
			}
		}
	}
	// A command that fails says so, whoever reads its output.
	b := ready(t, nil)
	b.stdout = unread.w
	if code := b.main(context.Background(), []string{"lbm", "show", "none"}); code != exitRefused || b.errors.Len() == 0 {
		t.Errorf("a command that fails: %d: %s", code, &b.errors)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &output{to: unread.w, unread: cancel}
	if n, err := out.Write([]byte("told to nobody\n")); err == nil || ctx.Err() == nil {
		t.Errorf("of a line that nobody reads %d were written, %v, and what runs goes on", n, err)
	}
}
