package ocf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

const kitXML = `<?xml version="1.0"?>
<resource-agent name="kit" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">Runs programs.</longdesc>
  <shortdesc lang="en">Runs programs</shortdesc>
  <parameters>
    <parameter name="name" primary="1" unique="1" required="1">
      <longdesc lang="en">Name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/>
    </parameter>
    <parameter name="do">
      <longdesc lang="en">What to do.</longdesc><shortdesc lang="en">Do</shortdesc><content type="string" default="change"/>
    </parameter>
    <parameter name="tool">
      <longdesc lang="en">Program.</longdesc><shortdesc lang="en">Program</shortdesc><content type="string" default="tool"/>
    </parameter>
  </parameters>
  <actions>
    <action name="start" timeout="60"/>
    <action name="stop" timeout="60"/>
    <action name="status" timeout="20"/>
    <action name="meta-data" timeout="5"/>
    <action name="validate-all" timeout="5"/>
  </actions>
</resource-agent>
`

// kit runs a program, or does what else its parameter `do` says.
type kit struct{}

func (k kit) Start(ctx context.Context, c *Call) error  { return k.do(ctx, c) }
func (k kit) Stop(ctx context.Context, c *Call) error   { return k.do(ctx, c) }
func (k kit) Status(ctx context.Context, c *Call) error { return k.do(ctx, c) }

func (k kit) Explain(_ context.Context, _ *Call, do func(context.Context) error) error {
	return do(context.Background())
}

func (kit) do(ctx context.Context, c *Call) error {
	ask := func(ctx context.Context) error {
		out, err := c.Query(ctx, c.Params.Get("tool"), c.Action, c.Name)
		return errors.Join(err, out.Err())
	}
	change := func(ctx context.Context) error {
		out, err := c.Change(ctx, c.Params.Get("tool"), c.Action, c.Name)
		return errors.Join(err, out.Err())
	}
	switch what := c.Params.Get("do"); what {
	case "query":
		return ask(ctx)
	case "change":
		return change(ctx)
	case "ask-change-ask":
		if err := ask(ctx); err != nil {
			return err
		}
		if err := change(ctx); err != nil {
			return err
		}
		return ask(ctx)
	case "two-at-once":
		return c.All(ctx, change, change)
	case "one-panics":
		return c.All(ctx, change, func(context.Context) error { panic("one of two") })
	case "own-goroutine-panics":
		go func() { panic("in a goroutine of its own") }()
		select {}
	case "tidy": // ended early, it tidies up
		if err := os.WriteFile(c.World.Path("ready"), []byte("up\n"), 0o600); err != nil {
			return err
		}
		<-ctx.Done()
		if err := os.WriteFile(c.World.Path("tidied"), nil, 0o600); err != nil {
			return err
		}
		return fmt.Errorf("ended early: %w", context.Cause(ctx))
	case "env":
		return os.WriteFile(c.World.Path("env"), []byte(fmt.Sprint(len(c.World.Env))), 0o600)
	default:
		return Errorf(CodeConfigured, "do what? %q", what)
	}
}

// node is a folder that is a node, with a program `tool`.
type node struct {
	t    testing.TB
	root string
}

func newNode(t testing.TB, tool string) node {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "ocf") // short: a socket's name must fit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	n := node{t, root}
	if tool != "" {
		n.program("usr/sbin/tool", tool)
	}
	return n
}

// program makes a program: a shell script that begins below the root, which holds its files.
func (n node) program(path, script string) {
	n.write(path, "#!/bin/sh\nPATH=/usr/bin:/bin; cd "+n.root+" || exit 99\n"+script+"\n", 0o755)
}

func (n node) write(path, text string, mode os.FileMode) {
	n.t.Helper()
	p := filepath.Join(n.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), mode)); err != nil {
		n.t.Fatal(err)
	}
}

func (n node) read(path string) string {
	b, err := os.ReadFile(filepath.Join(n.root, path))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	return string(b)
}

func (n node) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(n.root, path))
	return err == nil
}

// fifo makes a pipe with a name below the root.
func (n node) fifo(path string) {
	n.t.Helper()
	if err := syscall.Mkfifo(filepath.Join(n.root, path), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// line waits until somebody writes a line into a fifo. The closer's read ends when the last writer is gone.
func (n node) line(path string) (string, io.ReadCloser) {
	n.t.Helper()
	r, err := os.Open(filepath.Join(n.root, path))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { r.Close() })
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			n.t.Fatalf("nobody wrote into %s: %v", path, err)
		}
		if b[0] == '\n' {
			return string(line), r
		}
		line = append(line, b[0])
	}
}

// tell writes a line into a fifo that somebody reads.
func (n node) tell(path string) {
	n.t.Helper()
	w, err := os.OpenFile(filepath.Join(n.root, path), os.O_WRONLY, 0)
	if err == nil {
		_, err = w.WriteString("go\n")
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// gone waits until every process that had the fifo open for writing is gone.
func gone(t testing.TB, r io.Reader) {
	t.Helper()
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		end <- err
	}()
	select {
	case err := <-end:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("somebody still lives")
	}
}

// env is an environment of rgmanager's, of the node and the parameters KEY=VALUE.
func (n node) env(params ...string) []string {
	env := []string{RootVariable + "=" + n.root}
	for _, p := range params {
		env = append(env, keyPrefix+p)
		if strings.HasPrefix(p, "CRM_meta_") { // the path is rgmanager's
			env = append(env, DialectVariable+"="+Pacemaker.String())
		}
	}
	return append(env, real.Env("kit", []real.Param{{Name: "name", Value: "k1"}}, 0)...)
}

// world is the node for Run. What the agent prints and logs goes into the buffer and the log.
func (n node) world(action string, params ...string) (World, *bytes.Buffer, *testLog) {
	var out bytes.Buffer
	log := &testLog{}
	return World{Args: append([]string{"/usr/share/cluster/kit.sh"}, strings.Fields(action)...), Env: n.env(params...),
		Stdout: &out, Stderr: &out, Now: time.Now, Log: log}, &out, log
}

// agentProgram is this test program under an agent's name.
func agentProgram(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// start starts the kit as a process, as a manager would.
func (n node) start(action string, params ...string) *exec.Cmd {
	n.t.Helper()
	c := &exec.Cmd{Path: agentProgram(n.t, "kit.sh"), Args: []string{"/usr/share/cluster/kit.sh", action}, Dir: "/", Env: n.env(params...)}
	c.Args[0] = c.Path
	if err := c.Start(); err != nil {
		n.t.Fatal(err)
	}
	return c
}

// end waits for a process and gives its exit code, or the negative number of a signal.
func end(t testing.TB, c *exec.Cmd) int {
	t.Helper()
	late := time.AfterFunc(patience, func() {
		if err := c.Process.Kill(); err != nil {
			t.Log(err)
		}
	})
	defer late.Stop()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return c.ProcessState.ExitCode()
}
