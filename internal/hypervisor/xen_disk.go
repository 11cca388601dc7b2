package hypervisor

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// diskWitness reads xm's TYPE:PATH,DEVICE[:cdrom],MODE. A disk that the guest cannot write tells nothing, and one that is
// no path of this node (drbd:, nbd:, iscsi:) has nothing to look at.
func diskWitness(disk string, h host.Host) (Witness, bool, error) {
	part := strings.Split(disk, ",")
	if len(part) < 3 {
		return Witness{}, false, fmt.Errorf("disk %q is not TYPE:PATH,DEVICE,MODE", disk)
	}
	mode := strings.TrimSpace(part[2])
	typ, path, ok := strings.Cut(strings.TrimSpace(part[0]), ":")
	if !strings.HasPrefix(mode, "w") {
		return Witness{}, false, nil
	}
	if !ok {
		return Witness{}, false, fmt.Errorf("disk %q does not begin with its type", disk)
	}
	switch typ {
	case "phy":
		if !strings.HasPrefix(path, "/") {
			path = "/dev/" + path
		}
		return Witness{Path: h.Path(path), Block: true}, true, nil
	case "tap", "tap2": // tap:aio:/path, tap:tapdisk:aio:/path
		path = path[strings.LastIndexByte(path, ':')+1:]
	case "file":
	default:
		return Witness{}, false, nil
	}
	if !strings.HasPrefix(path, "/") {
		return Witness{}, false, fmt.Errorf("disk %q does not name an absolute path", disk)
	}
	return Witness{Path: h.Path(path)}, true, nil
}

// xlDiskWitness reads TARGET,FORMAT,DEVICE,ACCESS, or the same as NAME=VALUE in any order, of which target is the last and
// takes all the rest; and what xl still takes of xm's way (docs/misc/xl-disk-configuration.txt of Xen).
func xlDiskWitness(disk string, h host.Host) (Witness, bool, error) {
	d := parseXLDisk(disk)
	switch d.access {
	case "r", "ro":
		return Witness{}, false, nil
	case "w", "rw", "":
	default:
		return Witness{}, false, fmt.Errorf("disk %q: access %q is neither rw nor ro", disk, d.access)
	}
	if d.cdrom || d.script { // a script makes a device of what is no path of this node
		return Witness{}, false, nil
	}
	if !strings.HasPrefix(d.target, "/") {
		return Witness{}, false, fmt.Errorf("disk %q does not name an absolute path", disk)
	}
	return Witness{Path: h.Path(d.target), Block: d.phy || strings.HasPrefix(d.target, "/dev/")}, true, nil
}

// parseXLDisk reads one disk.
func parseXLDisk(disk string) xlDisk {
	d := xlDisk{access: "rw"}
	for rest, more := disk, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		name, value, named := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		switch {
		case named && name == "target":
			if d.target = value; more {
				d.target += "," + rest
			}
			more = false
		case named && name == "access":
			d.access = value
		case named && name == "devtype":
			d.cdrom = d.cdrom || value == "cdrom"
		case named && name == "script":
			d.script = true
		case named && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_-") == "":
		case name == "cdrom" && !named:
			d.cdrom = true
		default:
			d.next(strings.TrimSpace(item))
		}
	}
	return d
}

// xlDisk is a disk as xl reads it.
type xlDisk struct {
	target, access     string
	cdrom, script, phy bool
	places             int // that were taken so far
}

// next takes a value that stands for itself: target, format, device, access. With an old prefix there is no format.
func (d *xlDisk) next(item string) {
	switch d.places++; d.places {
	case 1:
		d.target = item
		for old := true; old; {
			var prefix, path string
			if prefix, path, old = strings.Cut(d.target, ":"); !old {
				break
			}
			switch prefix {
			case "phy":
				if d.phy = true; !strings.HasPrefix(path, "/") {
					path = "/dev/" + path
				}
			case "drbd", "nbd", "enbd", "iscsi":
				d.script = true
			case "raw", "qcow", "qcow2", "vhd", "tapdisk", "tap", "tap2", "aio", "ioemu", "file":
			default:
				old = false
				continue
			}
			d.target, d.places = path, 2
		}
	case 3:
		d.cdrom = d.cdrom || strings.HasSuffix(item, ":cdrom")
	case 4:
		d.access = strings.TrimSuffix(item, "!")
	}
}
