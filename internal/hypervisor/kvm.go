package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// kvm drives guests of libvirt's QEMU driver by virsh. They are transient: made of a file on the shared storage, and
// unknown to libvirt as soon as they are off. It works from the name alone; only Guest reads a configuration.
//
// A managed save is never made, since no other node would see it, and no guest is started beside one: libvirt leaves it
// where it lies, and restores it over the disks of whoever says `virsh start` next.
type kvm struct{ tools Tools }

var (
	_ Driver   = (*kvm)(nil)
	_ Detailer = (*kvm)(nil)
	_ Thawer   = (*kvm)(nil)
	_ Saver    = (*kvm)(nil)
	_ Live     = (*kvm)(nil)
	_ Lister   = (*kvm)(nil)
	_ Prover   = (*kvm)(nil)
)

const (
	virsh = "virsh"
	// libvirtURI is where guests of the whole node are. Root's default is another one where Xen is installed too.
	libvirtURI = "qemu:///system"
)

// checkKVMName refuses what virsh would take for something else: it looks for a number and for a UUID before the name.
func checkKVMName(vm string) error {
	if err := host.CheckName(vm); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	if strings.Trim(vm, "0123456789") == "" {
		return fmt.Errorf("%w: %q would be taken for a domain's number", ErrName, vm)
	}
	if isUUID(vm) {
		return fmt.Errorf("%w: %q would be taken for a domain's UUID", ErrName, vm)
	}
	return nil
}

// ask asks libvirt by its read-only socket.
func (k *kvm) ask(ctx context.Context, args ...string) (run.Result, error) {
	return k.tools.ask(ctx, append([]string{virsh, "-r", "-c", libvirtURI}, args...)...)
}

func (k *kvm) change(ctx context.Context, args ...string) error {
	return k.tools.change(ctx, append([]string{virsh, "-c", libvirtURI}, args...)...)
}

// State asks libvirt.
func (k *kvm) State(ctx context.Context, vm string) (State, error) {
	d, err := k.Detail(ctx, vm)
	return d.State, err
}

// Detail asks libvirt, by one command as a rule.
//
// Both ends of a migration list the guest under its name. The source's runs, and stands still for the last pages; the
// target's stands still until all is over. Both are "paused (migrating)" then, and the job tells them apart.
func (k *kvm) Detail(ctx context.Context, vm string) (Detail, error) {
	if err := checkKVMName(vm); err != nil {
		return Detail{}, err
	}
	d, err := k.detail(ctx, vm)
	if err != nil {
		return d, fmt.Errorf("asking what %s is: %w", vm, err)
	}
	return d, nil
}

func (k *kvm) detail(ctx context.Context, vm string) (Detail, error) {
	r, err := k.ask(ctx, "domstate", vm, "--reason")
	if said(err, "support option --reason") { // before libvirt 0.9.2
		r, err = k.ask(ctx, "domstate", vm)
	}
	switch {
	case errors.Is(err, ErrNoProgram):
		return withoutTool(err, k.tools.noQEMU(ctx, vm))
	case notThere(err):
		return k.believed(ctx, vm, Detail{State: Absent})
	case noLibvirtd(err):
		return k.tools.withoutLibvirtd(ctx, err, vm)
	case err != nil:
		return Detail{}, err
	}
	s, err := parseDomState(r.Stdout)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Rows: []string{s.line}}
	d.State, d.Sick = s.state()
	d.Suspended = s.saving()
	switch {
	case s.migrating():
		return k.half(ctx, vm, d)
	case d.State == Unknown:
		return d, fmt.Errorf("%w: virsh says %q", ErrAnswer, s.line)
	case d.State.Clean():
		return k.believed(ctx, vm, d)
	}
	return d, nil
}

// half tells which half of a guest that migrates stands still here.
func (k *kvm) half(ctx context.Context, vm string, d Detail) (Detail, error) {
	r, err := k.ask(ctx, "domjobinfo", vm)
	switch {
	case said(err, "only on the source host"):
		d.State = Torso
		return d, nil
	case notThere(err): // it has left, or was given up, in this moment
		return k.believed(ctx, vm, Detail{State: Absent, Rows: d.Rows})
	case err != nil:
		return Detail{Rows: d.Rows}, err
	}
	j, err := parseJob(r.Stdout)
	if err != nil {
		return Detail{Rows: d.Rows}, err
	}
	d.Rows = append(d.Rows, j.line)
	if j.active() {
		d.State = Migrating
		return d, nil
	}
	// Without a job it is half a copy that nobody moves any more, and the other half may run where it was sent; or what arrives
	// by a libvirt that tells of jobs on the source only (before 1.2.17). QEMU waits for a stream if it is the second; but one
	// that has come here by a move or a restore says for ever that it does.
	d.State, d.Handed = Torso, true
	p, ok, err := k.tools.qemuOf(ctx, vm)
	if err == nil && p.hung {
		err = fmt.Errorf("process %d is %s: %w", p.pid, vm, errHung)
	}
	if errors.Is(err, errHung) {
		return Detail{Rows: d.Rows}, err
	}
	if err == nil && ok && !p.incoming {
		d.State = Migrating
	}
	return d, nil
}

// believed is d, which says that nothing runs here, unless a process says otherwise. virsh says "failed to get domain" for
// whatever keeps it from getting one, and libvirt forgets a guest whose state it lost: that one runs on all the same.
func (k *kvm) believed(ctx context.Context, vm string, d Detail) (Detail, error) {
	p, ok, err := k.tools.qemuOf(ctx, vm)
	if err == nil && ok && k.tools.Rehearsal == nil {
		return Detail{Rows: d.Rows}, fmt.Errorf("libvirt has no running %s, and process %d is it: see what it does, and end it", vm, p.pid)
	}
	return d, nil
}

// Start makes the guest of its file.
func (k *kvm) Start(ctx context.Context, g Guest) error {
	if err := checkKVMName(g.Name); err != nil {
		return err
	}
	if err := k.noManagedSave(ctx, g.Name); err != nil {
		return fmt.Errorf("starting %s: %w", g.Name, err)
	}
	return k.change(ctx, "create", g.Config)
}

// noManagedSave is nil if libvirt keeps no memory of the guest at its own place.
func (k *kvm) noManagedSave(ctx context.Context, vm string) error {
	r, err := k.ask(ctx, "dominfo", vm)
	if notThere(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if infoOf(r.Stdout)["managed save"] == "yes" {
		return fmt.Errorf("libvirt keeps a managed save of it on this node, which the next virsh start would restore over its disks: virsh managedsave-remove %s, then virsh undefine %s", vm, vm)
	}
	return nil
}

// Shutdown presses the guest's power button, and looks until it has gone. A job that is left is ended first: virsh would
// wait for its end.
func (k *kvm) Shutdown(ctx context.Context, vm string) error {
	asked := false
	for {
		s, err := k.State(ctx, vm)
		if err != nil && !asked {
			return err
		}
		switch {
		case err != nil: // libvirtd may be busy; what counts is that the guest was asked
		case s.Clean():
			return nil
		case s == Migrating && !asked:
			if err := k.endJob(ctx, vm); err != nil {
				return err
			}
		case s != Running:
			return fmt.Errorf("shutting %s down: it is %s and cannot hear", vm, s)
		case !asked:
			if err := k.endJob(ctx, vm); err != nil {
				return err
			}
			if err := k.change(ctx, "shutdown", vm); err != nil && !notThere(err) && !notRunning(err) {
				return err
			}
			asked = true
		}
		if wait := k.tools.poll(ctx); wait != nil {
			return errors.Join(fmt.Errorf("shutting %s down: it is still %s: %w", vm, s, wait), err)
		}
	}
}

// endJob ends the job that libvirt has with the guest, if it has one. One that cannot be asked for is none: what
// follows says why itself.
func (k *kvm) endJob(ctx context.Context, vm string) error {
	r, err := k.ask(ctx, "domjobinfo", vm)
	if err != nil {
		return ctx.Err()
	}
	if j, err := parseJob(r.Stdout); err != nil || !j.active() {
		return ctx.Err()
	}
	k.tools.note("libvirt has a job with %s that nobody waits for: it is ended", vm)
	err = k.change(ctx, "domjobabort", vm)
	if notThere(err) || said(err, "no job is active") {
		return nil
	}
	return err
}

// Destroy ends the guest, whatever state it is in, and looks until it has gone.
func (k *kvm) Destroy(ctx context.Context, vm string) error {
	var last error
	for before := Unknown; ; {
		s, err := k.State(ctx, vm)
		if err == nil && s.Clean() {
			return nil
		}
		if err != nil {
			last = err
		}
		if s == before { // nothing has changed since: do not run in circles
			if wait := k.tools.poll(ctx); wait != nil {
				return errors.Join(fmt.Errorf("destroying %s: it is still %s: %w", vm, s, wait), last)
			}
		}
		if before = s; err != nil {
			continue
		}
		if last = k.change(ctx, "destroy", vm); notThere(last) || notRunning(last) {
			last = nil
		}
	}
}

// Thaw lets a guest go on that stands still, but never half of one that migrates.
func (k *kvm) Thaw(ctx context.Context, vm string) error {
	d, err := k.Detail(ctx, vm)
	if err != nil || d.State == Running {
		return err
	}
	if d.State != Paused && !d.Suspended {
		return fmt.Errorf("thawing %s: it is %s", vm, d.State)
	}
	if err := k.endJob(ctx, vm); err != nil { // then libvirt lets it go on by itself
		return err
	}
	verb := "resume"
	if asleep(d.Rows) {
		verb = "dompmwakeup"
	}
	err = k.change(ctx, verb, vm)
	if said(err, "already running") {
		err = nil
	}
	if err != nil {
		return err
	}
	s, err := k.State(ctx, vm)
	if err != nil || s == Running {
		return err
	}
	return fmt.Errorf("thawing %s: it is %s", vm, s)
}

// Save writes the memory and ends the guest. The guest goes on if that fails.
func (k *kvm) Save(ctx context.Context, vm, image string) error {
	if err := checkKVMName(vm); err != nil {
		return err
	}
	if _, err := os.Lstat(image); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("saving %s: %s exists", vm, image), err)
	}
	if err := k.endJob(ctx, vm); err != nil {
		return err
	}
	return k.change(ctx, "save", vm, image)
}

// Whole reads the first word of an image: libvirt writes "Save" over "Part" when all of it is there.
func (k *kvm) Whole(image string) (bool, error) {
	f, err := os.Open(image)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	head := make([]byte, len(savedMagic))
	n, err := f.ReadAt(head, 0)
	if err := errors.Join(f.Close(), onlyShort(err)); err != nil {
		return false, err
	}
	return string(head[:n]) == savedMagic, nil
}

// Restore makes the guest of an image, which holds its configuration too. libvirt does not delete it.
func (k *kvm) Restore(ctx context.Context, g Guest, image string) error {
	if err := checkKVMName(g.Name); err != nil {
		return err
	}
	if err := k.tools.imageThere(image); err != nil {
		return fmt.Errorf("restoring %s: %w", g.Name, err)
	}
	if err := k.noManagedSave(ctx, g.Name); err != nil {
		return fmt.Errorf("restoring %s: %w", g.Name, err)
	}
	return k.change(ctx, "restore", image)
}
