// Lbvm is the resource agent of the balancer; rgmanager calls it as lbvm.sh.
package main

import (
	"github.com/lbvm/lbvm/internal/lbvmagent"
	"github.com/lbvm/lbvm/internal/parsed"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
	_ "github.com/lbvm/lbvm/pkg/ocf/quick" // first of all
)

func main() {
	ocf.Main(nil, lbvmagent.New(), ocf.WithParsed(parsed.LBVM, metadata.LBVM), ocf.WithPacemakerFrom(metadata.PacemakerLBVM))
}
