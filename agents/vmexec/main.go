// Command vmexec.sh is the resource agent for VMs of technologies that an administrator has defined in
// /etc/cluster/lbvm.d. rgmanager starts it from /usr/share/cluster; all that it does is in internal/vm and
// internal/hypervisor/vmexec.
package main

import (
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/internal/parsed"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
	_ "github.com/lbvm/lbvm/pkg/ocf/quick" // first of all
)

func main() {
	a := vm.New(vmexec.Type)
	a.Driver = vmexec.New
	ocf.Main(nil, a, ocf.WithParsed(parsed.VMExec, metadata.VMExec), ocf.WithPacemakerFrom(metadata.PacemakerVMExec))
}
