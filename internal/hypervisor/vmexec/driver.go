package vmexec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Type is the resource type that the agent serves; which technology a VM is of, its parameter `type` says.
const Type = "vmexec"

// pollEvery is how often we look whether a guest is down.
const pollEvery = time.Second

// driver is a technology of which nothing is known but that guests can be looked at, started and stopped. What else one
// can do is told by the types around it.
type driver struct {
	tools  hypervisor.Tools
	def    *Definition
	broken error // why there is no def; every question and every change then fails with it
}

// The four kinds of technology.
type (
	saver      struct{ *driver }
	mover      struct{ *driver }
	saverMover struct{ *driver }
)

var (
	_ hypervisor.Driver   = (*driver)(nil)
	_ hypervisor.Detailer = (*driver)(nil)
	_ hypervisor.Thawer   = (*driver)(nil)
	_ hypervisor.Needer   = (*driver)(nil)
	_ hypervisor.Saver    = saver{}
	_ hypervisor.Live     = mover{}
	_ hypervisor.Saver    = saverMover{}
	_ hypervisor.Live     = saverMover{}
)

// New is the driver of the technology that the agent's parameter `type` names; it has the form of vm.Agent's Driver. A
// definition that cannot be used is no error here: nothing is known of its guests, and each call says so.
func New(_ string, t hypervisor.Tools) (hypervisor.Driver, error) {
	name := ""
	if t.Param != nil {
		name = t.Param("type")
	}
	return Of(name, t), nil
}

// Of is the driver of a technology.
func Of(technology string, t hypervisor.Tools) hypervisor.Driver {
	d := &driver{tools: t}
	d.def, d.broken = Load(t.Host, technology)
	switch {
	case d.def == nil:
	case d.def.Saves() && d.def.Migrates():
		return saverMover{d}
	case d.def.Saves():
		return saver{d}
	case d.def.Migrates():
		return mover{d}
	}
	return d
}

// ready is nil if there is a definition and the guest may be called so.
func (d *driver) ready(vm string) error {
	if err := host.CheckName(vm); err != nil {
		return fmt.Errorf("%w: %w", hypervisor.ErrName, err)
	}
	return d.broken
}

// values are what stands for the placeholders of a guest. The configuration is the agent's parameter or, without one, the
// definition's.
func (d *driver) values(vm string, params map[string]string) values {
	v := values{"name": vm}
	config := params["config"]
	if params == nil && d.tools.Param != nil {
		config = d.tools.Param("config")
	}
	if config == "" && d.def.config != nil {
		config = d.def.config.fill(v)
	}
	if config != "" {
		v["config"] = d.tools.Host.Path(config)
	}
	return v
}

// State asks the technology's program.
func (d *driver) State(ctx context.Context, vm string) (hypervisor.State, error) {
	x, err := d.Detail(ctx, vm)
	return x.State, err
}

// Detail asks the technology's program.
func (d *driver) Detail(ctx context.Context, vm string) (hypervisor.Detail, error) {
	if err := d.ready(vm); err != nil {
		return hypervisor.Detail{}, fmt.Errorf("asking what %s is: %w", vm, err)
	}
	if r := d.tools.Rehearsal; r != nil {
		if running, played := r.Played(); played {
			if running {
				return hypervisor.Detail{State: hypervisor.Running}, nil
			}
			return hypervisor.Detail{State: hypervisor.Stopped}, nil
		}
	}
	s, said, err := d.ask(ctx, vm, d.values(vm, nil))
	if err != nil {
		return hypervisor.Detail{}, fmt.Errorf("asking what %s is: %w", vm, err)
	}
	return hypervisor.Detail{State: s, Rows: []string{said}}, nil
}

// Guest looks at the guest's configuration, if it has one, and at its disks.
func (d *driver) Guest(_ context.Context, vm string, params map[string]string) (hypervisor.Guest, error) {
	if err := d.ready(vm); err != nil {
		return hypervisor.Guest{}, err
	}
	v := d.values(vm, params)
	g := hypervisor.Guest{Name: vm, Config: v["config"], Mem: d.def.memory}
	if text := params["memory"]; text != "" {
		n, err := ParseSize(text)
		if err != nil {
			return g, fmt.Errorf("%w: memory: %w", hypervisor.ErrConfig, err)
		}
		g.Mem = n
	}
	if g.Config != "" {
		f, err := os.Open(g.Config)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return g, fmt.Errorf("%w: %w", hypervisor.ErrConfig, err)
		}
	}
	for _, w := range d.def.disks {
		path := d.tools.Host.Path(w.fill(v))
		fi, err := os.Stat(path)
		g.Witnesses = append(g.Witnesses, hypervisor.Witness{Path: path, Block: err == nil && fi.Mode()&fs.ModeDevice != 0})
	}
	return g, nil
}

// Needs are the configuration, the disks, and the programs of all commands.
func (d *driver) Needs(ctx context.Context, vm string, params map[string]string) (hypervisor.Needs, error) {
	g, err := d.Guest(ctx, vm, params)
	if err != nil {
		return hypervisor.Needs{}, err
	}
	n := hypervisor.Needs{Mem: g.Mem}
	for _, w := range g.Witnesses {
		n.Files = append(n.Files, hypervisor.Need{What: "disk", Path: w.Path})
	}
	for _, name := range commandNames {
		if c := d.def.commands[name]; c != nil && c.words != nil {
			path, err := program(d.tools.Host, c.words[0].fill(nil))
			if err != nil {
				return n, fmt.Errorf("%s: %w", name, err)
			}
			n.Files = append(n.Files, hypervisor.Need{What: "program", Path: path})
		}
	}
	return n, nil
}

// Start runs start.
func (d *driver) Start(ctx context.Context, g hypervisor.Guest) error {
	if err := d.ready(g.Name); err != nil {
		return err
	}
	return d.change(ctx, start, d.of(g), true)
}

// of are the values of a guest that was looked at.
func (d *driver) of(g hypervisor.Guest) values {
	v := d.values(g.Name, nil)
	if g.Config != "" {
		v["config"] = g.Config
	}
	return v
}

// Shutdown runs stop, and looks until the guest is gone: what the program says counts for nothing.
func (d *driver) Shutdown(ctx context.Context, vm string) error {
	if err := d.ready(vm); err != nil {
		return err
	}
	var asked error
	for first := true; ; first = false {
		s, err := d.State(ctx, vm)
		switch {
		case err != nil && first:
			return err
		case err != nil: // what counts is that the guest was asked
		case s.Clean():
			return nil
		case asked != nil:
			return fmt.Errorf("shutting %s down: it is still %s: %w", vm, s, asked)
		case s != hypervisor.Running && first:
			return fmt.Errorf("shutting %s down: it is %s and cannot hear", vm, s)
		case first:
			asked = d.change(ctx, stop, d.values(vm, nil), false)
			if asked == nil || ctx.Err() == nil {
				continue // it is looked at once more before an error counts
			}
		}
		if wait := d.tools.Clock.Sleep(ctx, pollEvery); wait != nil {
			return errors.Join(fmt.Errorf("shutting %s down: it is still %s: %w", vm, s, wait), err, asked)
		}
	}
}

// Destroy runs destroy, or stop where the technology has no destroy, until nothing of the guest is left.
func (d *driver) Destroy(ctx context.Context, vm string) error {
	if err := d.ready(vm); err != nil {
		return err
	}
	name := destroy
	if d.def.commands[name] == nil {
		name = stop
	}
	var last error
	for tries := 0; ; tries++ {
		s, err := d.State(ctx, vm)
		if err == nil && s.Clean() {
			return nil
		}
		if tries > 0 { // once at once, then with a pause
			if wait := d.tools.Clock.Sleep(ctx, pollEvery); wait != nil {
				return errors.Join(fmt.Errorf("destroying %s: it is still %s: %w", vm, s, wait), err, last)
			}
			if s, err = d.State(ctx, vm); err == nil && s.Clean() {
				return nil
			}
		}
		last = d.change(ctx, name, d.values(vm, nil), false)
	}
}

// Thaw lets a paused guest go on.
func (d *driver) Thaw(ctx context.Context, vm string) error {
	s, err := d.State(ctx, vm)
	if err != nil || s == hypervisor.Running {
		return err
	}
	if s != hypervisor.Paused || d.def.commands[thaw] == nil {
		return fmt.Errorf("thawing %s: it is %s, and the definition of %s has no way to let it go on", vm, s, d.def.Name)
	}
	if err := d.change(ctx, thaw, d.values(vm, nil), true); err != nil {
		return err
	}
	if s, err = d.State(ctx, vm); err != nil || s == hypervisor.Running {
		return err
	}
	return fmt.Errorf("thawing %s: it is %s", vm, s)
}

// Restore runs restore.
func (d *driver) Restore(ctx context.Context, g hypervisor.Guest, image string) error {
	if err := d.ready(g.Name); err != nil {
		return err
	}
	if d.def.commands[restore] == nil {
		return fmt.Errorf("restoring %s: the definition of %s has no restore", g.Name, d.def.Name)
	}
	if d.tools.Rehearsal == nil { // which has moved no image to where it would be
		if err := imageIn(image); err != nil {
			return fmt.Errorf("restoring %s: %w", g.Name, err)
		}
	}
	v := d.of(g)
	v["image"] = image
	return d.change(ctx, restore, v, true)
}

// save runs save. A program that says that it is done and has written nothing is not believed.
func (d *driver) save(ctx context.Context, vm, image string) error {
	if err := d.ready(vm); err != nil {
		return err
	}
	if _, err := os.Lstat(image); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("saving %s: %s exists", vm, image), err)
	}
	v := d.values(vm, nil)
	v["image"] = image
	err := d.change(ctx, save, v, false)
	if err == nil && d.tools.Rehearsal == nil {
		err = imageIn(image)
	}
	if err != nil {
		return fmt.Errorf("saving %s: %w", vm, err)
	}
	return nil
}

// imageIn is nil if there is something in an image.
func imageIn(image string) error {
	fi, err := os.Stat(image)
	if err == nil && fi.Mode().IsRegular() && fi.Size() == 0 {
		err = fmt.Errorf("the image %s is empty", image)
	}
	return err
}

// migrate runs migrate.
func (d *driver) migrate(ctx context.Context, vm, target string) error {
	if err := d.ready(vm); err != nil {
		return err
	}
	if err := host.CheckName(target); err != nil {
		return fmt.Errorf("migrating %s: target: %w", vm, err)
	}
	v := d.values(vm, nil)
	v["target"] = target
	return d.change(ctx, migrate, v, false)
}

// Save writes the guest's memory to image and ends it.
func (s saver) Save(ctx context.Context, vm, image string) error { return s.save(ctx, vm, image) }

// Save writes the guest's memory to image and ends it.
func (s saverMover) Save(ctx context.Context, vm, image string) error { return s.save(ctx, vm, image) }

// Migrate pushes the running guest. Neither its nil nor its error says where the guest is.
func (m mover) Migrate(ctx context.Context, vm, target string) error {
	return m.migrate(ctx, vm, target)
}

// Migrate pushes the running guest. Neither its nil nor its error says where the guest is.
func (m saverMover) Migrate(ctx context.Context, vm, target string) error {
	return m.migrate(ctx, vm, target)
}
