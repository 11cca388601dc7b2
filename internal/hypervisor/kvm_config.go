package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

const (
	// kvmConfigs is where the guests' files are looked for: libvirt's own folder would not do, since `virsh undefine`
	// deletes what lies in it.
	kvmConfigs  = "/etc/kvm"
	libvirtConf = "/etc/libvirt"
)

// Guest reads the domain's XML, NAME.xml in the folder that the parameter path names.
func (k *kvm) Guest(ctx context.Context, vm string, params map[string]string) (Guest, error) {
	g, _, err := k.domain(ctx, vm, params)
	return g, err
}

func (k *kvm) domain(ctx context.Context, vm string, params map[string]string) (Guest, *element, error) {
	if err := checkKVMName(vm); err != nil {
		return Guest{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return Guest{}, nil, err
	}
	dir := paramOr(params, "path", kvmConfigs)
	if !filepath.IsAbs(dir) {
		return Guest{}, nil, fmt.Errorf("%w: path=%q is not an absolute path", ErrConfig, dir)
	}
	h := k.tools.Host
	if below(h.Path(dir), h.Path(libvirtConf)) {
		return Guest{}, nil, fmt.Errorf("%w: path=%q lies in libvirt's own folder, where virsh undefine deletes it: put the file on the shared storage", ErrConfig, dir)
	}
	path := h.Path(filepath.Join(dir, vm+".xml"))
	b, err := os.ReadFile(path)
	if err != nil {
		return Guest{}, nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	root, err := parseXML(b)
	var g Guest
	if err == nil {
		g, err = kvmGuest(root, h)
	}
	if err == nil && g.Name != vm {
		err = fmt.Errorf("its name is %q", g.Name)
	}
	if err != nil {
		return Guest{}, nil, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	g.Config = path
	return g, root, nil
}

// kvmGuest takes name, memory and disks out of a domain's XML.
func kvmGuest(root *element, h host.Host) (Guest, error) {
	if root.name != "domain" {
		return Guest{}, fmt.Errorf("its root is <%s> and not <domain>", root.name)
	}
	g := Guest{Name: root.child("name").value()}
	switch id := root.child("uuid").value(); {
	case g.Name == "":
		return Guest{}, errors.New("there is no <name>")
	case id == "":
		return Guest{}, errors.New("there is no <uuid>, and libvirt would make a new one at each start: add below <name> the line <uuid>ID</uuid>, with what uuidgen prints as ID, once for all nodes")
	case !isUUID(id):
		return Guest{}, fmt.Errorf("<uuid>%s</uuid> is no UUID: write what uuidgen prints", id)
	}
	if v := root.child("on_poweroff").value(); v != "" && v != "destroy" {
		return Guest{}, fmt.Errorf("<on_poweroff>%s</on_poweroff>: a guest that was shut down would not be gone; write destroy", v)
	}
	var err error
	if g.Mem, err = memoryOf(root.child("memory")); err != nil {
		return Guest{}, err
	}
	for _, d := range root.all("devices", "disk") {
		w, ok, err := kvmWitness(d, h)
		if err != nil {
			return Guest{}, err
		}
		if ok {
			g.Witnesses = append(g.Witnesses, w)
		}
	}
	return g, nil
}

// kvmWitness is a disk that the guest writes and that is a path of this node.
func kvmWitness(d *element, h host.Host) (Witness, bool, error) {
	if kind := d.attrs["device"]; kind == "cdrom" || kind == "floppy" || d.has("readonly") {
		return Witness{}, false, nil
	}
	path, block := diskPath(d)
	if path == "" {
		return Witness{}, false, nil
	}
	if !filepath.IsAbs(path) {
		return Witness{}, false, fmt.Errorf("disk %q is not an absolute path", path)
	}
	return Witness{Path: h.Path(path), Block: block}, true, nil
}

// diskPath is the file or the device behind a disk; "" where it is no path, as in a pool or on the network.
func diskPath(d *element) (path string, block bool) {
	switch d.attrs["type"] {
	case "file", "":
		return d.child("source").attrs["file"], false
	case "block":
		return d.child("source").attrs["dev"], true
	}
	return "", false
}

// memoryOf reads <memory unit="KiB">: libvirt's units, of which k and KiB are 1024 and KB is 1000.
func memoryOf(e *element) (int64, error) {
	bad := fmt.Errorf("<memory unit=%q>%s</memory> is no amount of memory", e.attrs["unit"], e.value())
	n, err := strconv.ParseInt(e.value(), 10, 64)
	if err != nil || n <= 0 {
		return 0, bad
	}
	unit, ok := e.attrs["unit"]
	if !ok {
		unit = "KiB"
	}
	unit, base := strings.ToLower(unit), int64(1024)
	switch rest := strings.TrimLeft(unit, "kmgt"); {
	case unit == "b" || unit == "bytes":
		base = 1
	case len(unit)-len(rest) != 1:
		return 0, bad
	case rest == "b":
		base = 1000
	case rest != "" && rest != "ib":
		return 0, bad
	}
	for range 1 + strings.IndexByte("kmgt", unit[0]) {
		if n *= base; n > 64<<40 {
			return 0, bad
		}
	}
	if n > 64<<40 {
		return 0, bad
	}
	return n, nil
}

// isUUID: 32 hexadecimal digits, in groups or not, as libvirt takes them.
func isUUID(s string) bool {
	digits := strings.ReplaceAll(s, "-", "")
	return len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == "" && len(s) <= 36
}

// Needs are the disks, what the guest boots from, its emulator, its processor, and its bridges and networks.
func (k *kvm) Needs(ctx context.Context, vm string, params map[string]string) (Needs, error) {
	g, root, err := k.domain(ctx, vm, params)
	if err != nil {
		return Needs{}, err
	}
	n := Needs{Mem: g.Mem, CPU: k.cpuModel(ctx, root, g.Config)}
	add := func(what, path string) {
		if path != "" {
			n.Files = append(n.Files, Need{what, k.tools.Host.Path(path)})
		}
	}
	for _, what := range []string{"kernel", "initrd", "loader"} {
		add(what, root.child("os").child(what).value())
	}
	add("emulator", root.child("devices").child("emulator").value())
	for _, d := range root.all("devices", "disk") {
		path, _ := diskPath(d)
		if d.child("source").attrs["startupPolicy"] != "optional" {
			add("disk", path)
		}
	}
	for _, card := range root.all("devices", "interface") {
		source := card.child("source")
		switch card.attrs["type"] {
		case "bridge":
			n.Bridges = append(n.Bridges, source.attrs["bridge"])
		case "network":
			if name := source.attrs["network"]; host.CheckName(name) == nil {
				add("network", filepath.Join(libvirtConf, "qemu/networks", name+".xml"))
			}
		}
	}
	return n, nil
}
