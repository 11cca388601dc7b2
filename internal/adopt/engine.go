package adopt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// Errors.
var (
	// ErrRefused says that nothing was changed, and why.
	ErrRefused = errors.New("refused")
	// ErrNone says that there is nothing to resume or to take back.
	ErrNone = fmt.Errorf("%w: no adoption is unfinished", ErrRefused)
	// ErrUndone says that a step has failed, and that all is as it was before.
	ErrUndone = errors.New("all is as it was before")
	// ErrHalf says that a run has ended between two steps: Resume or Undo is next.
	ErrHalf = errors.New("not finished")
	// ErrPeers says that it is done here, and that another node still lacks its part.
	ErrPeers = errors.New("done on this node, and not on all others")
)

// died is the error of a crash point: the run is over, as if it had been killed.
type died struct{ error }

func (d died) Unwrap() error { return d.error }

// Adopter takes VMs in on behalf of this node.
type Adopter struct {
	Host   host.Host
	ID     host.Identity
	Shared string     // joined with the root, its marker seen
	Query  run.Runner // commands that only ask
	Rules  ccs.Rules  // for the checks of cluster.conf
	// Manager is the cluster manager, as cluster.Kind names it; "" is rgmanager.
	Manager string
	Clock   clock.Clock // of the journal
	Wait    clock.Clock // for locks and the progress of a copy
	Driver  hypervisor.Tools
	// Keep gives what runs a tool that writes, holding the lock until the tool has ended.
	Keep func(lock *os.File) run.Runner
	// Note is where Keep's keeper writes down what it runs; "" is nowhere.
	Note string
	// Peer runs lbm on another node. An error says that it could not be asked; nil: there is no way.
	Peer func(ctx context.Context, member string, args ...string) (run.Result, error)
	// Before and After are told of each step; nil is nobody.
	Before, After func(step string)
	// Progress is told how far a copy is, in bytes.
	Progress func(what string, done, total int64)
	// At is told of every point between two changes. Its error ends the run as a kill would.
	At func(point string) error
}

// step is one part of an adoption.
type step struct {
	name string
	what string               // for people
	done func() (bool, error) // read from what it has changed
	do   func(context.Context) error
	undo func(context.Context) error // nil error also where there is nothing to take back
}

// work is a run with the lock held.
type work struct {
	Adopter
	p    Plan
	dir  string // SHARED/lbvm/adopt/TYPE-VM
	lock *lockfile.Lock
	left []string // what other nodes lack
	// asked: the cluster may have been told of the VM.
	asked bool
}

func (w *work) at(point string) error {
	if w.At == nil {
		return nil
	}
	if err := w.At(point); err != nil {
		return died{err}
	}
	return nil
}

// locked takes the lock of adoptions. wait: also for the tool of a run that was killed.
func (a Adopter) locked(ctx context.Context, p Plan, wait bool) (*work, error) {
	path := filepath.Join(a.Shared, lockName)
	holder := fmt.Sprintf("lbm add %s on %s, pid %d", p.Ref(), a.ID.Member, os.Getpid())
	take := func() (*lockfile.Lock, error) { return lockfile.Try(path, holder) }
	if wait {
		take = func() (*lockfile.Lock, error) { return lockfile.Acquire(ctx, a.Wait, path, holder) }
	}
	lock, err := take()
	if err != nil {
		by := ""
		if b, rerr := os.ReadFile(path); rerr == nil {
			by = strings.TrimSpace(string(b))
		}
		return nil, fmt.Errorf("%w: another adoption is at work, or what it has started still copies (%s): %w", ErrRefused, by, err)
	}
	if a.Note != "" {
		if _, err := run.EndOrphans(a.Note); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	return &work{Adopter: a, p: p, dir: filepath.Join(a.Shared, Unfinished, p.key()), lock: lock}, nil
}

// Add goes through all steps of a plan that Look has made. What fails is undone.
func (a Adopter) Add(ctx context.Context, p Plan) (err error) {
	w, err := a.locked(ctx, p, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.lock.Close()) }()
	if _, err := readPlan(w.dir); err == nil {
		return fmt.Errorf("%w: an adoption of %s is unfinished: lbm add --resume %s, or --undo", ErrRefused, p.Ref(), p.VM)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := w.fresh(ctx); err != nil { // what Look saw may be old: the lock was not held
		return err
	}
	// What is there without a plan is of a run that was taken back.
	if err := os.RemoveAll(w.dir); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := p.write(w.dir, w.at); err != nil {
		var d died
		if errors.As(err, &d) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrRefused, errors.Join(err, os.RemoveAll(w.dir)))
	}
	return w.forward(ctx, true)
}

// Resume goes on with an adoption whose run has ended in the middle.
func (a Adopter) Resume(ctx context.Context, p Plan) (err error) {
	w, err := a.reopen(ctx, &p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.lock.Close()) }()
	if w.p.Removal != nil { // the cluster goes on as before until it is told: it may have been started since
		if away, err := w.recordAway(); err != nil {
			return err
		} else if !away {
			if err := w.mayLeave(ctx, w.p); err != nil {
				return fmt.Errorf("%w: %w", ErrRefused, err)
			}
		}
	}
	return w.forward(ctx, false)
}

// Undo takes an unfinished adoption back.
func (a Adopter) Undo(ctx context.Context, p Plan) (err error) {
	w, err := a.reopen(ctx, &p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.lock.Close()) }()
	return w.backward(ctx)
}

func (a Adopter) reopen(ctx context.Context, p *Plan) (*work, error) {
	if p.Member != a.ID.Member {
		return nil, fmt.Errorf("%w: the original of %s is on %s: go on there", ErrRefused, p.Ref(), p.Member)
	}
	w, err := a.locked(ctx, *p, true)
	if err != nil {
		return nil, err
	}
	switch *p, err = readPlan(w.dir); {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.Join(fmt.Errorf("%w: the other run has brought it to its end meanwhile (lbm list)", ErrRefused), w.lock.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrRefused, err), w.lock.Close())
	}
	w.p, w.asked = *p, true
	return w, nil
}

// forward does what is not done. undo: take all back where a step fails.
func (w *work) forward(ctx context.Context, undo bool) error {
	for _, s := range w.steps() {
		if err := w.one(ctx, s); err != nil {
			var d died
			switch {
			case errors.As(err, &d):
				return err
			case ctx.Err() != nil:
				return fmt.Errorf("%w: interrupted in step %s: lbm add --resume %s goes on, --undo takes it back", ErrHalf, s.name, w.p.VM)
			case errors.Is(err, errUnknown): // it may still come: nothing that it needs is taken away
				return fmt.Errorf("%w: step %s: %w; everything was left as it is: when the cluster answers again lbm add --resume %s, or take all back with --undo", ErrHalf, s.name, err, w.p.VM)
			case !undo:
				return fmt.Errorf("%w: step %s: %w; mend that and lbm add --resume %s, or take all back with --undo", ErrHalf, s.name, err, w.p.VM)
			}
			w.note("failed", s.name, err.Error())
			if back := w.backward(context.WithoutCancel(ctx)); back != nil {
				return errors.Join(fmt.Errorf("step %s: %w", s.name, err), back)
			}
			return fmt.Errorf("step %s: %w; %w", s.name, err, ErrUndone)
		}
	}
	if len(w.left) > 0 {
		return fmt.Errorf("%w: %s", ErrPeers, strings.Join(w.left, "; "))
	}
	return nil
}

func (w *work) one(ctx context.Context, s step) error {
	if err := w.at(s.name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.Before != nil {
		w.Before(s.name)
	}
	done, err := s.done()
	if err != nil {
		return err
	}
	if !done {
		if err := w.log("begin", s.name, ""); err != nil {
			return err
		}
		if err := s.do(ctx); err != nil {
			return err
		}
		if done, err = s.done(); err != nil || !done {
			return errors.Join(errors.New("it does not show on disk"), err)
		}
		if s.name != "finish" { // whose folder has another name now
			if err := w.log("done", s.name, ""); err != nil {
				return err
			}
		}
	}
	if w.After != nil {
		w.After(s.name)
	}
	return w.at(s.name + ":done")
}

// backward takes all back, the last step first. It needs no room on disk: a full one may be why.
func (w *work) backward(ctx context.Context) error {
	if err := w.unused(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrHalf, err)
	}
	w.note("undo", "all", "")
	steps := w.steps()
	for i := len(steps) - 1; i >= 0; i-- {
		if err := w.at("undo:" + steps[i].name); err != nil {
			return err
		}
		if err := steps[i].undo(ctx); err != nil {
			var d died
			if errors.As(err, &d) {
				return err
			}
			return fmt.Errorf("%w: taking back step %s: %w; mend that and lbm add --undo %s", ErrHalf, steps[i].name, err, w.p.VM)
		}
	}
	// Without the plan nothing has begun; what lies beside it means nothing.
	if err := os.Remove(filepath.Join(w.dir, "plan")); err != nil {
		return fmt.Errorf("%w: %w", ErrHalf, err)
	}
	if err := w.at("undo:plan"); err != nil {
		return err
	}
	if err := errors.Join(atomicfile.FsyncDir(w.dir), os.RemoveAll(w.dir)); err != nil {
		return err
	}
	if len(w.left) > 0 {
		return fmt.Errorf("%w: %s", ErrPeers, strings.Join(w.left, "; "))
	}
	return nil
}

// log writes a line of the journal.
func (w *work) log(event, step, why string) error {
	line := keyval.Record(w.Clock.Now(), keyval.Pairs{{Key: "event", Value: event}, {Key: "step", Value: step}, {Key: "vm", Value: w.p.Ref()},
		{Key: "node", Value: w.ID.Member}, {Key: "why", Value: why}})
	return atomicfile.Append(filepath.Join(w.dir, "journal"), line, 0o600, true)
}

// note is log on the way back, which must not fail because there is no room for a line.
func (w *work) note(event, step, why string) {
	if err := w.log(event, step, why); err != nil && w.Driver.Note != nil {
		w.Driver.Note("the journal of the adoption has a line less: " + err.Error())
	}
}
