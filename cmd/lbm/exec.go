package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/syntax"
)

// execCommand looks at technologies that an administrator has defined.
func (w world) execCommand() *cli.Command {
	c := &cli.Command{
		Name: "exec", Usage: "technologies of your own, defined in " + vmexec.Dir,
		Description: "A technology is a file that says which programs look at a guest, start and stop it, and what their\n" +
			"answers mean; its VMs are <vmexec name=\"...\" type=\"TECHNOLOGY\"/> in cluster.conf.\n\n" +
			"   lbm exec list\n   lbm exec check lxc\n   lbm exec check lxc web",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "show the technologies that are defined on this node",
				Description: "   lbm exec list\n\nExit codes: 0 done, 1 a definition cannot be used.",
				Action: func(c *cli.Context) error {
					if c.Args().Present() {
						return tooMany(c, "lbm exec list takes no arguments")
					}
					return w.execList()
				},
			},
			{
				Name: "check", Usage: "look a definition over, and show what it would run", ArgsUsage: "TECHNOLOGY|FILE [VM]",
				Description: "Reads the definition of TECHNOLOGY on this node, or FILE (a path with a slash in it), tells every fault\n" +
					"with its place and what to write instead, and shows each command as it would be run. With the name of a\n" +
					"VM it also runs status, which only asks, and says what its answer means. Nothing is changed.\n\n" +
					"   lbm exec check lxc\n   lbm exec check lxc web\n   lbm exec check ./lxc.new web --dry-run\n\n" +
					"Exit codes: 0 clean, 1 errors, or status is unknown, 6 only warnings.",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "do not run status either"}},
				Action: func(c *cli.Context) error {
					if n := c.NArg(); n < 1 || n > 2 {
						return tooMany(c, "lbm exec check takes a technology or a file, and a VM")
					}
					return w.execCheck(c.Context, c.Args().First(), c.Args().Get(1), c.Bool("dry-run"))
				},
			},
		},
		Action: func(c *cli.Context) error {
			return tooMany(c, "lbm exec is followed by list or check")
		},
	}
	for _, s := range c.Subcommands {
		s.OnUsageError = usageError
	}
	return c
}

func (w world) execList() error {
	names, err := vmexec.Defined(w.host)
	if err != nil {
		return err
	}
	var cells [][]string
	bad := false
	for _, n := range names {
		d, err := vmexec.Load(w.host, n)
		if err != nil {
			bad = true
			cells = append(cells, []string{n, "-", "-", "-", err.Error()})
			continue
		}
		yes := map[bool]string{true: "yes", false: "no"}
		cells = append(cells, []string{n, yes[d.Saves()], yes[d.Migrates()], d.Digest, "ok"})
	}
	if err := term.Table(w.stdout, []string{"TECHNOLOGY", "KEEPS MEMORY", "MOVES LIVE", "DIGEST", "DEFINITION"}, cells); err != nil {
		return err
	}
	if bad {
		return cli.Exit("", exitFailed)
	}
	return nil
}

// execCheck looks over what is a technology's name or, with a slash in it, a file's.
func (w world) execCheck(ctx context.Context, what, vm string, dry bool) error {
	name, src, err := what, []byte(nil), error(nil)
	file := filepath.Join(vmexec.Dir, what)
	if strings.Contains(what, "/") {
		name, file = strings.TrimSuffix(filepath.Base(what), filepath.Ext(what)), what
		src, err = os.ReadFile(what)
	} else {
		src, err = vmexec.Read(w.host, what)
	}
	if err != nil {
		return err
	}
	d, diags := vmexec.Parse(name, file, src)
	for _, x := range diags {
		fmt.Fprint(w.stdout, x.Format())
	}
	if d == nil {
		return cli.Exit("", exitFailed)
	}
	shown, params := vm, w.execParams(vm)
	if vm == "" {
		shown = "NAME"
	}
	var cells [][]string
	missing := false
	for _, x := range d.Show(w.host, shown, params, "IMAGE", "NODE") {
		note := ""
		if x.Err != nil {
			missing = true
			note = x.Err.Error()
		}
		limit := "-"
		if x.Timeout > 0 {
			limit = x.Timeout.String()
		}
		cells = append(cells, []string{x.Name, limit, x.Command, note})
	}
	if err := term.Table(w.stdout, []string{"COMMAND", "TIMEOUT", "RUNS", "MISSING"}, cells); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "\n%s: %s; a VM of it is handed over %s\n", name, d.Digest, handedOver(d))
	switch {
	case vm != "" && !dry:
		if err := w.execStatus(ctx, d, vm, params); err != nil {
			return err
		}
	case missing:
		return cli.Exit("", exitFailed)
	}
	if missing {
		return cli.Exit("", exitFailed)
	}
	if len(diags) > 0 && !syntax.HasErrors(diags) {
		return cli.Exit("", exitWarnings)
	}
	return nil
}

func handedOver(d *vmexec.Definition) string {
	switch {
	case d.Migrates():
		return "live"
	case d.Saves():
		return "with its memory in an image"
	}
	return "cold, as its memory cannot be kept"
}

// execStatus asks what the VM is, and says how that is known.
func (w world) execStatus(ctx context.Context, d *vmexec.Definition, vm string, params map[string]string) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	x, err := d.Try(ctx, w.execTools(), vm, params)
	if err != nil {
		fmt.Fprintf(w.stdout, "%s is unknown here: %v\n", vm, err)
		return cli.Exit("", exitFailed)
	}
	fmt.Fprintf(w.stdout, "%s is %s here: %s\n", vm, x.State, strings.Join(x.Rows, "; "))
	return nil
}

func (w world) execTools() hypervisor.Tools {
	return hypervisor.Tools{Host: w.host, Clock: clock.System(), Query: w.run, Change: w.run}
}

// execParams are the parameters that cluster.conf gives the VM; none where nobody knows it.
func (w world) execParams(vm string) map[string]string {
	return w.execVMs()[vm]
}

// execVMs are the VMs of the type vmexec that cluster.conf names, with their parameters.
func (w world) execVMs() map[string]map[string]string {
	out := map[string]map[string]string{}
	conf, err := cluster.Configured(context.Background(), w.host, w.run, w.kind(context.Background()))
	if err != nil {
		return out // who asks about a VM goes by the definition alone
	}
	for _, m := range conf.Machines {
		if m.VMType == vmexec.Type {
			out[m.VM] = m.Params
		}
	}
	return out
}
