package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/internal/check"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
)

// sightLimit is how long lbm check waits for the cluster manager, which need not run.
const sightLimit = 15 * time.Second

// sight tells how this node sees the folder of the logs; nil where it is no node of a cluster.
func (w world) sight(ctx context.Context) *check.Sight {
	id, err := w.host.Identity()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sightLimit)
	defer cancel()
	c, err := cluster.Configured(ctx, w.host, w.run, w.kind(ctx))
	if err != nil {
		return nil // said by what is compared with it
	}
	s := &check.Sight{Dir: w.host.Path, Nodes: len(c.Nodes), Now: w.clock.Now()}
	s.Type = func(dir string) string {
		typ, err := w.host.FileSystem(dir)
		if err != nil { // it is not there: its logs are missed below
			return ""
		}
		return typ
	}
	shared, err := w.sharedDir(ctx, id)
	switch {
	case errors.Is(err, host.ErrNotShared):
	case err != nil:
		s.Shared = err
	default:
		s.Common = func(dir string) bool {
			rel, err := filepath.Rel(shared, w.host.Path(dir))
			return err == nil && filepath.IsLocal(rel)
		}
		s.Facts = func(member string) (time.Time, bool) {
			f, err := host.ReadFacts(shared, member)
			return f.At, err == nil && !f.At.IsZero()
		}
	}
	st, err := w.manager().Status(ctx)
	if err != nil && !errors.Is(err, cluster.ErrNoStates) {
		return s // nobody knows who is up
	}
	for _, m := range st.Members {
		if m.Online && m.Manager && !m.Estranged && m.Name != id.Member {
			s.Peers = append(s.Peers, m.Name)
		}
	}
	return s
}
