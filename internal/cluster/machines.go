package cluster

import "github.com/lbvm/lbvm/pkg/ccs"

// Machines are the VMs that a cluster.conf names, without what only a running manager can tell.
func Machines(d *ccs.Document) []Service { return services(d, report{}) }
