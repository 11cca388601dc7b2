package hypervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lbvm/lbvm/internal/host"
)

// Guest reads the domain's configuration, a file of the name of the VM in the folder that the parameter path names.
func (x *xen) Guest(ctx context.Context, vm string, params map[string]string) (Guest, error) {
	if err := checkXenName(vm); err != nil {
		return Guest{}, err
	}
	if err := ctx.Err(); err != nil {
		return Guest{}, err
	}
	dir := paramOr(params, "path", "/etc/xen")
	if !filepath.IsAbs(dir) {
		return Guest{}, fmt.Errorf("%w: path=%q is not an absolute path", ErrConfig, dir)
	}
	path := x.tools.Host.Path(filepath.Join(dir, vm))
	b, err := os.ReadFile(path)
	if err != nil {
		return Guest{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	g, err := xenGuest(x.tool(), b, x.tools.Host)
	if err != nil {
		return Guest{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	if g.Name != "" && g.Name != vm {
		return Guest{}, fmt.Errorf("%w: %s: its name is %q", ErrConfig, path, g.Name)
	}
	g.Name, g.Config = vm, path
	return g, nil
}

// xenGuest takes name, memory and disks out of a configuration.
func xenGuest(t toolstack, b []byte, h host.Host) (Guest, error) {
	values, err := parsePython(b, "name", "memory", "disk")
	if err != nil {
		return Guest{}, err
	}
	var g Guest
	if v, ok := values["name"]; ok {
		if v.kind != pyString {
			return Guest{}, fmt.Errorf("line %d: name is not a plain string", v.line)
		}
		g.Name = v.text
	}
	if v, ok := values["memory"]; ok {
		mib, ok := v.integer()
		if !ok || mib <= 0 || mib > 64<<20 {
			return Guest{}, fmt.Errorf("line %d: memory is not a number of MiB", v.line)
		}
		g.Mem = mib << 20
	}
	v, ok := values["disk"]
	if !ok {
		return g, nil
	}
	if v.kind != pyList {
		return Guest{}, fmt.Errorf("line %d: disk is not a list of plain strings", v.line)
	}
	for _, d := range v.list {
		if name := drbdDisk(d); name != "" {
			g.DRBD = append(g.DRBD, name)
		}
		witness := diskWitness
		if t == xl {
			witness = xlDiskWitness
		}
		w, ok, err := witness(d, h)
		if err != nil {
			return Guest{}, fmt.Errorf("line %d: %w", v.line, err)
		}
		if ok {
			g.Witnesses = append(g.Witnesses, w)
		}
	}
	return g, nil
}
