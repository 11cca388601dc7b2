package campaign

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

// Finding is a run in which a rule was broken.
type Finding struct {
	Run    Run
	Number int64    // of a random run: its seed; of an exhaustive one: its place
	Broken []string // the first is the cause
	Trace  []string
}

// Options of a campaign.
type Options struct {
	First, Runs int64 // seeds First .. First+Runs-1
	Jobs        int
	Clock       clock.Clock // of the progress
	Out         io.Writer   // progress; nil is nowhere
	All         bool        // go on after a finding
}

// Campaign plays runs and gives what it found, each shrunk, and how many were played.
func Campaign(ctx context.Context, o Options, run func(number int64) Run) (found []Finding, played int64, err error) {
	var mu sync.Mutex
	var next, done atomic.Int64
	var stop atomic.Bool
	next.Store(o.First)
	began := o.Clock.Now()
	last := began
	var wg sync.WaitGroup
	for range max(1, o.Jobs) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			base, berr := newBase()
			if berr != nil {
				mu.Lock()
				defer mu.Unlock()
				err = berr
				return
			}
			defer os.RemoveAll(base)
			for !stop.Load() && ctx.Err() == nil {
				n := next.Add(1) - 1
				if n >= o.First+o.Runs {
					return
				}
				r := run(n)
				w, werr := r.play(base, false)
				mu.Lock()
				k := done.Add(1)
				if werr != nil {
					err = werr
					stop.Store(true)
				} else if len(w.findings) > 0 {
					f := shrink(Finding{Run: r, Number: n, Broken: w.findings}, func(r Run) []string {
						if w, err := r.play(base, false); err == nil {
							return w.findings
						}
						return nil
					})
					found = append(found, f)
					stop.Store(!o.All)
					if o.Out != nil {
						fmt.Fprintf(o.Out, "run %d: %s\n   %s\n   repeat: lbvm-lab campaign --run '%s'\n", n, f.Broken[0], r, f.Run)
					}
				}
				if now := o.Clock.Now(); o.Out != nil && now.Sub(last) > 10*time.Second {
					last = now
					fmt.Fprintf(o.Out, "%d of %d runs, %.0f a second, %d findings\n", k, o.Runs, float64(k)/now.Sub(began).Seconds(), len(found))
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return found, done.Load(), err
}

// Play plays one run and tells its story.
func Play(r Run) (Finding, error) {
	base, err := newBase()
	if err != nil {
		return Finding{}, err
	}
	defer os.RemoveAll(base)
	w, err := r.play(base, true)
	if err != nil {
		return Finding{}, err
	}
	return Finding{Run: r, Broken: w.findings, Trace: w.trace}, nil
}

// shrink leaves out of a run whatever it can without losing the finding, and tries other orders of who goes next. play
// gives what a run finds.
func shrink(f Finding, play func(Run) []string) Finding {
	again := func(r Run) bool {
		broken := play(r)
		if len(broken) == 0 || first(broken[0]) != first(f.Broken[0]) {
			return false
		}
		f.Run, f.Broken = r, broken
		return true
	}
	for changed := true; changed; {
		changed = false
		for i := 0; i < len(f.Run.Steps); i++ {
			r := f.Run
			r.Steps = slices.Delete(slices.Clone(f.Run.Steps), i, i+1)
			for try := range int64(4) {
				if r.Seed = f.Run.Seed + try; again(r) {
					changed = true
					i--
					break
				}
			}
		}
	}
	return f
}
