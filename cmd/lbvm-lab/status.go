package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/rgmanager"
	"github.com/lbvm/lbvm/internal/term"
)

func (a app) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show nodes, services and guests", HideHelpCommand: true,
		Description: "What the cluster manager believes stands beside what really runs.\n\n   lbvm-lab status\n   lbvm-lab status -o json",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if err := wants(c, 0, 0); err != nil {
				return err
			}
			l, d, err := a.open(c)
			if err != nil {
				return err
			}
			json, err := outputOf(c)
			if err != nil {
				return err
			}
			if !json {
				return a.showStatus(c.Context, l)
			}
			s, err := a.clusterStatus(c.Context, l)
			if err != nil {
				return err
			}
			g, err := a.guests(c.Context, l, d)
			if err != nil {
				return err
			}
			return term.JSON(a.stdout, struct {
				rgmanager.Status
				Guests map[string][]lab.GuestInfo `json:"guests"`
			}{s, g})
		},
	}
}

func (a app) showStatus(ctx context.Context, l lab.Layout) error {
	_, d, err := lab.Open(l.Dir)
	if err != nil {
		return err
	}
	s, err := a.clusterStatus(ctx, l)
	if err != nil {
		return err
	}
	guests, err := a.guests(ctx, l, d)
	if err != nil {
		return err
	}
	quorum := "quorate"
	if !s.Quorate {
		quorum = "without quorum"
	}
	fmt.Fprintf(a.stdout, "Cluster %s, %s, configuration %d; lab time %s, %gx.\n\n", s.Cluster, quorum, s.Version, s.Now.Format("2006-01-02 15:04:05"), d.Scale)
	var rows [][]string
	for _, n := range s.Nodes {
		rows = append(rows, []string{n.Name, nodeText(n), guestText(guests[n.Name])})
	}
	if err := term.Table(a.stdout, []string{"NODE", "STATE", "GUESTS THAT REALLY RUN"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, x := range s.Services {
		state := x.State
		if x.Frozen {
			state += ", frozen"
		}
		rows = append(rows, []string{x.Name, state, x.Owner, x.Last, x.Since.Format("15:04:05")})
	}
	fmt.Fprintln(a.stdout)
	return term.Table(a.stdout, []string{"SERVICE", "STATE", "OWNER", "LAST OWNER", "SINCE"}, rows)
}

func nodeText(n rgmanager.NodeStatus) string {
	switch {
	case !n.On:
		return "off"
	case !n.Member:
		return "on, not a member"
	case !n.Manager:
		return "member, rgmanager starts"
	}
	return "member"
}

func guestText(list []lab.GuestInfo) string {
	var out []string
	for _, g := range list {
		text := g.Type + ":" + g.VM
		if g.Frozen {
			text += " (frozen)"
		}
		if g.Load > 0 {
			text += " " + strconv.FormatFloat(g.Load*100, 'f', -1, 64) + "%"
		}
		out = append(out, text)
	}
	return strings.Join(out, "  ")
}
