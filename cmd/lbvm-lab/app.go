package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/term"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// app is what the user calls.
type app struct {
	stdout, stderr io.Writer
	environ        []string
	wait           clock.Clock
}

const description = `A lab is a folder: a cluster of nodes with emulated OpenVZ, Xen and KVM guests, and a cluster
manager that starts the real agents of LBVM as rgmanager does. Time runs faster in it
(--scale). It is a test bench and a tutorial, never a production cluster manager.

   lbvm-lab up                                  make it and start it
   lbvm-lab status                              who runs where
   lbvm-lab run node1 clustat                   any command, on a node
   lbvm-lab run node1 clusvcadm -r centos1 -m node2
   lbvm-lab load node1 0.9                      make a node hot
   lbvm-lab node kill node2                     pull its plug
   lbvm-lab check                               did any guest run twice, or lose its memory?
   lbvm-lab down                                stop everything and remove the folder

The lab is looked for in --lab DIR, else in $LBVM_LAB, else in this folder or one above it,
else in ./lab.
Exit codes: 0 done, 1 failed or something was found, 2 usage. run gives the command's own.`

// cli is the command line.
func (a app) cli() *cli.App {
	c := &cli.App{
		Name: "lbvm-lab", Usage: "a cluster in a folder", Version: host.Version(), UsageText: "lbvm-lab [--lab DIR] COMMAND [ARGUMENTS]",
		Description: description, Writer: a.stdout, ErrWriter: a.stderr, EnableBashCompletion: true, HideHelpCommand: true,
		Flags:          []cli.Flag{&cli.StringFlag{Name: "lab", Usage: "the lab's folder `DIR`"}},
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Commands: []*cli.Command{a.upCommand(), a.runCommand(), a.nodeCommand(), a.setCommand(), a.loadCommand(), a.crashCommand(), a.faultCommand(),
			a.statusCommand(), a.checkCommand(), a.demoCommand(), a.downCommand(), a.campaignCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return cli.Exit(fmt.Sprintf("there is no command %q; see lbvm-lab --help", c.Args().First()), exitUsage)
			}
			if err := cli.ShowAppHelp(c); err != nil {
				return err
			}
			return cli.Exit("", exitUsage)
		},
	}
	for _, x := range c.Commands {
		x.OnUsageError = usageError
		for _, y := range x.Subcommands {
			y.OnUsageError = usageError
		}
	}
	term.PlainFlags(c.Flags, c.Commands)
	return c
}

func (a app) main(ctx context.Context, args []string) int {
	err := a.cli().RunContext(ctx, args)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(a.stderr, "lbvm-lab:", text)
	}
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return exitFailed
}

func usageError(c *cli.Context, err error, _ bool) error {
	return cli.Exit(fmt.Sprintf("%v; see %s --help", err, strings.TrimSpace("lbvm-lab "+c.Command.Name)), exitUsage)
}

// wants refuses a call with another number of arguments.
func wants(c *cli.Context, least, most int) error {
	if n := c.NArg(); n < least || n > most {
		return cli.Exit(fmt.Sprintf("usage: lbvm-lab %s %s", strings.TrimPrefix(c.Command.HelpName, "lbvm-lab "), c.Command.ArgsUsage), exitUsage)
	}
	return nil
}

// outputFlag is -o.
func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"}
}

// outputOf reads -o.
func outputOf(c *cli.Context) (json bool, err error) {
	switch o := c.String("output"); o {
	case "table":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, cli.Exit(fmt.Sprintf("output %q is neither table nor json", o), exitUsage)
	}
}

// folder is where the lab is, or would be.
func (a app) folder(c *cli.Context) (string, error) {
	if dir := c.String("lab"); dir != "" {
		return dir, nil
	}
	for _, e := range a.environ {
		if dir, ok := strings.CutPrefix(e, "LBVM_LAB="); ok && dir != "" {
			return dir, nil
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "lab.json")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return filepath.Join(here, "lab"), nil
		}
	}
}

func (a app) open(c *cli.Context) (lab.Layout, lab.Description, error) {
	dir, err := a.folder(c)
	if err != nil {
		return lab.Layout{}, lab.Description{}, err
	}
	return lab.Open(dir)
}

// manager gives the cluster manager a command of the lab's own.
func (a app) manager(ctx context.Context, l lab.Layout, argv ...string) (string, error) {
	r, err := lab.Call(ctx, l.ManagerSocket(), lab.Request{Argv: argv})
	if errors.Is(err, lab.ErrDown) {
		return "", fmt.Errorf("the lab in %s is not running: start it with lbvm-lab up (%w)", l.Dir, err)
	}
	if err != nil {
		return "", err
	}
	return answerOf(r.Code, r.Stdout, r.Stderr)
}

// daemon gives a node's daemon a command of the lab's own.
func (a app) daemon(ctx context.Context, l lab.Layout, node string, argv ...string) (string, error) {
	r, err := lab.Call(ctx, l.NodeSocket(node), lab.Request{Node: node, Argv: append([]string{"lab"}, argv...)})
	if errors.Is(err, lab.ErrDown) {
		return "", fmt.Errorf("%s is off: start it with lbvm-lab node start %s (%w)", node, node, err)
	}
	if err != nil {
		return "", err
	}
	return answerOf(r.Code, r.Stdout, r.Stderr)
}

func answerOf(code int, stdout, stderr []byte) (string, error) {
	if code != 0 {
		return "", errors.New(strings.TrimPrefix(strings.TrimSpace(string(stderr)), "lab: "))
	}
	return string(stdout), nil
}
