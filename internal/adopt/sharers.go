package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/hypervisor"
)

// alone refuses a VM of whose disks another VM that this node can read of has one too, adopted or not: two guests that write
// to one disk destroy it, and what is copied is renamed under the other one.
func (a Adopter) alone(p Plan) error {
	used, err := a.users(p.Type, p.VM, p.Own)
	if err != nil {
		return err
	}
	if len(used) > 0 {
		return fmt.Errorf("%s: give each VM its own, or add this one by hand (lbm ccs insert)", strings.Join(used, "; "))
	}
	return nil
}

// users tells which other VMs have what is VM's own: paths of disks and private areas, and DRBD resources.
func (a Adopter) users(typ, vm string, own []string) ([]string, error) {
	if len(own) == 0 {
		return nil, nil
	}
	var out []string
	files, err := a.configurations()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		for _, theirs := range f.disks {
			for _, mine := range own {
				if (f.typ != typ || f.vm != vm) && a.sameDisk(mine, theirs) {
					out = append(out, fmt.Sprintf("%s is used by %s:%s, too (%s)", mine, f.typ, f.vm, f.path))
				}
			}
		}
		if f.disks != nil {
			continue
		}
		for _, mine := range own { // a file that is not understood
			if strings.HasPrefix(mine, "/") && bytes.Contains(f.text, []byte(mine)) {
				out = append(out, fmt.Sprintf("%s is named in %s, which cannot be read otherwise", mine, f.path))
			}
		}
	}
	return out, nil
}

// configuration is one that somebody could start a VM from.
type configuration struct {
	path, typ, vm string
	disks         []string // nil: the file is not understood
	text          []byte
}

// configurations are those of this node and of the cluster.
func (a Adopter) configurations() ([]configuration, error) {
	dirs := []string{vzConfs, "/etc/xen", "/etc/xen/auto", libvirtDir + "/qemu", "/etc/kvm",
		a.sharedPath("openvz/conf"), a.sharedPath("xen/conf"), a.sharedPath("kvm/conf")}
	named, err := a.registry().folders(context.Background())
	if err != nil {
		return nil, err
	}
	for _, path := range named {
		if filepath.IsAbs(path) {
			dirs = append(dirs, filepath.Clean(path))
		}
	}
	var out []configuration
	seen := map[string]bool{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(a.Host.Path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			fi, err := os.Stat(a.Host.Path(path))
			n := strings.TrimSuffix(e.Name(), ".conf")
			if vz := dir == vzConfs || dir == a.sharedPath("openvz/conf"); vz && (n == e.Name() || strings.Trim(n, "0123456789") != "") {
				continue // samples, action scripts
			}
			if seen[path] || strings.HasSuffix(path, origSuffix) || err != nil || !fi.Mode().IsRegular() || fi.Size() > 1<<20 {
				continue // a link that leads nowhere starts nothing
			}
			seen[path] = true
			text, err := os.ReadFile(a.Host.Path(path))
			if err != nil {
				return nil, err
			}
			out = append(out, readConfiguration(path, text))
		}
	}
	return out, nil
}

func readConfiguration(path string, text []byte) configuration {
	f := configuration{path: path, typ: "xen", text: text}
	base := filepath.Base(path)
	switch n := strings.TrimSuffix(base, ".conf"); {
	case n != base && strings.Trim(n, "0123456789") == "" && n != "":
		f.typ, f.vm, f.disks = "openvz", n, []string{}
		if private := strings.NewReplacer("${VEID}", n, "$VEID", n).Replace(keyValue(text, "VE_PRIVATE")); filepath.IsAbs(private) {
			f.disks = append(f.disks, filepath.Clean(private))
		}
		return f
	case strings.HasPrefix(strings.TrimSpace(string(text)), "<"):
		f.typ = "kvm"
	}
	s, err := hypervisor.ShapeOf(f.typ, text)
	if err != nil {
		return f
	}
	if f.vm = s.Name; f.vm == "" {
		f.vm = base
	}
	f.disks = []string{}
	for _, d := range s.Disks {
		switch {
		case d.DRBD != "":
			f.disks = append(f.disks, drbdPrefix+d.DRBD)
		case d.Path != "":
			f.disks = append(f.disks, d.Path)
		}
	}
	return f
}

// sameDisk tells whether two paths lead to one file, folder or device, or to a folder within the other.
func (a Adopter) sameDisk(x, y string) bool {
	if x == y {
		return true
	}
	fx, errx := os.Stat(a.Host.Path(x))
	fy, erry := os.Stat(a.Host.Path(y))
	if errx != nil || erry != nil {
		return false
	}
	if fx.Mode()&fs.ModeDevice != 0 && fx.Mode().Type() == fy.Mode().Type() {
		return fx.Sys().(*syscall.Stat_t).Rdev == fy.Sys().(*syscall.Stat_t).Rdev
	}
	if os.SameFile(fx, fy) {
		return true
	}
	if !fx.IsDir() || !fy.IsDir() {
		return false
	}
	rx, errx := filepath.EvalSymlinks(a.Host.Path(x))
	ry, erry := filepath.EvalSymlinks(a.Host.Path(y))
	return errx == nil && erry == nil && (strings.HasPrefix(rx, ry+"/") || strings.HasPrefix(ry, rx+"/"))
}
