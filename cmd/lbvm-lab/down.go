package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lockfile"
)

func (a app) downCommand() *cli.Command {
	return &cli.Command{
		Name: "down", Usage: "stop everything and remove the lab",
		Description: `No process of the lab lives on. With --keep the services are stopped first, as in a cluster that
is shut down, and the folder stays: the next lbvm-lab up goes on from there.

   lbvm-lab down
   lbvm-lab down --keep`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "keep", Usage: "stop the services cleanly and keep the folder"},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "wait at most `TIME` for a clean stop, in real time"},
		},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 0); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			return a.down(c.Context, l, d, c.Bool("keep"), c.Duration("timeout"))
		},
	}
}

func (a app) down(ctx context.Context, l lab.Layout, d lab.Description, keep bool, limit time.Duration) error {
	argv := []string{"stop"}
	if keep {
		argv = append(argv, "clean")
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	_, err := a.manager(asking, l, argv...)
	cancel()
	if err != nil && !errors.Is(err, lab.ErrDown) {
		fmt.Fprintf(a.stderr, "lbvm-lab: the cluster manager does not stop (%v): it is killed\n", err)
	}
	if err := a.endManager(ctx, l, err == nil); err != nil {
		return err
	}
	for _, node := range d.Nodes {
		if err := lab.KillNode(l, node); err != nil {
			return err
		}
	}
	if keep {
		_, err := fmt.Fprintf(a.stdout, "Everything is stopped; %s stays.\n", l.Dir)
		return err
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return fmt.Errorf("everything is stopped, but the folder is not removed: %w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "Everything is stopped, and %s is removed.\n", l.Dir)
	return err
}

// endManager waits until the manager has ended, and kills it where it was not asked to or does not. Its lock tells.
func (a app) endManager(ctx context.Context, l lab.Layout, asked bool) error {
	path := l.Path(managerLock)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // it never ran
	}
	if asked {
		waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
		lock, err := lockfile.Acquire(waiting, a.wait, path, "")
		cancel()
		if err == nil {
			return lock.Close()
		}
	}
	for i := 0; ; i++ {
		lock, err := lockfile.Try(path, "")
		if err == nil {
			return lock.Close()
		}
		if !errors.Is(err, lockfile.ErrHeld) || i > 500 {
			return fmt.Errorf("ending the cluster manager: %w", err)
		}
		if err := killManager(l, path); err != nil {
			return err
		}
		if err := a.wait.Sleep(ctx, 2*look); err != nil {
			return err
		}
	}
}

// killManager kills the process that signed the lock, if it is this lab's manager: a number alone proves nothing.
func killManager(l lab.Layout, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(string(text)), "pid "))
	if err != nil {
		return fmt.Errorf("%s does not name the cluster manager's process: %w", path, err)
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || string(args) != "lbvm-lab\x00manager\x00"+l.Dir+"\x00" {
		return nil // it has just ended
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("killing the cluster manager, process %d: %w", pid, err)
	}
	return nil
}
