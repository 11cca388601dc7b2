package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// publishedSuffix makes the name of the copy of what lbm has published last.
const publishedSuffix = ".lbvm-published"

func runningFlag() cli.Flag {
	return &cli.StringFlag{Name: "running", Usage: "the `FILE` with which the cluster runs, where lbm cannot find it"}
}

// realConf is the cluster's own file behind symbolic links: what belongs to it lies beside it.
func (w world) realConf() string {
	own := w.host.Path(host.ClusterXML)
	if real, err := filepath.EvalSymlinks(own); err == nil {
		return real
	}
	return own
}

// keepPublished keeps what the cluster runs with from now on: the file itself may be edited by hand at any time.
func (w world) keepPublished(d *ccs.Document) error {
	real := w.realConf()
	if err := atomicfile.Write(real+publishedSuffix, d.Bytes(), atomicfile.Options{Like: real}); err != nil {
		return fmt.Errorf("keeping what was published: %w", err)
	}
	return nil
}

// runningDocument finds the text of the version with which the cluster runs, the surest first: what the administrator
// names; on RHEL 6 what the cluster itself shows; what lbm has published; the file before this edit, or the copy that
// an edit kept. The last two have the version, but somebody may have edited the file without raising it: a bump says so.
func (w world) runningDocument(c *cli.Context, running uint64, before, after *ccs.Document) (*ccs.Document, error) {
	is := func(d *ccs.Document) bool { v, err := d.Version(); return err == nil && v == running }
	if named := c.String("running"); named != "" {
		d, err := ccs.Load(named)
		if err == nil && !is(d) {
			v, _ := d.Version() // 0 where it has none
			err = fmt.Errorf("%s has version %d, and the cluster runs with %d", named, v, running)
		}
		return d, err
	}
	if d := w.dumped(c.Context); d != nil && is(d) {
		return d, nil
	}
	real := w.realConf()
	kept := func(n uint64) string { return fmt.Sprintf("%s.lbvm-%d", real, n) }
	for _, name := range []string{real + publishedSuffix, kept(running)} {
		if before != nil && name == kept(running) && is(before) {
			if c.Command.Name == "bump" {
				return nil, errByHand(running)
			}
			return before, nil
		}
		d, err := ccs.Load(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !is(d) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if name != kept(running) {
			return d, nil
		}
		next := after
		if x, err := ccs.Load(kept(running + 1)); err == nil {
			next = x
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if bumped(d, next) {
			return nil, errByHand(running)
		}
		return d, nil
	}
	return nil, fmt.Errorf("the cluster runs with version %d, of which no copy is here", running)
}

func errByHand(running uint64) error {
	return fmt.Errorf("the cluster runs with version %d, and the file of that version was raised by a bump, so somebody may have edited it by hand before", running)
}

// bumped tells whether next is d with a greater version and nothing else.
func bumped(d, next *ccs.Document) bool {
	edit, err := d.Bump()
	if err != nil {
		return false
	}
	raised, err := d.Apply(edit)
	return err == nil && bytes.Equal(raised.Bytes(), next.Bytes())
}

// dumped is what RHEL 6's cluster shows of its configuration, nil where it shows none that can be read.
func (w world) dumped(ctx context.Context) *ccs.Document {
	program, err := w.host.Lookup("ccs_config_dump")
	if err != nil {
		return nil
	}
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
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

// explainsAll looks whether all that the cluster manager runs is in the configuration that it is said to run with. What
// is not would be stopped, or is of a type whose agent is gone, and no comparison would show it.
func (w world) explainsAll(ctx context.Context, old *ccs.Document, rules ccs.Rules) error {
	started, err := cluster.StartedGroups(ctx, w.host, w.run, w.clock)
	if err != nil {
		fmt.Fprintln(w.stderr, "lbm: warning: what the cluster manager runs could not be compared with the configuration:", err)
		return nil
	}
	tree := old.ResourceTree(rules)
	unknown := slices.DeleteFunc(started, func(id string) bool { return tree.Group(id) != nil })
	if len(unknown) > 0 {
		return fmt.Errorf("the cluster runs %s, which is not in %s as this node's agents read it", strings.Join(unknown, ", "), old.Name())
	}
	return nil
}

func sameText(a, b *ccs.Document) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }

// published looks whether an edit that had nothing to change has reached the cluster before.
func (w world) published(c *cli.Context, d *ccs.Document) error {
	version, err := d.Version()
	if err != nil {
		return refused(err)
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	running, err := cluster.NewPublisher(w.host, w.run).Running(ctx)
	if err != nil {
		return refused(err)
	}
	if running != version {
		return refused(fmt.Errorf("nor published, and the cluster runs with version %d and %s has %d: see lbm ccs update", running, d.Name(), version))
	}
	return nil
}
