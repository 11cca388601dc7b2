package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab/campaign"
	"github.com/lbvm/lbvm/internal/term"
)

func (a app) campaignCommand() *cli.Command {
	return &cli.Command{
		Name: "campaign", Usage: "bad days of a cluster, by the thousand: is a rule of the hand-off ever broken?", HideHelpCommand: true,
		Description: `Plays runs in which agents are killed, nodes die and come back, tools fail and requests cross, with the real
agents, the real relocator and the real files, in one process and in simulated time. A run follows from its
seed alone. A finding is shrunk to the fewest steps, and printed with the command that repeats it.

   lbvm-lab campaign --seed 1 --runs 10000       runs by chance
   lbvm-lab campaign --type vmexec --runs 3000   runs by chance, with guests of a technology of one's own
   lbvm-lab campaign --exhaustive                every pair of actions, cut off at every crash point in every way
   lbvm-lab campaign --real --runs 500           real processes on a lab of their own; 500 agents are killed
   lbvm-lab campaign --run 'xen 7 enable node1; at state:sending:done kill; +relocate node2; wait 20'
   lbvm-lab campaign --points                    the crash points
   lbvm-lab campaign --steps                     the steps that a run is written in

Exit codes: 0 nothing was found, 1 something was, or it could not be played, 2 usage. docs/campaign.md tells more.`,
		Flags: []cli.Flag{
			&cli.Int64Flag{Name: "seed", Value: 1, Usage: "begin with run `N`"},
			&cli.Int64Flag{Name: "runs", Value: 1000, Usage: "play `M` runs; with --real, kill M agents", DefaultText: "1000; with --exhaustive every case"},
			&cli.IntFlag{Name: "jobs", Usage: "play `J` at once", DefaultText: "one for each processor"},
			&cli.StringFlag{Name: "type", Usage: "play with guests of `TYPE` only: " + strings.Join(campaign.Technologies(), ", "), DefaultText: "all"},
			&cli.BoolFlag{Name: "all", Usage: "go on after a finding"},
			&cli.BoolFlag{Name: "real", Usage: "play with real processes, on a lab in a temporary folder"},
			&cli.BoolFlag{Name: "exhaustive", Usage: "play every case instead of runs by chance"},
			&cli.BoolFlag{Name: "points", Usage: "print the crash points, and how many cases there are"},
			&cli.BoolFlag{Name: "steps", Usage: "print the steps that a run is written in"},
			&cli.StringFlag{Name: "run", Usage: "play one run and tell its story; `TEXT` is 'TYPE SEED STEP; STEP', as a finding prints it"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			json, err := campaignUsage(c)
			switch {
			case err != nil:
				return err
			case c.IsSet("run"):
				return a.campaignRun(c.String("run"), json)
			case c.Bool("steps"):
				return a.campaignSteps(json)
			case c.Bool("real"):
				return a.campaignReal(c, json)
			}
			return a.campaignMany(c, json)
		},
	}
}

// campaignUsage refuses what cannot be played.
func campaignUsage(c *cli.Context) (json bool, err error) {
	if err := wants(c, 0, 0); err != nil {
		return false, err
	}
	var chosen []string
	for _, f := range []string{"real", "exhaustive", "points", "steps", "run"} {
		if c.IsSet(f) {
			chosen = append(chosen, "--"+f)
		}
	}
	switch {
	case len(chosen) > 1:
		return false, cli.Exit("choose one of "+strings.Join(chosen, ", "), exitUsage)
	case c.IsSet("type") && (!slices.Contains(campaign.Technologies(), c.String("type")) || c.Bool("real") || c.IsSet("run")):
		return false, cli.Exit(fmt.Sprintf("--type %q: one of %s, and neither with --real nor with --run", c.String("type"), strings.Join(campaign.Technologies(), ", ")), exitUsage)
	case c.Int64("runs") < 1:
		return false, cli.Exit(fmt.Sprintf("--runs %d: 1 or more", c.Int64("runs")), exitUsage)
	case c.Int("jobs") < 0:
		return false, cli.Exit(fmt.Sprintf("--jobs %d: 1 or more, or 0 for one for each processor", c.Int("jobs")), exitUsage)
	case c.Int64("seed") < 1:
		return false, cli.Exit(fmt.Sprintf("--seed %d: 1 or more", c.Int64("seed")), exitUsage)
	}
	return outputOf(c)
}

// campaignFinding is a finding as JSON shows it.
type campaignFinding struct {
	Number int64    `json:"number"`
	Run    string   `json:"run"`
	Broken []string `json:"broken"`
}

// campaignReport is what a campaign found.
type campaignReport struct {
	Kind     string            `json:"kind"` // random, exhaustive
	Seed     int64             `json:"seed"`
	Runs     int64             `json:"runs"`
	Findings []campaignFinding `json:"findings"`
	Took     float64           `json:"took_seconds"`
}

func (a app) campaignMany(c *cli.Context, json bool) error {
	jobs := c.Int("jobs")
	if jobs == 0 {
		jobs = runtime.NumCPU()
	}
	o := campaign.Options{First: c.Int64("seed"), Runs: c.Int64("runs"), Jobs: jobs, Clock: a.wait, Out: a.stderr, All: c.Bool("all")}
	run, kind := campaign.RandomOf(c.String("type")), "random"
	if c.Bool("exhaustive") || c.Bool("points") {
		cases, points, err := campaign.Exhaustive()
		if err != nil {
			return err
		}
		if typ := c.String("type"); typ != "" {
			cases = slices.DeleteFunc(cases, func(r campaign.Run) bool { return r.Type != typ })
		}
		if c.Bool("points") {
			return a.campaignPoints(points, len(cases), json)
		}
		if o.First--; o.First >= int64(len(cases)) {
			return cli.Exit(fmt.Sprintf("--seed %d: there are %d cases", c.Int64("seed"), len(cases)), exitUsage)
		}
		if !c.IsSet("runs") {
			o.Runs = int64(len(cases))
		}
		o.Runs = min(o.Runs, int64(len(cases))-o.First)
		run, kind = func(n int64) campaign.Run { return cases[n] }, "exhaustive"
	}
	began := a.wait.Now()
	found, played, err := campaign.Campaign(c.Context, o, run)
	if err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return fmt.Errorf("stopped after %d runs with %d findings: %w", played, len(found), err)
	}
	took := a.wait.Now().Sub(began)
	if json {
		r := campaignReport{kind, c.Int64("seed"), played, []campaignFinding{}, took.Seconds()}
		for _, f := range found {
			r.Findings = append(r.Findings, campaignFinding{f.Number, f.Run.String(), f.Broken})
		}
		err = term.JSON(a.stdout, r)
	} else {
		_, err = fmt.Fprintf(a.stdout, "%d runs from seed %d, %d findings, %s (%.0f runs a second)\n", played, c.Int64("seed"), len(found), took.Round(10*time.Millisecond), float64(played)/took.Seconds())
	}
	if len(found) > 0 {
		return errors.Join(err, cli.Exit("", exitFailed))
	}
	return err
}

func (a app) campaignPoints(points []string, cases int, json bool) error {
	if json {
		return term.JSON(a.stdout, struct {
			Points []string `json:"points"`
			Cases  int      `json:"cases"`
		}{points, cases})
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n%d crash points, %d cases\n", strings.Join(points, "\n"), len(points), cases)
	return err
}

func (a app) campaignSteps(json bool) error {
	type step struct {
		Form string `json:"form"`
		Does string `json:"does"`
	}
	list := []step{}
	for _, s := range campaign.Steps() {
		list = append(list, step{s[0], s[1]})
	}
	if json {
		return term.JSON(a.stdout, struct {
			Steps []step `json:"steps"`
		}{list})
	}
	for _, s := range list {
		if _, err := fmt.Fprintf(a.stdout, "%-26s %s\n", s.Form, s.Does); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.stdout, "\nWith + before it a step is not waited for.")
	return err
}

func (a app) campaignRun(text string, json bool) error {
	r, err := campaign.ParseRun(text)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	f, err := campaign.Play(r)
	if err != nil {
		return err
	}
	if json {
		err = term.JSON(a.stdout, struct {
			Run    string   `json:"run"`
			Broken []string `json:"broken"`
			Trace  []string `json:"trace"`
		}{r.String(), append([]string{}, f.Broken...), f.Trace})
	} else {
		_, err = fmt.Fprintln(a.stdout, strings.Join(f.Trace, "\n"))
	}
	switch {
	case err != nil:
		return err
	case len(f.Broken) > 0:
		return cli.Exit("found: "+strings.Join(f.Broken, "; "), exitFailed)
	case !json:
		_, err = fmt.Fprintln(a.stdout, "nothing was found")
	}
	return err
}
