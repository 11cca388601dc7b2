package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// peerLimit bounds a question to another node.
const peerLimit = time.Minute

// startLimit is how long the cluster may take to start a VM that was added: an agent's start has 300 s.
const startLimit = 6 * time.Minute

// adopter takes VMs in on this node.
func (w world) adopter(c *cli.Context) (adopt.Adopter, error) {
	id, shared, err := w.place(c.Context)
	if err == nil && shared == "" {
		err = refused(fmt.Errorf("%w: there is nowhere to move a VM to", host.ErrNotShared))
	}
	if err != nil {
		return adopt.Adopter{}, err
	}
	kind := w.kind(c.Context)
	a := adopt.Adopter{Manager: kind, Host: w.host, ID: id, Shared: shared, Query: w.run, Clock: w.clock, Wait: w.wait, Peer: w.peer,
		Driver: hypervisor.Tools{Host: w.host, Clock: clock.System(), Query: w.run, Change: w.run, Note: func(text string) { fmt.Fprintln(w.stderr, "lbm: warning:", text) }},
		Keep:   func(*os.File) run.Runner { return w.run }}
	if kind == cluster.NameRGManager && !c.Bool("probe") && !c.Bool("join") && !c.Bool("leave") { // these have nothing to do with cluster.conf
		agents, err := cluster.Agents(c.Context, w.host, w.run)
		if err != nil {
			return a, refused(err)
		}
		if len(agents) > 0 {
			if a.Rules, err = w.rules(c.Context); err != nil {
				return a, refused(err)
			}
		}
	}
	if w.self != "" { // a whole program, and not one in a test
		if err := os.MkdirAll(w.host.Path(host.RunDir), 0o755); err != nil {
			return a, refused(err)
		}
		a.Note = w.host.Path(filepath.Join(host.RunDir, "adopt.keeper"))
		a.Keep = func(lock *os.File) run.Runner {
			return run.Keeper{Lock: lock, Note: a.Note, Self: w.self, Grace: 5 * time.Second}
		}
	}
	if w.terminal {
		a.Progress = w.copied()
	}
	return a, nil
}

// peer runs lbm on another node, by ssh that never asks for a password.
func (w world) peer(ctx context.Context, member string, args ...string) (run.Result, error) {
	return w.peerWith(ctx, member, nil, args...)
}

// peerWith gives it a standard input, too.
func (w world) peerWith(ctx context.Context, member string, stdin []byte, args ...string) (run.Result, error) {
	program, err := w.host.Lookup("ssh")
	if err != nil {
		return run.Result{}, errors.New("no ssh is installed here")
	}
	// The other node's shell reads the words: none may mean anything to it.
	for _, word := range append([]string{member}, args...) {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:+@,") != "" || word == "" {
			return run.Result{}, fmt.Errorf("%q cannot be handed to its shell", word)
		}
	}
	ctx, cancel := w.wait.WithTimeout(ctx, peerLimit)
	defer cancel()
	argv := append([]string{program, "-oBatchMode=yes", "-oConnectTimeout=10", "--", member, "lbm"}, args...)
	r, err := w.run.Run(ctx, run.Command{Argv: argv, Env: w.host.Environ(), Stdin: stdin})
	if err != nil {
		return r, err
	}
	if r.Code == 255 {
		return r, fmt.Errorf("ssh: %s", strings.Join(strings.Fields(string(r.Stderr)), " "))
	}
	return r, nil
}

// forAnother does on this node what another one, or a person, has asked for.
func (w world) forAnother(c *cli.Context, a adopt.Adopter) error {
	ref := c.Args().First()
	typ, vm, ok := strings.Cut(ref, ":")
	if !ok || errors.Join(host.CheckName(typ), host.CheckName(vm)) != nil {
		return cli.Exit(fmt.Sprintf("%q is no TYPE:VM; see lbm add --help", ref), exitUsage)
	}
	if c.Bool("probe") {
		wrong, devices := a.Probe(c.Context, adopt.Asked{Type: typ, VM: vm, Bridges: c.StringSlice("bridge"), Devices: c.StringSlice("device"), Own: c.StringSlice("own"), Nets: netsOf(c.StringSlice("net"))})
		fmt.Fprint(w.stdout, adopt.Answer(wrong, devices))
		if len(wrong) > 0 {
			return cli.Exit("", exitFailed)
		}
		return nil
	}
	p, err := a.Known(ref)
	if err != nil {
		return refused(err)
	}
	do := a.Join
	if c.Bool("leave") {
		do = a.Leave
	}
	if err := do(c.Context, p); err != nil {
		return adoptFailure(err)
	}
	said := "this node has its links to %s\n"
	if c.Bool("leave") {
		said = "this node has no links to %s any more\n"
	}
	fmt.Fprintf(w.stdout, said, ref)
	return nil
}

// netsOf are networks and interfaces as the asking node has them: it wrote each as one word.
func netsOf(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, strings.Replace(w, ":", " ", 1))
	}
	return out
}

// tellSteps prints each step as it goes.
func (w world) tellSteps(a *adopt.Adopter, p adopt.Plan) {
	what := map[string]string{}
	for _, s := range p.Steps() {
		what[s[0]] = s[1]
	}
	a.Before = func(step string) { fmt.Fprintf(w.stdout, "%-50s ", what[step]+" ...") }
	a.After = func(string) { fmt.Fprintln(w.stdout, "done") }
}

// copied shows how far a copy is, on one line of a terminal.
func (w world) copied() func(what string, done, total int64) {
	began := w.wait.Now()
	last := ""
	return func(what string, done, total int64) {
		if what != last {
			began, last = w.wait.Now(), what
		}
		fmt.Fprintf(w.stderr, "\r%s\x1b[K", progressText(done, total, w.wait.Now().Sub(began)))
		if done >= total {
			fmt.Fprintln(w.stderr)
		}
	}
}

// progressText is how far, how fast, how long still.
func progressText(done, total int64, took time.Duration) string {
	const mib = 1 << 20
	text := fmt.Sprintf("%d of %d MiB", done/mib, total/mib)
	if took < time.Second || done <= 0 {
		return text
	}
	rate := float64(done) / took.Seconds()
	text += fmt.Sprintf(", %.1f MiB/s", rate/mib)
	if left := total - done; left > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}

// looks is the manager's own command that shows what runs where.
func (w world) looks() string {
	if w.kind(context.Background()) == cluster.NamePacemaker {
		return "crm_mon -1rf"
	}
	return "clustat"
}

// startAdded sees to it that the cluster starts what was added. It does so by itself, unless it was told otherwise.
func (w world) startAdded(c *cli.Context, p adopt.Plan) error {
	ctx, cancel := w.wait.WithTimeout(c.Context, startLimit)
	defer cancel()
	asked := false
	for {
		st, err := w.manager().Status(ctx)
		if err != nil {
			return cli.Exit(fmt.Sprintf("%v; unknown: check with %s", err, w.looks()), exitUnknown)
		}
		for _, s := range st.Services {
			if s.VMType != p.Type || s.VM != p.VM {
				continue
			}
			switch s.State {
			case cluster.Started:
				fmt.Fprintf(w.stdout, "%s runs on %s\n", p.Ref(), s.Owner)
				return nil
			case cluster.Failed:
				return cli.Exit(fmt.Sprintf("%s is failed: lbm handoff %s and lbm blackbox tell more", s.ID, p.VM), exitFailed)
			case cluster.Disabled, cluster.Stopped:
				if !asked {
					asked = true
					if err := w.manager().Enable(ctx, s.ID, ""); err != nil {
						return cli.Exit(fmt.Sprintf("starting %s: %v", s.ID, err), exitFailed)
					}
				}
			}
		}
		if err := w.wait.Sleep(ctx, time.Second); err != nil {
			return cli.Exit(fmt.Sprintf("%s was not seen started: check with %s", p.Ref(), w.looks()), exitUnknown)
		}
	}
}
