package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// exitWarnings is the answer of a check that found warnings only.
const exitWarnings = 6

func (w world) ccsCommand() *cli.Command {
	c := &cli.Command{
		Name: "ccs", Usage: "look at cluster.conf, check it, edit it and publish it",
		UsageText: "lbm ccs COMMAND [OPTIONS] [ARGUMENTS]",
		Description: "An edit changes the bytes that it means to change and no others: comments, blank lines and quotes stay.\n" +
			"Each one raises config_version by one, is checked before it is written, and keeps the file before as\n" +
			"FILE.lbvm-VERSION. Nothing reaches the running cluster before `lbm ccs update` or --update.\n\n" +
			"   lbm ccs show\n" +
			"   lbm ccs validate\n" +
			"   lbm ccs set --dry-run \"//service[@name='web']\" recovery relocate\n" +
			"   lbm ccs addnode node4 --fence apc1,port=4 --update\n" +
			"   lbm ccs update\n\n" +
			"Exit codes: 0 done, 1 failed, errors found or nothing found, 2 usage, 3 refused and nothing changed, 4 published and\n" +
			"not verified on every member, 6 only warnings.",
		Subcommands: []*cli.Command{
			w.ccsShow(), w.ccsValidate(), w.ccsGet(), w.ccsSet(), w.ccsUnset(), w.ccsInsert(), w.ccsDelete(), w.ccsRename(), w.ccsBump(),
			w.ccsLsnode(), w.ccsAddnode(), w.ccsDelnode(), w.ccsAdddomain(), w.ccsInterval(), w.ccsDiff(), w.ccsUpdate(),
		},
		Before: func(c *cli.Context) error {
			// Another FILE, and help, are for whoever asks.
			if _, err := os.Lstat(w.host.Path(host.ClusterXML)); os.IsNotExist(err) && c.NArg() == 1 && w.kind(c.Context) == cluster.NamePacemaker {
				return cli.Exit("this cluster is Pacemaker's: there is no cluster.conf; cibadmin --query, crm_verify -L; nothing was changed", exitRefused)
			}
			return nil
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return cli.Exit(fmt.Sprintf("there is no command %q; see lbm ccs --help", c.Args().First()), exitUsage)
			}
			if err := cli.ShowSubcommandHelp(c); err != nil {
				return err
			}
			return cli.Exit("", exitUsage)
		},
	}
	for _, s := range c.Subcommands {
		s.OnUsageError = func(c *cli.Context, err error, _ bool) error {
			return cli.Exit(fmt.Sprintf("%v; see lbm ccs %s --help", err, c.Command.Name), exitUsage)
		}
	}
	return c
}

func fileFlag() cli.Flag {
	return &cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "another `FILE` than the cluster's own"}
}

// arguments checks how many there are.
func arguments(c *cli.Context, least, most int) error {
	if n := c.NArg(); n >= least && n <= most {
		return nil
	}
	return cli.Exit(fmt.Sprintf("it is: lbm ccs %s; see lbm ccs %s --help", strings.TrimSpace(c.Command.Name+" "+c.Command.ArgsUsage), c.Command.Name), exitUsage)
}

// confFile is the file that a command works on, and whether it is the cluster's own.
func (w world) confFile(c *cli.Context) (string, bool) {
	own := w.host.Path(host.ClusterXML)
	file := c.String("file")
	if file == "" {
		return own, true
	}
	a, aerr := os.Stat(file)
	b, berr := os.Stat(own)
	return file, aerr == nil && berr == nil && os.SameFile(a, b)
}

func (w world) document(c *cli.Context) (*ccs.Document, error) {
	file, _ := w.confFile(c)
	return ccs.Load(file)
}

// rules are those of the agents that are installed here. On a machine without agents they are nil, and what is
// known of the usual agents serves.
func (w world) rules(ctx context.Context) (ccs.Rules, error) {
	agents, err := cluster.Agents(ctx, w.host, w.run)
	if err != nil {
		return nil, err
	}
	if len(agents) == 0 {
		fmt.Fprintf(w.stderr, "lbm: warning: no agents are installed in %s: what the manager does is estimated from the usual ones\n", cluster.AgentDir)
		return nil, nil
	}
	rules, notes := ccs.LoadRules(agents)
	for _, n := range notes {
		fmt.Fprintln(w.stderr, "lbm: warning:", n)
	}
	return rules, nil
}

// sharedLock is the lock by which the nodes keep out of each other's edits of cluster.conf.
func (w world) sharedLock(ctx context.Context) ([]string, error) {
	id, err := w.host.Identity()
	if errors.Is(err, host.ErrNoIdentity) {
		return nil, nil // before lbm init there is no storage to share a lock on
	}
	if err != nil {
		return nil, err
	}
	dir, err := w.sharedDir(ctx, id)
	if errors.Is(err, host.ErrNotShared) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(dir, path.Join("lbvm/lock", "cluster.conf"))}, nil
}

// findings prints what the check has found.
func (w world) findings(found []ccs.Finding) {
	for _, f := range found {
		fmt.Fprintln(w.stderr, f)
	}
}
