package vm

import (
	"context"

	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// boxed writes each command that is run into the black box.
type boxed struct {
	run.Runner
	call *ocf.Call
}

func (l *life) boxed(r run.Runner) run.Runner {
	if l.a.Runner != nil {
		r = l.a.Runner(r)
	}
	return boxed{r, l.call}
}

// Run notes the command before it runs as well: if this agent is killed meanwhile, that is what will be asked for.
func (n boxed) Run(ctx context.Context, c run.Command) (run.Result, error) {
	n.call.Runs(c.Argv)
	r, err := n.Runner.Run(ctx, c)
	n.call.Ran(c.Argv, r.Code, r.Took, err)
	return r, err
}
