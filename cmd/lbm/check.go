package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/check"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "look lbvm.conf over: all errors and warnings, of every rule", ArgsUsage: "[FILE]",
		Description: "Reads lbvm.conf (this node's, or FILE), the lbresources.conf that it names, and compiles every algorithm.\n" +
			"Each finding has its place, the line, and what to write instead. The VMs are compared with cluster.conf,\n" +
			"or with Pacemaker's configuration, where there is one. FILE may be an lbresources.conf as well. Nothing is changed, and the cluster need not run.\n\n" +
			"A warning is something that Perl accepts and that you hardly meant. lbmonitor runs with warnings; a rule\n" +
			"with an error costs its own VM only, an error outside of the rules stops the whole balancing.\n\n" +
			"   lbm check\n   lbm check /root/lbvm.conf.new\n   lbm check /root/lbvm.conf.new --resources /root/lbresources.conf.new\n" +
			"   lbm check -o json\n\n" +
			"Exit codes: 0 clean, 1 errors, 6 only warnings.",
		Flags: []cli.Flag{outputFlag(),
			&cli.StringFlag{Name: "resources", Usage: "another lbresources.conf than lbvm.conf names: `FILE`"},
			&cli.StringFlag{Name: "cluster", Usage: "compare the VMs with a cluster.conf: `FILE`"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return tooMany(c, "lbm check takes one file")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.check(c.Context, checkFiles{c.Args().First(), c.String("resources"), c.String("cluster")}, asJSON)
		},
	}
}

// checkFiles are files as a person names them; "" is the node's own.
type checkFiles struct{ conf, resources, cluster string }

func (w world) check(ctx context.Context, files checkFiles, asJSON bool) error {
	in := check.Input{Conf: files.conf, Resources: files.resources, Read: func(path string) ([]byte, error) {
		if path == files.conf || path == files.resources {
			return os.ReadFile(path)
		}
		return os.ReadFile(w.host.Path(path))
	}}
	if in.Conf == "" {
		in.Conf = host.ConfFile
	}
	in.Technology = func(name string) error {
		_, err := vmexec.Load(w.host, name)
		return err
	}
	in.Program = func(path string) error {
		fi, err := os.Stat(w.host.Path(path))
		if err == nil && (!fi.Mode().IsRegular() || fi.Mode()&0o111 == 0) {
			err = fmt.Errorf("%s cannot be executed", path)
		}
		return err
	}
	in.Manager = cluster.Installed(w.host)
	compared, err := w.compared(ctx, &in, files.cluster)
	if err != nil {
		return err
	}
	if files.conf == "" && files.cluster == "" { // the file that is in place
		in.Sight = w.sight(ctx)
	}
	lost, err := w.lost(ctx, files)
	if err != nil {
		return err
	}
	found, err := check.Run(in)
	if errors.Is(err, fs.ErrNotExist) && files.conf == "" {
		if len(lost) > 0 && !asJSON { // it needs no lbvm.conf
			fmt.Fprintln(w.stdout, strings.Join(lost, "\n"))
			return nil
		}
		return w.missing(err)
	}
	if err != nil {
		return err
	}
	rows := []checkRow{}
	for _, f := range found {
		rows = append(rows, row(f))
	}
	failed, warned := count(found, conf.Error), count(found, conf.Warning)
	if asJSON {
		if err := term.JSON(w.stdout, struct {
			File     string     `json:"file"`
			Cluster  string     `json:"cluster"`
			Errors   int        `json:"errors"`
			Warnings int        `json:"warnings"`
			Findings []checkRow `json:"findings"`
			Lost     []string   `json:"lost,omitempty"` // in a cluster without a shared file system
		}{in.Conf, compared, failed, warned, rows, lost}); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			d := f.Diagnostic
			if f.Code != "" {
				d.Text += " [" + f.Code + "]"
			}
			fmt.Fprint(w.stdout, w.painted(d))
		}
		fmt.Fprintf(w.stdout, "%s: %s, %s; %s: %s\n", in.Conf, plural(failed, "error"), plural(warned, "warning"), cmp.Or(in.Where, "cluster.conf"), compared)
		for _, l := range lost {
			fmt.Fprintln(w.stdout, l)
		}
	}
	switch {
	case failed > 0:
		return cli.Exit("", exitFailed)
	case warned > 0:
		return cli.Exit("", exitWarnings)
	}
	return nil
}

// lost is what this node's cluster does without, where it has no shared file system.
func (w world) lost(ctx context.Context, files checkFiles) ([]string, error) {
	id, err := w.host.Identity()
	if err == nil {
		_, err = w.sharedDir(ctx, id)
	}
	if !errors.Is(err, host.ErrNotShared) {
		return nil, nil // what else may be wrong with it is said by who needs it
	}
	c, err := w.configured(ctx, files.cluster)
	if err != nil {
		return nil, err
	}
	return lossesOf(c), nil
}

// pacemakerConfiguration is how messages name what stands for cluster.conf with Pacemaker.
const pacemakerConfiguration = "Pacemaker's configuration"

// configured is the configuration of this node's cluster, or that of a cluster.conf that a person names.
func (w world) configured(ctx context.Context, file string) (cluster.Configuration, error) {
	if file != "" {
		doc, err := ccs.Load(file)
		if err != nil {
			return cluster.Configuration{}, err
		}
		return cluster.ConfigurationOf(doc), nil
	}
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	return cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
}

// compared reads what the configuration is compared with, and says whether it could.
func (w world) compared(ctx context.Context, in *check.Input, file string) (string, error) {
	if id, err := w.host.Identity(); err == nil {
		in.LogDir = id.LogDir
	} else if !errors.Is(err, host.ErrNoIdentity) {
		return "", err
	}
	if file == "" && w.kind(ctx) == cluster.NamePacemaker {
		in.Where = pacemakerConfiguration
	}
	d, err := w.configured(ctx, file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && file == "":
		return "not compared, it is not here", nil
	case err != nil && file == "":
		fmt.Fprintln(w.stderr, "lbm:", err)
		return "not compared, it cannot be read", nil
	case err != nil:
		return "", err
	}
	if in.Machines = d.Machines; in.Machines == nil {
		in.Machines = []cluster.Service{}
	}
	return "compared", nil
}

// checkRow is a finding in JSON. Its fields stay.
type checkRow struct {
	Severity string  `json:"severity"` // error, warning
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Col      int     `json:"col"`
	VM       *string `json:"vm"`   // whose block it is in, "default" included
	Code     *string `json:"code"` // W1 and so on, of the rule language's warnings
	Text     string  `json:"text"`
	Hint     string  `json:"hint"` // what to write instead, or ""
	Source   string  `json:"source"`
}

func row(f check.Finding) checkRow {
	r := checkRow{Severity: f.Severity.String(), File: f.File, Line: f.Line, Col: f.Col, Text: f.Text, Hint: f.Hint, Source: f.Source}
	if f.VM != "" {
		r.VM = &f.VM
	}
	if f.Code != "" {
		r.Code = &f.Code
	}
	return r
}

func count(found []check.Finding, s conf.Severity) int {
	return len(slices.DeleteFunc(slices.Clone(found), func(f check.Finding) bool { return f.Severity != s }))
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
