package run

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Detach starts c in a session of its own and does not wait for it: it outlives this process and whoever ends
// this process's group. Its descriptors are /dev/null and no others, also not those that a careless cluster
// manager left open for us. Stdin and Files of c are not supported. It gives the process's id.
func Detach(c Command) (int, error) {
	if err := check(c); err != nil {
		return 0, err
	}
	if len(c.Files) > 0 || c.Stdin != nil {
		return 0, errors.New("a detached command takes neither files nor input")
	}
	if err := CloseOnExec(); err != nil {
		return 0, fmt.Errorf("starting %s: closing descriptors: %w", c.Argv[0], err)
	}
	cmd := command(c)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, startError(c, err)
	}
	pid := cmd.Process.Pid
	go func() {
		// Only so that it leaves no zombie where we live longer than it. How it ended it writes down itself.
		if err := cmd.Wait(); err != nil {
			return
		}
	}()
	return pid, nil
}

// CloseOnExec keeps every descriptor above 2 from our children. Our own are so already; inherited ones are not.
func CloseOnExec() error {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		for fd := 3; fd < 1024; fd++ { // without /proc
			unix.CloseOnExec(fd)
		}
		return nil
	}
	for _, n := range names {
		fd, err := strconv.Atoi(n.Name())
		if err != nil {
			return err
		}
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
