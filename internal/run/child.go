package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a command without input or files of ours, which is nearly every one. os/exec would cost such a command a
// second fork (it tries out what the kernel knows of pidfds), an epoll and five goroutines, each of which may begin a
// thread: more than a tool that answers at once. A child costs one vfork and one loop over poll(2).
type child struct {
	c     Command
	s     System
	pid   int
	pidfd int    // readable when the command has ended; -1 where the kernel has none (before 5.3)
	pipes [2]int // its output and errors; -1 at their end
	kept  [2]bounded
	wake  int // an eventfd: ctx has ended, or the waiter has waited; -1 while none is needed

	waiter *waiter // nil while no goroutine waits for the command
	ended  bool
	status syscall.WaitStatus
	err    error // of waiting
}

// waiter is a goroutine that waits for a command.
type waiter struct {
	ended  atomic.Bool // status and err are there
	gone   chan struct{}
	status syscall.WaitStatus
	err    error
}

// quick is how long a command is waited for by poll alone where the kernel has no pidfd.
const quick = 50 * time.Millisecond

// glance is how long a command is waited for before anything is made ready to be told of ctx's end. What it says until
// then stays in its pipes: many a tool that only asks answers at once, and each awakening costs as much as its answer.
const glance = 5 * time.Millisecond

// lastDrop is how long the output of a command that has ended is read when the time is over.
const lastDrop = 100 * time.Millisecond

// start starts c in a process group of its own.
func start(c Command, s System) (*child, error) {
	k := &child{c: c, s: s, pidfd: -1, pipes: [2]int{-1, -1}, wake: -1, kept: [2]bounded{*newBounded(c.MaxOutput), *newBounded(c.MaxOutput)}}
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("starting %s: /dev/null: %w", c.Argv[0], err)
	}
	files := []uintptr{uintptr(null), 0, 0}
	for i := range k.pipes {
		var p [2]int
		if err == nil {
			err = syscall.Pipe2(p[:], syscall.O_CLOEXEC)
		}
		if err == nil {
			k.pipes[i], files[i+1] = p[0], uintptr(p[1])
		}
	}
	if err == nil {
		dir := c.Dir
		if dir == "" {
			dir = "/"
		}
		sys := &syscall.SysProcAttr{Setpgid: true}
		if !s.blind {
			sys.PidFD = &k.pidfd
		}
		attr := &syscall.ProcAttr{Dir: dir, Env: c.Env, Files: files, Sys: sys}
		k.pid, err = syscall.ForkExec(c.Argv[0], c.Argv, attr)
		// Kernels without pidfds pass the flag over (2.6.32 to 5.1). What plays a kernel may refuse it.
		if err == syscall.EINVAL && sys.PidFD != nil {
			sys.PidFD = nil
			k.pid, err = syscall.ForkExec(c.Argv[0], c.Argv, attr)
		}
	}
	for i, fd := range files {
		if i == 0 || fd > 0 {
			shut(int(fd))
		}
	}
	if err != nil {
		k.close()
		return nil, startError(c, err)
	}
	return k, nil
}

// close lets all descriptors go.
func (k *child) close() {
	for _, fd := range []*int{&k.pipes[0], &k.pipes[1], &k.pidfd, &k.wake} {
		if *fd >= 0 {
			shut(*fd)
		}
		*fd = -1
	}
}

// shut closes a pipe's or a pidfd's end. That cannot fail in a way that anybody could cure.
func shut(fd int) {
	if err := syscall.Close(fd); err != nil {
		return
	}
}

// ring wakes the loop.
func ring(fd int) {
	if _, err := syscall.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return // it is full: the loop is awake
	}
}

// wait waits for the command's end, reading what it says. When ctx ends first, the group gets SIGTERM, after the grace
// SIGKILL, and what it takes to die.
func (k *child) wait(ctx context.Context) (Result, error) {
	began := time.Now()
	if k.glance(ctx, began) {
		k.close()
		return k.result(ctx, false, time.Since(began))
	}
	if fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil && !k.s.deaf {
		k.wake = fd
	} else if err == nil {
		shut(fd)
	}
	told := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		ring(k.wake)
		close(told)
	})
	defer func() {
		if !forget() {
			<-told
		}
		if k.waiter != nil && !k.ended { // it will ring once more
			k.wake = -1
		} else if k.waiter != nil {
			<-k.waiter.gone
		}
		k.close()
	}()

	var killAt, lateAt, drainAt time.Time // zero: not yet
	stopped := false
	for {
		if ctx.Err() != nil && !stopped && !k.ended {
			stopped = true
			killAt = time.Now().Add(k.s.Grace)
			lateAt = killAt.Add(pipeDelay + dieDelay)
			if k.s.Grace > 0 {
				kill(-k.pid, syscall.SIGTERM)
			}
		}
		now := time.Now()
		if !killAt.IsZero() && (k.ended || !now.Before(killAt)) {
			kill(-k.pid, syscall.SIGKILL) // even when the leader has ended, the rest of its group goes
			killAt = time.Time{}
		}
		if k.ended && drainAt.IsZero() {
			drainAt = now.Add(pipeDelay)
		}
		if k.ended && ctx.Err() != nil {
			drainAt = soonest(drainAt, now.Add(lastDrop))
		}
		switch {
		case k.ended && (k.pipes[0] < 0 && k.pipes[1] < 0 || !now.Before(drainAt)):
			return k.result(ctx, stopped, time.Since(began))
		case stopped && !k.ended && !now.Before(lateAt):
			k.await() // so that it leaves no zombie where we live longer than it
			took := now.Sub(began).Round(time.Millisecond)
			return Result{Took: took}, fmt.Errorf("%s: %w after %s and cannot be ended (%w)", k.c.Argv[0], ErrDeadline, took, context.Cause(ctx))
		}
		next := soonest(killAt, lateAt, drainAt)
		if k.pidfd < 0 && !k.ended && k.waiter == nil {
			if k.pipes[0] < 0 && k.pipes[1] < 0 || now.Sub(began) >= quick {
				k.reap(syscall.WNOHANG)
				if !k.ended {
					k.await()
				}
				continue
			}
			next = soonest(next, began.Add(quick))
		}
		if k.wake < 0 { // there is no descriptor left for it: look now and then
			next = soonest(next, now.Add(glance))
		}
		if err := k.poll(next, now); err != nil {
			return Result{}, fmt.Errorf("waiting for %s: %w", k.c.Argv[0], err)
		}
	}
}

// glance waits a moment for the command's end. It tells whether that came and all that was said is read.
func (k *child) glance(ctx context.Context, began time.Time) bool {
	if k.pidfd < 0 {
		return false
	}
	end := began.Add(glance)
	if d, ok := ctx.Deadline(); ok {
		end = soonest(end, d)
	}
	for now := began; !k.ended; now = time.Now() {
		if ctx.Err() != nil || !now.Before(end) {
			return false
		}
		fds := [1]unix.PollFd{{Fd: int32(k.pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds[:], timeout(end, now)); err != nil && !errors.Is(err, syscall.EINTR) {
			return false
		} else if n > 0 {
			k.gone()
			if !k.ended {
				return false
			}
		}
	}
	for reads := 0; k.pipes[0] >= 0 || k.pipes[1] >= 0; reads++ {
		if reads > 0 && (ctx.Err() != nil || !time.Now().Before(end)) {
			return false // somebody else goes on writing
		}
		fds := [2]unix.PollFd{{Fd: int32(k.pipes[0]), Events: unix.POLLIN}, {Fd: int32(k.pipes[1]), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds[:], 0); n <= 0 && !errors.Is(err, syscall.EINTR) {
			return false // somebody else holds its output
		}
		for i := range fds {
			if fds[i].Revents != 0 {
				k.read(i)
			}
		}
	}
	return true
}

// timeout is the time from now to end for poll, in whole milliseconds.
func timeout(end, now time.Time) int {
	return int(max(0, end.Sub(now)+time.Millisecond-1) / time.Millisecond)
}

// gone takes in that the pidfd is readable.
func (k *child) gone() {
	k.reap(syscall.WNOHANG) // not ended yet: the kernel has pidfds, but cannot poll them (5.2)
	shut(k.pidfd)
	k.pidfd = -1
}

// soonest is the first of the instants that are set.
func soonest(at ...time.Time) time.Time {
	var first time.Time
	for _, t := range at {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// poll waits for something to happen and takes it in; next is when it is time to look at the clock, if not zero.
func (k *child) poll(next, now time.Time) error {
	fds := [4]unix.PollFd{{Fd: int32(k.wake)}, {Fd: int32(k.pidfd)}, {Fd: int32(k.pipes[0])}, {Fd: int32(k.pipes[1])}}
	for i := range fds {
		fds[i].Events = unix.POLLIN // of a negative descriptor poll says nothing
	}
	most := -1
	if !next.IsZero() {
		most = timeout(next, now)
	}
	if _, err := unix.Poll(fds[:], most); err != nil {
		if errors.Is(err, syscall.EINTR) {
			return nil
		}
		return err
	}
	for i := range k.pipes {
		if fds[2+i].Revents != 0 {
			k.read(i)
		}
	}
	if fds[1].Revents != 0 {
		k.gone()
	}
	if fds[0].Revents != 0 {
		var b [8]byte
		if _, err := syscall.Read(k.wake, b[:]); err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
	if k.waiter != nil && k.waiter.ended.Load() {
		k.ended, k.status, k.err = true, k.waiter.status, k.waiter.err
	}
	return nil
}

// read takes in what the command has written, until it has closed that end.
func (k *child) read(i int) {
	var buffer [2048]byte
	n, err := syscall.Read(k.pipes[i], buffer[:])
	switch {
	case n > 0:
		k.kept[i].keep(buffer[:n])
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN):
	default:
		shut(k.pipes[i])
		k.pipes[i] = -1
	}
}

// reap takes the command's end, if it has ended or flags say to wait for it.
func (k *child) reap(flags int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(k.pid, &status, flags, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			k.ended, k.err = true, err
		case pid == k.pid:
			k.ended, k.status = true, status
		}
		return
	}
}

// await begins a goroutine that waits for the command.
func (k *child) await() {
	if k.waiter != nil {
		return
	}
	w, own, wake := &waiter{gone: make(chan struct{})}, &child{pid: k.pid}, k.wake
	k.waiter = w
	go func() {
		own.reap(0)
		w.status, w.err = own.status, own.err
		w.ended.Store(true)
		ring(wake)
		close(w.gone)
	}()
}

// result is Run's answer.
func (k *child) result(ctx context.Context, stopped bool, took time.Duration) (Result, error) {
	r := Result{Stdout: k.kept[0].Bytes(), Stderr: k.kept[1].Bytes(), Truncated: k.kept[0].cut || k.kept[1].cut, Took: took}
	name := k.c.Argv[0]
	if k.err == nil {
		r.Code = k.status.ExitStatus()
	}
	switch {
	case stopped:
		return r, fmt.Errorf("%s: %w after %s (%w)", name, ErrDeadline, took.Round(time.Millisecond), context.Cause(ctx))
	case k.err != nil:
		return r, fmt.Errorf("waiting for %s: %w", name, k.err)
	case k.status.Signaled():
		return r, fmt.Errorf("%s: %w: %s", name, ErrSignal, k.status.Signal())
	}
	return r, nil
}
