package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
)

func (w world) purgeCommand() *cli.Command {
	return &cli.Command{
		Name: "purge", Usage: "delete the originals of adopted VMs on this node", ArgsUsage: "[VM]",
		Description: "lbm add renames what a VM was made of to *.lbvm-orig. Once the VM runs well from the shared storage they can go.\n" +
			"Originals of a VM that the cluster has never started are kept, and those whose copy is gone, unless --all is said.\n" +
			"Where something is mounted within one, nothing is deleted.\n\n" +
			"   lbm purge --dry-run\n   lbm purge 101\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 refused and nothing changed, 5 some were kept.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be deleted"},
			&cli.BoolFlag{Name: "all", Usage: "those also of VMs that the cluster has never started, or whose copy is gone"},
			&cli.BoolFlag{Name: "yes", Usage: "no question"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return tooMany(c, "lbm purge takes one VM at the most")
			}
			a, err := w.adopter(c)
			if err != nil {
				return err
			}
			return w.purge(c, a)
		},
	}
}

func (w world) purge(c *cli.Context, a adopt.Adopter) error {
	found, err := a.Originals(c.Context)
	if err != nil {
		return refused(err)
	}
	var gone, stay []adopt.Original
	var kept []string
	for _, o := range found {
		_, vm, _ := strings.Cut(o.Ref, ":")
		if n := c.Args().First(); n != "" && n != vm && n != o.Ref {
			continue
		}
		if o.Unproved != "" && !c.Bool("all") {
			stay = append(stay, o)
			if !slices.Contains(kept, o.Unproved) {
				kept = append(kept, o.Unproved)
			}
			continue
		}
		gone = append(gone, o)
	}
	if len(gone)+len(stay) == 0 {
		if n := c.Args().First(); n != "" {
			fmt.Fprintf(w.stdout, "no originals of a VM %q are on this node (lbm purge --dry-run shows all)\n", n)
			return nil
		}
		fmt.Fprintln(w.stdout, "no originals are on this node")
		return nil
	}
	for _, o := range gone {
		fmt.Fprintf(w.stdout, "delete %s, %d MiB, of %s\n", o.Path, o.Bytes>>20, o.Ref)
	}
	for _, o := range stay {
		fmt.Fprintf(w.stdout, "keep   %s, %d MiB, of %s\n", o.Path, o.Bytes>>20, o.Ref)
	}
	left := func() error {
		if len(stay) == 0 {
			return nil
		}
		return cli.Exit(strings.Join(kept, "; ")+": kept (--all deletes them too)", exitPartly)
	}
	if c.Bool("dry-run") || len(gone) == 0 {
		return left()
	}
	if !c.Bool("yes") {
		if err := w.confirm(c.Context, "What is deleted cannot be brought back.", "purge"); err != nil {
			return err
		}
	}
	for i, o := range gone {
		if err := a.Purge(o); err != nil {
			return cli.Exit(fmt.Sprintf("%v; changed so far: %d of %d are deleted; mend that, and lbm purge again", err, i, len(gone)), exitFailed)
		}
	}
	return left()
}
