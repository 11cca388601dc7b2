// Package metadata holds what each agent says of itself to the cluster manager: its
// parameters with their defaults, its actions with their timeouts.
//
// The XML files are the single source. An agent prints its file byte for byte when it
// is called with `meta-data`, and pkg/ocf reads parameters, defaults and timeouts out of
// the same bytes. rgmanager.dtd is what the files are checked with.
package metadata

import _ "embed" // for the go:embed lines

// Strings, since nobody can change them.
var (
	//go:embed openvz.xml
	openvz string
	//go:embed xen.xml
	xen string
	//go:embed lbvm.xml
	lbvm string
)

// OpenVZ is the metadata of the agent for OpenVZ virtual environments.
func OpenVZ() []byte { return []byte(openvz) }

// Xen is the metadata of the agent for Xen domains.
func Xen() []byte { return []byte(xen) }

// LBVM is the metadata of the balancer's agent.
func LBVM() []byte { return []byte(lbvm) }
