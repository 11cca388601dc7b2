package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) ccsLsnode() *cli.Command {
	return &cli.Command{
		Name: "lsnode", Usage: "list the nodes", Flags: []cli.Flag{fileFlag(), outputFlag()}, Description: "   lbm ccs lsnode -o json",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			d, err := w.document(c)
			if err != nil {
				return err
			}
			nodes := listNodes(d)
			if asJSON {
				return term.JSON(w.stdout, struct {
					Nodes []nodeRow `json:"nodes"`
				}{nodes})
			}
			return w.nodeTable(nodes)
		},
	}
}

type nodeRow struct {
	Name   string   `json:"name"`
	NodeID *int     `json:"nodeid"`
	Votes  int      `json:"votes"`
	Fence  []string `json:"fence"`
}

func listNodes(d *ccs.Document) []nodeRow {
	rows := []nodeRow{}
	for _, n := range d.Nodes() {
		r := nodeRow{Name: n.Name, Votes: n.Votes, Fence: []string{}}
		if n.ID != 0 {
			r.NodeID = &n.ID
		}
		for _, m := range n.Fence {
			for _, dev := range m.Devices {
				r.Fence = append(r.Fence, dev.Name)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func (w world) nodeTable(nodes []nodeRow) error {
	var rows [][]string
	for _, n := range nodes {
		id := "-"
		if n.NodeID != nil {
			id = strconv.Itoa(*n.NodeID)
		}
		rows = append(rows, []string{n.Name, id, strconv.Itoa(n.Votes), strings.Join(n.Fence, " ")})
	}
	return term.Table(w.stdout, []string{"NODE", "NODEID", "VOTES", "FENCE"}, rows)
}

func (w world) ccsAddnode() *cli.Command {
	return &cli.Command{
		Name: "addnode", Usage: "add a node", ArgsUsage: "NAME",
		Flags: editFlags(
			&cli.IntFlag{Name: "nodeid", Usage: "its `ID`", DefaultText: "the next free one"},
			&cli.IntFlag{Name: "votes", Usage: "its `VOTES`", DefaultText: "the file says none, which is 1"},
			&cli.StringFlag{Name: "fence", Usage: "its fence `DEVICE[,KEY=VALUE...]`, as apc1,port=4"}),
		Description: "   lbm ccs addnode node4 --fence apc1,port=4",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 1); err != nil {
				return err
			}
			n, err := newNode(c, c.Args().First())
			if err != nil {
				return err
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				x.edits, x.told, err = d.AddNode(n)
				return x, err
			})
		},
	}
}

// newNode reads the options that describe a node.
func newNode(c *cli.Context, name string) (ccs.NewNode, error) {
	n := ccs.NewNode{Name: name, ID: c.Int("nodeid"), Votes: c.Int("votes")}
	if c.IsSet("nodeid") && n.ID < 1 || c.IsSet("votes") && n.Votes < 1 {
		return n, cli.Exit("--nodeid and --votes are above 0", exitUsage)
	}
	for i, part := range strings.Split(c.String("fence"), ",") {
		key, value, ok := strings.Cut(part, "=")
		switch {
		case i == 0 && part == "":
		case i == 0:
			n.Fence = append(n.Fence, ccs.Attr{Name: "name", Value: part})
		case !ok || key == "":
			return n, cli.Exit(fmt.Sprintf("--fence: %q is not KEY=VALUE", part), exitUsage)
		default:
			n.Fence = append(n.Fence, ccs.Attr{Name: key, Value: value})
		}
	}
	return n, nil
}

func (w world) ccsDelnode() *cli.Command {
	return &cli.Command{
		Name: "delnode", Usage: "remove a node, also from the failover domains", ArgsUsage: "NAME", Flags: editFlags(),
		Description: "Let the node leave the cluster first: stop rgmanager and cman there. While it is online nothing without it is\n" +
			"published, but with --i-know.\n\n   lbm ccs delnode node4 --dry-run",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 1); err != nil {
				return err
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				x.edits, x.told, err = d.DelNode(c.Args().First())
				return x, err
			})
		},
	}
}

func (w world) ccsAdddomain() *cli.Command {
	return &cli.Command{
		Name: "adddomain", Usage: "add a failover domain", ArgsUsage: "NAME NODE[:PRIORITY]...",
		Flags: editFlags(
			&cli.BoolFlag{Name: "restricted", Usage: "its services run on these nodes only"},
			&cli.BoolFlag{Name: "nofailback", Usage: "a service stays where it is when a better node comes back"}),
		Description: "With priorities, 1 to 100 and 1 the best, it is ordered; then every node needs one.\n\n" +
			"   lbm ccs adddomain --restricted blue node1:1 node2:2",
		Action: func(c *cli.Context) error {
			if c.NArg() < 2 {
				return arguments(c, 2, 2)
			}
			domain := ccs.Domain{Name: c.Args().First(), Restricted: c.Bool("restricted"), NoFailback: c.Bool("nofailback")}
			for _, a := range c.Args().Tail() {
				n := ccs.DomainNode{Name: a}
				if i := strings.LastIndexByte(a, ':'); i >= 0 {
					p, err := strconv.Atoi(a[i+1:])
					if err != nil || p < 1 || p > 100 {
						return cli.Exit(fmt.Sprintf("%s: a priority is 1 to 100", a), exitUsage)
					}
					n.Name, n.Priority, domain.Ordered = a[:i], p, true
				}
				domain.Nodes = append(domain.Nodes, n)
			}
			for _, n := range domain.Nodes {
				if domain.Ordered && n.Priority == 0 {
					return cli.Exit(fmt.Sprintf("%s needs a priority too: without one it would be preferred to priority 1", n.Name), exitUsage)
				}
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				x.edits, err = d.AddDomain(domain)
				return x, err
			})
		},
	}
}

func (w world) ccsInterval() *cli.Command {
	return &cli.Command{
		Name: "interval", Usage: "how often the cluster checks a VM, or how often the balancer runs", ArgsUsage: "VM|monitoring DURATION", Flags: editFlags(),
		Description: "The status check of the lbvm resource is the balancer's pass. The cluster looks no more often than\n" +
			"status_poll_interval of <rm> says, which is 10 seconds without it.\n\n" +
			"   lbm ccs interval 101 1m\n   lbm ccs interval monitoring 2m",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 2, 2); err != nil {
				return err
			}
			interval, err := parseInterval(c.Args().Get(1))
			if err != nil {
				return cli.Exit(err, exitUsage)
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				e, err := checked(d, c.Args().First())
				if err != nil {
					return x, err
				}
				edit, err := d.StatusInterval(e, interval)
				x.about(e)
				x.edits = []ccs.Edit{edit}
				return x, err
			})
		},
	}
}

func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return 0, fmt.Errorf("%q is no duration of whole seconds, such as 30s, 10m or 2h", text)
	}
	return d, nil
}

// checked finds the resource whose status is checked: a VM by its name, or the balancer as the manual calls its service.
func checked(d *ccs.Document, name string) (ccs.Element, error) {
	if name != "monitoring" {
		return d.Resource(name)
	}
	found, err := d.Find("/cluster/rm//lbvm[@name]")
	if err != nil {
		return ccs.Element{}, err
	}
	if len(found) != 1 {
		return ccs.Element{}, fmt.Errorf("%s has %d lbvm resources: name the one", d.Name(), len(found))
	}
	return found[0], nil
}
