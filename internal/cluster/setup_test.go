package cluster

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a real cluster's configuration comes to, and what is written in other ways.
func TestSetup(t *testing.T) {
	b, err := os.ReadFile("testdata/captured/cibadmin-2.1.5-query.xml")
	if err != nil {
		t.Fatal(err)
	}
	setup := func(edits ...string) Setup {
		t.Helper()
		text := string(b)
		for i := 0; i < len(edits); i += 2 {
			if !strings.Contains(text, edits[i]) {
				t.Fatalf("no %q", edits[i])
			}
			text = strings.Replace(text, edits[i], edits[i+1], 1)
		}
		c, err := newCIB([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Setup()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := setup()
	want := []SetupVM{
		{ID: "win1", Type: "kvm", Live: "true", Stickiness: 100, Monitored: true, Without: []string{"start", "stop", "migrate_from"}},
		{ID: "ct101", Type: "openvz", Stickiness: 200, Monitored: true, Without: []string{"start", "stop"}},
		{ID: "win2", Type: "kvm", Stickiness: 100, Without: []string{"start", "stop"}},
		{ID: "win3", Type: "xen", Stickiness: 100, Without: []string{"start", "stop"}},
		{ID: "win4", Type: "xen", Stickiness: 100, Without: []string{"start", "stop"}},
	}
	if d := cmp.Diff(want, plain.VMs); d != "" || plain.Left != nil || plain.Fences != nil || plain.Options["stonith-enabled"] != "false" || plain.Pending != "" {
		t.Errorf("%+v\n%s", plain, d)
	}
	if d := cmp.Diff([]string{"kvm", "openvz", "xen"}, plain.Types); d != "" {
		t.Error(d)
	}
	// A timeout for all operations, operations of a template, a VM in a clone.
	for name, x := range map[string]struct {
		edits []string
		vm    int
		want  SetupVM
	}{
		"op_defaults":  {[]string{"<rsc_defaults>", `<op_defaults><meta_attributes id="od"><nvpair id="od-t" name="timeout" value="300s"/></meta_attributes></op_defaults><rsc_defaults>`}, 0, SetupVM{ID: "win1", Type: "kvm", Live: "true", Stickiness: 100, Monitored: true}},
		"an old value": {[]string{`name="monitor" interval="10s"`, `name="monitor" interval="10"`}, 0, want[0]},
		"a template": {[]string{`<primitive id="win4" class="ocf" provider="lbvm" type="xen">`, `<template id="vm" class="ocf" provider="lbvm" type="xen"><operations><op id="vm-s" name="start" interval="0" timeout="9s"/><op id="vm-e" name="stop" interval="0" timeout="9s"/><op id="vm-m" name="monitor" interval="1min"/></operations></template><primitive id="win4" template="vm">`},
			4, SetupVM{ID: "win4", Type: "xen", Stickiness: 100, Monitored: true}},
	} {
		if got := setup(x.edits...); len(got.VMs) != 5 {
			t.Errorf("%s: %+v", name, got)
		} else if d := cmp.Diff(x.want, got.VMs[x.vm]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if got := setup(`<primitive id="win4"`, `<clone id="c"><primitive id="win4"`, "      </primitive>\n    </resources>", "      </primitive></clone>\n    </resources>"); len(got.VMs) != 4 {
		t.Errorf("a VM in a clone: %+v", got.VMs)
	}
	// Constraints of crm_resource without an end, of a VM and of the group that holds one; all others are meant.
	left := setup(`id="l1" rsc="win1"`, `id="cli-prefer-win1" rsc="win1"`, `id="l2" rsc="web"`, `id="cli-ban-web-on-n3" rsc="web"`).Left
	if d := cmp.Diff([]Left{{"cli-prefer-win1", "win1", "n1"}, {"cli-ban-web-on-n3", "web", "n3"}}, left); d != "" {
		t.Error(d)
	}
	if left := setup(`<rsc_location id="l1" rsc="win1" node="n1" score="50"/>`, `<rsc_location id="cli-prefer-win1" rsc="win1"><rule id="r" score="INFINITY"/></rsc_location>`, `id="l2" rsc="web"`, `id="cli-ban-lbvm1" rsc="other"`).Left; left != nil {
		t.Errorf("one with an end, one of no VM: %+v", left)
	}
}
