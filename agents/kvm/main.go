// Command kvm.sh is the resource agent for guests of KVM. rgmanager starts it from /usr/share/cluster; all that it
// does is in internal/vm.
package main

import (
	"github.com/lbvm/lbvm/internal/parsed"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
	_ "github.com/lbvm/lbvm/pkg/ocf/quick" // first of all
)

func main() {
	ocf.Main(nil, vm.New("kvm"), ocf.WithParsed(parsed.KVM, metadata.KVM), ocf.WithPacemakerFrom(metadata.PacemakerKVM))
}
