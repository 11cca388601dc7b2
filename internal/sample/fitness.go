package sample

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// What a relocator asks of this node before it sends a VM here: the machine, its bridges, where running guests are
// taken, and whether the VMs of cluster.conf find here what they need.

// VM is a virtual machine of cluster.conf.
type VM struct {
	Type, Name string
	Params     map[string]string
}

// stockVM is the cluster suite's own <vm>: vm.sh alone knows what such a VM needs, so that nothing is said of it.
const stockVM = "vm"

// Fitness fills in what a relocator asks. needers are the technologies that are installed here; a VM of another one
// cannot be started on this node.
func (s Sampler) Fitness(ctx context.Context, f *host.Facts, vms []VM, needers map[string]hypervisor.Needer) error {
	var errs []error
	keep := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	var err error
	f.Kernel, err = s.word("/proc/sys/kernel/osrelease")
	keep("asking for the kernel", err)
	machine := s.Machine
	if machine == nil {
		machine = machineName
	}
	f.Arch, err = machine()
	keep("asking for the machine", err)
	f.CPUFlags, err = s.cpuFlags()
	keep("asking what the processors can do", err)
	f.Bridges, err = s.bridges()
	keep("asking for the bridges", err)
	bridgesKnown := err == nil
	if _, ok := needers["xen"]; ok {
		f.Listens = map[string]string{}
		f.Listens["xen"], err = s.xenListens(f)
		keep("asking where running guests are taken", err)
		if err != nil {
			delete(f.Listens, "xen")
		}
	}
	if _, ok := needers["kvm"]; ok {
		f.Restores = append(f.Restores, "kvm")
		var at string
		if at, err = s.libvirtListens(f, vms); err == nil {
			if f.Listens == nil {
				f.Listens = map[string]string{}
			}
			f.Listens["kvm"] = at
		}
		keep("asking where running guests are taken", err)
	}
	if _, ok := needers["openvz"]; ok && s.restoresContainers(f.Kernel) {
		f.Restores = append(f.Restores, "openvz")
	}
	for _, vm := range vms {
		if vm.Type == stockVM {
			continue
		}
		x := host.VMFact{Type: vm.Type, Name: vm.Name}
		d, ok := needers[vm.Type]
		if !ok {
			x.Lacks = []string{"the tool of " + vm.Type + " is not installed"}
			f.VMs = append(f.VMs, x)
			continue
		}
		needs, err := d.Needs(ctx, vm.Name, vm.Params)
		if ctx.Err() != nil { // nothing is said of it then: unknown
			keep("looking what "+vm.Name+" needs", ctx.Err())
			break
		}
		if err != nil {
			x.Lacks = []string{err.Error()}
			f.VMs = append(f.VMs, x)
			continue
		}
		x.Mem, x.CPU, x.Lacks = needs.Mem, needs.CPU, lacks(needs, f.Bridges, bridgesKnown)
		if r, ok := d.(hypervisor.Replicated); ok {
			if err := r.CouldLive(ctx, vm.Name, vm.Params); err != nil {
				x.NotLive = err.Error()
			}
		}
		f.VMs = append(f.VMs, x)
	}
	return errors.Join(errs...)
}

// restoresContainers: OpenVZ's kernels up to 2.6.32 do it themselves, by a module that shows /proc/rst; a restart of
// iptables may unload it. On later kernels a program does.
func (s Sampler) restoresContainers(kernel string) bool {
	if !strings.HasPrefix(kernel, "2.6.") {
		return kernel != ""
	}
	_, err := os.Stat(s.Host.Path("/proc/rst"))
	return err == nil
}

func (s Sampler) word(path string) (string, error) {
	b, err := os.ReadFile(s.Host.Path(path))
	return strings.TrimSpace(string(b)), err
}

// machineName is uname's: a kernel of 64 bits has one name, whatever this program was built for.
func machineName() (string, error) {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return "", err
	}
	var b []byte
	for _, c := range u.Machine {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b), nil
}

// cpuFlags are those that every processor has.
func (s Sampler) cpuFlags() ([]string, error) {
	fs, err := s.proc()
	if err != nil {
		return nil, err
	}
	all, err := fs.CPUInfo()
	if err != nil {
		return nil, err
	}
	var flags []string
	for i, cpu := range all {
		if i == 0 {
			flags = slices.Clone(cpu.Flags)
			continue
		}
		flags = slices.DeleteFunc(flags, func(f string) bool { return !slices.Contains(cpu.Flags, f) })
	}
	slices.Sort(flags)
	return slices.Compact(flags), nil
}

func (s Sampler) bridges() ([]string, error) {
	found, err := filepath.Glob(s.Host.Path("/sys/class/net/*/bridge"))
	var out []string
	for _, f := range found {
		out = append(out, filepath.Base(filepath.Dir(f)))
	}
	return out, err
}

// lacks is what of needs is not here, in words.
func lacks(n hypervisor.Needs, bridges []string, known bool) []string {
	var out []string
	for _, x := range n.Files {
		if err := readable(x); err != nil {
			out = append(out, fmt.Sprintf("%s %v", x.What, err))
		}
	}
	for _, b := range n.Bridges {
		switch {
		case !known:
			out = append(out, "nobody knows whether there is a bridge "+b)
		case !slices.Contains(bridges, b):
			out = append(out, "there is no bridge "+b)
		}
	}
	return out
}

// readable opens what is needed, without waiting for it. A device is only looked at: a DRBD device that is secondary
// cannot be opened, and is promoted by the start.
func readable(n hypervisor.Need) error {
	fi, err := os.Stat(n.Path)
	if err == nil && fi.Mode()&fs.ModeDevice != 0 {
		return nil
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(n.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	if err != nil {
		return err
	}
	if n.What == "folder" != fi.IsDir() {
		err = fmt.Errorf("%s is not a %s", n.Path, n.What)
	}
	return errors.Join(err, f.Close())
}

// xenListens tells where this node takes running domains: xend's own port, or ssh's where xl does it.
func (s Sampler) xenListens(f *host.Facts) (string, error) {
	if _, ok := f.Tools["xl"]; ok {
		port, err := s.setting("/etc/ssh/sshd_config", "Port")
		if port == "" {
			port = "22"
		}
		return net.JoinHostPort(s.ownAddress(f.Member), port), err
	}
	b, err := os.ReadFile(s.Host.Path("/etc/xen/xend-config.sxp"))
	if errors.Is(err, fs.ErrNotExist) {
		return host.ListensNot, nil // xend's own default
	}
	if err != nil {
		return "", err
	}
	x := ParseXend(string(b))
	if x["xend-relocation-server"] != "yes" {
		return host.ListensNot, nil
	}
	port, address := x["xend-relocation-port"], x["xend-relocation-address"]
	if port == "" {
		port = "8002"
	}
	if address == "" || address == "0.0.0.0" {
		address = s.ownAddress(f.Member)
	}
	return net.JoinHostPort(address, port), nil
}

// libvirtListens tells where this node's libvirtd is reached: by ssh, or at its own port where a VM's moves go so.
func (s Sampler) libvirtListens(f *host.Facts, vms []VM) (string, error) {
	port, err := "", error(nil)
	for _, vm := range vms {
		if vm.Type == "kvm" && port == "" {
			port = map[string]string{"tcp": "16509", "tls": "16514"}[vm.Params["migration_transport"]]
		}
	}
	if port == "" {
		if port, err = s.setting("/etc/ssh/sshd_config", "Port"); port == "" {
			port = "22"
		}
	}
	return net.JoinHostPort(s.ownAddress(f.Member), port), err
}

// ParseXend reads lines `(key value)` and `(key 'value')`; what stands behind # is passed over, and the last one of a
// key counts.
func ParseXend(text string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		inner, ok := strings.CutPrefix(line, "(")
		if !ok {
			continue
		}
		inner, _, ok = strings.Cut(inner, ")")
		key, value, _ := strings.Cut(strings.TrimSpace(inner), " ")
		if ok {
			out[key] = strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return out
}

// setting is the first value of a key in a file of lines `Key value`; "" where there is none.
func (s Sampler) setting(file, key string) (string, error) {
	b, err := os.ReadFile(s.Host.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for _, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) > 1 && strings.EqualFold(w[0], key) {
			return w[1], nil
		}
	}
	return "", err
}

// ownAddress is "" on a real node, whose name the others look up themselves. Below a root the names are those of its
// own hosts file.
func (s Sampler) ownAddress(member string) string {
	if s.Host.Root() == "" {
		return ""
	}
	b, err := os.ReadFile(s.Host.Path("/etc/hosts"))
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) > 1 && slices.Contains(w[1:], member) {
			return w[0]
		}
	}
	return ""
}
