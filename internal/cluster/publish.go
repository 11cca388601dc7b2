package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// NewPublisher publishes as this node's cluster suite does: `ccs_tool update FILE` on RHEL 5, `cman_tool version -r`
// on RHEL 6, whose ccs_tool knows no update.
func NewPublisher(h host.Host, r run.Runner) Publisher { return &publisher{h, r} }

type publisher struct {
	host host.Host
	run  run.Runner
}

// ErrPublish says that the cluster did not take the file.
var ErrPublish = errors.New("the cluster did not take the new configuration")

// Publish makes file, a path below the root, the cluster's configuration.
func (p *publisher) Publish(ctx context.Context, file string) error {
	out, err := command(ctx, p.host, p.run, askTimeout, "ccs_tool", "update", file)
	switch {
	case errors.Is(err, run.ErrNotFound), err == nil && knowsNoUpdate(out):
		return p.reload(ctx, file)
	case err != nil:
		return fmt.Errorf("publishing %s: %w; unknown: check with cman_tool version", file, err)
	case out.Code == 0 && (strings.Contains(said(out), "Config file updated from version") || strings.Contains(said(out), "Update complete.")):
		return nil
	}
	return refusal("ccs_tool update", file, out)
}

// reload is RHEL 6: cman reads its own file and sends it round.
func (p *publisher) reload(ctx context.Context, file string) error {
	if own := p.host.Path(host.ClusterXML); !same(file, own) {
		return fmt.Errorf("publishing %s: cman_tool publishes %s only; nothing was changed", file, own)
	}
	out, err := command(ctx, p.host, p.run, askTimeout, "cman_tool", "version", "-r")
	if err != nil {
		return fmt.Errorf("publishing %s: %w; unknown: check with cman_tool version", file, err)
	}
	if out.Code != 0 {
		return refusal("cman_tool version -r", file, out)
	}
	return nil
}

// Running is the version of the configuration with which this node runs.
func (p *publisher) Running(ctx context.Context) (uint64, error) {
	out, err := command(ctx, p.host, p.run, askTimeout, "cman_tool", "version")
	if err != nil {
		return 0, fmt.Errorf("asking for the running version: %w", err)
	}
	if out.Code != 0 {
		return 0, fmt.Errorf("asking for the running version: cman_tool ended with code %d: %s", out.Code, flat(said(out)))
	}
	return parseVersion(string(out.Stdout))
}

// parseVersion reads `6.2.0 config 7`, what cman_tool version prints.
func parseVersion(text string) (uint64, error) {
	_, after, ok := strings.Cut(text, " config ")
	n, err := strconv.ParseUint(strings.TrimSpace(after), 10, 32)
	if !ok || err != nil {
		return 0, fmt.Errorf("%w: cman_tool version: %s", ErrAnswer, flat(text))
	}
	return n, nil
}

func same(a, b string) bool {
	if ra, err := filepath.EvalSymlinks(a); err == nil {
		a = ra
	}
	if rb, err := filepath.EvalSymlinks(b); err == nil {
		b = rb
	}
	return filepath.Clean(a) == filepath.Clean(b)
}

// knowsNoUpdate tells the ccs_tool of RHEL 6: it answers an unknown command so, or with its usage.
func knowsNoUpdate(r run.Result) bool {
	text := said(r)
	if strings.Contains(text, "Unknown command") {
		return true
	}
	return strings.HasPrefix(strings.TrimSpace(text), "Usage") && !strings.Contains(text, "update")
}

func said(r run.Result) string {
	return strings.TrimSpace(string(r.Stdout) + "\n" + string(r.Stderr))
}

func refusal(tool, file string, r run.Result) error {
	err := fmt.Errorf("publishing %s: %w: %s ended with code %d: %s", file, ErrPublish, tool, r.Code, flat(said(r)))
	if h := hint(said(r)); h != "" {
		err = fmt.Errorf("%w (%s)", err, h)
	}
	return err
}

// hint is what to do about a message of the tools.
func hint(text string) string {
	for _, h := range [...]struct{ part, hint string }{
		{"greater version number", "raise config_version above the running one"},
		{"older or equal the running config", "raise config_version above the running one"},
		{"not a valid integer", "config_version holds digits only"},
		{"not quorate", "publish from a part of the cluster that is quorate"},
		{"Simultaneous update", "somebody else publishes too: wait, then look at cman_tool version"},
		{"configuration is not valid", "see what ccs_config_validate says"},
		{"ccs_sync failed", "start ricci on every node, or copy the file by hand and run cman_tool version -r -S"},
		{"Activity suspended", "a node still has the old file: copy it there"},
		{"is it running", "cman does not run on this node"},
		{"Unable to connect to the CCS daemon", "ccsd does not run on this node"},
	} {
		if strings.Contains(text, h.part) {
			return h.hint
		}
	}
	return ""
}
