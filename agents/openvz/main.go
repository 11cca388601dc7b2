// Command openvz.sh is the resource agent for OpenVZ virtual environments. rgmanager starts it from
// /usr/share/cluster; all that it does is in internal/vm.
package main

import (
	"github.com/lbvm/lbvm/internal/parsed"
	"github.com/lbvm/lbvm/internal/vm"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
	_ "github.com/lbvm/lbvm/pkg/ocf/quick" // first of all
)

func main() {
	ocf.Main(nil, vm.New("openvz"), ocf.WithParsed(parsed.OpenVZ, metadata.OpenVZ), ocf.WithPacemakerFrom(metadata.PacemakerOpenVZ))
}
