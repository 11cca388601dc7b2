package main

import (
	"testing"

	"github.com/lbvm/lbvm/internal/cluster"
)

// A failed service without a record may still run its guest: only why-down is advised, which says to look first.
func TestStatusOfFailed(t *testing.T) {
	for _, test := range []struct{ shared, typ, next string }{
		{"/gfs", "xen", "lbm why-down web1; lbm repair web1"},
		{"/gfs", "vm", "lbm why-down web1"},
		{"", "xen", "lbm why-down web1"},
	} {
		s := &scene{shared: test.shared, st: cluster.Status{Services: []cluster.Service{{ID: "service:web", VMType: test.typ, VM: "web1", State: cluster.Failed}}}}
		if all := s.ofVMs(); len(all) != 1 || all[0].Next != test.next {
			t.Errorf("%+v: %+v", test, all)
		}
	}
}
