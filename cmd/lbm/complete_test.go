package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCompletesNames(t *testing.T) {
	b := ready(t, nil)
	nodes := []string{"xen1.01100011.com", "xen2.01100011.com", "xen3.01100011.com"}
	vms := []string{"centos1", "centos2", "101"}
	for _, x := range []struct {
		args []string
		want []string
	}{
		{[]string{"migrate"}, vms},
		{[]string{"migrate", "101"}, nodes},
		{[]string{"confirm-down", "101"}, nodes},
		{[]string{"handoff"}, vms},
		{[]string{"why-down"}, append(slices.Clone(vms), "web", "monitoring")},
		{[]string{"ccs", "interval"}, vms},
		{[]string{"check"}, nil},
	} {
		b.lbm(append(x.args, "--generate-bash-completion")...)
		got := strings.Fields(b.out.String())
		for _, want := range x.want {
			if !slices.Contains(got, want) {
				t.Errorf("lbm %s: %q is not among %q", strings.Join(x.args, " "), want, got)
			}
		}
		if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("lbm %s: a name twice: %q", strings.Join(x.args, " "), got)
		}
		if x.want == nil && slices.Contains(got, "101") {
			t.Errorf("lbm %s: %q", strings.Join(x.args, " "), got)
		}
		if slices.Contains(x.want, nodes[0]) && slices.Contains(got, "101") {
			t.Errorf("lbm %s: a VM where a node is wanted: %q", strings.Join(x.args, " "), got)
		}
	}
	// Two VMs of one name are told apart.
	b.write(t, "etc/cluster/cluster.conf", strings.Replace(clusterConf, `<xen name="centos2"/>`, `<kvm name="centos1"/>`, 1))
	b.lbm("handoff", "--generate-bash-completion")
	if got := strings.Fields(b.out.String()); !slices.Contains(got, "xen:centos1") || !slices.Contains(got, "kvm:centos1") || slices.Contains(got, "centos1") {
		t.Errorf("%q", got)
	}
	// What a shell would run is no name.
	b.write(t, "etc/cluster/cluster.conf", strings.Replace(clusterConf, `<service name="web"`, `<service name="$(touch x)"`, 1))
	b.lbm("why-down", "--generate-bash-completion")
	if got := b.out.String(); strings.Contains(got, "touch") || !strings.Contains(got, "centos1") {
		t.Errorf("%q", got)
	}
}
