package hypervisor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// Shape is what a configuration says to whoever moves a VM's files: a configuration that is not in its place yet, so that no
// driver reads it.
type Shape struct {
	Name    string
	Disks   []ShapeDisk
	Files   []string // kernel, ramdisk, firmware: read and never written
	Bridges []string
	Nets    []string // what else its cards hang on: "network NAME" of libvirt, "interface NAME" of the node
}

// Words before the names in Shape.Nets.
const (
	NetNetwork   = "network "
	NetInterface = "interface "
)

// ShapeDisk is one disk. One that is no path of the node has no Path: DRBD names a resource, Other is all else.
type ShapeDisk struct {
	Path     string
	Block    bool
	ReadOnly bool
	DRBD     string
	Other    string // the disk as it is written, where nothing is known of where it is
}

// ShapeOf reads a configuration of Xen (of xm or xl, in whose disks the same words mean the same) or libvirt.
func ShapeOf(typ string, src []byte) (Shape, error) {
	switch typ {
	case "xen":
		return xenShape(src)
	case "kvm":
		return kvmShape(src)
	}
	return Shape{}, fmt.Errorf("%w: %q", ErrUnknownDriver, typ)
}

func xenShape(src []byte) (Shape, error) {
	v, err := parsePython(src, "name", "kernel", "ramdisk", "vif", "disk")
	if err != nil {
		return Shape{}, err
	}
	s := Shape{Name: v["name"].text}
	for _, what := range []string{"kernel", "ramdisk"} {
		if path := v[what].text; strings.HasPrefix(path, "/") { // hvmloader and its like are found by the tool itself
			s.Files = append(s.Files, path)
		}
	}
	cards := v["vif"].list
	if v["vif"].kind == pyString {
		cards = []string{v["vif"].text}
	}
	for _, card := range cards {
		s.Bridges = append(s.Bridges, bridgesOf(card)...)
	}
	if d, ok := v["disk"]; ok && d.kind != pyList {
		return s, fmt.Errorf("line %d: disk is not a list of plain strings", d.line)
	}
	for _, disk := range v["disk"].list {
		d := parseXLDisk(disk)
		x := ShapeDisk{ReadOnly: strings.HasPrefix(d.access, "r") && d.access != "rw" || d.cdrom}
		switch name := drbdDisk(disk); {
		case name != "":
			x.DRBD = name
		case d.script || !strings.HasPrefix(d.target, "/"):
			x.Other = disk
		default:
			x.Path, x.Block = d.target, d.phy || strings.HasPrefix(d.target, "/dev/")
		}
		s.Disks = append(s.Disks, x)
	}
	return s, nil
}

func kvmShape(src []byte) (Shape, error) {
	root, err := parseXML(src)
	if err != nil {
		return Shape{}, err
	}
	if _, err := kvmGuest(root, host.Host{}); err != nil {
		return Shape{}, err
	}
	s := Shape{Name: root.child("name").value()}
	if err := checkKVMName(s.Name); err != nil {
		return s, err
	}
	for _, what := range []string{"kernel", "initrd", "loader"} {
		if path := root.child("os").child(what).value(); path != "" {
			s.Files = append(s.Files, path)
		}
	}
	if root.child("os").has("nvram") {
		return s, errors.New("<nvram> keeps its firmware's variables on this node: put that file on the shared storage first")
	}
	for _, d := range root.all("devices", "disk") {
		path, block := diskPath(d)
		x := ShapeDisk{Path: path, Block: block, ReadOnly: d.has("readonly") || d.attrs["device"] == "cdrom" || d.attrs["device"] == "floppy"}
		switch {
		case path == "" && d.has("source"):
			x.Other = fmt.Sprintf("disk type=%q", d.attrs["type"])
		case path == "": // an empty drive
			continue
		}
		s.Disks = append(s.Disks, x)
	}
	for _, card := range root.all("devices", "interface") {
		if b := card.child("source").attrs["bridge"]; b != "" {
			s.Bridges = append(s.Bridges, b)
		}
		if n := card.child("source").attrs["network"]; n != "" {
			s.Nets = append(s.Nets, NetNetwork+n)
		}
		if d := card.child("source").attrs["dev"]; d != "" {
			s.Nets = append(s.Nets, NetInterface+d)
		}
	}
	return s, nil
}
