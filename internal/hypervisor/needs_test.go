package hypervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
)

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		name, typ, file, text string
		want                  string // files and bridges
		mem                   int64
		err                   bool
	}{
		{"xen", "xen", "etc/xen/web1", "memory = 512\nkernel = \"/boot/vmlinuz\"\nramdisk = '/boot/initrd'\ndisk = ['phy:/dev/vg/web,xvda,w', 'file:/gfs/web.img,xvdb,w']\nvif = ['mac=00:16:3e:00:00:01,bridge=xenbr0', 'bridge=xenbr1']\n",
			"kernel /boot/vmlinuz, ramdisk /boot/initrd, disk /dev/vg/web, disk /gfs/web.img; xenbr0 xenbr1", 512 << 20, false},
		{"pygrub", "xen", "etc/xen/web1", "memory = 64\nbootloader = '/usr/bin/pygrub'\ndisk = ['phy:vg/web,xvda,w']\n", "disk /dev/vg/web; ", 64 << 20, false},
		{"computed", "xen", "etc/xen/web1", "memory = 64\nvif = ['bridge=' + name]\n", "", 0, true},
		{"computed kernel", "xen", "etc/xen/web1", "memory = 64\nkernel = '/boot/vmlinuz-' + release\n", "", 0, true},
		{"no file", "xen", "etc/xen/x", "", "", 0, true},
		{"openvz", "openvz", "etc/vz/conf/101.conf", "VE_PRIVATE=\"/gfs/private/$VEID\"\nPRIVVMPAGES=\"256:256\"\nNETIF=\"ifname=eth0,bridge=vmbr0;ifname=eth1,bridge=vmbr1\"\n", "folder /gfs/private/101; vmbr0 vmbr1", 1 << 20, false},
		{"openvz without a file", "openvz", "etc/vz/conf/102.conf", "", "", 0, true},
		{"kvm", "kvm", "etc/kvm/web1.xml", kvmXML, "kernel /boot/vmlinuz, initrd /boot/initrd, emulator /usr/bin/kvm, disk /gfs/web1.img, disk /dev/vg/web1, disk /gfs/cd.iso, network /etc/libvirt/qemu/networks/lan.xml; br0", 512 << 20, false},
		{"kvm without a uuid", "kvm", "etc/kvm/web1.xml", "<domain><name>web1</name><memory>1</memory></domain>", "", 0, true},
		{"kvm without a file", "kvm", "etc/kvm/x.xml", "", "", 0, true},
	} {
		root := t.TempDir()
		path := filepath.Join(root, c.file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(c.text), 0o644)); err != nil {
			t.Fatal(err)
		}
		h, err := host.New(root)
		if err != nil {
			t.Fatal(err)
		}
		// xm: xend runs.
		lock := filepath.Join(root, xendLocks[0])
		if err := errors.Join(os.MkdirAll(filepath.Dir(lock), 0o755), os.WriteFile(lock, nil, 0o644), os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755),
			os.WriteFile(filepath.Join(root, "usr/sbin/xm"), nil, 0o755)); err != nil {
			t.Fatal(err)
		}
		d, err := New(c.typ, Tools{Host: h})
		if err != nil {
			t.Fatal(err)
		}
		n, err := d.(Needer).Needs(context.Background(), map[string]string{"xen": "web1", "openvz": "101", "kvm": "web1"}[c.typ], nil)
		if (err != nil) != c.err || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var files []string
		for _, f := range n.Files {
			files = append(files, f.What+" "+strings.TrimPrefix(f.Path, root))
		}
		if got := strings.Join(files, ", ") + "; " + strings.Join(n.Bridges, " "); !c.err && (got != c.want || n.Mem != c.mem) {
			t.Errorf("%s: %s, %d bytes", c.name, got, n.Mem)
		}
	}
}
