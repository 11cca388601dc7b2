package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) ccsGet() *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "print elements, or the values of an attribute", ArgsUsage: "XPATH [ATTR]", Flags: []cli.Flag{fileFlag(), outputFlag()},
		Description: "Exit code 1 where XPATH selects nothing.\n\n" +
			"   lbm ccs get //clusternode name\n   lbm ccs get \"//service[@name='web']\"",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 2); err != nil {
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
			found, err := d.Find(c.Args().First())
			if err != nil {
				return cli.Exit(err, exitUsage)
			}
			if len(found) == 0 {
				return cli.Exit(fmt.Sprintf("%s selects nothing in %s", c.Args().First(), d.Name()), exitFailed)
			}
			return w.get(d, found, c.Args().Get(1), asJSON)
		},
	}
}

func (w world) get(d *ccs.Document, found []ccs.Element, attr string, asJSON bool) error {
	type row struct {
		Line  int               `json:"line"`
		Tag   string            `json:"tag"`
		Attrs map[string]string `json:"attrs"`
		Text  string            `json:"text"`
	}
	rows, src, has := []row{}, d.Bytes(), false
	for _, e := range found {
		if attr != "" {
			v, ok := e.Attr(attr)
			if !ok {
				continue
			}
			if has = true; !asJSON {
				fmt.Fprintln(w.stdout, v)
				continue
			}
		}
		start, end := e.Span()
		r := row{Tag: e.Tag(), Attrs: map[string]string{}, Text: string(src[start:end])}
		r.Line, _ = e.Position()
		for _, a := range e.Attrs() {
			if attr == "" || a.Name == attr {
				r.Attrs[a.Name] = a.Value
			}
		}
		rows = append(rows, r)
		if !asJSON {
			fmt.Fprintln(w.stdout, r.Text)
		}
	}
	if attr != "" && !has {
		return cli.Exit(fmt.Sprintf("no element there has the attribute %q", attr), exitFailed)
	}
	if asJSON {
		return term.JSON(w.stdout, struct {
			Elements []row `json:"elements"`
		}{rows})
	}
	return nil
}

func (w world) ccsValidate() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check a file as the cluster manager reads it", ArgsUsage: "[FILE]", Flags: []cli.Flag{fileFlag(), outputFlag()},
		Description: "With the metadata of the agents that are installed here, and with the cluster's own schema where xmllint and\n" +
			"cluster.rng are installed.\n\n   lbm ccs validate\n   lbm ccs validate /root/cluster.conf.new\n\n" +
			"Exit codes: 0 clean, 1 errors, 6 only warnings.",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 1); err != nil {
				return err
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			file := c.Args().First()
			if file != "" && c.String("file") != "" {
				return cli.Exit("it is FILE or --file FILE", exitUsage)
			}
			if file == "" {
				file, _ = w.confFile(c)
			}
			return w.validate(c, file, asJSON)
		},
	}
}

type findingRow struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Text     string `json:"text"`
	Why      string `json:"why"`
}

func (w world) validate(c *cli.Context, file string, asJSON bool) error {
	rows := []findingRow{}
	schema := "not checked"
	d, err := ccs.Load(file)
	var syntax *ccs.SyntaxError
	switch {
	case errors.As(err, &syntax):
		rows = append(rows, findingRow{"error", file, syntax.Line, syntax.Col, syntax.Msg, "no program of the cluster can read it"})
	case err != nil:
		return err
	default:
		rules, err := w.rules(c.Context)
		if err != nil {
			return err
		}
		for _, f := range d.Check(rules) {
			rows = append(rows, findingRow{f.Severity.String(), f.File, f.Line, f.Col, f.Text, f.Why})
		}
		var said []string
		if schema, said, err = w.schema(c.Context, file); err != nil {
			return err
		}
		for _, text := range said {
			rows = append(rows, findingRow{Severity: "error", File: file, Text: text, Why: "cman_tool version -r refuses it"})
		}
	}
	if asJSON {
		if err := term.JSON(w.stdout, struct {
			File     string       `json:"file"`
			Schema   string       `json:"schema"`
			Findings []findingRow `json:"findings"`
		}{file, schema, rows}); err != nil {
			return err
		}
	} else {
		for _, r := range rows {
			at := r.File
			if r.Line > 0 {
				at = fmt.Sprintf("%s:%d:%d", r.File, r.Line, r.Col)
			}
			fmt.Fprintf(w.stdout, "%s: %s: %s (%s)\n", at, r.Severity, r.Text, r.Why)
		}
		fmt.Fprintf(w.stdout, "%s: %d findings; the cluster's schema: %s\n", file, len(rows), schema)
	}
	is := func(severity string) bool {
		return slices.ContainsFunc(rows, func(r findingRow) bool { return r.Severity == severity })
	}
	switch {
	case is("error"):
		return cli.Exit("", exitFailed)
	case is("warning"):
		return cli.Exit("", exitWarnings)
	}
	return nil
}

// schemaFiles is where the suite keeps its schema.
func schemaFiles() []string {
	return []string{"/var/lib/cluster/cluster.rng", "/usr/share/cluster/cluster.rng"}
}

// schema checks a file with the cluster's own schema, where that is installed.
func (w world) schema(ctx context.Context, file string) (state string, said []string, err error) {
	rng := ""
	for _, f := range schemaFiles() {
		if _, err := os.Stat(w.host.Path(f)); err == nil {
			rng = w.host.Path(f)
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	if rng == "" {
		return "not installed", nil, nil
	}
	xmllint, err := w.host.Lookup("xmllint")
	if err != nil {
		return "not checked, since xmllint is not installed", nil, nil
	}
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	out, err := w.run.Run(ctx, run.Command{Argv: []string{xmllint, "--noout", "--relaxng", rng, file}, Env: w.host.Environ()})
	if err != nil {
		return "", nil, fmt.Errorf("checking %s with %s: %w", file, rng, err)
	}
	if out.Code == 0 {
		return "valid", nil, nil
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out.Stderr)), "\n") {
		if line = strings.TrimPrefix(line, file+":"); line != "" && !strings.HasSuffix(line, "fails to validate") {
			said = append(said, "schema: "+line)
		}
	}
	if len(said) == 0 {
		said = []string{fmt.Sprintf("schema: xmllint ended with code %d", out.Code)}
	}
	return "not valid", said, nil
}
