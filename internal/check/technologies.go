package check

import (
	"slices"

	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// builtIn are the technologies that need no definition.
func builtIn() []string { return []string{"openvz", "xen", "kvm"} }

// technologies looks at `virtualization` and at the VMs of technologies that an administrator has defined.
func (in Input) technologies(f *conf.File) []conf.Diagnostic {
	if in.Technology == nil {
		return nil
	}
	var out []conf.Diagnostic
	if name := f.Virtualization; name != "" && !slices.Contains(builtIn(), name) {
		if err := in.Technology(name); err != nil {
			out = append(out, at(f, "virtualization", conf.Error, "write openvz, xen or kvm, or the name of a file in /etc/cluster/lbvm.d that lbm exec check finds right",
				"the technology %q: %v", name, err))
		}
	}
	asked := map[string]bool{}
	for _, m := range in.Machines {
		name := m.Params["type"]
		if m.VMType != "vmexec" || asked[name] {
			continue
		}
		asked[name] = true
		if err := in.Technology(name); err != nil {
			out = append(out, at(f, "balance", conf.Error, "mend it with lbm exec check "+name+", on each node", "the technology %q of %s in %s: %v", name, m.VM, in.where(), err))
		}
	}
	return out
}
