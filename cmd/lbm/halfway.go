package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// halves are the adoptions and removals that have begun and have no end. Without shared storage there are none; of one that does not
// answer, or is not mounted here, nothing is known, which is said by who needs it.
func (w world) halves(ctx context.Context) (list []adopt.Half, known bool, err error) {
	id, err := w.host.Identity()
	if err != nil {
		return nil, false, nil
	}
	shared, err := w.sharedDir(ctx, id)
	if err != nil {
		return nil, errors.Is(err, host.ErrNotShared), nil
	}
	list, err = adopt.Halves(shared)
	return list, err == nil, err
}

// orHalf adds to an error which says that there is no such VM what has become of one that is being taken in or given back.
func (w world) orHalf(ctx context.Context, name string, err error) error {
	if !errors.Is(err, errNoVM) {
		return err
	}
	halves, _, herr := w.halves(ctx)
	if herr != nil {
		return errors.Join(err, herr)
	}
	for _, h := range halves {
		if name == h.VM || name == h.Ref() {
			return fmt.Errorf("%w; %s; %s", err, h.Text(), h.Next())
		}
	}
	return err
}

// halfRow is one of them for programs.
type halfRow struct {
	VM    string     `json:"vm"`
	Kind  string     `json:"kind"` // adoption, removal
	Node  string     `json:"node"`
	Step  *string    `json:"step"`
	Since *time.Time `json:"since"`
	Text  string     `json:"text"`
	Next  string     `json:"next"`
}

// halfRows is nil, null in JSON, where they are not known.
func halfRows(halves []adopt.Half, known bool) []halfRow {
	if !known {
		return nil
	}
	out := []halfRow{}
	for _, h := range halves {
		out = append(out, halfRow{h.Ref(), h.Kind(), h.Member, some(h.Step), some(h.At), h.Text(), h.Next()})
	}
	return out
}

// ofHalves: a VM that is taken in or given back is started by nobody before that has come to its end.
func (s *scene) ofHalves() (out []problem) {
	for _, h := range s.halves {
		text := h.Text()
		if !h.At.IsZero() {
			text += ", " + ago(s.at.Sub(h.At))
		}
		out = append(out, problem{mild, h.Ref(), text, h.Next()})
	}
	return out
}

// ofVersion: a cluster.conf that the cluster does not run with yet. What else is wrong with versions is the doctor's to find.
func (w world) ofVersion(ctx context.Context) []problem {
	if w.kind(ctx) != cluster.NameRGManager {
		return nil
	}
	doc, err := ccs.Load(w.host.Path(host.ClusterXML))
	if err != nil {
		return nil
	}
	version, err := doc.Version()
	if err != nil {
		return nil
	}
	running, err := cluster.NewPublisher(w.host, w.run).Running(ctx)
	if err != nil || running >= version {
		return nil
	}
	return []problem{{mild, "cluster", fmt.Sprintf("cluster.conf of this node has version %d, and the cluster runs with %d: what was changed in it does not hold yet", version, running), "lbm ccs update --dry-run shows what it would do, lbm ccs update publishes it"}}
}
