package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// xen drives domains by xm or by xl (xen_tool.go). It works from the name alone; only Guest reads a configuration.
type xen struct {
	tools Tools
	stack toolstack // "" until it is known
	seen  numbers
}

var (
	_ Driver   = (*xen)(nil)
	_ Detailer = (*xen)(nil)
	_ Thawer   = (*xen)(nil)
	_ Saver    = (*xen)(nil)
	_ Live     = (*xen)(nil)
	_ Lister   = (*xen)(nil)
)

// Xend and xl rename a domain while it moves or dies.
const (
	leavingPrefix  = "migrating-"
	zombiePrefix   = "Zombie-"
	incomingSuffix = "--incoming"
	awaySuffix     = "--migratedaway"
)

// checkXenName refuses what xend or xl would take for something else: a renamed domain, a domain's number, dom0.
func checkXenName(vm string) error {
	if err := host.CheckName(vm); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	switch {
	case strings.Trim(vm, "0123456789") == "":
		return fmt.Errorf("%w: %q would be taken for a domain's number", ErrName, vm)
	case vm == dom0Name, strings.HasPrefix(vm, leavingPrefix), strings.HasPrefix(vm, zombiePrefix),
		strings.HasSuffix(vm, incomingSuffix), strings.HasSuffix(vm, awaySuffix):
		return fmt.Errorf("%w: %q is a name that Xen itself gives", ErrName, vm)
	}
	return nil
}

// State asks the toolstack.
func (x *xen) State(ctx context.Context, vm string) (State, error) {
	d, err := x.Detail(ctx, vm)
	return d.State, err
}

// Detail asks for all domains: one answer holds every name that the guest may bear at this moment.
func (x *xen) Detail(ctx context.Context, vm string) (Detail, error) {
	rows, err := x.rows(ctx, vm)
	if errors.Is(err, ErrNoProgram) {
		return withoutTool(err, noXen(x.tools.Host))
	}
	if err != nil {
		return Detail{}, err
	}
	d := detailOf(rows)
	if d.State == Unknown {
		return d, fmt.Errorf("asking what %s is: %s does not know: %q", vm, x.tool(), d.Rows)
	}
	return d, nil
}

// rows are the domains that are vm, under whatever name.
func (x *xen) rows(ctx context.Context, vm string) ([]xenRow, error) {
	if err := checkXenName(vm); err != nil {
		return nil, err
	}
	all, err := x.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking what %s is: %w", vm, err)
	}
	var mine []xenRow
	for _, r := range all {
		switch {
		case r.belongs(vm):
			x.see(vm, r.id)
			mine = append(mine, r)
		case r.name == nameless && x.was(vm, r.id):
			mine = append(mine, r)
		}
	}
	return mine, nil
}

func (x *xen) list(ctx context.Context) ([]xenRow, error) {
	r, err := x.tools.ask(ctx, x.tool(), "list")
	if err != nil {
		return nil, err
	}
	return parseXenList(x.tool(), r.Stdout)
}

// Start creates the domain. What its configuration says of its end is overridden: a domain that ends is destroyed,
// and the cluster manager starts it again where it should run. (on_shutdown, which older agents pass, is no
// variable of xm; it is on_poweroff.)
func (x *xen) Start(ctx context.Context, g Guest) error {
	if err := checkXenName(g.Name); err != nil {
		return err
	}
	x.keeps(g.Name)
	return x.tools.change(ctx, x.create(g)...)
}

// remainsFor is how many looks in a row a dead domain may last before Shutdown leaves it to Destroy.
const remainsFor = 5

// Shutdown asks the domain to end, and looks until it has: xm itself does not wait.
func (x *xen) Shutdown(ctx context.Context, vm string) error {
	x.keeps(vm)
	asked, dead := false, 0
	for {
		s, err := x.State(ctx, vm)
		if err != nil && !asked {
			return err
		}
		switch {
		case err != nil: // xend may be busy; what counts is that the guest was asked
		case s.Clean():
			return nil
		case s == Remains:
			if dead++; dead >= remainsFor {
				return fmt.Errorf("shutting %s down: it ended, but what remains does not go away", vm)
			}
		case s != Running:
			return fmt.Errorf("shutting %s down: it is %s and cannot hear", vm, s)
		case !asked:
			if err := x.askToEnd(ctx, vm); err != nil {
				return err
			}
			asked = true
		}
		if wait := x.tools.poll(ctx); wait != nil {
			return errors.Join(fmt.Errorf("shutting %s down: it is still %s: %w", vm, s, wait), err)
		}
	}
}

// Destroy ends every domain that is vm, under whatever name, and looks until none is left.
func (x *xen) Destroy(ctx context.Context, vm string) error {
	var last error
	x.keeps(vm)
	for before := Unknown; ; {
		rows, err := x.rows(ctx, vm)
		s := detailOf(rows).State
		if err != nil {
			s, last = Unknown, err
		} else if s.Clean() {
			return nil
		}
		if s == before { // nothing has changed since: do not run in circles
			if wait := x.tools.poll(ctx); wait != nil {
				return errors.Join(fmt.Errorf("destroying %s: it is still %s: %w", vm, s, wait), last)
			}
		}
		before = s
		for _, r := range rows {
			if r.id < 0 {
				continue
			}
			if last = x.tools.change(ctx, x.tool(), "destroy", r.handle()); absentText(last) {
				last = nil
			}
		}
	}
}

// Thaw lets a paused domain go on, but never one that may still be arriving.
func (x *xen) Thaw(ctx context.Context, vm string) error {
	s, err := x.State(ctx, vm)
	if err != nil || s == Running {
		return err
	}
	if s != Paused {
		return fmt.Errorf("thawing %s: it is %s", vm, s)
	}
	if err := x.tools.change(ctx, x.tool(), "unpause", vm); err != nil {
		return err
	}
	if s, err = x.State(ctx, vm); err != nil || s == Running {
		return err
	}
	return fmt.Errorf("thawing %s: it is %s", vm, s)
}

// Save writes the memory and destroys the domain. xend renames it meanwhile, xl lets it stand suspended; it comes back
// if saving fails.
func (x *xen) Save(ctx context.Context, vm, image string) error {
	if err := checkXenName(vm); err != nil {
		return err
	}
	if _, err := os.Lstat(image); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("saving %s: %s exists", vm, image), err)
	}
	x.keeps(vm)
	return x.tools.change(ctx, x.tool(), "save", vm, image)
}

// Restore makes the domain from an image. Neither tool deletes it, and neither reads the other's.
func (x *xen) Restore(ctx context.Context, g Guest, image string) error {
	if err := checkXenName(g.Name); err != nil {
		return err
	}
	if err := x.tools.imageThere(image); err != nil {
		return fmt.Errorf("restoring %s: %w", g.Name, err)
	}
	x.keeps(g.Name)
	return x.tools.change(ctx, x.tool(), "restore", image)
}

// Migrate pushes the running domain. Its nil is weak by xm: the other node's xend may still lose the guest. Its error
// is weak by xl: after a handshake that broke off at its end nobody knows which copy may run.
func (x *xen) Migrate(ctx context.Context, vm, target string) error {
	if err := checkXenName(vm); err != nil {
		return err
	}
	if err := host.CheckName(target); err != nil {
		return fmt.Errorf("migrating %s: target: %w", vm, err)
	}
	x.keeps(vm)
	return x.tools.change(ctx, x.push(vm, target)...)
}

// Guests are the domains other than dom0 that hold memory here.
func (x *xen) Guests(ctx context.Context) ([]host.GuestFact, error) {
	rows, err := x.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing domains: %w", err)
	}
	var guests []host.GuestFact
	for _, r := range rows {
		if r.id <= 0 {
			continue
		}
		_, name := r.role()
		if host.CheckName(name) != nil { // xl's "(null)" and the like cannot be one of ours
			continue
		}
		guests = append(guests, host.GuestFact{Type: "xen", Name: name, State: r.state().String(), Mem: r.mem << 20, CPU: -1})
	}
	return guests, nil
}

// Version is Xen's.
func (x *xen) Version(ctx context.Context) (tool, version string, err error) {
	info, err := x.info(ctx)
	return x.tool(), info.version, err
}

// FreeMemory is what the hypervisor has not given to any domain.
func (x *xen) FreeMemory(ctx context.Context) (int64, error) {
	info, err := x.info(ctx)
	return info.freeMem << 20, err
}

func (x *xen) info(ctx context.Context) (xenInfo, error) {
	r, err := x.tools.ask(ctx, x.tool(), "info")
	if err != nil {
		return xenInfo{}, fmt.Errorf("asking Xen what it is: %w", err)
	}
	return parseXenInfo(r.Stdout)
}
