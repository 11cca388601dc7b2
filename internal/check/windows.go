package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// windows warns of a rule that asks for more of a log than is read of it: by the newest samples of the logs that are there, or else
// by the interval that lbvm.conf names.
func (in Input) windows(f *conf.File, r *conf.Resources) (out []conf.Diagnostic) {
	if r == nil {
		return nil
	}
	type reach struct {
		far  time.Duration
		step string
	}
	known := map[string]reach{}
	for _, a := range balance.Windows(f) {
		i := slices.IndexFunc(r.List, func(x conf.Resource) bool { return x.Name == a.Resource })
		if i < 0 {
			continue
		}
		log := r.List[i].Log()
		x, ok := known[log]
		if !ok {
			x = reach{balance.LogReach(f.Interval), "with a sample every " + f.Interval.String()}
			if far, name := in.shortest(f, log); name != "" {
				x = reach{far, "at the step of " + name}
			}
			known[log] = x
		}
		if text := a.TooLong(x.far, x.step); text != "" {
			hint := fmt.Sprintf("ask for %d minutes at most, or let lblog measure less often", int(x.far/time.Minute))
			out = append(out, diagnostic(f, a.Block.Algorithm.Span, conf.Warning, hint, "%s", text))
		}
	}
	return out
}

// shortest is how far back the log of a resource reaches on the node where that is least, and that log's name; "" where none tells.
func (in Input) shortest(f *conf.File, log string) (far time.Duration, name string) {
	if in.Sight == nil || in.Sight.Shared != nil || f.Paths.LogDir == "" {
		return 0, ""
	}
	list, err := filepath.Glob(filepath.Join(in.Sight.Dir(f.Paths.LogDir), "*-"+log))
	if err != nil { // a name with signs of its own
		return 0, ""
	}
	for _, path := range list {
		if d, ok := balance.ReachOf(path); ok && (name == "" || d < far) {
			far, name = d, filepath.Base(path)
		}
	}
	return far, name
}
