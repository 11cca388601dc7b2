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

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

func (a app) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "watch a cluster shed a VM from a hot node",
		Description: "Makes a lab of three nodes and six guests in a temporary folder, sets it up with the real lbm, heats a\n" +
			"node, and tells from journals, logs and what the guests wrote how the balancer moves a running guest\n" +
			"with its memory. Nothing is left behind. Exit code 1: no move came, or the checker found something.\n\n" +
			"   lbvm-lab demo\n" +
			"   lbvm-lab demo --no-rule          the same without the rule: nothing moves, and the demo fails\n" +
			"   lbvm-lab demo --keep DIR         leave the lab running in DIR, to play with it",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-rule", Usage: "take the rule out"},
			&cli.StringFlag{Name: "keep", Usage: "make the lab in `DIR` and leave it running"},
			&cli.Float64Flag{Name: "scale", Value: 60, Usage: "`N` seconds of the lab pass in a real one"},
			&cli.DurationFlag{Name: "patience", Value: 30 * time.Second, Usage: "wait at most `TIME` for the move, in real time"},
		},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 0); err != nil {
				return err
			}
			return a.demo(c)
		},
	}
}

func (a app) demo(c *cli.Context) (err error) {
	dir := c.String("keep")
	if dir == "" {
		if dir, err = os.MkdirTemp("", "lbvm-demo-"); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := lab.Create(dir, lab.Options{Scale: c.Float64("scale"), Programs: filepath.Dir(self), Lab: self})
	if err != nil {
		return err
	}
	_, desc, err := lab.Open(dir)
	if err != nil {
		return err
	}
	s := &story{app: a, l: l, d: desc, clock: clock.Scaled{Start: desc.Start, Epoch: desc.Epoch, Scale: desc.Scale}, run: run.System{Grace: time.Second}}
	if c.String("keep") == "" {
		defer func() {
			quiet := a
			quiet.stdout = discard{}
			err = errors.Join(err, quiet.down(context.WithoutCancel(c.Context), l, desc, false, 20*time.Second))
		}()
	}
	if err := s.tell(c.Context, !c.Bool("no-rule"), c.Duration("patience")); err != nil {
		if c.Float64("scale") > slowScale && c.Context.Err() == nil {
			fmt.Fprintf(s.stdout, "\nA busy machine does not keep up with the lab's clock: lbvm-lab demo --scale %d lets time pass slower.\n", slowScale)
		}
		return err
	}
	s.next(c.String("keep"))
	return nil
}

// slowScale suits a machine that is busy with other things.
const slowScale = 10

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// story is a demo that is being told.
type story struct {
	app
	l     lab.Layout
	d     lab.Description
	clock clock.Scaled
	run   run.Runner

	read    map[string]int // bytes of each log that were told
	minutes int            // minutes of measured values that were told
}

// The guests that get busy, both on the first node, and what they use of it.
const (
	hot, hotLoad   = "openvz:101", "0.45"
	warm, warmLoad = "xen:web1", "0.40"
)

// idle is what a node uses for itself.
func idle(node int) string { return [...]string{"0.05", "0.04", "0.07"}[node%3] }

const demoRule = `
default {
    info the node is hot and another one has been cool for ten minutes;
    algorithm {
        migrate() if min(res('cpu', 3)) > 0.60 && average(res('cpu', 5)) > 0.70 && average(res2('cpu', 10)) < 0.40;
    }
}
`

func (s *story) tell(ctx context.Context, rule bool, patience time.Duration) error {
	n := len(s.d.Nodes)
	fmt.Fprintf(s.stdout, "A cluster of %d nodes in a folder. A minute of it takes %s; times are the lab's.\n\n", n,
		time.Duration(float64(time.Minute)/s.d.Scale).Round(time.Millisecond))
	if err := s.startManager(ctx, s.l, time.Minute, false); err != nil {
		return err
	}
	s.say("The cluster is up: rgmanager has started six guests with our agents.")
	for i, n := range s.d.Nodes {
		if _, err := s.daemon(ctx, s.l, n, "load", idle(i)); err != nil {
			return err
		}
	}
	if err := s.setUp(ctx, rule); err != nil {
		return err
	}
	if err := s.untilMeasured(ctx, 2); err != nil {
		return err
	}
	s.say("Now %s and %s get busy: %s is hot.", hot, warm, s.d.Nodes[0])
	for _, x := range [][2]string{{hot, hotLoad}, {warm, warmLoad}} {
		if _, err := s.daemon(ctx, s.l, s.d.Nodes[0], "load", x[0], x[1]); err != nil {
			return err
		}
	}
	moved, err := s.untilMoved(ctx, patience)
	if err != nil {
		return err
	}
	if err := s.proof(ctx, moved); err != nil {
		return err
	}
	if err := s.byHand(ctx); err != nil {
		return err
	}
	return s.verdict(ctx)
}

// setUp is what an administrator does, with the real lbm.
func (s *story) setUp(ctx context.Context, rule bool) error {
	first := s.d.Nodes[0]
	if _, err := s.program(ctx, first, "lbm", "init", "--shared", lab.SharedMount); err != nil {
		return err
	}
	for _, n := range s.d.Nodes[1:] {
		if _, err := s.program(ctx, n, "lbm", "init", "--shared", lab.SharedMount, "--join"); err != nil {
			return err
		}
	}
	text := "sharedstorage " + lab.SharedMount + ";\nresources " + lab.SharedMount + "/lbresources.conf;\nlogdir " + lab.SharedMount + "/lbvm/log;\n" +
		"balance 101, 102, 103, web1, db1, mail1;\n"
	if rule {
		text += demoRule
	}
	if err := os.WriteFile(s.l.Path("shared", "lbvm.conf"), []byte(text), 0o640); err != nil {
		return err
	}
	s.say("lbm init has made the shared storage ready and added the monitoring service. lbvm.conf says:")
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(s.stdout, "    %2d  %s\n", i+1, line)
	}
	if _, err := s.program(ctx, first, "ccs_tool", "update", host.ClusterXML); err != nil {
		return err
	}
	out, err := s.program(ctx, first, "lbm", "list")
	if err != nil {
		return err
	}
	s.say("lbm list:")
	fmt.Fprint(s.stdout, indent(out))
	return nil
}

// byHand shows the other technology: live, and because a person says so.
func (s *story) byHand(ctx context.Context) error {
	target := s.d.Nodes[len(s.d.Nodes)-1]
	s.say("By hand, and live: lbm migrate web1 %s", target)
	out, err := s.program(ctx, s.d.Nodes[0], "lbm", "migrate", "web1", target)
	fmt.Fprint(s.stdout, indent(out))
	if err != nil {
		return err
	}
	if _, err := s.news(); err != nil {
		return err
	}
	return s.proof(ctx, warm)
}

func (s *story) verdict(ctx context.Context) error {
	for _, args := range [][]string{{"-l"}, {"history"}} {
		out, err := s.program(ctx, s.d.Nodes[0], "lbm", args...)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.stdout, "\nlbm %s\n%s", strings.Join(args, " "), indent(out))
	}
	found, err := lab.CheckAll(s.l, lab.CheckOptions{})
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Fprintf(s.stdout, "%v %s\n%s", f.Kind, f.VM, indent(strings.Join(f.Evidence, "\n")+"\n"))
	}
	if len(found) > 0 {
		return fmt.Errorf("the guests' own logs show %d findings", len(found))
	}
	_, err = fmt.Fprintln(s.stdout, "\nThe checker read what the guests wrote: no guest ran twice, lost its memory or went on with a stale image.")
	return err
}

func (s *story) next(kept string) {
	if kept != "" {
		fmt.Fprintf(s.stdout, "\nThe lab runs on in %[1]s. Try next:\n  export LBVM_LAB=%[1]s\n", kept)
	} else {
		fmt.Fprint(s.stdout, "\nNothing is left behind. Try next:\n  bin/lbvm-lab demo --keep lab; export LBVM_LAB=$PWD/lab\n")
	}
	fmt.Fprint(s.stdout, `  bin/lbvm-lab run node1 lbm migrate mail1 node2     hand a VM over yourself
  bin/lbvm-lab run node1 lbmonitor --dry-run         what would be decided now, and why
  bin/lbvm-lab load node3 0.9                        heat a node
  bin/lbvm-lab node kill node2                       pull a plug, and see who starts what
  bin/lbvm-lab status; bin/lbvm-lab check; bin/lbvm-lab down
`)
}

// say tells one thing, at the lab's time.
func (s *story) say(format string, args ...any) {
	at := s.clock.Now().Sub(s.d.Epoch).Round(time.Second)
	fmt.Fprintf(s.stdout, "[%3dm%02ds] %s\n", int(at.Minutes()), int(at.Seconds())%60, fmt.Sprintf(format, args...))
}

func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	return "    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
}

// programLimit bounds one program of the story, in real time.
const programLimit = 20 * time.Second

// program runs one of the node's own programs and gives what it printed.
func (s *story) program(ctx context.Context, node, name string, args ...string) (string, error) {
	h, err := host.New(s.l.Root(node))
	if err != nil {
		return "", err
	}
	path, err := find(h, name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, programLimit)
	defer cancel()
	r, err := s.run.Run(ctx, run.Command{Argv: append([]string{path}, args...), Env: h.ShellEnviron()})
	out := string(r.Stdout) + string(r.Stderr)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("exit code %d", r.Code)
	}
	if err != nil {
		return out, fmt.Errorf("%s on %s: %w: %s", strings.Join(append([]string{name}, args...), " "), node, err, strings.TrimSpace(out))
	}
	return string(r.Stdout), nil
}
