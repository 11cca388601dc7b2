package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// Output is what a program answered.
type Output struct {
	Argv           []string // what was run, the program with its path
	Stdout, Stderr []byte   // the first MiB of each
	Truncated      bool     // one of them was longer
	ExitCode       int
	Took           time.Duration
}

// Err is nil where the exit code is 0, else an error of CodeGeneric that says what was run, its exit code and
// the last line of its complaint.
func (o Output) Err() error {
	if o.ExitCode == 0 {
		return nil
	}
	said := bytes.TrimSpace(o.Stderr)
	if len(said) == 0 {
		said = bytes.TrimSpace(o.Stdout)
	}
	said = said[bytes.LastIndexByte(said, '\n')+1:]
	if len(said) == 0 {
		return fmt.Errorf("%s: exit code %d", commandLine(o.Argv), o.ExitCode)
	}
	return fmt.Errorf("%s: exit code %d: %.300s", commandLine(o.Argv), o.ExitCode, said)
}

// Check is for a program that must succeed. It gives err, or Output.Err where there was none:
//
//	err := ocf.Check(c.Change(ctx, "xm", "destroy", c.Name))
func Check(out Output, err error) error {
	if err != nil {
		return err
	}
	return out.Err()
}

// toolGrace is how long a program that changes something may live after SIGTERM when its time is over.
const toolGrace = 5 * time.Second

// Query runs a program that only asks, and waits for its end.
//
// argv[0] is a name, which is looked up in /sbin, /bin, /usr/sbin and /usr/bin, or an absolute path; both lie below
// RootVariable's folder. No shell sees the arguments. The program gets /dev/null as its input, PATH, HOME and LC_ALL=C
// as its environment and / as its folder: the resource's parameters are none of its business.
//
// An exit code other than 0 is an answer and no error (Output.Err makes one). The error is about what gave no exit
// code: CodeInstalled where the program does not exist, else CodeGeneric. When ctx ends, the program and its whole
// process group get SIGTERM and soon SIGKILL, early enough that none is left when the action ends; what took a process
// group of its own (a daemon) is left alone.
//
// In an explanation (Explainer) the program runs as long as no Change was told; after that what it would answer is
// not known, and the error is ErrExplained.
func (c *Call) Query(ctx context.Context, argv ...string) (Output, error) {
	if c.plan.isChanged() {
		return Output{}, ErrExplained
	}
	argv, err := c.World.program(argv)
	if err != nil {
		return Output{}, err
	}
	out, err := c.run(ctx, run.System{Grace: min(toolGrace, tidyTime(c.Timeout)/2)}, argv)
	if c.Explaining() {
		c.Say("  asked: %s (%s)", commandLine(out.Argv), ending(out, err))
	}
	return out, err
}

// Change runs a program that changes the resource, otherwise as Query does. Before the first one the action takes
// the lock of this resource on this node and keeps it to its end, so that no two actions change one resource at once.
// Each program runs under a small process of its own that holds the lock as well: if this agent is killed in the
// middle, the program goes on to its end undisturbed, and the next action's Change waits for it.
//
// When ctx ends, the program's process group gets SIGTERM, and SIGKILL five seconds (a tenth of a shorter timeout)
// later, also if the agent has answered by then. Pass a context of Until to keep time for a harder way.
//
// In an explanation the program is printed and not run, and the Output is empty.
func (c *Call) Change(ctx context.Context, argv ...string) (Output, error) {
	argv, err := c.World.program(argv)
	if err != nil {
		return Output{}, err
	}
	if c.Explaining() {
		return c.planned(argv), nil
	}
	lock, err := c.hold.take(ctx, c)
	if err != nil {
		return Output{}, err
	}
	grace := toolGrace
	if c.Timeout > 0 {
		grace = min(grace, c.Timeout/10)
	}
	if !c.World.process { // not under Main: this program cannot be started again as a keeper
		return c.run(ctx, run.System{Grace: grace}, argv)
	}
	return c.run(ctx, run.Keeper{Lock: lock, Grace: grace}, argv)
}

func (c *Call) run(ctx context.Context, r run.Runner, argv []string) (Output, error) {
	if c.World.process { // a careless manager leaves its files open for us, and they are not for programs
		if err := run.CloseOnExec(); err != nil {
			c.Log.Log(LevelDebug, "closing descriptors: "+err.Error())
		}
	}
	command := run.Command{Argv: argv, Env: c.World.toolEnv()}
	if _, err := os.Stat(os.DevNull); err != nil {
		command.Stdin = []byte{} // a pipe that is at its end
	}
	c.Runs(argv)
	answer, err := r.Run(ctx, command)
	c.Ran(argv, answer.Code, answer.Took, err)
	if errors.Is(err, run.ErrNotFound) {
		err = &Error{CodeInstalled, err}
	}
	return Output{argv, answer.Stdout, answer.Stderr, answer.Truncated, answer.Code, answer.Took}, err
}

// Ran notes in the black box a program that the agent ran by other means than Query and Change. err is why there is
// no exit code.
func (c *Call) Ran(argv []string, code int, took time.Duration, err error) {
	if c == nil || len(argv) == 0 {
		return
	}
	c.box.tool(argv, code, took, err)
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

// program is argv with the path of its program, below the root.
func (w World) program(argv []string) ([]string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("running a program: none was named")
	}
	name := argv[0]
	var path string
	switch {
	case filepath.IsAbs(name):
		if path = w.Path(name); !executable(path) {
			path = ""
		}
	case strings.Contains(name, "/"):
		return nil, Errorf(CodeConfigured, "running %q: the program is neither a name nor an absolute path", name)
	default:
		for _, dir := range programDirs(w.Getenv(RootVariable)) {
			if p := filepath.Join(dir, name); executable(p) {
				path = p
				break
			}
		}
	}
	if path == "" {
		return nil, Errorf(CodeInstalled, "%s is not installed here", name)
	}
	return append([]string{path}, argv[1:]...), nil
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// ending is how a program ended, for a human.
func ending(o Output, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("exit code %d", o.ExitCode)
}

// commandLine is argv as one would type it into a shell.
func commandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = shellWord(a)
	}
	return strings.Join(words, " ")
}

func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
