package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// besideConf is a file beside cluster.conf, or beside what that is a link to.
func (w world) besideConf(suffix string) string {
	own := w.host.Path(host.ClusterXML)
	if target, err := filepath.EvalSymlinks(own); err == nil {
		own = target
	}
	return own + suffix
}

// published is the end of the name of the copy that is made of what was published. An editor does not touch it.
const published = ".lbvm-published"

func (w world) keepPublished(doc *ccs.Document) error {
	return atomicfile.Write(w.besideConf(published), doc.Bytes(), atomicfile.Options{Like: w.besideConf("")})
}

// runningDocument finds the text of the version with which the cluster runs. A file that somebody has edited without
// raising its version has the number of that version and not its text. So what the administrator names, what the
// cluster itself shows (RHEL 6) and what was published from here come before the file before the edit and what an
// edit kept; and what bump found or kept is no evidence, since bump is for files that were edited by hand.
func (w world) runningDocument(c *cli.Context, running uint64, before, after *ccs.Document) (*ccs.Document, error) {
	is := func(d *ccs.Document) bool { v, err := d.Version(); return err == nil && v == running }
	if named := c.String("running"); named != "" {
		d, err := ccs.Load(named)
		if err == nil && !is(d) {
			v, _ := d.Version()
			err = fmt.Errorf("%s has version %d, and the cluster runs with %d", named, v, running)
		}
		return d, err
	}
	if d := w.dumped(c); d != nil && is(d) {
		return d, nil
	}
	kept := w.besideConf(fmt.Sprintf(".lbvm-%d", running))
	for _, file := range []string{w.besideConf(published), kept} {
		if file == kept && before != nil && is(before) {
			break
		}
		switch d, err := ccs.Load(file); {
		case err == nil && is(d):
			if file == kept && w.bumped(d, running, after) {
				return nil, fmt.Errorf("the cluster runs with version %d, and %s may have been edited by hand before lbm ccs bump kept it", running, file)
			}
			return d, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if before != nil && is(before) {
		if c.Command.Name != "bump" {
			return before, nil
		}
		return nil, fmt.Errorf("the cluster runs with version %d, of which no copy is here that was not edited by hand", running)
	}
	return nil, fmt.Errorf("the cluster runs with version %d, of which no copy is here", running)
}

// bumped tells whether the version after d was made by raising its number and nothing else.
func (w world) bumped(d *ccs.Document, version uint64, newest *ccs.Document) bool {
	next := newest
	if kept, err := ccs.Load(w.besideConf(fmt.Sprintf(".lbvm-%d", version+1))); err == nil {
		next = kept
	}
	bump, err := d.Bump()
	if err != nil {
		return false
	}
	raised, err := d.Apply(bump)
	return err == nil && bytes.Equal(raised.Bytes(), next.Bytes())
}

// dumped is what the cluster of RHEL 6 says that it runs with, nil where it says nothing.
func (w world) dumped(c *cli.Context) *ccs.Document {
	program, err := w.host.Lookup("ccs_config_dump")
	if err != nil {
		return nil
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	out, err := w.run.Run(ctx, run.Command{Argv: []string{program}, Env: w.host.Environ(), MaxOutput: ccs.MaxBytes})
	if err != nil || out.Code != 0 {
		return nil
	}
	d, err := ccs.Parse("the running configuration", out.Stdout)
	if err != nil {
		return nil
	}
	return d
}
