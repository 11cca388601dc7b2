package hypervisor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShapeOf(t *testing.T) {
	for _, x := range []struct {
		name, typ, src string
		want           Shape
	}{
		{"xm", "xen", "name = 'web1'\nkernel = '/boot/vmlinuz'\nmemory = 64\nvif = ['mac=1,bridge=br0', '']\n" +
			"disk = ['file:/x/a.img,xvda,w', 'tap:aio:/x/b.img,xvdb,r', 'phy:vg/lv,xvdc,w', 'drbd:r0,xvdd,w', 'nbd:1,xvde,w', 'file:/x/c.iso,hdc:cdrom,r']\n",
			Shape{"web1", []ShapeDisk{{Path: "/x/a.img"}, {Path: "/x/b.img", ReadOnly: true}, {Path: "/dev/vg/lv", Block: true}, {DRBD: "r0"}, {Other: "nbd:1,xvde,w"}, {Path: "/x/c.iso", ReadOnly: true}},
				[]string{"/boot/vmlinuz"}, []string{"br0"}, nil}},
		{"xl", "xen", "disk = ['/x/a.img,raw,xvda,rw', 'format=qcow2, vdev=xvdb, access=ro, target=/x/b.img', '/dev/sdb,,xvdc']\nkernel = 'hvmloader'\n",
			Shape{"", []ShapeDisk{{Path: "/x/a.img"}, {Path: "/x/b.img", ReadOnly: true}, {Path: "/dev/sdb", Block: true}}, nil, nil, nil}},
		{"libvirt", "kvm", "<domain type='kvm'><name>web1</name><uuid>11111111-2222-4333-8444-555555555555</uuid><memory>65536</memory><os><loader>/x/fw</loader></os><devices>" +
			"<disk type='file'><source file='/x/a.img'/></disk><disk type='block'><source dev='/dev/sdb'/></disk><disk type='file' device='cdrom'/><disk type='network'><source name='x'/></disk>" +
			"<interface type='bridge'><source bridge='br0'/></interface><interface type='network'><source network='lan'/></interface><interface type='direct'><source dev='eth1' mode='bridge'/></interface></devices></domain>",
			Shape{"web1", []ShapeDisk{{Path: "/x/a.img"}, {Path: "/dev/sdb", Block: true}, {Other: `disk type="network"`}}, []string{"/x/fw"}, []string{"br0"}, []string{"network lan", "interface eth1"}}},
	} {
		got, err := ShapeOf(x.typ, []byte(x.src))
		if diff := cmp.Diff(x.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", x.name, err, diff)
		}
	}
	for _, x := range [][2]string{{"xen", "disk = ['a' + b]"}, {"xen", "disk = 'a'"}, {"kvm", "<domain><name>x</name></domain>"}, {"kvm", "<x/>"}, {"openvz", ""}} {
		if _, err := ShapeOf(x[0], []byte(x[1])); err == nil {
			t.Errorf("%q was read", x)
		}
	}
}
