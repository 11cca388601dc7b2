package hypervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// A cluster may hold nodes without a technology's tool. The manager asks and stops everywhere, and a stop that cannot
// tell costs the whole service, or the node. Where the tool is missing the kernel is asked instead: what it has no part
// for cannot run. Only a plain "no such file" below a /proc and a /sys that are mounted says so.

// errDoubt says that the kernel does not rule guests out.
var errDoubt = errors.New("the kernel may hold guests")

// withoutTool is the answer where the tool is missing: err, unless the kernel certainly holds no guest.
func withoutTool(err, doubt error) (Detail, error) {
	if doubt != nil {
		return Detail{}, fmt.Errorf("%w; %w", err, doubt)
	}
	return Detail{State: Absent, NoProgram: true}, nil
}

// noVZ is nil if this kernel runs no container: it has no /proc/vz, which every OpenVZ kernel has, and vzctl has left
// no process number of vm, which it does where it makes containers of an ordinary kernel (4.0 and later).
func noVZ(h host.Host, vm string) error {
	if _, err := h.BootID(); err != nil { // /proc is not there
		return fmt.Errorf("%w: %w", errDoubt, err)
	}
	pid := filepath.Join(h.Path("/var/lib/vzctl/vepid"), vm)
	if strings.Trim(vm, "0123456789") != "" { // a second name of some container
		pid = filepath.Dir(pid)
	}
	return errors.Join(missing(h.Path("/proc/vz")), missing(pid))
}

// noXen is nil if this node is no dom0: a kernel under Xen has /proc/xen, whose capabilities name a dom0's right
// "control_d", and /sys/hypervisor/type.
func noXen(h host.Host) error {
	if _, err := h.BootID(); err != nil {
		return fmt.Errorf("%w: %w", errDoubt, err)
	}
	if fi, err := os.Stat(h.Path("/sys/kernel")); err != nil || !fi.IsDir() { // every sysfs has it
		return fmt.Errorf("%w: %s is not mounted", errDoubt, h.Path("/sys"))
	}
	proc := missing(h.Path("/proc/xen"))
	if proc != nil {
		b, err := os.ReadFile(h.Path("/proc/xen/capabilities"))
		if err == nil && !strings.Contains(string(b), "control_d") {
			proc = nil
		}
	}
	typ := h.Path("/sys/hypervisor/type")
	b, err := os.ReadFile(typ)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err != nil:
		err = fmt.Errorf("%w: %w", errDoubt, err)
	case strings.TrimSpace(string(b)) == "xen":
		err = fmt.Errorf("%w: %s says xen", errDoubt, typ)
	}
	return errors.Join(proc, err)
}

// missing is nil if path certainly does not exist.
func missing(path string) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errDoubt, err)
	}
	return fmt.Errorf("%w: %s is there", errDoubt, path)
}
