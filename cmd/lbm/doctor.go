package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/doctor"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/term"
)

// doctorLimit is how long one node is looked at, so that an answer comes before who asks by ssh gives up.
const doctorLimit = 50 * time.Second

func (w world) doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "look this node over, or all nodes, and say what is wrong and what to do",
		Description: "Looks at the cluster, cluster.conf, fencing, names, agents, the shared storage and its locks, LVM, iSCSI,\n" +
			"multipath, the hypervisors, what is started at boot, lbvm.conf, the samples and the clocks; only at what is\n" +
			"in use here. Each finding comes with its cure; docs/doctor.md lists them all. What could not be looked at is\n" +
			"said, and is not fine. Nothing is changed. It needs root.\n\n" +
			"--all asks every other node of cluster.conf by ssh, which must not ask for a password, for the same, and\n" +
			"compares them: versions, agents, texts, clocks, and whether a lock that is held here is held there.\n\n" +
			"   lbm doctor\n   lbm doctor --all\n   lbm doctor --verbose            also what was looked at and found right\n   lbm doctor -o json\n\n" +
			"Exit codes: 0 nothing is wrong, 1 errors, 2 usage, 4 no errors, and something could not be looked at,\n6 only warnings.",
		Flags: []cli.Flag{outputFlag(),
			&cli.BoolFlag{Name: "all", Usage: "all nodes of the cluster, by ssh"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show every check"},
			&cli.StringFlag{Name: "held", Usage: "the `NODE` that holds a lock meanwhile", Hidden: true},
			&cli.BoolFlag{Name: "touch", Usage: "ask the shared storage and nothing else", Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm doctor takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			if c.Bool("touch") {
				return w.touch(c.Context)
			}
			return w.doctor(c, asJSON)
		},
	}
}

func (w world) doctor(c *cli.Context, asJSON bool) error {
	d := doctor.Doctor{Host: w.host, Run: w.run, Clock: w.clock, Wait: w.wait, Held: c.String("held")}
	if w.self != "" {
		d.Touch = func(ctx context.Context) error {
			_, err := w.run.Run(ctx, run.Command{Argv: []string{w.self, "doctor", "--touch"}, Env: w.host.Environ()})
			return err
		}
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, doctorLimit)
	mine := d.Examine(ctx)
	cancel()
	answers := []doctor.Answer{{Node: mine.Node, Report: mine}}
	across := doctor.Result{Check: doctor.Across}
	if c.Bool("all") {
		others, err := w.askDoctors(c.Context, mine)
		if err != nil {
			return err
		}
		answers = append(answers, others...)
		across = doctor.Compare(answers)
	}
	worst := across.Severity()
	for _, a := range answers {
		for _, r := range a.Report.Results {
			worst = max(worst, r.Severity())
		}
	}
	if asJSON {
		if err := term.JSON(w.stdout, doctorJSON(answers, across)); err != nil {
			return err
		}
	} else {
		w.tellDoctor(answers, across, c.Bool("all"), c.Bool("verbose"))
	}
	if code := map[doctor.Severity]int{doctor.Error: exitFailed, doctor.Unknown: exitUnknown, doctor.Warning: exitWarnings}[worst]; code != 0 {
		return cli.Exit("", code)
	}
	return nil
}

// askDoctors asks the other nodes, while a lock is held here that they must find held.
func (w world) askDoctors(ctx context.Context, mine doctor.Report) (out []doctor.Answer, err error) {
	conf, err := cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
	if err != nil {
		return nil, fmt.Errorf("which nodes there are: %w", err)
	}
	args := []string{"doctor", "-o", "json"}
	id, idErr := w.host.Identity()
	if idErr == nil && mine.Traits.Share != "" { // it was reached a moment ago
		release, err := doctor.Hold(w.host.Path(id.Shared), mine.Node)
		if err != nil {
			fmt.Fprintln(w.stderr, "lbm: warning: whether locks reach the other nodes is not tried:", err)
		} else {
			defer func() { err = errors.Join(err, release()) }()
			args = append(args, "--held", mine.Node)
		}
	}
	for _, n := range conf.Nodes {
		if !strings.EqualFold(n, mine.Node) {
			out = append(out, doctor.Answer{Node: n})
		}
	}
	var all sync.WaitGroup
	for i := range out {
		all.Add(1)
		go func() {
			defer all.Done()
			a := &out[i]
			a.Asked = w.clock.Now()
			r, err := w.peer(ctx, a.Node, args...)
			a.Told = w.clock.Now()
			a.Report, a.Err = doctorAnswer(r, err)
		}()
	}
	all.Wait()
	return out, ctx.Err()
}

// doctorAnswer reads what a node has said by ssh.
func doctorAnswer(r run.Result, err error) (doctor.Report, error) {
	if err != nil {
		return doctor.Report{}, err
	}
	var said doctorReport
	if err := json.Unmarshal(r.Stdout, &said); err != nil || len(said.Nodes) != 1 {
		return doctor.Report{}, fmt.Errorf("lbm doctor there ends with %d: %s", r.Code, strings.Join(strings.Fields(string(r.Stderr)+" "+string(r.Stdout[:min(len(r.Stdout), 200)])), " "))
	}
	return said.Nodes[0].report()
}

// tellDoctor prints what was found. Of what is right only a line is said, unless more is asked for.
func (w world) tellDoctor(answers []doctor.Answer, across doctor.Result, all, verbose bool) {
	count := map[doctor.Severity]int{}
	tell := func(node string, found []doctor.Finding) {
		for _, f := range found {
			count[f.Severity]++
			mark := f.Check
			if f.Fault != "" {
				mark = f.Fault
			}
			fmt.Fprintf(w.stdout, "%s: %s: %s [%s]\n    %s\n", node, f.Severity, f.Text, mark, f.Cure)
		}
	}
	made, idle := 0, []string{}
	for i, a := range answers {
		for _, r := range a.Report.Results {
			if verbose {
				fmt.Fprintf(w.stdout, "%s: %s: %s\n", a.Node, r.Check, stateText(r))
				tell(a.Node, r.Findings)
			}
			if i == 0 && r.Idle != "" {
				idle = append(idle, r.Check)
			} else if i == 0 {
				made++
			}
		}
		if !verbose { // the worst first
			found := a.Report.Findings()
			slices.SortStableFunc(found, func(a, b doctor.Finding) int { return int(b.Severity - a.Severity) })
			tell(a.Node, found)
		}
	}
	who := answers[0].Node
	if all {
		tell("all nodes", across.Findings)
		who = fmt.Sprintf("%d nodes", len(answers))
	}
	fmt.Fprintf(w.stdout, "%s: %s, %s, %d not known", who, plural(count[doctor.Error], "error"), plural(count[doctor.Warning], "warning"), count[doctor.Unknown])
	if !all {
		fmt.Fprintf(w.stdout, "; %s made", plural(made, "check"))
		if len(idle) > 0 {
			fmt.Fprintf(w.stdout, ", not made here: %s (--verbose says why)", strings.Join(idle, " "))
		}
	}
	fmt.Fprintln(w.stdout)
}

func stateText(r doctor.Result) string {
	if r.Idle != "" {
		return "not made: " + r.Idle
	}
	about := ""
	for _, c := range doctor.Checks() {
		if c.Name == r.Check {
			about = ": " + c.About
		}
	}
	return r.Severity().String() + about
}
