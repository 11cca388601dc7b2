package lab

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
)

// Options of Create. The zero value of a field is its default.
type Options struct {
	Cluster  string   // "lab"
	Nodes    []string // node1 node2 node3
	Scale    float64  // lab seconds in a real second; 60
	Programs string   // folder of the build's programs (lbm, lblog, lbmonitor, lbvm-lab) with their agents in agents/
	Lab      string   // lbvm-lab itself; Programs/lbvm-lab
	VMs      []VM     // DefaultVMs; an empty list that is not nil is none
	Bare     bool     // leave to lbm init what lbm init makes: the marker, lbvm.id, the folders of the shared storage
}

// VM is a guest and the service that holds it.
type VM struct {
	Type    string // openvz, xen or kvm; vm is the suite's own agent, whose guest is a kvm
	Name    string // what the hypervisor calls it: a number for openvz
	Service string // the service's name; Name
	Node    string // where it starts, by a failover domain; "" is anywhere
	Memory  int    // MiB; 256
	Top     bool   // it stands directly below <rm>, in no service
}

// stockVM is the type of the cluster suite's own agent, vm.sh.
const stockVM = "vm"

// guest is the technology of the VM's guest.
func (v VM) guest() string {
	if v.Type == stockVM {
		return "kvm"
	}
	return v.Type
}

// DefaultVMs gives three OpenVZ and three Xen guests, spread over the nodes.
func DefaultVMs(nodes []string) []VM {
	var out []VM
	for i, vm := range []VM{{Type: "openvz", Name: "101", Service: "centos1"}, {Type: "openvz", Name: "102", Service: "centos2"},
		{Type: "openvz", Name: "103", Service: "centos3"}, {Type: "xen", Name: "web1"}, {Type: "xen", Name: "db1"}, {Type: "xen", Name: "mail1"}} {
		vm.Node = nodes[i%len(nodes)]
		out = append(out, vm)
	}
	return out
}

// Create lays out a lab in dir, which does not exist yet or is empty. Nothing runs afterwards.
func Create(dir string, o Options) (Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, err
	}
	entries, err := os.ReadDir(abs)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return Layout{}, err
	}
	if len(entries) > 0 {
		return Layout{}, fmt.Errorf("%s is not empty: name another folder for the lab", abs)
	}
	o = o.filled()
	if err := o.check(); err != nil {
		return Layout{}, err
	}
	b := &builder{l: Layout{abs}, o: o, id: host.Identity{Cluster: o.Cluster, Shared: SharedMount, LogDir: SharedMount + "/lbvm/log"}}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Layout{}, err
	}
	b.id.UUID = hex.EncodeToString(id[:])
	b.build()
	if b.err != nil {
		if isNew { // half a lab is none
			b.err = errors.Join(b.err, os.RemoveAll(abs))
		}
		return Layout{}, fmt.Errorf("making a lab in %s: %w", abs, b.err)
	}
	return b.l, nil
}

func (o Options) filled() Options {
	if o.Cluster == "" {
		o.Cluster = "lab"
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []string{"node1", "node2", "node3"}
	}
	if o.Scale == 0 {
		o.Scale = 60
	}
	if o.Lab == "" {
		o.Lab = filepath.Join(o.Programs, "lbvm-lab")
	}
	if o.VMs == nil {
		o.VMs = DefaultVMs(o.Nodes)
	}
	for i := range o.VMs {
		if o.VMs[i].Service == "" {
			o.VMs[i].Service = o.VMs[i].Name
		}
		if o.VMs[i].Memory == 0 {
			o.VMs[i].Memory = 256
		}
	}
	return o
}

func (o Options) check() error {
	if len(o.Cluster) > 15 {
		return fmt.Errorf("the cluster's name %q is longer than 15 letters", o.Cluster)
	}
	if !(o.Scale > 0) || o.Scale > 10000 {
		return fmt.Errorf("a scale of %g is not above 0 and at most 10000", o.Scale)
	}
	nodes, services, vms := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range o.Nodes {
		if err := host.CheckName(n); err != nil {
			return fmt.Errorf("a node: %w", err)
		}
		if nodes[strings.ToLower(n)] {
			return fmt.Errorf("two nodes are named %q", n)
		}
		nodes[strings.ToLower(n)] = true
	}
	for _, vm := range o.VMs {
		if err := errors.Join(host.CheckName(vm.Name), host.CheckName(vm.Service)); err != nil {
			return fmt.Errorf("a VM: %w", err)
		}
		switch {
		case !slices.Contains([]string{"openvz", "xen", "kvm", stockVM}, vm.Type):
			return fmt.Errorf("VM %q: the lab has openvz, xen, kvm and vm, not %q", vm.Name, vm.Type)
		case vm.Type == "openvz" && strings.Trim(vm.Name, "0123456789") != "":
			return fmt.Errorf("VM %q: OpenVZ knows its guests by numbers", vm.Name)
		case vm.Node != "" && !nodes[strings.ToLower(vm.Node)]:
			return fmt.Errorf("VM %q: there is no node %q", vm.Name, vm.Node)
		case vms[vm.guest()+":"+vm.Name] || services[vm.Service]:
			return fmt.Errorf("VM %q or its service %q is there twice", vm.Name, vm.Service)
		}
		vms[vm.guest()+":"+vm.Name], services[vm.Service] = true, true
	}
	return nil
}

// builder makes files until one cannot be made.
type builder struct {
	l   Layout
	o   Options
	id  host.Identity
	err error
}

func (b *builder) build() {
	for _, d := range []string{"bin/agents", "log", "witness", "nodes", "shared/conf", "shared/xen", "shared/kvm", "shared/private", "shared/images"} {
		b.dir(b.l.Path(d))
	}
	b.programs()
	if !b.o.Bare {
		b.shared()
	}
	b.file(b.l.Path("shared/xen/xend-config.sxp"), b.xendConf(), 0o644)
	for _, vm := range b.o.VMs {
		b.vm(vm)
	}
	// Time begins now; what stands in lab.json is also in each node's etc/lbvm-clock.
	now := time.Now()
	d := Description{Cluster: b.o.Cluster, Nodes: b.o.Nodes, Scale: b.o.Scale, Start: now, Epoch: now}
	for _, n := range b.o.Nodes {
		b.node(n, clock.Scaled{Start: d.Start, Epoch: d.Epoch, Scale: d.Scale})
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		b.err = err
	}
	b.file(b.l.Path("lab.json"), string(text)+"\n", 0o644) // last: with it the folder is a lab
}

// programs copies the build. What was not built is left out, but for the lab's own program.
func (b *builder) programs() {
	b.copy(b.o.Lab, b.l.Path("bin/lbvm-lab"), true)
	if b.o.Programs == "" {
		return
	}
	for _, p := range []string{"lbm", "lblog", "lbmonitor"} {
		b.copy(filepath.Join(b.o.Programs, p), b.l.Path("bin", p), false)
	}
	agents, err := filepath.Glob(filepath.Join(b.o.Programs, "agents", "*.sh"))
	if err != nil && b.err == nil {
		b.err = err
	}
	for _, a := range agents {
		b.copy(a, b.l.Path("bin/agents", filepath.Base(a)), true)
	}
}

// shared makes what `lbm init` makes on the shared storage, so that the agents work from the first moment.
func (b *builder) shared() {
	for _, d := range []string{"lbvm", "lbvm/nodes", "lbvm/lock", "lbvm/log"} {
		b.dirMode(b.l.Path("shared", d), 0o750)
	}
	b.dirMode(b.l.Path("shared/lbvm/handoff"), 0o700)
	b.file(b.l.Path("shared", host.MarkerFile), string(b.id.Marker()), 0o640)
}

func (b *builder) vm(vm VM) {
	switch vm.Type {
	case "openvz":
		b.file(b.l.Path("shared/conf", vm.Name+".conf"), fmt.Sprintf(openvzConf, vm.Name, vm.Name, vm.Service, vm.Memory*256, vm.Memory*256), 0o644)
		private := b.l.Path("shared/private", vm.Name)
		for file, text := range map[string]string{"etc/hostname": vm.Service + "\n", "etc/mtab": "simfs / simfs rw 0 0\n", "etc/resolv.conf": "nameserver 192.168.100.254\n",
			"var/run/utmp": "", "var/log/wtmp": "", "var/log/messages": ""} {
			b.dir(filepath.Dir(filepath.Join(private, file)))
			b.file(filepath.Join(private, file), text, 0o644)
		}
	case "xen":
		b.file(b.l.Path("shared/xen", vm.Name), fmt.Sprintf(xenConf, vm.Name, vm.Memory, vm.Name), 0o644)
		b.image(vm)
	case "kvm", stockVM:
		b.file(b.l.Path("shared/kvm", vm.Name+".xml"), fmt.Sprintf(kvmConf, vm.Name, uuidOf(vm.Name), vm.Memory, vm.Name), 0o644)
		b.image(vm)
	}
}

func (b *builder) image(vm VM) {
	image := b.l.Path("shared/images", vm.Name+".img")
	b.file(image, "", 0o644)
	b.keep(os.Truncate(image, 1<<20))
}

// uuidOf is one for each name: a domain's must stay the same.
func uuidOf(name string) string {
	h := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

const openvzConf = `# A container of the lab. Sizes are pages of 4 KiB.
VE_ROOT="/vz/root/%s"
VE_PRIVATE="/shared/private/%s"
HOSTNAME="%s"
OSTEMPLATE="centos-5"
ONBOOT="no"
DISK_QUOTA="no"
PRIVVMPAGES="%d:%d"
`

const xenConf = `# A guest of the lab.
name = "%s"
memory = %d
vcpus = 1
disk = ['file:/shared/images/%s.img,xvda,w']
on_poweroff = "destroy"
on_reboot = "restart"
on_crash = "destroy"
`

const kvmConf = `<domain type='kvm'>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory unit='MiB'>%d</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <features>
    <acpi/>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='/shared/images/%s.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
`

func (b *builder) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *builder) dir(path string) { b.dirMode(path, 0o755) }

func (b *builder) dirMode(path string, mode fs.FileMode) {
	if b.err == nil {
		b.err = os.MkdirAll(path, mode)
	}
}

func (b *builder) file(path, text string, mode fs.FileMode) {
	if b.err == nil {
		b.err = os.WriteFile(path, []byte(text), mode)
	}
}

func (b *builder) link(target, path string) {
	if b.err == nil {
		b.err = os.Symlink(target, path)
	}
}

// copy copies a program. One that is not there is an error only where it is needed.
func (b *builder) copy(from, to string, needed bool) {
	if b.err != nil {
		return
	}
	in, err := os.Open(from)
	if err != nil {
		if needed || !errors.Is(err, fs.ErrNotExist) {
			b.err = err
		}
		return
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		b.err = err
		return
	}
	_, err = io.Copy(out, in)
	b.err = errors.Join(err, out.Close())
}

// hard gives a node one of the lab's programs; a missing one is left out.
func (b *builder) hard(from, to string) {
	if b.err != nil {
		return
	}
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return
	}
	if os.Link(from, to) != nil {
		b.copy(from, to, true)
	}
}
