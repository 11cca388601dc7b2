package main

import (
	"testing"

	"github.com/lbvm/lbvm/internal/manpage"
	"github.com/lbvm/lbvm/internal/manpage/pagetest"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestManPageIsCurrent$ .

func TestManPageIsCurrent(t *testing.T) {
	pagetest.Current(t, "lbm.8", manpage.Command(world{}.app(), 8, "lblog(8)", "lbmonitor(8)", "lbvm.conf(5)", "lbresources.conf(5)", "lbvm-openvz(7)", "lbvm-xen(7)", "lbvm-kvm(7)", "lbvm-vmexec(7)", "lbvm-lbvm(7)", "lbvm-lab(8)"))
}
