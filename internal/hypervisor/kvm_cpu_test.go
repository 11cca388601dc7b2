package hypervisor

import (
	"context"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// A processor that is named is the same on every node that has it whole; anything else is the node's own. The answers are
// those of virsh 9.0.0, which prints "incompatible" where other complaints do not stand.
func TestKVMProcessor(t *testing.T) {
	const (
		superset = "Host CPU is a superset of CPU described in /etc/kvm/web1.xml\n\n"
		same     = "CPU described in /etc/kvm/web1.xml is identical to host CPU\n\n"
		lacks    = "CPU described in /etc/kvm/web1.xml is incompatible with host CPU\n\n"
	)
	const model = "<model fallback='forbid'>SandyBridge</model>"
	for _, c := range []struct {
		name, cpu, answer string
		code              int
		want              string
	}{
		{"none", "", superset, 0, ""},
		{"the host's", "<cpu mode='host-passthrough'/>", superset, 0, ""},
		{"like the host's", "<cpu mode='host-model'>" + model + "</cpu>", superset, 0, ""},
		{"named", "<cpu mode='custom' match='exact'>" + model + "</cpu>", superset, 0, "SandyBridge"},
		{"named, in short", "<cpu>" + model + "</cpu>", same, 0, "SandyBridge"},
		{"named, strict", "<cpu match='strict'>" + model + "</cpu>", superset, 0, "SandyBridge"},
		{"at least", "<cpu match='minimum'>" + model + "</cpu>", superset, 0, ""},
		{"this node lacks it", "<cpu>" + model + "</cpu>", lacks, 1, ""},
		{"with features", "<cpu>" + model + "<feature policy='require' name='vmx'/><feature policy='disable' name='avx'/><feature name='aes'/></cpu>", superset, 0, "SandyBridge require:vmx disable:avx require:aes"},
		{"as the node has it", "<cpu>" + model + "<feature policy='optional' name='vmx'/></cpu>", superset, 0, ""},
		{"whatever the node has", "<cpu>" + model + "<feature policy='force' name='vmx'/></cpu>", superset, 0, ""},
		{"no libvirtd", "<cpu>" + model + "</cpu>", "", 1, ""},
		{"an answer that nobody knows", "<cpu>" + model + "</cpu>", "yes\n", 0, ""},
	} {
		s := newStage(t, func(argv []string) run.Result {
			if strings.Contains(strings.Join(argv, " "), " cpu-compare ") {
				return run.Result{Code: c.code, Stdout: []byte(c.answer)}
			}
			return fails(1, "error: unknown command")
		})
		s.file("/etc/kvm/web1.xml", "<domain type='kvm'><name>web1</name><uuid>5b6a7e42-8d4c-4c62-b0f5-2f0d0c3b7a11</uuid><memory unit='MiB'>64</memory>"+c.cpu+"</domain>")
		n, err := s.driver("kvm").(Needer).Needs(context.Background(), "web1", nil)
		if err != nil || n.CPU != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, n.CPU, err, c.want)
		}
		s.wantChanges()
		if asked := strings.Contains(strings.Join(s.calls, "\n"), "virsh -r -c qemu:///system cpu-compare "); asked != (c.want != "" || c.answer == lacks || c.answer == "" || c.answer == "yes\n") {
			t.Errorf("%s: asked by %q", c.name, s.calls)
		}
	}
}
