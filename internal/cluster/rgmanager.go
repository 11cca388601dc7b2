package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/ccs"
)

// RGManager is the manager of the Red Hat Cluster Suite: clustat, clusvcadm, and this node's cluster.conf. The
// clock is for pauses between questions; a command's own deadline is ctx's, or a default in real seconds.
func RGManager(h host.Host, r run.Runner, c clock.Clock) Manager { return &rgmanager{h, r, c} }

type rgmanager struct {
	host  host.Host
	run   run.Runner
	clock clock.Clock
}

const (
	// askTimeout is for a command that only asks; clustat itself waits 10 s for the manager.
	askTimeout = 60 * time.Second
	// changeTimeout is for clusvcadm, which waits for stop, start and a second try elsewhere.
	changeTimeout = 30 * time.Minute
	// busyTries and busyPause: clustat is turned away while five others ask.
	busyTries = 3
	busyPause = time.Second
	// maxAnswer holds the answer of a cluster with ten thousand services.
	maxAnswer = 8 << 20
)

// vmTypes are the types of resources that are VMs.
func vmTypes() []string { return []string{"openvz", "xen", "kvm", "vm", "vmexec"} }

// Status asks clustat and reads cluster.conf.
func (m *rgmanager) Status(ctx context.Context) (Status, error) {
	r, err := m.report(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("asking the cluster manager: %w", err)
	}
	d, err := ccs.Load(m.host.Path(host.ClusterXML))
	if err != nil {
		return Status{}, err
	}
	s := Status{Quorate: r.quorate, Members: r.members, Services: services(d, r)}
	switch {
	case r.note != "" && r.quorate:
		return s, fmt.Errorf("%w: %s", ErrNoStates, flat(r.note))
	case !r.managed && r.quorate:
		return s, fmt.Errorf("%w: rgmanager does not run on this node", ErrNoStates)
	}
	return s, nil
}

func (m *rgmanager) report(ctx context.Context) (report, error) {
	for try := 1; ; try++ {
		out, err := m.command(ctx, askTimeout, "clustat", "-x")
		if err != nil {
			return report{}, err
		}
		if out.Truncated {
			return report{}, fmt.Errorf("%w: clustat printed more than %d bytes", ErrAnswer, maxAnswer)
		}
		if out.Code != 0 {
			return report{}, fmt.Errorf("clustat ended with code %d: %s", out.Code, flat(string(out.Stderr)+" "+string(out.Stdout)))
		}
		r, err := parseClustat(string(out.Stdout))
		if err != nil {
			return report{}, fmt.Errorf("reading what clustat printed: %w", err)
		}
		if r.note == "" || !r.quorate || try == busyTries {
			return r, nil
		}
		if err := m.clock.Sleep(ctx, busyPause); err != nil {
			return report{}, err
		}
	}
}

// services pairs the file's services with the manager's states: each VM of the file, and each VM that the manager
// runs on its own though the file does not name it any more.
func services(d *ccs.Document, r report) []Service {
	var online []string
	for _, m := range r.members {
		if m.Online && m.Manager && !m.Estranged {
			online = append(online, m.Name)
		}
	}
	states := map[string]group{}
	for _, g := range r.groups {
		states[g.id] = g
	}
	domains := map[string]ccs.Domain{}
	for _, x := range d.Domains() {
		domains[strings.ToLower(x.Name)] = x
	}
	out := []Service{}
	named, rules := map[string]bool{}, ccs.DefaultRules()
	known := map[placed][]Placement{}
	alone := newExclusion(d, r)
	for _, s := range d.Services() {
		named[s.ID()] = true
		vms := s.VMs(vmTypes()...)
		if len(vms) == 0 {
			continue
		}
		g := states[s.ID()] // none: Unknown
		domain := domains[strings.ToLower(s.Domain())]
		key := placed{domain: domain.Name}
		if g.state == Started && slices.ContainsFunc(domain.Nodes, func(n ccs.DomainNode) bool { return strings.EqualFold(n.Name, g.owner) }) {
			key.owner = g.owner
		}
		may, ok := known[key]
		if !ok {
			may = placements(domain, online, g)
			known[key] = may
		}
		may = alone.without(may, s, g)
		for _, vm := range vms {
			x := g.service(s.ID(), vm.Type, vm.Name)
			t, found := rules.Find(s.Type)
			x.Live = found && t.Declares("migrate") && len(s.Children) == 0
			x.MayRun, x.Params = may, vm.Attrs
			out = append(out, x)
		}
	}
	for _, g := range r.groups {
		typ, name, _ := strings.Cut(g.id, ":")
		if !named[g.id] && slices.Contains(vmTypes(), typ) {
			out = append(out, g.service(g.id, typ, name)) // it may run nowhere else
		}
	}
	return out
}

// placed is what the nodes of a service follow from: services that share it share the list.
type placed struct {
	domain, owner string
}

// placements scores the owner as it stands, and each other node as where the service may go: rgmanager stops a service before it
// looks for a place, and looks among the nodes that are left (rg_state.c: handle_relocate_req). So nofailback, which is about
// staying, does not make the others equal, and the best of them is best, whatever the owner was.
func placements(d ccs.Domain, online []string, g group) []Placement {
	started := g.state == Started
	left := online
	if started {
		left = slices.DeleteFunc(slices.Clone(online), func(n string) bool { return strings.EqualFold(n, g.owner) })
	}
	out := []Placement{}
	for _, node := range online {
		s := d.Score(node, left, false, "")
		if started && strings.EqualFold(node, g.owner) {
			s = d.Score(node, online, true, g.owner)
		}
		if s != ccs.Illegal {
			out = append(out, Placement{node, int(s)})
		}
	}
	return out
}

func (g group) service(id, typ, vm string) Service {
	return Service{ID: id, VM: vm, VMType: typ, Owner: g.owner, LastOwner: g.lastOwner, State: g.state, Frozen: g.frozen, Partial: g.partial, Since: g.since, MayRun: []Placement{}}
}

// Move asks clusvcadm. It looks at the members first: clusvcadm takes the node of the most similar name for one
// that it does not know, any node for one that is offline, and restarts a service whose target is its owner.
func (m *rgmanager) Move(ctx context.Context, service, target string, live bool) error {
	op, flag := "relocating", "-r"
	if live {
		op, flag = "migrating", "-M"
	}
	op = fmt.Sprintf("%s %s to %s", op, service, target)
	if err := checkID(service); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	r, err := m.target(ctx, target)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	i := slices.IndexFunc(r.groups, func(g group) bool { return g.id == service })
	if i < 0 {
		return fmt.Errorf("%s: %w; nothing was changed", op, ErrNoService)
	}
	if g := r.groups[i]; strings.EqualFold(g.owner, target) {
		return fmt.Errorf("%s: %w; nothing was changed", op, ErrAlreadyThere)
	}
	return m.change(ctx, op, service, target, flag, service, "-m", target)
}

// Enable asks clusvcadm.
func (m *rgmanager) Enable(ctx context.Context, service, target string) error {
	op := "enabling " + service
	if err := checkID(service); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	if target == "" {
		return m.change(ctx, op, service, "", "-e", service)
	}
	op += " on " + target
	if _, err := m.target(ctx, target); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	return m.change(ctx, op, service, target, "-e", service, "-m", target)
}

// Disable asks clusvcadm.
func (m *rgmanager) Disable(ctx context.Context, service string) error {
	op := "disabling " + service
	if err := checkID(service); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	return m.change(ctx, op, service, "", "-d", service)
}

// Restart asks clusvcadm. A start that fails in place leads to the other members.
func (m *rgmanager) Restart(ctx context.Context, service string) error {
	op := "restarting " + service
	if err := checkID(service); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	return m.change(ctx, op, service, "", "-R", service)
}

// target makes sure that a node of exactly that name can take a service.
func (m *rgmanager) target(ctx context.Context, name string) (report, error) {
	if err := host.CheckName(name); err != nil {
		return report{}, err
	}
	r, err := m.report(ctx)
	if err != nil {
		return report{}, err
	}
	if !r.quorate {
		return report{}, ErrNoQuorum
	}
	if r.note != "" || !r.managed {
		return report{}, fmt.Errorf("%w: %s", ErrNoStates, flat(r.note))
	}
	for _, x := range r.members {
		if x.Name != name {
			continue
		}
		switch {
		case !x.Online:
			return report{}, fmt.Errorf("%w: %q is offline", ErrNotMember, name)
		case !x.Manager:
			return report{}, fmt.Errorf("%w: rgmanager does not run on %q", ErrNotMember, name)
		case x.Estranged:
			return report{}, fmt.Errorf("%w: %q is not in cluster.conf", ErrNotMember, name)
		}
		return r, nil
	}
	return report{}, fmt.Errorf("%w: no member is named %q", ErrNotMember, name)
}

func (m *rgmanager) change(ctx context.Context, op, service, target string, args ...string) error {
	out, err := m.command(ctx, changeTimeout, "clusvcadm", args...)
	if errors.Is(err, run.ErrNotFound) {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; unknown: check with clustat", op, err)
	}
	return judge(op, service, target, out.Code, string(out.Stdout), string(out.Stderr))
}

func (m *rgmanager) command(ctx context.Context, limit time.Duration, program string, args ...string) (run.Result, error) {
	return command(ctx, m.host, m.run, limit, program, args...)
}

// command runs a program of the cluster suite with the environment of our own tools.
func command(ctx context.Context, h host.Host, r run.Runner, limit time.Duration, program string, args ...string) (run.Result, error) {
	path, err := h.Lookup(program)
	if err != nil {
		return run.Result{}, fmt.Errorf("%w: %w", run.ErrNotFound, err)
	}
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return r.Run(ctx, run.Command{Argv: append([]string{path}, args...), Env: h.Environ(), MaxOutput: maxAnswer})
}

// checkID makes sure that a service is named with its type: clusvcadm takes a bare name for a service:NAME.
func checkID(id string) error {
	typ, name, ok := strings.Cut(id, ":")
	if !ok {
		return fmt.Errorf("%w: %q is not TYPE:NAME", host.ErrName, id)
	}
	return errors.Join(host.CheckName(typ), host.CheckName(name))
}
