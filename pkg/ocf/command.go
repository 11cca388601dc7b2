package ocf

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
)

// Output is what a program answered.
type Output struct {
	Stdout, Stderr []byte // the first MiB of each
	Code           int
	Took           time.Duration
}

// toolGrace is how long a program may live after SIGTERM when its time is over.
const toolGrace = 5 * time.Second

// Query runs a program that only asks. argv[0] is looked up in /sbin, /bin, /usr/sbin and /usr/bin, no shell sees the
// arguments, and the program and whatever it started are ended with ctx. An exit code other than 0 is an answer and
// no error. A program that does not exist is an error of CodeInstalled.
//
// In an explanation (Explainer), what is asked after the first Change is not known: the error then is ErrExplained.
func (c *Call) Query(ctx context.Context, argv ...string) (Output, error) {
	if c.plan != nil && c.plan.changed {
		return Output{}, ErrExplained
	}
	return c.run(ctx, run.System{Grace: toolGrace}, argv)
}

// Change runs a program that changes the resource, otherwise as Query does. It first takes the resource's lock of this
// node and keeps it until the action ends; a small process of its own holds the lock as long as the program works.
// So, if this agent is killed, the next action's Change waits for the orphaned program to end.
//
// In an explanation the program is printed and not run.
func (c *Call) Change(ctx context.Context, argv ...string) (Output, error) {
	if c.plan != nil {
		c.plan.changed = true
		c.Say("would run: %s", strings.Join(argv, " "))
		return Output{}, nil
	}
	if err := c.hold(ctx); err != nil {
		return Output{}, err
	}
	k := run.Keeper{Grace: toolGrace}
	if c.lock != nil {
		k.Lock = c.lock.File()
	}
	return c.run(ctx, k, argv)
}

func (c *Call) run(ctx context.Context, r run.Runner, argv []string) (Output, error) {
	if len(argv) == 0 {
		return Output{}, errors.New("running a program: none was named")
	}
	path, err := c.World.lookPath(argv[0])
	if err != nil {
		return Output{}, err
	}
	argv = append([]string{path}, argv[1:]...)
	c.Runs(argv)
	answer, err := r.Run(ctx, run.Command{Argv: argv, Env: c.World.toolEnv()})
	c.Ran(argv, answer.Code, answer.Took, err)
	if errors.Is(err, run.ErrNotFound) {
		err = &Error{CodeInstalled, err}
	}
	return Output{answer.Stdout, answer.Stderr, answer.Code, answer.Took}, err
}

// Ran notes in the black box a program that the agent ran by other means. err is why there is no exit code.
func (c *Call) Ran(argv []string, code int, took time.Duration, err error) {
	if c == nil || len(argv) == 0 {
		return
	}
	c.box.tool(argv, code, took, err)
}

// hold takes the resource's lock. Where the node has no place for one (a file system that was remounted read-only) the
// action goes on without: a stop that fails would cost more.
func (c *Call) hold(ctx context.Context) error {
	if c.lock != nil {
		return nil
	}
	dir := filepath.Join("/", c.World.Getenv(RootVariable), "var/run/lbvm")
	err := os.MkdirAll(dir, 0o750)
	if err == nil {
		path := filepath.Join(dir, "ocf-"+url.PathEscape(c.Type+"-"+c.Name)+".lock")
		c.lock, err = lockfile.Acquire(ctx, clock.System(), path, fmt.Sprintf("%s, pid %d", c.Action, os.Getpid()))
	}
	if errors.Is(err, lockfile.ErrHeld) {
		return fmt.Errorf("an earlier action of %s still works: %w", c.Instance, err)
	}
	if err != nil {
		c.Log.Log(LevelWarning, "going on without a lock: "+err.Error())
	}
	return nil
}

// finish lets go what the action held.
func (c *Call) finish() {
	if c.lock == nil {
		return
	}
	if err := c.lock.Close(); err != nil {
		c.Log.Log(LevelDebug, "letting the lock go: "+err.Error())
	}
}

// Until is a context that ends when part/of of the action's time has passed: escalate at two thirds, and the rest
// is left to do it the hard way. Without a timeout it ends with ctx.
func (c *Call) Until(ctx context.Context, part, of int) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 || of <= 0 {
		return context.WithCancel(ctx)
	}
	w := c.World.complete()
	left := c.Timeout*time.Duration(part)/time.Duration(of) - w.Now().Sub(c.began)
	return w.WithTimeout(ctx, max(0, left))
}

// Await asks is every interval until it says true or fails, or ctx ends.
func (c *Call) Await(ctx context.Context, interval time.Duration, is func(context.Context) (bool, error)) error {
	for {
		done, err := is(ctx)
		if done || err != nil {
			return err
		}
		if !c.pause(ctx, interval) {
			return context.Cause(ctx)
		}
	}
}

// pause waits; false is that ctx ended first.
func (c *Call) pause(ctx context.Context, d time.Duration) bool {
	wait, cancel := c.World.complete().WithTimeout(ctx, d)
	defer cancel()
	<-wait.Done()
	return ctx.Err() == nil
}

// toolEnv is the environment of programs: the agent's own holds the resource's parameters, which are none of theirs.
func (w World) toolEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "HOME", RootVariable} {
		if v, ok := w.Lookup(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, missingEnv(env)...)
}

// lookPath finds a program below the root.
func (w World) lookPath(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if strings.Contains(name, "/") {
		return "", fmt.Errorf("running %q: the program is neither a name nor an absolute path", name)
	}
	for _, dir := range programDirs(w.Getenv(RootVariable)) {
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", Errorf(CodeInstalled, "%s is not installed here", name)
}
