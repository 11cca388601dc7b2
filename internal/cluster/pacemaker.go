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
)

// Pacemaker is the manager of newer clusters: crm_mon tells the states, cibadmin the configuration, crm_simulate where a
// VM may run, crm_resource changes. A service is a primitive that stands alone ("primitive:web") or a group ("group:web").
//
// What is asked is what is meant: Pacemaker knows no request to move, only a constraint that makes it want to. Move lays
// one that ends by itself, waits until the VM is where it shall be, and takes it away.
func Pacemaker(h host.Host, r run.Runner, c clock.Clock) Manager { return &pacemaker{h, r, c} }

type pacemaker struct {
	host  host.Host
	run   run.Runner
	clock clock.Clock
}

const (
	// lifetime is for the constraint of a move whose mover is killed. It is longer than a mover waits.
	lifetime = 30 * time.Minute
	// lifetimeMinutes is the same, and one more for clocks.
	lifetimeMinutes = 31
	// pacemakerStep is between two looks at a move.
	pacemakerStep = 500 * time.Millisecond
	// idleLooks is how often nothing may be seen to happen before a request counts as without effect: the cluster's
	// controller takes a moment to see a new constraint, and between a stop and a start nothing is under way.
	idleLooks = 20
	// clearTimeout is for taking a constraint away, when the caller's time is over, too.
	clearTimeout = 60 * time.Second
)

// Status asks crm_mon, cibadmin and crm_simulate.
func (m *pacemaker) Status(ctx context.Context) (Status, error) {
	st, _, err := m.look(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("asking the cluster manager: %w", err)
	}
	return st, nil
}

func (m *pacemaker) look(ctx context.Context) (Status, cib, error) {
	view, err := m.view(ctx)
	if err != nil {
		return Status{}, cib{}, err
	}
	text, err := m.answer(ctx, nil, "cibadmin", "--query")
	if err != nil {
		return Status{}, cib{}, err
	}
	c, err := parseCIB(text)
	if err != nil {
		return Status{}, cib{}, fmt.Errorf("reading what cibadmin printed: %w", err)
	}
	st := Status{Quorate: view.quorate, Members: view.members, Services: []Service{}}
	var s scores
	machines := c.machines()
	started := asIfStarted(text, m.clock.Now())
	if view.quorate && len(machines) > 0 { // without quorum nothing may run anywhere
		out, err := m.answer(ctx, started, "crm_simulate", "--show-scores", "--xml-pipe")
		if err != nil {
			return Status{}, cib{}, err
		}
		if s, err = parseScores(string(out)); err != nil {
			return Status{}, cib{}, fmt.Errorf("reading what crm_simulate printed: %w", err)
		}
	}
	for _, p := range machines {
		x := view.service(p)
		if x.Frozen = x.Frozen || view.maintenance; view.quorate {
			x.MayRun = c.placements(p, view, s, x.Owner)
		}
		if x.Owner != "" && held(started, resource(x.ID)) {
			x.MayRun = slices.DeleteFunc(x.MayRun, func(n Placement) bool { return n.Node != x.Owner })
		}
		st.Services = append(st.Services, x)
	}
	c.started = started
	return st, c, nil
}

// mon is crm_mon's XML. Old releases know it by another option.
func (m *pacemaker) mon(ctx context.Context) ([]byte, error) {
	out, err := m.answer(ctx, nil, "crm_mon", "--one-shot", "--output-as=xml", "--inactive")
	if errors.Is(err, errUsage) {
		out, err = m.answer(ctx, nil, "crm_mon", "--one-shot", "--as-xml", "--inactive")
	}
	return out, err
}

// view is what crm_mon tells.
func (m *pacemaker) view(ctx context.Context) (pacemakerView, error) {
	out, err := m.mon(ctx)
	if err != nil {
		return pacemakerView{}, err
	}
	v, err := parseCrmMon(out)
	if err != nil {
		return pacemakerView{}, fmt.Errorf("reading what crm_mon printed: %w", err)
	}
	for i, x := range v.members {
		v.members[i].Local = x.Name == m.member()
	}
	return v, nil
}

// member is this node's name in the cluster, "" if nobody told.
func (m *pacemaker) member() string {
	id, err := m.host.Identity()
	if err != nil {
		return ""
	}
	return id.Member
}

// Move makes Pacemaker want the service on target. Whether a VM goes there live or is stopped and started is not for
// the request to say: Pacemaker migrates whatever has allow-migrate="true". A request to go live that it would answer
// with a stop is refused.
func (m *pacemaker) Move(ctx context.Context, service, target string, live bool) error {
	op := fmt.Sprintf("moving %s to %s", service, target)
	x, err := m.movable(ctx, service, target)
	switch {
	case err != nil:
	case x.Owner == target:
		err = ErrAlreadyThere
	case x.State == Failed:
		err = fmt.Errorf("%w: it has failed, and stays where it is until that is forgotten (crm_resource --resource %s --cleanup)", ErrInvalid, resource(service))
	case x.State == Unknown:
		err = fmt.Errorf("%w: it is not known where it is", ErrTemporary)
	case !still(x):
		err = fmt.Errorf("%w: it is %s", ErrTemporary, x.State)
	case live && !x.Live:
		err = fmt.Errorf(`%w: %s has no allow-migrate="true"`, ErrInvalid, service)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	return m.send(ctx, op, service, target, nil)
}

// Enable takes target-role away, and sends the service to target if that is not "".
func (m *pacemaker) Enable(ctx context.Context, service, target string) error {
	op := "enabling " + service
	started := func() error {
		return m.change(ctx, op, "--resource", resource(service), "--meta", "--set-parameter", "target-role", "--parameter-value", "Started")
	}
	if target == "" {
		if err := started(); err != nil {
			return err
		}
		_, err := m.await(ctx, op, service, false, func(x Service) bool { return x.State == Started })
		return err
	}
	op += " on " + target
	if _, err := m.movable(ctx, service, target); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	return m.send(ctx, op, service, target, started)
}

// Disable sets target-role. Of a service that has failed Pacemaker does nothing before its failure is forgotten.
func (m *pacemaker) Disable(ctx context.Context, service string) error {
	op := "disabling " + service
	st, _, err := m.look(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	failed := slices.ContainsFunc(of(st.Services, service), func(x Service) bool { return x.State == Failed })
	role := func(ctx context.Context, is string) error {
		return m.change(ctx, op, "--resource", resource(service), "--meta", "--set-parameter", "target-role", "--parameter-value", is)
	}
	if err := role(ctx, "Stopped"); err != nil {
		return err
	}
	if failed {
		if err := m.change(ctx, op, "--resource", resource(service), "--cleanup"); err != nil {
			return err
		}
	}
	_, err = m.await(ctx, op, service, failed, func(x Service) bool { return x.State == Disabled })
	if err != nil && failed { // else a cleanup by hand would stop what runs, much later
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
		defer cancel()
		err = errors.Join(err, role(ctx, "Started"))
	}
	return err
}

// Restart stops a service and starts it on the same node. It is stopped by a target-role that tells whose it is: who disables the
// service meanwhile, by any other tool, has the last word, also where the restart is cut off.
func (m *pacemaker) Restart(ctx context.Context, service string) error {
	op := "restarting " + service
	st, _, err := m.look(ctx)
	all := of(st.Services, service)
	if err == nil && len(all) == 0 {
		err = ErrNoService
	}
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	x := all[0]
	if x.State != Started {
		err = fmt.Errorf("%w: it is %s", ErrInvalid, x.State)
	} else {
		x, err = m.movable(ctx, service, x.Owner)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", op, err)
	}
	role := func(ctx context.Context, to string, from func(string) bool) error {
		return m.edit(ctx, op, func(c CIB) (Edit, error) { return c.setRole(resource(service), to, from) })
	}
	err = role(ctx, restarting, func(is string) bool { return !strings.EqualFold(is, "Stopped") || is == restarting })
	var r *Refusal
	if errors.As(err, &r) && r.Unchanged {
		return err
	}
	_, werr := m.await(ctx, op, service, false, func(x Service) bool { return x.State == Disabled || x.State == Stopped })
	again := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
		defer cancel()
		return role(ctx, "Started", func(is string) bool { return is == restarting || is == "Started" })
	}
	if werr = errors.Join(err, werr); werr != nil {
		return errors.Join(werr, again())
	}
	err = m.send(ctx, op, service, x.Owner, again)
	if errors.As(err, &r) && r.Unchanged { // an administrator's constraint says where it goes
		if err = again(); err == nil {
			_, err = m.await(ctx, op, service, false, func(x Service) bool { return x.State == Started })
		}
	}
	return err
}

// StartAgain starts a service that is stopped for a restart whose maker has died, and waits until it runs. It looks again whether
// it still is, in the edit itself: who has disabled it since has the last word.
func (m *pacemaker) StartAgain(ctx context.Context, service string) error {
	op := "starting " + service + " again"
	err := m.edit(ctx, op, func(c CIB) (Edit, error) {
		return c.setRole(resource(service), "Started", func(is string) bool { return is == restarting })
	})
	var r *Refusal
	if errors.As(err, &r) && r.Unchanged {
		return err
	}
	_, werr := m.await(ctx, op, service, false, func(x Service) bool { return x.State == Started })
	if werr == nil {
		return nil
	}
	return errors.Join(err, werr)
}

// movable finds a service and makes sure that it may be sent to a member of exactly that name.
func (m *pacemaker) movable(ctx context.Context, service, target string) (Service, error) {
	if err := errors.Join(checkID(service), host.CheckName(target)); err != nil {
		return Service{}, err
	}
	st, c, err := m.look(ctx)
	if err != nil {
		return Service{}, err
	}
	if !st.Quorate {
		return Service{}, ErrNoQuorum
	}
	at := slices.IndexFunc(st.Members, func(x Member) bool { return x.Name == target })
	switch {
	case at < 0:
		return Service{}, fmt.Errorf("%w: no member is named %q", ErrNotMember, target)
	case !st.Members[at].Online:
		return Service{}, fmt.Errorf("%w: %q is offline", ErrNotMember, target)
	case !st.Members[at].Manager:
		return Service{}, fmt.Errorf("%w: %q is in standby, in maintenance, or on its way in or out", ErrNotMember, target)
	}
	at = slices.IndexFunc(st.Services, func(x Service) bool { return x.ID == service })
	if at < 0 {
		return Service{}, ErrNoService
	}
	x := st.Services[at]
	switch {
	case x.Frozen:
		return x, fmt.Errorf("%w: it is not managed, or the cluster or its node is in maintenance", ErrFrozen)
	case x.Owner != target && held(c.started, resource(service)):
		return x, fmt.Errorf("%w: an administrator's constraint, cli-prefer-%s, holds it, and would be overwritten (crm_resource --resource %[2]s --clear takes it away)", ErrDependency, resource(service))
	case x.Owner != target && !slices.ContainsFunc(x.MayRun, func(p Placement) bool { return p.Node == target }):
		return x, fmt.Errorf("%w: Pacemaker would not keep it there (constraints, or resource-stickiness 0: see crm_simulate -sL)", ErrDependency)
	}
	return x, nil
}

// send lays the constraint, does what is to follow, waits, and takes the constraint away as soon as it is certain that nothing
// is under way any more: without it Pacemaker would end a migration by a stop on both nodes. Where that is not certain it
// ends with its lifetime.
func (m *pacemaker) send(ctx context.Context, op, service, target string, then func() error) error {
	w := newWish(resource(service), target, m.clock.Now())
	err := m.edit(ctx, op, func(c CIB) (Edit, error) { return w.lay(c, m.clock.Now()) })
	var r *Refusal
	if errors.As(err, &r) && r.Unchanged {
		return err
	}
	if then != nil { // also where nobody knows whether the constraint was laid
		if terr := then(); terr != nil {
			m.forget(ctx, op, w)
			return errors.Join(err, terr)
		}
	}
	certain, werr := m.await(ctx, op, service, false, func(x Service) bool { return x.State == Started && x.Owner == target })
	if certain {
		m.forget(ctx, op, w)
	}
	if werr == nil {
		return nil
	}
	return errors.Join(err, werr)
}

// forget takes the constraint of a move away, and no other. What it cannot take away ends with its lifetime.
func (m *pacemaker) forget(ctx context.Context, op string, w wish) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	for range busyTries {
		if m.edit(ctx, op, w.takeAway) == nil || m.clock.Sleep(ctx, busyPause) != nil {
			return
		}
	}
}

// await looks until the service is as it shall be. It gives up when for a time every VM of the service plainly stood still and
// Pacemaker, asked, has nothing to do. certain says that nothing is under way. had says that the service had failed before.
func (m *pacemaker) await(ctx context.Context, op, service string, had bool, done func(Service) bool) (certain bool, err error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, changeTimeout)
		defer cancel()
	}
	for idle := 0; ; idle++ {
		st, _, err := m.look(ctx)
		all := of(st.Services, service)
		failed := slices.ContainsFunc(all, func(x Service) bool { return x.State == Failed })
		switch {
		case err != nil || !st.Quorate || len(all) == 0:
			idle = 0
		case !slices.ContainsFunc(all, func(x Service) bool { return !done(x) }):
			return true, nil
		case failed && !had:
			return true, fmt.Errorf("%s: %w; unknown: check with crm_mon -1r", op, ErrAborted)
		case slices.ContainsFunc(all, func(x Service) bool { return !still(x) }):
			idle = 0
		case idle >= idleLooks && m.settled(ctx):
			return true, fmt.Errorf("%s: %w: it is %s %s, and Pacemaker does no more; unknown: check with crm_mon -1rf", op, ErrFailed, all[0].State, all[0].Owner)
		}
		had = had && failed
		if werr := m.clock.Sleep(ctx, pacemakerStep); werr != nil {
			return false, fmt.Errorf("%s: %w; what was asked for ends by itself in %s; unknown: check with crm_mon -1r", op, errors.Join(werr, err), lifetime)
		}
	}
}

// settled asks Pacemaker whether it has anything to do. Who does not know the question, before 1.1.15, is not settled.
func (m *pacemaker) settled(ctx context.Context) bool {
	out, err := command(ctx, m.host, m.run, askTimeout, "crm_resource", "--wait", "--timeout", "10s")
	return err == nil && out.Code == 0
}

// still tells whether a VM plainly runs or does not.
func still(x Service) bool {
	return slices.Contains([]State{Started, Stopped, Disabled, Failed}, x.State)
}

func of(all []Service, id string) (out []Service) {
	for _, x := range all {
		if x.ID == id {
			out = append(out, x)
		}
	}
	return out
}

// resource is the id in the CIB of a service.
func resource(service string) string {
	_, id, _ := strings.Cut(service, ":")
	return id
}
