package vm

import (
	"context"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// rgmanager stops every service once on every node. One whose VM has a name that nothing can run under would be given
// up there, and no start of it was ever let through.
func TestStopOfAnImpossibleName(t *testing.T) {
	for _, c := range []struct{ typ, name string }{
		{"xen", "101"}, {"xen", "migrating-web"}, {"xen", "Domain-0"}, {"xen", "web 1"}, {"openvz", "0"},
		{"openvz", "../101"}, {"openvz", strings.Repeat("9", 51)},
	} {
		w := newWorld(t, c.typ, "node1")
		n := w.nodes["node1"]
		a, call := n.agent(), n.call(nil)
		a.Driver = hypervisor.New // the fake takes any name
		call.Name = c.name
		if err := a.Start(context.Background(), call); err == nil {
			t.Errorf("%s %q: started", c.typ, c.name)
		}
		if err := a.Stop(context.Background(), call); err != nil {
			t.Errorf("%s %q: stop: %v", c.typ, c.name, err)
		}
		if err := a.Status(context.Background(), call); err == nil || codeOf(err) == ocf.CodeOK {
			t.Errorf("%s %q: status: %v", c.typ, c.name, err)
		}
	}
}
