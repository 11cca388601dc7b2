package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
)

// completes lets a shell complete the names of VMs, nodes and services, where a command takes them.
func (w world) completes(commands []*cli.Command) {
	for _, c := range commands {
		w.completes(c.Subcommands)
		takes := strings.Fields(c.ArgsUsage)
		if c.BashComplete != nil || !strings.Contains(c.ArgsUsage, "VM") && !strings.Contains(c.ArgsUsage, "NODE") && !strings.Contains(c.ArgsUsage, "SERVICE") {
			continue
		}
		options := cli.DefaultCompleteWithFlags(c)
		c.BashComplete = func(ctx *cli.Context) {
			if n := len(os.Args); n > 2 && strings.HasPrefix(os.Args[n-2], "-") { // as cli finds out that an option is begun
				options(ctx)
			}
			for _, name := range w.namesOf(ctx, takes[min(ctx.NArg(), len(takes)-1)]) {
				fmt.Fprintln(w.stdout, name)
			}
		}
	}
}

// namesOf are the names that may stand in the place of a word of a command's usage.
func (w world) namesOf(c *cli.Context, word string) []string {
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	conf, err := cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
	if err != nil {
		return nil // a shell that completes has no use for a reason
	}
	var out []string
	if strings.Contains(word, "NODE") {
		out = append(out, conf.Nodes...)
	}
	if strings.Contains(word, "VM") || strings.Contains(word, "SERVICE") {
		count := map[string]int{}
		for _, m := range conf.Machines {
			count[m.VM]++
		}
		for _, m := range conf.Machines {
			name := m.VM
			if count[name] > 1 { // of two types
				name = m.VMType + ":" + name
			}
			out = append(out, name)
		}
	}
	if strings.Contains(word, "SERVICE") && conf.Document != nil {
		for _, s := range conf.Document.Services() {
			if !slices.Contains(out, s.Name) { // a service bears its VM's name as a rule
				out = append(out, s.Name)
			}
		}
	}
	// bash expands what it is given: a name that is none is not given.
	return slices.DeleteFunc(out, func(n string) bool {
		typ, name, typed := strings.Cut(n, ":")
		return host.CheckName(typ) != nil || typed && host.CheckName(name) != nil
	})
}
