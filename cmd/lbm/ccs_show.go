package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) ccsShow() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show the cluster as the manager reads it", Flags: []cli.Flag{fileFlag(), outputFlag()},
		Description: "Nodes, failover domains, and every group with its resources in the order of their start. What the manager\n" +
			"would drop is named at the end.\n\n   lbm ccs show",
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
			rules, err := w.rules(c.Context)
			if err != nil {
				return err
			}
			s := summarize(d, rules)
			if asJSON {
				return term.JSON(w.stdout, s)
			}
			return w.show(s)
		},
	}
}

type summary struct {
	Cluster string            `json:"cluster"`
	Version *uint64           `json:"config_version"`
	Nodes   []nodeRow         `json:"nodes"`
	Domains []domainRow       `json:"domains"`
	RM      map[string]string `json:"rm"`
	Groups  []groupRow        `json:"groups"`
	Dropped []string          `json:"dropped"`
}

type domainRow struct {
	Name       string   `json:"name"`
	Ordered    bool     `json:"ordered"`
	Restricted bool     `json:"restricted"`
	NoFailback bool     `json:"nofailback"`
	Nodes      []string `json:"nodes"` // NODE or NODE:PRIORITY
}

type groupRow struct {
	ID        string            `json:"id"`
	Autostart bool              `json:"autostart"`
	Live      bool              `json:"live"`
	Values    map[string]string `json:"values"`
	Resources []resourceRow     `json:"resources"`
}

type resourceRow struct {
	ID        string        `json:"id"`
	Ref       bool          `json:"ref"`
	Resources []resourceRow `json:"resources"`
}

func summarize(d *ccs.Document, rules ccs.Rules) summary {
	s := summary{Cluster: d.ClusterName(), Nodes: listNodes(d), Domains: []domainRow{}, RM: d.RM(), Groups: []groupRow{}, Dropped: []string{}}
	if v, err := d.Version(); err == nil {
		s.Version = &v
	}
	for _, f := range d.Domains() {
		row := domainRow{f.Name, f.Ordered, f.Restricted, f.NoFailback, []string{}}
		for _, n := range f.Nodes {
			name := n.Name
			if f.Ordered {
				name += fmt.Sprintf(":%d", n.Priority)
			}
			row.Nodes = append(row.Nodes, name)
		}
		s.Domains = append(s.Domains, row)
	}
	tree := d.ResourceTree(rules)
	for _, g := range tree.Groups {
		row := groupRow{ID: g.ID(), Autostart: g.Autostart(), Live: g.Migratory(), Values: map[string]string{}, Resources: resourceRows(g)}
		for _, v := range g.Values {
			row.Values[v.Name] = v.Value
		}
		s.Groups = append(s.Groups, row)
	}
	for _, drop := range tree.Dropped {
		s.Dropped = append(s.Dropped, drop.String())
	}
	return s
}

func resourceRows(i *ccs.Instance) []resourceRow {
	rows := []resourceRow{}
	for _, c := range i.StartOrder() {
		rows = append(rows, resourceRow{c.ID(), c.Ref(), resourceRows(c)})
	}
	return rows
}

func (w world) show(s summary) error {
	version := "none that is a number"
	if s.Version != nil {
		version = fmt.Sprint(*s.Version)
	}
	fmt.Fprintf(w.stdout, "cluster %s, config_version %s\n\n", s.Cluster, version)
	if err := w.nodeTable(s.Nodes); err != nil {
		return err
	}
	if len(s.Domains) > 0 {
		fmt.Fprintln(w.stdout)
		var rows [][]string
		for _, d := range s.Domains {
			var flags []string
			for _, f := range []struct {
				name string
				on   bool
			}{{"ordered", d.Ordered}, {"restricted", d.Restricted}, {"nofailback", d.NoFailback}} {
				if f.on {
					flags = append(flags, f.name)
				}
			}
			rows = append(rows, []string{d.Name, strings.Join(flags, " "), strings.Join(d.Nodes, " ")})
		}
		if err := term.Table(w.stdout, []string{"DOMAIN", "FLAGS", "NODES"}, rows); err != nil {
			return err
		}
	}
	if len(s.Groups) > 0 {
		fmt.Fprintln(w.stdout)
		var rows [][]string
		for _, g := range s.Groups {
			rows = append(rows, []string{g.ID, g.Values["domain"], onOff(g.Autostart), g.Values["recovery"], strings.Join(flat(g.Resources), " ")})
		}
		if err := term.Table(w.stdout, []string{"GROUP", "DOMAIN", "AUTOSTART", "RECOVERY", "RESOURCES"}, rows); err != nil {
			return err
		}
	}
	for _, d := range s.Dropped {
		fmt.Fprintf(w.stdout, "\nthe manager drops %s\n", d)
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// flat writes resources in their order, what stands below another in brackets behind it.
func flat(rows []resourceRow) []string {
	var out []string
	for _, r := range rows {
		text := r.ID
		if below := flat(r.Resources); len(below) > 0 {
			text += "(" + strings.Join(below, " ") + ")"
		}
		out = append(out, text)
	}
	return slices.Clip(out)
}
