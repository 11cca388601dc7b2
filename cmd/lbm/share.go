package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
)

// shareLimit is how long the shared storage may take to answer. One that waits for a fencing does not answer before that.
const shareLimit = 10 * time.Second

// errHangs: nothing may be read or written there by this process, which would hang with it.
var errHangs = errors.New("does not answer: the file system waits, usually until a node is fenced (lbm doctor, fence_tool ls)")

// share is what this run of the program has learned of the shared storage.
type share struct {
	once sync.Once
	err  error
}

// answers asks the shared storage in another process, once. An error that wraps errHangs says that it does not answer; what
// else is wrong with it is said by who uses it.
func (w world) answers(ctx context.Context) error {
	if w.share == nil || w.self == "" {
		return nil
	}
	w.share.once.Do(func() {
		id, err := w.host.Identity()
		if err != nil || id.Shared == "" {
			return
		}
		limited, cancel := w.wait.WithTimeout(ctx, shareLimit)
		defer cancel()
		_, err = w.run.Run(limited, run.Command{Argv: []string{w.self, "doctor", "--touch"}, Env: w.host.Environ()})
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			w.share.err = cli.Exit("interrupted: nothing was changed", exitInterrupted)
		case errors.Is(err, run.ErrDeadline):
			w.share.err = fmt.Errorf("%s %w", id.Shared, errHangs)
		}
	})
	return w.share.err
}

// kind is this node's cluster manager, as cluster.Kind names it. With the tools of both lbvm.conf is asked, which may lie on
// the share: not if that hangs.
func (w world) kind(ctx context.Context) string {
	if kind := cluster.Installed(w.host); kind != "" {
		return kind
	}
	if errors.Is(w.answers(ctx), errHangs) {
		return cluster.Unnamed(w.host)
	}
	return cluster.Kind(w.host, "")
}

// sharedDir is the shared storage, joined with the root, with its marker seen. One that hangs is not touched.
func (w world) sharedDir(ctx context.Context, id host.Identity) (string, error) {
	if err := w.answers(ctx); err != nil {
		return "", err
	}
	return w.host.SharedDir(id)
}

// sharing lets commands that stand on the shared storage, and get to it by other packages, ask first whether it answers.
func (w world) sharing(commands []*cli.Command) {
	for _, c := range commands {
		switch c.Name {
		case "init", "check", "eval", "explain", "replay", "notify":
			c.Before = func(c *cli.Context) error {
				if c.IsSet("record") || c.IsSet("trace") || c.Command.Name == "check" && c.Args().Present() { // files elsewhere
					return nil
				}
				err := w.answers(c.Context)
				switch {
				case errors.Is(err, errHangs) && c.Command.Name == "init":
					return refused(err)
				case errors.Is(err, errHangs):
					return cli.Exit(fmt.Sprintf("%v: nothing was done", err), exitUnknown)
				}
				return err
			}
		}
	}
}

// readTime is how long touch goes on while all answers.
const readTime = 3 * time.Second

// touch reads what commands read of the shared storage: the marker, lbvm.conf, which may lie there, and of each file the
// inode and a byte, for which a cluster file system asks for another lock each. It is a process of its own, that may hang: then
// it holds the lock of this node, and those after it wait for that, where whoever has begun them can still end them. So one at
// most is left behind.
func (w world) touch(ctx context.Context) error {
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	path, end := w.host.Path(host.RunDir+"/touch"), w.wait.Now().Add(readTime)
	l, err := lockfile.Try(path, "lbm doctor --touch")
	if errors.Is(err, lockfile.ErrHeld) {
		end = w.wait.Now() // who has it looks at all of it
		l, err = lockfile.Acquire(ctx, w.wait, path, "lbm doctor --touch")
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil: // else, who may not write there asks all the same
		defer l.Close()
	}
	shared, err := w.host.SharedDir(id)
	if err != nil {
		return err
	}
	if err := readByte(w.host.Path(host.ConfFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var paths []string
	for _, pattern := range []string{filepath.Join(shared, "lbvm/nodes/*"), filepath.Join(shared, handoff.Folder, "*/state"), filepath.Join(shared, adopt.Unfinished, "*/*"), filepath.Join(w.host.Path(id.LogDir), "*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	var wrong error
	for _, p := range paths {
		if ctx.Err() != nil || w.wait.Now().After(end) {
			break
		}
		if err := readByte(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			wrong = errors.Join(wrong, err)
		}
	}
	return wrong
}

func readByte(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = f.Read(make([]byte, 1))
	if cerr := f.Close(); cerr != nil {
		return cerr
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
