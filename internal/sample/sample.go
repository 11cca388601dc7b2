// Package sample measures this node's resources once and writes what it measured where
// the balancers of all nodes read it: a line in each resource's log, and the node's facts.
//
// Measure runs all samplers at once, each with a deadline; one that fails or hangs costs
// its own resource and no other. Record appends the readings with one stamp. Facts asks
// the hypervisors what runs here. cmd/lblog does the three, once a minute.
package sample

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// Resource is one resource of lbresources.conf. Either Command or Builtin is set.
type Resource struct {
	Name    string
	LogFile string        // "" is Name
	Command string        // the administrator's own shell command
	Builtin string        // "cpu", "psi memory"
	Timeout time.Duration // 0 is DefaultTimeout
}

// DefaultTimeout is how long a sampler may take: the manual's own example sleeps three seconds, cron comes back after sixty.
const DefaultTimeout = 20 * time.Second

// LogName is the name of the resource's log of a node, below the log folder: the manual's <FQDN>-<RESOURCE>.
func (r Resource) LogName(member string) string {
	if r.LogFile != "" {
		return member + "-" + r.LogFile
	}
	return member + "-" + r.Name
}

// Reading is one resource's value, or why there is none.
type Reading struct {
	Resource Resource
	Value    string // as it goes into the log
	Err      error
	Took     time.Duration
}

// Sampler measures in this world.
type Sampler struct {
	Host  host.Host
	Clock clock.Clock
	Run   run.Runner
	// Config gives the config_version with which this node runs; nil: nobody asks.
	Config func(context.Context) (uint64, error)
	// Machine names the kind of machine; nil: the kernel is asked.
	Machine func() (string, error)
	// Dom0 is asked for processors and memory in place of the kernel; nil: the kernel has the machine for itself.
	Dom0 *hypervisor.Dom0

	domains *busyOnce // of one Measure
}

// ErrValue says that a command did not print one number.
var ErrValue = errors.New("not a number")

// Measure measures all resources at once. The readings are in the order of the resources. Of ctx's time it leaves
// what Facts may take: a slow sampler costs its own resource and not what the node knows of its guests.
func (s Sampler) Measure(ctx context.Context, resources []Resource) []Reading {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-factsTimeout))
		defer cancel()
	}
	s.domains = &busyOnce{}
	out := make([]Reading, len(resources))
	var wg sync.WaitGroup
	for i, r := range resources {
		wg.Add(1)
		go func() {
			defer wg.Done()
			out[i] = s.one(ctx, r)
		}()
	}
	wg.Wait()
	return out
}

func (s Sampler) one(ctx context.Context, r Resource) Reading {
	limit := r.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	// Commands take real seconds even where the lab's clock is scaled.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := s.Clock.Now()
	value, err := s.value(ctx, r)
	reading := Reading{Resource: r, Took: s.Clock.Now().Sub(start)}
	if err != nil {
		reading.Err = fmt.Errorf("measuring %s: %w", r.Name, err)
		return reading
	}
	reading.Value = value
	return reading
}

func (s Sampler) value(ctx context.Context, r Resource) (string, error) {
	if r.Builtin != "" {
		return s.builtin(ctx, r.Builtin)
	}
	res, err := s.Run.Run(ctx, run.Command{
		Argv: []string{"/bin/sh", "-c", r.Command}, Env: s.Host.ShellEnviron(), MaxOutput: 64 << 10,
	})
	if err != nil {
		return "", err
	}
	if res.Code != 0 {
		return "", fmt.Errorf("exit code %d: %s", res.Code, firstLine(res.Stderr))
	}
	return parseValue(res.Stdout)
}

// parseValue takes the one number that a command printed, as it stands.
func parseValue(out []byte) (string, error) {
	text := strings.TrimSpace(string(out))
	if text == "" {
		return "", fmt.Errorf("%w: it printed nothing", ErrValue)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xX_") {
		return "", fmt.Errorf("%w: it printed %.60q", ErrValue, text)
	}
	return text, nil
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}

// Record appends the readings that have a value to the logs in logDir, all with one stamp. A log that cannot be
// written does not keep the others from being written.
func Record(logDir, member string, at time.Time, readings []Reading) error {
	if err := host.CheckName(member); err != nil {
		return err
	}
	var errs []error
	for _, r := range readings {
		if r.Err != nil {
			continue
		}
		name := r.Resource.LogName(member)
		if strings.ContainsAny(name, "/\n\x00") {
			errs = append(errs, fmt.Errorf("log name %q of resource %s cannot be a file's name", name, r.Resource.Name))
			continue
		}
		line := strconv.FormatInt(at.Unix(), 10) + " " + r.Value + "\n"
		if err := atomicfile.Append(filepath.Join(logDir, name), []byte(line), 0o640, false); err != nil {
			errs = append(errs, fmt.Errorf("recording %s: %w", r.Resource.Name, err))
		}
	}
	return errors.Join(errs...)
}
