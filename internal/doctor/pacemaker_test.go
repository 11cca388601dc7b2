package doctor

import (
	"context"
	"os"
	"slices"
	"testing"
)

// With Pacemaker its own tools tell of members and VMs; what is cluster.conf's is left to crm_verify.
func TestPacemakerNode(t *testing.T) {
	captured := func(name string) string {
		t.Helper()
		b, err := os.ReadFile("../cluster/testdata/captured/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := sound(t)
	s.gone("usr/sbin/cman_tool", "usr/sbin/clustat", "usr/sbin/fence_tool", "etc/cluster/cluster.conf", "etc/rc.d")
	for _, p := range []string{"crm_mon", "cibadmin", "crm_simulate", "crm_resource"} {
		s.program("usr/sbin/" + p)
	}
	s.answers["crm_mon"] = captured("crm_mon-2.1.5-started.xml")
	s.answers["cibadmin"] = captured("cibadmin-2.1.5-query.xml")
	s.answers["crm_simulate"] = captured("crm_simulate-2.1.5-scores.txt")
	r := s.doctor().Examine(context.Background())
	var idle []string
	for _, x := range r.Results {
		if x.Idle != "" {
			idle = append(idle, x.Check)
		}
		if slices.Contains([]string{"members", "guests"}, x.Check) {
			for _, f := range x.Findings {
				t.Errorf("%+v", f)
			}
		}
	}
	for _, c := range []string{"version", "cluster-conf"} {
		if !slices.Contains(idle, c) {
			t.Errorf("%s was made with Pacemaker; idle: %q", c, idle)
		}
	}
	if slices.Contains(idle, "members") || slices.Contains(idle, "guests") {
		t.Errorf("idle: %q", idle)
	}
	s.answers["crm_mon"] = captured("crm_mon-2.1.5-inquorate.xml")
	if r := s.doctor().Examine(context.Background()); !slices.ContainsFunc(r.Findings(), func(f Finding) bool { return f.Fault == "members.inquorate" }) {
		t.Errorf("no quorum: %+v", r.Findings())
	}
}
