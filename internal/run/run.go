// Package run runs commands: an argument vector, a deadline, a process group of its
// own, bounded output. No shell sees a name.
//
// System runs a command as a child. Keeper runs it under a small process of its own
// session that holds a lock until the command has ended, so that the lock outlives an
// agent killed in the middle (see KeeperMain).
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Command is one program with its arguments. Argv[0] is an absolute path.
type Command struct {
	Argv      []string
	Env       []string // nil is an empty environment
	Dir       string   // "" is /
	Stdin     []byte
	MaxOutput int        // bytes kept of each stream; 0 is 1 MiB
	Files     []*os.File // inherited from descriptor 3 on
}

// Result is what a command answered.
type Result struct {
	Stdout, Stderr []byte
	Code           int
	Truncated      bool // a stream was longer than MaxOutput
	Took           time.Duration
}

// Runner runs a command to its end. The error is non-nil only where there is no exit code: the program was not
// found, the deadline passed, a signal ended it. A Code other than 0 is an answer, not an error.
type Runner interface {
	Run(context.Context, Command) (Result, error)
}

// ErrNotFound says that the program does not exist or may not be executed.
var ErrNotFound = errors.New("program not found")

// ErrSignal says that a signal ended the program.
var ErrSignal = errors.New("ended by a signal")

// ErrDeadline says that the context ended first and the command was told to end. What it had done until then is not
// known, whatever code it left with; if not even SIGKILL ended it (a disk that hangs), it still runs.
var ErrDeadline = errors.New("did not end in time")

const (
	defaultMaxOutput = 1 << 20
	// A process that holds the pipes of a command that has ended must not hold us for ever.
	pipeDelay = 2 * time.Second
	// So long a command may take to die of SIGKILL before it is left alone.
	dieDelay = 3 * time.Second
)

// System runs commands as children of this process.
type System struct {
	// Grace is how long a command may live after SIGTERM when its context ends, before SIGKILL. 0 kills at once.
	Grace time.Duration

	blind bool // without pidfds, as on old kernels; for tests
	deaf  bool // without an eventfd, as where no descriptor is left; for tests
}

var _ Runner = System{}

// Run runs c in a process group of its own and waits until it has ended.
func (s System) Run(ctx context.Context, c Command) (Result, error) {
	if err := check(c); err != nil {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("%s: %w (%w)", c.Argv[0], ErrDeadline, context.Cause(ctx))
	}
	if c.Stdin == nil && len(c.Files) == 0 {
		k, err := start(c, s)
		if err != nil {
			return Result{}, err
		}
		return k.wait(ctx)
	}
	p := newProcess(c)
	if err := p.cmd.Start(); err != nil {
		return Result{}, startError(c, err)
	}
	return p.wait(ctx, 0, func() { endGroup(p.cmd.Process.Pid, s.Grace, p.ended) })
}

// process is a started command.
type process struct {
	cmd   *exec.Cmd
	c     Command
	ended chan struct{} // closed when it was waited for
}

func newProcess(c Command) *process {
	p := &process{cmd: command(c), c: c}
	p.cmd.Stdout, p.cmd.Stderr = newBounded(c.MaxOutput), newBounded(c.MaxOutput)
	p.cmd.WaitDelay = pipeDelay
	return p
}

// wait waits for the command's end. When ctx ends first, it calls stop and gives the command grace more, and what it
// takes to die.
func (p *process) wait(ctx context.Context, grace time.Duration, stop func()) (Result, error) {
	start := time.Now()
	p.ended = make(chan struct{})
	var err error
	go func() {
		defer close(p.ended)
		err = p.cmd.Wait()
	}()
	stopped := false
	select {
	case <-p.ended:
	case <-ctx.Done():
		select {
		case <-p.ended: // both at once: it had ended
		default:
			stopped = true
			stop()
			late := time.NewTimer(grace + pipeDelay + dieDelay)
			defer late.Stop()
			select {
			case <-p.ended:
			case <-late.C:
				took := time.Since(start).Round(time.Millisecond)
				return Result{Took: took}, fmt.Errorf("%s: %w after %s and cannot be ended (%w)", p.c.Argv[0], ErrDeadline, took, context.Cause(ctx))
			}
		}
	}
	stdout, stderr := p.cmd.Stdout.(*bounded), p.cmd.Stderr.(*bounded)
	r := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Truncated: stdout.cut || stderr.cut, Took: time.Since(start)}
	if p.cmd.ProcessState != nil {
		r.Code = p.cmd.ProcessState.ExitCode()
	}
	if stopped {
		return r, fmt.Errorf("%s: %w after %s (%w)", p.c.Argv[0], ErrDeadline, r.Took.Round(time.Millisecond), context.Cause(ctx))
	}
	return outcome(p.c, r, p.cmd.ProcessState, err)
}

func check(c Command) error {
	if len(c.Argv) == 0 || !filepath.IsAbs(c.Argv[0]) {
		return fmt.Errorf("running %q: the program is not an absolute path", c.Argv)
	}
	return nil
}

func command(c Command) *exec.Cmd {
	cmd := &exec.Cmd{Path: c.Argv[0], Args: c.Argv, Env: c.Env, Dir: c.Dir, ExtraFiles: c.Files}
	if c.Env == nil {
		cmd.Env = []string{}
	}
	if c.Dir == "" {
		cmd.Dir = "/"
	}
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func startError(c Command, err error) error {
	if c.Dir != "" {
		if _, dir := os.Stat(c.Dir); dir != nil { // the same error, and not the program's fault
			return fmt.Errorf("starting %s: %w", c.Argv[0], dir)
		}
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %s: %w", ErrNotFound, c.Argv[0], err)
	}
	return fmt.Errorf("starting %s: %w", c.Argv[0], err)
}

// outcome turns the end of a process into Run's answer.
func outcome(c Command, r Result, state *os.ProcessState, err error) (Result, error) {
	name := c.Argv[0]
	if state == nil {
		return r, fmt.Errorf("waiting for %s: %w", name, err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return r, fmt.Errorf("%s: %w: %s", name, ErrSignal, status.Signal())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return r, fmt.Errorf("reading what %s printed: %w", name, err)
	}
	return r, nil
}

// endGroup ends a process group: SIGTERM, grace, SIGKILL. It returns when ended is closed or all is sent.
func endGroup(pid int, grace time.Duration, ended <-chan struct{}) {
	if grace > 0 {
		kill(-pid, syscall.SIGTERM)
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-ended:
		case <-t.C:
		}
	}
	// Even when the leader has ended, the rest of its group goes.
	kill(-pid, syscall.SIGKILL)
}

// kill sends a signal; a process that is gone already is what was wanted.
func kill(pid int, sig syscall.Signal) {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		// EPERM cannot come: they are our children. There is nobody to tell and nothing else to do.
		return
	}
}

// bounded keeps the first max bytes and swallows the rest. It has no method but Write and Bytes: io.Copy would read
// past the bound into anything that offers ReadFrom.
type bounded struct {
	kept []byte
	max  int
	cut  bool
}

func newBounded(max int) *bounded {
	if max == 0 {
		max = defaultMaxOutput
	}
	return &bounded{max: max}
}

func (b *bounded) Write(p []byte) (int, error) {
	b.keep(p)
	return len(p), nil
}

func (b *bounded) keep(p []byte) {
	if room := b.max - len(b.kept); room < len(p) {
		p, b.cut = p[:max(room, 0)], true
	}
	b.kept = append(b.kept, p...)
}

// Bytes is what was kept.
func (b *bounded) Bytes() []byte { return b.kept }
