package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Replicated is a Live driver that knows whether a guest's disks may be open on two nodes at this moment, as a live move
// needs them.
type Replicated interface {
	// LiveNow is nil, or says why not.
	LiveNow(ctx context.Context, vm string, params map[string]string) error
	// CouldLive is LiveNow on a node to which the guest could be moved: it need not be primary here.
	CouldLive(ctx context.Context, vm string, params map[string]string) error
}

var (
	_ Replicated = (*xen)(nil)
	_ Replicated = (*kvm)(nil)
)

const (
	procFile  = "/proc/drbd"
	drbdadm   = "drbdadm"
	drbdsetup = "drbdsetup"
)

// LiveNow looks at the DRBD resources of the domain.
func (x *xen) LiveNow(ctx context.Context, vm string, params map[string]string) error {
	g, err := x.Guest(ctx, vm, params)
	return x.tools.liveNow(ctx, g, err, true)
}

// LiveNow looks at the DRBD resources of the guest.
func (k *kvm) LiveNow(ctx context.Context, vm string, params map[string]string) error {
	g, err := k.Guest(ctx, vm, params)
	return k.tools.liveNow(ctx, g, err, true)
}

// CouldLive looks at them where the domain does not run.
func (x *xen) CouldLive(ctx context.Context, vm string, params map[string]string) error {
	g, err := x.Guest(ctx, vm, params)
	return x.tools.liveNow(ctx, g, err, false)
}

// CouldLive looks at them where the guest does not run.
func (k *kvm) CouldLive(ctx context.Context, vm string, params map[string]string) error {
	g, err := k.Guest(ctx, vm, params)
	return k.tools.liveNow(ctx, g, err, false)
}

func (t Tools) liveNow(ctx context.Context, g Guest, unread error, here bool) error {
	proc, err := os.ReadFile(t.Host.Path(procFile))
	if errors.Is(err, fs.ErrNotExist) {
		proc, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("looking at DRBD: %w", err)
	}
	if unread != nil {
		if proc == nil { // nothing is replicated here
			return nil
		}
		return fmt.Errorf("its disks are not known: %w", unread)
	}
	names := g.onDRBD(t.Host.Root())
	if len(names) == 0 {
		return nil
	}
	if proc == nil {
		return fmt.Errorf("its disk %s is DRBD's, and this node has no DRBD loaded", names[0])
	}
	d, err := t.readDRBD(ctx, proc)
	if err != nil {
		return fmt.Errorf("the state of DRBD is not known: %w", err)
	}
	for _, n := range names {
		if err := d.ready(n, here); err != nil {
			return fmt.Errorf("DRBD: %w", err)
		}
	}
	return nil
}

// onDRBD are the guest's disks on DRBD: names of resources, and paths of devices.
func (g Guest) onDRBD(root string) []string {
	out := slices.Clone(g.DRBD)
	for _, w := range g.Witnesses {
		if p := strings.TrimPrefix(w.Path, root); strings.HasPrefix(p, "/dev/drbd") {
			out = append(out, p)
		}
	}
	return out
}

// drbdState is what this node knows of its resources.
type drbdState struct {
	resources []drbdResource
	volumes   func(drbdResource) []drbdVolume
}

func (t Tools) readDRBD(ctx context.Context, proc []byte) (drbdState, error) {
	p, err := parseProcDRBD(proc)
	if err != nil {
		return drbdState{}, err
	}
	name, err := t.Host.Name()
	if err != nil {
		return drbdState{}, err
	}
	r, err := t.ask(ctx, drbdadm, "dump")
	if err != nil {
		return drbdState{}, err
	}
	d := drbdState{}
	if d.resources, err = parseDRBDDump(r.Stdout, name); err != nil {
		return d, err
	}
	if p.major < 9 {
		d.volumes = func(r drbdResource) []drbdVolume {
			var out []drbdVolume
			for _, m := range r.minors {
				if v, ok := p.volumes[m]; ok {
					out = append(out, v)
				}
			}
			return out
		}
		return d, nil
	}
	if r, err = t.ask(ctx, drbdsetup, "status", "--verbose"); err != nil {
		return d, err
	}
	status, err := parseDRBDStatus(r.Stdout)
	d.volumes = func(r drbdResource) []drbdVolume { return status[r.name] }
	return d, err
}

// find is the resource that a disk names: by its own name, by the path of a device, or by /dev/drbd/by-res/NAME/VOLUME.
func (d drbdState) find(disk string) (drbdResource, error) {
	name, minor := disk, -1
	if rest, ok := strings.CutPrefix(disk, "/dev/drbd/by-res/"); ok {
		name, _, _ = strings.Cut(rest, "/")
	} else if n, err := strconv.Atoi(strings.TrimPrefix(disk, "/dev/drbd")); err == nil && strings.HasPrefix(disk, "/dev/drbd") {
		minor = n
	}
	for _, r := range d.resources {
		if r.name == name || slices.Contains(r.devices, path.Clean(disk)) || minor >= 0 && slices.Contains(r.minors, minor) {
			return r, nil
		}
	}
	return drbdResource{}, fmt.Errorf("no resource is known for the disk %s", disk)
}

// ready is nil if a disk may be open on both sides: allowed to, connected, whole on both, and at rest.
func (d drbdState) ready(disk string, here bool) error {
	r, err := d.find(disk)
	if err != nil {
		return err
	}
	for _, n := range r.connections() {
		if n.two != "yes" {
			return fmt.Errorf("resource %s does not allow two primaries (net { allow-two-primaries; }, on both nodes)", r.name)
		}
		if n.protocol != "" && n.protocol != "C" { // C where none is said, from 8.4 on (DRBD_PROTOCOL_DEF); 8.3 wants one
			return fmt.Errorf("resource %s does not run with protocol C, which two primaries need", r.name)
		}
	}
	volumes := d.volumes(r)
	if len(volumes) == 0 || len(volumes) < len(unique(r.minors)) {
		return fmt.Errorf("resource %s is not up here (drbdadm up %s)", r.name, r.name)
	}
	for _, v := range volumes {
		if why := v.unready(here); why != "" {
			return fmt.Errorf("resource %s: %s", r.name, why)
		}
	}
	return nil
}

func unique(n []int) []int {
	n = slices.Clone(n)
	slices.Sort(n)
	return slices.Compact(n)
}

// unready says why a volume cannot be open on both sides, "" if it can.
func (v drbdVolume) unready(here bool) string {
	switch {
	case v.connection != "Connected":
		return fmt.Sprintf("its connection is %s, not Connected", orUnknown(v.connection))
	case len(v.disks) < 2:
		return "the disk of the other side is not known"
	case slices.ContainsFunc(v.disks, func(d string) bool { return d != "UpToDate" }):
		return fmt.Sprintf("its disks are %s, not all UpToDate", strings.Join(v.disks, "/"))
	case v.busy != "":
		return v.busy
	case here && v.role != "Primary":
		return fmt.Sprintf("it is %s here, and a guest that runs here has it Primary", orUnknown(v.role))
	}
	return ""
}

// drbdDisk is the resource that a disk of xm (drbd:NAME,...) or xl (script=block-drbd,target=NAME) names, "" for others.
func drbdDisk(disk string) string {
	if rest, ok := strings.CutPrefix(strings.TrimSpace(disk), "drbd:"); ok {
		name, _, _ := strings.Cut(rest, ",")
		return strings.TrimSpace(name)
	}
	script, target := false, ""
	for rest, more := disk, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch key {
		case "script":
			script = script || path.Base(value) == "block-drbd"
		case "target":
			target = strings.TrimSpace(value)
		}
	}
	if script {
		return target
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
