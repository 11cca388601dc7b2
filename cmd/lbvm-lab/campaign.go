package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab/campaign"
)

func (a app) campaignCommand() *cli.Command {
	return &cli.Command{
		Name: "campaign", Usage: "bad days of a cluster, by chance: is a rule of the hand-off ever broken?",
		Description: `Plays runs in which agents are killed, nodes die and come back, tools fail and requests cross, with the real
agents, the real relocator and the real files, in one process and in simulated time. A run follows from its
seed alone. A finding is shrunk, and printed with the command that repeats it.`,
		Flags: []cli.Flag{
			&cli.Int64Flag{Name: "seed", Value: 1, Usage: "the first run's `N`"},
			&cli.Int64Flag{Name: "runs", Value: 1000, Usage: "how many `M`"},
			&cli.IntFlag{Name: "jobs", Usage: "how many at once (default: one for each processor) `J`"},
			&cli.BoolFlag{Name: "all", Usage: "go on after a finding"},
			&cli.BoolFlag{Name: "real", Usage: "with real processes on a lab of its own, until --runs agents were killed with SIGKILL"},
			&cli.BoolFlag{Name: "exhaustive", Usage: "every pair of actions, cut off at every crash point in every way, instead of runs by chance; --runs and --seed choose a part"},
			&cli.BoolFlag{Name: "points", Usage: "print the crash points, and how many cases there are"},
			&cli.StringFlag{Name: "run", Usage: "play one run and tell its story: 'TYPE SEED STEP; STEP' as a finding prints it `TEXT`"},
		},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 0); err != nil {
				return err
			}
			if text := c.String("run"); text != "" {
				return a.campaignRun(text)
			}
			if c.Bool("real") {
				return a.campaignReal(c)
			}
			jobs := c.Int("jobs")
			if jobs <= 0 {
				jobs = runtime.NumCPU()
			}
			o := campaign.Options{First: c.Int64("seed"), Runs: c.Int64("runs"), Jobs: jobs, Clock: a.wait, Out: a.stderr, All: c.Bool("all")}
			run := campaign.Random
			if c.Bool("exhaustive") || c.Bool("points") {
				cases, points, err := campaign.Exhaustive()
				if err != nil {
					return err
				}
				if c.Bool("points") {
					fmt.Fprintf(a.stdout, "%s\n%d crash points, %d cases\n", strings.Join(points, "\n"), len(points), len(cases))
					return nil
				}
				if o.First = max(0, o.First-1); !c.IsSet("runs") {
					o.Runs = int64(len(cases))
				}
				o.Runs = min(o.Runs, int64(len(cases))-o.First)
				run = func(n int64) campaign.Run { return cases[n] }
			}
			began := a.wait.Now()
			found, played, err := campaign.Campaign(c.Context, o, run)
			if err != nil {
				return err
			}
			took := a.wait.Now().Sub(began)
			fmt.Fprintf(a.stdout, "%d runs from seed %d, %d findings, %s (%.0f runs a second)\n", played, o.First, len(found), took.Round(1e7), float64(played)/took.Seconds())
			if len(found) > 0 {
				return cli.Exit("", exitFailed)
			}
			return nil
		},
	}
}

func (a app) campaignRun(text string) error {
	r, err := campaign.ParseRun(text)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	f, err := campaign.Play(r)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, strings.Join(f.Trace, "\n"))
	if len(f.Broken) > 0 {
		return cli.Exit("found: "+strings.Join(f.Broken, "; "), exitFailed)
	}
	fmt.Fprintln(a.stdout, "nothing was found")
	return nil
}
