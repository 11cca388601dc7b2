package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/doctor"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// scene is the cluster at one instant, as lbm nodes, status and show tell it. What could not be learned is in doubts.
type scene struct {
	at     time.Time
	id     host.Identity
	shared string // joined with the root; "" where the cluster has none
	st     cluster.Status
	facts  map[string]host.Facts // of the members that could be read
	closed map[string]string     // by member: why nothing is sent there
	halves []adopt.Half          // adoptions and removals that have begun and have no end
	config *balance.Config       // nil: there is none, or it cannot be used
	file   *conf.File
	logs   *balance.Logs
	doubts []string
	free   func(dir string) (int64, error)
	hangs  error // the shared storage does not answer, or is not mounted here: of what lies there nothing is known
}

func (w world) scene(ctx context.Context) (*scene, error) {
	s := &scene{at: w.clock.Now(), facts: map[string]host.Facts{}, closed: map[string]string{}, free: doctor.Free}
	var err error
	if s.id, err = w.host.Identity(); err != nil {
		return nil, refused(err)
	}
	if s.shared, err = w.sharedDir(ctx, s.id); ctx.Err() != nil {
		return nil, cli.Exit("interrupted: nothing was changed", exitInterrupted)
	} else if err != nil && !errors.Is(err, host.ErrNotShared) {
		s.hangs = err
	}
	if s.st, err = w.manager().Status(ctx); errors.Is(err, cluster.ErrNoStates) {
		s.doubts = append(s.doubts, err.Error())
	} else if err != nil {
		return nil, err
	}
	for _, m := range s.st.Members {
		if s.shared == "" {
			break
		}
		f, err := host.ReadFacts(s.shared, m.Name)
		if err == nil {
			s.facts[m.Name] = f
		} else if !errors.Is(err, fs.ErrNotExist) {
			s.doubts = append(s.doubts, err.Error())
		}
		why, err := host.Closed(s.shared, m.Name)
		if err != nil {
			why = err.Error()
			s.doubts = append(s.doubts, why)
		}
		s.closed[m.Name] = why
	}
	if s.hangs != nil {
		return s, nil
	}
	if s.shared != "" {
		if s.halves, err = adopt.Halves(s.shared); err != nil {
			s.doubts = append(s.doubts, err.Error())
		}
	}
	if s.file, err = w.configuration(ctx); err != nil {
		s.doubts = append(s.doubts, err.Error())
		return s, nil
	}
	if s.config, err = w.ruleConfig(evalQuery{}); err != nil {
		s.doubts = append(s.doubts, err.Error())
		return s, nil
	}
	s.logs = s.config.Logs(w.host.Path(s.config.Paths.LogDir)).At(s.at)
	return s, nil
}

// stale is how old samples and facts may be.
func (s *scene) stale() time.Duration {
	if s.file != nil {
		return s.file.Stale
	}
	return conf.DefaultStale * conf.DefaultInterval
}

// value is the newest sample of a resource, if it is not stale.
func (s *scene) value(node, resource string) (v float64, age time.Duration, err error) {
	if s.logs == nil {
		return 0, 0, balance.ErrNoData
	}
	list, err := s.logs.Window(node, resource, s.at.Add(-s.stale()), s.at)
	if err != nil || len(list) == 0 {
		return 0, 0, errors.Join(err, balance.ErrNoData)
	}
	return list[0].Value, s.at.Sub(list[0].At), nil
}

// record is the hand-off record of a VM; known is false where there is none to read.
func (s *scene) record(v cluster.Service) (st handoff.State, known bool, err error) {
	if s.shared == "" || v.VMType == "vm" {
		return st, false, nil
	}
	st, err = handoff.ReadState(s.shared, v.VMType, v.VM)
	return st, err == nil && st.Phase != handoff.NoRecord, err
}

// guests counts the VMs that the manager has on a node.
func (s *scene) guests(node string) (n int) {
	for _, v := range s.st.Services {
		if v.VM != "" && v.Owner == node {
			n++
		}
	}
	return n
}

// moves are those of the journal since then.
func (w world) moves(s *scene, since time.Time) ([]balance.Move, error) {
	if s.hangs != nil {
		return nil, nil
	}
	return w.journal(s.id).Since(since)
}

// unseen ends a command that has shown what is known without the shared storage.
func (s *scene) unseen() error {
	if s.hangs == nil {
		return nil
	}
	return cli.Exit("", exitUnknown)
}

// lastPass is when the balancer decided last, on any node; the zero time where it never did.
func (w world) lastPass(s *scene) (time.Time, error) {
	if s.hangs != nil {
		return time.Time{}, nil
	}
	at, _, err := balance.LastView(filepath.Join(w.host.Path(s.id.LogDir), balance.PassesName), s.at.Add(time.Second))
	return at, err
}

// ago is an age for a person.
func ago(d time.Duration) string {
	if d < 0 {
		return "in the future"
	}
	if d >= time.Hour {
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm ago", int(d.Hours()), int(d.Minutes())%60)
	}
	if d >= time.Minute {
		return fmt.Sprintf("%dm%02ds ago", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds ago", int(d.Seconds()))
}

// some is nil for the zero value, which is unknown.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
