package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// keeperName is argv[0] of a keeper; KeeperMain knows itself by it.
const keeperName = "lbvm-keeper"

// Codes by which a keeper tells its parent what no exit code of a tool can say.
const (
	keeperNotFound = 126
	keeperSignal   = 127
)

// Keeper runs a command that changes a guest. A small process in its own session inherits the lock, runs the
// command, waits for it and ends: if this process is killed, whoever takes the lock next has waited for the
// orphaned command as well. The command itself inherits nothing (xl leaves a daemon behind).
//
// The program that uses Keeper calls KeeperMain first thing in main.
type Keeper struct {
	Lock  *os.File      // held as long as the command runs; nil is none
	Self  string        // path of this program; "" is /proc/self/exe
	Grace time.Duration // between SIGTERM and SIGKILL when the context ends
}

var _ Runner = Keeper{}

// Run runs c under a keeper. Files of c are not supported.
func (k Keeper) Run(ctx context.Context, c Command) (Result, error) {
	if err := check(c); err != nil {
		return Result{}, err
	}
	if len(c.Files) > 0 {
		return Result{}, errors.New("a keeper hands no files on")
	}
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("%s: %w (%w)", c.Argv[0], ErrDeadline, context.Cause(ctx))
	}
	self := k.Self
	if self == "" {
		self = "/proc/self/exe"
	}
	p := newProcess(c)
	p.cmd.Path = self
	p.cmd.Args = append([]string{keeperName, k.Grace.String()}, c.Argv...)
	if k.Lock != nil {
		p.cmd.ExtraFiles = []*os.File{k.Lock}
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("starting the keeper of %s: %w", c.Argv[0], err)
	}
	// The keeper ends the command, waits for it, then ends itself. If it cannot, it stays, and so does the lock.
	r, err := p.wait(ctx, k.Grace, func() { kill(p.cmd.Process.Pid, syscall.SIGTERM) })
	if err != nil {
		return r, err
	}
	switch r.Code {
	case keeperNotFound:
		return r, fmt.Errorf("%w: %s: %s", ErrNotFound, c.Argv[0], bytes.TrimSpace(r.Stderr))
	case keeperSignal:
		return r, fmt.Errorf("%s: %w: %s", c.Argv[0], ErrSignal, lastLine(r.Stderr))
	}
	return r, nil
}

// KeeperMain is the keeper's whole life where this process was started as one; otherwise it returns at once.
// Every agent's main calls it first.
func KeeperMain() {
	if len(os.Args) < 3 || os.Args[0] != keeperName {
		return
	}
	os.Exit(keep(os.Args[1], os.Args[2:]))
}

func keep(grace string, argv []string) int {
	// The agent may be gone: its broken pipes must end neither us nor the tool. They are caught and not ignored,
	// since the tool, and a container's init behind it, would inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if err := closeOnExec(); err != nil { // the lock stays with us
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return keeperNotFound
	}
	wait, err := time.ParseDuration(grace)
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return keeperNotFound
	}
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: os.Environ(), Stdin: os.Stdin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = deaf{os.Stdout}, deaf{os.Stderr}
	// A daemon that the tool leaves behind with its output open must not keep the lock for ever.
	cmd.WaitDelay = pipeDelay
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return keeperNotFound
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-stop:
			endGroup(cmd.Process.Pid, wait, ended)
		}
	}()
	err = cmd.Wait()
	close(ended)
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return keeperSignal
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		fmt.Fprintln(os.Stderr, "ended by signal "+strconv.Itoa(int(status.Signal())))
		return keeperSignal
	}
	return cmd.ProcessState.ExitCode()
}

func lastLine(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

// deaf writes for as long as somebody reads, and swallows what nobody reads.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	if n, err := d.w.Write(p); err != nil && !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	return len(p), nil
}
