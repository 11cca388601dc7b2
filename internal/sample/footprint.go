package sample

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// VMResource is what is measured of each VM (vmresource). Without a Command the hypervisors tell.
type VMResource struct {
	Name    string
	Part    string // "cpu": the share of the node, 0 to 1; "ram": MiB; "": in the unit of the node's resource Name
	Command string // prints a line `VM VALUE` for each VM of this node
	Timeout time.Duration
}

// Footprints fills in what each guest of this node uses. f holds the guests. What the drivers tell comes first, and an
// administrator's command stands for it. A guest of which nothing, or nothing that can be understood, was said is not
// measured; that is never 0. keep is false where nothing may be written.
func (s Sampler) Footprints(ctx context.Context, f *host.Facts, meters map[string]hypervisor.Meter, resources []VMResource, keep bool) error {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	var errs []error
	if own := slices.ContainsFunc(resources, func(r VMResource) bool { return r.Part == "cpu" && r.Command != "" }); !own {
		errs = append(errs, s.busy(ctx, f, meters, keep))
	}
	found, failed := make([]map[string]float64, len(resources)), make([]error, len(resources))
	var wg sync.WaitGroup
	for i, r := range resources {
		if r.Command == "" {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			found[i], failed[i] = s.perVM(ctx, r, f.Guests)
		}()
	}
	wg.Wait()
	for i, r := range resources {
		if r.Command == "" {
			continue
		}
		if failed[i] != nil {
			errs = append(errs, fmt.Errorf("measuring %s of the VMs: %w", r.Name, failed[i]))
		}
		for j := range f.Guests {
			used(&f.Guests[j], r, found[i])
		}
	}
	return errors.Join(errs...)
}

// used takes over what a command said of a guest, or that it said nothing.
func used(g *host.GuestFact, r VMResource, found map[string]float64) {
	v, ok := found[g.Type+":"+g.Name]
	switch r.Part {
	case "cpu":
		if !ok {
			v = -1
		}
		g.CPU = v
	case "ram":
		g.Mem = 0 // unknown
		if ok {
			g.Mem = int64(v * (1 << 20))
		}
	default:
		if !ok {
			return
		}
		if g.Uses == nil {
			g.Uses = map[string]float64{}
		}
		g.Uses[r.Name] = v
	}
}

// A look so soon after the last says nothing: tools give tenths of a second.
const minAge = 5 * time.Second

// busy asks the drivers how busy their guests were since the last run.
func (s Sampler) busy(ctx context.Context, f *host.Facts, meters map[string]hypervisor.Meter, keep bool) error {
	if len(meters) == 0 {
		return nil
	}
	now := counters{}
	var errs []error
	for _, typ := range slices.Sorted(maps.Keys(meters)) {
		if !slices.ContainsFunc(f.Guests, func(g host.GuestFact) bool { return g.Type == typ }) {
			continue
		}
		list, err := meters[typ].Busy(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, b := range list {
			if host.CheckName(b.Name) != nil {
				continue
			}
			key := typ + ":" + b.Name + " " + b.Run
			now[key+" time"] = b.Time
			if b.Of > 0 {
				now[key+" of"] = b.Of
			}
		}
	}
	file := filepath.Join(s.Host.Path(host.RunDir), "sample.guests")
	before, at, ok := readLook(file, f.Boot)
	seen := s.Clock.Now()
	d := difference{before: before, now: now, elapsed: seen.Sub(at)}
	if ok && d.elapsed >= minAge && d.elapsed <= maxAge {
		for i := range f.Guests {
			g := &f.Guests[i]
			g.CPU = d.share(g.Type+":"+g.Name, f.Cores)
		}
	}
	if keep && (!ok || d.elapsed >= minAge || d.elapsed <= 0) {
		errs = append(errs, writeLook(file, f.Boot, seen, now))
	}
	return errors.Join(errs...)
}

// share is what a guest used of all processors since the last look, or -1: it was not seen twice in one run, or the
// counters say what cannot be.
func (d difference) share(guest string, cores int) float64 {
	for key := range d.now {
		name, ok := strings.CutSuffix(key, " time")
		if id, _, _ := strings.Cut(name, " "); !ok || id != guest {
			continue
		}
		if _, twice := d.before[key]; !twice || cores <= 0 {
			return -1
		}
		of := d.elapsed.Seconds()
		if _, counted := d.now[name+" of"]; counted {
			if _, twice := d.before[name+" of"]; !twice {
				return -1
			}
			of = d.of(name + " of")
		}
		v := d.of(key) / of / float64(cores)
		if of <= 0 || math.IsNaN(v) || v < 0 || v > 1.1 { // the two looks are no instants
			return -1
		}
		return min(v, 1)
	}
	return -1
}

// perVM runs a command that measures VMs.
func (s Sampler) perVM(ctx context.Context, r VMResource, guests []host.GuestFact) (map[string]float64, error) {
	limit := r.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := s.Run.Run(ctx, run.Command{
		Argv: []string{"/bin/sh", "-c", r.Command}, Env: s.Host.ShellEnviron(), MaxOutput: 1 << 20,
	})
	switch {
	case err != nil:
		return nil, err
	case res.Code != 0:
		return nil, fmt.Errorf("exit code %d: %s", res.Code, firstLine(res.Stderr))
	case res.Truncated:
		return nil, errors.New("it printed more than 1 MiB")
	}
	return parsePerVM(res.Stdout, r.Part, guests)
}

// parsePerVM reads lines `VM VALUE`: VM is NAME or TYPE:NAME; VALUE is a number, or - where it is not known. One line that is none
// spoils all, and so does a last line without its end: what the command meant, or would have said, nobody knows. VMs that
// are not on this node are passed over.
func parsePerVM(out []byte, part string, guests []host.GuestFact) (map[string]float64, error) {
	text := string(out)
	if text == "" {
		return nil, nil
	}
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("%w: the last line has no end", ErrValue)
	}
	byName := map[string][]string{}
	for _, g := range guests {
		id := g.Type + ":" + g.Name
		byName[g.Name], byName[id] = append(byName[g.Name], id), []string{id}
	}
	found := map[string]float64{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if len(w) != 2 {
			return nil, fmt.Errorf("%w: line %d is %.60q, not VM VALUE", ErrValue, n+1, line)
		}
		v := 0.0
		if w[1] != "-" {
			if _, err := parseValue([]byte(w[1])); err != nil {
				return nil, fmt.Errorf("line %d: %w", n+1, err)
			}
			v, _ = strconv.ParseFloat(w[1], 64)
			if v < 0 || part == "cpu" && v > 1 || part == "ram" && v > 1<<30 {
				return nil, fmt.Errorf("%w: line %d says %s, which cannot be", ErrValue, n+1, w[1])
			}
		}
		ids := byName[w[0]]
		if len(ids) > 1 {
			return nil, fmt.Errorf("line %d: %q may be %s or %s: write the type as well", n+1, w[0], ids[0], ids[1])
		}
		if len(ids) == 0 {
			continue
		}
		if _, twice := found[ids[0]]; twice {
			return nil, fmt.Errorf("line %d: a second value of %s", n+1, ids[0])
		}
		if w[1] != "-" {
			found[ids[0]] = v
		}
	}
	return found, nil
}
