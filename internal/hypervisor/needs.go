package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Needs are what a node must have so that a VM can be started on it.
type Needs struct {
	Mem     int64 // bytes; 0 unknown
	Files   []Need
	Bridges []string // network bridges by name
	// CPU is the processor model that the guest is given by name and this node has whole; "" where the guest may use
	// whatever the processors of its node can do (KVM).
	CPU string
}

// Need is a file, a folder or a block device.
type Need struct {
	What string // disk, kernel, folder
	Path string // joined with the root
}

// Needer is a driver that can tell what a VM needs. An error says that the configuration cannot be used here.
type Needer interface {
	Needs(ctx context.Context, vm string, params map[string]string) (Needs, error)
}

var (
	_ Needer = (*xen)(nil)
	_ Needer = (*openVZ)(nil)
	_ Needer = (*kvm)(nil)
)

// Needs reads the domain's configuration a second time, for what Guest passes over: what it boots from, and its bridges.
func (x *xen) Needs(ctx context.Context, vm string, params map[string]string) (Needs, error) {
	g, err := x.Guest(ctx, vm, params)
	if err != nil {
		return Needs{}, err
	}
	src, err := os.ReadFile(g.Config)
	if err != nil {
		return Needs{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	v, err := parsePython(src, "kernel", "ramdisk", "vif")
	if err != nil {
		return Needs{}, fmt.Errorf("%w: %s: %w", ErrConfig, g.Config, err)
	}
	n := Needs{Mem: g.Mem}
	for _, what := range []string{"kernel", "ramdisk"} {
		if path := v[what].text; path != "" {
			n.Files = append(n.Files, Need{what, x.tools.Host.Path(path)})
		}
	}
	for _, d := range g.Witnesses { // the disks that it writes, as its tool reads them
		n.Files = append(n.Files, Need{"disk", d.Path})
	}
	vif := v["vif"].list
	if v["vif"].kind == pyString {
		vif = []string{v["vif"].text}
	}
	for _, card := range vif {
		n.Bridges = append(n.Bridges, bridgesOf(card)...)
	}
	return n, nil
}

// Needs are the private area of the container, and the bridges that its cards name.
func (o *openVZ) Needs(ctx context.Context, vm string, params map[string]string) (Needs, error) {
	g, err := o.Guest(ctx, vm, params)
	if err != nil {
		return Needs{}, err
	}
	src, err := os.ReadFile(g.Config)
	if err != nil {
		return Needs{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(g.Witnesses) == 0 {
		return Needs{}, errors.New("its private area is not known")
	}
	private := strings.TrimSuffix(g.Witnesses[0].Path, filepath.Clean("/"+vzWitnesses()[0]))
	n := Needs{Mem: g.Mem, Files: []Need{{"folder", private}}}
	for _, card := range strings.Split(parseVZConf(src).get("NETIF"), ";") {
		n.Bridges = append(n.Bridges, bridgesOf(card)...)
	}
	return n, nil
}

// bridgesOf reads `mac=...,bridge=xenbr0`.
func bridgesOf(card string) []string {
	var out []string
	for _, part := range strings.Split(card, ",") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(part), "bridge="); ok && name != "" {
			out = append(out, name)
		}
	}
	return out
}
