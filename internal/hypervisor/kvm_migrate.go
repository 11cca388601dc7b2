package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// Parameters of the agent for a live move.
const (
	kvmTransport = "migration_transport" // ssh, tls, tcp: how the target's libvirtd is reached
	kvmUnsafe    = "migrate_unsafe"      // 1: libvirt's doubts about the disks do not count
)

// Migrate pushes the running guest, by a virsh that sees to it itself (no --p2p): if that one ends in between, libvirt
// takes the move back and the guest runs on here. Neither side's libvirt is told to keep its configuration.
//
// Where the last message is lost libvirt may let both copies run (virDomainMigrateVersion3Full: "there is a small chance").
// After an error the target is therefore asked too; ErrTwice says that both run.
func (k *kvm) Migrate(ctx context.Context, vm, target string) error {
	if err := checkKVMName(vm); err != nil {
		return err
	}
	there, stream, err := kvmTarget(target, k.tools.param)
	unsafe, uerr := unsafeOf(k.tools.param)
	if err := errors.Join(err, uerr); err != nil {
		return fmt.Errorf("migrating %s: %w", vm, err)
	}
	if err := k.endJob(ctx, vm); err != nil { // of an agent that was killed
		return err
	}
	argv := []string{"migrate", "--live"}
	if unsafe {
		argv = append(argv, "--unsafe")
	}
	err = k.change(ctx, append(argv, vm, there, stream)...)
	if said(err, "unsafe migration") {
		err = fmt.Errorf("%w (%s=\"1\" overrules libvirt; write that only where all nodes see the same disks, uncached)", err, kvmUnsafe)
	}
	if err != nil && k.tools.Rehearsal == nil {
		err = errors.Join(err, k.twice(ctx, vm, there))
	}
	return err
}

// twice is ErrTwice if the guest runs here and by the libvirtd at there. Where that does not answer it says nothing.
func (k *kvm) twice(ctx context.Context, vm, there string) error {
	if s, err := k.State(ctx, vm); err != nil || s != Running {
		return nil // whoever looks now sees it
	}
	r, err := k.tools.ask(ctx, virsh, "-r", "-c", there, "domstate", vm, "--reason")
	if err != nil {
		return nil
	}
	s, err := parseDomState(r.Stdout)
	if err != nil {
		return nil
	}
	if state, _ := s.state(); state == Running {
		return fmt.Errorf("%w: the target's libvirt says %q", ErrTwice, s.line)
	}
	return nil
}

// kvmTarget is where the target's libvirtd is, and where it takes the guest's memory.
func kvmTarget(target string, param func(string) string) (there, stream string, err error) {
	if err := host.CheckName(target); err != nil {
		return "", "", fmt.Errorf("target: %w", err)
	}
	if strings.Contains(target, ":") { // an address of IPv6
		target = "[" + target + "]"
	}
	switch by := param(kvmTransport); by {
	case "ssh", "": // which must never ask for a password
		there = "qemu+ssh://" + target + "/system?no_tty=1"
	case "tcp", "tls":
		there = "qemu+" + by + "://" + target + "/system"
	default:
		return "", "", fmt.Errorf("%w: %s=%q is none of ssh, tls and tcp", ErrConfig, kvmTransport, by)
	}
	return there, "tcp:" + target, nil
}

// param is an agent's parameter; "" where no agent asks.
func (t Tools) param(name string) string {
	if t.Param == nil {
		return ""
	}
	return t.Param(name)
}

// unsafeOf tells whether libvirt's doubts about the disks do not count.
func unsafeOf(param func(string) string) (bool, error) {
	switch v := param(kvmUnsafe); v {
	case "", "0", "no", "false":
		return false, nil
	case "1", "yes", "true":
		return true, nil
	default:
		return false, fmt.Errorf("%w: %s=%q is neither 0 nor 1", ErrConfig, kvmUnsafe, v)
	}
}

// Guests are the domains that are more than a definition.
func (k *kvm) Guests(ctx context.Context) ([]host.GuestFact, error) {
	r, err := k.ask(ctx, "list", "--all")
	if err != nil {
		return nil, fmt.Errorf("listing domains: %w", err)
	}
	rows, err := parseVirshList(r.Stdout)
	if err != nil {
		return nil, fmt.Errorf("listing domains: %w", err)
	}
	var guests []host.GuestFact
	for _, name := range rows {
		if checkKVMName(name) != nil { // cannot be one of ours
			continue
		}
		d, err := k.Detail(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("listing domains: %w", err)
		}
		if d.State.Clean() { // it has gone since
			continue
		}
		r, err := k.ask(ctx, "dominfo", name)
		if notThere(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing domains: %w", err)
		}
		mem, err := kibibytes(infoOf(r.Stdout)["max memory"])
		if err != nil {
			return nil, fmt.Errorf("listing domains: %s: %w", name, err)
		}
		guests = append(guests, host.GuestFact{Type: "kvm", Name: name, State: d.State.String(), Mem: mem, CPU: -1})
	}
	return guests, nil
}

// Version is QEMU's, which decides who understands whose memory.
func (k *kvm) Version(ctx context.Context) (tool, version string, err error) {
	r, err := k.ask(ctx, "version")
	if err != nil {
		return virsh, "", fmt.Errorf("asking libvirt what it is: %w", err)
	}
	version, ok := strings.CutPrefix(infoOf(r.Stdout)["running hypervisor"], "QEMU ")
	if !ok || version == "" {
		return virsh, "", fmt.Errorf("%w: virsh version: %s", ErrAnswer, quoteStart(r.Stdout))
	}
	return virsh, version, nil
}

// FreeMemory is not limited by anything but the node's own: guests are processes.
func (k *kvm) FreeMemory(context.Context) (int64, error) { return 0, nil }
