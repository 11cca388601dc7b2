package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

type runs func(context.Context, run.Command) (run.Result, error)

func (f runs) Run(ctx context.Context, c run.Command) (run.Result, error) { return f(ctx, c) }

// Nothing ends a tool that writes journals into a mounted file system: neither Ctrl-C nor a limit. What only counts has one.
func TestAddingJournalsIsNotCutShort(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755))
	for _, p := range []string{"gfs_tool", "gfs_jadd", "gfs2_tool", "gfs2_jadd"} {
		must(t, os.WriteFile(filepath.Join(root, "usr/sbin", p), []byte("#!/bin/false\n"), 0o755))
	}
	h, err := host.New(root)
	must(t, err)
	for _, kind := range []string{"gfs", "gfs2"} {
		ctx, interrupt := context.WithCancel(context.Background())
		defer interrupt()
		have, added := "3", 0
		r := runs(func(ctx context.Context, c run.Command) (run.Result, error) {
			_, limited := ctx.Deadline()
			if !strings.HasSuffix(c.Argv[0], "_jadd") {
				if !limited {
					t.Errorf("%s has no limit", c.Argv)
				}
				if kind == "gfs" {
					return run.Result{Stdout: []byte("/gfs:\n  Journals = " + have + "\n")}, ctx.Err()
				}
				return run.Result{Stdout: []byte(have + " journal(s) found.\n")}, ctx.Err()
			}
			interrupt() // Ctrl-C while it writes
			if limited || ctx.Err() != nil {
				t.Errorf("%s is ended by a limit (%v) or by an interrupt (%v)", c.Argv, limited, ctx.Err())
			}
			added++
			have = "4"
			return run.Result{}, nil
		})
		j := Journals{Kind: kind, Mount: "/gfs"}
		if err := j.Add(ctx, h, r, 4); err != nil || added != 1 {
			t.Errorf("%s: %v, added %d times", kind, err, added)
		}
		have = "3"
		if err := j.Add(ctx, h, r, 4); !errors.Is(err, context.Canceled) || added != 1 {
			t.Errorf("%s, interrupted before: %v, added %d times", kind, err, added)
		}
	}
}
