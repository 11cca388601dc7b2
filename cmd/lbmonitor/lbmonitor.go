package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/monitor"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Exit codes of all our tools.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitUnknown     = 4
	exitPartly      = 5
	exitInterrupted = 130
)

// world is what the program works with.
type world struct {
	host           host.Host
	clock          clock.Clock // of samples and journals
	wait           clock.Clock // for waiting
	manager        move.Manager
	members        membership.Membership
	log            logrus.FieldLogger
	stdout, stderr io.Writer
}

// app is the command line.
func (w world) app() *cli.App {
	app := &cli.App{
		Name: "lbmonitor", Usage: "make one pass of the load balancer",
		Version: host.Version(), HideHelpCommand: true,
		Description: "Evaluates the rule of every balanced VM for each node that it could go to, and hands over those\n" +
			"that are to move, one after the other. The lbvm resource of the cluster starts it each minute, on one\n" +
			"node; a second pass beside a running one ends at once.\n\n" +
			"To see what would be decided now, and why, changing nothing:\n\n" +
			"   lbmonitor --dry-run\n" +
			"   lbmonitor --dry-run -o json\n\n" +
			"To try a changed configuration before it is put in place:\n\n" +
			"   lbmonitor --dry-run --config /root/lbvm.conf.new\n\n" +
			"Exit codes: 0 done, 1 failed or the configuration has errors, 2 usage, 3 refused and nothing changed,\n" +
			"4 a move was not verified, 5 some moves failed, 130 interrupted before anything was begun.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "decide and print, change nothing"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"},
			&cli.StringFlag{Name: "config", Usage: "with --dry-run: another `FILE` than " + host.ConfFile},
		},
		Writer: w.stdout, ErrWriter: w.stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usage(err.Error()) },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("lbmonitor takes no arguments")
			}
			var asJSON bool
			switch o := c.String("output"); o {
			case "table":
			case "json":
				asJSON = true
			default:
				return usage(fmt.Sprintf("--output %q is neither table nor json", o))
			}
			if c.Bool("dry-run") {
				return w.plan(c.Context, c.String("config"), asJSON)
			}
			if c.IsSet("config") {
				return usage("--config goes with --dry-run: a pass uses " + host.ConfFile)
			}
			return w.pass(c.Context, asJSON)
		},
	}
	term.PlainFlags(app.Flags, nil)
	return app
}

func (w world) main(ctx context.Context, args []string) int {
	app := w.app()
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w.stderr, "lbmonitor:", text)
	}
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return exitFailed
}

func usage(text string) error { return cli.Exit(text+"; see lbmonitor --help", exitUsage) }

func (w world) monitor() monitor.Monitor {
	return monitor.Monitor{Host: w.host, Manager: w.manager, Members: w.members, Clock: w.clock, Wait: w.wait, Log: w.log}
}

func (w world) plan(ctx context.Context, config string, asJSON bool) error {
	m := w.monitor()
	m.Conf = config
	broken := false
	res, err := m.Plan(ctx, func(d conf.Diagnostic) {
		broken = broken || d.Severity == conf.Error
		fmt.Fprint(w.stderr, d.Format())
	})
	if err != nil {
		return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitFailed)
	}
	if err := w.show(res, asJSON, w.showPlan); err != nil {
		return err
	}
	if broken {
		return cli.Exit("the configuration has errors", exitFailed)
	}
	return nil
}

func (w world) pass(ctx context.Context, asJSON bool) error {
	res, err := w.monitor().Run(ctx)
	if show := w.show(res, asJSON, w.showPass); show != nil {
		err = errors.Join(err, show)
	}
	switch {
	case errors.Is(err, monitor.ErrInterrupted):
		return cli.Exit(err, exitInterrupted)
	case err != nil:
		return cli.Exit(err, exitFailed)
	case res.Record.Outcome == lbvmagent.Locked:
		return nil
	}
	if code := exitCode(res.Moves); code != 0 {
		return cli.Exit("", code)
	}
	return nil
}

// exitCode sums the moves of a pass up.
func exitCode(moves []monitor.Made) int {
	done, refused, failed := 0, 0, 0
	for _, m := range moves {
		switch {
		case m.Err == nil:
			done++
		case errors.Is(m.Err, move.ErrUnverified):
			return exitUnknown
		case errors.Is(m.Err, move.ErrRefused):
			refused++
		default:
			failed++
		}
	}
	switch {
	case refused+failed == 0:
		return 0
	case done > 0:
		return exitPartly
	case failed > 0:
		return exitFailed
	}
	return exitRefused
}
