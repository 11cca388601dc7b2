package hypervisor

import (
	"context"
	"strings"
)

// cpuModel is the processor that the guest is given by name, where this node's libvirt says that the node has all of it; ""
// where the guest may use whatever its node has.
//
// With match='exact' (the default) and 'strict' the guest gets that model with its features and no more, wherever it
// starts: a node that has all of it can take its memory, whatever else the source's processors can do. With 'minimum',
// an optional feature or another mode (host-model, host-passthrough, maximum) it depends on the node where it was started.
// Without <cpu> it is QEMU's default, of which the node may leave out what it lacks.
func (k *kvm) cpuModel(ctx context.Context, root *element, config string) string {
	cpu := root.child("cpu")
	model := cpu.child("model").value()
	if mode := cpu.attrs["mode"]; model == "" || mode != "" && mode != "custom" {
		return ""
	}
	if match := cpu.attrs["match"]; match != "" && match != "exact" && match != "strict" {
		return ""
	}
	for _, f := range cpu.all("feature") {
		switch p := f.attrs["policy"]; p {
		case "require", "", "disable", "forbid":
			if p == "" {
				p = "require"
			}
			model += " " + p + ":" + f.attrs["name"]
		default: // force and optional: as the node has it
			return ""
		}
	}
	r, err := k.ask(ctx, "cpu-compare", config)
	if err != nil {
		return ""
	}
	text := strings.ToLower(string(r.Stdout))
	if strings.Contains(text, "host cpu is a superset of cpu described in") || strings.Contains(text, "is identical to host cpu") {
		return model
	}
	return ""
}
