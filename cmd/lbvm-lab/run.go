package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func (a app) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run a command on a node", ArgsUsage: "NODE COMMAND [ARGUMENTS]", SkipFlagParsing: true, HideHelpCommand: true,
		Description: `The command is looked for below the node's root first (lbm, lbmonitor, clustat, clusvcadm,
vzctl, xm and the rest), then on this machine. It runs with LBVM_ROOT set to the node's root, and dies with
the node. Of this shell's environment it gets TERM, TZ, LBVM_DIALECT and what begins with OCF_. A program's
path may be the node's; a file that is an argument is one of this machine: DIR/nodes/node1/etc/...

date tells this machine's time; the lab's, which --at, --from and history mean, is in lbvm-lab status.

   lbvm-lab run node1 clustat
   lbvm-lab run node2 vzlist -a
   lbvm-lab run node1 lbm -l
   OCF_RESKEY_name=101 lbvm-lab run node1 /usr/share/cluster/openvz.sh --explain stop
   lbvm-lab run node1 sh                a shell with the node's programs`,
		Action: func(c *cli.Context) error {
			if first := c.Args().First(); first == "--help" || first == "-h" {
				return cli.ShowSubcommandHelp(c)
			}
			if err := wants(c, 2, 1<<20); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			args := c.Args().Slice()
			if err := known(d, args[0]); err != nil {
				return err
			}
			return a.exec(l, args[0], args[1:])
		},
	}
}

// known refuses a node that the lab does not have.
func known(d lab.Description, node string) error {
	for _, n := range d.Nodes {
		if n == node {
			return nil
		}
	}
	return cli.Exit(fmt.Sprintf("there is no node %q: this lab has %s", node, strings.Join(d.Nodes, " ")), exitUsage)
}

// exec becomes the command.
func (a app) exec(l lab.Layout, node string, argv []string) error {
	h, err := host.New(l.Root(node))
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.NodeSocket(node)); err != nil {
		return fmt.Errorf("%s is off: start it with lbvm-lab node start %s", node, node)
	}
	path, err := find(h, argv[0])
	if err != nil {
		return cli.Exit(err.Error(), 127)
	}
	env := h.ShellEnviron()
	for i, e := range env {
		if strings.HasPrefix(e, "PATH=") {
			env[i] = e + ":" + h.Path(ownPrograms)
		}
	}
	for _, e := range a.environ {
		switch name, _, _ := strings.Cut(e, "="); {
		case name == "TERM", name == "TZ", name == ocf.DialectVariable, strings.HasPrefix(name, "OCF_"):
			env = append(env, e)
		}
	}
	return fmt.Errorf("running %s: %w", path, syscall.Exec(path, argv, env))
}

// ownPrograms is where lblog and lbmonitor lie: cron and the agent call them by their paths.
const ownPrograms = "/usr/libexec/lbvm"

// find looks for a program as the node's shell would, and on this machine then.
func find(h host.Host, program string) (string, error) {
	if strings.Contains(program, "/") {
		if filepath.IsAbs(program) && !strings.HasPrefix(program, h.Root()+"/") {
			if below := h.Path(program); executable(below) {
				return below, nil
			}
		}
		return program, nil
	}
	if path, err := h.Lookup(program); err == nil {
		return path, nil
	}
	if path := h.Path(ownPrograms + "/" + program); executable(path) {
		return path, nil
	}
	if path, err := (host.Host{}).Lookup(program); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("there is no program %q on the node, nor on this machine", program)
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}
