package sample

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// needer is a technology whose VMs need what the test says.
type needer map[string]hypervisor.Needs

func (n needer) Needs(_ context.Context, vm string, _ map[string]string) (hypervisor.Needs, error) {
	if x, ok := n[vm]; ok {
		return x, nil
	}
	return hypervisor.Needs{}, errors.New("its configuration is missing")
}

func TestFitness(t *testing.T) {
	s, root, _ := node(t)
	s.Machine = func() (string, error) { return "x86_64", nil }
	write(t, root, "proc/sys/kernel/osrelease", "2.6.32-754.el6\n")
	write(t, root, "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse2 vmx\n\nprocessor\t: 1\nflags\t\t: sse2 fpu\n")
	write(t, root, "etc/xen/xend-config.sxp", "# (xend-relocation-port 1)\n(xend-relocation-server yes)\n(xend-relocation-port 8010) # ours\n(xend-relocation-address '192.0.2.7')\n")
	for _, d := range []string{"sys/class/net/xenbr0/bridge", "sys/class/net/eth0", "gfs/private/101"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, root, "gfs/web1.img", "x")
	at := func(what, path string) hypervisor.Need {
		return hypervisor.Need{What: what, Path: filepath.Join(root, path)}
	}
	f := host.Facts{Member: "node1", Tools: map[string]string{"xm": "3.1.2"}}
	vms := []VM{{Type: "xen", Name: "web1"}, {Type: "xen", Name: "web2"}, {Type: "xen", Name: "gone"}, {Type: "openvz", Name: "101"}, {Type: "kvm", Name: "x"}, {Type: "vm", Name: "stock"}}
	err := s.Fitness(context.Background(), &f, vms, map[string]hypervisor.Needer{
		"xen": needer{
			"web1": {Mem: 1 << 30, CPU: "SandyBridge", Files: []hypervisor.Need{at("disk", "gfs/web1.img")}, Bridges: []string{"xenbr0"}},
			"web2": {Files: []hypervisor.Need{at("disk", "gfs/web2.img"), at("disk", "gfs/private"), at("kernel", "boot/vmlinuz")}, Bridges: []string{"xenbr1"}},
		},
		"openvz": needer{"101": {Files: []hypervisor.Need{at("folder", "gfs/private/101")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.Arch != "x86_64" || f.Kernel != "2.6.32-754.el6" || !slices.Equal(f.CPUFlags, []string{"fpu", "sse2"}) || !slices.Equal(f.Bridges, []string{"xenbr0"}) || f.Listens["xen"] != "192.0.2.7:8010" {
		t.Errorf("%+v", f)
	}
	got := map[string]string{}
	for _, v := range f.VMs {
		got[v.Type+":"+v.Name] = strings.ReplaceAll(strings.Join(v.Lacks, "; "), root, "")
	}
	for name, want := range map[string]string{
		"xen:web1":   "",
		"xen:web2":   "disk /gfs/web2.img: no such file or directory; disk /gfs/private is not a disk; kernel /boot/vmlinuz: no such file or directory; there is no bridge xenbr1",
		"xen:gone":   "its configuration is missing",
		"openvz:101": "",
		"kvm:x":      "the tool of kvm is not installed",
	} {
		if text, ok := got[name]; !ok || text != want {
			t.Errorf("%s lacks %q (told: %v), want %q", name, text, ok, want)
		}
	}
	if len(f.Restores) != 0 {
		t.Errorf("without /proc/rst it can restore %q", f.Restores)
	}
	write(t, root, "proc/rst", "")
	if err := s.Fitness(context.Background(), &f, nil, map[string]hypervisor.Needer{"openvz": needer{}}); err != nil || !slices.Equal(f.Restores, []string{"openvz"}) {
		t.Errorf("it can restore %q, %v", f.Restores, err)
	}
	if f.VMs[0].Mem != 1<<30 || f.VMs[0].CPU != "SandyBridge" || f.VMs[1].CPU != "" {
		t.Errorf("%+v", f.VMs[0])
	}
}

// What cannot be learned is left out and told; an interrupted look says nothing of the VMs that it did not come to.
func TestFitnessLeavesOutWhatItDoesNotKnow(t *testing.T) {
	s, _, _ := node(t)
	s.Machine = func() (string, error) { return "", errors.New("no uname") }
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := host.Facts{Member: "node1"}
	err := s.Fitness(ctx, &f, []VM{{Type: "xen", Name: "web1"}}, map[string]hypervisor.Needer{"xen": needer{}})
	if err == nil || f.Arch != "" || f.Kernel != "" || len(f.CPUFlags) != 0 || len(f.VMs) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	for _, want := range []string{"no uname", "osrelease", "cpuinfo", "looking what web1 needs"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %q", err, want)
		}
	}
}

func TestWhereRunningGuestsAreTaken(t *testing.T) {
	for _, c := range []struct {
		name, file, text, tool, want string
	}{
		{"no file", "etc/xen/x", "", "xm", host.ListensNot},
		{"off", "etc/xen/xend-config.sxp", "(xend-relocation-server no)\n", "xm", host.ListensNot},
		{"commented out", "etc/xen/xend-config.sxp", "#(xend-relocation-server yes)\n", "xm", host.ListensNot},
		{"everywhere", "etc/xen/xend-config.sxp", "(xend-relocation-server yes)\n(xend-relocation-address '')\n", "xm", ":8002"},
		{"the last one counts", "etc/xen/xend-config.sxp", "(xend-relocation-server no)\n(xend-relocation-server yes)\n(xend-relocation-port 9)\n", "xm", ":9"},
		{"xl goes by ssh", "etc/xen/x", "", "xl", ":22"},
		{"by another port of it", "etc/ssh/sshd_config", "#Port 22\nPort 2222\n", "xl", ":2222"},
	} {
		s, root, _ := node(t)
		write(t, root, c.file, c.text)
		got, err := s.xenListens(&host.Facts{Member: "node1", Tools: map[string]string{c.tool: "1"}})
		if got != c.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// A guest of KVM moves by ssh, or by the port of libvirtd where the VMs say so.
func TestWhereLibvirtIsReached(t *testing.T) {
	vm := func(typ, transport string) VM {
		return VM{Type: typ, Name: "x", Params: map[string]string{"migration_transport": transport}}
	}
	for _, c := range []struct {
		name, sshd string
		vms        []VM
		want       string
	}{
		{"ssh is the default", "", []VM{vm("kvm", "")}, ":22"},
		{"ssh by another port", "Port 2222\n", []VM{vm("kvm", "ssh")}, ":2222"},
		{"tcp", "Port 2222\n", []VM{vm("kvm", "tcp")}, ":16509"},
		{"tls", "", []VM{vm("kvm", "ssh"), vm("kvm", "tls")}, ":16514"},
		{"another technology's", "", []VM{vm("xen", "tcp")}, ":22"},
		{"no VM", "", nil, ":22"},
		{"a name that means nothing", "", []VM{vm("kvm", "udp")}, ":22"},
	} {
		s, root, _ := node(t)
		if c.sshd != "" {
			write(t, root, "etc/ssh/sshd_config", c.sshd)
		}
		f := host.Facts{Member: "node1"}
		if err := s.Fitness(context.Background(), &f, c.vms, map[string]hypervisor.Needer{"kvm": needer{}}); err != nil && !strings.Contains(err.Error(), "osrelease") && !strings.Contains(err.Error(), "cpuinfo") {
			t.Errorf("%s: %v", c.name, err)
		}
		if f.Listens["kvm"] != c.want || !slices.Contains(f.Restores, "kvm") {
			t.Errorf("%s: %q, restores %q, want %q", c.name, f.Listens["kvm"], f.Restores, c.want)
		}
	}
	// Below a root the node is reached by the address in its own hosts file.
	s, root, _ := node(t)
	write(t, root, "etc/hosts", "127.9.8.7\tnode1\n")
	if at, err := s.libvirtListens(&host.Facts{Member: "node1"}, []VM{vm("kvm", "tcp")}); at != "127.9.8.7:16509" || err != nil {
		t.Errorf("%q, %v", at, err)
	}
	// Without KVM nothing is said of it.
	f := host.Facts{Member: "node1"}
	err := s.Fitness(context.Background(), &f, []VM{vm("kvm", "tcp")}, nil)
	if at, told := f.Listens["kvm"]; told {
		t.Errorf("a node without libvirt says %q, %v", at, err)
	}
}
