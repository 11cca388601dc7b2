package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// AgentDir is where rgmanager looks for agents.
const AgentDir = "/usr/share/cluster"

// metadataTimeout is for one agent. rgmanager itself waits for ever.
const metadataTimeout = 10 * time.Second

// Agents runs the agents that are installed on this node with meta-data, as rgmanager does at its start and at each
// new configuration, in the order of their names. An agent that prints nothing is not among them; one that hangs is
// an error, since rgmanager would hang with it.
func Agents(ctx context.Context, h host.Host, r run.Runner) ([]ccs.Agent, error) {
	dir := h.Path(AgentDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the agents of this node: %w", err)
	}
	var out []ccs.Agent
	var errs []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		fi, err := os.Stat(path)
		if err != nil { // a link to nothing
			continue
		}
		if runs, _ := ccs.RunsAsAgent(e.Name(), fi.Mode()); !runs {
			continue
		}
		answer, err := ask(ctx, r, run.Command{Argv: []string{path, "meta-data"}, Env: h.Environ()})
		switch {
		case err != nil && !errors.Is(err, run.ErrNotFound) && !errors.Is(err, run.ErrSignal):
			errs = append(errs, fmt.Errorf("asking %s for its metadata: %w", path, err))
		case len(answer.Stdout) > 0:
			out = append(out, ccs.Agent{Name: e.Name(), Metadata: answer.Stdout})
		}
	}
	return out, errors.Join(errs...)
}

func ask(ctx context.Context, r run.Runner, c run.Command) (run.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	return r.Run(ctx, c)
}
