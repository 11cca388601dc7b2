package vm

import (
	"context"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func TestAddressOf(t *testing.T) {
	for _, c := range [][3]string{
		{"", "node1", "node1"}, {"node1:10.0.0.1", "node1", "10.0.0.1"}, {"node1:a, node2:b", "node2", "b"}, {"node1:a,", "node3", "node3"},
		{"node1.x.org:a", "node1", "node1"}, {"node1:fe80::1", "node1", "fe80::1"},
	} {
		if got, err := addressOf(c[0], c[1]); got != c[2] || err != nil {
			t.Errorf("%q: %s is %q, %v", c[0], c[1], got, err)
		}
	}
	for _, bad := range []string{"node1", "node1:", ":a", "node1:-x", "node1:a b", "node1:a;b", "node1:$(x)"} {
		if got, err := addressOf(bad, "node1"); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

// The tool gets the address, the record the member.
func TestMigrationMapping(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.nodes["10.0.0.2"] = y
	w.must(x.do("start"))
	params := map[string]string{mappingParam: "node2:10.0.0.2"}
	w.must(x.do("migrate node2", params))
	if st := w.state(); x.target != "10.0.0.2" || st.To != "node2" {
		t.Errorf("the tool got %q, the record says %q", x.target, st.To)
	}
	w.must(y.do("start"))
	if err := y.do("migrate node1", map[string]string{mappingParam: "node1"}); codeOf(err) != ocf.CodeStillHere || w.state().Phase.String() != "running" {
		t.Errorf("a mapping that says nothing: %v, %s", err, w.state().Phase)
	}
	w.ok()
}

// audited is a driver whose node is badly set up.
type audited struct{ vz }

func (audited) Audit(string, map[string]string, string) (bad, odd []string, err error) {
	return []string{"it is started at boot"}, []string{"its quota is old"}, nil
}

func TestValidateParameters(t *testing.T) {
	for name, c := range map[string]struct {
		params map[string]string
		bad    bool
		want   string
	}{
		"plain": {}, "on_stop": {params: map[string]string{"on_stop": "maybe"}, want: "on_stop"},
		"limit": {params: map[string]string{unknownParam: "some"}, want: unknownParam}, "limit below": {params: map[string]string{unknownParam: "-1"}, want: unknownParam},
		"limit above":     {params: map[string]string{unknownParam: "101"}, want: `unknown_limit="101" is not a number of checks from 0 to 100`},
		"limit far above": {params: map[string]string{unknownParam: "99999999999999999999"}, want: unknownParam},
		"least limit":     {params: map[string]string{unknownParam: "0"}}, "greatest limit": {params: map[string]string{unknownParam: "100"}},
		"restarts": {params: map[string]string{"max_restarts": "-1"}, want: "max_restarts"}, "restarts above": {params: map[string]string{"max_restarts": "1001"}, want: "max_restarts"},
		"expiry": {params: map[string]string{"restart_expire_time": "1 h"}, want: "restart_expire_time"}, "expiry above": {params: map[string]string{"restart_expire_time": "999999999"}, want: "seconds from 0 to"},
		"all in order": {params: map[string]string{"max_restarts": "3", "restart_expire_time": "3600", unknownParam: "10"}},
		"mapping":      {params: map[string]string{mappingParam: "x"}, want: "MEMBER:ADDRESS"}, "set-up": {bad: true, want: "started at boot"},
	} {
		w := newWorld(t, "openvz", "node1")
		n := w.nodes["node1"]
		a := n.agent()
		if c.bad {
			a.Driver = func(string, hypervisor.Tools) (hypervisor.Driver, error) { return audited{vz{fake{n}}}, nil }
		}
		err := a.Validate(context.Background(), n.call(c.params))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || codeOf(err) != ocf.CodeConfigured) {
			t.Errorf("%s: %v", name, err)
		}
		if c.bad {
			n.logs = nil
			if err := a.Start(context.Background(), n.call(nil)); err != nil || !strings.Contains(strings.Join(n.logs, ""), "started at boot") {
				t.Errorf("start: %v, %q", err, n.logs)
			}
		}
	}
}
