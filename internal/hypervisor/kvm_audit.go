package hypervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var _ Auditor = (*kvm)(nil)

// Audit looks whether libvirt keeps the guest on this node by itself: a definition, a link that starts it with the node,
// a managed save; and what libvirt-guests does when the node goes down.
func (k *kvm) Audit(vm string, params map[string]string, shared string) (bad, odd []string, err error) {
	if err := checkKVMName(vm); err != nil {
		return nil, nil, err
	}
	h := k.tools.Host
	param := func(name string) string { return params[name] }
	if _, _, err := kvmTarget("node", param); err != nil {
		bad = append(bad, err.Error())
	}
	if _, err := unsafeOf(param); err != nil {
		bad = append(bad, err.Error())
	}
	for _, x := range []struct {
		path, what string
		grave      bool
	}{
		{"/etc/libvirt/qemu/autostart/" + vm + ".xml", "libvirtd starts it when this node boots, also where another node has it: virsh autostart --disable " + vm, true},
		{"/var/lib/libvirt/qemu/save/" + vm + ".save", "a managed save, which virsh start restores over its disks, however old it is: virsh managedsave-remove " + vm, true},
		{"/etc/libvirt/qemu/" + vm + ".xml", "libvirt has it defined on this node, where virsh start starts it behind the manager's back: virsh undefine " + vm, false},
	} {
		_, err := os.Lstat(h.Path(x.path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return bad, odd, err
		case x.grave:
			bad = append(bad, x.path+": "+x.what)
		default:
			odd = append(odd, x.path+": "+x.what)
		}
	}
	if config := h.Path(filepath.Join(paramOr(params, "path", kvmConfigs), vm+".xml")); shared != "" && !below(config, shared) {
		odd = append(odd, config+" is this node's own and not one on the shared storage: nodes may come to start it differently")
	}
	for _, file := range [...]string{"/etc/sysconfig/libvirt-guests", "/etc/default/libvirt-guests"} {
		text, err := os.ReadFile(h.Path(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return bad, odd, err
		}
		if conf := parseVZConf(text); conf.get("ON_SHUTDOWN") != "shutdown" { // the same lines
			odd = append(odd, fmt.Sprintf("%s: ON_SHUTDOWN=%q: libvirt-guests may save what still runs when the node goes down; write ON_SHUTDOWN=shutdown", file, conf.get("ON_SHUTDOWN")))
		}
	}
	return bad, odd, nil
}
