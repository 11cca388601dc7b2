package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/setup"
	"github.com/lbvm/lbvm/internal/term"
)

func (w world) nodeCommand() *cli.Command {
	c := &cli.Command{
		Name: "node", Usage: "let a node join the cluster", UsageText: "lbm node COMMAND [OPTIONS] [ARGUMENTS]",
		Description: "   lbm node add node4 --fence apc1,port=4 --dry-run\n\n" +
			"To take a node out: lbm evacuate NODE, stop rgmanager and cman there, lbm ccs delnode NODE --update.",
		Subcommands: []*cli.Command{w.nodeAdd(), w.nodePrepare()},
		Action: func(c *cli.Context) error {
			return tooMany(c, "lbm node is followed by add")
		},
	}
	for _, s := range c.Subcommands {
		s.OnUsageError = usageError
	}
	return c
}

func (w world) nodeAdd() *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "let a node join: journals, cluster.conf, and what the node lacks", ArgsUsage: "NAME",
		Description: "Shows first what is to be done, and asks. Then, from this node, which must be a member with the shared storage\n" +
			"mounted: a journal more for each GFS that has too few; NAME in cluster.conf, its version raised once,\n" +
			"published; and by ssh, which must not ask for a password, on NAME: an iSCSI name of its own, the modules that\n" +
			"are loaded here, cluster.conf before cman is started there. Services are started by hand, by the commands\n" +
			"that it prints. Run it again then: it finds what is done, and goes on with lbvm.id and the links of the VMs that\n" +
			"were taken in. Nothing is done twice; a run that was broken off is gone on with in the same way.\n\n" +
			"Without ssh, or without lbm on NAME, it prints what to type there.\n\n" +
			"   lbm node add node4 --dry-run\n   lbm node add node4 --fence apc1,port=4\n   lbm node add node4 --yes            once its services run\n\n" +
			"Exit codes: 0 all is done (or shown), 1 failed, 2 usage, 3 refused and nothing changed,\n5 what is left is to be done by hand.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "fence", Usage: "its fence `DEVICE[,KEY=VALUE...]`, as apc1,port=4"},
			&cli.IntFlag{Name: "nodeid", Usage: "its `ID`", DefaultText: "the next free one"},
			&cli.IntFlag{Name: "votes", Usage: "its `VOTES`", DefaultText: "the file says none, which is 1"},
			&cli.BoolFlag{Name: "yes", Usage: "do it without a question"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what is to be done"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until every member runs with the new cluster.conf"},
			&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops services"},
			runningFlag(),
			&cli.BoolFlag{Name: "update", Value: true, Hidden: true},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return tooMany(c, "lbm node add needs the name of the node")
			}
			if err := host.CheckName(c.Args().First()); err != nil {
				return tooMany(c, err.Error())
			}
			return w.addNode(c, c.Args().First())
		},
	}
}

// nodePrepare is what lbm node add asks of the new node, by ssh or by a person's hand.
func (w world) nodePrepare() *cli.Command {
	return &cli.Command{
		Name: "prepare", Usage: "do on a new node what lbm node add asks for", Hidden: true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "probe", Usage: "tell what this node has"},
			&cli.StringFlag{Name: "shared", Usage: "with --probe: where the shared storage is to be mounted"},
			&cli.BoolFlag{Name: "initiator", Usage: "see that its iSCSI name is none of --taken"},
			&cli.StringSliceFlag{Name: "taken", Usage: "an iSCSI `NAME` of another node"},
			&cli.StringSliceFlag{Name: "module", Usage: "load this kernel `MODULE`"},
			&cli.StringFlag{Name: "cluster-conf", Usage: "put the cluster.conf that comes on standard input in place, for the node `NAME`"},
		},
		Action: func(c *cli.Context) error {
			switch {
			case c.Args().Present():
				return tooMany(c, "lbm node prepare takes no arguments")
			case c.Bool("probe"):
				p, err := setup.Look(w.host, c.String("shared"))
				if err != nil {
					return err
				}
				return term.JSON(w.stdout, p)
			case c.Bool("initiator"):
				name, changed, err := setup.TakeInitiator(c.Context, w.host, w.run, c.StringSlice("taken"))
				if err != nil {
					return err
				}
				fmt.Fprintf(w.stdout, "%s%s\n", name, map[bool]string{true: " (new; restart iscsi)"}[changed])
			case len(c.StringSlice("module")) > 0:
				loaded, failed, err := setup.LoadModules(c.Context, w.host, w.run, c.StringSlice("module"))
				if err != nil {
					return err
				}
				fmt.Fprintf(w.stdout, "loaded: %s; not: %s\n", strings.Join(loaded, " "), strings.Join(failed, ", "))
			case c.String("cluster-conf") != "":
				text, err := io.ReadAll(io.LimitReader(w.stdin, 4<<20))
				if err != nil {
					return err
				}
				changed, err := setup.TakeClusterConf(w.host, text, c.String("cluster-conf"))
				if err != nil {
					return refused(err)
				}
				fmt.Fprintf(w.stdout, "%s %s\n", host.ClusterXML, map[bool]string{true: "is in place", false: "was in place"}[changed])
			default:
				return tooMany(c, "lbm node prepare does what lbm node add asks for")
			}
			return nil
		},
	}
}

// partOf reads what a new node says of itself.
func partOf(text []byte) (setup.Part, error) {
	var p setup.Part
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("lbm there answers %q", strings.TrimSpace(string(text[:min(len(text), 80)])))
	}
	return p, nil
}
