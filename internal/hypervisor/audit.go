package hypervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Auditor is a driver that knows what of a node's set-up works against a cluster manager.
type Auditor interface {
	// Audit says what may let the VM run behind the manager's back or keep it from running (bad), and what else should
	// be otherwise (odd). shared is where the shared storage lies, "" where there is none.
	Audit(vm string, params map[string]string, shared string) (bad, odd []string, err error)
}

var (
	_ Auditor = (*openVZ)(nil)
	_ Auditor = (*xen)(nil)
)

// Audit looks at the container's configuration and at vz.conf.
func (o *openVZ) Audit(vm string, _ map[string]string, shared string) (bad, odd []string, err error) {
	if err := checkVZName(vm); err != nil {
		return nil, nil, err
	}
	h := o.tools.Host
	path := h.Path(filepath.Join(vzConfs, vm+".conf"))
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	own := parseVZConf(text)
	text, err = os.ReadFile(h.Path(vzConf))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	node := parseVZConf(text)
	// vzreboot starts what was up when the node went down unless it reads a literal no: no word at all is not enough.
	if own.get("ONBOOT") != "no" {
		bad = append(bad, fmt.Sprintf(`%s: ONBOOT=%q: this node starts it when it boots, also where another node has it; write ONBOOT="no"`, path, own.get("ONBOOT")))
	}
	if shared != "" {
		locks := o.lockDir(node)
		if below(h.Path(locks), shared) {
			bad = append(bad, fmt.Sprintf("LOCKDIR=%s lies on the shared storage: vzctl takes another node's lock for a dead one's", locks))
		}
		if !below(path, shared) {
			bad = append(bad, fmt.Sprintf("%s is this node's own and not the one on the shared storage: vzctl set --save before 4.10 puts a copy in place of a link", path))
		}
	}
	for _, key := range []string{"VE_PRIVATE", "VE_ROOT"} {
		if own.get(key) == "" {
			odd = append(odd, fmt.Sprintf("%s: no %s: each node's own default counts", path, key))
		}
	}
	quota := own.get("DISK_QUOTA")
	if quota == "" {
		quota = node.get("DISK_QUOTA")
	}
	if quota != "no" {
		odd = append(odd, fmt.Sprintf(`%s: DISK_QUOTA=%q: a node believes what it counted when the container was last on it; write DISK_QUOTA="no"`, path, quota))
	}
	if n, err := strconv.Atoi(own.get("STOP_TIMEOUT")); err == nil && n > mostStop {
		odd = append(odd, fmt.Sprintf("%s: STOP_TIMEOUT=%d: vzctl may take half as much again, and then the stop's time is over", path, n))
	}
	if node.get("VE_STOP_MODE") != "stop" {
		odd = append(odd, "vz.conf: VE_STOP_MODE is not stop: from vzctl 4.1 on the init script leaves a dump of what still runs when the node goes down")
	}
	return bad, odd, nil
}

// mostStop is the STOP_TIMEOUT, in seconds, by which vzctl has killed a container before two thirds of a stop's time are over.
const mostStop = 130

// Audit looks whether xendomains would start the domain at boot, or save it when the node goes down.
func (x *xen) Audit(vm string, params map[string]string, _ string) (bad, odd []string, err error) {
	const auto = "/etc/xen/auto"
	dir := x.tools.Host.Path(auto)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	config := resolved(x.tools.Host.Path(filepath.Join(paramOr(params, "path", "/etc/xen"), vm)))
	for _, e := range entries {
		if e.Name() == vm || resolved(filepath.Join(dir, e.Name())) == config {
			bad = append(bad, fmt.Sprintf("%s/%s: this node starts it when it boots, also where another node has it; remove the file", auto, e.Name()))
		}
	}
	for _, file := range [...]string{"/etc/sysconfig/xendomains", "/etc/default/xendomains"} {
		text, err := os.ReadFile(x.tools.Host.Path(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return bad, odd, err
		}
		conf := parseVZConf(text) // the same lines
		save := conf.get("XENDOMAINS_SAVE")
		if save == "" || conf.get("XENDOMAINS_AUTO_ONLY") == "true" {
			continue
		}
		odd = append(odd, fmt.Sprintf("%s: XENDOMAINS_SAVE=%s: what still runs when the node goes down is saved, and started from there when it boots", file, save))
		if _, err := os.Lstat(x.tools.Host.Path(filepath.Join(save, vm))); err == nil {
			bad = append(bad, fmt.Sprintf("%s/%s: xendomains has saved it, and starts it from there when this node boots; remove the file", save, vm))
		}
	}
	return bad, odd, nil
}

// below tells whether path really lies below dir.
func below(path, dir string) bool {
	return strings.HasPrefix(resolved(path)+"/", strings.TrimSuffix(resolved(dir), "/")+"/")
}

// resolved is a path without symbolic links, as far as it exists.
func resolved(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}
