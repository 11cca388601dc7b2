package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keeperName is argv[0] of a keeper; KeeperMain knows itself by it.
const keeperName = "lbvm-keeper"

// What a keeper reports where there is no exit code of the tool: a word, and what happened. It has a pipe for that,
// since a tool may end with any code.
const (
	reportFD       = 3
	reportNotFound = "not-found"
	reportSignal   = "signal"
	reportFailed   = "failed"
)

// graceUnit stands behind the grace in a keeper's arguments, for whoever reads them in a list of processes. (To link
// time.ParseDuration costs each start of an agent more than this.)
const graceUnit = "ms"

// keeperFailed is a keeper's own exit code where it reports.
const keeperFailed = 127

// Keeper runs a command that changes a guest. A small process in its own session inherits the lock, runs the
// command, waits for it and ends: if this process is killed, whoever takes the lock next has waited for the
// orphaned command as well. The command itself inherits nothing (xl leaves a daemon behind).
//
// The program that uses Keeper calls KeeperMain first thing in main.
type Keeper struct {
	Lock  *os.File      // held as long as the command runs; nil is none
	Also  *os.File      // a second lock, held alike
	Note  string        // where the keeper writes down what it runs, for EndOrphans; on this node, under its lock. "" is nowhere
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
	p.cmd.Args = append([]string{keeperName, strconv.FormatInt(k.Grace.Milliseconds(), 10) + graceUnit}, c.Argv...)
	report, w, err := os.Pipe()
	if err != nil {
		return Result{}, fmt.Errorf("starting the keeper of %s: %w", c.Argv[0], err)
	}
	defer report.Close()
	p.cmd.ExtraFiles = []*os.File{w}
	note, err := k.note()
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("starting the keeper of %s: %w", c.Argv[0], err), w.Close())
	}
	if note != nil {
		defer note.Close()
		p.cmd.Args[1] += noteMark
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, note)
	}
	for _, lock := range []*os.File{k.Lock, k.Also} {
		if lock != nil {
			p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, lock)
		}
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = p.cmd.Start()
	if closing := w.Close(); err == nil && closing != nil {
		err = closing
	}
	if err != nil {
		return Result{}, fmt.Errorf("starting the keeper of %s: %w", c.Argv[0], err)
	}
	// The keeper ends the command, waits for it, then ends itself. If it cannot, it stays, and so does the lock.
	r, err := p.wait(ctx, k.Grace, func() { kill(p.cmd.Process.Pid, syscall.SIGTERM) })
	if errors.Is(err, ErrSignal) && note != nil { // it was killed, and the lock is still ours
		_, left := EndOrphans(k.Note)
		return r, errors.Join(err, left)
	}
	if err != nil {
		return r, err
	}
	if r.Code != keeperFailed {
		return r, nil
	}
	text, err := io.ReadAll(report) // the keeper has ended, and nobody else has the other end
	if err != nil {
		return r, fmt.Errorf("reading how %s ended: %w", c.Argv[0], err)
	}
	switch word, what, _ := strings.Cut(string(text), " "); word {
	case reportNotFound:
		return r, fmt.Errorf("%w: %s: %s", ErrNotFound, c.Argv[0], what)
	case reportSignal:
		return r, fmt.Errorf("%s: %w: %s", c.Argv[0], ErrSignal, what)
	case reportFailed:
		return r, fmt.Errorf("the keeper of %s: %s", c.Argv[0], what)
	}
	return r, nil
}

// note opens the keeper's note. A node that has no room for it goes without: a stop that fails costs more.
func (k Keeper) note() (*os.File, error) {
	if k.Note == "" {
		return nil, nil
	}
	f, err := os.OpenFile(k.Note, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EDQUOT) {
		return nil, nil
	}
	return f, err
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
	if err := CloseOnExec(); err != nil { // the lock stays with us
		return tell(reportFailed, err.Error())
	}
	grace, noted := strings.CutSuffix(grace, noteMark)
	ms, err := strconv.ParseInt(strings.TrimSuffix(grace, graceUnit), 10, 64)
	if err != nil {
		return tell(reportFailed, err.Error())
	}
	wait := time.Duration(ms) * time.Millisecond
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: os.Environ(), Stdin: os.Stdin}
	// A keeper that is killed takes the tool with it: nobody would hold the lock for it any more. The kernel sends the
	// signal when the thread ends that has started the tool.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = deaf{os.Stdout}, deaf{os.Stderr}
	// A daemon that the tool leaves behind with its output open must not keep the lock for ever.
	cmd.WaitDelay = pipeDelay
	if noted {
		if err := writeNote(argv[0]); err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return tell(reportFailed, "noting what runs: "+err.Error())
		}
	}
	over := func() error { // what is noted has ended
		if !noted {
			return nil
		}
		return clearNote()
	}
	if err := cmd.Start(); err != nil {
		err = errors.Join(err, over())
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
			return tell(reportNotFound, err.Error())
		}
		return tell(reportFailed, err.Error())
	}
	ended, all := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(all)
		select {
		case <-ended:
		case <-stop:
			endGroup(cmd.Process.Pid, wait, ended)
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-all // what the tool left in its group is ended before the lock is free
	if gone := over(); gone != nil {
		return tell(reportFailed, "taking back the note of what ran: "+gone.Error())
	}
	if cmd.ProcessState == nil {
		return tell(reportFailed, err.Error())
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return tell(reportSignal, status.Signal().String())
	}
	return cmd.ProcessState.ExitCode()
}

// tell reports to whoever started us. Nobody may be left to read it.
func tell(word, what string) int {
	if _, err := syscall.Write(reportFD, []byte(word+" "+what)); err != nil {
		return keeperFailed
	}
	return keeperFailed
}

// deaf writes for as long as somebody reads, and swallows what nobody reads.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	if n, err := d.w.Write(p); err != nil && !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	return len(p), nil
}
