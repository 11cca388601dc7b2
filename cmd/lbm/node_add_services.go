package main

import (
	"context"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/setup"
)

// services are started by a person: what starts them in which order is the distribution's.
func (g *growth) services(member bool) {
	s := growStep{step: "services", node: g.name, state: growByHand, what: strings.Join(g.starts(), "; ")}
	if member {
		s.state, s.what = growDone, "it is a member, and rgmanager runs"
	}
	g.add(s)
}

// starts are the commands by which a node of this kind comes up.
func (g *growth) starts() []string {
	var names []string
	has := func(program, service string) {
		if _, ok := g.w.host.Has(program); ok {
			names = append(names, service)
		}
	}
	has("iscsiadm", "iscsi")
	has("multipath", "multipathd")
	names = append(names, "cman")
	has("clvmd", "clvmd")
	if all, err := setup.CountJournals(g.c.Context, g.w.host, nothing{}); err == nil {
		for _, j := range all {
			if !slices.Contains(names, j.Kind) {
				names = append(names, j.Kind)
			}
		}
	}
	has("vzctl", "vz")
	has("xm", "xend")
	has("virsh", "libvirtd")
	names = append(names, "lbvm", "rgmanager")
	var out []string
	for _, n := range names {
		out = append(out, "service "+n+" start")
	}
	return append(out, "chkconfig each of them on")
}

// nothing runs nothing: only the mounts are wanted.
type nothing struct{}

func (nothing) Run(context.Context, run.Command) (run.Result, error) {
	return run.Result{}, run.ErrNotFound
}
