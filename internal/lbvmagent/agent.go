// Package lbvmagent is the resource agent of the balancer.
//
// The cluster manager runs one resource of the type lbvm somewhere. Its status check, once
// a minute, starts one pass of the balancer (lbmonitor) and answers at once: the pass
// runs in a session of its own and leaves its outcome in a file of this node (Record). The
// agent never touches the shared file system, since a hung one may not hang the cluster
// manager, and it fails only for what another node could cure, when three passes in a row died.
//
// Start with Agent. The balancing itself is internal/monitor.
package lbvmagent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Files of a node, below its root.
const (
	// Monitor is the program of one pass.
	Monitor = host.LibexecDir + "/lbmonitor"
	// LockFile is locked as long as a pass runs on this node.
	LockFile = host.RunDir + "/lbmonitor.lock"
	// RecordFile is where a pass leaves its outcome.
	RecordFile = host.RunDir + "/lbmonitor.last"
)

// Limit is how many passes in a row may die for a cause of this node.
const Limit = 3

// Agent is the agent. New makes one that works.
type Agent struct {
	// Detach starts a program and does not wait.
	Detach func(run.Command) (pid int, err error)
	// Alive tells whether a process exists.
	Alive func(pid int) bool
}

var (
	_ ocf.Agent     = (*Agent)(nil)
	_ ocf.Validator = (*Agent)(nil)
	_ ocf.Explainer = (*Agent)(nil)
)

// New is the agent on the machine.
func New() *Agent { return &Agent{Detach: run.Detach, Alive: alive} }

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// place is where one resource keeps its files.
type place struct {
	host host.Host
	name string
}

func find(c *ocf.Call) (place, error) {
	if err := host.CheckName(c.Name); err != nil {
		return place{}, ocf.Errorf(ocf.CodeConfigured, "the resource's name: %w", err)
	}
	h, err := host.FromEnviron(c.World.Env)
	if err != nil {
		return place{}, ocf.Errorf(ocf.CodeConfigured, "finding this node: %w", err)
	}
	return place{h, c.Name}, nil
}

// started is the file that says that the resource was started here.
func (p place) started() string { return p.host.Path(host.RunDir + "/lbvm-" + p.name + ".started") }

// launched is the file that remembers the last pass that was started.
func (p place) launched() string { return p.host.Path(host.RunDir + "/lbvm-" + p.name + ".launched") }

// running tells whether the resource was started here.
func (p place) running() (bool, error) {
	_, err := os.Stat(p.started())
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	}
	return false, ocf.Errorf(ocf.CodeGeneric, "looking whether it was started: %w", err)
}

// ready checks that passes can be run here.
func (p place) ready() error {
	fi, err := os.Stat(p.host.Path(Monitor))
	if err != nil {
		return ocf.Errorf(ocf.CodeInstalled, "the balancer is not installed: %w", err)
	}
	if !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
		return ocf.Errorf(ocf.CodeInstalled, "%s is not a program", p.host.Path(Monitor))
	}
	return nil
}

// Start notes that this node runs the balancer. Old failures are forgotten: they got the resource restarted or
// brought here, and each start has a right to its own.
func (a *Agent) Start(_ context.Context, c *ocf.Call) error {
	p, err := find(c)
	if err != nil {
		return err
	}
	if err := p.ready(); err != nil {
		return err
	}
	if is, err := p.running(); is || err != nil {
		c.Say("  found: it is started here already")
		return err
	}
	if c.Explaining() {
		c.Say("  it forgets how earlier passes ended: %s and %s", p.launched(), p.host.Path(RecordFile))
		c.Say("  it writes %s, by which status knows that passes are to be started here", p.started())
		return nil
	}
	if err := os.MkdirAll(p.host.Path(host.RunDir), 0o755); err != nil {
		return ocf.Errorf(ocf.CodeGeneric, "making the folder of our state: %w", err)
	}
	if err := remove(p.launched(), p.host.Path(RecordFile)); err != nil {
		return ocf.Errorf(ocf.CodeGeneric, "forgetting earlier passes: %w", err)
	}
	text := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "name", Value: p.name}, {Key: "at", Value: c.World.Now().Format(time.RFC3339)}}
	if err := atomicfile.Write(p.started(), text.Format(), atomicfile.Options{Mode: 0o644}); err != nil {
		return ocf.Errorf(ocf.CodeGeneric, "noting the start: %w", err)
	}
	return nil
}

// Stop takes the note back: no further pass is started. One that runs is left to end by itself, since the move that
// it waits for is the cluster manager's to finish.
func (a *Agent) Stop(_ context.Context, c *ocf.Call) error {
	if err := host.CheckName(c.Name); err != nil {
		c.Log.Log(ocf.LevelError, "stop: nothing was ever started under this name", "error", err)
		return nil
	}
	p, err := find(c)
	if err != nil {
		return err
	}
	if c.Explaining() {
		is, err := p.running()
		switch {
		case err != nil:
			c.Say("  found: %v", err)
		case is:
			c.Say("  found: it is started here")
		default:
			c.Say("  found: it is not started here")
		}
		c.Say("  it removes %s and %s: no further pass is started", p.started(), p.launched())
		if p.passRuns(c.Log) {
			c.Say("  found: a pass runs; it is left to end by itself")
		}
		return nil
	}
	if err := remove(p.started(), p.launched()); err != nil {
		// Only a status check starts passes, and nobody checks what is stopped. An error would make the
		// cluster manager give the balancer up on all nodes, for a file.
		c.Log.Log(ocf.LevelError, "stop: the note of the start stays: "+err.Error(), "file", filepath.Base(p.started()))
	}
	return nil
}

// Status starts a pass unless one runs, and tells how the last ones went.
func (a *Agent) Status(_ context.Context, c *ocf.Call) error {
	p, err := find(c)
	if err != nil {
		return err
	}
	if is, err := p.running(); err != nil {
		return err
	} else if !is {
		return ocf.ErrNotRunning
	}
	rec, id := p.readRecord(c.Log)
	if id == "" {
		c.Say("  found: no pass has ended since the start")
	} else {
		c.Say("  found: the last pass ended %s, %s; passes in a row that failed for a cause of this node: %d", rec.At.Format(time.RFC3339), rec.Outcome, rec.Failures)
	}
	lost := 0
	if p.passRuns(c.Log) {
		c.Say("  found: a pass runs; none is started")
	} else {
		lost = a.launch(p, c, rec, id)
	}
	switch {
	case rec.Failures >= Limit:
		return ocf.Errorf(ocf.CodeGeneric, "%d passes in a row failed for a cause of this node: %s", rec.Failures, rec.Why)
	case lost >= Limit:
		return ocf.Errorf(ocf.CodeGeneric, "%d passes in a row ended without a word", lost)
	}
	return nil
}

// Explain does the action in words: each looks whether that is what it is asked for before it changes anything.
func (a *Agent) Explain(ctx context.Context, _ *ocf.Call, do func(context.Context) error) error {
	return do(ctx)
}

// Validate checks what validate-all asks for.
func (a *Agent) Validate(_ context.Context, c *ocf.Call) error {
	p, err := find(c)
	if err != nil {
		return err
	}
	return p.ready()
}

// passRuns tells whether a pass runs on this node. Where that cannot be told it says no: a second pass finds the
// lock itself.
func (p place) passRuns(log ocf.Logger) bool {
	held, err := lockfile.Held(p.host.Path(LockFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Log(ocf.LevelWarning, "cannot tell whether a pass runs: "+err.Error())
	}
	return held
}

// remove removes files; those that are not there are no error.
func remove(files ...string) error {
	var all error
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			all = errors.Join(all, err)
		}
	}
	return all
}
