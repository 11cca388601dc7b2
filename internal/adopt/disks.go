package adopt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/splice"
)

// inspectXen plans for a domain's configuration.
func inspectXen(ctx context.Context, a Adopter, p *Plan, src []byte) error {
	s, err := hypervisor.ShapeOf("xen", src)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Config, err)
	}
	if p.VM = s.Name; p.VM == "" {
		p.VM = filepath.Base(p.Config) // as xm and xl call it then
	}
	// What xendomains starts by itself goes first: under whatever name it lay in that folder, it would be started.
	if p.Retire, err = a.xendomains(p.VM); err != nil {
		return err
	}
	return disks(ctx, a, p, src, s, "%s")
}

// xendomains gives the entries from which this node's xendomains starts a domain when the node boots. One that it would
// restore is an error.
func (a Adopter) xendomains(vm string) (out []File, err error) {
	const auto, save = "/etc/xen/auto", "/var/lib/xen/save/"
	if saved, err := exists(a.Host.Path(save + vm)); err != nil || saved {
		return nil, errors.Join(fmt.Errorf("the memory of %s lies in %s, from where xendomains restores it: restore it, shut it down, remove that file", vm, save+vm), err)
	}
	entries, err := os.ReadDir(a.Host.Path(auto))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(auto, e.Name())
		body, err := os.ReadFile(a.Host.Path(path))
		if err != nil {
			continue // a link that leads nowhere starts nothing
		}
		of, err := hypervisor.ShapeOf("xen", body)
		if err == nil && (of.Name == vm || of.Name == "" && e.Name() == vm) {
			out = append(out, File{Path: path, To: "/etc/xen/auto-" + e.Name() + origSuffix, Sum: sum(body)})
		}
	}
	return out, nil
}

const libvirtDir = "/etc/libvirt"

// inspectKVM plans for a domain's XML.
func inspectKVM(ctx context.Context, a Adopter, p *Plan, src []byte) error {
	s, err := hypervisor.ShapeOf("kvm", src)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Config, err)
	}
	p.VM = s.Name
	defined := libvirtDir + "/qemu/" + p.VM + ".xml"
	switch body, err := os.ReadFile(a.Host.Path(defined)); {
	case err == nil:
		p.Defined = &File{Path: defined, To: defined + origSuffix, Sum: sum(body)}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case strings.HasPrefix(p.Config, libvirtDir+"/"):
		return fmt.Errorf("%s lies in libvirt's folder, and libvirt calls the guest %s", p.Config, p.VM)
	}
	if p.Autostart, err = exists(a.Host.Path(libvirtDir + "/qemu/autostart/" + p.VM + ".xml")); err != nil {
		return err
	}
	if saved, err := exists(a.Host.Path("/var/lib/libvirt/qemu/save/" + p.VM + ".save")); err != nil {
		return err
	} else if saved {
		return fmt.Errorf("the memory of %s lies in a managed save: start it and shut it down, so that nothing is lost", p.VM)
	}
	return disks(ctx, a, p, src, s, "%s.xml")
}

// disks plans what Xen and libvirt have in common: images go to the shared storage, devices stay, and the configuration
// is changed in the paths of its images alone. name is how the agent finds its file.
func disks(_ context.Context, a Adopter, p *Plan, src []byte, s hypervisor.Shape, name string) error {
	want := s
	want.Disks = append([]hypervisor.ShapeDisk(nil), s.Disks...)
	text := src
	p.Bridges, p.Nets, p.Devices = s.Bridges, s.Nets, append(p.Devices, s.Files...)
	taken := map[string]string{} // new names, and whose they are
	for i, d := range s.Disks {
		switch {
		case d.Other != "":
			return fmt.Errorf("%s: nobody here knows where %s lies: put that disk where every node sees it, and add the VM by hand (lbm ccs insert)", p.Config, d.Other)
		case d.DRBD != "":
			p.Devices = append(p.Devices, drbdPrefix+d.DRBD)
			p.Own = append(p.Own, drbdPrefix+d.DRBD)
			continue
		case d.Block:
			p.Devices = append(p.Devices, d.Path)
			if !d.ReadOnly {
				p.Own = append(p.Own, d.Path)
			}
			continue
		}
		if err := a.standsAlone(d.Path); err != nil {
			return fmt.Errorf("disk %s: %w", d.Path, err)
		}
		there, err := a.onShared(d.Path)
		if err != nil {
			return fmt.Errorf("disk %s: %w", d.Path, err)
		}
		if there == "" || !d.ReadOnly {
			p.Own = append(p.Own, d.Path)
		}
		if there == d.Path {
			continue
		}
		if there != "" {
			if text, err = replacePath(text, d.Path, there); err != nil {
				return fmt.Errorf("%s: %w", p.Config, err)
			}
			want.Disks[i].Path = there
			continue
		}
		to := a.sharedPath(p.Type, "images", p.VM, filepath.Base(d.Path))
		if whose, is := taken[to]; is && whose == d.Path {
			return fmt.Errorf("%s: %s is there twice", p.Config, d.Path)
		} else if is {
			to = a.sharedPath(p.Type, "images", p.VM, fmt.Sprintf("%d-%s", i, filepath.Base(d.Path)))
		}
		taken[to] = d.Path
		p.Copies = append(p.Copies, Copy{From: d.Path, To: to})
		if text, err = replacePath(text, d.Path, to); err != nil {
			return fmt.Errorf("%s: %w", p.Config, err)
		}
		want.Disks[i].Path = to
	}
	if got, err := hypervisor.ShapeOf(p.Type, text); err != nil || !reflect.DeepEqual(got, want) {
		return errors.Join(fmt.Errorf("%s: its disks cannot be changed: after the edit it would not read as meant", p.Config), err)
	}
	to := a.sharedPath(p.Type, "conf", fmt.Sprintf(name, p.VM))
	p.Params["path"] = filepath.Dir(to)
	p.Texts = append(p.Texts, Text{Path: to, Like: p.Config, Body: text})
	if p.Defined == nil || p.Defined.Path != p.Config {
		p.Retire = append(p.Retire, File{Path: p.Config, Sum: sum(src)})
	}
	if p.Defined == nil || !strings.HasPrefix(p.Config, libvirtDir+"/") { // where libvirtd would define it anew from a link
		p.Links = append(p.Links, Link{Path: p.Config, To: to})
	}
	return nil
}

// standsAlone refuses a qcow image that is no more than what differs from another file, which another node may not have, or
// have otherwise. The header is that of QEMU's docs/interop/qcow2.txt.
func (a Adopter) standsAlone(path string) error {
	f, err := os.Open(a.Host.Path(path))
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := f.ReadAt(head, 0); errors.Is(err, io.EOF) {
		return nil // shorter than any
	} else if err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[16:])
	if string(head[:4]) != "QFI\xfb" || binary.BigEndian.Uint64(head[8:]) == 0 || size == 0 || size > 1023 {
		return nil
	}
	name := make([]byte, size)
	if _, err := f.ReadAt(name, int64(binary.BigEndian.Uint64(head[8:]))); err != nil {
		return err
	}
	there, err := a.onShared(string(name))
	if own, oerr := a.onShared(path); err == nil && oerr == nil && own != "" && there == string(name) { // every node reads the same
		return a.standsAlone(there)
	}
	return fmt.Errorf("it holds only what differs from %q: make it whole first (qemu-img convert)", name)
}

// replacePath puts another path in the place of one that stands whole between the marks of a disk. Comments of Xen's
// lines stay. What else it may have hit, the caller sees by reading the outcome.
func replacePath(src []byte, from, to string) ([]byte, error) {
	if strings.ContainsAny(to, "'\"\\,&<>") {
		return nil, fmt.Errorf("%q cannot be written into a configuration", to)
	}
	var edits []splice.Edit
	for at := 0; ; {
		i := bytes.Index(src[at:], []byte(from))
		if i < 0 {
			break
		}
		start := at + i
		end := start + len(from)
		at = end
		line := src[bytes.LastIndexByte(src[:start], '\n')+1 : start]
		before, after := byte(0), byte(0)
		if start > 0 {
			before = src[start-1]
		}
		if end < len(src) {
			after = src[end]
		}
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) || !strings.ContainsRune(":='\" ", rune(before)) || !strings.ContainsRune(",'\" ", rune(after)) {
			continue
		}
		edits = append(edits, splice.Edit{Start: start, End: end, Text: []byte(to)})
	}
	if len(edits) == 0 {
		return nil, fmt.Errorf("%q is not written as a plain path", from)
	}
	return splice.Apply(src, edits)
}
